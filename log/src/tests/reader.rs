//! What is read of a live log is what was appended to it, from any position on.

use disk::simulated::{Fate, Seed};
use disk::{BLOCK_BYTES, Counting, Disk, Durability, Simulated, block_on};
use model::zxid::Zxid;

use super::damage::{batches, places};
use super::every_byte::named;
use super::rig::{Rig, Txn, config, directory, recover_after, run_start};
use crate::format::BATCH_HEADER_BYTES;
use crate::segments::{self, Purge};
use crate::{
    AppenderConfig, BatchFault, BatchHeader, BeginsAfter, LogReader, RecoverError, SegmentNumber,
    SegmentOffset, Witness,
};

type Reader<'d> = LogReader<'d, Simulated>;

fn open(disk: &Simulated, after: Zxid, through: Zxid) -> Result<Reader<'_>, BeginsAfter> {
    block_on(LogReader::open(disk, directory(), after, through)).unwrap()
}

/// Reads to the end and checks each piece.
fn read_on<D: Disk>(
    reader: &mut LogReader<'_, D>,
    through: Zxid,
    bytes_max: usize,
) -> Result<Vec<Txn>, RecoverError> {
    let mut txns = Vec::new();
    loop {
        let segment = reader.segment();
        let piece = block_on(reader.next(through, bytes_max))?;
        let records: Vec<Txn> = piece.records().map(|it| (it.zxid, it.txn.to_vec())).collect();
        let bytes: usize = records.iter().map(|(_, txn)| txn.len()).sum();
        assert!(bytes <= bytes_max || records.len() == 1, "{bytes} bytes, at most {bytes_max}");
        assert!(reader.segment() >= segment);
        assert!(!records.is_empty() || piece.is_at_end());
        txns.extend(records);
        if piece.is_at_end() {
            assert!(txns.last().is_none_or(|(last, _)| *last == reader.position()));
            return Ok(txns);
        }
    }
}

/// What of `history` comes after `after` and is durable.
fn behind(history: &[Txn], after: Zxid, through: Zxid) -> &[Txn] {
    let start = history.partition_point(|(zxid, _)| *zxid <= after);
    &history[start.min(durable_count(history, through))..durable_count(history, through)]
}

fn durable_count(history: &[Txn], through: Zxid) -> usize {
    history.partition_point(|(zxid, _)| *zxid <= through)
}

/// Checks that from every position in the log what is read is the history behind it.
fn check_everywhere(rig: &Rig, bytes_max: usize, context: &str) {
    let through = rig.appender.durable_through();
    let zxids = rig.txns.iter().map(|(zxid, _)| zxid.0);
    let mut positions: Vec<_> = zxids.flat_map(|zxid| [zxid - 1, zxid, zxid + 1]).collect();
    positions.extend([0, i64::MAX]);
    positions.dedup();
    for after in positions.into_iter().map(Zxid) {
        let context = format!("{context}, after {after}");
        let mut reader = open(&rig.disk, after, through).expect(&context);
        let before = rig.txns[..durable_count(&rig.txns, after.min(through))].last();
        assert_eq!(reader.position(), before.map_or(Zxid::ZERO, |(zxid, _)| *zxid), "{context}");
        let read = read_on(&mut reader, through, bytes_max).expect(&context);
        assert!(read == behind(&rig.txns, after, through), "{context}: not the history");
    }
}

/// The next life of a log, which may begin with a cut.
fn restart(rig: Rig, config: AppenderConfig, chance: &mut Seed) -> Rig {
    let (image, used_last, mut kept) = if chance.one_in(2) {
        let image = rig.disk.crash_by(chance);
        let (found, txns) = recover_after(&image, Zxid::ZERO).unwrap();
        (image, found.used_last, txns)
    } else {
        let mut rig = rig;
        rig.settle(chance.one_in(2));
        (rig.disk, rig.appender.segment_used_last(), rig.txns)
    };
    if chance.one_in(2) {
        kept.truncate(kept.len() - chance.below(1 + kept.len() as u64 / 2) as usize);
    }
    let continues_from = kept.last().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
    let run = run_start(used_last, continues_from);
    Rig::open(image, Seed::new(chance.next()), config, run, kept)
}

#[test]
fn from_any_position_the_history_behind_it_is_read() {
    for seed in 0..24 {
        let mut chance = Seed::new(seed);
        let durability = if seed % 2 == 0 { Durability::Dsync } else { Durability::FlushAfter };
        let config = config(durability, 1 + seed as usize % 4);
        let mut rig = Rig::new(seed, config);
        for life in 0..5 {
            (0..10 + chance.below(60)).for_each(|_| rig.step());
            let context = format!("seed {seed}, life {life}");
            check_everywhere(&rig, 1 + chance.below(20_000) as usize, &context);
            rig = restart(rig, config, &mut chance);
            check_everywhere(&rig, usize::MAX, &format!("{context}, restarted"));
        }
    }
}

#[test]
fn readers_follow_the_appender_and_hold_the_purge_back() {
    let (mut purged_count, mut pieces_in_between) = (0, 0);
    for seed in 0..16 {
        let durability = if seed % 2 == 0 { Durability::Dsync } else { Durability::FlushAfter };
        let config = config(durability, 1 + seed as usize % 4);
        let mut chance = Seed::new(!seed);
        let mut rig = Rig::new(seed, config);
        (0..30).for_each(|_| rig.step());
        let disk = rig.disk.clone();
        let begin = rig.appender.durable_through();
        let mut reader = open(&disk, begin, begin).unwrap();
        let mut read = Vec::new();
        for _ in 0..500 {
            rig.step();
            if chance.one_in(6) {
                let through = rig.appender.durable_through();
                let piece = block_on(reader.next(through, 4000)).unwrap();
                read.extend(piece.records().map(|it| (it.zxid, it.txn.to_vec())));
                assert!(!piece.is_at_end() || reader.position() == through);
                pieces_in_between += u32::from(!piece.is_at_end());
            }
            if chance.one_in(20) {
                let before = rig.appender.segment_durable().min(reader.segment());
                let (keep_after, segment_bytes) = (Zxid(i64::MAX), config.segment_bytes);
                let purge = Purge { keep_after, before, segment_bytes, spares_max: 2 };
                let purged = block_on(segments::purge(&disk, directory(), purge)).unwrap();
                purged_count += purged.recycled_count;
            }
        }
        let through = rig.appender.durable_through();
        read.extend(read_on(&mut reader, through, 4000).unwrap());
        assert!(read == behind(&rig.txns, begin, through), "seed {seed}: not the history");
        assert!(rig.appender.segment_durable() > SegmentNumber(5), "seed {seed}");
    }
    assert!(purged_count > 50 && pieces_in_between > 100, "{purged_count} {pieces_in_between}");
}

#[test]
fn what_is_in_flight_is_never_taken_for_damage() {
    let mut in_flight_count = 0;
    for seed in 0..12 {
        let mut chance = Seed::new(seed);
        let mut rig = Rig::new(seed, config(Durability::Dsync, 4));
        let disk = rig.disk.clone();
        let mut reader = open(&disk, Zxid::ZERO, Zxid::ZERO).unwrap();
        let mut read = Vec::new();
        for step in 0..120 {
            rig.step();
            in_flight_count += usize::from(!rig.disk.pending().is_empty());
            // What a reader sees of writes in flight: any part of each.
            let image = rig.disk.crash_by(&mut chance);
            let through = rig.appender.durable_through();
            let mut fresh = open(&image, Zxid::ZERO, through).unwrap();
            let found = read_on(&mut fresh, through, 10_000).unwrap();
            assert!(found == behind(&rig.txns, Zxid::ZERO, through), "seed {seed}, step {step}");
            read.extend(read_on(&mut reader, through, 10_000).unwrap());
            assert!(read == found, "seed {seed}, step {step}");
        }
    }
    assert!(in_flight_count > 300, "{in_flight_count}");
}

#[test]
fn a_reader_stops_within_a_batch_and_continues_there() {
    let mut rig = Rig::new(5, config(Durability::Dsync, 1));
    (0..120).for_each(|_| rig.step());
    rig.settle(false);
    let inner = batches(&rig.disk).into_iter().filter(|(_, batch)| batch.record_count > 2);
    let mut stop_count = 0;
    for (_, batch) in inner {
        let mut reader = open(&rig.disk, batch.prior, rig.appender.durable_through()).unwrap();
        for (at, txn) in behind(&rig.txns, batch.prior, batch.last).iter().enumerate() {
            let piece = block_on(reader.next(txn.0, usize::MAX)).unwrap();
            let read: Vec<Txn> = piece.records().map(|it| (it.zxid, it.txn.to_vec())).collect();
            assert!(read == [txn.clone()] && piece.is_at_end(), "record {at}");
            stop_count += 1;
        }
        assert!(block_on(reader.next(batch.last, usize::MAX)).unwrap().is_at_end());
        assert_eq!(reader.position(), batch.last);
    }
    assert!(stop_count > 10, "{stop_count}");
}

fn settled(seed: u64) -> Rig {
    let mut rig = Rig::new(seed, config(Durability::Dsync, 3));
    (0..150).for_each(|_| rig.step());
    rig.append();
    rig.settle(true);
    rig
}

/// What is read before the damage, and the error.
fn read_until_damage(disk: &Simulated, through: Zxid) -> (Vec<Txn>, RecoverError) {
    let mut reader = open(disk, Zxid::ZERO, Zxid::ZERO).unwrap();
    let mut read = Vec::new();
    loop {
        match block_on(reader.next(through, 5000)) {
            Ok(piece) => {
                assert!(!piece.is_at_end(), "the damage was not found");
                read.extend(piece.records().map(|it| (it.zxid, it.txn.to_vec())));
            }
            Err(error) => {
                // It stays, and nothing is passed over.
                let again = block_on(reader.next(through, 5000)).unwrap_err();
                assert_eq!(again, error);
                return (read, error);
            }
        }
    }
}

fn durable_batches(rig: &Rig) -> Vec<(SegmentOffset, BatchHeader)> {
    let all = batches(&rig.disk);
    let last = all.iter().rposition(|(_, batch)| batch.record_count > 0).unwrap();
    all[..=last].to_vec()
}

#[test]
fn damage_in_the_durable_part_is_named_after_what_comes_before_it() {
    let rig = settled(21);
    let (all, through) = (durable_batches(&rig), rig.appender.durable_through());
    for (index, (offset, batch)) in all.iter().enumerate() {
        let path = segments::path(directory(), batch.segment);
        let bytes = BATCH_HEADER_BYTES + batch.payload_bytes as usize;
        for at in (0..BATCH_HEADER_BYTES).chain((BATCH_HEADER_BYTES..bytes).step_by(613)) {
            let image = rig.disk.crash(|_| Fate::Kept);
            image.flip(&path, offset.0 + at as u64, 1 << (at % 8));
            let (read, error) = read_until_damage(&image, through);
            let RecoverError::Corrupt { path: named, offset: found, witness, .. } = &error else {
                panic!("byte {at} of the batch at {offset}: {error}")
            };
            assert!(places(&all, index).contains(&(named.clone(), *found)), "byte {at}: {error}");
            assert_eq!(*witness, Witness::Appender(through));
            assert_eq!(error.durable_through(), Some(through));
            assert!(read == behind(&rig.txns, Zxid::ZERO, batch.prior), "byte {at}");
        }
        let image = rig.disk.crash(|_| Fate::Kept);
        image.make_unreadable(&path, offset.0);
        let (read, error) = read_until_damage(&image, through);
        let RecoverError::Disk(error) = error else { panic!("{error}") };
        assert_eq!((&error.path, error.offset), (&path, Some(offset.0)), "{error}");
        assert!(read == behind(&rig.txns, Zxid::ZERO, batch.prior));
    }
}

#[test]
fn a_batch_in_the_place_of_another_is_damage() {
    let rig = settled(27);
    let (all, through) = (durable_batches(&rig), rig.appender.durable_through());
    let mut replaced_count = 0;
    for (index, (offset, batch)) in all.iter().enumerate().skip(1) {
        let (other_offset, other) = all[index - 1];
        if (other.segment, other.padded_bytes()) != (batch.segment, batch.padded_bytes()) {
            continue;
        }
        // As if the device had written it twice and lost the one that belongs there.
        let image = rig.disk.crash(|_| Fate::Kept);
        let path = segments::path(directory(), batch.segment);
        let content = image.content(&path).unwrap();
        let bytes = &content[other_offset.0 as usize..][..other.padded_bytes()];
        image.overwrite(&path, offset.0, bytes);
        let (read, error) = read_until_damage(&image, through);
        let (expected, found) = (batch.sequence.0, other.sequence.0);
        let fault = BatchFault::Sequence { expected, found };
        let witness = Witness::Appender(through);
        assert_eq!(error, RecoverError::Corrupt { path, offset: *offset, fault, witness });
        assert!(read == behind(&rig.txns, Zxid::ZERO, batch.prior));
        replaced_count += 1;
    }
    assert!(replaced_count > 5, "{replaced_count}");
}

#[test]
fn damage_in_an_ended_run_is_found_when_the_log_is_opened() {
    let mut rig = settled(22);
    let last = durable_batches(&rig).pop().unwrap();
    let used_last = rig.appender.segment_used_last();
    let run = run_start(used_last, rig.appender.durable_through());
    rig = Rig::open(rig.disk, rig.seed, config(Durability::Dsync, 3), run, rig.txns);
    (0..3).for_each(|_| rig.append());
    rig.settle(true);
    let through = rig.appender.durable_through();
    let path = segments::path(directory(), last.1.segment);
    rig.disk.flip(&path, last.0.0 + 90, 4);
    let opened = block_on(LogReader::open(&rig.disk, directory(), Zxid::ZERO, through));
    let Err(error) = opened else { panic!("it was opened") };
    assert_eq!(named(&error), path, "{error}");
    assert!(matches!(&error, RecoverError::Corrupt { witness: Witness::NextRun(zxid), .. }
        if *zxid == run.continues_from));
    // Who has that part reads on behind it.
    let mut reader = open(&rig.disk, run.continues_from, through).unwrap();
    let read = read_on(&mut reader, through, 1).unwrap();
    assert!(read == behind(&rig.txns, run.continues_from, through) && read.len() == 3);
}

#[test]
fn a_log_that_does_not_reach_back_says_where_it_begins() {
    // Purged.
    let rig = settled(23);
    let through = rig.appender.durable_through();
    let keep_after = rig.txns[rig.txns.len() / 2].0;
    let before = rig.appender.segment_durable();
    let segment_bytes = config(Durability::Dsync, 3).segment_bytes;
    let purge = Purge { keep_after, before, segment_bytes, spares_max: 1 };
    block_on(segments::purge(&rig.disk, directory(), purge)).unwrap();
    let Err(BeginsAfter(begin)) = open(&rig.disk, Zxid::ZERO, through) else { panic!() };
    assert!(begin <= keep_after && begin > Zxid::ZERO);
    assert_eq!(open(&rig.disk, Zxid(begin.0 - 1), through).err(), Some(BeginsAfter(begin)));
    for after in [begin, keep_after] {
        let mut reader = open(&rig.disk, after, through).unwrap();
        assert_eq!(reader.position(), after);
        assert!(read_on(&mut reader, through, 9000).unwrap() == behind(&rig.txns, after, through));
    }
    // A snapshot was taken over, and the txns in between were never in this log.
    let ahead = Zxid(1 << 40);
    let run = run_start(rig.appender.segment_used_last(), ahead);
    let mut rig = Rig::open(rig.disk, rig.seed, config(Durability::Dsync, 3), run, Vec::new());
    (0..4).for_each(|_| rig.append());
    rig.settle(true);
    let through = rig.appender.durable_through();
    for after in [Zxid::ZERO, keep_after, Zxid(ahead.0 - 1)] {
        assert_eq!(open(&rig.disk, after, through).err(), Some(BeginsAfter(ahead)), "{after}");
    }
    let mut reader = open(&rig.disk, ahead, through).unwrap();
    assert_eq!(reader.position(), ahead);
    assert!(read_on(&mut reader, through, 9000).unwrap() == rig.txns);
    // No log at all.
    let none = Simulated::new(1);
    assert_eq!(open(&none, Zxid(5), Zxid(7)).err(), Some(BeginsAfter(Zxid(7))));
}

#[test]
fn a_cut_between_two_records_is_read_over() {
    let mut rig = Rig::new(24, config(Durability::Dsync, 2));
    for zxid in [10, 20, 30, 40] {
        rig.appender.append(Zxid(zxid), &[zxid as u8; 50]).unwrap();
        rig.txns.push((Zxid(zxid), vec![zxid as u8; 50]));
    }
    rig.settle(true);
    let run = run_start(rig.appender.segment_used_last(), Zxid(25));
    rig.txns.truncate(2);
    let mut rig = Rig::open(rig.disk, rig.seed, config(Durability::Dsync, 2), run, rig.txns);
    (0..3).for_each(|_| rig.append());
    rig.settle(true);
    let through = rig.appender.durable_through();
    assert!(recover_after(&rig.disk, Zxid::ZERO).unwrap().1 == rig.txns);
    for (after, position) in [(0, 0), (15, 10), (20, 20), (24, 20), (25, 25)] {
        let mut reader = open(&rig.disk, Zxid(after), through).unwrap();
        assert_eq!(reader.position(), Zxid(position));
        let read = read_on(&mut reader, through, 100).unwrap();
        assert!(read == behind(&rig.txns, Zxid(after), through), "after {after}");
    }
}

#[test]
fn the_bytes_behind_a_position_are_those_of_its_batches() {
    let rig = settled(25);
    let (all, through) = (durable_batches(&rig), rig.appender.durable_through());
    let segment_bytes = config(Durability::Dsync, 3).segment_bytes;
    let mut before = u64::MAX;
    for (index, (_, batch)) in all.iter().enumerate().filter(|(_, it)| it.1.record_count > 0) {
        let mut reader = open(&rig.disk, batch.prior, through).unwrap();
        let found = block_on(reader.bytes_behind(through)).unwrap();
        let least: u64 = all[index..].iter().map(|(_, it)| it.padded_bytes() as u64).sum();
        // The end of a segment that later ones follow counts as well.
        let followed = all.last().unwrap().1.segment.0 - reader.segment().0;
        let batch_bytes_max = 4 * BLOCK_BYTES as u64;
        assert!((least..=least + followed * batch_bytes_max).contains(&found), "{found}, {least}");
        assert!(found <= (followed + 1) * segment_bytes && found <= before, "{found}");
        before = found;
    }
    let mut reader = open(&rig.disk, through, through).unwrap();
    assert_eq!(block_on(reader.bytes_behind(through)).unwrap(), 0);
}

#[test]
fn the_bytes_behind_a_position_are_known_without_reading_them() {
    let large = AppenderConfig {
        batch_bytes_max: 512 << 10,
        record_bytes_max: 512 << 10,
        segment_bytes: 8 << 20,
        backlog_bytes_max: 8 << 20,
        ..config(Durability::Dsync, 1)
    };
    let mut rig = Rig::new(26, large);
    for at in 1..=10 {
        let (zxid, txn) = (Zxid(at), vec![at as u8; 500 << 10]);
        rig.appender.append(zxid, &txn).unwrap();
        rig.settle(false);
        rig.txns.push((zxid, txn));
    }
    let counting = Counting::new(rig.disk.clone());
    let opened = block_on(LogReader::open(&counting, directory(), Zxid::ZERO, Zxid(10)));
    let mut reader = opened.unwrap().unwrap();
    let before = counting.counts().read_bytes;
    let bytes = block_on(reader.bytes_behind(Zxid(10))).unwrap();
    let read_bytes = counting.counts().read_bytes - before;
    assert!(bytes >= 10 * (500 << 10), "{bytes}");
    assert!(read_bytes * 3 < bytes, "{read_bytes} bytes were read for {bytes}");
    assert!(read_on(&mut reader, Zxid(10), 1 << 20).unwrap() == rig.txns);
}
