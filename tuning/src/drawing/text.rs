//! The machine as a table: a line for the cores of each L3 cache.

use super::{Use, groups, uses};
use crate::placement::{Placement, list};
use crate::topology::{Device, DeviceKind, Topology};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const HEADS: [&str; 7] =
    ["package", "node", "L3", "ordering", "shards", "interrupts and background", "idle"];

/// Which processors are for what, then the devices, then why.
pub fn text(topology: &Topology, placement: &Placement) -> String {
    let uses = uses(topology, placement);
    let lines = groups(topology).into_iter().map(|((package, node, l3), cores)| {
        let cpus = cores.iter().flat_map(|core| core.cpus.iter().copied());
        let of: BTreeMap<u32, Use> = cpus.map(|cpu| (cpu, uses[&cpu])).collect();
        let listed = |is: fn(&Use) -> bool| {
            let cpus: Vec<u32> = of.iter().filter(|(_, it)| is(it)).map(|(cpu, _)| *cpu).collect();
            if cpus.is_empty() { "-".to_owned() } else { list(&cpus) }
        };
        [
            package.to_string(),
            node.to_string(),
            l3.to_string(),
            listed(|it| matches!(it, Use::Ordering { .. } | Use::Shared)),
            listed(|it| matches!(it, Use::Shard(_) | Use::Shared)),
            listed(|it| matches!(it, Use::Interrupts | Use::Background | Use::Shared)),
            listed(|it| matches!(it, Use::Idle)),
        ]
    });
    let mut rows = vec![HEADS.map(str::to_owned)];
    rows.extend(lines);
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADS.len()).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    if !topology.devices.is_empty() {
        out.push('\n');
    }
    for device in &topology.devices {
        // A string takes every byte.
        let _ = writeln!(out, "{}", line(device));
    }
    out.push('\n');
    for reason in placement.warning.iter().chain(&placement.reasons) {
        let _ = writeln!(out, "{reason}");
    }
    out
}

/// A device in a line.
fn line(device: &Device) -> String {
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let kind = if device.kind == DeviceKind::Disk { "disk" } else { "network interface" };
    let place = device.pci.as_ref().map(|pci| format!(" at {pci}")).unwrap_or_default();
    let node = match device.numa_node {
        Some(node) => format!("memory node {node}"),
        None => "equally near to all".to_owned(),
    };
    let mut parts = vec![format!("{kind} {}{place}", device.name), node];
    if device.queues > 0 {
        parts.push(format!("{} queue{}", device.queues, plural(device.queues as usize)));
    }
    if !device.interrupts.is_empty() {
        let taken = device.interrupts.iter().flat_map(|it| it.cpus.iter().copied());
        let taken: Vec<u32> = taken.collect::<BTreeSet<_>>().into_iter().collect();
        let count = device.interrupts.len();
        let on = list(&taken);
        parts.push(format!("{count} interrupt{} on processors {on}", plural(count)));
    }
    parts.join(", ")
}
