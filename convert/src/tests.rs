//! Whatever bytes a file holds, every reader of it ends without a panic.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use disk::{AlignedBuf, BLOCK_BYTES, Disk, Simulated, block_on};
use flate2::write::GzEncoder;
use model::session::ExtendedTypes;
use model::zxid::Zxid;
use proptest::prelude::*;
use txlog::format::{BATCH_HEADER_BYTES, RECORD_HEADER_BYTES, write_record_header};
use txlog::{BatchHeader, FormatVersion, SegmentHeader, SegmentNumber, Sequence, Start};

use crate::import::tests::TempFile;
use crate::import::{self, ImportOptions};
use crate::inspect::{self, Format, Item};
use crate::stock::compression::SnappyReader;

pub(crate) const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/convert/fixtures");

/// Files that `ZooKeeper` has written.
fn samples() -> Vec<(PathBuf, Vec<u8>)> {
    let mut samples = Vec::new();
    for name in ["plain", "gz", "snappy"] {
        let directory = Path::new(FIXTURES).join(name).join("version-2");
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = std::fs::read(&path).unwrap();
            // Some of the zeros after a log are enough.
            let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
            bytes.truncate(end + 64);
            samples.push((path, bytes));
        }
    }
    samples.sort();
    samples
}

/// Inspects stock's file of these bytes with every reader that its first bytes allow.
fn look_into_stock(name: &Path, bytes: &[u8]) -> (bool, Vec<Item>) {
    let ending = name.extension().map_or(String::new(), |it| format!(".{}", it.display()));
    let file = TempFile::new(&ending);
    let path = file.write(bytes);
    let mut items = Vec::new();
    let mut show = |item: &Item| {
        let _ = item.to_string();
        items.push(item.clone());
        Ok(())
    };
    let is_whole = match inspect::format_of(path).unwrap() {
        Format::StockLog => inspect::stock_log(path, &mut show),
        Format::StockSnapshot(packed) => inspect::stock_snapshot(path, packed, true, &mut show),
        _ => Ok(false),
    };
    (is_whole.unwrap(), items)
}

#[test]
fn samples_are_whole() {
    for (path, bytes) in samples() {
        let (is_whole, items) = look_into_stock(&path, &bytes);
        assert!(is_whole, "{}: {items:?}", path.display());
        assert_eq!(items.last().unwrap().kind, "end");
        let digest = |name| items.last().unwrap().json().get(name).cloned();
        if items[0].json()["format"] == "ZooKeeper snapshot" && digest("last_zxid").is_some() {
            let zxid = digest("last_zxid").unwrap();
            assert!(zxid == "0x0" || digest("digest") == digest("written_digest"));
        }
    }
}

/// A flipped bit is reported or harmless: never a txn or node that was not there, under a checksum.
#[test]
fn every_flipped_bit_of_a_plain_snapshot_is_found() {
    let all = samples();
    let (path, bytes) =
        all.iter().find(|(path, _)| path.ends_with("plain/version-2/snapshot.5c")).unwrap();
    let last_seal = bytes.len() - 1;
    for at in (0..last_seal).step_by(3) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let (is_whole, items) = look_into_stock(path, &damaged);
        // The path after a checksum is read and not checked, as in stock.
        let found = !is_whole && (items.is_empty() || items.last().unwrap().kind == "damage");
        let is_seal_path = bytes.len() - at <= 5 || damaged.len() != bytes.len();
        assert!(found || is_seal_path, "offset {at}: {:?}", items.last());
    }
}

/// What stock's files begin with.
const BEGINNINGS: [&[u8]; 5] = [
    b"ZKSN\0\0\0\x02",
    b"ZKLG\0\0\0\x02",
    b"\x1f\x8b\x08\0",
    b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01",
    b"",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_of_stock(
        begin in prop::sample::select(BEGINNINGS.to_vec()),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let bytes = [begin, &rest].concat();
        look_into_stock(Path::new("x"), &bytes);
        let mut unpacked = Vec::new();
        let _ = io::Read::read_to_end(&mut SnappyReader::new(&bytes[..]), &mut unpacked);
    }

    #[test]
    fn samples_with_changed_bytes(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let all = samples();
        let (path, mut bytes) = all[which.index(all.len())].clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        look_into_stock(&path, &bytes);
        import_with(&path, &bytes);
    }

    #[test]
    fn our_files_with_changed_bytes(
        is_log in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4),
    ) {
        let (disk, path) = if is_log { our_log() } else { our_snapshot() };
        let bytes = disk.content(&path).unwrap();
        for (at, mask) in changes {
            disk.flip(&path, at.index(bytes.len()) as u64, mask);
        }
        look_into_ours(&disk, &path, is_log);
    }

    #[test]
    fn any_bytes_as_ours(
        is_log in any::<bool>(),
        blocks in 0..4_usize,
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let disk = Simulated::new(1);
        let path = PathBuf::from("/d/file");
        let magic = if is_log { *b"RKLOGSEG" } else { *b"RKSNPSHT" };
        let bytes = [&magic[..], &rest, &vec![0; blocks * BLOCK_BYTES]].concat();
        put(&disk, &path, &bytes);
        let (is_whole, _) = look_into_ours(&disk, &path, is_log);
        prop_assert!(!is_whole);
    }
}

/// Imports a fixture in which one file has these bytes.
fn import_with(changed: &Path, bytes: &[u8]) {
    let folder = TempFile::new("");
    let inside = folder.0.join("version-2");
    std::fs::create_dir_all(&inside).unwrap();
    for entry in std::fs::read_dir(changed.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let to = inside.join(path.file_name().unwrap());
        if path == changed {
            std::fs::write(to, bytes).unwrap();
        } else {
            std::fs::copy(&path, to).unwrap();
        }
    }
    for lenient in [false, true] {
        let options = ImportOptions {
            stop_at_damage: lenient,
            accept_mismatch: lenient,
            ..options(&folder.0)
        };
        let _ = import::read(&options, &mut |_| ());
    }
    std::fs::remove_dir_all(&folder.0).unwrap();
}

pub(crate) fn options(data_dir: &Path) -> ImportOptions {
    ImportOptions {
        data_dir: data_dir.to_owned(),
        log_dir: None,
        stop_at_damage: false,
        accept_mismatch: false,
        trust_empty_snapshot: false,
        without_log: false,
        clear_ensemble: false,
        types: ExtendedTypes { enabled: true, emulate_353: false },
        seed: [1, 2],
    }
}

/// The plain fixture, imported.
fn our_snapshot() -> (Simulated, PathBuf) {
    let disk = Simulated::new(1);
    let imported = import::read(&options(&Path::new(FIXTURES).join("plain")), &mut |_| ()).unwrap();
    let pace = async |_| std::ops::ControlFlow::Continue(());
    let report = block_on(imported.write(&disk, Path::new("/d"), "test", pace)).unwrap();
    let name = snapshot::directory::name_of(report.zxid);
    (disk, Path::new("/d").join(snapshot::directory::DIRECTORY).join(name))
}

/// A segment with two batches of one txn each.
fn our_log() -> (Simulated, PathBuf) {
    let header = SegmentHeader {
        version: FormatVersion::CURRENT,
        number: SegmentNumber(1),
        segment_bytes: 8 * BLOCK_BYTES as u64,
        seed: 7,
        start: Start::Restart {
            continues_from: Zxid(4),
            committed_through: Zxid(3),
            counts_from: None,
        },
    };
    let mut bytes = vec![0; header.segment_bytes as usize];
    header.encode(&mut bytes[..BLOCK_BYTES]);
    let txn: Vec<u8> =
        [&[0; 8][..], &[0; 4], &5_i64.to_be_bytes(), &[0; 8], &(-1_i32).to_be_bytes()]
            .concat()
            .into_iter()
            .chain([0; 4])
            .collect();
    for number in 1..3_u64 {
        let mut batch = vec![0; BATCH_HEADER_BYTES + RECORD_HEADER_BYTES + txn.len()];
        let zxid = Zxid(4 + number as i64);
        write_record_header(&mut batch[BATCH_HEADER_BYTES..], zxid, txn.len());
        batch[BATCH_HEADER_BYTES + RECORD_HEADER_BYTES..].copy_from_slice(&txn);
        let mut sealed = BatchHeader {
            version: header.version,
            crc: 0,
            segment: header.number,
            sequence: Sequence(number),
            payload_bytes: 0,
            record_count: 1,
            predecessor_crc: 0,
            is_end: false,
            durable_sequence: Sequence(number - 1),
            durable_through: Zxid(4),
            prior: Zxid(zxid.0 - 1),
            first: zxid,
            last: zxid,
            committed_through: Zxid(4),
        };
        sealed.seal(&mut batch, header.seed);
        let at = number as usize * BLOCK_BYTES;
        bytes[at..at + batch.len()].copy_from_slice(&batch);
    }
    let (disk, path) = (Simulated::new(1), PathBuf::from("/d/log-0000000000000001"));
    put(&disk, &path, &bytes);
    (disk, path)
}

fn put(disk: &Simulated, path: &Path, bytes: &[u8]) {
    block_on(async {
        disk.create_directory(path.parent().unwrap()).await.unwrap();
        let file = disk.create(path, 0).await.unwrap();
        disk.write_at(&file, 0, AlignedBuf::from_bytes(bytes)).await.unwrap();
        disk.resize(&file, bytes.len() as u64).await.unwrap();
    });
}

fn look_into_ours(disk: &Simulated, path: &Path, is_log: bool) -> (bool, Vec<Item>) {
    let mut items = Vec::new();
    let bytes = disk.content(path).unwrap().len() as u64;
    let mut last = true;
    for with_nodes in [true, false] {
        items.clear();
        let mut show = |item: &Item| {
            let _ = (item.to_string(), item.json());
            items.push(item.clone());
            Ok(())
        };
        last = block_on(async {
            if is_log {
                inspect::our_log(disk, path, &mut show).await
            } else {
                inspect::our_snapshot(disk, path, bytes, with_nodes, &mut show).await
            }
        })
        .unwrap();
        let is_damage = items.iter().any(|item| item.kind == "damage");
        assert!(last != is_damage, "{items:?}");
    }
    (last, items)
}

#[test]
fn our_files_are_whole() {
    for (is_log, (disk, path)) in [(true, our_log()), (false, our_snapshot())] {
        let (is_whole, items) = look_into_ours(&disk, &path, is_log);
        assert!(is_whole, "{items:?}");
    }
    let (disk, path) = our_log();
    disk.flip(&path, BLOCK_BYTES as u64 + 90, 1);
    let (is_whole, items) = look_into_ours(&disk, &path, true);
    assert!(!is_whole);
    let damage = items.iter().find(|item| item.kind == "damage").unwrap().json();
    assert_eq!(damage["offset"], BLOCK_BYTES);
    assert_eq!(items.iter().filter(|item| item.kind == "batch").count(), 1, "what follows");
}

#[test]
fn a_long_field_takes_no_memory_before_it_is_there() {
    let mut bytes = b"ZKSN\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend_from_slice(&i32::MAX.to_be_bytes());
    let (is_whole, items) = look_into_stock(Path::new("x"), &bytes);
    assert!(!is_whole);
    let damage = items.last().unwrap().json();
    assert_eq!((&damage["expected"], &damage["found"]), (&"2147483647".into(), &"0".into()));
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&bytes).unwrap();
    let (is_whole, again) = look_into_stock(Path::new("x.gz"), &packed.finish().unwrap());
    assert!(!is_whole);
    assert_eq!(again.last().unwrap().json(), damage);
}
