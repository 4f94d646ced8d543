//! Disks and network interfaces: where they are, and which processors take their interrupts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceKind {
    /// A block device.
    Disk,
    /// A network interface.
    Nic,
}

/// A disk or a network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What it is.
    pub kind: DeviceKind,
    /// As the kernel names it: `nvme0n1`, `eth0`.
    pub name: String,
    /// Its place on the PCI bus: `0000:17:00.0`.
    pub pci: Option<String>,
    /// The memory node that it is at; `None` if it is equally far from all.
    pub numa_node: Option<u32>,
    /// The processors that are near to it; empty if all are.
    pub near_cpus: BTreeSet<u32>,
    /// Its queues; of an interface those for receiving. 0 if that is not known.
    pub queues: u32,
    /// Its interrupts; none of a machine that is only described.
    pub interrupts: Vec<Interrupt>,
}

/// An interrupt of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// The kernel's number.
    pub number: u32,
    /// What it is for: `nvme0q1`, `eth0-rx-0`.
    pub name: String,
    /// The processors that take it.
    pub cpus: BTreeSet<u32>,
}

/// The two file systems in which the kernel shows devices; elsewhere in tests.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// `/sys`.
    pub sys: PathBuf,
    /// `/proc`.
    pub proc: PathBuf,
}

impl Default for Kernel {
    fn default() -> Self {
        Self { sys: "/sys".into(), proc: "/proc".into() }
    }
}

impl Kernel {
    /// Adds what the kernel says of a device's queues and interrupts. What cannot be read, as in a
    /// container, is left out.
    pub fn complete(&self, device: &mut Device) {
        let (class, queues) = match device.kind {
            DeviceKind::Disk => ("block", "mq"),
            DeviceKind::Nic => ("class/net", "queues"),
        };
        let folder = self.sys.join(class).join(&device.name);
        let queues = names(&folder.join(queues));
        let counted = queues.iter().filter(|name| match device.kind {
            DeviceKind::Disk => true,
            DeviceKind::Nic => name.starts_with("rx-"),
        });
        device.queues = u32::try_from(counted.count()).unwrap_or(0);
        let numbers = device
            .pci
            .as_ref()
            .map(|pci| names(&self.sys.join("bus/pci/devices").join(pci).join("msi_irqs")));
        let numbers = numbers.unwrap_or_default();
        let mut numbers: Vec<u32> = numbers.iter().filter_map(|it| it.parse().ok()).collect();
        numbers.sort_unstable();
        let all = self.interrupt_names();
        let interrupt = |number: u32| Interrupt {
            number,
            name: all.get(&number).cloned().unwrap_or_default(),
            cpus: self.takers(number),
        };
        device.interrupts = numbers.into_iter().map(interrupt).collect();
        // Those that were never requested are in no table.
        device.interrupts.retain(|it| !it.name.is_empty());
    }

    /// The interfaces with hardware behind them that are not down, and these disks.
    pub fn devices(&self, disks: &[String]) -> Vec<Device> {
        let class = self.sys.join("class/net");
        let mut nics = names(&class);
        nics.retain(|name| {
            let state = fs::read_to_string(class.join(name).join("operstate"));
            class.join(name).join("device").exists() && state.is_ok_and(|it| it.trim() != "down")
        });
        nics.sort_unstable();
        let nics = nics.into_iter().map(|name| {
            let folder = class.join(&name).join("device");
            self.device(DeviceKind::Nic, name, &folder)
        });
        let disks = disks.iter().map(|name| {
            self.device(DeviceKind::Disk, name.clone(), &self.sys.join("block").join(name))
        });
        disks.chain(nics).collect()
    }

    /// What is in the device's folder, and in that of the PCI device above it.
    fn device(&self, kind: DeviceKind, name: String, folder: &Path) -> Device {
        let folder = folder.canonicalize().unwrap_or_default();
        let pci = folder.ancestors().find(|it| it.join("msi_irqs").is_dir());
        let read = |name: &str| fs::read_to_string(pci?.join(name)).ok();
        let mut device = Device {
            kind,
            name,
            pci: pci.and_then(Path::file_name).map(|it| it.to_string_lossy().into_owned()),
            numa_node: read("numa_node").and_then(|it| it.trim().parse().ok()),
            near_cpus: read("local_cpulist").map(|it| cpus_of(&it)).unwrap_or_default(),
            queues: 0,
            interrupts: Vec::new(),
        };
        self.complete(&mut device);
        device
    }

    fn takers(&self, number: u32) -> BTreeSet<u32> {
        let folder = self.proc.join("irq").join(number.to_string());
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let text = read("effective_affinity_list").filter(|text| !text.trim().is_empty());
        text.or_else(|| read("smp_affinity_list")).map(|text| cpus_of(&text)).unwrap_or_default()
    }

    /// The last words of the lines of `/proc/interrupts`.
    fn interrupt_names(&self) -> BTreeMap<u32, String> {
        let text = fs::read_to_string(self.proc.join("interrupts")).unwrap_or_default();
        let lines = text.lines().filter_map(|line| {
            let (number, rest) = line.split_once(':')?;
            Some((number.trim().parse().ok()?, rest.split_whitespace().last()?.to_owned()))
        });
        lines.collect()
    }

    /// The names of the disks below the file system of a directory: of a partition its disk, of a
    /// volume all of them. Empty if that is not known.
    pub fn disks_below(&self, directory: &Path) -> Vec<String> {
        let there = directory.ancestors().find_map(|it| fs::metadata(it).ok());
        let Some(there) = there else { return Vec::new() };
        let (major, minor) =
            (nix::sys::stat::major(there.dev()), nix::sys::stat::minor(there.dev()));
        disks_of(&self.sys.join(format!("dev/block/{major}:{minor}")))
    }
}

/// The disks below a device, which is given by its folder in `/sys`.
pub(super) fn disks_of(device: &Path) -> Vec<String> {
    let mut found = BTreeSet::new();
    descend(device, 0, &mut found);
    found.into_iter().collect()
}

fn descend(device: &Path, depth: u32, found: &mut BTreeSet<String>) {
    const DEPTH_MAX: u32 = 8;
    let Ok(device) = device.canonicalize() else { return };
    let below = names(&device.join("slaves"));
    if !below.is_empty() && depth < DEPTH_MAX {
        for name in below {
            descend(&device.join("slaves").join(name), depth + 1, found);
        }
        return;
    }
    let is_partition = device.join("partition").exists();
    let disk = if is_partition { device.parent() } else { Some(&*device) };
    let name = disk.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    found.extend(name);
}

/// What is in a folder, in no order; nothing if it is not there.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Numbers as the kernel lists them: `0-3,8`.
pub(crate) fn cpus_of(text: &str) -> BTreeSet<u32> {
    let parts = text.trim().split(',').filter_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse::<u32>().ok()?..=last.trim().parse::<u32>().ok()?)
    });
    parts.flatten().collect()
}
