use disk::simulated::{Fate, Seed};
use disk::{Cause, Durability, Operation, Simulated, block_on};
use model::zxid::Zxid;

use super::rig::{Rig, Txn, config, directory, next_run, recover_after, run_start};
use crate::segments;
use crate::{FormatVersion, Recovered, SegmentHeader, SegmentNumber, Start};

/// The log after a power loss is a prefix of what was appended, and whole up to `acknowledged`.
fn check_prefix(image: &Simulated, txns: &[Txn], acknowledged: Zxid, context: &str) -> Recovered {
    let (found, recovered) =
        recover_after(image, Zxid::ZERO).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(recovered.len() <= txns.len(), "{context}: more than was appended");
    assert!(recovered == txns[..recovered.len()], "{context}: not a prefix");
    let last = recovered.last().map_or(Zxid::ZERO, |txn| txn.0);
    assert!(found.committed_through <= found.last, "{context}: {found:?}");
    assert!(last >= acknowledged, "{context}: {acknowledged} acknowledged, {last} recovered");
    found
}

/// Every combination of kept and dropped for the pending writes, then some torn ones.
fn images(rig: &Rig, seed: &mut Seed) -> Vec<Simulated> {
    let pending = rig.disk.pending().len();
    let subsets = 1_u32 << pending.min(4);
    let mut images: Vec<_> = (0..subsets)
        .map(|subset| {
            let mut at = 0;
            rig.disk.crash(|_| {
                at += 1;
                if subset >> ((at - 1) % 4) & 1 == 1 { Fate::Kept } else { Fate::Dropped }
            })
        })
        .collect();
    if pending > 0 {
        images.extend((0..3).map(|_| rig.disk.crash_by(seed)));
    }
    images
}

fn crash_everywhere(seed: u64, durability: Durability, slot_count: usize) {
    let mut rig = Rig::new(seed, config(durability, slot_count));
    let mut chance = Seed::new(!seed);
    let mut committed = Zxid::ZERO;
    for generation in 0..3 {
        for step in 0..80 {
            rig.step();
            let acknowledged = rig.appender.durable_through();
            for image in images(&rig, &mut chance) {
                let context = format!("seed {seed}, generation {generation}, step {step}");
                let found = check_prefix(&image, &rig.txns, acknowledged, &context);
                // What was known to be committed stays known, and nothing else is taken for it.
                let known = committed..=rig.committed;
                assert!(known.contains(&found.committed_through), "{context}: {found:?}");
            }
        }
        // The server restarts on one of the images, and loses power again.
        let image = rig.disk.crash_by(&mut chance);
        let acknowledged = rig.appender.durable_through();
        let found = check_prefix(&image, &rig.txns, acknowledged, "restart");
        committed = found.committed_through;
        let kept = rig.txns.iter().filter(|txn| txn.0 <= found.last).cloned().collect();
        let run = next_run(&found);
        let next = Seed::new(chance.next());
        rig = Rig::open(image, next, config(durability, slot_count), run, kept);
    }
}

#[test]
fn a_crash_at_any_point_leaves_what_was_acknowledged_write_through() {
    for seed in 0..4 {
        crash_everywhere(seed, Durability::Dsync, 1 + seed as usize % 4);
    }
}

#[test]
fn a_crash_at_any_point_leaves_what_was_acknowledged_flush_after() {
    for seed in 100..104 {
        crash_everywhere(seed, Durability::FlushAfter, 1 + seed as usize % 4);
    }
}

#[test]
fn a_crash_while_a_run_is_opened_loses_nothing_and_brings_nothing_back() {
    let mut rig = Rig::new(3, config(Durability::Dsync, 2));
    (0..200).for_each(|_| rig.step());
    rig.settle(true);
    let whole = rig.disk.crash(|_| Fate::Kept);
    let middle = rig.txns[rig.txns.len() / 2].0;
    let used_last = rig.appender.segment_used_last();
    // A truncation to the middle, interrupted after every operation.
    let run = run_start(used_last, middle);
    let bytes = config(Durability::Dsync, 2).segment_bytes;
    let mut was_cut = false;
    for operation_count in 0.. {
        let disk = whole.crash(|_| Fate::Kept);
        disk.lose_power_after(operation_count);
        let opened = block_on(segments::open_run(&disk, directory(), run, bytes, 77));
        let image = disk.crash(|_| Fate::Dropped);
        let (found, txns) = recover_after(&image, Zxid::ZERO).unwrap();
        let is_cut = found.last == middle;
        assert!(is_cut || found.last == rig.txns.last().unwrap().0);
        assert!(txns == rig.txns[..txns.len()]);
        assert!(is_cut || !was_cut, "what was cut came back");
        was_cut = is_cut;
        if opened.is_ok() {
            assert!(is_cut);
            break;
        }
        assert_eq!(opened.unwrap_err().cause, Cause::PowerLost);
    }
    // Opened repeatedly without a txn: the cut holds at every point, and the log stays small.
    let disk = whole.crash(|_| Fate::Kept);
    block_on(segments::open_run(&disk, directory(), run, bytes, 78)).unwrap();
    for operation_count in 0..40 {
        disk.lose_power_after(u64::MAX);
        let (found, _) = recover_after(&disk, Zxid::ZERO).unwrap();
        assert_eq!(found.last, middle);
        disk.lose_power_after(operation_count);
        let run = next_run(&found);
        let _ = block_on(segments::open_run(&disk, directory(), run, bytes, operation_count));
    }
}

#[test]
fn a_full_disk_is_reported_when_a_segment_is_prepared_and_leaves_nothing() {
    let mut rig = Rig::new(4, config(Durability::Dsync, 2));
    let segment_bytes = config(Durability::Dsync, 2).segment_bytes;
    rig.disk.set_capacity(segment_bytes + 4096);
    let (number, start) = (SegmentNumber(2), Start::Follows);
    let version = FormatVersion::CURRENT;
    let header = SegmentHeader { version, number, segment_bytes, seed: 5, start };
    let error = block_on(segments::prepare(&rig.disk, directory(), header)).unwrap_err();
    assert!(error.is_full(), "{error}");
    // Out of room in the middle, on a file system that does not reserve.
    rig.disk.set_capacity(u64::MAX);
    rig.disk.fail_next(Operation::Write, Cause::Errno(28));
    let error = block_on(segments::prepare(&rig.disk, directory(), header)).unwrap_err();
    assert!(error.is_full(), "{error}");
    let (found, _) = recover_after(&rig.disk, Zxid::ZERO).unwrap();
    assert_eq!(found.used_last, None);
    rig.append();
    rig.settle(true);
    assert_eq!(recover_after(&rig.disk, Zxid::ZERO).unwrap().1, rig.txns);
}
