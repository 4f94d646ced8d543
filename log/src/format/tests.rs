use model::zxid::{Epoch, Zxid};
use proptest::prelude::*;

use super::*;
use crate::epochs::{EPOCHS_MAGIC, EPOCHS_RECORD, EPOCHS_VERSION};
use crate::limits::SEGMENT_HEADER_BYTES;

fn segment() -> SegmentHeader {
    SegmentHeader {
        version: FormatVersion::CURRENT,
        number: SegmentNumber(3),
        segment_bytes: 64 << 20,
        seed: 0x1122_3344_5566_7788,
        start: Start::Restart {
            continues_from: Zxid(0x1_0000_0005),
            committed_through: Zxid(0x1_0000_0002),
            counts_from: None,
        },
    }
}

fn batch(records: &[(i64, &[u8])], prior: i64) -> (BatchHeader, Vec<u8>) {
    let mut bytes = vec![0; BATCH_HEADER_BYTES];
    for (zxid, txn) in records {
        let start = bytes.len();
        bytes.resize(start + RECORD_HEADER_BYTES, 0);
        write_record_header(&mut bytes[start..], Zxid(*zxid), txn.len());
        bytes.extend_from_slice(txn);
    }
    let mut header = BatchHeader {
        version: FormatVersion::CURRENT,
        crc: 0,
        segment: SegmentNumber(3),
        sequence: Sequence(9),
        payload_bytes: 0,
        record_count: records.len() as u32,
        predecessor_crc: 0xaabb_ccdd,
        is_end: false,
        durable_sequence: Sequence(7),
        durable_through: Zxid(0x1_0000_0004),
        prior: Zxid(prior),
        first: Zxid(records.first().map_or(prior, |record| record.0)),
        last: Zxid(records.last().map_or(prior, |record| record.0)),
        committed_through: Zxid(prior - 2),
    };
    header.seal(&mut bytes, segment().seed);
    (header, bytes)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn the_golden_bytes_of_a_segment_header() {
    let mut block = vec![0xff; SEGMENT_HEADER_BYTES];
    segment().encode(&mut block);
    assert_eq!(
        hex(&block[..72]),
        "524b4c4f47534547020000000d6b17d403000000000000000000000400000000\
         8877665544332211010000000000000005000000010000000200000001000000\
         0000000000000000"
    );
    assert!(block[72..].iter().all(|byte| *byte == 0));
    assert_eq!(SegmentHeader::decode(&block), Ok(segment()));
}

#[test]
fn the_golden_bytes_of_a_run_that_begins_with_a_received_snapshot() {
    let mut block = vec![0xff; SEGMENT_HEADER_BYTES];
    let (continues_from, committed_through) = (Zxid(0x7_0000_0005), Zxid(0x1_0000_0002));
    let start =
        Start::Restart { continues_from, committed_through, counts_from: Some(Epoch(0x1234)) };
    let header = SegmentHeader { start, ..segment() };
    header.encode(&mut block);
    assert_eq!(
        hex(&block[..72]),
        "524b4c4f4753454702000000ac9e5dc403000000000000000000000400000000\
         8877665544332211020000000000000005000000070000000200000001000000\
         3412000000000000"
    );
    assert!(block[72..].iter().all(|byte| *byte == 0));
    assert_eq!(SegmentHeader::decode(&block), Ok(header));
    // No server of version 1 took a snapshot over.
    block[8] = 1;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&block[..12]), &block[16..]);
    block[12..16].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(SegmentHeader::decode(&block), Err(HeaderFault::Start { found: 2 }));
}

#[test]
fn the_golden_bytes_of_a_batch() {
    let (header, bytes) = batch(&[(0x1_0000_0006, b"ab"), (0x1_0000_0007, b"")], 0x1_0000_0005);
    assert_eq!(
        hex(&bytes),
        "3db30000524b4254030000000000000009000000000000001a00000002000000\
         ddccbbaa00000000070000000000000004000000010000000500000001000000\
         060000000100000007000000010000000300000001000000\
         060000000100000002000000616207000000010000000000\
         0000"
    );
    let decoded = BatchHeader::decode(&bytes, &segment(), 4096).unwrap();
    assert_eq!(decoded, header);
    decoded.verify(&bytes, segment().seed).unwrap();
}

#[test]
fn the_golden_bytes_of_version_1_are_read() {
    let mut block = vec![0; SEGMENT_HEADER_BYTES];
    let golden = bytes_of(
        "524b4c4f4753454701000000d04bb74a03000000000000000000000400000000\
         8877665544332211010000000000000005000000010000000000000000000000",
    );
    block[..golden.len()].copy_from_slice(&golden);
    let header = SegmentHeader::decode(&block).unwrap();
    let (continues_from, version) = (Zxid(0x1_0000_0005), FormatVersion::V1);
    let committed_through = continues_from;
    let start = Start::Restart { continues_from, committed_through, counts_from: None };
    assert_eq!(header, SegmentHeader { version, start, ..segment() });
    // A copy of it is laid out as it is.
    let mut copy = vec![0xff; SEGMENT_HEADER_BYTES];
    header.encode(&mut copy);
    assert_eq!(copy, block);
    let bytes = bytes_of(
        "7d1e1aa5524b4254030000000000000009000000000000001a00000002000000\
         ddccbbaa00000000070000000000000004000000010000000500000001000000\
         06000000010000000700000001000000\
         060000000100000002000000616207000000010000000000\
         0000",
    );
    let batch = BatchHeader::decode(&bytes, &header, 4096).unwrap();
    assert_eq!((batch.bytes(), batch.payload_bytes), (bytes.len(), 26));
    batch.verify(&bytes, header.seed).unwrap();
    assert_eq!(batch.committed_through, Zxid(0x1_0000_0007));
    assert_eq!(records(&batch, &bytes[80..]).filter_map(Result::ok).count(), 2);
}

#[test]
#[should_panic(expected = "an older format is never written")]
fn a_batch_of_version_1_is_not_made() {
    let (mut header, mut bytes) = batch(&[], 5);
    header.version = FormatVersion::V1;
    header.seal(&mut bytes, 1);
}

#[test]
fn a_foreign_header_is_refused_with_numbers() {
    let mut block = vec![0; SEGMENT_HEADER_BYTES];
    assert_eq!(SegmentHeader::decode(&block), Err(HeaderFault::Magic { found: [0; 8] }));
    segment().encode(&mut block);
    block[8] = 3;
    assert_eq!(SegmentHeader::decode(&block), Err(HeaderFault::Version { found: 3 }));
    block[8] = 2;
    block[4000] = 1;
    assert!(matches!(SegmentHeader::decode(&block), Err(HeaderFault::Crc { .. })));
}

#[test]
fn the_document_has_the_layout_of_the_code() {
    let document = include_str!("../../../docs/log_format.md");
    for (title, fields) in [
        ("Segment header", &SEGMENT_HEADER[..]),
        ("Batch header", &BATCH_HEADER[..]),
        ("Record header", &RECORD_HEADER[..]),
        ("Epochs", &EPOCHS_RECORD[..]),
    ] {
        let (_, section) = document.split_once(&format!("\n## {title}\n")).expect(title);
        let rows: Vec<_> = section
            .lines()
            .skip_while(|line| !line.starts_with("| offset "))
            .skip(2)
            .take_while(|line| line.starts_with('|'))
            .map(|line| line.split('|').map(str::trim).skip(1).take(3).collect::<Vec<_>>())
            .collect();
        let expected: Vec<_> = fields
            .iter()
            .map(|f| vec![f.offset.to_string(), f.bytes.to_string(), f.name.to_owned()])
            .collect();
        assert_eq!(rows, expected, "{title}");
    }
    for number in [
        format!("`{}`", SEGMENT_MAGIC.escape_ascii()),
        format!("`{}`", BATCH_MAGIC.to_le_bytes().escape_ascii()),
        format!("version {FORMAT_VERSION}."),
        format!("`{}`", EPOCHS_MAGIC.escape_ascii()),
        format!("format version of the record, {EPOCHS_VERSION} "),
    ] {
        assert!(document.contains(&number), "{number}");
    }
}

proptest! {
    #[test]
    fn records_survive_and_every_flip_is_found(
        txns in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..20),
        prior in 0..1000_i64,
        flip in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let input: Vec<(i64, &[u8])> =
            txns.iter().enumerate().map(|(at, txn)| (prior + 1 + at as i64, &txn[..])).collect();
        let (header, mut bytes) = batch(&input, prior);
        let read: Vec<_> = records(&header, &bytes[BATCH_HEADER_BYTES..])
            .map(|record| record.map(|record| (record.zxid.0, record.txn)))
            .collect::<Result<_, _>>()
            .unwrap();
        prop_assert_eq!(read, input);
        let at = flip.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let valid = BatchHeader::decode(&bytes, &segment(), 1 << 20).and_then(|header| {
            let end = BATCH_HEADER_BYTES + header.payload_bytes as usize;
            let max = bytes.len() as u64;
            let whole = bytes.get(..end).ok_or(BatchFault::Length { found: end as u64, max })?;
            header.verify(whole, segment().seed)
        });
        prop_assert!(valid.is_err());
    }

    #[test]
    fn any_bytes_are_a_batch_or_a_fault(
        bytes in proptest::collection::vec(any::<u8>(), 4096),
        count in any::<u32>(),
    ) {
        let mut bytes = bytes;
        bytes[4..8].copy_from_slice(&BATCH_MAGIC.to_le_bytes());
        bytes[8..16].copy_from_slice(&3_u64.to_le_bytes());
        bytes[24..28].copy_from_slice(&(count % 5000).to_le_bytes());
        if let Ok(header) = BatchHeader::decode(&bytes, &segment(), 4096) {
            let end = BATCH_HEADER_BYTES + header.payload_bytes as usize;
            prop_assert!(end <= 4096);
            let _ = header.verify(&bytes[..end], 0);
            prop_assert!(records(&header, &bytes[BATCH_HEADER_BYTES..end]).count() <= 4096);
        }
    }
}
