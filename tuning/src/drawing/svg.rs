//! The machine as a picture: no script, no network.

use super::{Use, groups, uses};
use crate::placement::Placement;
use crate::topology::{Core, Device, DeviceKind, Topology};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const CELL_WIDTH: u32 = 88;
const THREAD_HEIGHT: u32 = 20;
const GAP: u32 = 6;
const TITLE: u32 = 18;
/// Cores of one cache beside each other.
const COLUMNS_MAX: usize = 8;
/// A row of caches is no wider.
const WIDTH_MAX: u32 = 1_560;
const LETTERS_MAX: usize = 130;
const LINE_HEIGHT: u32 = 17;

/// Draws it.
pub fn svg(topology: &Topology, placement: &Placement) -> String {
    let uses = uses(topology, placement);
    let mut packages: BTreeMap<u32, BTreeMap<u32, Vec<Group<'_>>>> = BTreeMap::new();
    for ((package, node, l3), cores) in groups(topology) {
        let nodes = packages.entry(package).or_default();
        nodes.entry(node).or_default().push(Group { l3, cores });
    }
    let (mut body, mut width, mut y) = (String::new(), 0, GAP);
    for (package, nodes) in packages {
        let mut inner = String::new();
        let (mut inner_width, mut inner_y) = (0, y + TITLE);
        for (node, groups) in nodes {
            let at: Vec<&Device> =
                topology.devices.iter().filter(|it| it.numa_node == Some(node)).collect();
            let (text, size) = draw_node(node, &groups, &at, &uses, (2 * GAP, inner_y));
            inner.push_str(&text);
            inner_width = inner_width.max(size.0);
            inner_y += size.1 + GAP;
        }
        let size = (inner_width + 2 * GAP, inner_y - y);
        put_box(&mut body, (GAP, y), size, "package", &format!("package {package}"));
        body.push_str(&inner);
        width = width.max(size.0 + 2 * GAP);
        y += size.1 + GAP;
    }
    let apart: Vec<&Device> = topology.devices.iter().filter(|it| it.numa_node.is_none()).collect();
    if !apart.is_empty() {
        width = width.max(put_devices(&mut body, &apart, (GAP, y)) + GAP);
        y += THREAD_HEIGHT + GAP;
    }
    y += put_legend(&mut body, (GAP, y));
    let lines: Vec<String> = placement.reasons.iter().flat_map(|it| wrapped(it)).collect();
    for line in &lines {
        y += LINE_HEIGHT;
        put_text(&mut body, (GAP, y), "reason", line);
    }
    let width = width.max(LETTERS_MAX as u32 * 7);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\">\n{STYLE}{body}</svg>\n",
        height = y + 2 * GAP
    )
}

const STYLE: &str = "<style>
text { font: 12px system-ui, sans-serif; fill: #1a1a1a; }
.title { font-weight: 600; }
.package { fill: #f4f4f4; stroke: #8c8c8c; }
.node { fill: #ffffff; stroke: #b0b0b0; }
.cache { fill: #fafafa; stroke: #d0d0d0; }
.core { fill: none; stroke: #8c8c8c; }
.ordering { fill: #0067b8; } .ordering-text { fill: #ffffff; font-weight: 600; }
.shard { fill: #bfe3d0; }
.interrupts { fill: #f6c7a0; }
.background { fill: #e2e2e2; }
.idle { fill: #ffffff; } .idle-text { fill: #8c8c8c; }
.shared { fill: #d9d2f0; }
.device { fill: #fff6cc; stroke: #b09a30; }
</style>
";

/// The cores of a cache.
struct Group<'a> {
    l3: u32,
    cores: Vec<&'a Core>,
}

type Place = (u32, u32);

impl Group<'_> {
    fn columns(&self) -> usize {
        self.cores.len().min(COLUMNS_MAX)
    }

    fn size(&self) -> Place {
        let rows = self.cores.len().div_ceil(self.columns());
        let (columns, rows) = (self.columns() as u32, rows as u32);
        (columns * (CELL_WIDTH + GAP) + GAP, TITLE + rows * (self.core_height() + GAP) + GAP / 2)
    }

    fn core_height(&self) -> u32 {
        let threads = self.cores.iter().map(|core| core.cpus.len()).max().unwrap_or(1);
        threads as u32 * THREAD_HEIGHT
    }

    fn draw(&self, out: &mut String, uses: &BTreeMap<u32, Use>, at: Place) {
        put_box(out, at, self.size(), "cache", &format!("L3 {}", self.l3));
        for (index, core) in self.cores.iter().enumerate() {
            let (column, row) = ((index % self.columns()) as u32, (index / self.columns()) as u32);
            let x = at.0 + GAP + column * (CELL_WIDTH + GAP);
            let y = at.1 + TITLE + row * (self.core_height() + GAP);
            for (thread, cpu) in core.cpus.iter().enumerate() {
                put_cpu(out, *cpu, uses[cpu], (x, y + thread as u32 * THREAD_HEIGHT));
            }
            let height = core.cpus.len() as u32 * THREAD_HEIGHT;
            put_rectangle(out, (x, y), (CELL_WIDTH, height), "core");
        }
    }
}

/// A memory node with its caches and devices; also how large it is.
fn draw_node(
    node: u32,
    groups: &[Group<'_>],
    devices: &[&Device],
    uses: &BTreeMap<u32, Use>,
    at: Place,
) -> (String, Place) {
    let mut inner = String::new();
    let (mut x, mut y) = (at.0 + GAP, at.1 + TITLE);
    let (mut width, mut row_height) = (0, 0);
    for group in groups {
        let size = group.size();
        if x > at.0 + GAP && x + size.0 > WIDTH_MAX {
            (x, y, row_height) = (at.0 + GAP, y + row_height + GAP, 0);
        }
        group.draw(&mut inner, uses, (x, y));
        x += size.0 + GAP;
        width = width.max(x - at.0);
        row_height = row_height.max(size.1);
    }
    y += row_height + GAP;
    if !devices.is_empty() {
        width = width.max(put_devices(&mut inner, devices, (at.0 + GAP, y)) - at.0);
        y += THREAD_HEIGHT + GAP;
    }
    let size = (width, y - at.1);
    let mut out = String::new();
    put_box(&mut out, at, size, "node", &format!("memory node {node}"));
    out.push_str(&inner);
    (out, size)
}

/// Devices beside each other; returns where they end.
fn put_devices(out: &mut String, devices: &[&Device], at: Place) -> u32 {
    let mut x = at.0;
    for device in devices {
        let kind = if device.kind == DeviceKind::Disk { "disk" } else { "network" };
        let pci = device.pci.as_deref().unwrap_or_default();
        let label = format!("{kind} {} {pci}", device.name);
        let width = label.len() as u32 * 7 + 2 * GAP;
        put_rectangle(out, (x, at.1), (width, THREAD_HEIGHT), "device");
        put_text(out, (x + GAP, at.1 + 14), "device-text", &label);
        x += width + GAP;
    }
    x
}

fn put_cpu(out: &mut String, cpu: u32, used: Use, at: Place) {
    let (class, what) = match used {
        Use::Ordering { with_shard: false } => ("ordering", "ordering".to_owned()),
        Use::Ordering { with_shard: true } => ("ordering", "all roles".to_owned()),
        Use::Shard(number) => ("shard", format!("shard {number}")),
        Use::Interrupts => ("interrupts", "interrupts".to_owned()),
        Use::Background => ("background", "backgr.".to_owned()),
        Use::Idle => ("idle", "idle".to_owned()),
        Use::Shared => ("shared", "all roles".to_owned()),
    };
    put_rectangle(out, at, (CELL_WIDTH, THREAD_HEIGHT), class);
    let label = format!("{cpu} {what}");
    put_text(out, (at.0 + 4, at.1 + 14), &format!("{class}-text"), &label);
}

fn put_legend(out: &mut String, at: Place) -> u32 {
    let shown = [
        ("ordering", "ordering"),
        ("shard", "a shard"),
        ("interrupts", "interrupts and background"),
        ("background", "background"),
        ("idle", "idle"),
        ("shared", "wherever there is room"),
    ];
    let mut x = at.0;
    for (class, label) in shown {
        put_rectangle(out, (x, at.1), (14, 14), class);
        put_rectangle(out, (x, at.1), (14, 14), "core");
        put_text(out, (x + 20, at.1 + 12), "legend", label);
        x += 36 + label.len() as u32 * 7;
    }
    THREAD_HEIGHT
}

fn put_box(out: &mut String, at: Place, size: Place, class: &str, title: &str) {
    put_rectangle(out, at, size, class);
    put_text(out, (at.0 + GAP, at.1 + 13), "title", title);
}

fn put_rectangle(out: &mut String, (x, y): Place, (width, height): Place, class: &str) {
    // A string takes every byte.
    let _ = writeln!(
        out,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" class=\"{class}\"/>"
    );
}

fn put_text(out: &mut String, (x, y): Place, class: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(out, "<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{text}</text>");
}

/// A sentence in lines that fit.
fn wrapped(sentence: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in sentence.split(' ') {
        let line = lines.last_mut().expect("there is one");
        if !line.is_empty() && line.len() + 1 + word.len() > LETTERS_MAX {
            lines.push(format!("    {word}"));
        } else {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines
}
