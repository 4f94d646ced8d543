//! The form of a snapshot that leaders send.

use super::snapshot::SnapshotReader;
use super::stream::StreamError;
use crate::export;
use crate::import::Rebuilt;
use crate::tests::FIXTURES;
use engine::batch::Batch;
use engine::pipeline::Head;
use engine::settings::Settings;
use engine::tree::TreeSeed;
use model::acl::AclList;
use model::op::Op;
use model::peer::packet::put_snapshot_end;
use model::session::{ExtendedTypes, SessionId};
use model::txn::{CreateTxn, NodeKind, Txn, TxnHeader};
use model::zxid::Zxid;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

const SEED: TreeSeed = TreeSeed([3, 4]);

/// Gives a few bytes at a time.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = into.len().min(self.0.len()).min(7);
        let (now, later) = self.0.split_at(count);
        into[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

fn receive(source: impl Read) -> Result<(Rebuilt, Vec<u8>), StreamError> {
    let mut rebuilt = Rebuilt::new(SEED, ExtendedTypes::default());
    let rest = rebuilt.receive(SnapshotReader::sent(source))?;
    Ok((rebuilt, rest))
}

/// Path, Stat and data of a node.
type Node = (Vec<u8>, Vec<u8>, Option<Vec<u8>>);

fn records(rebuilt: &Rebuilt) -> Vec<Node> {
    let records = rebuilt.tree.records();
    let mut all: Vec<_> = records
        .map(|it| (it.path().to_vec(), it.stat_bytes().to_vec(), it.data().map(<[u8]>::to_vec)))
        .collect();
    all.sort();
    all
}

#[test]
fn what_a_stock_leader_sends_is_what_its_file_holds() {
    let directory = Path::new(FIXTURES).join("plain/version-2");
    let mut count = 0;
    for file in super::directory::snapshots(&directory).unwrap() {
        let mut expected = Rebuilt::new(SEED, ExtendedTypes::default());
        let mut reader = SnapshotReader::open(&file.path).unwrap();
        expected.load(&mut reader, &mut |_| ()).unwrap();
        let bytes = std::fs::read(&file.path).unwrap();
        let mut reader = SnapshotReader::open(&file.path).unwrap();
        reader.preamble().unwrap();
        while reader.next_node().unwrap().is_some() {}
        // Without magic, version and database, and without what follows the nodes.
        let mut sent = bytes[16..reader.offset() as usize].to_vec();
        put_snapshot_end(&mut sent);
        let whole = sent.len();
        sent.extend_from_slice(b"next");
        let (received, rest) = receive(Trickle(&sent)).unwrap();
        assert_eq!(records(&received), records(&expected));
        assert_eq!(received.tree.digest(), expected.tree.digest());
        assert_eq!(received.sessions, expected.sessions);
        assert!(b"next".starts_with(&rest[..]));
        for cut in [0, 3, 5, whole / 2, whole - 11, whole - 1] {
            assert!(receive(&sent[..cut]).is_err(), "cut at {cut}");
        }
        sent[whole - 1] ^= 1;
        let error = receive(&sent[..]).err().unwrap().to_string();
        assert!(error.contains("BenWasHer"), "{error}");
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn what_is_sent_is_received() {
    let mut head = Head::new(Arc::new(Settings::default()), SEED);
    let mut batch = Batch::default();
    let mut zxid = Zxid(0);
    let mut apply = |op, txn: &Txn<'_>| {
        zxid = zxid.next();
        let header = TxnHeader { session: SessionId(77), cxid: 0, zxid, time_ms: 5, op };
        head.apply(&header, op, txn, &mut batch).unwrap();
    };
    apply(Op::CreateSession, &Txn::CreateSession { timeout_ms: 4_000 });
    for number in 0..3_000_i32 {
        let path = match number % 3 {
            0 => format!("/n{number}"),
            1 => format!("/n{}/child", number - 1),
            _ => format!("/e{number}"),
        };
        let (kind, acl) = match number % 3 {
            0 => (NodeKind::Persistent, AclList::OPEN),
            1 => (NodeKind::Container, AclList::READ_ONLY),
            _ => (NodeKind::Ephemeral, AclList::OPEN),
        };
        let data = (number % 7 > 0).then_some(path.as_bytes());
        let create = CreateTxn { path: path.as_bytes(), data, acl, kind, parent_cversion: 1 };
        apply(Op::Create, &Txn::Create(create));
    }
    let version = head.seal();
    head.tree.publish(version);
    let pin = head.tree.pin().unwrap();
    let mut sent = Vec::new();
    let length = export::send(pin.view(), &mut sent).unwrap();
    assert_eq!(length, sent.len() as u64);
    let (received, rest) = receive(Trickle(&sent)).unwrap();
    assert!(rest.is_empty());
    assert_eq!(received.tree.digest(), head.tree.digest());
    assert_eq!(received.tree.node_count(), head.tree.node_count());
    assert_eq!(received.sessions, [(SessionId(77), 4_000)].into());
    for record in head.tree.records() {
        let found = received.tree.lookup(record.path()).unwrap();
        assert_eq!(found.stat_bytes(), record.stat_bytes());
        assert_eq!(found.data(), record.data());
        assert_eq!(found.owner_raw(), record.owner_raw());
    }
}
