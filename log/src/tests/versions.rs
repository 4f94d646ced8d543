//! Logs that older versions wrote, alone and continued.

use disk::simulated::{Fate, Seed};
use disk::{AlignedBuf, BLOCK_BYTES, Disk, Durability, OpenMode, Simulated, block_on};
use model::zxid::Zxid;

use super::every_byte::{files, named};
use super::rig::{Rig, config, directory, next_run, recover_after};
use crate::format::{BATCH_HEADER_BYTES, FormatVersion, SegmentHeader, Start};
use crate::limits::SEGMENT_HEADER_BYTES;
use crate::segments::{self, prepare};
use crate::{LogReader, LogSink, RecoverFrom, SegmentNumber, SegmentScan, recover_into, trim};

const V1_HEADER_BYTES: usize = 80;

/// The same log as version 1 wrote it.
fn downgrade(disk: &Simulated) {
    let mut predecessor = 0;
    for path in files(disk) {
        let header = block_on(segments::read_header(disk, &path)).unwrap().unwrap();
        let mut content = vec![0; header.segment_bytes as usize];
        if matches!(header.start, Start::Restart { .. }) {
            predecessor = 0;
        }
        SegmentHeader { version: FormatVersion::V1, ..header }
            .encode(&mut content[..SEGMENT_HEADER_BYTES]);
        let before = disk.content(&path).unwrap();
        let mut scan = block_on(SegmentScan::open(disk, &path, header)).unwrap();
        let mut at = SEGMENT_HEADER_BYTES;
        while let Some((offset, batch)) = block_on(scan.next()).unwrap() {
            let old = &before[offset.0 as usize..][..batch.bytes()];
            let bytes = [&old[..V1_HEADER_BYTES], &old[BATCH_HEADER_BYTES..]].concat();
            let place = &mut content[at..at + bytes.len()];
            place.copy_from_slice(&bytes);
            place[32..36].copy_from_slice(&u32::to_le_bytes(predecessor));
            predecessor = crc32c::crc32c(&header.seed.to_le_bytes());
            predecessor = crc32c::crc32c_append(predecessor, &place[4..]);
            place[..4].copy_from_slice(&predecessor.to_le_bytes());
            at += bytes.len().next_multiple_of(BLOCK_BYTES);
        }
        block_on(async {
            let file = disk.open(&path, OpenMode::Write).await.unwrap();
            disk.write_at(&file, 0, AlignedBuf::from_bytes(&content)).await.unwrap();
            disk.flush(&file).await.unwrap();
        });
    }
}

/// A log of version 1 with several segments.
fn old(seed: u64) -> Rig {
    let mut rig = Rig::new(seed, config(Durability::Dsync, 2));
    (0..150).for_each(|_| rig.step());
    rig.append();
    rig.settle(true);
    downgrade(&rig.disk);
    rig
}

/// The same, continued by this version, with part of what it wrote committed.
fn mixed(seed: u64) -> Rig {
    let old = old(seed);
    let (found, txns) = recover_after(&old.disk, Zxid::ZERO).unwrap();
    let config = config(Durability::Dsync, 2);
    let mut rig = Rig::open(old.disk, Seed::new(seed), config, next_run(&found), txns);
    (0..80).for_each(|_| rig.step());
    rig.settle(true);
    rig
}

fn versions(disk: &Simulated) -> Vec<FormatVersion> {
    let header = |path| block_on(segments::read_header(disk, path)).unwrap().unwrap();
    files(disk).iter().map(|path| header(path).version).collect()
}

#[test]
fn everything_durable_in_a_log_of_version_1_is_committed() {
    for seed in 0..8 {
        let rig = old(seed);
        assert!(versions(&rig.disk).iter().all(|version| *version == FormatVersion::V1));
        let last = rig.txns.last().unwrap().0;
        assert!(rig.committed < last);
        let (found, txns) = recover_after(&rig.disk, Zxid::ZERO).unwrap();
        assert!(txns == rig.txns, "seed {seed}");
        assert_eq!((found.last, found.committed_through), (last, last));
        // Of a part that is behind a snapshot as well.
        let (found, _) = recover_after(&rig.disk, rig.txns[rig.txns.len() / 2].0).unwrap();
        assert_eq!(found.committed_through, last);
    }
}

#[test]
fn a_log_of_both_versions_is_read_as_one() {
    for seed in 0..8 {
        let mut rig = mixed(seed);
        let found_versions = versions(&rig.disk);
        assert!(found_versions.is_sorted() && found_versions.contains(&FormatVersion::V1));
        assert_eq!(found_versions.last(), Some(&FormatVersion::V2));
        let (found, txns) = recover_after(&rig.disk, Zxid::ZERO).unwrap();
        assert!(txns == rig.txns, "seed {seed}");
        assert_eq!(found.committed_through, rig.committed);
        assert!(found.committed_through < found.last);
        let through = rig.appender.durable_through();
        let opened = block_on(LogReader::open(&rig.disk, directory(), Zxid::ZERO, through));
        let mut reader = opened.unwrap().unwrap();
        let piece = block_on(reader.next(through, usize::MAX)).unwrap();
        assert_eq!(piece.records().count(), rig.txns.len());
        // Ended and cut to size, an old run stays as it was written.
        rig.end();
        let config = config(Durability::Dsync, 2);
        let (found, txns) = recover_after(&rig.disk, Zxid::ZERO).unwrap();
        let rig = Rig::open(rig.disk, Seed::new(seed), config, next_run(&found), txns);
        block_on(trim(&rig.disk, directory())).unwrap();
        let (again, txns) = recover_after(&rig.disk, Zxid::ZERO).unwrap();
        assert!(txns == rig.txns && again.committed_through == found.committed_through);
    }
}

#[test]
fn changed_bytes_of_a_log_of_both_versions_are_found_or_irrelevant() {
    let rig = mixed(3);
    let (mut whole, mut refused) = (0, 0);
    for path in files(&rig.disk) {
        let bytes = rig.disk.content(&path).unwrap().len() as u64;
        // All of the headers, and some of what is behind them.
        let headers = (0..bytes).filter(|at| at % 4096 < 96);
        for at in headers.chain((0..bytes).step_by(331)) {
            rig.disk.flip(&path, at, 1 << (at % 8));
            match recover_after(&rig.disk, Zxid::ZERO) {
                Ok((found, txns)) => {
                    assert!(txns == rig.txns, "byte {at} of {}", path.display());
                    assert!(found.committed_through <= rig.committed);
                    whole += 1;
                }
                Err(error) => {
                    assert!(named(&error).starts_with(directory()), "{error}");
                    refused += 1;
                }
            }
            rig.disk.flip(&path, at, 1 << (at % 8));
        }
    }
    assert!(whole > 100 && refused > 1000, "{whole} {refused}");
}

#[test]
#[should_panic(expected = "an older format is never written")]
fn a_segment_of_version_1_is_not_made() {
    let (version, number, start) = (FormatVersion::V1, SegmentNumber(9), Start::Follows);
    let header = SegmentHeader { version, number, segment_bytes: 8192, seed: 1, start };
    let _ = block_on(prepare(&Simulated::new(1), directory(), header));
}

#[test]
fn what_a_run_knew_to_be_committed_is_known_to_the_next() {
    let config = config(Durability::Dsync, 2);
    let mut rig = Rig::new(5, config);
    (0..60).for_each(|_| rig.step());
    rig.settle(true);
    let committed = rig.committed;
    assert!(committed > Zxid::ZERO);
    // Several starts without a record, each of which replaces the run before.
    for seed in 0..4 {
        let image = rig.disk.crash(|_| Fate::Dropped);
        let (found, txns) = recover_after(&image, Zxid::ZERO).unwrap();
        assert_eq!(found.committed_through, committed);
        rig = Rig::open(image, Seed::new(seed), config, next_run(&found), txns);
    }
    // A cut before it leaves no more than what is left.
    let cut_at = Zxid(committed.0 / 2);
    let (found, _) = recover_after(&rig.disk, Zxid::ZERO).unwrap();
    let mut run = next_run(&found);
    (run.continues_from, run.committed_through) = (cut_at, cut_at);
    block_on(segments::open_run(&rig.disk, directory(), run, config.segment_bytes, 3)).unwrap();
    let (found, _) = recover_after(&rig.disk, Zxid::ZERO).unwrap();
    assert_eq!((found.last, found.committed_through), (cut_at, cut_at));
}

/// What a reader of the log learns, in its order.
#[derive(Default)]
struct Told {
    last: Zxid,
    committed: Zxid,
    /// The most records that were read and not known to be committed.
    waiting: usize,
    waiting_max: usize,
}

impl LogSink for Told {
    fn record(&mut self, zxid: Zxid, _: &[u8]) {
        self.last = zxid;
        self.waiting += 1;
        self.waiting_max = self.waiting_max.max(self.waiting);
    }

    fn committed(&mut self, through: Zxid) {
        assert!(through > self.committed && through <= self.last);
        (self.committed, self.waiting) = (through, 0);
    }
}

#[test]
fn what_is_committed_is_reported_while_the_log_is_read() {
    for (rig, is_old) in [(mixed(1), false), (old(2), true)] {
        let mut told = Told::default();
        let from = RecoverFrom { after: Zxid::ZERO, durable: Zxid::ZERO, committed: Zxid::ZERO };
        let found = block_on(recover_into(&rig.disk, directory(), from, &mut told)).unwrap();
        assert_eq!((told.last, told.committed), (found.last, found.committed_through));
        if is_old {
            assert_eq!(told.waiting, 0);
        }
        assert!(told.waiting_max < rig.txns.len() / 2, "{}", told.waiting_max);
    }
}
