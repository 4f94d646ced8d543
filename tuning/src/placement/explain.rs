//! The sentences that go with the decisions.

use crate::topology::{Core, Device, DeviceKind, Topology};

use super::{CORES_FUSED, PlacementOptions};

pub(super) fn machine(topology: &Topology) -> String {
    format!("The machine, as far as this process may use it: {}", topology.summary())
}

pub(super) fn unusable(missing: &[u32], topology: &Topology) -> String {
    format!(
        "ring.cpus: processors {} do not exist or may not be used by this process, and are \
         ignored; allowed are {}.",
        list(missing),
        list(&topology.cpus())
    )
}

pub(super) fn configured(cores: &[Core]) -> String {
    let cpus: Vec<u32> = cores.iter().flat_map(|core| core.cpus.iter().copied()).collect();
    format!(
        "Core loops use processors {} on {}, as set by ring.cpus.",
        list(&cpus),
        counted(cores.len(), "core")
    )
}

pub(super) fn fast(cores: &[Core], topology: &Topology) -> String {
    let slower = topology.cores.len() - cores.len();
    let is_slower = |core: &&Core| !cores.contains(core);
    let cpus: Vec<u32> =
        topology.cores.iter().filter(is_slower).flat_map(|core| core.cpus.clone()).collect();
    let kind =
        if slower == 1 { "is of a slower kind, and is" } else { "are of slower kinds, and are" };
    format!(
        "{} ({}) {kind} left to the kernel and the background: a slow ordering role would slow \
         everything down.",
        counted(slower, "core"),
        list(&cpus)
    )
}

pub(super) fn home(core: &Core, disk: Option<&Device>) -> String {
    let (cpu, node) = (core.cpus[0], core.numa_node);
    match disk {
        Some(disk) if disk.numa_node == Some(node) => format!(
            "Ordering is on processor {cpu} in memory node {node}, which {}, the disk of the log, \
             is at; the tree is in the memory of that node.",
            disk.name
        ),
        _ => format!(
            "Ordering is on processor {cpu} in memory node {node}, and the tree in the memory of \
             that node."
        ),
    }
}

pub(super) fn idle(cpus: &[u32]) -> String {
    format!(
        "Processors {} are second threads of cores with a loop, and stay idle: what runs there \
         slows the loop down.",
        list(cpus)
    )
}

pub(super) fn interrupts(cpus: &[u32], topology: &Topology) -> String {
    let nics = topology.devices.iter().filter(|it| it.kind == DeviceKind::Nic);
    let nics: Vec<&str> = nics.map(|nic| nic.name.as_str()).collect();
    format!(
        "Interrupts of {} belong on processors {}, so that no loop is interrupted.",
        nics.join(", "),
        list(cpus)
    )
}

pub(super) fn quota(quota: f64, whole: usize) -> String {
    format!(
        "A control group grants {quota} processors, so at most {} at once can be kept busy.",
        counted(whole, "core loop")
    )
}

pub(super) fn roles(shards: u32, separate: bool, usable: usize, configured: bool) -> String {
    let because = if configured { ", as set by ring.shards" } else { "" };
    let shards_text = counted(shards as usize, "shard");
    if separate {
        format!("Ordering has a core loop of its own beside {shards_text}{because}.")
    } else if shards == 1 {
        let because = if configured {
            because.to_owned()
        } else {
            format!(": with {}, a write should not wait for a second", counted(usable, "core"))
        };
        format!("Ordering and the one shard share a core loop{because}.")
    } else {
        format!(
            "Ordering shares the core loop of the first of {shards_text}{because}: {} would be too \
             few for one more.",
            counted(usable, "core")
        )
    }
}

pub(super) fn pinning(
    pinned: bool,
    topology: &Topology,
    options: &PlacementOptions,
    loops: usize,
    cores: usize,
) -> String {
    if pinned {
        return "Every core loop is pinned to a physical core of its own.".to_owned();
    }
    let because = if options.unpinned {
        "ring.pin=never".to_owned()
    } else if options.profile_unpinned {
        "the profile has loops.pin = false".to_owned()
    } else if topology.quota_cpus.is_some() {
        "the quota means that the processors are shared".to_owned()
    } else if cores <= CORES_FUSED {
        format!("{} must serve the background and the kernel too", counted(cores, "core"))
    } else {
        format!(
            "{} on {} leave no core to the background",
            counted(loops, "core loop"),
            counted(cores, "core")
        )
    };
    format!("No core loop is pinned: {because}.")
}

pub(super) fn spinning(pinned: bool, options: &PlacementOptions) -> String {
    match (pinned, options.spin_us) {
        (true, Some(0)) => "No core loop spins, as set by ring.spinUs.".to_owned(),
        (true, Some(spin_us)) => {
            format!("A core loop spins for {spin_us} us before it sleeps, as set by ring.spinUs.")
        }
        (true, None) => match options.spin_us() {
            0 => "No core loop spins, as the profile has it.".to_owned(),
            spin_us => format!("A core loop spins for {spin_us} us before it sleeps."),
        },
        (false, Some(spin_us)) if spin_us > 0 => {
            "No core loop spins, in spite of ring.spinUs: none has a core to itself.".to_owned()
        }
        (false, _) => "No core loop spins: none has a core to itself.".to_owned(),
    }
}

pub(super) fn background(cpus: &[u32], pinned: bool) -> String {
    let beside = if pinned { "" } else { ", beside the core loops" };
    format!("The background executor and the admin thread use processors {}{beside}.", list(cpus))
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Processor numbers with ranges joined: `0-3,8`.
pub(crate) fn list(cpus: &[u32]) -> String {
    let mut cpus = cpus.to_vec();
    cpus.sort_unstable();
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for cpu in cpus {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => runs.push((cpu, cpu)),
        }
    }
    let text: Vec<String> = runs
        .iter()
        .map(
            |&(first, last)| {
                if first == last { first.to_string() } else { format!("{first}-{last}") }
            },
        )
        .collect();
    text.join(",")
}
