//! A small log, each byte of it changed in turn, and other damage to files: recovery finds and
//! names the damage, or it is irrelevant and the log is whole. Nothing else is ever read.

use std::path::{Path, PathBuf};

use disk::simulated::{Fate, Seed};
use disk::{BLOCK_BYTES, Disk, Durability, OpenMode, Simulated, block_on};
use model::zxid::Zxid;

use super::damage::{batches, places};
use super::rig::{Rig, Txn, config, directory, recover_after};
use crate::format::BATCH_HEADER_BYTES;
use crate::limits::SEGMENT_HEADER_BYTES;
use crate::segments::{self, Purge};
use crate::{AppenderConfig, BatchHeader, RecoverError, SegmentNumber, SegmentOffset, Witness};

/// Segments of five blocks, batches of one or two.
pub(super) fn small() -> AppenderConfig {
    AppenderConfig {
        batch_bytes_max: 2 * BLOCK_BYTES,
        record_bytes_max: 2000,
        segment_bytes: 5 * BLOCK_BYTES as u64,
        segments_ahead: 1,
        ..config(Durability::Dsync, 2)
    }
}

/// A log of several segments that ends with a statement, and its last segment unused.
fn settled() -> Rig {
    let mut rig = Rig::new(11, small());
    while rig.appender.segment_durable() < SegmentNumber(3) {
        rig.step();
    }
    rig.append();
    rig.settle(true);
    rig.prepare();
    rig
}

/// All segments, by number.
pub(super) fn files(disk: &Simulated) -> Vec<PathBuf> {
    let entries = block_on(disk.list(directory())).unwrap();
    let numbers = entries.iter().filter_map(|entry| segments::parse_file_name(&entry.name));
    numbers.map(|number| segments::path(directory(), number)).collect()
}

/// The part of a segment that a byte belongs to.
#[derive(Debug)]
enum Region {
    /// Its first block.
    Header,
    /// The header or the records of the batch at this index.
    Batch(usize),
    /// The last statement, which adds nothing while nothing is damaged.
    Statement,
    /// Padding behind a batch, or blocks that no batch has reached.
    Nothing,
}

fn region(all: &[(SegmentOffset, BatchHeader)], path: &Path, at: u64) -> Region {
    if at < SEGMENT_HEADER_BYTES as u64 {
        return Region::Header;
    }
    let index = all.iter().position(|(offset, batch)| {
        let bytes = BATCH_HEADER_BYTES as u64 + u64::from(batch.payload_bytes);
        path == segments::path(directory(), batch.segment)
            && (offset.0..offset.0 + bytes).contains(&at)
    });
    match index {
        None => Region::Nothing,
        Some(index) if index + 1 == all.len() => Region::Statement,
        Some(index) => Region::Batch(index),
    }
}

/// The file that an error names.
pub(super) fn named(error: &RecoverError) -> &Path {
    match error {
        RecoverError::Disk(error) => &error.path,
        RecoverError::Epochs(error) => panic!("no run depends on the epochs: {error}"),
        RecoverError::Corrupt { path, .. }
        | RecoverError::Malformed { path, .. }
        | RecoverError::Hole { path, .. }
        | RecoverError::Older { path, .. }
        | RecoverError::MissingSegment { path }
        | RecoverError::WrongMagic { path, .. }
        | RecoverError::OtherVersion { path, .. }
        | RecoverError::CorruptHeader { path, .. }
        | RecoverError::UnknownStart { path, .. }
        | RecoverError::WrongNumber { path, .. }
        | RecoverError::WrongLength { path, .. } => path,
    }
}

/// The log is whole, or refused with an error that names one of `files`.
fn assert_whole_or_named(disk: &Simulated, txns: &[Txn], context: &str) -> bool {
    match recover_after(disk, Zxid::ZERO) {
        Ok((_, found)) => {
            assert!(found == txns, "{context}: not what was written");
            true
        }
        Err(error) => {
            assert!(named(&error).starts_with(directory()), "{context}: {error}");
            false
        }
    }
}

#[test]
fn every_byte_changed_is_found_and_named_or_irrelevant() {
    let rig = settled();
    let all = batches(&rig.disk);
    let mut seed = Seed::new(5);
    let mut counts = [0_u32; 4];
    for path in files(&rig.disk) {
        for at in 0..small().segment_bytes {
            let region = region(&all, &path, at);
            for mask in [0xff, 1 << seed.below(8)] {
                rig.disk.flip(&path, at, mask);
                let result = recover_after(&rig.disk, Zxid::ZERO);
                let context = format!("byte {at} of {}, {region:?}", path.display());
                match (&region, result) {
                    (Region::Header, Err(error)) => {
                        assert_eq!(named(&error), path, "{context}: {error}");
                        counts[0] += 1;
                    }
                    (Region::Batch(index), Err(error)) => {
                        let RecoverError::Corrupt { path, offset, witness, .. } = error else {
                            panic!("{context}: {error}")
                        };
                        assert!(places(&all, *index).contains(&(path, offset)), "{context}");
                        assert!(matches!(witness, Witness::Batch { .. }), "{context}");
                        counts[1] += 1;
                    }
                    (Region::Statement | Region::Nothing, Ok((_, txns))) => {
                        assert!(txns == rig.txns, "{context}");
                        counts[if matches!(region, Region::Statement) { 2 } else { 3 }] += 1;
                    }
                    (_, result) => panic!("{context}: {result:?}"),
                }
                rig.disk.flip(&path, at, mask);
            }
        }
    }
    assert_eq!(counts.iter().sum::<u32>() as u64, files(&rig.disk).len() as u64 * 2 * 5 * 4096);
    assert!(counts.iter().all(|count| *count > 100), "{counts:?}");
}

#[test]
fn every_truncation_is_found_with_both_lengths() {
    let rig = settled();
    for (number, path) in files(&rig.disk).into_iter().enumerate() {
        // Every byte of one segment, every block of the others.
        let step = if number == 1 { 1 } else { BLOCK_BYTES };
        let image = rig.disk.crash(|_| Fate::Kept);
        for bytes in (0..small().segment_bytes).rev().step_by(step) {
            block_on(async {
                let file = image.open(&path, OpenMode::Write).await.unwrap();
                image.resize(&file, bytes).await.unwrap();
            });
            let error = recover_after(&image, Zxid::ZERO).unwrap_err();
            let RecoverError::WrongLength { path: named, expected, found } = error else {
                panic!("{error}")
            };
            assert_eq!((named, found), (path.clone(), bytes));
            assert!(expected == small().segment_bytes || bytes < expected && expected == 4096);
        }
    }
}

#[test]
fn a_block_of_zeros_or_of_elsewhere_is_found_or_irrelevant() {
    let rig = settled();
    let all = batches(&rig.disk);
    let blocks: Vec<(PathBuf, u64)> = files(&rig.disk)
        .into_iter()
        .flat_map(|path| (0..5).map(move |block| (path.clone(), block * BLOCK_BYTES as u64)))
        .collect();
    let read = |(path, offset): &(PathBuf, u64)| {
        let content = rig.disk.content(path).unwrap();
        content[*offset as usize..][..BLOCK_BYTES].to_vec()
    };
    let put = |(path, offset): &(PathBuf, u64), bytes: &[u8]| {
        rig.disk.overwrite(path, *offset, bytes);
    };
    let (mut whole, mut refused) = (0, 0);
    for first in &blocks {
        let before = read(first);
        put(first, &[0; BLOCK_BYTES]);
        let is_whole = assert_whole_or_named(&rig.disk, &rig.txns, &format!("zeros at {first:?}"));
        let is_needed =
            !matches!(region(&all, &first.0, first.1), Region::Statement | Region::Nothing);
        assert_eq!(is_whole, !is_needed, "zeros at {first:?}");
        put(first, &before);
        for second in &blocks {
            let other = read(second);
            // A swap, and a block that was written over another.
            put(first, &other);
            let context = format!("{second:?} over {first:?}");
            let is_same = other == before;
            let is_whole = assert_whole_or_named(&rig.disk, &rig.txns, &context);
            assert!(is_whole || !is_same, "{context}");
            put(second, &before);
            let context = format!("{first:?} and {second:?} swapped");
            if assert_whole_or_named(&rig.disk, &rig.txns, &context) {
                whole += 1;
            } else {
                refused += 1;
            }
            put(first, &before);
            put(second, &other);
        }
    }
    assert!(whole > 10 && refused > 100, "{whole} {refused}");
    assert!(assert_whole_or_named(&rig.disk, &rig.txns, "as it was"));
}

#[test]
fn an_old_batch_put_back_into_a_recycled_segment_is_never_read() {
    let mut rig = settled();
    let mut past: Vec<Vec<u8>> = Vec::new();
    let mut recycled = 0;
    let segment_bytes = small().segment_bytes;
    for _ in 0..6 {
        for path in files(&rig.disk) {
            let content = rig.disk.content(&path).unwrap();
            past.extend(content[SEGMENT_HEADER_BYTES..].chunks(BLOCK_BYTES).map(<[u8]>::to_vec));
        }
        let before = rig.appender.segment_durable();
        let keep_after = rig.txns[rig.txns.len() - 2].0;
        let purge = Purge { keep_after, before, segment_bytes, spares_max: 3 };
        recycled +=
            block_on(segments::purge(&rig.disk, directory(), purge)).unwrap().recycled_count;
        let next = SegmentNumber(before.0 + 2);
        while rig.appender.segment_durable() < next {
            rig.step();
        }
        rig.append();
        rig.settle(true);
    }
    assert!(recycled > 5, "{recycled}");
    let after = rig.txns[rig.txns.len() - 12].0;
    let expected = recover_after(&rig.disk, after).unwrap().1;
    let mut seed = Seed::new(6);
    let paths = files(&rig.disk);
    for _ in 0..20_000 {
        let path = &paths[seed.below(paths.len() as u64) as usize];
        let offset = (1 + seed.below(4)) * BLOCK_BYTES as u64;
        let old = &past[seed.below(past.len() as u64) as usize];
        let before = rig.disk.content(path).unwrap()[offset as usize..][..BLOCK_BYTES].to_vec();
        rig.disk.overwrite(path, offset, old);
        match recover_after(&rig.disk, after) {
            Ok((_, found)) => assert!(found == expected, "{} {offset}", path.display()),
            Err(error) => assert!(named(&error).starts_with(directory()), "{error}"),
        }
        rig.disk.overwrite(path, offset, &before);
    }
}

#[test]
fn segments_missing_and_renamed_are_named() {
    let rig = settled();
    let paths = files(&rig.disk);
    for (index, path) in paths.iter().enumerate() {
        let image = rig.disk.crash(|_| Fate::Kept);
        block_on(image.remove(path)).unwrap();
        match recover_after(&image, Zxid::ZERO) {
            Ok((_, txns)) => {
                assert!(index + 1 == paths.len() && txns == rig.txns, "only the unused last one");
            }
            Err(RecoverError::MissingSegment { path: named }) => assert_eq!(&named, path),
            Err(RecoverError::Hole { path: named, reached, next }) => {
                assert_eq!((index, named, reached), (0, paths[1].clone(), Zxid::ZERO));
                assert!(rig.txns.iter().any(|txn| txn.0 == next));
            }
            Err(other) => panic!("{other}"),
        }
        for other in &paths[index + 1..] {
            let image = rig.disk.crash(|_| Fate::Kept);
            let aside = directory().join("aside");
            block_on(async {
                image.rename_durable(path, &aside).await.unwrap();
                image.rename_durable(other, path).await.unwrap();
                image.rename_durable(&aside, other).await.unwrap();
            });
            let error = recover_after(&image, Zxid::ZERO).unwrap_err();
            assert!(
                matches!(&error, RecoverError::WrongNumber { path: named, .. } if named == path)
            );
        }
    }
}
