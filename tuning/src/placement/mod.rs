//! Which roles share a core loop, and where each loop runs.
//!
//! The rules, from the machine down:
//!
//! - A quota means that processors are shared with other processes: then nothing is pinned and
//!   nothing spins, and there are no more loops than whole processors granted.
//! - One or two cores: ordering and the one shard in one loop, so that a write needs no hop.
//! - More: a loop for ordering and a loop for each shard, one per physical core; from four cores
//!   on, one core is left to the kernel, the background executor and the admin thread.
//!   One more is left for every 16, near the network interface: they take its interrupts.
//! - Cores of a slower kind are left for that, and no loop is on one, if enough are fast.
//! - A loop is pinned only if every loop has a core and one is left over, and it spins only if it
//!   is pinned. Second threads of a core are never used for a loop.
//! - Ordering is near the log's disk if that is near some cores, else where most cores are, by node
//!   and by cache. Shards are nearest to ordering first: same L3, same memory node, same package,
//!   then the rest.

use crate::topology::{Core, DeviceKind, Topology};
use std::collections::BTreeSet;

mod explain;

pub(crate) use explain::list;
#[cfg(test)]
mod tests;

/// What the operator configured; the default leaves everything to the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlacementOptions {
    /// How many shards.
    pub shards: Option<u32>,
    /// The processors that core loops may use.
    pub cpus: Option<Vec<u32>>,
    /// Pin nothing.
    pub unpinned: bool,
    /// Microseconds to spin, for loops that may spin.
    pub spin_us: Option<u32>,
    /// The same as a profile has it: it counts where nothing is configured.
    pub profile_spin_us: Option<u32>,
    /// Pin nothing, as a profile has it.
    pub profile_unpinned: bool,
    /// The names of the disks that hold the log.
    pub log_disks: Vec<String>,
}

impl PlacementOptions {
    fn spin_us(&self) -> u32 {
        self.spin_us.or(self.profile_spin_us).unwrap_or(SPIN_US_DEFAULT)
    }
}

/// A role that a core loop hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The role that owns agreement, the log and the tree's writer.
    Ordering,
    /// A role that owns connections; numbered from 0.
    Shard(u32),
}

/// One core loop: a thread with one ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreLoop {
    /// What it hosts, not empty; ordering first.
    pub roles: Vec<Role>,
    /// The processor it is pinned to.
    pub cpu: Option<u32>,
    /// Microseconds it spins before it sleeps; 0 unless it has a core to itself.
    pub spin_us: u32,
}

/// Where everything runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The core loops; the first one hosts ordering.
    pub loops: Vec<CoreLoop>,
    /// The processors for the background executor and the admin thread, ascending, not empty.
    pub background_cpus: Vec<u32>,
    /// Those of them that should take the interrupts of the network interfaces: near these, if any
    /// are. Not empty.
    pub interrupt_cpus: Vec<u32>,
    /// Second threads of cores with a pinned loop, which stay idle, ascending.
    pub idle_cpus: Vec<u32>,
    /// The memory node of a pinned ordering role, where the tree is.
    pub memory_node: Option<u32>,
    /// Why, a sentence for each decision.
    pub reasons: Vec<String>,
    /// What was configured and is not possible.
    pub warning: Option<String>,
}

/// How long a loop spins by default: less than it takes to sleep and be woken.
pub const SPIN_US_DEFAULT: u32 = 5;
/// The maximum number of shards, unless more are configured: one ordering role feeds them all.
pub const SHARDS_MAX: u32 = 64;
/// With fewer cores than this, none is kept free of loops.
const CORES_TO_LEAVE_ONE: usize = 4;
/// One core is left free for each of so many.
const CORES_PER_FREE_ONE: usize = 16;
/// Up to this many cores, one loop hosts everything.
const CORES_FUSED: usize = 2;

impl Placement {
    /// The number of shards, at least 1.
    pub fn shard_count(&self) -> u32 {
        let shards = self.loops.iter().flat_map(|it| &it.roles);
        let count = shards.filter(|role| matches!(role, Role::Shard(_))).count();
        u32::try_from(count).expect("shards are numbered by u32")
    }
}

/// Decides.
///
/// # Panics
/// If the topology has no cores, which [`Topology`] promises.
pub fn placement(topology: &Topology, options: &PlacementOptions) -> Placement {
    assert!(!topology.cores.is_empty(), "a topology has cores");
    let mut reasons = vec![explain::machine(topology)];
    let warning = unusable(topology, options);
    let offered = offered(topology, options, &mut reasons);
    let usable = usable_count(topology, offered.cores.len(), &mut reasons);
    let hosted = hosted(usable, offered.spare, options, &mut reasons);

    let room = hosted.len() < offered.cores.len() || offered.spare;
    let enough = offered.cores.len() > CORES_FUSED || offered.spare;
    let fits = hosted.len() <= offered.cores.len();
    let unpinned = options.unpinned || options.profile_unpinned;
    let pinned = !unpinned && topology.quota_cpus.is_none() && fits && room && enough;
    reasons.push(explain::pinning(pinned, topology, options, hosted.len(), offered.cores.len()));
    reasons.push(explain::spinning(pinned, options));

    let chosen =
        if pinned { choose(topology, &offered, hosted.len(), options) } else { Vec::new() };
    let spin_us = if pinned { options.spin_us() } else { 0 };
    let home = chosen.first().copied();
    reasons.extend(home.map(|core| explain::home(core, log_disk(topology, options))));
    let cpu = |index: usize| chosen.get(index).map(|core| core.cpus[0]);
    let loops = hosted.into_iter().enumerate();
    let loops = loops.map(|(index, roles)| CoreLoop { roles, cpu: cpu(index), spin_us }).collect();
    let idle_cpus: BTreeSet<u32> =
        chosen.iter().flat_map(|core| &core.cpus[1..]).copied().collect();
    let idle_cpus: Vec<u32> = idle_cpus.into_iter().collect();
    if !idle_cpus.is_empty() {
        reasons.push(explain::idle(&idle_cpus));
    }
    let background_cpus = background(topology, &chosen);
    reasons.push(explain::background(&background_cpus, pinned));
    let interrupt_cpus = interrupts(topology, &background_cpus);
    if pinned && topology.devices.iter().any(|it| it.kind == DeviceKind::Nic) {
        reasons.push(explain::interrupts(&interrupt_cpus, topology));
    }
    let memory_node = home.map(|core| core.numa_node);
    Placement { loops, background_cpus, interrupt_cpus, idle_cpus, memory_node, reasons, warning }
}

/// The cores that loops may be put on.
struct Offered {
    cores: Vec<Core>,
    /// Whether there is another core that no loop may use.
    spare: bool,
}

/// Processors that were named, and do not exist or may not be used.
fn unusable(topology: &Topology, options: &PlacementOptions) -> Option<String> {
    let usable = topology.cpus();
    let configured = options.cpus.iter().flatten().copied();
    let missing: Vec<u32> = configured.filter(|cpu| !usable.contains(cpu)).collect();
    (!missing.is_empty()).then(|| explain::unusable(&missing, topology))
}

fn offered(topology: &Topology, options: &PlacementOptions, reasons: &mut Vec<String>) -> Offered {
    let all = || Offered { cores: topology.cores.clone(), spare: false };
    let Some(configured) = &options.cpus else {
        return fast(topology).map_or_else(all, |cores| {
            reasons.push(explain::fast(&cores, topology));
            Offered { cores, spare: true }
        });
    };
    let mut cores = Vec::new();
    for core in &topology.cores {
        let cpus: Vec<u32> =
            core.cpus.iter().copied().filter(|it| configured.contains(it)).collect();
        if !cpus.is_empty() {
            cores.push(Core { cpus, ..core.clone() });
        }
    }
    if cores.is_empty() {
        return all();
    }
    reasons.push(explain::configured(&cores));
    let spare = cores.len() < topology.cores.len();
    Offered { cores, spare }
}

/// The cores of the fastest kind, if there are others, and enough of these.
fn fast(topology: &Topology) -> Option<Vec<Core>> {
    let fastest = topology.cores.iter().map(|core| core.speed).max()?;
    let cores = topology.cores.iter().filter(|core| core.speed == fastest);
    let cores: Vec<Core> = cores.cloned().collect();
    (cores.len() > CORES_FUSED && cores.len() < topology.cores.len()).then_some(cores)
}

/// How many loops the rules would keep busy: cores, or whole processors of the quota if fewer.
fn usable_count(topology: &Topology, cores: usize, reasons: &mut Vec<String>) -> usize {
    let Some(quota) = topology.quota_cpus else { return cores };
    let whole = (quota.floor().max(1.0) as usize).min(cores);
    reasons.push(explain::quota(quota, whole));
    whole
}

/// The roles of each loop; ordering in the first.
fn hosted(
    usable: usize,
    spare: bool,
    options: &PlacementOptions,
    reasons: &mut Vec<String>,
) -> Vec<Vec<Role>> {
    let left =
        if usable < CORES_TO_LEAVE_ONE || spare { 0 } else { usable.div_ceil(CORES_PER_FREE_ONE) };
    let for_loops = usable - left;
    let shards = match options.shards {
        Some(configured) => configured.max(1),
        None if usable <= CORES_FUSED => 1,
        None => u32::try_from(for_loops - 1).unwrap_or(SHARDS_MAX).min(SHARDS_MAX),
    };
    let separate = shards > 1 && (shards as usize) < for_loops
        || options.shards.is_none() && usable > CORES_FUSED;
    reasons.push(explain::roles(shards, separate, usable, options.shards.is_some()));
    let mut hosted = Vec::with_capacity(shards as usize + 1);
    if separate {
        hosted.push(vec![Role::Ordering]);
        hosted.extend((0..shards).map(|shard| vec![Role::Shard(shard)]));
    } else {
        hosted.push(vec![Role::Ordering, Role::Shard(0)]);
        hosted.extend((1..shards).map(|shard| vec![Role::Shard(shard)]));
    }
    hosted
}

/// The cores of `count` loops, ordering's first.
fn choose<'a>(
    topology: &Topology,
    offered: &'a Offered,
    count: usize,
    options: &PlacementOptions,
) -> Vec<&'a Core> {
    let mut cores: Vec<&Core> = offered.cores.iter().collect();
    if !offered.spare {
        leave_free(topology, &mut cores, count);
    }
    let disk = log_disk(topology, options).and_then(|disk| disk.numa_node);
    let in_node = |node: u32| cores.iter().filter(|core| core.numa_node == node).count();
    let at_l3 = |l3: u32| cores.iter().filter(|core| core.l3 == l3).count();
    let home = cores
        .iter()
        .copied()
        // Of equals, `max_by_key` takes the last: reversed, so that it is the first.
        .rev()
        .max_by_key(|core| (disk == Some(core.numa_node), in_node(core.numa_node), at_l3(core.l3)))
        .expect("there is room for every loop");
    let distance = |core: &Core| {
        (
            core.package != home.package,
            core.numa_node != home.numa_node,
            core.l3 != home.l3,
            core.package,
            core.numa_node,
            core.cpus[0],
        )
    };
    let home_cpu = home.cpus[0];
    cores.sort_by_key(|core| (core.cpus[0] != home_cpu, distance(core)));
    cores.truncate(count);
    cores
}

/// Leaves the cores out that stay free: the first, which does the kernel's own work on most
/// machines, then the first ones near the network interface, or of each memory node in turn.
fn leave_free(topology: &Topology, cores: &mut Vec<&Core>, count: usize) {
    let free = (cores.len() - count).min(cores.len().div_ceil(CORES_PER_FREE_ONE));
    let mut nics = topology.devices.iter().filter(|it| it.kind == DeviceKind::Nic);
    let nic = nics.find_map(|it| it.numa_node);
    let nodes: BTreeSet<u32> = cores.iter().map(|core| core.numa_node).collect();
    let nodes: Vec<u32> = nodes.into_iter().collect();
    cores.remove(0);
    for number in 1..free {
        let node = nic.filter(|it| nodes.contains(it)).unwrap_or(nodes[number % nodes.len()]);
        let at = cores.iter().position(|core| core.numa_node == node).unwrap_or(0);
        cores.remove(at);
    }
}

/// The disk of the log, if one is named that the machine has.
fn log_disk<'a>(
    topology: &'a Topology,
    options: &PlacementOptions,
) -> Option<&'a crate::topology::Device> {
    let mut disks = topology.devices.iter().filter(|it| it.kind == DeviceKind::Disk);
    disks.find(|disk| options.log_disks.contains(&disk.name))
}

/// All processors of cores without a pinned loop.
fn background(topology: &Topology, chosen: &[&Core]) -> Vec<u32> {
    let taken: BTreeSet<u32> = chosen.iter().map(|core| core.cpus[0]).collect();
    let is_free = |core: &&Core| !core.cpus.iter().any(|cpu| taken.contains(cpu));
    let mut cpus: Vec<u32> =
        topology.cores.iter().filter(is_free).flat_map(|core| &core.cpus).copied().collect();
    cpus.sort_unstable();
    assert!(!cpus.is_empty(), "loops are pinned only if a core is left over");
    cpus
}

/// Those of `free` that are near a network interface; all if none is.
fn interrupts(topology: &Topology, free: &[u32]) -> Vec<u32> {
    let nics = topology.devices.iter().filter(|it| it.kind == DeviceKind::Nic);
    let near: BTreeSet<u32> = nics.flat_map(|nic| nic.near_cpus.iter().copied()).collect();
    let found: Vec<u32> = free.iter().copied().filter(|cpu| near.contains(cpu)).collect();
    if found.is_empty() { free.to_vec() } else { found }
}
