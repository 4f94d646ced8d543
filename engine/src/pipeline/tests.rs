use super::{ApplyError, Caller, Census, Head};
use crate::acl::identity::Identities;
use crate::batch::Batch;
use crate::settings::Settings;
use crate::state::State;
use crate::tree::{NewNode, RawNode, Tree, TreeSeed};
use model::acl::AclList;
use model::error::ErrorCode;
use model::jute::JuteReader;
use model::op::Op;
use model::request::{Create, Request, SubRequest};
use model::response;
use model::session::SessionId;
use model::stat::Stat;
use model::txn::{self, CreateTxn, MultiTxn, NodeKind, Txn, TxnHeader};
use model::zxid::Zxid;
use std::sync::Arc;

fn head() -> Head {
    Head::new(Arc::new(Settings::default()), TreeSeed([5, 6]))
}

fn header(zxid: i64, op: Op) -> TxnHeader {
    TxnHeader { session: SessionId(9), cxid: 1, zxid: Zxid(zxid), time_ms: 7, op }
}

fn create<'a>(path: &'a [u8], acl: AclList<'a>, flags: i32) -> Request<'a> {
    Request::Create(Create { path: Some(path), data: Some(b"data"), acl, flags, ttl: -1 })
}

fn execute(head: &mut Head, zxid: i64, op: Op, request: &Request<'_>) -> Result<(), ErrorCode> {
    let identities = Identities::of_address("127.0.0.1".parse().unwrap());
    let caller = Caller { identities: &identities, no_ephemerals: None };
    let (mut batch, mut log) = (Batch::default(), Vec::new());
    let (before, digest) = (batch.mark(), head.tree.digest());
    let done = head.execute(&header(zxid, op), op, request, caller, &mut batch, &mut log);
    if done.is_err() {
        assert!(log.is_empty() && batch.bodies.len() == before.bodies() as usize);
        assert_eq!(head.tree.digest(), digest, "an error changes nothing");
    }
    done
}

fn multi(head: &mut Head, zxid: i64, ops: &[SubRequest<'_>]) -> (Batch, Vec<u8>) {
    let identities = Identities::of_address("127.0.0.1".parse().unwrap());
    let caller = Caller { identities: &identities, no_ephemerals: None };
    let (mut batch, mut log) = (Batch::default(), Vec::new());
    head.execute_multi(&header(zxid, Op::Multi), ops, caller, &mut batch, &mut log)
        .expect("it has results");
    (batch, log)
}

#[test]
fn a_new_tree_is_stocks() {
    let head = head();
    assert_eq!(head.tree.node_count(), 4);
    let config = head.tree.lookup(b"/zookeeper/config").unwrap();
    assert_eq!(head.tree.meta().acls.list(config.acl()), AclList::READ_ONLY);
    for path in [&b"/"[..], b"/zookeeper", b"/zookeeper/quota"] {
        let node = head.tree.lookup(path).unwrap();
        assert_eq!((node.acl(), node.data()), (0, Some(&b""[..])));
    }
}

#[test]
fn a_failed_multi_leaves_no_trace() {
    let acl = b"\0\0\0\x01\0\0\0\x1f\0\0\0\x02ip\0\0\0\x09127.0.0.1";
    let acl = AclList::decode(&mut JuteReader::new(acl)).unwrap();
    let mut head = head();
    execute(&mut head, 1, Op::Create, &create(b"/kept", acl, 1)).unwrap();
    let before = head.tree.meta().clone();
    let (digest, nodes) = (head.tree.digest(), head.tree.node_count());
    let other = b"\0\0\0\x01\0\0\0\x1f\0\0\0\x02ip\0\0\0\x09127.0.0.2";
    let other = AclList::decode(&mut JuteReader::new(other)).unwrap();
    let ops = [
        (Op::Create, create(b"/a", other, 0)),
        (Op::Create2, create(b"/b-", acl, 3)),
        (Op::CreateContainer, create(b"/c", AclList::OPEN, 4)),
        (Op::Delete, Request::Delete { path: b"/kept", version: -1 }),
        (Op::Delete, Request::Delete { path: b"/a", version: -1 }),
        (Op::Delete, Request::Delete { path: b"/none", version: -1 }),
        (Op::SetData, Request::SetData { path: b"/a", data: None, version: -1 }),
    ];
    let ops = ops.map(|(op, request)| SubRequest { op, request });
    for zxid in 2..5 {
        let (batch, log) = multi(&mut head, zxid, &ops);
        assert!(batch.events.is_empty() && batch.paths.is_empty());
        let Txn::Multi(txn) = Txn::decode(Op::Multi, &mut JuteReader::new(&log)).unwrap() else {
            panic!("a multi is logged as one");
        };
        let codes: Vec<_> = txn.iter().map(|(_, txn)| txn).collect();
        let expected = [0, 0, 0, 0, 0, -101, -2].map(Txn::Error);
        assert_eq!(codes, expected);
        let after = head.tree.meta();
        assert_eq!((head.tree.digest(), head.tree.node_count()), (digest, nodes));
        assert_eq!(after.ephemeral_count, before.ephemeral_count);
        assert!(after.acls.iter().eq(before.acls.iter()));
        head.seal();
    }
    // What the failed ones counted was undone: the list is removed with its last node.
    execute(&mut head, 9, Op::Delete, &Request::Delete { path: b"/kept", version: -1 }).unwrap();
    head.seal();
    assert_eq!(head.tree.meta().acls.iter().count(), 2);
    head.seal();
    assert_eq!(head.tree.meta().acls.iter().count(), 1);
}

/// Takes the counter of creates below `/s` to `counter`.
fn count_creates(head: &mut Head, counter: i32) {
    let (path, zxid) = (b"/s/gone", Zxid(2));
    head.tree.create(&NewNode { path, zxid, parent_cversion: counter, ..NewNode::default() });
    head.tree.delete(path, zxid);
}

#[test]
fn sequences_are_javas() {
    let mut head = head();
    execute(&mut head, 1, Op::Create, &create(b"/s", AclList::OPEN, 0)).unwrap();
    for (counter, name) in [(1, "0000000001"), (i32::MAX, "2147483647")] {
        count_creates(&mut head, counter);
        execute(&mut head, 3, Op::Create, &create(b"/s/x", AclList::OPEN, 2)).unwrap();
        assert!(head.tree.lookup(format!("/s/x{name}").as_bytes()).is_some(), "{name}");
    }
}

#[test]
fn a_multi_counts_past_the_end_and_the_tree_does_not() {
    let mut head = head();
    execute(&mut head, 1, Op::Create, &create(b"/s", AclList::OPEN, 0)).unwrap();
    count_creates(&mut head, i32::MAX);
    let one = || SubRequest { op: Op::Create, request: create(b"/s/x", AclList::OPEN, 2) };
    multi(&mut head, 3, &[one(), one(), one()]);
    for name in ["2147483647", "-2147483648", "-2147483647"] {
        assert!(head.tree.lookup(format!("/s/x{name}").as_bytes()).is_some(), "{name}");
    }
    assert_eq!(head.tree.lookup(b"/s").unwrap().stored_cversion(), i32::MAX);
    let next = execute(&mut head, 4, Op::Create, &create(b"/s/x", AclList::OPEN, 2));
    assert_eq!(next, Err(ErrorCode::NodeExists));
}

#[test]
fn txns_of_another_history_are_refused() {
    let mut head = head();
    let mut batch = Batch::default();
    let mut apply = |zxid, op, txn: &Txn<'_>| head.apply(&header(zxid, op), op, txn, &mut batch);
    let new = |path| {
        let (acl, kind) = (AclList::OPEN, NodeKind::Persistent);
        Txn::Create(CreateTxn { path, data: None, acl, kind, parent_cversion: 1 })
    };
    assert_eq!(apply(1, Op::Create, &new(b"/a/b")), Err(ApplyError::NoNode));
    assert_eq!(apply(1, Op::Create, &new(b"/a")), Ok(()));
    assert_eq!(apply(2, Op::Create, &new(b"/a")), Err(ApplyError::NodeExists));
    assert_eq!(apply(2, Op::Create, &new(b"/a/b")), Ok(()));
    let delete = Txn::Delete { path: b"/a" };
    assert_eq!(apply(3, Op::Delete, &delete), Err(ApplyError::NotEmpty));
    let none: &[u8] = b"/none";
    let set = Txn::SetData { path: none, data: None, version: 1 };
    assert_eq!(apply(3, Op::SetData, &set), Err(ApplyError::NoNode));
    let set_acl = Txn::SetAcl { path: none, acl: AclList::OPEN, version: 1 };
    assert_eq!(apply(3, Op::SetAcl, &set_acl), Err(ApplyError::NoNode));
    assert_eq!(apply(3, Op::Delete, &Txn::Delete { path: none }), Err(ApplyError::NoNode));
    assert_eq!(apply(3, Op::CloseSession, &Txn::CloseSession { paths: None }), Ok(()));
}

/// The end of a session removes the same nodes whether its txn lists them or not.
#[test]
fn a_replayed_close_removes_what_the_session_had() {
    let paths = [&b"/a"[..], b"/a-child", b"/stays"];
    let after = |listed: Option<&[&[u8]]>| {
        let mut head = head();
        let mut batch = Batch::default();
        for (at, path) in paths.into_iter().enumerate() {
            let kind = [NodeKind::Ephemeral, NodeKind::Persistent][at / 2];
            let acl = AclList::OPEN;
            let txn = Txn::Create(CreateTxn { path, data: None, acl, kind, parent_cversion: 1 });
            let header = header(1 + at as i64, Op::Create);
            head.apply(&header, Op::Create, &txn, &mut batch).unwrap();
        }
        let mut bytes = Vec::new();
        if let Some(listed) = listed {
            model::jute::put_length(&mut bytes, listed.len());
            for path in listed {
                model::jute::put_string(&mut bytes, path);
            }
        }
        let txn = Txn::decode(Op::CloseSession, &mut JuteReader::new(&bytes)).unwrap();
        head.apply(&header(9, Op::CloseSession), Op::CloseSession, &txn, &mut batch).unwrap();
        assert!(head.tree.lookup(b"/a").is_none() && head.tree.lookup(b"/a-child").is_none());
        assert!(head.tree.lookup(b"/stays").is_some());
        assert_eq!(head.ephemeral_count_of(SessionId(9)), 0);
        (head.tree.digest(), head.tree.node_count())
    };
    let expected = after(None);
    // None of them, all of them, some of them, and one that was deleted before.
    assert_eq!(after(Some(&[])), expected);
    assert_eq!(after(Some(&[b"/a", b"/a-child"])), expected);
    assert_eq!(after(Some(&[b"/a-child"])), expected);
    assert_eq!(after(Some(&[b"/gone", b"/a"])), expected);
}

#[test]
fn a_failed_multi_as_zookeeper_logs_it_leaves_no_trace_either() {
    let create = CreateTxn {
        path: b"/never",
        data: None,
        acl: AclList::OPEN,
        kind: NodeKind::Persistent,
        parent_cversion: 1,
    };
    let mut txns = Vec::new();
    txn::put_sub_txn(&mut txns, Op::Create, &Txn::Create(create));
    txn::put_sub_txn(&mut txns, Op::Check, &Txn::Check { path: b"/zookeeper", version: 0 });
    txn::put_sub_error(&mut txns, ErrorCode::BadVersion);
    txn::put_sub_error(&mut txns, ErrorCode::RuntimeInconsistency);
    let failed = Txn::Multi(MultiTxn::of_encoded(4, &txns));
    let (mut head, mut batch) = (head(), Batch::default());
    let digest = head.tree.digest();
    head.apply(&header(1, Op::Multi), Op::Multi, &failed, &mut batch).unwrap();
    assert!(batch.events.is_empty() && batch.paths.is_empty());
    assert_eq!((head.tree.digest(), head.tree.node_count()), (digest, 4));
    let mut expected = Vec::new();
    let errors = [ErrorCode::Ok, ErrorCode::Ok, ErrorCode::BadVersion];
    for error in errors.into_iter().chain([ErrorCode::RuntimeInconsistency]) {
        response::put_multi_error(&mut expected, error);
    }
    response::put_multi_end(&mut expected);
    assert_eq!(batch.bodies, expected);
}

#[test]
fn the_configuration_is_shown_where_there_is_a_place_for_it() {
    let raw = |path| RawNode {
        stat: Stat::default(),
        stored_cversion: 0,
        owner_raw: 0,
        acl: 0,
        path,
        data: None,
    };
    // As ZooKeeper left it before 3.5, and as no server makes it.
    for (paths, is_shown) in [(&[&b"/"[..], b"/zookeeper"][..], true), (&[b"/"], false)] {
        let mut tree = Tree::new(TreeSeed([5, 6]), State::default());
        for path in paths {
            tree.insert_raw(&raw(path));
        }
        let settings = Arc::new(Settings::default());
        let mut head = Head::load(tree, settings, [], Census::default());
        let digest = head.tree.digest();
        head.show_configuration(b"server.1=a", 7, 9);
        head.show_configuration(b"server.1=b", 8, 9);
        let node = head.tree.lookup(b"/zookeeper/config");
        assert_eq!(node.is_some(), is_shown);
        if let Some(node) = node {
            let stat = node.stat_native();
            assert_eq!((node.data(), stat.mzxid, stat.version), (Some(&b"server.1=b"[..]), 8, -1));
        }
        assert_eq!(head.tree.digest(), digest, "no digest covers it");
        head.seal();
    }
}
