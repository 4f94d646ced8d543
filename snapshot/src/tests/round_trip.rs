//! What is written is read back.

use super::*;
use crate::format::ChunkEntry;
use crate::limits::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, UNIT_BYTES};
use proptest::prelude::*;

#[test]
fn what_is_written_is_read() {
    for (count, data_bytes) in [(0, 0), (1, 0), (40, 100), (30_000, 100), (2000, 5000)] {
        let plain = Plain::sample(count, data_bytes, 0x1_0000_0007);
        let (disk, written) = disk_with(&plain);
        let image = block_on(load(&disk, plain.zxid)).unwrap();
        assert!(image == Image::of(&plain), "{count} nodes of {data_bytes} bytes");
        assert_eq!(disk.content(&written.path).unwrap().len() as u64, written.bytes);
        assert_eq!(block_on(disk.list(directory())).unwrap().len(), 1);
    }
}

#[test]
fn records_of_any_size_are_packed() {
    let mut plain = Plain::sample(10, 10, 5);
    let sizes = [CHUNK_BYTES_MAX, 3 * UNIT_BYTES, 1, UNIT_BYTES - 100, CHUNK_BYTES_MAX - 4200, 0];
    for (number, data_bytes) in sizes.into_iter().enumerate() {
        let data = vec![number as u8; data_bytes];
        plain.records.push(record(format!("/big-{number}").as_bytes(), &data, 4));
    }
    let (disk, _) = disk_with(&plain);
    assert!(block_on(load(&disk, plain.zxid)).unwrap() == Image::of(&plain));
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let plain = Plain::sample(9000, 120, 6);
    let mut renumbered = plain.clone();
    renumbered.sessions.reverse();
    renumbered.acls = [(1, acl_list(3)), (2, acl_list(1)), (3, acl_list(0))].into();
    for bytes in &mut renumbered.records {
        let number: u32 = match bytes[83] {
            17 => 1,
            4 => 2,
            9 => 3,
            other => other.into(),
        };
        bytes[80..84].copy_from_slice(&number.to_be_bytes());
    }
    let contents = [plain.clone(), plain, renumbered].map(|plain| {
        let (disk, written) = disk_with(&plain);
        disk.content(&written.path).unwrap()
    });
    assert!(contents[0] == contents[1] && contents[1] == contents[2]);
}

#[test]
fn chunks_are_cut_by_content() {
    let plain = Plain::sample(60_000, 100, 5);
    let (disk, _) = disk_with(&plain);
    let mut fewer = plain.clone();
    fewer.records.remove(1);
    let (other, _) = disk_with(&fewer);
    let chunks = [disk, other].map(|disk| {
        let loader = block_on(Loader::open(&disk, directory(), Zxid(5))).unwrap();
        loader.contents().chunks.clone()
    });
    let (last, before) = chunks[0].split_last().unwrap();
    assert!(before.len() > 10 && last.bytes as usize <= CHUNK_BYTES_MAX);
    let sizes = before.iter().map(|chunk| chunk.bytes as usize);
    assert!(sizes.clone().all(|bytes| (CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX).contains(&bytes)));
    let crcs = |chunks: &[ChunkEntry]| chunks.iter().map(|it| it.crc32c).collect::<Vec<_>>();
    let (one, other) = (crcs(&chunks[0]), crcs(&chunks[1]));
    assert!(one[1..] == other[1..] && one[0] != other[0], "later chunks are the same ones");
}

#[test]
fn a_tree_that_differs_from_its_head_is_not_kept() {
    let plain = Plain::sample(10, 10, 5);
    let disk = Simulated::new(1);
    let pace = async |_| ControlFlow::Continue(());
    let fail = |head: SnapshotHead| {
        block_on(async {
            disk.create_directory(directory()).await.unwrap();
            let source = &mut plain.clone();
            let error = write(&disk, directory(), &head, "", source, pace).await.unwrap_err();
            assert!(disk.list(directory()).await.unwrap().is_empty());
            error
        })
    };
    let head = plain.head();
    let error = fail(SnapshotHead { node_count: 12, ..head });
    assert!(matches!(error, WriteError::NodeCount { expected: 12, found: 11 }));
    let error = fail(SnapshotHead { digest: head.digest ^ 1, ..head });
    assert!(matches!(error, WriteError::Digest { .. }));
}

#[test]
fn the_pace_may_stop_it() {
    let plain = Plain::sample(20_000, 100, 5);
    let disk = Simulated::new(1);
    block_on(async {
        disk.create_directory(directory()).await.unwrap();
        let mut calls = 0;
        let pace = async |bytes| {
            calls += 1;
            assert!(bytes > 0);
            if calls == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let head = plain.head();
        let stopped = write(&disk, directory(), &head, "", &mut plain.clone(), pace).await;
        assert!(matches!(stopped, Err(WriteError::Stopped)));
        assert!(disk.list(directory()).await.unwrap().is_empty());
    });
}

#[test]
fn a_report_says_what_is_in_it() {
    let plain = Plain::sample(10, 10, 0x1b);
    let (disk, written) = disk_with(&plain);
    let report = block_on(inspect(&disk, directory(), plain.zxid, true)).unwrap();
    assert!(report.is_whole());
    let text = report.to_string();
    for part in ["snapshot.1b", "a test", "0x1b in epoch 3", "nodes       11", "whole"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    disk.flip(&written.path, 4096 + 100, 1);
    let report = block_on(inspect(&disk, directory(), plain.zxid, true)).unwrap();
    assert!(!report.is_whole() && report.to_string().contains("chunk 0 is damaged at 0"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 48 }))]
    #[test]
    fn any_tree_survives(
        nodes in proptest::collection::vec(
            ("[a-z]{1,40}", proptest::collection::vec(any::<u8>(), 0..600), 0..6_u32),
            0..60,
        ),
        copies in 1..80_usize,
        ids in proptest::collection::btree_set(any::<i64>(), 0..20),
        zxid in 0..i64::MAX,
    ) {
        let mut plain = Plain { zxid: Zxid(zxid), ..Plain::default() };
        plain.records.push(record(b"/", b"x", 3));
        for copy in 0..copies {
            for (name, data, acl) in &nodes {
                plain.records.push(record(format!("/{name}{copy}").as_bytes(), data, *acl));
            }
        }
        plain.acls = (1..6).map(|number| (number, acl_list(number))).collect();
        let session = |id| Session { id: SessionId(id), timeout_ms: 9 };
        plain.sessions = ids.into_iter().map(session).collect();
        let (disk, _) = disk_with(&plain);
        let image = block_on(load(&disk, plain.zxid)).unwrap();
        prop_assert!(image == Image::of(&plain));
    }
}
