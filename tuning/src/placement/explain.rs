//! The sentences that go with the decisions.

use crate::topology::{Core, Topology};

use super::{CORES_FUSED, SPIN_US_DEFAULT, Wishes};

pub(super) fn machine(topology: &Topology) -> String {
    format!("The machine, as far as this process may use it: {}", topology.summary())
}

pub(super) fn unusable(missing: &[u32], topology: &Topology) -> String {
    format!(
        "ring.cpus: processors {} do not exist or may not be used by this process, and are passed \
         over; allowed are {}.",
        list(missing),
        list(&topology.cpus())
    )
}

pub(super) fn wished(cores: &[Core]) -> String {
    let cpus: Vec<u32> = cores.iter().flat_map(|core| core.cpus.iter().copied()).collect();
    format!(
        "Core loops use processors {} on {}, as ring.cpus says.",
        list(&cpus),
        counted(cores.len(), "core")
    )
}

pub(super) fn quota(quota: f64, whole: usize) -> String {
    format!(
        "A control group grants {quota} processors, so at most {} at once can be kept busy.",
        counted(whole, "core loop")
    )
}

pub(super) fn roles(shards: u32, separate: bool, usable: usize, wished: bool) -> String {
    let because = if wished { ", as ring.shards says" } else { "" };
    let shards_told = counted(shards as usize, "shard");
    if separate {
        format!("Ordering has a core loop of its own beside {shards_told}{because}.")
    } else if shards == 1 {
        let because = if wished {
            because.to_owned()
        } else {
            format!(": with {}, a write should not wait for a second", counted(usable, "core"))
        };
        format!("Ordering and the one shard share a core loop{because}.")
    } else {
        format!(
            "Ordering shares the core loop of the first of {shards_told}{because}: {} would be too \
             few for one more.",
            counted(usable, "core")
        )
    }
}

pub(super) fn pinning(
    pinned: bool,
    topology: &Topology,
    wishes: &Wishes,
    loops: usize,
    cores: usize,
) -> String {
    if pinned {
        return "Every core loop is pinned to a physical core of its own.".to_owned();
    }
    let because = if wishes.unpinned {
        "ring.pin=never".to_owned()
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

pub(super) fn spinning(pinned: bool, wishes: &Wishes) -> String {
    match (pinned, wishes.spin_us) {
        (true, Some(0)) => "No core loop spins, as ring.spinUs says.".to_owned(),
        (true, Some(spin_us)) => {
            format!("A core loop spins for {spin_us} us before it sleeps, as ring.spinUs says.")
        }
        (true, None) => {
            format!("A core loop spins for {SPIN_US_DEFAULT} us before it sleeps.")
        }
        (false, Some(spin_us)) if spin_us > 0 => {
            "No core loop spins, whatever ring.spinUs says: none has a core to itself.".to_owned()
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

/// Processor numbers with runs drawn together: `0-3,8`.
fn list(cpus: &[u32]) -> String {
    let mut cpus = cpus.to_vec();
    cpus.sort_unstable();
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for cpu in cpus {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => runs.push((cpu, cpu)),
        }
    }
    let told: Vec<String> = runs
        .iter()
        .map(
            |&(first, last)| {
                if first == last { first.to_string() } else { format!("{first}-{last}") }
            },
        )
        .collect();
    told.join(",")
}
