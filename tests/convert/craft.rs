//! Files in `ZooKeeper`'s formats, made here: states that no server reaches within a test's time.

use std::fs;
use std::path::Path;

use harness::Acl;
use harness::wire::Body;

/// The number of the open ACL in a crafted snapshot.
pub(super) const OPEN: i64 = 1;

/// A node of a crafted snapshot.
pub(super) struct Node<'a> {
    pub(super) path: &'a str,
    pub(super) data: &'a [u8],
    pub(super) acl: i64,
    pub(super) cversion: i32,
}

impl<'a> Node<'a> {
    pub(super) fn new(path: &'a str, data: &'a [u8]) -> Self {
        Self { path, data, acl: OPEN, cversion: 0 }
    }
}

/// Writes a data directory with one snapshot, as `ZooKeeper` would have it. The nodes that every
/// server has are added unless `nodes` has them.
pub(super) fn snapshot(data: &Path, zxid: i64, nodes: &[Node<'_>]) {
    let mut body = Body::new().raw(b"ZKSN").int(2).long(-1);
    // No sessions; one ACL.
    body = body.int(0).int(1).long(OPEN).acls(&Acl::open());
    let own = ["", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];
    let own = own.map(|path| Node::new(path, b""));
    let is_given = |node: &&Node<'_>| nodes.iter().any(|it| it.path == node.path);
    for node in own.iter().filter(|node| !is_given(node)).chain(nodes) {
        body = body.string(node.path).buffer(node.data).long(node.acl);
        // Created, changed, when, when; version, counter, version of the ACL; owner, pzxid.
        body = body.long(1).long(1).long(1_000).long(1_000).int(0).int(node.cversion).int(0);
        body = body.long(0).long(zxid);
    }
    body = body.string("/");
    let sum = adler32(&body.0);
    body = body.long(sum.into()).string("/");
    let directory = data.join("version-2");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(format!("snapshot.{zxid:x}")), body.0).unwrap();
}

/// Writes a log that begins with this txn and has no other, one that failed.
pub(super) fn log(directory: &Path, zxid: i64) {
    // Session, cxid, zxid, time, kind; the error.
    let txn = Body::new().long(7).int(1).long(zxid).long(1_000).int(-1).int(-101).0;
    let length = i32::try_from(txn.len()).unwrap();
    let file = Body::new().raw(b"ZKLG").int(2).long(0);
    let file = file.long(adler32(&txn).into()).int(length).raw(&txn).raw(b"B");
    fs::create_dir_all(directory).unwrap();
    fs::write(directory.join(format!("log.{zxid:x}")), file.raw(&[0; 4096]).0).unwrap();
}

pub(super) fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    b << 16 | a
}
