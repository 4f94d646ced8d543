//! Which of the shipped profiles fit: what kind of disk the log is on, and what kind of machine
//! this is.

use super::Machine;
use crate::probe::PROTECTED_US;
use crate::topology::{Kernel, Topology};
use disk::probe::Probe;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// How a disk is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// `NVMe` in the machine.
    Nvme,
    /// SATA or SAS, or a controller for such disks.
    Scsi,
    /// What a virtual machine is given.
    Virtual,
    /// Over a network: a cloud's volume, iSCSI, NBD, RBD.
    Network,
    /// Anything else.
    Other,
}

/// What is known of the disk of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFacts {
    /// The file system in memory: there is no disk.
    pub is_memory: bool,
    /// The file system's name.
    pub file_system: String,
    /// The kernel's name of the disk and its model, if there is a disk and it has one.
    pub name: Option<String>,
    /// What the device says that it is.
    pub model: Option<String>,
    /// How it is attached.
    pub medium: Medium,
    /// It says that it turns.
    pub is_rotating: bool,
    /// It says that a power loss loses nothing that it has answered.
    pub is_write_through: bool,
    /// How long a durable block takes, in microseconds, if that was measured.
    pub durable_us: Option<u64>,
}

/// A device that takes longer turns, whatever it says.
const ROTATING_US: u64 = 3_000;

/// A kind of disk, for which there is a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskClass {
    /// `NVMe` with protection against power loss.
    NvmeProtected,
    /// `NVMe` without.
    NvmePlain,
    /// A solid disk with SATA or SAS.
    SataSsd,
    /// A block device over a network.
    NetworkBlock,
    /// The disk of a virtual machine.
    VirtioVm,
    /// A disk that turns.
    Rotating,
    /// Memory.
    RamDisk,
}

impl DiskClass {
    /// The name of its profile.
    pub fn name(self) -> &'static str {
        match self {
            DiskClass::NvmeProtected => "nvme-protected",
            DiskClass::NvmePlain => "nvme-plain",
            DiskClass::SataSsd => "sata-ssd",
            DiskClass::NetworkBlock => "network-block",
            DiskClass::VirtioVm => "virtio-vm",
            DiskClass::Rotating => "rotating",
            DiskClass::RamDisk => "ram-disk",
        }
    }
}

impl DiskFacts {
    /// What is known of the disk under a directory, of which the file system said this.
    /// `durable_us`: how long a durable block takes there, if that was measured.
    pub fn of(kernel: &Kernel, directory: &Path, said: &Probe, durable_us: Option<u64>) -> Self {
        // Of several, as in a RAID or a volume group, the first: they are alike as a rule.
        let name = kernel.disks_below(directory).into_iter().next();
        let folder = name.as_ref().map(|name| kernel.sys.join("block").join(name));
        let place = folder.as_ref().and_then(|it| it.canonicalize().ok());
        let place = place.unwrap_or_default().display().to_string();
        let read = |file: &str| {
            let text = fs::read_to_string(folder.as_ref()?.join(file)).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let model = read("device/model");
        let medium = medium(name.as_deref(), model.as_deref(), &place, &said.file_system);
        Self {
            is_memory: said.is_memory,
            file_system: said.file_system.clone(),
            medium,
            is_rotating: read("queue/rotational").is_some_and(|it| it == "1"),
            is_write_through: said.cache.is_some_and(|cache| !cache.is_volatile),
            name,
            model,
            durable_us,
        }
    }

    /// Which kind it is; `None` if there is nothing to tell it by.
    pub fn class(&self) -> Option<DiskClass> {
        let is_protected =
            self.is_write_through || self.durable_us.is_some_and(|us| us < PROTECTED_US);
        let is_slow = self.durable_us.is_some_and(|us| us >= ROTATING_US);
        match self.medium {
            _ if self.is_memory => Some(DiskClass::RamDisk),
            Medium::Network => Some(DiskClass::NetworkBlock),
            // A virtual disk says that it turns, whatever is behind it.
            Medium::Virtual if is_slow => Some(DiskClass::Rotating),
            Medium::Virtual => Some(DiskClass::VirtioVm),
            Medium::Nvme if is_protected => Some(DiskClass::NvmeProtected),
            Medium::Nvme => Some(DiskClass::NvmePlain),
            Medium::Scsi if self.is_rotating || is_slow => Some(DiskClass::Rotating),
            Medium::Scsi => Some(DiskClass::SataSsd),
            Medium::Other => None,
        }
    }

    /// What to call it.
    pub fn shown(&self) -> String {
        match (&self.model, &self.name) {
            (Some(model), Some(name)) => format!("{model} ({name})"),
            (_, Some(name)) => name.clone(),
            _ if self.is_memory => "memory".to_owned(),
            _ => "no disk that is shown here".to_owned(),
        }
    }
}

/// File systems over a network.
const NETWORK: [&str; 4] = ["nfs", "ceph", "cifs", "fuse"];
/// What volumes of clouds say that they are: they look like `NVMe` in the machine.
const VOLUMES: [&str; 4] =
    ["Amazon Elastic Block Store", "nvme_card-pd", "PersistentDisk", "MSFT NVMe Accelerator"];

fn medium(name: Option<&str>, model: Option<&str>, place: &str, file_system: &str) -> Medium {
    if NETWORK.contains(&file_system) {
        return Medium::Network;
    }
    let Some(name) = name else { return Medium::Other };
    let is_volume = |model: &str| VOLUMES.iter().any(|it| model.contains(it));
    let begins = |beginnings: &[&str]| beginnings.iter().any(|it| name.starts_with(it));
    if begins(&["nbd", "rbd", "drbd"]) || place.contains("/session") || model.is_some_and(is_volume)
    {
        Medium::Network
    } else if begins(&["vd", "xvd"]) || place.contains("/virtio") {
        Medium::Virtual
    } else if begins(&["nvme"]) {
        Medium::Nvme
    } else if begins(&["sd"]) {
        Medium::Scsi
    } else {
        Medium::Other
    }
}

/// A kind of machine, for which there is a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MachineClass {
    /// At most two cores, or a share of some.
    SmallVm,
    /// One socket.
    OneSocket,
    /// Several.
    TwoSocket,
    /// ARM.
    Arm,
}

impl MachineClass {
    /// Which kind it is; `architecture` as Rust names it (`x86_64`, `aarch64`).
    pub fn of(topology: &Topology, architecture: &str) -> Self {
        let packages: BTreeSet<_> = topology.cores.iter().map(|core| core.package).collect();
        if topology.cores.len() <= 2 || topology.quota_cpus.is_some() {
            Self::SmallVm
        } else if architecture == "aarch64" {
            Self::Arm
        } else if packages.len() > 1 {
            Self::TwoSocket
        } else {
            Self::OneSocket
        }
    }

    /// The name of its profile.
    pub fn name(self) -> &'static str {
        match self {
            MachineClass::SmallVm => "small-vm",
            MachineClass::OneSocket => "one-socket",
            MachineClass::TwoSocket => "two-socket",
            MachineClass::Arm => "arm",
        }
    }
}

impl Machine {
    /// This machine, and the disk of its log, if that is known.
    pub fn of(kernel: &Kernel, topology: &Topology, disk: Option<&DiskFacts>) -> Self {
        let text = fs::read_to_string(kernel.proc.join("cpuinfo")).unwrap_or_default();
        let named = |key: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned())
        };
        // ARM has numbers only.
        let processor = named("model name").or_else(|| named("CPU part"));
        let unknown = || "unknown".to_owned();
        Self {
            processor: processor.unwrap_or_else(unknown),
            processors: topology.cpus().len() as u32,
            disk: disk.map_or_else(unknown, DiskFacts::shown),
            file_system: disk.map_or_else(unknown, |disk| disk.file_system.clone()),
        }
    }
}
