//! A live log is cut, at any zxid and interrupted anywhere: it is whole or cut, nothing else.

use disk::simulated::{Fate, Faults, Seed};
use disk::{Durability, Simulated, block_on};
use model::zxid::Zxid;

use super::rig::{Rig, Txn, config, directory, recover_after};
use crate::segments::{self, RunStart};
use crate::{AppenderConfig, LogReader};

fn ours(seed: u64) -> AppenderConfig {
    let durability =
        if seed.is_multiple_of(2) { Durability::Dsync } else { Durability::FlushAfter };
    config(durability, 1 + seed as usize % 4)
}

/// Some zxid that is durable, of a record or between two.
fn some_place(rig: &Rig, chance: &mut Seed) -> Zxid {
    Zxid(chance.below(rig.appender.durable_through().0 as u64 + 1) as i64)
}

fn through(txns: &[Txn], at: Zxid) -> &[Txn] {
    &txns[..txns.partition_point(|txn| txn.0 <= at)]
}

/// Whether the log is cut; otherwise it is what it was.
fn is_cut(image: &Simulated, txns: &[Txn], run: RunStart, context: &str) -> bool {
    let recovered = recover_after(image, Zxid::ZERO);
    let (found, read) = recovered.unwrap_or_else(|error| panic!("{context}: {error}"));
    if found.last == run.continues_from && read == through(txns, run.continues_from) {
        assert!(found.committed_through >= run.committed_through, "{context}: {found:?}");
        return true;
    }
    assert!(read == txns, "{context}: neither whole nor cut: {found:?}");
    false
}

#[test]
fn a_power_loss_at_any_step_of_a_cut_leaves_the_log_whole_or_cut() {
    let mut interrupted = [0, 0];
    for seed in 0..24 {
        let mut chance = Seed::new(seed);
        let mut rig = Rig::new(seed, ours(seed));
        // Several runs, cut into each other.
        for life in 0..4 {
            (0..20 + chance.below(60)).for_each(|_| rig.step());
            rig.settle(false);
            let at = some_place(&rig, &mut chance);
            let run = rig.run_behind(at);
            let bytes = ours(seed).segment_bytes;
            let mut was_cut = false;
            for operation_count in 0.. {
                let context = format!("seed {seed}, life {life}, {operation_count} operations");
                let disk = rig.disk.crash(|_| Fate::Kept);
                disk.lose_power_after(operation_count);
                let open = segments::open_run(&disk, directory(), run, bytes, chance.next());
                let opened = block_on(open);
                let image = disk.crash_by(&mut chance);
                let is_cut = is_cut(&image, &rig.txns, run, &context);
                assert!(is_cut || !was_cut, "{context}: what was cut came back");
                // Where nothing lies behind it, both are the same.
                was_cut = is_cut && rig.txns.last().is_some_and(|txn| txn.0 > at);
                interrupted[usize::from(is_cut)] += 1;
                if opened.is_ok() {
                    assert!(is_cut, "{context}");
                    break;
                }
            }
            let open = segments::open_run(&rig.disk, directory(), run, bytes, chance.next());
            let first = block_on(open).unwrap();
            rig.take_over(first, at);
            assert_eq!(rig.appender.durable_through(), at);
        }
        (0..30).for_each(|_| rig.step());
        rig.settle(true);
        assert!(recover_after(&rig.disk, Zxid::ZERO).unwrap().1 == rig.txns, "seed {seed}");
    }
    assert!(interrupted.iter().all(|count| *count > 100), "{interrupted:?}");
}

#[test]
fn a_log_that_was_cut_live_loses_nothing_that_was_acknowledged_since() {
    for seed in 0..24 {
        let mut chance = Seed::new(!seed);
        let mut rig = Rig::new(seed, ours(seed));
        for life in 0..6 {
            for step in 0..30 {
                rig.step();
                let image = rig.disk.crash_by(&mut chance);
                let context = format!("seed {seed}, life {life}, step {step}");
                let recovered = recover_after(&image, Zxid::ZERO);
                let (found, read) = recovered.unwrap_or_else(|error| panic!("{context}: {error}"));
                assert!(read.len() <= rig.txns.len(), "{context}: more than was appended");
                assert!(read == rig.txns[..read.len()], "{context}: not a prefix");
                assert!(found.last >= rig.appender.durable_through(), "{context}: {found:?}");
                assert!(found.committed_through <= rig.committed, "{context}: {found:?}");
            }
            rig.settle(false);
            let at = some_place(&rig, &mut chance);
            let run = rig.run_behind(at);
            // A failing disk: the cut is retried until it succeeds.
            rig.disk.set_faults(Faults { fail_one_in: 8, ..Faults::none() });
            let bytes = ours(seed).segment_bytes;
            let first = loop {
                let open = segments::open_run(&rig.disk, directory(), run, bytes, chance.next());
                if let Ok(first) = block_on(open) {
                    break first;
                }
                rig.disk.set_faults(Faults::none());
                is_cut(&rig.disk, &rig.txns, run, &format!("seed {seed}, life {life}, retried"));
                rig.disk.set_faults(Faults { fail_one_in: 8, ..Faults::none() });
            };
            rig.disk.set_faults(Faults::none());
            rig.take_over(first, at);
            let opened = block_on(LogReader::open(&rig.disk, directory(), Zxid::ZERO, at));
            let piece = block_on(opened.unwrap().unwrap().next(at, usize::MAX)).unwrap();
            let read: Vec<Txn> = piece.records().map(|it| (it.zxid, it.txn.to_vec())).collect();
            assert!(read == rig.txns, "seed {seed}, life {life}: not what is left");
        }
    }
}

#[test]
#[should_panic(expected = "a log is cut when nothing is in flight")]
fn a_log_with_writes_in_flight_is_not_cut() {
    let mut rig = Rig::new(1, ours(0));
    rig.append();
    rig.appender.run_behind(Zxid::ZERO);
}

#[test]
#[should_panic(expected = "is durable")]
fn a_log_is_not_cut_behind_what_is_durable() {
    let rig = Rig::new(1, ours(0));
    rig.appender.run_behind(Zxid(1));
}
