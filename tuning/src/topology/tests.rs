use std::{fs, path::PathBuf, process};

use super::{Topology, cgroup, flat};

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
