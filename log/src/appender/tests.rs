use disk::Durability;
use model::zxid::Zxid;

use super::*;
use crate::format::{BATCH_HEADER_BYTES, FormatVersion};

const BLOCK: u64 = BLOCK_BYTES as u64;

fn config(durability: Durability) -> AppenderConfig {
    AppenderConfig {
        slot_count: 2,
        batch_bytes_max: 2 * BLOCK_BYTES,
        record_bytes_max: 3 * BLOCK_BYTES,
        segment_bytes: 6 * BLOCK,
        backlog_bytes_max: 4 * BLOCK_BYTES,
        segments_ahead: 1,
        durability,
    }
}

fn header(number: u64, start: Start) -> SegmentHeader {
    let (version, segment_bytes) = (FormatVersion::CURRENT, 6 * BLOCK);
    SegmentHeader { version, number: SegmentNumber(number), segment_bytes, seed: number, start }
}

fn appender(durability: Durability) -> Appender {
    let (continues_from, committed_through) = (Zxid(10), Zxid(8));
    let start = Start::Restart { continues_from, committed_through, counts_from: None };
    Appender::new(config(durability), header(1, start))
}

fn write(effect: Option<Departure>) -> Write {
    match effect {
        Some(Departure::Write(write)) => write,
        other => panic!("a write was expected, not {other:?}"),
    }
}

fn prepare(appender: &mut Appender) {
    let number = appender.maybe_ask_segment().expect("one is needed");
    appender.segment_prepared(header(number.0, Start::Follows));
}

#[test]
fn a_batch_leaves_as_soon_as_a_slot_is_free_and_grows_while_none_is() {
    let mut log = appender(Durability::Dsync);
    for (zxid, slot) in [(11, 0), (12, 1)] {
        log.append(Zxid(zxid), b"x").unwrap();
        let write = write(log.depart());
        assert_eq!((write.slot, write.buffer.len()), (Slot(slot), BLOCK_BYTES));
        assert_eq!(write.offset, SegmentOffset(BLOCK * (1 + slot as u64)));
        std::mem::forget(write);
    }
    for zxid in 13..=20 {
        log.append(Zxid(zxid), b"x").unwrap();
        assert!(log.depart().is_none());
    }
    log.written(Slot(0), Ok(()), Box::new(AlignedBuf::with_capacity(1)));
    let grown = write(log.depart());
    let batch = BatchHeader::decode(&grown.buffer, &log.segment, BLOCK).unwrap();
    assert_eq!((batch.record_count, batch.first, batch.last), (8, Zxid(13), Zxid(20)));
    assert_eq!((batch.prior, batch.durable_through), (Zxid(12), Zxid(11)));
    assert_eq!((batch.sequence, batch.durable_sequence), (Sequence(3), Sequence(1)));
}

#[test]
fn durability_advances_in_order_only() {
    let mut log = appender(Durability::Dsync);
    log.append(Zxid(11), b"a").unwrap();
    let first = write(log.depart());
    log.append(Zxid(12), b"b").unwrap();
    let second = write(log.depart());
    log.written(second.slot, Ok(()), second.buffer);
    assert_eq!(log.durable_through(), Zxid(10));
    log.written(first.slot, Ok(()), first.buffer);
    assert_eq!(log.durable_through(), Zxid(12));
    assert_eq!(log.segment_durable(), SegmentNumber(1));
}

#[test]
fn one_flush_covers_what_was_written_before_it() {
    let mut log = appender(Durability::FlushAfter);
    log.append(Zxid(11), b"a").unwrap();
    let first = write(log.depart());
    log.append(Zxid(12), b"b").unwrap();
    let second = write(log.depart());
    log.written(second.slot, Ok(()), second.buffer);
    assert!(log.depart().is_none(), "the front is in flight");
    log.written(first.slot, Ok(()), first.buffer);
    assert!(matches!(log.depart(), Some(Departure::Flush(flush)) if flush.segment.0 == 1));
    // Written while the flush is in progress: not covered.
    log.append(Zxid(13), b"c").unwrap();
    let third = write(log.depart());
    log.written(third.slot, Ok(()), third.buffer);
    assert!(log.depart().is_none());
    assert_eq!(log.durable_through(), Zxid(10));
    log.flushed(Ok(()));
    assert_eq!(log.durable_through(), Zxid(12));
    assert!(matches!(log.depart(), Some(Departure::Flush(_))));
    log.flushed(Ok(()));
    assert_eq!(log.durable_through(), Zxid(13));
}

#[test]
fn the_first_error_is_final() {
    let mut log = appender(Durability::Dsync);
    log.append(Zxid(11), b"a").unwrap();
    let first = write(log.depart());
    log.append(Zxid(12), b"b").unwrap();
    let second = write(log.depart());
    log.written(first.slot, Err(5), first.buffer);
    log.written(second.slot, Ok(()), second.buffer);
    let (segment, offset) = (SegmentNumber(1), SegmentOffset(BLOCK));
    let failure = AppendFailure { segment, offset, errno: 5 };
    assert_eq!(log.failure(), Some(&failure));
    assert_eq!(log.append(Zxid(13), b"c"), Err(AppendError::Failed(failure)));
    assert_eq!(log.room(), Room::Failed(failure));
    assert!(log.depart().is_none());
    assert_eq!(log.durable_through(), Zxid(10));
    assert!(failure.to_string().contains("segment 1 at offset 4096"), "{failure}");
}

#[test]
fn without_a_prepared_segment_it_is_full_and_continues_when_there_is_one() {
    let mut log = appender(Durability::Dsync);
    let large = vec![7; 3 * BLOCK_BYTES];
    assert_eq!(log.room(), Room::Open);
    log.append(Zxid(11), &large).unwrap();
    let first = write(log.depart());
    assert_eq!(first.buffer.len(), 4 * BLOCK_BYTES);
    log.written(first.slot, Ok(()), first.buffer);
    assert_eq!(log.room(), Room::NoSegment);
    assert_eq!(log.append(Zxid(12), &large), Err(AppendError::NoSegment));
    // Requested one at a time, and again after a refusal.
    assert_eq!(log.maybe_ask_segment(), Some(SegmentNumber(2)));
    assert_eq!(log.maybe_ask_segment(), None);
    log.segment_refused();
    prepare(&mut log);
    assert_eq!(log.room(), Room::Open);
    // A small record still fits the old segment; the large one opens the new.
    log.append(Zxid(12), b"small").unwrap();
    log.append(Zxid(13), &large).unwrap();
    let (small, large) = (write(log.depart()), write(log.depart()));
    assert_eq!((small.segment.0, small.offset.0), (1, 5 * BLOCK));
    assert_eq!((large.segment.0, large.offset.0), (2, BLOCK));
    assert_eq!(log.segment_used_last(), Some(SegmentNumber(2)));
    assert_eq!(log.maybe_ask_segment(), Some(SegmentNumber(3)));
}

#[test]
fn the_backlog_is_bounded_and_a_large_txn_refused() {
    let mut log = appender(Durability::Dsync);
    prepare(&mut log);
    let error = log.append(Zxid(11), &vec![0; 3 * BLOCK_BYTES + 1]).unwrap_err();
    assert_eq!(error, AppendError::TooLarge { found: 12289, max: 12288 });
    let block = vec![0; BLOCK_BYTES];
    let mut appended = 10;
    while log.room() != Room::Backlogged {
        // A full segment is replaced at once here.
        if log.room() == Room::NoSegment {
            prepare(&mut log);
        }
        appended += 1;
        log.append(Zxid(appended), &block).unwrap();
    }
    assert!(log.waiting_bytes > log.config.backlog_bytes_max);
    assert!(appended < 20);
}

#[test]
fn an_idle_log_states_once_what_is_durable() {
    let mut log = appender(Durability::Dsync);
    assert!(log.maybe_state().is_none());
    log.append(Zxid(11), b"a").unwrap();
    assert!(log.maybe_state().is_none());
    let first = write(log.depart());
    assert!(log.maybe_state().is_none());
    log.written(first.slot, Ok(()), first.buffer);
    let statement = log.maybe_state().expect("due");
    let batch = BatchHeader::decode(&statement.buffer, &log.segment, BLOCK).unwrap();
    assert_eq!((batch.record_count, batch.payload_bytes), (0, 0));
    assert_eq!((batch.durable_through, batch.last), (Zxid(11), Zxid(11)));
    log.written(statement.slot, Ok(()), statement.buffer);
    assert!(!log.is_statement_due());
    assert!(log.is_idle());
    log.append(Zxid(12), b"b").unwrap();
    assert_eq!(write(log.depart()).offset, SegmentOffset(3 * BLOCK));
}

#[test]
fn batches_state_what_is_committed_when_they_leave() {
    let mut log = appender(Durability::Dsync);
    // What the run's header states needs no batch.
    assert!(!log.is_statement_due());
    let committed = |write: &Write| {
        let segment = header(1, Start::Follows);
        BatchHeader::decode(&write.buffer, &segment, BLOCK).unwrap().committed_through
    };
    log.append(Zxid(11), b"a").unwrap();
    let first = write(log.depart());
    assert_eq!(committed(&first), Zxid(8));
    log.append(Zxid(12), b"b").unwrap();
    log.append(Zxid(13), b"c").unwrap();
    log.commit(Zxid(12));
    log.commit(Zxid(9));
    let second = write(log.depart());
    assert_eq!(committed(&second), Zxid(12));
    log.written(first.slot, Ok(()), first.buffer);
    log.written(second.slot, Ok(()), second.buffer);
    let statement = log.maybe_state().expect("the second is not stated to be durable");
    log.written(statement.slot, Ok(()), statement.buffer);
    assert!(!log.is_statement_due());
    // An idle log states it, once, and so does its end.
    log.commit(Zxid(13));
    prepare(&mut log);
    let statement = log.maybe_state().expect("due");
    assert_eq!(committed(&statement), Zxid(13));
    log.written(statement.slot, Ok(()), statement.buffer);
    assert!(!log.is_statement_due());
    let end = log.end().expect("there is a place");
    assert_eq!(committed(&end), Zxid(13));
}

#[test]
fn a_batch_states_nothing_behind_its_end() {
    let mut log = appender(Durability::Dsync);
    for zxid in [11, 12] {
        log.append(Zxid(zxid), &vec![7; BLOCK_BYTES]).unwrap();
    }
    log.commit(Zxid(12));
    let first = write(log.depart());
    let batch = BatchHeader::decode(&first.buffer, &log.segment, 3 * BLOCK).unwrap();
    assert_eq!((batch.last, batch.committed_through), (Zxid(11), Zxid(11)));
}

#[test]
#[should_panic(expected = "0xb is committed, 0xa appended")]
fn what_was_not_appended_is_not_committed() {
    appender(Durability::Dsync).commit(Zxid(11));
}

#[test]
fn steady_state_reuses_its_buffers() {
    let mut log = appender(Durability::Dsync);
    let mut addresses = std::collections::BTreeSet::new();
    for zxid in 11..40 {
        if log.room() == Room::NoSegment {
            prepare(&mut log);
        }
        log.append(Zxid(zxid), b"x").unwrap();
        let write = write(log.depart());
        assert_eq!(write.buffer.len(), BATCH_HEADER_BYTES.next_multiple_of(BLOCK_BYTES));
        addresses.insert(write.buffer[..].as_ptr() as usize);
        log.written(write.slot, Ok(()), write.buffer);
    }
    assert!(addresses.len() <= 3, "{} buffers", addresses.len());
}

#[test]
#[should_panic(expected = "0xb after 0xb")]
fn zxids_ascend() {
    let mut log = appender(Durability::Dsync);
    log.append(Zxid(11), b"a").unwrap();
    let _ = log.append(Zxid(11), b"b");
}
