use std::{fs, path::PathBuf, process};

use super::device::disks_of;
use super::{Device, DeviceKind, Kernel, Topology, cgroup, flat};

/// A directory of this test, removed at its end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("ringkeeper-{name}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A directory that stays behind does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn this_machine_can_be_read() {
    let topology = Topology::discover().unwrap();
    assert!(!topology.cores.is_empty());
    let cpus = topology.cpus();
    let counted: usize = topology.cores.iter().map(|core| core.cpus.len()).sum();
    assert_eq!(cpus.len(), counted, "no processor is in two cores");
    let allowed: std::collections::BTreeSet<u32> = cpus.iter().copied().collect();
    assert_eq!(allowed, super::discover::allowed_cpus().unwrap());
    assert!(topology.summary().ends_with('.'));
}

#[test]
fn a_uniform_machine_is_numbered_as_linux_does_it() {
    let topology = Topology::uniform(2, 4, 2);
    assert_eq!(topology.cores.len(), 8);
    assert_eq!(topology.cores[5].cpus, [5, 13]);
    assert_eq!((topology.cores[3].package, topology.cores[4].package), (0, 1));
    assert_eq!(
        topology.summary(),
        "2 packages, 2 memory nodes, 2 L3 caches, 8 cores, 16 processors."
    );
    let topology = Topology { quota_cpus: Some(1.5), ..topology };
    assert!(topology.summary().ends_with("a quota of 1.5 processors."));
}

#[test]
fn a_flat_machine_has_a_core_for_each_processor() {
    let cores = flat(&[1, 3].into());
    assert_eq!(cores.iter().map(|core| core.cpus[0]).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn the_smallest_quota_on_the_way_up_counts() {
    let directory = Directory::new("cgroup-two");
    directory.write("a/b/cpu.max", "400000 100000\n");
    directory.write("a/cpu.max", "150000 100000\n");
    directory.write("cpu.max", "max 100000\n");
    assert_eq!(cgroup::quota(&directory.0, "0::/a/b\n"), Some(1.5));
    assert_eq!(cgroup::quota(&directory.0, "0::/a/b/not/there\n"), Some(1.5));
    assert_eq!(cgroup::quota(&directory.0, "0::/\n"), None);
}

#[test]
fn the_first_version_is_read_too() {
    let directory = Directory::new("cgroup-one");
    directory.write("cpu,cpuacct/x/cpu.cfs_quota_us", "50000\n");
    directory.write("cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
    directory.write("cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    directory.write("cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    let groups = "3:cpuset:/x\n2:cpu,cpuacct:/x\n0::/\n";
    assert_eq!(cgroup::quota(&directory.0, groups), Some(0.5));
    assert_eq!(cgroup::quota(&directory.0, "2:cpu,cpuacct:/\n"), None);
    assert_eq!(cgroup::quota(&directory.0, "3:cpuset:/x\nnonsense\n"), None);
}

#[test]
fn interrupts_and_queues_are_read_from_the_kernel() {
    let directory = Directory::new("devices");
    let pci = "sys/bus/pci/devices/0000:17:00.0";
    for number in ["41", "42", "43"] {
        directory.write(&format!("{pci}/msi_irqs/{number}"), "msix\n");
    }
    for queue in ["rx-0", "rx-1", "tx-0", "tx-1"] {
        directory.write(&format!("sys/class/net/eth0/queues/{queue}/x"), "");
    }
    let table = "      CPU0  CPU1\n  41:    0     7  IR-PCI-MSI 1  eth0-rx-0\n  \
                 42:    0     7  IR-PCI-MSI 2  eth0-rx-1\nNMI: 0 0 Non-maskable\n";
    directory.write("proc/interrupts", table);
    directory.write("proc/irq/41/effective_affinity_list", "3\n");
    directory.write("proc/irq/42/effective_affinity_list", "\n");
    directory.write("proc/irq/42/smp_affinity_list", "0-1,8\n");
    let kernel = Kernel { sys: directory.0.join("sys"), proc: directory.0.join("proc") };
    let mut nic = Device {
        kind: DeviceKind::Nic,
        name: "eth0".to_owned(),
        pci: Some("0000:17:00.0".to_owned()),
        numa_node: Some(0),
        near_cpus: [0].into(),
        queues: 0,
        interrupts: Vec::new(),
    };
    kernel.complete(&mut nic);
    assert_eq!(nic.queues, 2);
    let found = nic.interrupts.iter().map(|it| (it.number, it.name.as_str(), it.cpus.clone()));
    let expected = [(41, "eth0-rx-0", [3].into()), (42, "eth0-rx-1", [0, 1, 8].into())];
    assert_eq!(found.collect::<Vec<_>>(), expected, "the third one was never requested");
    // Half of it is hidden, as in a container.
    let hidden = Kernel { sys: directory.0.join("none"), proc: directory.0.join("none") };
    hidden.complete(&mut nic);
    assert_eq!((nic.queues, nic.interrupts.len()), (0, 0));
}

#[test]
fn disks_are_found_below_partitions_and_volumes() {
    let directory = Directory::new("disks");
    for (path, text) in [
        ("sys/block/sda/sda1/partition", "1"),
        ("sys/block/sdb/sdb2/partition", "2"),
        ("sys/block/dm-0/slaves/sda1/x", ""),
        ("sys/block/dm-0/slaves/sdb2/x", ""),
        ("sys/block/nvme0n1/size", "1"),
    ] {
        directory.write(path, text);
    }
    let sys = directory.0.join("sys");
    let kernel = Kernel { sys: sys.clone(), proc: directory.0.join("proc") };
    // The kernel lists what is below a volume by links into the devices.
    for (name, to) in [("sda1", "sda/sda1"), ("sdb2", "sdb/sdb2")] {
        let link = sys.join("block/dm-0/slaves").join(name);
        fs::remove_dir_all(&link).unwrap();
        std::os::unix::fs::symlink(sys.join("block").join(to), link).unwrap();
    }
    assert_eq!(disks_of(&sys.join("block/nvme0n1")), ["nvme0n1"]);
    assert_eq!(disks_of(&sys.join("block/sda/sda1")), ["sda"]);
    assert_eq!(disks_of(&sys.join("block/dm-0")), ["sda", "sdb"]);
    assert!(disks_of(&sys.join("block/none")).is_empty());
    assert!(kernel.disks_below(&directory.0).is_empty(), "nothing is known of this device");
}
