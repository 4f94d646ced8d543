//! The pages about kinds of disks (`docs/disks`) agree with the profiles, and with what the probe
//! says of typical figures.

use super::{DiskClass, DiskFacts, Knob, Medium, shipped};
use crate::probe::Verdict;
use crate::probe::typical::{TYPICAL, Typical};
use std::fs;
use std::path::Path;

const CAPTION: &str = "*Typical figures, not a measurement: measure yours.*";

fn docs(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn page(class: DiskClass) -> String {
    docs(&format!("disks/{}.md", class.name()))
}

/// The lines between a line and the next one that is empty.
fn below<'a>(page: &'a str, head: &str) -> Vec<&'a str> {
    let lines = page.lines().skip_while(|line| *line != head).skip(1);
    lines.take_while(|line| !line.is_empty()).collect()
}

#[test]
fn a_page_has_what_its_profile_decides_and_why() {
    for Typical { class, .. } in TYPICAL {
        let rows = shipped(class.name()).decisions.into_iter().map(|(knob, decision)| {
            format!("| `{knob}` | `{}` | {} |", decision.value, decision.why)
        });
        let expected: Vec<_> = ["| --- | --- | --- |".to_owned()].into_iter().chain(rows).collect();
        let page = page(class);
        let found = below(&page, "| knob | value | why |");
        assert!(found == expected, "docs/disks/{}.md:\n{}", class.name(), expected.join("\n"));
    }
}

#[test]
fn a_page_has_the_picture_and_what_the_probe_says_of_it() {
    for typical in TYPICAL {
        let (page, name) = (page(typical.class), typical.class.name());
        assert!(page.contains(&format!("]({name}.svg)\n\n{CAPTION}\n")), "{name}: no picture");
        let Verdict { durability, slots, mut reasons } =
            Verdict::of(&typical.report(), &typical.said());
        reasons.push(format!("Advised: ring.log.durability={durability}, ring.log.slots={slots}"));
        let expected = format!("```text\n{}\n```\n", reasons.join("\n"));
        assert!(page.contains(&expected), "docs/disks/{name}.md:\n{expected}");
    }
}

/// Measured, such disks are used as their profiles use them.
#[test]
fn typical_figures_lead_to_the_profile_of_their_kind() {
    for typical in TYPICAL {
        let (report, name) = (typical.report(), typical.class.name());
        let verdict = Verdict::of(&report, &typical.said());
        let profile = shipped(name);
        assert_eq!(profile.word(Knob::LogDurability), Some(verdict.durability), "{name}");
        // Where it turns the probe needs more: its writes have one length, and more of them fill a
        // turn of the platter, as a longer batch does.
        let slots = if typical.class == DiskClass::Rotating { 2 } else { verdict.slots as u32 };
        assert_eq!(profile.number(Knob::LogSlots), Some(slots), "{name}");
        let facts = DiskFacts {
            is_memory: typical.said().is_memory,
            file_system: typical.file_system.to_owned(),
            name: None,
            model: None,
            medium: match typical.class {
                DiskClass::NvmeProtected | DiskClass::NvmePlain => Medium::Nvme,
                DiskClass::SataSsd | DiskClass::Rotating => Medium::Scsi,
                DiskClass::NetworkBlock => Medium::Network,
                DiskClass::VirtioVm => Medium::Virtual,
                DiskClass::RamDisk => Medium::Other,
            },
            is_rotating: false,
            is_write_through: typical.said().cache.is_some_and(|cache| !cache.is_volatile),
            durable_us: Some(report.points[0].p50_us),
        };
        assert_eq!(facts.class(), Some(typical.class), "{name}");
    }
}

#[test]
fn the_page_of_tuning_leads_to_every_kind_of_disk() {
    let tuning = docs("tuning.md");
    for Typical { class, .. } in TYPICAL {
        let name = class.name();
        assert!(tuning.contains(&format!("| [`{name}`](disks/{name}.md) |")), "{name}");
    }
}
