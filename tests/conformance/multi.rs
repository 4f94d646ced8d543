//! multi and multiRead: all or nothing, and the results to the byte.

use harness::{Acl, Body, Client, Op, OpResult, code, opcode};

use super::{client_at, shared};

#[test]
fn every_kind_of_operation_in_one() {
    let mut c = client_at("/multi");
    c.make("/multi/old");
    let results = c
        .multi(&[
            Op::Check { path: "/multi", version: 0 },
            Op::create("/multi/a", b"1", 0),
            Op::Create2 { path: "/multi/b", data: b"22", acl: Acl::open(), flags: 0 },
            Op::CreateContainer { path: "/multi/c" },
            Op::CreateTtl { path: "/multi/t", flags: 5, ttl: 100_000_000 },
            Op::create("/multi/s-", b"", 2),
            Op::Set { path: "/multi/a", data: b"333", version: 0 },
            Op::Delete { path: "/multi/old", version: 0 },
        ])
        .unwrap();
    let mut stat = |path: &str| c.exists(path, false).unwrap();
    let (a, b, t) = (stat("/multi/a"), stat("/multi/b"), stat("/multi/t"));
    let container = stat("/multi/c");
    let expected = [
        OpResult::Check,
        OpResult::Create("/multi/a".to_owned()),
        OpResult::Create2("/multi/b".to_owned(), b),
        OpResult::Create2("/multi/c".to_owned(), container),
        OpResult::Create2("/multi/t".to_owned(), t),
        OpResult::Create("/multi/s-0000000005".to_owned()),
        OpResult::Set(a),
        OpResult::Delete,
    ];
    assert_eq!(results, expected);
    assert_eq!((a.czxid, a.mzxid), (b.czxid, b.czxid), "one zxid for all");
    assert_eq!(stat("/multi").pzxid, b.czxid);
    assert_eq!(stat("/multi").cversion, 7);
    assert_eq!(c.exists("/multi/old", false), Err(code::NO_NODE));
}

#[test]
fn an_empty_multi_has_no_results() {
    let mut c = Client::connect(shared().address());
    assert_eq!(c.multi(&[]), Ok(vec![]));
    assert_eq!(c.multi_read(&[]), Ok(vec![]));
}

#[test]
fn a_failed_multi_changes_nothing() {
    let mut c = client_at("/failed");
    let before = c.exists("/failed", false).unwrap();
    let results = c
        .multi(&[
            Op::create("/failed/a", b"", 0),
            Op::create("/failed/s-", b"", 2),
            Op::Set { path: "/failed", data: b"x", version: -1 },
            Op::Delete { path: "/failed/none", version: -1 },
            Op::create("/failed/b", b"", 0),
            Op::Check { path: "/failed", version: 99 },
        ])
        .unwrap();
    let error = |err| OpResult::Error(err);
    assert_eq!(
        results,
        [
            error(code::OK),
            error(code::OK),
            error(code::OK),
            error(code::NO_NODE),
            error(code::RUNTIME_INCONSISTENCY),
            error(code::RUNTIME_INCONSISTENCY),
        ]
    );
    assert_eq!(c.exists("/failed", false), Ok(before));
    assert_eq!(c.children("/failed", false), Ok(vec![]));
    let next = c.create("/failed/s-", b"", &Acl::open(), 2).unwrap();
    assert_eq!(next, "/failed/s-0000000000", "the counter was rolled back too");
}

#[test]
fn each_failing_operation_names_its_code() {
    let mut c = client_at("/codes");
    c.create("/codes/e", b"", &Acl::open(), 1).unwrap();
    c.make("/codes/full");
    c.make("/codes/full/child");
    let shut = vec![Acl::new(1, "world", "anyone")];
    c.create("/codes/shut", b"", &shut, 0).unwrap();
    let cases = [
        (Op::create("/codes", b"", 0), code::NODE_EXISTS),
        (Op::create("/codes/x/y", b"", 0), code::NO_NODE),
        (Op::create("/codes/e/x", b"", 0), code::NO_CHILDREN_FOR_EPHEMERALS),
        (Op::create("/codes/shut/x", b"", 0), code::NO_AUTH),
        (Op::create("/codes/..", b"", 0), code::BAD_ARGUMENTS),
        (Op::create("noslash", b"", 0), code::BAD_ARGUMENTS),
        (Op::Create { path: "/codes/x", data: b"", acl: vec![], flags: 0 }, code::INVALID_ACL),
        (Op::CreateTtl { path: "/codes/x", flags: 5, ttl: 0 }, code::BAD_ARGUMENTS),
        (Op::Delete { path: "/codes/full", version: -1 }, code::NOT_EMPTY),
        (Op::Delete { path: "/codes/e", version: 3 }, code::BAD_VERSION),
        (Op::Delete { path: "/zookeeper", version: -1 }, code::BAD_ARGUMENTS),
        (Op::Set { path: "/codes/none", data: b"", version: -1 }, code::NO_NODE),
        (Op::Set { path: "/codes/e", data: b"", version: 3 }, code::BAD_VERSION),
        (Op::Set { path: "/codes/shut", data: b"", version: -1 }, code::NO_AUTH),
        (Op::Check { path: "/codes/none", version: -1 }, code::NO_NODE),
        (Op::Check { path: "/codes/e", version: 1 }, code::BAD_VERSION),
        (Op::Check { path: "/codes/e/", version: -1 }, code::BAD_ARGUMENTS),
    ];
    for (op, err) in cases {
        let text = format!("{op:?}");
        let results = c.multi(&[Op::Check { path: "/", version: -1 }, op]).unwrap();
        assert_eq!(results, [OpResult::Error(0), OpResult::Error(err)], "{text}");
    }
}

/// A flag that no mode has is an error of its own in a single request, and invalidates a whole
/// multi.
#[test]
fn an_unknown_flag_spoils_the_request() {
    let mut c = client_at("/multi-flag");
    assert_eq!(c.multi(&[Op::create("/multi-flag/a", b"", 99)]), Err(code::MARSHALLING_ERROR));
    let ops = [Op::create("/multi-flag/a", b"", 0), Op::create("/multi-flag/b", b"", -1)];
    assert_eq!(c.multi(&ops), Err(code::MARSHALLING_ERROR));
    assert_eq!(c.children("/multi-flag", false), Ok(vec![]));
    c.ping();
}

#[test]
fn operations_see_those_before_them() {
    let mut c = client_at("/chain");
    let results = c
        .multi(&[
            Op::create("/chain/a", b"", 0),
            Op::create("/chain/a/b", b"", 0),
            Op::Set { path: "/chain/a/b", data: b"x", version: 0 },
            Op::Check { path: "/chain/a/b", version: 1 },
            Op::Delete { path: "/chain/a/b", version: 1 },
            Op::Delete { path: "/chain/a", version: 0 },
        ])
        .unwrap();
    assert!(!results.iter().any(|r| matches!(r, OpResult::Error(_))), "{results:?}");
    assert_eq!(c.children("/chain", false), Ok(vec![]));
    assert_eq!(c.exists("/chain", false).unwrap().cversion, 2, "a created and deleted");
}

#[test]
fn a_set_twice_shows_both_stats() {
    let mut c = client_at("/twice");
    let results = c
        .multi(&[
            Op::Set { path: "/twice", data: b"a", version: 0 },
            Op::Set { path: "/twice", data: b"bb", version: 1 },
        ])
        .unwrap();
    let [OpResult::Set(first), OpResult::Set(second)] = results[..] else { panic!("{results:?}") };
    assert_eq!((first.version, first.data_length), (1, 1));
    assert_eq!((second.version, second.data_length), (2, 2));
    assert_eq!(first.mzxid, second.mzxid);
}

#[test]
fn ephemerals_in_a_multi_belong_to_the_session() {
    let mut c = client_at("/multi-e");
    c.multi(&[Op::create("/multi-e/a", b"", 1), Op::create("/multi-e/b", b"", 3)]).unwrap();
    assert_eq!(c.ephemerals("/").unwrap(), ["/multi-e/a", "/multi-e/b0000000001"]);
    let failed = [Op::create("/multi-e/c", b"", 1), Op::Check { path: "/none", version: -1 }];
    c.multi(&failed).unwrap();
    assert_eq!(c.ephemerals("/").unwrap().len(), 2);
}

#[test]
fn reads_in_one_request() {
    let mut c = client_at("/multi-read");
    c.make("/multi-read/a");
    c.set("/multi-read", b"data", -1).unwrap();
    let shut = vec![Acl::new(2, "world", "anyone")];
    c.create("/multi-read/shut", b"", &shut, 0).unwrap();
    let stat = c.exists("/multi-read", false).unwrap();
    let results = c
        .multi_read(&[
            Op::Get { path: "/multi-read" },
            Op::Children { path: "/multi-read" },
            Op::Get { path: "/multi-read/none" },
            Op::Children { path: "/multi-read/none" },
            Op::Get { path: "/multi-read/shut" },
            Op::Children { path: "/multi-read/a" },
        ])
        .unwrap();
    let expected = [
        OpResult::Get(Some(b"data".to_vec()), stat),
        OpResult::Children(vec!["a".to_owned(), "shut".to_owned()]),
        OpResult::Error(code::NO_NODE),
        OpResult::Error(code::NO_NODE),
        OpResult::Error(code::NO_AUTH),
        OpResult::Children(vec![]),
    ];
    assert_eq!(results, expected, "one failure leaves the others alone");
}

#[test]
fn reads_and_writes_do_not_mix() {
    let mut c = client_at("/mixed");
    let ops = [Op::create("/mixed/a", b"", 0), Op::Get { path: "/mixed" }];
    assert_eq!(c.multi(&ops), Err(code::MARSHALLING_ERROR));
    let ops = [Op::Get { path: "/mixed" }, Op::Set { path: "/mixed", data: b"", version: -1 }];
    assert_eq!(c.multi_read(&ops), Err(code::MARSHALLING_ERROR));
    assert_eq!(c.children("/mixed", false), Ok(vec![]));
    assert_eq!(c.exists("/mixed", false).unwrap().version, 0);
}

/// Not even where all of them are of the wrong kind.
#[test]
fn reads_have_a_multi_of_their_own() {
    let mut c = client_at("/own-kind");
    let get = Op::Get { path: "/own-kind" };
    assert_eq!(c.multi(&[get.clone(), get]), Err(code::MARSHALLING_ERROR));
    assert_eq!(c.multi(&[Op::Children { path: "/own-kind" }]), Err(code::MARSHALLING_ERROR));
    let check = Op::Check { path: "/own-kind", version: 0 };
    assert_eq!(c.multi_read(&[check]), Err(code::MARSHALLING_ERROR));
    c.ping();
}

#[test]
fn what_a_multi_may_not_hold() {
    let mut c = client_at("/not-allowed");
    for kind in [opcode::SET_ACL, opcode::SYNC, opcode::EXISTS, opcode::DELETE_CONTAINER, 999] {
        let body = Body::new().int(kind).boolean(false).int(-1).string("/not-allowed").int(-1);
        let body = body.int(-1).boolean(true).int(-1);
        let reply = c.call(opcode::MULTI, &body);
        assert_eq!((reply.err, reply.body.len()), (code::MARSHALLING_ERROR, 0), "{kind}");
    }
    let cut = Body::new().int(opcode::DELETE).boolean(false).int(-1).string("/not-allowed");
    assert_eq!(c.call(opcode::MULTI, &cut).err, code::MARSHALLING_ERROR, "cut short");
    assert_eq!(c.call(opcode::MULTI, &Body::new()).err, code::MARSHALLING_ERROR, "nothing at all");
    c.ping();
}

#[test]
fn a_large_multi() {
    let mut c = client_at("/many");
    let paths: Vec<String> = (0..1000).map(|i| format!("/many/{i:04}")).collect();
    let ops: Vec<_> = paths.iter().map(|path| Op::create(path, b"0123456789", 0)).collect();
    assert_eq!(c.multi(&ops).unwrap().len(), 1000);
    assert_eq!(c.exists("/many", false).unwrap().num_children, 1000);
    let ops: Vec<_> = paths.iter().map(|path| Op::Delete { path, version: 0 }).collect();
    c.multi(&ops).unwrap();
    assert_eq!(c.exists("/many", false).unwrap().num_children, 0);
}
