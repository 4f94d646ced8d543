//! create, delete, exists, getData, setData: every result, every error, and which error comes
//! first.

use harness::{Acl, Body, Client, Stat, code, opcode};

use super::{client_at, shared};

const EPHEMERAL: i32 = 1;
const SEQUENTIAL: i32 = 2;
const EPHEMERAL_SEQUENTIAL: i32 = 3;

#[test]
fn a_node_is_made_read_changed_and_removed() {
    let mut c = client_at("/nodes");
    assert_eq!(c.create("/nodes/a", b"one", &Acl::open(), 0).as_deref(), Ok("/nodes/a"));
    let (data, made) = c.get("/nodes/a", false).unwrap();
    assert_eq!(data.as_deref(), Some(&b"one"[..]));
    let expected = Stat {
        czxid: made.czxid,
        mzxid: made.czxid,
        pzxid: made.czxid,
        ctime: made.ctime,
        mtime: made.ctime,
        data_length: 3,
        ..Stat::default()
    };
    assert_eq!(made, expected);
    assert!(made.czxid > 0 && made.ctime > 1_600_000_000_000);
    assert_eq!(c.exists("/nodes/a", false), Ok(made));

    let changed = c.set("/nodes/a", b"more", 0).unwrap();
    assert!(changed.mzxid > made.mzxid && changed.mtime >= made.mtime);
    let expected =
        Stat { mzxid: changed.mzxid, mtime: changed.mtime, version: 1, data_length: 4, ..made };
    assert_eq!(changed, expected);
    assert_eq!(c.get("/nodes/a", false), Ok((Some(b"more".to_vec()), changed)));
    assert_eq!(c.delete("/nodes/a", 1), Ok(()));
    assert_eq!(c.exists("/nodes/a", false), Err(code::NO_NODE));
}

#[test]
fn create2_returns_the_stat_too() {
    let mut c = client_at("/create2");
    let (path, stat) = c.create2("/create2/a", b"xy", &Acl::open(), EPHEMERAL).unwrap();
    assert_eq!(path, "/create2/a");
    assert_eq!(c.exists(&path, false), Ok(stat));
    assert_eq!(stat.ephemeral_owner, c.session_id());
    assert_eq!((stat.version, stat.data_length, stat.num_children), (0, 2, 0));
}

#[test]
fn data_may_be_null_or_empty_and_stays_so() {
    let mut c = client_at("/null");
    let null = Body::new().string("/null/a").buffer(None).acls(&Acl::open()).int(0);
    assert_eq!(c.call(opcode::CREATE, &null).err, code::OK);
    let (data, stat) = c.get("/null/a", false).unwrap();
    assert_eq!((data, stat.data_length), (None, 0));
    c.set("/null/a", b"", -1).unwrap();
    assert_eq!(c.get("/null/a", false).unwrap().0, Some(vec![]));
    let null = Body::new().string("/null/a").buffer(None).int(-1);
    assert_eq!(c.call(opcode::SET_DATA, &null).err, code::OK);
    assert_eq!(c.get("/null/a", false).unwrap().0, None);
}

#[test]
fn a_parents_stat_counts_its_children() {
    let mut c = client_at("/parent");
    let before = c.exists("/parent", false).unwrap();
    let (_, a) = c.create2("/parent/a", b"", &Acl::open(), 0).unwrap();
    let one = c.exists("/parent", false).unwrap();
    assert_eq!(one, Stat { cversion: 1, num_children: 1, pzxid: a.czxid, ..before });
    c.make("/parent/a/below");
    assert_eq!(c.exists("/parent", false), Ok(one), "only its own children count");
    c.delete("/parent/a/below", -1).unwrap();
    c.set("/parent/a", b"x", -1).unwrap();
    assert_eq!(c.exists("/parent", false), Ok(one));
    c.make("/parent/b");
    c.delete("/parent/a", -1).unwrap();
    let two = c.exists("/parent", false).unwrap();
    assert_eq!((two.cversion, two.num_children), (3, 1), "creates and deletes");
    assert!(two.pzxid > a.czxid);
    assert_eq!((two.mzxid, two.version), (before.mzxid, 0));
}

#[test]
fn versions_guard_setdata_and_delete() {
    let mut c = client_at("/version");
    assert_eq!(c.set("/version", b"", 1), Err(code::BAD_VERSION));
    assert_eq!(c.set("/version", b"", -2), Err(code::BAD_VERSION));
    assert_eq!(c.set("/version", b"", 0).unwrap().version, 1);
    assert_eq!(c.set("/version", b"", -1).unwrap().version, 2);
    assert_eq!(c.delete("/version", 1), Err(code::BAD_VERSION));
    c.make("/version/child");
    assert_eq!(c.delete("/version", 1), Err(code::BAD_VERSION), "before NOTEMPTY");
    assert_eq!(c.delete("/version", 2), Err(code::NOT_EMPTY));
    assert_eq!(c.delete("/version", -1), Err(code::NOT_EMPTY));
    c.delete("/version/child", 0).unwrap();
    assert_eq!(c.delete("/version", 2), Ok(()));
    assert_eq!(c.delete("/version", 2), Err(code::NO_NODE));
}

#[test]
fn what_is_not_there() {
    let mut c = client_at("/absent");
    assert_eq!(c.create("/absent/x/y", b"", &Acl::open(), 0), Err(code::NO_NODE));
    assert_eq!(c.get("/absent/x", false), Err(code::NO_NODE));
    assert_eq!(c.exists("/absent/x", false), Err(code::NO_NODE));
    assert_eq!(c.set("/absent/x", b"", -1), Err(code::NO_NODE));
    assert_eq!(c.delete("/absent/x", -1), Err(code::NO_NODE));
    assert_eq!(c.delete("/absent/x/y", -1), Err(code::NO_NODE));
    assert_eq!(c.children("/absent/x", false), Err(code::NO_NODE));
    assert_eq!(c.children2("/absent/x", false), Err(code::NO_NODE));
    assert_eq!(c.acl("/absent/x"), Err(code::NO_NODE));
    assert_eq!(c.set_acl("/absent/x", &Acl::open(), -1), Err(code::NO_NODE));
    assert_eq!(c.all_children_number("/absent/x"), Err(code::NO_NODE));
}

#[test]
fn a_name_is_taken_once() {
    let mut c = client_at("/taken");
    assert_eq!(c.create("/taken", b"", &Acl::open(), 0), Err(code::NODE_EXISTS));
    assert_eq!(c.create("/taken", b"", &Acl::open(), EPHEMERAL), Err(code::NODE_EXISTS));
    assert_eq!(c.create("/", b"", &Acl::open(), 0), Err(code::NODE_EXISTS));
}

#[test]
fn ephemeral_nodes_have_no_children() {
    let mut c = client_at("/childless");
    c.create("/childless/e", b"", &Acl::open(), EPHEMERAL).unwrap();
    for flags in [0, EPHEMERAL, SEQUENTIAL] {
        let made = c.create("/childless/e/x", b"", &Acl::open(), flags);
        assert_eq!(made, Err(code::NO_CHILDREN_FOR_EPHEMERALS));
    }
}

#[test]
fn sequence_numbers_count_the_parents_creates() {
    let mut c = client_at("/sequence");
    let mut next = |path: &str, flags| c.create(path, b"", &Acl::open(), flags).unwrap();
    assert_eq!(next("/sequence/n-", SEQUENTIAL), "/sequence/n-0000000000");
    assert_eq!(next("/sequence/plain", 0), "/sequence/plain");
    assert_eq!(next("/sequence/n-", EPHEMERAL_SEQUENTIAL), "/sequence/n-0000000002");
    assert_eq!(next("/sequence/", SEQUENTIAL), "/sequence/0000000003");
    c.delete("/sequence/plain", -1).unwrap();
    assert_eq!(c.create("/sequence/plain", b"", &Acl::open(), 0).as_deref(), Ok("/sequence/plain"));
    let path = c.create("/sequence/m", b"", &Acl::open(), SEQUENTIAL).unwrap();
    assert_eq!(path, "/sequence/m0000000005", "a delete does not count");
    assert_eq!(c.create("/sequence/q/", b"", &Acl::open(), SEQUENTIAL), Err(code::NO_NODE));
}

#[test]
fn invalid_paths() {
    let mut c = client_at("/paths");
    let bad = [
        "",
        "paths",
        "/paths/",
        "/paths//a",
        "//",
        "/paths/.",
        "/paths/..",
        "/paths/./a",
        "/paths/../a",
        "/paths/a\0",
        "/paths/\u{1}",
        "/paths/\u{1f}",
        "/paths/\u{7f}",
        "/paths/\u{9f}",
        "/paths/\u{f8ff}",
        "/paths/\u{e000}",
        "/paths/\u{fff0}",
        "/paths/\u{ffff}",
    ];
    for path in bad {
        // What create takes for the parent does not exist, and that is checked first.
        let inner = ["//a", "/./a", "/../a"].iter().any(|part| path.contains(part));
        let expected = if inner { code::NO_NODE } else { code::BAD_ARGUMENTS };
        let made = c.create(path, b"", &Acl::open(), 0);
        assert_eq!(made, Err(expected), "create {path:?}");
        let path = if path.is_empty() { "x" } else { path };
        let set = c.set(path, b"", -1);
        assert_eq!(set, Err(code::BAD_ARGUMENTS), "set {path:?}");
        let set = c.set_acl(path, &Acl::open(), -1);
        assert_eq!(set, Err(code::BAD_ARGUMENTS), "set_acl {path:?}");
    }
    for path in ["/paths/ ", "/paths/...", "/paths/.a", "/paths/\u{a0}", "/paths/\u{f900}"] {
        c.make(path);
        c.set(path, b"", -1).unwrap();
        c.delete(path, -1).unwrap();
    }
}

/// A path is written as UTF-8, and beyond the first plane there is no path at all.
#[test]
fn paths_of_other_scripts() {
    let mut c = client_at("/scripts");
    for name in ["\u{e9}", "\u{440}\u{438}\u{43d}\u{433}", "\u{6a5f}"] {
        c.make(&format!("/scripts/{name}"));
    }
    let names = c.children("/scripts", false).unwrap();
    assert_eq!(names, ["\u{e9}", "\u{440}\u{438}\u{43d}\u{433}", "\u{6a5f}"]);
    let emoji = c.create("/scripts/\u{1f600}", b"", &Acl::open(), 0);
    assert_eq!(emoji, Err(code::BAD_ARGUMENTS));
}

#[test]
fn a_delete_looks_at_less_of_the_path() {
    let mut c = client_at("/delete-path");
    assert_eq!(c.delete("delete-path", -1), Err(code::BAD_ARGUMENTS), "no slash");
    assert_eq!(c.delete("", -1), Err(code::BAD_ARGUMENTS));
    assert_eq!(c.delete("/delete-path\0", -1), Err(code::BAD_ARGUMENTS));
    assert_eq!(c.delete("/delete-path/", -1), Err(code::NO_NODE));
    assert_eq!(c.delete("/delete-path/..", -1), Err(code::NO_NODE));
    assert_eq!(c.delete("/delete-path//x", -1), Err(code::NO_NODE));
}

#[test]
fn reads_look_at_nothing_but_the_tree() {
    let mut c = client_at("/read-path");
    for path in ["", "read-path", "/read-path/", "//", "/read-path\0"] {
        let expected = if path.is_empty() { code::OK } else { code::NO_NODE };
        let got = c.call(opcode::GET_DATA, &Body::new().string(path).boolean(false));
        assert_eq!(got.err, expected, "get {path:?}");
        let got = c.call(opcode::GET_CHILDREN2, &Body::new().string(path).boolean(false));
        assert_eq!(got.err, expected, "children {path:?}");
        let expected = if path.contains('\0') { code::BAD_ARGUMENTS } else { expected };
        let got = c.call(opcode::EXISTS, &Body::new().string(path).boolean(false));
        assert_eq!(got.err, expected, "exists {path:?}");
    }
}

#[test]
fn the_servers_own_nodes_cannot_be_deleted() {
    let mut c = Client::connect(shared().address());
    for path in ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
        assert_eq!(c.delete(path, -1), Err(code::BAD_ARGUMENTS), "{path}");
        assert!(c.exists(path, false).is_ok(), "{path}");
    }
    assert_eq!(c.children("/zookeeper", false).unwrap(), ["config", "quota"]);
}

#[test]
fn the_configuration_is_readable_and_no_more() {
    let mut c = Client::connect(shared().address());
    let (acl, _) = c.acl("/zookeeper/config").unwrap();
    assert_eq!(acl, [Acl::new(1, "world", "anyone")]);
    assert_eq!(c.set("/zookeeper/config", b"", -1), Err(code::NO_AUTH));
    assert_eq!(c.acl("/zookeeper").unwrap().0, Acl::open());
}

#[test]
fn unknown_flags() {
    let mut c = client_at("/flags");
    for flags in [7, -1, 100, i32::MAX] {
        assert_eq!(c.create("/flags/a", b"", &Acl::open(), flags), Err(code::BAD_ARGUMENTS));
        assert_eq!(c.create2("/flags/a", b"", &Acl::open(), flags), Err(code::BAD_ARGUMENTS));
        assert_eq!(c.create("/no/such", b"", &[], flags), Err(code::BAD_ARGUMENTS), "first of all");
    }
}

#[test]
fn which_error_of_create_comes_first() {
    let mut c = client_at("/create-order");
    c.create("/create-order/e", b"", &Acl::open(), EPHEMERAL).unwrap();
    let closed = [Acl::new(1, "world", "anyone")];
    c.create("/create-order/closed", b"", &closed, 0).unwrap();
    c.make("/create-order/full");
    let mut first = |path: &str, acl: &[Acl], flags| c.create(path, b"", acl, flags).unwrap_err();
    assert_eq!(first("noslash", &[], 0), code::BAD_ARGUMENTS, "slash before ACL");
    assert_eq!(first("/nowhere/../x", &[], 0), code::INVALID_ACL, "ACL before parent and path");
    assert_eq!(first("/nowhere/..", &Acl::open(), 0), code::NO_NODE, "parent before path");
    assert_eq!(
        first("/create-order/closed/..", &Acl::open(), 0),
        code::NO_AUTH,
        "and before it CREATE"
    );
    assert_eq!(
        first("/create-order/e/..", &Acl::open(), 0),
        code::BAD_ARGUMENTS,
        "path before kind"
    );
    assert_eq!(first("/create-order/full", &Acl::open(), 0), code::NODE_EXISTS);
}

#[test]
fn which_error_of_setdata_comes_first() {
    let mut c = client_at("/set-order");
    let read = [Acl::new(1, "world", "anyone")];
    c.create("/set-order/closed", b"", &read, 0).unwrap();
    assert_eq!(c.set("/set-order/closed/", b"", 9), Err(code::BAD_ARGUMENTS));
    assert_eq!(c.set("/set-order/absent", b"", 9), Err(code::NO_NODE));
    assert_eq!(c.set("/set-order/closed", b"", 9), Err(code::NO_AUTH), "before BADVERSION");
}

#[test]
fn data_up_to_the_limit() {
    let mut c = client_at("/large");
    let data = vec![b'x'; 1_000_000];
    let stat = c.set("/large", &data, -1).unwrap();
    assert_eq!(stat.data_length, 1_000_000);
    assert_eq!(c.get("/large", false).unwrap().0.unwrap(), data);
    c.set("/large", b"", -1).unwrap();
}

#[test]
fn standalone_check_is_not_offered() {
    let mut c = client_at("/check");
    let reply = c.call(opcode::CHECK, &Body::new().string("/check").int(-1));
    assert_eq!((reply.err, reply.body.len()), (code::UNIMPLEMENTED, 0));
}

#[test]
fn sync_answers_with_its_path() {
    let mut c = client_at("/sync");
    assert_eq!(c.sync("/sync").as_deref(), Ok("/sync"));
    assert_eq!(c.sync("/not/there").as_deref(), Ok("/not/there"));
    assert_eq!(c.sync("").as_deref(), Ok(""));
}

#[test]
fn a_standalone_server_does_not_reconfigure() {
    let mut c = Client::connect(shared().address());
    let body = Body::new().buffer(None).buffer(None).buffer(None).long(-1);
    assert_eq!(c.call(opcode::RECONFIG, &body).err, code::RECONFIG_DISABLED);
}
