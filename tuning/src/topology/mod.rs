//! The machine, as far as this process may use it: a plain value.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

mod cgroup;
pub mod device;
mod discover;
#[cfg(test)]
mod tests;

pub use device::{Device, DeviceKind, Interrupt, Kernel};

/// The machine could not be examined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// The kernel did not report which processors this process may use.
    #[error("the processors of this process cannot be read: {0}")]
    Affinity(nix::errno::Errno),
    /// The description of another machine is none.
    #[error("{from}: {why}: it must be what hwloc's lstopo reads or writes")]
    Description {
        /// Which one.
        from: Source,
        /// hwloc's answer.
        why: String,
    },
    /// Another machine would have no such processors.
    #[error("none of the processors {0:?} is in that description")]
    NoSuchCpus(Vec<u32>),
}

/// Where another machine is described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In hwloc's short form: `Package:2 [NUMANode] L3:1 L2:16 Core:1 PU:2`.
    Synthetic(String),
    /// In a file that `lstopo --of xml` wrote there.
    Xml(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Synthetic(text) => write!(f, "{text:?}"),
            Source::Xml(path) => path.display().fmt(f),
        }
    }
}

/// One physical core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// The package (socket) it is in.
    pub package: u32,
    /// The memory node nearest to it.
    pub numa_node: u32,
    /// Its L2 cache: cores with the same number share it.
    pub l2: u32,
    /// Its L3 cache: cores with the same number share it.
    pub l3: u32,
    /// How fast it is among those of the machine: 0 is the slowest kind, and the only one of a
    /// machine whose cores are alike.
    pub speed: u32,
    /// Its processors (hardware threads) that this process may use: by the kernel's numbers,
    /// ascending, not empty.
    pub cpus: Vec<u32>,
}

/// The cores that this process may use, and how much of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    /// The cores with at least one processor allowed, by their first processor; not empty.
    pub cores: Vec<Core>,
    /// Processors' worth of time a control group grants, if it limits that: 1.5 is one and a half.
    pub quota_cpus: Option<f64>,
    /// Its disks and network interfaces, by kind and name; none if they are not known.
    pub devices: Vec<Device>,
}

impl Topology {
    /// Examines the machine: hwloc for the hardware, the kernel for the processors allowed and for
    /// interrupts, the control group for the quota. If hwloc fails, every processor counts as a
    /// core of one package.
    ///
    /// # Errors
    /// [`TopologyError::Affinity`] if the kernel does not report the allowed processors.
    pub fn discover() -> Result<Topology, TopologyError> {
        let allowed = discover::allowed_cpus()?;
        let hwloc = discover::this_machine();
        let cores = hwloc.as_ref().and_then(|it| discover::cores(it, &allowed));
        let mut devices = hwloc.as_ref().map(discover::devices).unwrap_or_default();
        let kernel = Kernel::default();
        for device in &mut devices {
            kernel.complete(device);
        }
        Ok(Topology {
            cores: cores.unwrap_or_else(|| flat(&allowed)),
            quota_cpus: cgroup::quota_of_this_process(),
            devices,
        })
    }

    /// Another machine, from its description; of its processors those in `cpus`, or all.
    ///
    /// # Errors
    /// hwloc does not understand it, or none of the processors is there.
    pub fn described(source: &Source, cpus: Option<&[u32]>) -> Result<Topology, TopologyError> {
        let hwloc = discover::described(source)?;
        let mut allowed = discover::all_cpus(&hwloc);
        if let Some(cpus) = cpus {
            allowed.retain(|cpu| cpus.contains(cpu));
            if allowed.is_empty() {
                return Err(TopologyError::NoSuchCpus(cpus.to_vec()));
            }
        }
        let cores = discover::cores(&hwloc, &allowed).unwrap_or_else(|| flat(&allowed));
        Ok(Topology { cores, quota_cpus: None, devices: discover::devices(&hwloc) })
    }

    /// A uniform machine: `packages` of `cores` with `threads` each, one memory node and one L3 per
    /// package. Processors are numbered as Linux does it: first threads first.
    ///
    /// # Panics
    /// If one of the counts is 0.
    pub fn uniform(packages: u32, cores: u32, threads: u32) -> Topology {
        assert!(packages > 0 && cores > 0 && threads > 0, "a machine has processors");
        let total = packages * cores;
        let core = |number: u32| Core {
            package: number / cores,
            numa_node: number / cores,
            l2: number,
            l3: number / cores,
            speed: 0,
            cpus: (0..threads).map(|thread| number + thread * total).collect(),
        };
        let cores = (0..total).map(core).collect();
        Topology { cores, quota_cpus: None, devices: Vec::new() }
    }

    /// All processors allowed, ascending.
    pub fn cpus(&self) -> Vec<u32> {
        let all: BTreeSet<u32> = self.cores.iter().flat_map(|core| &core.cpus).copied().collect();
        all.into_iter().collect()
    }

    /// The machine in a sentence, for the log.
    pub fn summary(&self) -> String {
        let counted = |count: usize, what: &str| {
            format!("{count} {what}{}", if count == 1 { "" } else { "s" })
        };
        let distinct = |part: fn(&Core) -> u32, what: &str| {
            counted(self.cores.iter().map(part).collect::<BTreeSet<u32>>().len(), what)
        };
        let mut parts = vec![
            distinct(|core| core.package, "package"),
            distinct(|core| core.numa_node, "memory node"),
            distinct(|core| core.l3, "L3 cache"),
            counted(self.cores.len(), "core"),
            counted(self.cpus().len(), "processor"),
        ];
        parts.extend(self.quota_cpus.map(|quota| format!("a quota of {quota} processors")));
        parts.join(", ") + "."
    }
}

/// Every processor as a core by itself, if nothing more is known.
fn flat(allowed: &BTreeSet<u32>) -> Vec<Core> {
    let core = |&cpu| Core { package: 0, numa_node: 0, l2: cpu, l3: 0, speed: 0, cpus: vec![cpu] };
    allowed.iter().map(core).collect()
}
