//! Whatever happens to a file, loading it returns a result, and never a wrong tree.

use super::*;
use crate::format::{ChunkEntry, Extent, Footer, Header, Index};
use crate::limits::{FOOTER_BYTES, HEADER_BYTES};
use disk::AlignedBuf;
use disk::simulated::Seed;

/// A disk that holds these bytes as the snapshot at `zxid`.
fn disk_of(bytes: &[u8], zxid: Zxid) -> Simulated {
    let disk = Simulated::new(1);
    block_on(async {
        let path = directory::path_of(directory(), zxid);
        disk.create_directory(directory()).await.unwrap();
        let file = disk.create(&path, 0).await.unwrap();
        disk.write_at(&file, 0, AlignedBuf::from_bytes(bytes)).await.unwrap();
        disk.resize(&file, bytes.len() as u64).await.unwrap();
    });
    disk
}

#[test]
fn every_flipped_byte_is_found() {
    let plain = Plain::sample(12, 20, 5);
    let (disk, written) = disk_with(&plain);
    let mut seed = Seed::new(1);
    let mut parts = Vec::new();
    for offset in 0..written.bytes {
        for mask in [0xff, 1 << seed.below(8)] {
            disk.flip(&written.path, offset, mask);
            let error = block_on(load(&disk, plain.zxid)).expect_err("a changed byte");
            assert!(error.is_damage(), "{error}");
            let part = match error {
                LoadError::NotASnapshot { .. } => Part::Header,
                LoadError::Corrupt { file, part, offset: at, .. } => {
                    assert!(file == written.path && at <= offset && offset - at < 4096);
                    part
                }
                other => panic!("{other}"),
            };
            if parts.last() != Some(&part) {
                parts.push(part);
            }
            disk.flip(&written.path, offset, mask);
        }
    }
    let all = [Part::Header, Part::Chunk(0), Part::Sessions, Part::Acls, Part::Index, Part::Footer];
    assert_eq!(parts, all);
    assert!(block_on(load(&disk, plain.zxid)).unwrap() == Image::of(&plain));
}

#[test]
fn every_truncation_is_found() {
    let plain = Plain::sample(12, 20, 5);
    let (disk, written) = disk_with(&plain);
    let bytes = disk.content(&written.path).unwrap();
    for length in (0..bytes.len()).step_by(512).chain([1, 4095, 4097, bytes.len() - 1]) {
        let disk = disk_of(&bytes[..length], plain.zxid);
        let error = block_on(load(&disk, plain.zxid)).expect_err("a part of a file");
        assert!(matches!(error, LoadError::Corrupt { .. }), "{error}");
    }
    let longer = [&bytes[..], &[0; 4096]].concat();
    assert!(block_on(load(&disk_of(&longer, plain.zxid), plain.zxid)).is_err());
}

#[test]
fn other_files_and_newer_formats_are_recognised() {
    let plain = Plain::sample(3, 3, 5);
    let (disk, written) = disk_with(&plain);
    let mut bytes = disk.content(&written.path).unwrap();
    bytes[8..12].copy_from_slice(&2_u32.to_be_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..HEADER_BYTES]);
    bytes[12..16].copy_from_slice(&crc.to_be_bytes());
    let error = block_on(load(&disk_of(&bytes, plain.zxid), plain.zxid)).unwrap_err();
    assert!(matches!(error, LoadError::NewerFormat { found: 2, known: 1, .. }));
    assert!(!error.is_damage());
    bytes[..4].copy_from_slice(b"ZKSN");
    let error = block_on(load(&disk_of(&bytes, plain.zxid), plain.zxid)).unwrap_err();
    assert!(matches!(error, LoadError::NotASnapshot { found: [b'Z', ..], .. }));
    // A snapshot under another's name is not that one.
    let bytes = disk.content(&written.path).unwrap();
    assert!(block_on(load(&disk_of(&bytes, Zxid(9)), Zxid(9))).is_err());
}

/// A file of one chunk made by hand, with every checksum right.
struct Forged {
    records: Vec<u8>,
    table: Vec<u32>,
    footer: Footer,
    index: Vec<ChunkEntry>,
}

impl Forged {
    fn new(records: &[Vec<u8>]) -> Self {
        let starts = records.iter().scan(0, |at, record| {
            *at += record.len();
            Some((*at - record.len()) as u32)
        });
        let footer = Footer { zxid: 5, node_count: records.len() as u64, ..Footer::default() };
        Self { table: starts.collect(), records: records.concat(), footer, index: Vec::new() }
    }

    fn load(mut self, change: impl FnOnce(&mut Footer, &mut Vec<ChunkEntry>)) -> Option<Fault> {
        let mut bytes = vec![0; HEADER_BYTES];
        let header = Header { seed: [1, 2], created_by: String::new() };
        self.footer.header_crc32c = header.encode(&mut bytes);
        let mut chunk = self.records.clone();
        chunk.extend(self.table.iter().flat_map(|start| start.to_be_bytes()));
        let extent = append(&mut bytes, &chunk);
        self.index.push(ChunkEntry {
            offset: extent.offset,
            bytes: (bytes.len() as u64 - extent.offset) as u32,
            record_bytes: self.records.len() as u32,
            record_count: self.table.len() as u32,
            crc32c: extent.crc32c,
        });
        self.footer.chunk_count = 1;
        let mut footer = self.footer;
        let sessions = format::archive(&format::SessionSection::new(Vec::new()));
        footer.sessions = append(&mut bytes, &sessions.unwrap());
        let acls = format::archive(&format::AclSection::new(Vec::new()));
        footer.acls = append(&mut bytes, &acls.unwrap());
        let mut rows = self.index;
        change(&mut footer, &mut rows);
        footer.index = append(&mut bytes, &format::archive(&Index { rows }).unwrap());
        footer.file_bytes = (bytes.len() + FOOTER_BYTES) as u64;
        let mut block = vec![0; FOOTER_BYTES];
        footer.encode(&mut block);
        bytes.extend(block);
        match block_on(load(&disk_of(&bytes, Zxid(5)), Zxid(5))) {
            Ok(_) => None,
            Err(LoadError::Corrupt { fault, .. }) => Some(fault),
            Err(other) => panic!("{other}"),
        }
    }
}

fn append(bytes: &mut Vec<u8>, section: &[u8]) -> Extent {
    let offset = bytes.len();
    bytes.extend_from_slice(section);
    bytes.resize(bytes.len().next_multiple_of(4096), 0);
    let crc32c = crc32c::crc32c(&bytes[offset..]);
    Extent { offset: offset as u64, bytes: section.len() as u64, crc32c }
}

#[test]
fn forged_files_are_refused() {
    let records = [record(b"/", b"", 0), record(b"/a", b"some data", 0)];
    let same = |_: &mut Footer, _: &mut Vec<ChunkEntry>| {};
    assert_eq!(Forged::new(&records).load(same), None);
    let with = |change: fn(&mut Forged)| {
        let mut forged = Forged::new(&records);
        change(&mut forged);
        forged.load(same)
    };
    assert!(matches!(with(|it| it.table[1] += 8), Some(Fault::Offset { .. })));
    assert!(matches!(with(|it| it.records[96 + 84] = 0x80), Some(Fault::Record(_))));
    assert!(matches!(with(|it| it.records[96 + 88] = b'a'), Some(Fault::Record(_))));
    assert!(matches!(with(|it| it.records[60] = 1), Some(Fault::Record(_))));
    assert!(matches!(with(|it| it.records[83] = 1), Some(Fault::Acl { found: 1, known: 0 })));
    assert_eq!(with(|it| it.records[89] = b'b'), None);
    let longer = with(|it| it.records.extend_from_slice(&[0; 8]));
    assert!(matches!(longer, Some(Fault::Extent { .. })));
    assert_eq!(Forged::new(&records[1..]).load(same), Some(Fault::NoRoot));
    let sessions = Extent { offset: HEADER_BYTES as u64, ..Extent::default() };
    let empty = Footer { sessions, ..Footer::default() };
    assert_eq!(loader::check_index(&empty, &[]), Err(Fault::NoRoot));
    let outside = |change: fn(&mut Footer, &mut ChunkEntry)| {
        Forged::new(&records).load(|footer, rows| change(footer, &mut rows[0])).expect("a fault")
    };
    assert!(matches!(outside(|footer, _| footer.node_count = 3), Fault::Count { .. }));
    assert!(matches!(outside(|footer, _| footer.session_count = 3), Fault::Count { .. }));
    assert!(matches!(outside(|footer, _| footer.acl_count = 3), Fault::Count { .. }));
    assert!(matches!(outside(|footer, _| footer.chunk_count = 3), Fault::Count { .. }));
    assert!(matches!(outside(|footer, _| footer.acls.offset = 0), Fault::Extent { .. }));
    assert!(matches!(outside(|footer, _| footer.acls.bytes = u64::MAX), Fault::Extent { .. }));
    assert!(matches!(outside(|footer, _| footer.sessions.bytes = 4), Fault::Archive));
    assert!(matches!(outside(|_, row| row.offset = u64::MAX), Fault::Extent { .. }));
    assert!(matches!(outside(|_, row| row.bytes = 8192), Fault::Extent { .. }));
    assert!(matches!(outside(|_, row| row.record_bytes = u32::MAX), Fault::Extent { .. }));
    assert!(matches!(outside(|_, row| row.record_count = 0), Fault::Extent { .. }));
}

#[test]
fn random_bytes_are_an_error_or_a_result() {
    let mut seed = Seed::new(2);
    for round in 0..20_000_u64 {
        let length = seed.below(64) as usize;
        // Small numbers and small negative ones make lengths and pointers that look right.
        let byte = |bits: u64| {
            if bits.is_multiple_of(3) { bits as u8 } else { [0, 0xff, 4][bits as usize % 3] }
        };
        let bytes: Vec<u8> = (0..length).map(|_| byte(seed.next() ^ round)).collect();
        let _ = format::SessionSection::decode(&bytes);
        let _ = format::AclSection::decode(&bytes);
        let _ = Index::decode(&bytes);
    }
}

#[test]
fn blocks_zeroed_or_swapped_are_found() {
    let plain = Plain::sample(120, 200, 5);
    let (disk, written) = disk_with(&plain);
    let bytes = disk.content(&written.path).unwrap();
    let block = |at: usize| &bytes[at * 4096..(at + 1) * 4096];
    let count = bytes.len() / 4096;
    assert!(count > 10, "{count}");
    let put = |at: usize, bytes: &[u8]| {
        disk.overwrite(&written.path, at as u64 * 4096, bytes);
    };
    for first in 0..count {
        put(first, &[0; 4096]);
        let error = block_on(load(&disk, plain.zxid)).expect_err("a block of zeros");
        assert!(error.is_damage() && error.file() == written.path, "{error}");
        for second in first + 1..count {
            put(first, block(second));
            put(second, block(first));
            let error = block_on(load(&disk, plain.zxid)).expect_err("two blocks swapped");
            assert!(error.is_damage() && error.file() == written.path, "{error}");
            put(second, block(second));
        }
        put(first, block(first));
    }
    assert!(block_on(load(&disk, plain.zxid)).unwrap() == Image::of(&plain));
}
