//! A run that begins with a snapshot received from a leader: it counts, and the history before it
//! does not, from the moment on that the current epoch has reached the run's.

use disk::simulated::{Fate, Seed};
use disk::{Durability, Simulated, block_on};
use model::zxid::{Epoch, Epochs, Zxid};

use super::rig::{Rig, Txn, config, directory, next_run, recover_after};
use crate::epochs::{self, COPY_OFFSETS, FILE_NAME};
use crate::segments::{self, Purge, RunStart};
use crate::{
    AppenderConfig, Base, BeginsAfter, EpochsError, LogReader, RecoverError, RecoverFrom, base,
    repair, trim,
};

const EPOCH: Epoch = Epoch(5);

/// The zxid of the snapshot: ahead of the old history.
const AHEAD: Zxid = Zxid(5 << 32);

fn ours(seed: u64) -> AppenderConfig {
    let durability =
        if seed.is_multiple_of(2) { Durability::Dsync } else { Durability::FlushAfter };
    config(durability, 1 + seed as usize % 4)
}

fn stored(current: u32) -> Epochs {
    Epochs::new(EPOCH, Epoch(current)).unwrap()
}

/// A server with a history, part of which is committed, that has promised the epoch.
fn server(seed: u64) -> Rig {
    let mut rig = Rig::new(seed, ours(seed));
    (0..40).for_each(|_| rig.step());
    rig.append();
    rig.settle(true);
    block_on(epochs::create(&rig.disk, directory(), stored(1))).unwrap();
    rig
}

/// The run that follows, and the one with the snapshot at `zxid` in its place.
fn runs_of(rig: &mut Rig, zxid: Zxid) -> (RunStart, RunStart) {
    let old = rig.run_behind(rig.appender.durable_through());
    (old, rig.appender.run_received(zxid, EPOCH))
}

fn open(disk: &Simulated, run: RunStart, seed: u64) -> Option<crate::SegmentHeader> {
    let bytes = ours(0).segment_bytes;
    block_on(segments::open_run(disk, directory(), run, bytes, seed)).ok()
}

fn assert_old(image: &Simulated, old: &[Txn], context: &str) {
    let recovered = recover_after(image, Zxid::ZERO);
    let (found, read) = recovered.unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(read == old, "{context}: not the old history: {found:?}");
    assert_eq!(block_on(base(image, directory())), Ok(None), "{context}");
    let last = old.last().unwrap().0;
    let opened = block_on(LogReader::open(image, directory(), Zxid::ZERO, last));
    let piece = block_on(opened.unwrap().unwrap().next(last, usize::MAX)).unwrap();
    assert_eq!(piece.records().count(), old.len(), "{context}");
}

/// The log is behind the snapshot, and holds a prefix of `txns` with what was acknowledged.
fn assert_new(image: &Simulated, zxid: Zxid, txns: &[Txn], acknowledged: Zxid, context: &str) {
    let recovered = recover_after(image, zxid);
    let (found, read) = recovered.unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(read == txns[..read.len()], "{context}: not a prefix");
    assert!(found.last >= acknowledged, "{context}: {acknowledged}, {found:?}");
    assert_eq!(block_on(base(image, directory())), Ok(Some(Base { zxid, epoch: EPOCH })));
    // Nothing leads there from the old history.
    let error = recover_after(image, Zxid::ZERO).unwrap_err();
    assert!(matches!(error, RecoverError::Hole { next, .. } if next == zxid), "{context}: {error}");
    let before = Zxid(zxid.0 - 1);
    let opened = block_on(LogReader::open(image, directory(), before, found.last));
    assert_eq!(opened.unwrap().err(), Some(BeginsAfter(zxid)), "{context}");
}

fn current(disk: &Simulated) -> Epoch {
    block_on(epochs::current(disk, directory())).unwrap()
}

#[test]
fn a_power_loss_at_any_step_leaves_one_history_or_the_other() {
    let mut seen = [0, 0];
    for seed in 0..16 {
        let mut chance = Seed::new(seed);
        let mut rig = server(seed);
        let old = rig.txns.clone();
        // Also a snapshot that is behind the old history: nothing of that may remain.
        let zxid = if seed % 3 == 0 { old[old.len() / 2].0 } else { AHEAD };
        let (_, run) = runs_of(&mut rig, zxid);
        for operation_count in 0.. {
            let disk = rig.disk.crash(|_| Fate::Kept);
            disk.lose_power_after(operation_count);
            let is_open = open(&disk, run, chance.next()).is_some();
            let context = format!("seed {seed}, {operation_count} operations");
            assert_old(&disk.crash_by(&mut chance), &old, &context);
            if is_open {
                break;
            }
        }
        rig.receive(open(&rig.disk, run, chance.next()).unwrap());
        for step in 0..40 {
            rig.step();
            let context = format!("seed {seed}, step {step}");
            assert_old(&rig.disk.crash_by(&mut chance), &old, &context);
        }
        for operation_count in 0.. {
            let disk = rig.disk.crash_by(&mut chance);
            disk.lose_power_after(operation_count);
            let done = block_on(epochs::store(&disk, directory(), stored(EPOCH.0)));
            let image = disk.crash_by(&mut chance);
            let context = format!("seed {seed}, {operation_count} operations of the epochs");
            let counts = current(&image) == EPOCH;
            for _ in 0..2 {
                if counts {
                    let acknowledged = rig.appender.durable_through();
                    assert_new(&image, zxid, &rig.txns, acknowledged, &context);
                } else {
                    assert_old(&image, &old, &context);
                }
                // What a start does first decides nothing else.
                block_on(epochs::read(&image, directory())).unwrap().unwrap();
            }
            seen[usize::from(counts)] += 1;
            if done.is_ok() {
                assert!(counts, "{context}");
                break;
            }
        }
        block_on(epochs::store(&rig.disk, directory(), stored(EPOCH.0))).unwrap();
        for step in 0..40 {
            rig.step();
            let (image, context) = (rig.disk.crash_by(&mut chance), format!("{seed}, {step}"));
            assert_new(&image, zxid, &rig.txns, rig.appender.durable_through(), &context);
        }
    }
    assert!(seen.iter().all(|count| *count > 15), "{seen:?}");
}

#[test]
fn one_that_is_forgotten_never_comes_back() {
    for seed in 0..12 {
        let mut chance = Seed::new(seed);
        let mut rig = server(seed);
        let old = rig.txns.clone();
        let (follows, run) = runs_of(&mut rig, AHEAD);
        rig.receive(open(&rig.disk, run, chance.next()).unwrap());
        (0..60).for_each(|_| rig.step());
        rig.settle(false);
        // By the server itself, or by its next start.
        let disk = if seed % 2 == 0 { rig.disk.clone() } else { rig.disk.crash_by(&mut chance) };
        let follows = if seed % 2 == 0 {
            follows
        } else {
            next_run(&recover_after(&disk, Zxid::ZERO).unwrap().0)
        };
        for operation_count in 0.. {
            let copy = disk.crash(|_| Fate::Kept);
            copy.lose_power_after(operation_count);
            let is_open = open(&copy, follows, chance.next()).is_some();
            let image = copy.crash_by(&mut chance);
            assert_old(&image, &old, &format!("seed {seed}, {operation_count} operations"));
            if is_open {
                block_on(epochs::store(&image, directory(), stored(EPOCH.0))).unwrap();
                assert_old(&image, &old, &format!("seed {seed}, in the epoch"));
                break;
            }
        }
        let mut rig = Rig::open(disk, Seed::new(seed), ours(seed), follows, old);
        block_on(epochs::store(&rig.disk, directory(), stored(EPOCH.0))).unwrap();
        (0..40).for_each(|_| rig.step());
        rig.settle(true);
        assert_old(&rig.disk, &rig.txns, &format!("seed {seed}, continued"));
        let runs = block_on(crate::recover::load_runs(&rig.disk, directory())).unwrap();
        assert!(runs.iter().all(|run| !run.is_received));
    }
}

#[test]
fn starts_without_a_record_do_not_bring_the_old_history_back() {
    let mut chance = Seed::new(3);
    let mut rig = server(3);
    let (_, run) = runs_of(&mut rig, AHEAD);
    rig.receive(open(&rig.disk, run, 1).unwrap());
    block_on(epochs::store(&rig.disk, directory(), stored(EPOCH.0))).unwrap();
    // What was known to be committed of the old history is; the snapshot need not be.
    let (found, _) = recover_after(&rig.disk, AHEAD).unwrap();
    assert_eq!(found.last, AHEAD);
    assert_eq!(found.committed_through, run.committed_through);
    assert!(run.committed_through > Zxid::ZERO);
    for life in 0..6 {
        let image = rig.disk.crash_by(&mut chance);
        let (found, txns) = recover_after(&image, AHEAD).unwrap();
        rig = Rig::open(image, Seed::new(life), ours(3), next_run(&found), txns);
        block_on(trim(&rig.disk, directory())).unwrap();
        assert_new(&rig.disk, AHEAD, &[], AHEAD, &format!("life {life}"));
        if life == 3 {
            // A cut there, in the live log.
            let run = rig.run_behind(AHEAD);
            rig.take_over(open(&rig.disk, run, 9).unwrap(), AHEAD);
        }
    }
    rig.append();
    rig.appender.commit(rig.txns[0].0);
    rig.settle(true);
    let (found, read) = recover_after(&rig.disk, AHEAD).unwrap();
    assert!(read == rig.txns && found.committed_through == rig.txns[0].0);
}

#[test]
fn what_the_old_history_had_cut_does_not_come_back() {
    let mut rig = server(4);
    let at = rig.txns[rig.txns.len() / 2].0;
    let run = rig.run_behind(at);
    rig.take_over(open(&rig.disk, run, 1).unwrap(), at);
    let old = rig.txns.clone();
    // The run that cut it holds nothing.
    let (follows, run) = runs_of(&mut rig, AHEAD);
    let first = open(&rig.disk, run, 2).unwrap();
    assert_old(&rig.disk, &old, "beside");
    rig.receive(first);
    rig.append();
    rig.settle(true);
    assert_old(&rig.disk, &old, "beside it with a record");
    open(&rig.disk, follows, 3).unwrap();
    assert_old(&rig.disk, &old, "forgotten");
}

#[test]
fn a_purge_keeps_what_may_count() {
    let mut rig = server(6);
    let old = rig.txns.clone();
    let (_, run) = runs_of(&mut rig, AHEAD);
    rig.receive(open(&rig.disk, run, 1).unwrap());
    (0..60).for_each(|_| rig.step());
    rig.settle(true);
    let purge = |keep_after| {
        let (before, segment_bytes) = (rig.appender.segment_durable(), ours(6).segment_bytes);
        let purge = Purge { keep_after, before, segment_bytes, spares_max: 0 };
        block_on(segments::purge(&rig.disk, directory(), purge)).unwrap().removed_count
    };
    assert_eq!(purge(Zxid::ZERO), 0);
    assert_old(&rig.disk, &old, "before the epoch");
    // One that would take all but the newest segment, if the new run counted.
    let image = rig.disk.crash(|_| Fate::Kept);
    assert!(purge(Zxid(i64::MAX)) > 0);
    let last = old.last().unwrap().0;
    assert_eq!(recover_after(&rig.disk, last).unwrap().0.last, last);
    block_on(epochs::store(&image, directory(), stored(EPOCH.0))).unwrap();
    let (before, segment_bytes) = (rig.appender.segment_durable(), ours(6).segment_bytes);
    let purge = Purge { keep_after: Zxid::ZERO, before, segment_bytes, spares_max: 0 };
    assert!(block_on(segments::purge(&image, directory(), purge)).unwrap().removed_count > 0);
    assert_new(&image, AHEAD, &rig.txns, rig.appender.durable_through(), "in the epoch");
}

#[test]
fn without_its_epochs_a_log_with_two_histories_is_refused() {
    let mut rig = server(7);
    let lose = |disk: &Simulated| {
        for offset in COPY_OFFSETS {
            disk.flip(&directory().join(FILE_NAME), offset + 30, 1);
        }
    };
    let image = rig.disk.crash(|_| Fate::Kept);
    lose(&image);
    assert!(recover_after(&image, Zxid::ZERO).unwrap().1 == rig.txns, "nothing depends on them");
    let (_, run) = runs_of(&mut rig, AHEAD);
    open(&rig.disk, run, 1).unwrap();
    lose(&rig.disk);
    let error = recover_after(&rig.disk, Zxid::ZERO).unwrap_err();
    assert!(matches!(error, RecoverError::Epochs(EpochsError::Lost { .. })), "{error}");
    let from = RecoverFrom { after: Zxid::ZERO, durable: Zxid::ZERO, committed: Zxid::ZERO };
    let found = block_on(repair::examine(&rig.disk, directory(), from)).unwrap();
    assert_eq!(found.complaint, Some(error));
}

#[test]
fn a_repair_keeps_the_history_that_counts() {
    for counts in [false, true] {
        let mut rig = server(8);
        let old = rig.txns.clone();
        let (_, run) = runs_of(&mut rig, AHEAD);
        rig.receive(open(&rig.disk, run, 1).unwrap());
        (0..6).for_each(|_| rig.append());
        rig.settle(true);
        let mut after = Zxid::ZERO;
        if counts {
            block_on(epochs::store(&rig.disk, directory(), stored(EPOCH.0))).unwrap();
            after = AHEAD;
        }
        let txns = if counts { &rig.txns } else { &old };
        let from = RecoverFrom { after, durable: after, committed: after };
        let found = block_on(repair::examine(&rig.disk, directory(), from)).unwrap();
        assert_eq!((&found.complaint, found.reached), (&None, txns.last().unwrap().0));
        let at = txns[txns.len() - 2].0;
        block_on(repair::cut(&rig.disk, directory(), &found, at, 9)).unwrap();
        let (found, read) = recover_after(&rig.disk, after).unwrap();
        assert!(found.last == at && read == txns[..txns.len() - 1], "{counts}");
        if !counts {
            block_on(epochs::store(&rig.disk, directory(), stored(EPOCH.0))).unwrap();
            assert_old(&rig.disk, &old[..old.len() - 1], "in the epoch");
        }
    }
}
