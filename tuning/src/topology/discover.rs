//! Queries hwloc and the kernel.

use std::collections::BTreeSet;
use std::fs;

use hwlocality::{
    Topology as Hwloc,
    object::{
        TopologyObject,
        attributes::ObjectAttributes,
        types::{OSDeviceType, ObjectType},
    },
    topology::builder::TypeFilter,
};
use nix::{
    sched::{CpuSet, sched_getaffinity},
    unistd::Pid,
};

use super::device::{Device, DeviceKind};
use super::{Core, Source, TopologyError};

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

/// What hwloc knows of this machine; `None` if it fails.
pub(super) fn this_machine() -> Option<Hwloc> {
    let builder = Hwloc::builder().with_io_type_filter(TypeFilter::KeepImportant).ok()?;
    builder.build().ok()
}

/// What hwloc makes of a description of another machine.
pub(super) fn described(source: &Source) -> Result<Hwloc, TopologyError> {
    let refused = |why: String| TopologyError::Description { from: source.clone(), why };
    let builder = Hwloc::builder();
    let builder = match source {
        Source::Synthetic(text) => {
            builder.from_synthetic(text).map_err(|error| refused(error.to_string()))
        }
        Source::Xml(path) => {
            // The binding of hwloc's own reader of files panics on one that is not there.
            let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
            builder.from_xml(&text).map_err(|error| refused(error.to_string()))
        }
    };
    let builder = builder?.with_io_type_filter(TypeFilter::KeepImportant);
    let builder = builder.map_err(|error| refused(error.to_string()))?;
    builder.build().map_err(|error| refused(error.to_string()))
}

/// All processors that hwloc knows.
pub(super) fn all_cpus(hwloc: &Hwloc) -> BTreeSet<u32> {
    let units = hwloc.objects_with_type(ObjectType::PU);
    units.filter_map(|unit| u32::try_from(unit.os_index()?).ok()).collect()
}

/// The cores that these processors are in; `None` if hwloc misses one of them.
pub(super) fn cores(hwloc: &Hwloc, allowed: &BTreeSet<u32>) -> Option<Vec<Core>> {
    let slow_first = speeds(hwloc);
    let speed = |cpu: u32| slow_first.iter().position(|kind| kind.contains(&cpu)).unwrap_or(0);
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
            None => cores.push((number, describe(unit, core, cpu, speed(cpu)))),
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

/// The kinds of processors, the slowest first; one if nothing is known of their speeds.
fn speeds(hwloc: &Hwloc) -> Vec<BTreeSet<u32>> {
    let Ok(kinds) = hwloc.cpu_kinds() else { return Vec::new() };
    let known = kinds.filter(|kind| kind.efficiency.is_some());
    known.map(|kind| numbers(&kind.cpuset)).collect()
}

fn numbers(set: &hwlocality::cpu::cpuset::CpuSet) -> BTreeSet<u32> {
    set.iter_set().filter_map(|cpu| u32::try_from(usize::from(cpu)).ok()).collect()
}

fn describe(unit: &TopologyObject, core: &TopologyObject, cpu: u32, speed: usize) -> Core {
    let numbered = |object: Option<&TopologyObject>, otherwise: usize| {
        let number = object.map_or(otherwise, TopologyObject::logical_index);
        u32::try_from(number).unwrap_or_default()
    };
    let above = |ty| unit.first_ancestor_with_type(ty);
    Core {
        package: numbered(above(ObjectType::Package), 0),
        numa_node: node_of(unit).unwrap_or(0),
        // A core without an L2 shares nothing; without an L3 the package is the group.
        l2: numbered(above(ObjectType::L2Cache), core.logical_index()),
        l3: numbered(above(ObjectType::L3Cache).or(above(ObjectType::Package)), 0),
        speed: u32::try_from(speed).unwrap_or_default(),
        cpus: vec![cpu],
    }
}

fn node_of(object: &TopologyObject) -> Option<u32> {
    let node = object.nodeset().and_then(|nodes| nodes.first_set());
    node.and_then(|node| u32::try_from(usize::from(node)).ok())
}

/// The disks and network interfaces that hwloc knows, by name; their interrupts are not known yet.
pub(super) fn devices(hwloc: &Hwloc) -> Vec<Device> {
    let found = hwloc.objects_with_type(ObjectType::OSDevice).filter_map(device);
    let mut devices: Vec<Device> = found.collect();
    devices.sort_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
    devices.dedup_by(|one, other| (one.kind, &one.name) == (other.kind, &other.name));
    devices
}

fn device(object: &TopologyObject) -> Option<Device> {
    let ObjectAttributes::OSDevice(attributes) = object.attributes()? else { return None };
    let kind = match attributes.device_type() {
        OSDeviceType::Storage => DeviceKind::Disk,
        OSDeviceType::Network => DeviceKind::Nic,
        _ => return None,
    };
    let bus = object.ancestors().find_map(|above| match above.attributes() {
        Some(ObjectAttributes::PCIDevice(pci)) => Some(format!(
            "{:04x}:{:02x}:{:02x}.{:x}",
            pci.domain(),
            pci.bus_id(),
            pci.bus_device(),
            pci.function()
        )),
        _ => None,
    });
    let near = object.first_non_io_ancestor();
    // What is near to the whole machine is near to no node.
    let near = near.filter(|it| it.object_type() != ObjectType::Machine);
    Some(Device {
        kind,
        name: object.name()?.to_string_lossy().into_owned(),
        pci: bus,
        numa_node: near.and_then(node_of),
        near_cpus: near.and_then(TopologyObject::cpuset).map(|it| numbers(&it)).unwrap_or_default(),
        queues: 0,
        interrupts: Vec::new(),
    })
}
