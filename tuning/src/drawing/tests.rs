//! Machines that are not at hand, with the roles in them. Their pictures are in `tuning/machines`,
//! and were looked at; a rule that places something elsewhere changes them. The same of typical
//! disks, in `docs/disks`.

use super::{curve, svg, text};
use crate::placement::{Placement, PlacementOptions, placement};
use crate::probe::typical::TYPICAL;
use crate::topology::{Device, DeviceKind, Source, Topology};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const XEONS: &str = "Package:2 [NUMANode] L3:1 L2:32 Core:1 PU:2(indexes=2*64:1*2)";
const EPYC: &str = "Package:1 [NUMANode] L3:8 L2:8 Core:1 PU:2(indexes=2*64:1*2)";
const SMALL: &str = "Package:1 [NUMANode] L3:1 L2:2 Core:1 PU:1";
const ARM: &str = "Package:1 [NUMANode] L2:80 Core:1 PU:1";

fn machines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("machines")
}

fn synthetic(text: &str, cpus: Option<&[u32]>) -> Topology {
    Topology::described(&Source::Synthetic(text.to_owned()), cpus).unwrap()
}

fn device(kind: DeviceKind, name: &str, node: Option<u32>, near: &[u32]) -> Device {
    Device {
        kind,
        name: name.to_owned(),
        pci: None,
        numa_node: node,
        near_cpus: near.iter().copied().collect(),
        queues: 32,
        interrupts: Vec::new(),
    }
}

/// Two sockets; the log's disk is at the second, the network at the first.
fn xeons(cpus: Option<&[u32]>) -> Topology {
    let mut topology = synthetic(XEONS, cpus);
    let near = |node: u32| -> Vec<u32> {
        let cores = topology.cores.iter().filter(|core| core.numa_node == node);
        cores.flat_map(|core| core.cpus.clone()).collect()
    };
    let disk = device(DeviceKind::Disk, "nvme0n1", Some(1), &near(1));
    let nic = device(DeviceKind::Nic, "eth0", Some(0), &near(0));
    topology.devices = vec![disk, nic];
    topology
}

fn place(topology: &Topology) -> Placement {
    let options =
        PlacementOptions { log_disks: vec!["nvme0n1".to_owned()], ..PlacementOptions::default() };
    placement(topology, &options)
}

/// The placement of a machine, whose text and picture are those that are pinned.
fn pinned(name: &str, topology: &Topology) -> Placement {
    let placed = place(topology);
    for (kind, drawn) in [("txt", text(topology, &placed)), ("svg", svg(topology, &placed))] {
        assert_drawn(&machines().join(format!("{name}.{kind}")), &drawn);
    }
    placed
}

/// What is in a file is what is drawn now.
fn assert_drawn(file: &Path, drawn: &str) {
    if fs::read_to_string(file).unwrap_or_default() != drawn {
        let found = std::env::temp_dir().join(file.file_name().unwrap());
        fs::write(&found, drawn).unwrap();
        panic!("{} is drawn otherwise now: see {}", file.display(), found.display());
    }
}

fn cpus(placed: &Placement) -> Vec<u32> {
    placed.loops.iter().filter_map(|it| it.cpu).collect()
}

#[test]
fn two_sockets_have_ordering_at_the_disk_and_interrupts_at_the_network() {
    let placed = pinned("two-socket-xeon", &xeons(None));
    assert_eq!((placed.loops[0].cpu, placed.memory_node), (Some(32), Some(1)));
    assert_eq!(placed.background_cpus, [0, 1, 2, 3, 64, 65, 66, 67]);
    assert_eq!(placed.interrupt_cpus, placed.background_cpus);
    assert_eq!(placed.shard_count(), 59);
    let near = (32..64).collect::<BTreeSet<u32>>();
    assert!(cpus(&placed)[..32].iter().all(|cpu| near.contains(cpu)), "the nearest come first");
}

#[test]
fn eight_caches_are_filled_one_after_the_other() {
    let placed = pinned("epyc-64", &synthetic(EPYC, None));
    let taken = cpus(&placed);
    assert_eq!((taken.len(), taken[0]), (60, 8), "ordering shares a cache with seven shards");
    assert!(!taken.iter().any(|cpu| *cpu >= 64), "second threads stay idle");
    assert_eq!(placed.background_cpus.len(), 8);
}

#[test]
fn slow_cores_are_left_to_the_background() {
    let source = Source::Xml(machines().join("hybrid-desktop.xml"));
    let topology = Topology::described(&source, None).unwrap();
    let speeds: BTreeSet<u32> = topology.cores.iter().map(|core| core.speed).collect();
    assert_eq!(speeds, [0, 1].into());
    let names: Vec<&str> = topology.devices.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["nvme0n1", "enp5s0"]);
    assert_eq!(topology.devices[0].pci.as_deref(), Some("0000:01:00.0"));
    let placed = pinned("hybrid-desktop", &topology);
    assert_eq!(cpus(&placed), [0, 2, 4, 6, 8, 10, 12, 14]);
    assert_eq!(placed.background_cpus, (16..32).collect::<Vec<u32>>());
    assert_eq!(placed.idle_cpus, [1, 3, 5, 7, 9, 11, 13, 15]);
}

#[test]
fn two_cores_do_everything() {
    let placed = pinned("small-vm", &synthetic(SMALL, None));
    assert_eq!((placed.loops.len(), cpus(&placed)), (1, vec![]));
}

#[test]
fn eighty_equal_cores_leave_five() {
    let placed = pinned("arm-80", &synthetic(ARM, None));
    assert_eq!(placed.loops.len(), 65, "no more shards than are of use");
    assert_eq!(placed.background_cpus.len(), 15);
}

#[test]
fn a_container_has_what_it_was_given() {
    // Two threads of one core at the first socket, and one thread of a core at the second.
    let placed = pinned("container", &xeons(Some(&[5, 69, 38])));
    assert_eq!((placed.loops.len(), cpus(&placed)), (1, vec![]));
    assert_eq!(placed.background_cpus, [5, 38, 69]);
}

#[test]
fn every_kind_of_disk_has_its_picture() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/disks");
    for typical in TYPICAL {
        let file = folder.join(format!("{}.svg", typical.class.name()));
        assert_drawn(&file, &curve(&typical.report()));
    }
}

#[test]
fn what_is_no_description_is_refused() {
    for text in ["nonsense", "Package:x", ""] {
        let source = Source::Synthetic(text.to_owned());
        let refused = Topology::described(&source, None).unwrap_err().to_string();
        assert!(refused.contains("lstopo"), "{refused}");
    }
    for file in ["absent.xml", "small-vm.txt"] {
        let source = Source::Xml(machines().join(file));
        assert!(Topology::described(&source, None).is_err(), "{file}");
    }
    let source = Source::Synthetic(SMALL.to_owned());
    let refused = Topology::described(&source, Some(&[7])).unwrap_err();
    assert_eq!(refused.to_string(), "none of the processors [7] is in that description");
}
