//! The machine with the roles in it, as text and as a picture; the probe's figures as curves.
//!
//! Both show the same: what each processor that this process may use is for.

mod curve;
mod svg;
#[cfg(test)]
mod tests;
mod text;

pub use curve::curve;
pub use svg::svg;
pub use text::text;

use crate::placement::{Placement, Role};
use crate::topology::{Core, Topology};
use std::collections::BTreeMap;

/// What a processor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    /// It hosts ordering, perhaps with the first shard.
    Ordering { with_shard: bool },
    /// It hosts a shard.
    Shard(u32),
    /// It takes interrupts, and what the background does.
    Interrupts,
    /// It does what the background and the kernel do.
    Background,
    /// Nothing should run on it.
    Idle,
    /// Everything runs wherever there is room.
    Shared,
}

/// What each processor is for.
fn uses(topology: &Topology, placement: &Placement) -> BTreeMap<u32, Use> {
    let mut uses = BTreeMap::new();
    let is_pinned = placement.loops[0].cpu.is_some();
    for cpu in topology.cpus() {
        uses.insert(cpu, if is_pinned { Use::Idle } else { Use::Shared });
    }
    if !is_pinned {
        return uses;
    }
    uses.extend(placement.background_cpus.iter().map(|&cpu| (cpu, Use::Background)));
    uses.extend(placement.interrupt_cpus.iter().map(|&cpu| (cpu, Use::Interrupts)));
    for core_loop in &placement.loops {
        let Some(cpu) = core_loop.cpu else { continue };
        let hosted = match core_loop.roles[..] {
            [Role::Ordering, ..] => Use::Ordering { with_shard: core_loop.roles.len() > 1 },
            [Role::Shard(number), ..] => Use::Shard(number),
            [] => Use::Idle,
        };
        uses.insert(cpu, hosted);
    }
    uses
}

/// The cores that share an L3 cache, by package, memory node and cache.
fn groups(topology: &Topology) -> BTreeMap<(u32, u32, u32), Vec<&Core>> {
    let mut groups: BTreeMap<_, Vec<&Core>> = BTreeMap::new();
    for core in &topology.cores {
        groups.entry((core.package, core.numa_node, core.l3)).or_default().push(core);
    }
    groups
}
