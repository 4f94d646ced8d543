use super::*;
use std::alloc::{Layout, alloc, dealloc};

/// A record in a block of its own, for tests.
struct Owned(NonNull<u8>, Layout);

impl Owned {
    fn new(draft: &Draft<'_>, birth: u64) -> Self {
        let layout = Layout::from_size_align(draft.block_bytes(), 8).unwrap();
        // SAFETY: a record is never empty.
        let at = NonNull::new(unsafe { alloc(layout) }).unwrap();
        // SAFETY: a fresh block of the size that the draft asks for.
        unsafe { draft.write_to(at, birth) };
        Self(at, layout)
    }

    fn record(&self) -> NodeRecord<'_> {
        // SAFETY: `new` wrote a record there.
        unsafe { NodeRecord::from_raw(self.0) }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.0.as_ptr(), self.1) };
    }
}

fn stat() -> Stat {
    Stat {
        czxid: 0x1_0000_0001,
        mzxid: 0x1_0000_0002,
        ctime: 3,
        mtime: 4,
        version: 5,
        cversion: 0,
        aversion: 6,
        ephemeral_owner: 0,
        data_length: 0,
        num_children: 3,
        pzxid: 0x1_0000_0007,
    }
}

fn draft<'a>(path: &'a [u8], data: Option<&'a [u8]>) -> Draft<'a> {
    Draft {
        stat: stat(),
        stored_cversion: 10,
        owner_raw: 0,
        acl: 7,
        path,
        data: data.map_or(DraftData::Null, DraftData::Inline),
        crc: None,
    }
}

#[test]
fn what_is_written_is_read() {
    for data in [None, Some(&b""[..]), Some(b"hello")] {
        for owner_raw in [0, i64::MIN, (0xff << 56) | 0x4d2] {
            let owned = Owned::new(&Draft { owner_raw, ..draft(b"/a/b", data) }, 77);
            let record = owned.record();
            assert_eq!(record.birth(), 77);
            assert_eq!(record.path(), b"/a/b");
            assert_eq!(record.data(), data);
            assert_eq!(record.acl(), 7);
            assert_eq!(record.owner_raw(), owner_raw);
            assert_eq!(record.stored_cversion(), 10);
            let length = data.map_or(0, |d| d.len() as i32);
            assert_eq!(record.stat_native(), Stat { cversion: 17, data_length: length, ..stat() });
            assert_eq!(record.stat_bytes()[52..56], length.to_be_bytes());
            let again = Owned::new(&Draft::of(record), 77);
            assert_eq!(again.record().stat_bytes(), record.stat_bytes());
            assert_eq!(again.record().owner_raw(), owner_raw);
        }
    }
}

#[test]
fn ephemeral_owner_is_raw_and_shown() {
    let mut draft = draft(b"/e", None);
    draft.stat.ephemeral_owner = 0x1234;
    draft.owner_raw = 0x1234;
    let owned = Owned::new(&draft, 1);
    assert_eq!(owned.record().owner_raw(), 0x1234);
    assert_eq!(owned.record().block_bytes(), 88 + 2);
}

#[test]
fn stored_cversion_survives_every_wrap() {
    for stored in [0, 1, -1, i32::MAX, i32::MIN, 0x4000_0000, -0x4000_0001] {
        for children in [0, 1, 2, i32::MAX] {
            let mut draft = draft(b"/a", None);
            draft.stat.num_children = children;
            draft.stored_cversion = stored;
            let owned = Owned::new(&draft, 1);
            assert_eq!(owned.record().stored_cversion(), stored);
            // SAFETY: the block belongs to this test.
            unsafe { NodeRecord::patch_children(owned.0, stored.wrapping_add(1), children, 9) };
            assert_eq!(owned.record().stored_cversion(), stored.wrapping_add(1));
            assert_eq!(owned.record().stat().pzxid.to_native(), 9);
        }
    }
}

/// The digest as stock computes it, from its definition.
fn stock_digest(record: NodeRecord<'_>) -> u64 {
    let stat = record.stat_native();
    let mut bytes = if record.path() == b"/" { Vec::new() } else { record.path().to_vec() };
    bytes.extend_from_slice(record.data().unwrap_or_default());
    for long in [stat.czxid, stat.mzxid, stat.pzxid, stat.ctime, stat.mtime] {
        bytes.extend_from_slice(&long.to_be_bytes());
    }
    for int in [stat.version, record.stored_cversion(), stat.aversion] {
        bytes.extend_from_slice(&int.to_be_bytes());
    }
    bytes.extend_from_slice(&record.owner_raw().to_be_bytes());
    u64::from(crc32fast::hash(&bytes))
}

#[test]
fn digest_is_stocks() {
    for path in [&b"/"[..], b"/a", b"/zookeeper", b"/zookeeperx"] {
        let owned = Owned::new(&draft(path, Some(b"data")), 1);
        assert_eq!(owned.record().digest(), stock_digest(owned.record()));
        // SAFETY: the block belongs to this test.
        unsafe { NodeRecord::patch_acl(owned.0, 8, 9) };
        assert_eq!(owned.record().digest(), stock_digest(owned.record()));
    }
    assert_eq!(Owned::new(&draft(b"/zookeeper/quota", None), 1).record().digest(), 0);
}

#[test]
fn archives_are_self_contained() {
    let big = vec![7; 5000];
    let layout = Layout::from_size_align(DataBlock::HEAD_BYTES + big.len(), 8).unwrap();
    // SAFETY: the layout is not empty.
    let at = NonNull::new(unsafe { alloc(layout) }).unwrap();
    // SAFETY: a fresh block with room for header and data.
    let block = unsafe { DataBlock::write(at, 1, &big) };
    let detached = Draft { data: DraftData::Detached(block), ..draft(b"/big", None) };
    let owned = Owned::new(&detached, 5);
    assert_eq!(owned.record().data(), Some(&big[..]));
    assert_eq!(owned.record().block_bytes(), 88 + 4 + 8);
    let inline = Owned::new(&draft(b"/big", Some(&big)), 6);
    let (mut one, mut other) = (Vec::new(), Vec::new());
    owned.record().append_archive(&mut one);
    inline.record().append_archive(&mut other);
    assert_eq!(one, other);
    assert_eq!(one.len(), owned.record().archive_bytes());
    let parsed = NodeRecord::parse(&one).unwrap();
    assert_eq!(parsed.data(), Some(&big[..]));
    assert_eq!(parsed.digest(), owned.record().digest());
    drop(owned);
    // SAFETY: allocated above with this layout; its record is no longer used.
    unsafe { dealloc(at.as_ptr(), layout) };
}

#[test]
fn a_block_that_is_appended_is_the_block_that_is_written() {
    let mut out = b"before".to_vec();
    for data in [None, Some(&b""[..]), Some(b"hello")] {
        let draft = Draft { owner_raw: 77, ..draft(b"/a/b", data) };
        let (owned, start) = (Owned::new(&draft, 9), out.len());
        draft.append_block(&mut out, 9);
        let written = owned.record().bytes(0, draft.block_bytes());
        assert_eq!(&out[start..], written);
    }
    assert!(out.starts_with(b"before"));
}

#[test]
fn broken_archives_are_refused() {
    let owned = Owned::new(&draft(b"/a/b", Some(b"some data")), 3);
    let mut good = Vec::new();
    owned.record().append_archive(&mut good);
    assert_eq!(NodeRecord::parse(&good).unwrap().path(), b"/a/b");
    for len in 0..good.len() {
        assert!(matches!(NodeRecord::parse(&good[..len]), Err(RecordError::Short { .. })));
    }
    let with = |offset: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[offset] = byte;
        NodeRecord::parse(&bytes).map(NodeRecord::path).map(<[u8]>::to_vec)
    };
    assert!(matches!(with(0, 1), Err(RecordError::Lengths { .. })));
    assert!(matches!(with(60, 0x80), Err(RecordError::Lengths { data_length: ..0 })));
    assert!(matches!(with(84, 0x80), Err(RecordError::Shape(_))));
    assert!(matches!(with(84, 0x02), Err(RecordError::Shape(_))));
    assert!(matches!(with(84, 0x01), Err(RecordError::Lengths { .. })));
    assert!(matches!(with(85, 0xff), Err(RecordError::Short { .. })));
    assert_eq!(with(88, b'x'), Err(RecordError::Path));
}
