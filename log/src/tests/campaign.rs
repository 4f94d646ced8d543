//! Faults drawn from a seed, at every call of the disk and of the log's device.
//!
//! Faults that a disk reports (an error, no room, slowness, a power loss) lose nothing that was
//! acknowledged. Those that it hides (a lie, a misdirected or torn write, decay) are found, with
//! file and offset, or have done no harm; the log read is never another than the log written.
//!
//! `RINGKEEPER_FAULT_SEEDS` says how many seeds, `RINGKEEPER_FAULT_FIRST` the first.

use std::env;

use disk::simulated::{Fate, Faults, Seed};
use disk::{BLOCK_BYTES, Disk, Durability, Simulated, block_on};
use model::zxid::Zxid;

use super::rig::{Ills, Rig, Txn, config, directory, next_run, recover_after};
use crate::segments::{self, RunStart};
use crate::{AppenderConfig, RecoverError, RecoverFrom, repair, trim};

fn seeds() -> impl Iterator<Item = u64> {
    let number = |name, default| {
        env::var(name).ok().map_or(default, |text| text.parse().expect("a whole number"))
    };
    let first: u64 = number("RINGKEEPER_FAULT_FIRST", 1);
    first..first + number("RINGKEEPER_FAULT_SEEDS", 150)
}

fn drawn_config(chance: &mut Seed) -> AppenderConfig {
    let durabilities = [Durability::Dsync, Durability::FlushAfter, Durability::BufferedFlush];
    config(durabilities[chance.below(3) as usize], 1 + chance.below(4) as usize)
}

/// The log as a restart finds it: a prefix, with everything acknowledged in it.
fn restart(image: &Simulated, txns: &[Txn], acknowledged: Zxid, context: &str) -> RunStart {
    let recovered = recover_after(image, Zxid::ZERO);
    let (found, read) = recovered.unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(read.len() <= txns.len() && read == txns[..read.len()], "{context}: not a prefix");
    assert!(found.last >= acknowledged, "{context}: {acknowledged} is lost: {found:?}");
    next_run(&found)
}

#[test]
fn campaign_of_faults_that_a_disk_reports() {
    for seed in seeds() {
        let mut chance = Seed::new(seed);
        let config = drawn_config(&mut chance);
        let mut rig = Rig::new(chance.next(), config);
        for generation in 0..4 {
            let context = format!("seed {seed}, generation {generation}");
            rig.disk.set_faults(Faults::honest(8 + chance.below(60) as u32));
            rig.ills = Ills { fail_one_in: 20 + chance.below(200) as u32, ..Ills::default() };
            let (mut failed_at, steps) = (None, 20 + chance.below(160));
            for _ in 0..steps {
                rig.step();
                let acknowledged = rig.appender.durable_through();
                if rig.appender.failure().is_some() {
                    let failed_at = *failed_at.get_or_insert(acknowledged);
                    assert_eq!(failed_at, acknowledged, "{context}: acknowledged after an error");
                }
            }
            let acknowledged = rig.appender.durable_through();
            let mut image = rig.disk.crash_by(&mut chance);
            let mut run = restart(&image, &rig.txns, acknowledged, &context);
            // The start runs into failing calls and power losses too, until one succeeds.
            image = loop {
                image.set_faults(Faults::honest(4 + chance.below(20) as u32));
                image.lose_power_after(chance.below(30));
                let opened = segments::open_run(
                    &image,
                    directory(),
                    run,
                    config.segment_bytes,
                    chance.next(),
                );
                let opened = block_on(opened);
                if opened.is_ok() {
                    let _ = block_on(trim(&image, directory()));
                }
                let next = image.crash_by(&mut chance);
                run = restart(&next, &rig.txns, acknowledged, &context);
                if opened.is_ok() {
                    break next;
                }
            };
            let kept = rig.txns.iter().filter(|txn| txn.0 <= run.continues_from).cloned().collect();
            rig = Rig::open(image, Seed::new(chance.next()), config, run, kept);
        }
    }
}

/// Work on a device that lies, then on an honest one, and an end that states what is durable.
fn lied_to(seed: u64, chance: &mut Seed) -> Rig {
    let mut rig = Rig::new(chance.next(), drawn_config(chance));
    let one_in = 10 + chance.below(80) as u32;
    let mut ills = Ills::default();
    match seed % 3 {
        0 => ills.misdirect_one_in = one_in,
        1 => ills.tear_one_in = one_in,
        _ => ills.lie_one_in = one_in,
    }
    rig.ills = ills;
    (0..150).for_each(|_| rig.step());
    rig.ills = Ills::default();
    (0..20).for_each(|_| rig.step());
    rig.append();
    rig.settle(true);
    rig
}

#[test]
fn campaign_of_faults_that_a_disk_hides() {
    let (mut whole, mut refused) = (0, 0);
    for seed in seeds() {
        let mut chance = Seed::new(seed);
        let rig = lied_to(seed, &mut chance);
        let image = rig.disk.crash(|_| Fate::Dropped);
        match recover_after(&image, Zxid::ZERO) {
            Ok((_, read)) => {
                assert!(read == rig.txns, "seed {seed}: not what was written");
                whole += 1;
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("/data/ringkeeper-1/"), "seed {seed}: {error}");
                assert_repairable(&image, &rig.txns, &error, seed);
            }
        }
    }
    assert!(whole > 0 && refused > 0, "{whole} {refused}");
}

/// What can be read of a damaged log is kept by a cut, and the log is usable then.
fn assert_repairable(image: &Simulated, txns: &[Txn], error: &RecoverError, seed: u64) {
    let from = RecoverFrom { after: Zxid::ZERO, durable: Zxid::ZERO, committed: Zxid::ZERO };
    let found = block_on(repair::examine(image, directory(), from)).unwrap();
    assert_eq!(found.complaint.as_ref(), Some(error), "seed {seed}");
    block_on(repair::cut(image, directory(), &found, found.reached, seed)).unwrap();
    match recover_after(image, Zxid::ZERO) {
        Ok((recovered, read)) => {
            assert_eq!(recovered.last, found.reached, "seed {seed}");
            assert!(read == txns[..read.len()], "seed {seed}: not a prefix");
        }
        Err(again) => panic!("seed {seed}: still refused after the cut: {again}"),
    }
}

#[test]
fn campaign_of_decay_and_of_reads_that_fail() {
    let (mut whole, mut refused) = (0, 0);
    for seed in seeds() {
        let mut chance = Seed::new(seed);
        let config = drawn_config(&mut chance);
        let mut rig = Rig::new(chance.next(), config);
        (0..120).for_each(|_| rig.step());
        rig.append();
        rig.settle(true);
        let names = block_on(rig.disk.list(directory())).unwrap();
        for _ in 0..20 {
            let image = rig.disk.crash(|_| Fate::Kept);
            let is_failing = chance.one_in(2);
            if is_failing {
                let faults = Faults { fail_one_in: 12, garble_one_in: 40, ..Faults::none() };
                image.set_faults(faults);
            } else {
                // A sector or so decays.
                let path = directory().join(&names[chance.below(names.len() as u64) as usize].name);
                let block = chance.below(config.segment_bytes / BLOCK_BYTES as u64);
                let start = block * BLOCK_BYTES as u64 + chance.below(BLOCK_BYTES as u64 - 64);
                for at in start..=start + chance.below(64) {
                    image.flip(&path, at, 1 + chance.below(255) as u8);
                }
            }
            match recover_after(&image, Zxid::ZERO) {
                Ok((_, read)) => {
                    assert!(read == rig.txns, "seed {seed}: not what was written");
                    whole += 1;
                }
                Err(error) => {
                    let said = error.to_string();
                    assert!(said.contains("/data/ringkeeper-1"), "seed {seed}: {said}");
                    refused += 1;
                    if !is_failing {
                        assert_repairable(&image, &rig.txns, &error, seed);
                    }
                }
            }
        }
    }
    assert!(whole > 0 && refused > 0, "{whole} {refused}");
}
