use super::golden;
use crate::acl::{AclEntry, AclList};
use crate::error::ErrorCode;
use crate::jute::{self, JuteReader};
use crate::op::Op;
use crate::session::SessionId;
use crate::txn::{
    CreateTxn, DIGEST_VERSION, MultiTxn, NodeKind, Txn, TxnDigest, TxnHeader, put_sub_error,
    put_sub_txn,
};
use crate::zxid::Zxid;
use proptest::prelude::*;

const OPEN: &str = "00000001 0000001f 00000005 'world' 00000006 'anyone'";

fn assert_golden(op: Op, txn: &Txn<'_>, text: &str) {
    let mut bytes = Vec::new();
    txn.encode(&mut bytes);
    assert_eq!(bytes, golden(text), "{op:?}");
    let mut reader = JuteReader::new(&bytes);
    assert_eq!(&Txn::decode(op, &mut reader).unwrap(), txn);
    assert!(reader.rest().is_empty());
}

#[test]
fn headers_and_digests() {
    let header = TxnHeader {
        session: SessionId(0x0100_0000_0000_0001),
        cxid: 5,
        zxid: Zxid(0x2_0000_0003),
        time_ms: 1000,
        op: Op::Create2,
    };
    let mut bytes = Vec::new();
    header.encode(&mut bytes);
    TxnDigest { version: DIGEST_VERSION, tree: -2 }.encode(&mut bytes);
    let expected = "0100000000000001 00000005 0000000200000003 00000000000003e8 0000000f
        00000002 fffffffffffffffe";
    assert_eq!(bytes, golden(expected));
    let mut reader = JuteReader::new(&bytes);
    assert_eq!(TxnHeader::decode(&mut reader).unwrap(), header);
    assert_eq!(TxnDigest::decode(&mut reader).unwrap(), Some(TxnDigest { version: 2, tree: -2 }));
    assert_eq!(TxnDigest::decode(&mut reader).unwrap(), None);
}

#[test]
fn create_txns() {
    let create = CreateTxn {
        path: b"/a",
        data: Some(b"x"),
        acl: AclList::OPEN,
        kind: NodeKind::Persistent,
        parent_cversion: 3,
    };
    let common = format!("00000002 '/a' 00000001 'x' {OPEN}");
    assert_golden(Op::Create, &Txn::Create(create), &format!("{common} 00 00000003"));
    let ephemeral = CreateTxn { kind: NodeKind::Ephemeral, ..create };
    assert_golden(Op::Create2, &Txn::Create(ephemeral), &format!("{common} 01 00000003"));
    let container = CreateTxn { kind: NodeKind::Container, ..create };
    assert_golden(Op::CreateContainer, &Txn::Create(container), &format!("{common} 00000003"));
    let ttl = CreateTxn { kind: NodeKind::Ttl(5000), ..create };
    let text = format!("{common} 00000003 0000000000001388");
    assert_golden(Op::CreateTtl, &Txn::Create(ttl), &text);
}

#[test]
fn other_txns() {
    let path: &[u8] = b"/a";
    assert_golden(Op::Delete, &Txn::Delete { path }, "00000002 '/a'");
    assert_golden(Op::DeleteContainer, &Txn::Delete { path }, "00000002 '/a'");
    let set = Txn::SetData { path, data: None, version: 2 };
    assert_golden(Op::SetData, &set, "00000002 '/a' ffffffff 00000002");
    let set_acl = Txn::SetAcl { path, acl: AclList::OPEN, version: 2 };
    assert_golden(Op::SetAcl, &set_acl, &format!("00000002 '/a' {OPEN} 00000002"));
    assert_golden(Op::Check, &Txn::Check { path, version: 1 }, "00000002 '/a' 00000001");
    assert_golden(Op::CreateSession, &Txn::CreateSession { timeout_ms: 30_000 }, "00007530");
    assert_golden(Op::Error, &Txn::Error(ErrorCode::NoNode.code()), "ffffff9b");
}

#[test]
fn multi_txns() {
    let mut subs = Vec::new();
    put_sub_txn(&mut subs, Op::Delete, &Txn::Delete { path: b"/a" });
    put_sub_error(&mut subs, ErrorCode::RuntimeInconsistency);
    let multi = Txn::Multi(MultiTxn::of_encoded(2, &subs));
    let text = "00000002 00000002 00000006 00000002 '/a' ffffffff 00000004 fffffffe";
    assert_golden(Op::Multi, &multi, text);
    let Txn::Multi(multi) = multi else { unreachable!("made above") };
    let txns: Vec<_> = multi.iter().collect();
    assert_eq!(txns, [(Op::Delete, Txn::Delete { path: b"/a" }), (Op::Error, Txn::Error(-2))]);
}

fn close(paths: &[&[u8]], has_digest: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    jute::put_length(&mut bytes, paths.len());
    for path in paths {
        jute::put_string(&mut bytes, path);
    }
    if has_digest {
        TxnDigest { version: DIGEST_VERSION, tree: 77 }.encode(&mut bytes);
    }
    bytes
}

/// The list and the digest may each be present or absent: both are read as they were written.
#[test]
fn closed_sessions() {
    let lists: [&[&[u8]]; 4] = [&[], &[b"/abc"], &[b"/a", b"/b"], &[b"/some/longer/path"]];
    for paths in lists {
        for has_digest in [false, true] {
            let bytes = close(paths, has_digest);
            let mut reader = JuteReader::new(&bytes);
            let txn = Txn::decode(Op::CloseSession, &mut reader).unwrap();
            let Txn::CloseSession { paths: Some(found) } = txn else { panic!("a list: {txn:?}") };
            assert_eq!(found.iter().collect::<Vec<_>>(), paths);
            assert_eq!(TxnDigest::decode(&mut reader).unwrap().is_some(), has_digest);
        }
    }
    for has_digest in [false, true] {
        let bytes = close(&[], has_digest).split_off(4);
        let mut reader = JuteReader::new(&bytes);
        let txn = Txn::decode(Op::CloseSession, &mut reader).unwrap();
        assert_eq!(txn, Txn::CloseSession { paths: None });
        assert_eq!(TxnDigest::decode(&mut reader).unwrap().is_some(), has_digest);
    }
}

/// A list of empty paths could not be distinguished from a digest once rewritten; no session has
/// such nodes, and a server that deleted them would fail.
#[test]
fn closed_sessions_have_no_empty_paths() {
    for paths in [&[&b""[..]][..], &[b"", b""], &[b"/a", b""]] {
        for has_digest in [false, true] {
            let bytes = close(paths, has_digest);
            let txn = Txn::decode(Op::CloseSession, &mut JuteReader::new(&bytes));
            // Two in twelve bytes look like a digest, and are read as one.
            let is_digest = bytes.len() == TxnDigest::BYTES;
            let expected = Ok(Txn::CloseSession { paths: None });
            assert!(if is_digest { txn == expected } else { txn.is_err() }, "{paths:?}: {txn:?}");
        }
    }
    let null_path = [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
    assert!(Txn::decode(Op::CloseSession, &mut JuteReader::new(&null_path)).is_err());
}

/// A txn's parts, owned.
#[derive(Clone, Debug)]
struct Parts {
    which: usize,
    path: Vec<u8>,
    data: Option<Vec<u8>>,
    entries: Vec<(i32, Vec<u8>, Vec<u8>)>,
    number: i32,
    ttl_ms: i64,
}

prop_compose! {
    fn parts()(
        which in 0..10usize,
        path in prop::collection::vec(any::<u8>(), 0..20),
        data in prop::option::of(prop::collection::vec(any::<u8>(), 0..50)),
        entries in prop::collection::vec((any::<i32>(), any::<Vec<u8>>(), any::<Vec<u8>>()), 0..4),
        number in any::<i32>(),
        ttl_ms in any::<i64>(),
    ) -> Parts {
        Parts { which, path, data, entries, number, ttl_ms }
    }
}

impl Parts {
    fn list(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        jute::put_length(&mut bytes, self.entries.len());
        for (perms, scheme, id) in &self.entries {
            AclEntry { perms: *perms, scheme: Some(scheme), id: Some(id) }.encode(&mut bytes);
        }
        bytes
    }

    fn txn<'a>(&'a self, list: &'a [u8]) -> (Op, Txn<'a>) {
        let acl = AclList::decode(&mut JuteReader::new(list)).unwrap();
        let (path, data, version) = (&self.path[..], self.data.as_deref(), self.number);
        let create =
            |kind| Txn::Create(CreateTxn { path, data, acl, kind, parent_cversion: version });
        match self.which {
            0 => (Op::Create, create(NodeKind::Persistent)),
            1 => (Op::Create2, create(NodeKind::Ephemeral)),
            2 => (Op::CreateContainer, create(NodeKind::Container)),
            3 => (Op::CreateTtl, create(NodeKind::Ttl(self.ttl_ms))),
            4 => (Op::Delete, Txn::Delete { path }),
            5 => (Op::SetData, Txn::SetData { path, data, version }),
            6 => (Op::SetAcl, Txn::SetAcl { path, acl, version }),
            7 => (Op::Check, Txn::Check { path, version }),
            8 => (Op::CreateSession, Txn::CreateSession { timeout_ms: version }),
            _ => (Op::Error, Txn::Error(version)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..<_>::default()
    })]

    #[test]
    fn txns_survive(all in prop::collection::vec(parts(), 1..5), digest in any::<Option<i64>>()) {
        let mut subs = Vec::new();
        let lists: Vec<_> = all.iter().map(Parts::list).collect();
        for (parts, list) in all.iter().zip(&lists) {
            let (op, txn) = parts.txn(list);
            let mut bytes = Vec::new();
            txn.encode(&mut bytes);
            if let Some(tree) = digest {
                TxnDigest { version: DIGEST_VERSION, tree }.encode(&mut bytes);
            }
            let mut reader = JuteReader::new(&bytes);
            prop_assert_eq!(&Txn::decode(op, &mut reader).unwrap(), &txn);
            let found = TxnDigest::decode(&mut reader).unwrap();
            prop_assert_eq!(found.map(|found| found.tree), digest);
            put_sub_txn(&mut subs, op, &txn);
        }
        let multi = Txn::Multi(MultiTxn::of_encoded(all.len() as u32, &subs));
        let mut bytes = Vec::new();
        multi.encode(&mut bytes);
        let decoded = Txn::decode(Op::Multi, &mut JuteReader::new(&bytes)).unwrap();
        prop_assert_eq!(&decoded, &multi);
        let Txn::Multi(decoded) = decoded else { unreachable!("equal to a multi") };
        for ((found, parts), list) in decoded.iter().zip(&all).zip(&lists) {
            prop_assert_eq!(found, parts.txn(list));
        }
        for cut in 0..bytes.len() {
            prop_assert!(Txn::decode(Op::Multi, &mut JuteReader::new(&bytes[..cut])).is_err());
        }
    }
}
