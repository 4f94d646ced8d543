use std::path::PathBuf;

use disk::simulated::Fate;
use disk::{Counting, Disk, Durability, Simulated, block_on};
use model::zxid::Zxid;

use super::rig::{Rig, config, directory, recover_after, run_start};
use crate::format::BATCH_HEADER_BYTES;
use crate::recover::RecoverFrom;
use crate::segments::{self, Purge};
use crate::{
    BatchHeader, RecoverError, SegmentNumber, SegmentOffset, SegmentScan, Witness, recover, repair,
};

/// Where damage to the batch `at` may be reported: where it is, or where the one before it ended if
/// nothing shows that it was in the next segment.
pub(super) fn places(
    all: &[(SegmentOffset, BatchHeader)],
    at: usize,
) -> Vec<(PathBuf, SegmentOffset)> {
    let (offset, batch) = all[at];
    let mut places = vec![(segments::path(directory(), batch.segment), offset)];
    if let Some((before_offset, before)) = at.checked_sub(1).map(|at| all[at]) {
        let end = SegmentOffset(before_offset.0 + before.padded_bytes() as u64);
        places.push((segments::path(directory(), before.segment), end));
    }
    places
}

/// A settled log of several segments that ends with a statement.
fn settled(seed: u64) -> Rig {
    let mut rig = begun(seed);
    rig.settle(true);
    assert!(rig.appender.segment_durable() > SegmentNumber(3));
    rig
}

/// The same that ends cleanly.
fn ended(seed: u64) -> Rig {
    let mut rig = begun(seed);
    rig.end();
    rig
}

fn begun(seed: u64) -> Rig {
    let mut rig = Rig::new(seed, config(Durability::Dsync, 3));
    (0..150).for_each(|_| rig.step());
    rig.append();
    rig
}

/// Every valid batch, in order.
pub(super) fn batches(disk: &Simulated) -> Vec<(SegmentOffset, BatchHeader)> {
    let mut all = Vec::new();
    block_on(async {
        for number in 1.. {
            let path = segments::path(directory(), SegmentNumber(number));
            let header = match segments::read_header(disk, &path).await {
                Ok(header) => header.unwrap(),
                Err(error) if error.is_missing() => break,
                Err(error) => panic!("{error}"),
            };
            let mut scan = SegmentScan::open(disk, &path, header).await.unwrap();
            while let Some(batch) = scan.next().await.unwrap() {
                assert_eq!(scan.records().count() as u32, batch.1.record_count);
                all.push(batch);
            }
        }
    });
    all
}

fn copy(disk: &Simulated) -> Simulated {
    disk.crash(|_| Fate::Kept)
}

#[test]
fn a_flipped_byte_in_the_durable_part_is_found_and_named() {
    let rig = settled(1);
    let all = batches(&rig.disk);
    assert_eq!(all.last().unwrap().1.record_count, 0);
    for (index, (offset, batch)) in all[..all.len() - 1].iter().enumerate() {
        let places = places(&all, index);
        let path = segments::path(directory(), batch.segment);
        let bytes = BATCH_HEADER_BYTES + batch.payload_bytes as usize;
        // Every byte of the header, and some of the payload.
        for at in (0..BATCH_HEADER_BYTES).chain((BATCH_HEADER_BYTES..bytes).step_by(397)) {
            let image = copy(&rig.disk);
            image.flip(&path, offset.0 + at as u64, 1 << (at % 8));
            match recover_after(&image, Zxid::ZERO) {
                Err(RecoverError::Corrupt { path: named, offset: found, witness, .. }) => {
                    let place = places.iter().position(|place| *place == (named.clone(), found));
                    // Only where magic and number are destroyed can the place be in doubt.
                    let is_named = place == Some(0) || (place == Some(1) && (4..16).contains(&at));
                    assert!(is_named, "byte {at}: {} {found}", named.display());
                    assert!(matches!(witness, Witness::Batch { .. }));
                }
                other => panic!("byte {at} of the batch at {offset}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_flipped_byte_in_a_segment_header_is_found() {
    let rig = settled(2);
    let path = segments::path(directory(), SegmentNumber(2));
    for at in (0..64).chain((64..4096).step_by(511)) {
        let image = copy(&rig.disk);
        image.flip(&path, at, 0x10);
        let error = recover_after(&image, Zxid::ZERO).unwrap_err();
        let is_fitting = match at {
            0..8 => matches!(error, RecoverError::WrongMagic { .. }),
            8..12 => matches!(error, RecoverError::OtherVersion { known: 2, .. }),
            _ => matches!(error, RecoverError::CorruptHeader { .. }),
        };
        assert!(is_fitting, "byte {at}: {error}");
    }
}

#[test]
fn a_lost_write_in_the_durable_part_is_found() {
    for rig in [settled(3), ended(3)] {
        lose_each_write(&rig);
    }
}

fn lose_each_write(rig: &Rig) {
    let all = batches(&rig.disk);
    for (index, (offset, batch)) in all[..all.len() - 1].iter().enumerate() {
        let image = copy(&rig.disk);
        let path = segments::path(directory(), batch.segment);
        // As if the device had reported the write and lost it.
        for (at, byte) in image.content(&path).unwrap().iter().enumerate() {
            if (offset.0..offset.0 + batch.padded_bytes() as u64).contains(&(at as u64)) {
                image.flip(&path, at as u64, *byte);
            }
        }
        let error = recover_after(&image, Zxid::ZERO).unwrap_err();
        let RecoverError::Corrupt { path, offset, .. } = error else { panic!("{error}") };
        assert!(places(&all, index).contains(&(path, offset)));
    }
}

#[test]
fn what_a_later_run_continues_from_must_be_there() {
    let rig = settled(4);
    let all = batches(&rig.disk);
    let last = rig.txns.last().unwrap().0;
    let used_last = rig.appender.segment_used_last();
    let run = run_start(used_last, last);
    let bytes = config(Durability::Dsync, 3).segment_bytes;
    block_on(segments::open_run(&rig.disk, directory(), run, bytes, 9)).unwrap();
    assert_eq!(recover_after(&rig.disk, Zxid::ZERO).unwrap().1, rig.txns);
    let (offset, batch) = all.iter().rfind(|(_, batch)| batch.record_count > 0).unwrap();
    rig.disk.flip(&segments::path(directory(), batch.segment), offset.0 + 90, 1);
    let error = recover_after(&rig.disk, Zxid::ZERO).unwrap_err();
    let RecoverError::Corrupt { witness, .. } = error else { panic!("{error}") };
    assert_eq!(witness, Witness::NextRun(last));
    // A snapshot that covers the damage makes it harmless.
    assert_eq!(recover_after(&rig.disk, last).unwrap().1, []);
}

#[test]
fn nothing_is_looked_for_behind_a_clean_end() {
    let lived = |rig: Rig| {
        let after = rig.txns.last().unwrap().0;
        let from = RecoverFrom { after, durable: Zxid::ZERO, committed: after };
        let all = batches(&rig.disk);
        let counting = Counting::new(rig.disk.clone());
        let found = block_on(recover(&counting, directory(), from, |_, _| {})).unwrap();
        assert_eq!((found.last, found.torn), (from.after, None));
        (rig, all, from, counting.counts().read_count)
    };
    let (_, all, _, reads_of_stated) = lived(settled(12));
    assert!(all.iter().all(|(_, batch)| !batch.is_end));
    let (rig, all, from, reads) = lived(ended(12));
    assert!(all.iter().rev().enumerate().all(|(at, (_, batch))| batch.is_end == (at == 0)));
    assert!(reads < reads_of_stated, "{reads} reads, {reads_of_stated} without a clean end");
    // What a snapshot knows of later txns is searched for all the same.
    let from = RecoverFrom { durable: Zxid(from.after.0 + 1), ..from };
    let error = block_on(recover(&rig.disk, directory(), from, |_, _| {})).unwrap_err();
    let RecoverError::Corrupt { witness, .. } = error else { panic!("{error}") };
    assert_eq!(witness, Witness::Snapshot(from.durable));
}

#[test]
fn a_snapshot_that_was_lost_is_a_witness() {
    let mut rig = Rig::new(5, config(Durability::Dsync, 2));
    (0..3).for_each(|_| rig.append());
    rig.settle(false);
    let (_, batch) = *batches(&rig.disk).last().unwrap();
    let path = segments::path(directory(), SegmentNumber(1));
    let offset = batches(&rig.disk).last().unwrap().0;
    rig.disk.flip(&path, offset.0, 1);
    assert!(recover_after(&rig.disk, Zxid::ZERO).unwrap().0.torn.is_some());
    let from = RecoverFrom { after: Zxid::ZERO, durable: batch.last, committed: Zxid::ZERO };
    let error = block_on(recover(&rig.disk, directory(), from, |_, _| {})).unwrap_err();
    let RecoverError::Corrupt { witness, .. } = error else { panic!("{error}") };
    assert_eq!(witness, Witness::Snapshot(batch.last));
}

/// Examines the log from its beginning and cuts it at the end of what can be read.
fn repaired(disk: &Simulated) -> repair::Examination {
    let from = RecoverFrom { after: Zxid::ZERO, durable: Zxid::ZERO, committed: Zxid::ZERO };
    let found = block_on(repair::examine(disk, directory(), from)).unwrap();
    block_on(repair::cut(disk, directory(), &found, found.reached, 99)).unwrap();
    found
}

#[test]
fn an_explicit_cut_makes_a_damaged_log_usable_up_to_the_damage() {
    let rig = settled(6);
    let all = batches(&rig.disk);
    let (offset, batch) = all[all.len() / 2];
    rig.disk.flip(&segments::path(directory(), batch.segment), offset.0 + 5, 1);
    let complaint = recover_after(&rig.disk, Zxid::ZERO).unwrap_err();
    let before = rig.disk.content(&segments::path(directory(), batch.segment)).unwrap();
    let found = repaired(&rig.disk);
    assert_eq!((found.reached, found.complaint), (batch.prior, Some(complaint)));
    let (recovered, txns) = recover_after(&rig.disk, Zxid::ZERO).unwrap();
    assert_eq!((recovered.last, recovered.torn), (batch.prior, None));
    assert_eq!(txns, rig.txns[..txns.len()]);
    // What was there is still there, under another name.
    let aside = directory().join(format!("cut-{:016x}", batch.segment.0));
    assert!(rig.disk.content(&aside).unwrap() == before);
    // A whole log is left as it is.
    let again = repaired(&rig.disk);
    assert_eq!((again.reached, again.aside()), (batch.prior, &[][..]));
    assert_eq!(again.complaint, None);
    assert_eq!(recover_after(&rig.disk, Zxid::ZERO).unwrap().1, txns);
}

#[test]
fn a_cut_is_made_before_a_segment_that_is_missing_or_cannot_be_read() {
    let rig = settled(8);
    let third = segments::path(directory(), SegmentNumber(3));
    let first_of_third = batches(&rig.disk)
        .into_iter()
        .find(|(_, batch)| batch.segment == SegmentNumber(3))
        .map(|(_, batch)| batch.prior);
    let damage: [&dyn Fn(&Simulated); 2] =
        [&|disk| block_on(disk.remove(&third)).unwrap(), &|disk| disk.flip(&third, 20, 1)];
    for damage in damage {
        let image = copy(&rig.disk);
        damage(&image);
        recover_after(&image, Zxid::ZERO).unwrap_err();
        let found = repaired(&image);
        assert_eq!(Some(found.reached), first_of_third);
        let (recovered, txns) = recover_after(&image, Zxid::ZERO).unwrap();
        assert_eq!((recovered.last, &txns[..]), (found.reached, &rig.txns[..txns.len()]));
        // With a snapshot behind the gap the segments behind it are those that count.
        let image = copy(&rig.disk);
        damage(&image);
        let after = rig.txns[rig.txns.len() - 3].0;
        let from = RecoverFrom { after, durable: after, committed: after };
        let found = block_on(repair::examine(&image, directory(), from)).unwrap();
        block_on(repair::cut(&image, directory(), &found, found.reached, 98)).unwrap();
        assert_eq!(found.reached, rig.txns.last().unwrap().0, "nothing is lost");
        let (_, txns) = recover_after(&image, after).unwrap();
        assert_eq!(txns, rig.txns[rig.txns.len() - 2..]);
    }
}

#[test]
fn a_sector_that_cannot_be_read_is_named_and_can_be_cut_away() {
    let rig = settled(9);
    let all = batches(&rig.disk);
    for (offset, batch) in &all {
        let image = copy(&rig.disk);
        let path = segments::path(directory(), batch.segment);
        image.make_unreadable(&path, offset.0 + batch.padded_bytes() as u64 - 4096);
        let error = recover_after(&image, Zxid::ZERO).unwrap_err();
        let RecoverError::Disk(error) = error else { panic!("{error}") };
        assert_eq!((&error.path, error.offset), (&path, Some(offset.0)), "{error}");
        let found = repaired(&image);
        assert_eq!(found.reached, batch.prior);
        let (recovered, txns) = recover_after(&image, Zxid::ZERO).unwrap();
        assert_eq!((recovered.last, &txns[..]), (batch.prior, &rig.txns[..txns.len()]));
    }
}

#[test]
fn old_batches_of_recycled_segments_never_validate() {
    let mut rig = settled(7);
    let segment_bytes = config(Durability::Dsync, 3).segment_bytes;
    let kept_from = rig.txns[rig.txns.len() - 2].0;
    for _ in 0..12 {
        let before = rig.appender.segment_durable();
        let keep_after = rig.txns[rig.txns.len() - 2].0;
        let purge = Purge { keep_after, before, segment_bytes, spares_max: 3 };
        block_on(segments::purge(&rig.disk, directory(), purge)).unwrap();
        (0..40).for_each(|_| rig.step());
        rig.append();
        rig.settle(true);
    }
    let keep_after = rig.txns[rig.txns.len() - 3].0;
    let (found, txns) = recover_after(&rig.disk, keep_after).unwrap();
    assert_eq!((found.torn, &txns[..]), (None, &rig.txns[rig.txns.len() - 2..]));
    // What was purged is reported missing, not skipped.
    let error = recover_after(&rig.disk, Zxid::ZERO).unwrap_err();
    assert!(matches!(error, RecoverError::Hole { reached: Zxid(0), .. }), "{error}");
    assert!(keep_after > kept_from);
}
