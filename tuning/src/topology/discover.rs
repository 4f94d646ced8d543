//! Queries hwloc and the kernel.

use std::collections::BTreeSet;

use hwlocality::{
    Topology as Hwloc,
    object::{TopologyObject, types::ObjectType},
};
use nix::{
    sched::{CpuSet, sched_getaffinity},
    unistd::Pid,
};

use super::{Core, TopologyError};

/// The processors that this process may use; not empty.
pub(super) fn allowed_cpus() -> Result<BTreeSet<u32>, TopologyError> {
    let set = sched_getaffinity(Pid::from_raw(0)).map_err(TopologyError::Affinity)?;
    let is_set = |cpu: &usize| set.is_set(*cpu).unwrap_or(false);
    let allowed: BTreeSet<u32> =
        (0..CpuSet::count()).filter(is_set).filter_map(|cpu| u32::try_from(cpu).ok()).collect();
    if allowed.is_empty() {
        Err(TopologyError::Affinity(nix::errno::Errno::EINVAL))
    } else {
        Ok(allowed)
    }
}

/// The cores that these processors are in; `None` if hwloc fails or misses one of them.
pub(super) fn cores(allowed: &BTreeSet<u32>) -> Option<Vec<Core>> {
    let hwloc = Hwloc::new().ok()?;
    let mut cores: Vec<(u64, Core)> = Vec::new();
    for unit in hwloc.objects_with_type(ObjectType::PU) {
        let cpu = u32::try_from(unit.os_index()?).ok()?;
        if !allowed.contains(&cpu) {
            continue;
        }
        // A virtual machine may report no cores: then each processor is one.
        let core = unit.first_ancestor_with_type(ObjectType::Core).unwrap_or(unit);
        let number = core.global_persistent_index();
        match cores.iter_mut().find(|(known, _)| *known == number) {
            Some((_, core)) => core.cpus.push(cpu),
            None => cores.push((number, describe(unit, core, cpu))),
        }
    }
    let mut cores: Vec<Core> = cores.into_iter().map(|(_, core)| core).collect();
    for core in &mut cores {
        core.cpus.sort_unstable();
    }
    cores.sort_by_key(|core| core.cpus[0]);
    let found: usize = cores.iter().map(|core| core.cpus.len()).sum();
    (found == allowed.len()).then_some(cores)
}

fn describe(unit: &TopologyObject, core: &TopologyObject, cpu: u32) -> Core {
    let numbered = |object: Option<&TopologyObject>, otherwise: usize| {
        let number = object.map_or(otherwise, TopologyObject::logical_index);
        u32::try_from(number).unwrap_or_default()
    };
    let above = |ty| unit.first_ancestor_with_type(ty);
    let node = unit.nodeset().and_then(|nodes| nodes.first_set());
    Core {
        package: numbered(above(ObjectType::Package), 0),
        numa_node: node.and_then(|node| u32::try_from(usize::from(node)).ok()).unwrap_or(0),
        // A core without an L2 shares nothing; without an L3 the package is the group.
        l2: numbered(above(ObjectType::L2Cache), core.logical_index()),
        l3: numbered(above(ObjectType::L3Cache).or(above(ObjectType::Package)), 0),
        cpus: vec![cpu],
    }
}
