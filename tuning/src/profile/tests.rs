use super::*;
use crate::probe::{Costs, DiskReport, Point, Sustained, Verdict};
use crate::topology::{Kernel, Topology};
use disk::probe::{DeviceCache, DirectIo, Probe};
use std::fs;
use std::path::Path;

#[test]
fn what_is_shipped_can_be_read_and_has_reasons() {
    for (name, text) in SHIPPED {
        let profile = Profile::parse(text, name).unwrap();
        assert_eq!(profile.name, name);
        assert!(profile.about.ends_with('.') && profile.machine.is_none(), "{name}");
        assert!(!profile.decisions.is_empty());
        for (knob, decision) in &profile.decisions {
            assert!(decision.why.ends_with('.'), "{name}: {knob}: {}", decision.why);
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut shipped: Vec<_> = SHIPPED.iter().map(|it| format!("{}.toml", it.0)).collect();
    shipped.sort();
    assert_eq!(files, shipped);
}

#[test]
fn every_class_has_its_profile() {
    use DiskClass as D;
    use MachineClass as M;
    for class in [
        D::NvmeProtected,
        D::NvmePlain,
        D::SataSsd,
        D::NetworkBlock,
        D::VirtioVm,
        D::Rotating,
        D::RamDisk,
    ] {
        assert!(shipped(class.name()).word(Knob::LogDurability).is_some(), "{class:?}");
    }
    for class in [M::SmallVm, M::OneSocket, M::TwoSocket, M::Arm] {
        assert!(shipped(class.name()).number(Knob::LoopSpinUs).is_some(), "{class:?}");
    }
}

#[test]
fn the_table_has_every_knob_once() {
    for (at, (knob, section, name, ..)) in KNOBS.iter().enumerate() {
        assert_eq!(*knob as usize, at);
        assert_eq!(knob.place(), (*section, *name));
    }
}

fn full() -> Profile {
    let mut profile = Profile::new("full", "With \"everything\", \\ and\nlines.");
    profile.machine = Some(Machine {
        processor: "AMD EPYC 7543".to_owned(),
        processors: 64,
        disk: "PM9A3 (nvme0n1)".to_owned(),
        file_system: "xfs".to_owned(),
    });
    for (knob, _, _, kind, _) in KNOBS {
        let value = match kind {
            Kind::Number(from, _) | Kind::Power(from, _) => Value::Number(from),
            Kind::Word(words) => Value::Word(words[0]),
            Kind::Flag => Value::Flag(true),
        };
        let measured = (value == Value::Flag(true)).then(|| "42 \u{b5}s".to_owned());
        profile.decide(knob, value, "So that.".to_owned(), measured);
    }
    profile
}

#[test]
fn what_is_written_is_read_as_it_was() {
    let full = full();
    assert_eq!(Profile::parse(&full.text(), "here").unwrap(), full);
    let none = Profile::new("none", "Nothing.");
    assert_eq!(Profile::parse(&none.text(), "here").unwrap(), none);
}

#[test]
fn the_first_profile_that_decides_counts() {
    let mut own = Profile::new("own", "Mine.");
    own.decide(Knob::LogSlots, Value::Number(7), String::new(), None);
    let both = own.over(shipped("nvme-protected")).over(shipped("small-vm"));
    assert_eq!(both.number(Knob::LogSlots), Some(7));
    assert_eq!(both.decisions[&Knob::LogSlots].by, "own");
    assert_eq!(both.word(Knob::LogDurability), Some("dsync"));
    // Both decide it: that of the disk counts.
    assert_eq!(both.number(Knob::BackgroundSnapshots), Some(300));
    assert_eq!(both.flag(Knob::MemoryHugePages), Some(true));
    assert_eq!(both.number(Knob::RingEntries), None);
}

#[test]
fn mistakes_are_named_with_their_lines() {
    let head = "version = 1\nname = \"x\"\nabout = \"y\"\n";
    for (text, line, parts) in [
        ("", 1, vec!["version = 1 is missing"]),
        ("version = 2\nanything = 3\n", 1, vec!["version 2 is of a later program", "probe"]),
        ("version = 0\n", 1, vec!["there is no version 0"]),
        ("version = 1\nabout = \"y\"\n", 1, vec!["name is missing"]),
        ("version = 1\nname = \"a b\"\n", 2, vec!["letters, digits"]),
        ("version = 1\nname = 3\n", 2, vec!["text in quotes", "integer"]),
        ("version = 1\n\nname\n", 3, vec![]),
        ("version = 1\nname = \"x\"\nslots = 3\n", 3, vec!["there is no slots", "about", "log"]),
        ("[lag.slots]\nvalue = 3\n", 4, vec!["there is no lag", "log, loops"]),
        ("[log.slot]\nvalue = 3\n", 4, vec!["there is no slot", "durability, slots"]),
        ("[log.slots]\nvalu = 3\n", 5, vec!["there is no valu", "value, why, measured"]),
        ("[log.slots]\nwhy = \"z\"\n", 4, vec!["[log.slots] has no value"]),
        ("[log]\nslots = 3\n", 5, vec!["[log.slots] is a table"]),
        ("[log.slots]\nvalue = 9\n", 5, vec!["log.slots is a whole number from 1 to 8"]),
        ("[log.slots]\nvalue = -1\n", 5, vec!["log.slots is a whole number from 1 to 8"]),
        ("[log.slots]\nvalue = 99999999999\n", 5, vec!["a whole number from 1 to 8"]),
        ("[log.slots]\nvalue = \"4\"\n", 5, vec!["a whole number"]),
        ("[log.durability]\nvalue = \"fast\"\n", 5, vec!["one of \"dsync\", \"flush\""]),
        ("[ring.entries]\nvalue = 1000\n", 5, vec!["a power of two"]),
        ("[loops.pin]\nvalue = 1\n", 5, vec!["true or false"]),
        ("[log.slots]\nvalue = 3\n[log.slots]\nvalue = 4\n", 6, vec!["duplicate"]),
        ("[machine]\nprocessor = \"p\"\n", 4, vec!["[machine] has no processors"]),
        ("[machine]\ncpu = \"p\"\n", 5, vec!["there is no cpu"]),
        (
            "[ring.entries]\nvalue = 1024\n[ring.completions]\nvalue = 512\n",
            1,
            vec!["less than ring.entries"],
        ),
    ] {
        let text = if text.starts_with('[') { format!("{head}{text}") } else { text.to_owned() };
        let said = Profile::parse(&text, "my.toml").unwrap_err().to_string();
        let place = format!("the profile my.toml, line {line}: ");
        assert!(said.starts_with(&place), "{text:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{text:?}: no {part:?} in {said}");
        }
    }
    let missing = Profile::read(Path::new("/nonexistent/p.toml")).unwrap_err().to_string();
    assert!(missing.contains("/nonexistent/p.toml cannot be read"), "{missing}");
}

fn disk(name: &str, medium: Medium) -> DiskFacts {
    DiskFacts {
        is_memory: false,
        file_system: "xfs".to_owned(),
        name: Some(name.to_owned()),
        model: None,
        medium,
        is_rotating: false,
        is_write_through: false,
        durable_us: None,
    }
}

#[test]
fn disks_are_told_apart_by_what_they_say_and_how_long_they_take() {
    let nvme = disk("nvme0n1", Medium::Nvme);
    let slow = |us, facts: &DiskFacts| DiskFacts { durable_us: Some(us), ..facts.clone() };
    assert_eq!(slow(20, &nvme).class(), Some(DiskClass::NvmeProtected));
    assert_eq!(slow(900, &nvme).class(), Some(DiskClass::NvmePlain));
    let said = DiskFacts { is_write_through: true, ..slow(900, &nvme) };
    assert_eq!(said.class(), Some(DiskClass::NvmeProtected));
    let sata = disk("sda", Medium::Scsi);
    assert_eq!(slow(500, &sata).class(), Some(DiskClass::SataSsd));
    assert_eq!(slow(8_000, &sata).class(), Some(DiskClass::Rotating));
    assert_eq!(DiskFacts { is_rotating: true, ..sata }.class(), Some(DiskClass::Rotating));
    let virtual_disk = DiskFacts { is_rotating: true, ..disk("vda", Medium::Virtual) };
    assert_eq!(slow(300, &virtual_disk).class(), Some(DiskClass::VirtioVm));
    assert_eq!(slow(9_000, &virtual_disk).class(), Some(DiskClass::Rotating));
    assert_eq!(disk("rbd0", Medium::Network).class(), Some(DiskClass::NetworkBlock));
    assert_eq!(DiskFacts { is_memory: true, ..nvme }.class(), Some(DiskClass::RamDisk));
    assert_eq!(disk("x", Medium::Other).class(), None);
}

/// What the kernel shows of a disk, as a folder.
fn shown(tree: &Path, name: &str, place: &str, model: &str) {
    let folder = tree.join("devices").join(place).join(name);
    fs::create_dir_all(folder.join("device")).unwrap();
    fs::create_dir_all(folder.join("queue")).unwrap();
    fs::write(folder.join("device/model"), format!("{model}\n")).unwrap();
    fs::write(folder.join("queue/rotational"), "0\n").unwrap();
    let links = tree.join("block");
    fs::create_dir_all(&links).unwrap();
    std::os::unix::fs::symlink(&folder, links.join(name)).unwrap();
    let numbers = tree.join("dev/block");
    fs::create_dir_all(&numbers).unwrap();
    let own = std::os::unix::fs::MetadataExt::dev(&fs::metadata(tree).unwrap());
    let (major, minor) = (nix::sys::stat::major(own), nix::sys::stat::minor(own));
    std::os::unix::fs::symlink(&folder, numbers.join(format!("{major}:{minor}"))).unwrap();
}

#[test]
fn a_disk_is_recognised_by_what_the_kernel_shows() {
    for (name, place, model, file_system, medium) in [
        ("nvme0n1", "pci0000:00/nvme/nvme0", "Samsung PM9A3", "xfs", Medium::Nvme),
        ("nvme1n1", "pci0000:00/nvme/nvme1", "Amazon Elastic Block Store", "xfs", Medium::Network),
        ("vda", "pci0000:00/virtio1/block", "", "ext4", Medium::Virtual),
        ("sda", "pci0000:00/virtio2/host0/block", "QEMU HARDDISK", "ext4", Medium::Virtual),
        ("sdb", "pci0000:00/ata1/host0/block", "INTEL SSDSC2", "ext4", Medium::Scsi),
        ("sdc", "platform/host9/session1/block", "LUN", "ext4", Medium::Network),
        ("sdd", "pci0000:00/ata1/host0/block", "INTEL SSDSC2", "nfs", Medium::Network),
        ("pmem0", "ndbus0/region0/block", "", "ext4", Medium::Other),
    ] {
        let tree = std::env::temp_dir().join(format!("ringkeeper-class-{}", std::process::id()));
        let _ = fs::remove_dir_all(&tree);
        fs::create_dir_all(&tree).unwrap();
        shown(&tree, name, place, model);
        let kernel = Kernel { sys: tree.clone(), proc: tree.clone() };
        let said = Probe {
            file_system: file_system.to_owned(),
            is_memory: false,
            is_overlay: false,
            direct_io: DirectIo::Works,
            cache: Some(DeviceCache { is_volatile: true, has_fua: false }),
            flush_time: None,
            free_bytes: 1 << 40,
        };
        let facts = DiskFacts::of(&kernel, &tree, &said, None);
        assert_eq!(facts.medium, medium, "{name}");
        assert_eq!((facts.name.as_deref(), facts.is_write_through), (Some(name), false));
        fs::remove_dir_all(&tree).unwrap();
    }
}

#[test]
fn machines_are_told_apart_by_their_cores() {
    let of = |topology: &Topology| MachineClass::of(topology, "x86_64");
    assert_eq!(of(&Topology::uniform(1, 2, 1)), MachineClass::SmallVm);
    assert_eq!(of(&Topology::uniform(1, 64, 2)), MachineClass::OneSocket);
    assert_eq!(of(&Topology::uniform(2, 32, 2)), MachineClass::TwoSocket);
    let large = Topology::uniform(1, 80, 1);
    assert_eq!(MachineClass::of(&large, "aarch64"), MachineClass::Arm);
    let share = Topology { quota_cpus: Some(3.0), ..large };
    assert_eq!(of(&share), MachineClass::SmallVm);
}

fn point(durability: &'static str, kib: usize, slots: usize, p50_us: u64) -> Point {
    let per_second = slots as f64 * 1e6 / p50_us as f64;
    Point {
        durability,
        bytes: kib << 10,
        slots,
        count: 1_000,
        p50_us,
        p90_us: p50_us,
        p99_us: p50_us,
        max_us: p50_us,
        per_second,
        rounds: vec![per_second; 3],
        spread: 0.0,
    }
}

#[test]
fn what_was_measured_decides() {
    let mut points = vec![point("flush", 4, 1, 200), point("flush", 16, 1, 210)];
    for (kib, us) in [(4, 50), (16, 55), (64, 90), (256, 250), (1_024, 900)] {
        points.push(point("dsync", kib, 1, us));
        points.push(point("dsync", kib, 4, us + 10));
    }
    let sustained = Sustained { mib_per_second: vec![500.0; 12] };
    let report = DiskReport { file_bytes: 1 << 27, points, polled: None, sustained, reads: None };
    let verdict = Verdict { durability: "dsync", slots: 4, reasons: Vec::new() };
    let costs = Costs { clock_read_ns: 20, system_call_ns: 80, wake_ns: 3_400 };
    let facts = disk("nvme0n1", Medium::Nvme);
    let machine = Machine::of(&Kernel::default(), &Topology::uniform(1, 8, 1), Some(&facts));
    assert_eq!((machine.processors, machine.disk.as_str()), (8, "nvme0n1"));
    let measured = Made { report: &report, verdict: &verdict, costs: &costs, is_pinned: true };
    let profile = made("mine", machine.clone(), measured);
    assert_eq!(profile.word(Knob::LogDurability), Some("dsync"));
    assert_eq!(profile.number(Knob::LogSlots), Some(4));
    assert_eq!(profile.number(Knob::LogBatchKib), Some(256));
    assert_eq!(profile.number(Knob::LoopSpinUs), Some(4));
    let measurement = profile.decisions[&Knob::LogBatchKib].measured.as_deref();
    assert_eq!(
        measurement,
        Some("4 KiB: 50 us, 16 KiB: 55 us, 64 KiB: 90 us, 256 KiB: 250 us, 1024 KiB: 900 us")
    );
    assert_eq!(Profile::parse(&profile.text(), "here").unwrap(), profile);
    let shared = made("mine", machine, Made { is_pinned: false, ..measured });
    assert_eq!(shared.number(Knob::LoopSpinUs), Some(0));
}
