//! Faults drawn from a seed while a snapshot is written, kept and read: the directory yields the
//! old tree or the new one, or an error that names the damaged file and offset. Never another tree.
//!
//! `RINGKEEPER_FAULT_SEEDS` says how many seeds, `RINGKEEPER_FAULT_FIRST` the first.

use super::*;
use disk::simulated::{Faults, Seed};

fn seeds() -> impl Iterator<Item = u64> {
    let number = |name, default| {
        let text = std::env::var(name).ok();
        text.map_or(default, |text| text.parse().expect("a whole number"))
    };
    let first: u64 = number("RINGKEEPER_FAULT_FIRST", 1);
    first..first + number("RINGKEEPER_FAULT_SEEDS", 60)
}

fn drawn_faults(chance: &mut Seed, seed: u64) -> Faults {
    let one_in = 4 + chance.below(30) as u32;
    match seed % 5 {
        0 => Faults::honest(one_in),
        1 => Faults { misdirect_one_in: one_in, ..Faults::none() },
        2 => Faults { tear_one_in: one_in, ..Faults::none() },
        3 => Faults { lie_one_in: one_in, ..Faults::none() },
        _ => Faults { fail_one_in: one_in, garble_one_in: one_in, ..Faults::none() },
    }
}

/// What a directory yields: one of the trees, or the damage that was found instead.
#[derive(Default)]
struct Trees {
    contents: Option<Contents>,
    image: Image,
}

impl ImageSink for Trees {
    fn begin(&mut self, contents: &Contents) {
        let (head, sessions) = (contents.head, contents.sessions.clone());
        self.image = Image { head, sessions, records: Vec::new() };
        self.contents = Some(contents.clone());
    }

    fn push(&mut self, unit: Unit) -> Result<(), Refused> {
        let contents = self.contents.as_ref().expect("begun");
        self.image.push(contents, &unit);
        Ok(())
    }
}

/// How many of the files read turned out damaged.
fn look(disk: &Simulated, trees: &[&Plain], context: &str) -> usize {
    let mut sink = Trees::default();
    let damaged = match block_on(load_newest(disk, directory(), &mut sink)) {
        Ok(Newest::None) => panic!("{context}: the old one is lost"),
        Ok(Newest::Damaged(damaged)) => {
            sink.contents = None;
            damaged
        }
        Ok(Newest::Loaded(_)) => Vec::new(),
        Ok(Newest::Older { damaged, .. }) => damaged,
        Err(error) => {
            sink.contents = None;
            vec![error]
        }
    };
    if sink.contents.is_some() {
        let is_one = trees.iter().any(|plain| sink.image == Image::of(plain));
        assert!(is_one, "{context}: a tree that never was, {}", sink.image.head.zxid);
    }
    for error in &damaged {
        assert!(error.to_string().contains("/data/ringkeeper-1"), "{context}: {error}");
    }
    damaged.len()
}

#[test]
fn campaign_of_snapshots_on_a_disk_that_fails_or_lies() {
    let old = Plain::sample(50, 50, 5);
    let new = Plain::sample(3000, 300, 9);
    let (base, _) = disk_with(&old);
    let mut damaged = 0;
    for seed in seeds() {
        let mut chance = Seed::new(seed);
        let disk = base.crash(|_| disk::simulated::Fate::Kept);
        let is_honest = seed % 5 == 0;
        disk.set_faults(drawn_faults(&mut chance, seed));
        if chance.one_in(3) {
            disk.lose_power_after(chance.below(20));
        }
        let written = block_on(write_plain(&disk, &new));
        let context = format!("seed {seed}");
        // As it is read now, with the faults of the reads; and after a power loss.
        disk.lose_power_after(u64::MAX);
        look(&disk, &[&old, &new], &context);
        let after = disk.crash_by(&mut chance);
        let found = look(&after, &[&old, &new], &context);
        assert!(!is_honest || found == 0, "{context}: damage by a disk that hides nothing");
        if is_honest && written.is_ok() {
            assert!(block_on(load(&after, new.zxid)).unwrap() == Image::of(&new), "{context}");
        }
        damaged += found;
        // Sectors of the files decay.
        for candidate in block_on(list(&after, directory())).unwrap() {
            let start = chance.below(candidate.bytes);
            for at in start..(start + 1 + chance.below(64)).min(candidate.bytes) {
                after.flip(&candidate.path, at, 1 + chance.below(255) as u8);
            }
        }
        assert!(look(&after, &[&old, &new], &context) > 0, "{context}: decay goes unnoticed");
    }
    assert!(damaged > 0, "the faults have done nothing");
}
