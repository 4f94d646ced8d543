//! Watches: what fires which, once or persistently, and what a client may query about them.

use harness::{Acl, Body, Client, Event, Incoming, Op, Watches, code, opcode};

use super::{client_at, shared};

const CREATED: i32 = 1;
const DELETED: i32 = 2;
const CHANGED: i32 = 3;
const CHILDREN: i32 = 4;

const KIND_CHILDREN: i32 = 1;
const KIND_DATA: i32 = 2;
const KIND_ANY: i32 = 3;
const KIND_PERSISTENT: i32 = 4;
const KIND_RECURSIVE: i32 = 5;

const PERSISTENT: i32 = 0;
const RECURSIVE: i32 = 1;

/// The events so far, without the fields that are the same in all.
fn events_so_far(c: &mut Client) -> Vec<(i32, String)> {
    let events = c.events();
    assert!(events.iter().all(|event| event.state == 3), "{events:?}");
    events.into_iter().map(|event| (event.kind, event.path)).collect()
}

fn assert_events(c: &mut Client, expected: &[(i32, &str)]) {
    let events = events_so_far(c);
    let events: Vec<_> = events.iter().map(|(kind, path)| (*kind, path.as_str())).collect();
    assert_eq!(events, expected);
}

#[test]
fn a_data_watch_fires_once() {
    let mut c = client_at("/w-data");
    let mut other = Client::connect(shared().address());
    c.get("/w-data", true).unwrap();
    c.get("/w-data", true).unwrap();
    let stat = other.set("/w-data", b"1", -1).unwrap();
    other.set("/w-data", b"2", -1).unwrap();
    let path = "/w-data".to_owned();
    assert_eq!(c.events(), [Event { kind: CHANGED, state: 3, path, zxid: stat.mzxid }]);
    c.exists("/w-data", true).unwrap();
    c.get("/w-data", true).unwrap();
    other.delete("/w-data", -1).unwrap();
    assert_events(&mut c, &[(DELETED, "/w-data")]);
}

#[test]
fn an_exists_watch_waits_for_the_node() {
    let mut c = client_at("/w-exists");
    assert_eq!(c.exists("/w-exists/a", true), Err(code::NO_NODE));
    assert_eq!(c.get("/w-exists/a", true), Err(code::NO_NODE), "sets none");
    c.make("/w-exists/a");
    assert_events(&mut c, &[(CREATED, "/w-exists/a")]);
    c.set("/w-exists/a", b"", -1).unwrap();
    assert_events(&mut c, &[]);
}

#[test]
fn a_failed_read_sets_no_watch() {
    let mut c = client_at("/w-failed");
    assert_eq!(c.get("/w-failed/a", true), Err(code::NO_NODE));
    assert_eq!(c.children("/w-failed/a", true), Err(code::NO_NODE));
    assert_eq!(c.children2("/w-failed/a", true), Err(code::NO_NODE));
    c.make("/w-failed/a");
    c.make("/w-failed/a/b");
    assert_events(&mut c, &[]);
    let shut = [Acl::new(2, "world", "anyone")];
    c.create("/w-failed/shut", b"", &shut, 0).unwrap();
    assert_eq!(c.exists("/w-failed/shut", true), Err(code::NO_AUTH));
    assert_eq!(c.check_watches("/w-failed/shut", KIND_ANY), Err(code::NO_WATCHER));
}

#[test]
fn a_child_watch_sees_creates_and_deletes() {
    let mut c = client_at("/w-child");
    c.children("/w-child", true).unwrap();
    c.set("/w-child", b"", -1).unwrap();
    assert_events(&mut c, &[]);
    c.make("/w-child/a");
    assert_events(&mut c, &[(CHILDREN, "/w-child")]);
    c.children2("/w-child", true).unwrap();
    c.make("/w-child/a/b");
    c.set("/w-child/a", b"", -1).unwrap();
    assert_events(&mut c, &[]);
    c.delete("/w-child/a/b", -1).unwrap();
    c.delete("/w-child/a", -1).unwrap();
    assert_events(&mut c, &[(CHILDREN, "/w-child")]);
}

#[test]
fn a_deleted_node_is_announced_once_however_watched() {
    let mut c = client_at("/w-both");
    c.make("/w-both/a");
    c.get("/w-both/a", true).unwrap();
    c.children("/w-both/a", true).unwrap();
    c.children("/w-both", true).unwrap();
    c.delete("/w-both/a", -1).unwrap();
    assert_events(&mut c, &[(DELETED, "/w-both/a"), (CHILDREN, "/w-both")]);
    c.make("/w-both/a");
    assert_events(&mut c, &[]);
}

#[test]
fn a_child_watch_alone_is_notified_of_the_end() {
    let mut c = client_at("/w-end");
    c.children("/w-end", true).unwrap();
    c.delete("/w-end", -1).unwrap();
    assert_events(&mut c, &[(DELETED, "/w-end")]);
}

#[test]
fn an_acl_change_fires_nothing() {
    let mut c = client_at("/w-acl");
    c.get("/w-acl", true).unwrap();
    c.children("/w-acl", true).unwrap();
    c.add_watch("/w-acl", PERSISTENT).unwrap();
    c.set_acl("/w-acl", &Acl::open(), -1).unwrap();
    assert_events(&mut c, &[]);
}

#[test]
fn the_event_comes_before_the_reply_that_shows_it() {
    let mut c = client_at("/w-before");
    c.get("/w-before", true).unwrap();
    let xid = c.post(opcode::SET_DATA, &Body::new().string("/w-before").buffer(&b"x"[..]).int(-1));
    let Some(Incoming::Event(event)) = c.receive() else { panic!("the reply came first") };
    assert_eq!((event.kind, event.path.as_str()), (CHANGED, "/w-before"));
    assert_eq!(c.reply(xid).zxid, event.zxid);
}

#[test]
fn a_multi_fires_operation_by_operation() {
    let mut c = client_at("/w-multi");
    c.exists("/w-multi/a", true).unwrap_err();
    c.children("/w-multi", true).unwrap();
    c.get("/w-multi", true).unwrap();
    let ops = [
        Op::create("/w-multi/a", b"", 0),
        Op::Set { path: "/w-multi", data: b"", version: -1 },
        Op::create("/w-multi/b", b"", 0),
        Op::Delete { path: "/w-multi/a", version: -1 },
    ];
    c.multi(&ops).unwrap();
    assert_events(
        &mut c,
        &[(CREATED, "/w-multi/a"), (CHILDREN, "/w-multi"), (CHANGED, "/w-multi")],
    );
    c.get("/w-multi", true).unwrap();
    let set = Op::Set { path: "/w-multi", data: b"", version: -1 };
    c.multi(&[set, Op::Check { path: "/none", version: -1 }]).unwrap();
    assert_events(&mut c, &[]);
}

#[test]
fn watches_go_with_the_connection() {
    let mut c = client_at("/w-gone");
    c.get("/w-gone", true).unwrap();
    c.add_watch("/w-gone", PERSISTENT).unwrap();
    let mut again = c.reconnect();
    assert_eq!(again.check_watches("/w-gone", KIND_ANY), Err(code::NO_WATCHER));
    again.set("/w-gone", b"", -1).unwrap();
    assert_events(&mut again, &[]);
}

#[test]
fn a_persistent_watch_stays() {
    let mut c = client_at("/p");
    c.add_watch("/p/a", PERSISTENT).unwrap();
    c.add_watch("/p/a", PERSISTENT).unwrap();
    c.make("/p/a");
    c.set("/p/a", b"", -1).unwrap();
    c.set("/p/a", b"", -1).unwrap();
    c.make("/p/a/b");
    c.make("/p/a/b/c");
    c.set("/p/a/b", b"", -1).unwrap();
    c.delete("/p/a/b/c", -1).unwrap();
    c.delete("/p/a/b", -1).unwrap();
    c.delete("/p/a", -1).unwrap();
    c.make("/p/a");
    let a = "/p/a";
    assert_events(
        &mut c,
        &[
            (CREATED, a),
            (CHANGED, a),
            (CHANGED, a),
            (CHILDREN, a),
            (CHILDREN, a),
            (DELETED, a),
            (CREATED, a),
        ],
    );
}

#[test]
fn a_recursive_watch_sees_all_below() {
    let mut c = client_at("/r");
    c.add_watch("/r", RECURSIVE).unwrap();
    c.make("/r/a");
    c.make("/r/a/b");
    c.set("/r/a/b", b"", -1).unwrap();
    c.set("/r", b"", -1).unwrap();
    c.delete("/r/a/b", -1).unwrap();
    c.make("/rr");
    assert_events(
        &mut c,
        &[
            (CREATED, "/r/a"),
            (CREATED, "/r/a/b"),
            (CHANGED, "/r/a/b"),
            (CHANGED, "/r"),
            (DELETED, "/r/a/b"),
        ],
    );
    c.delete("/rr", -1).unwrap();
}

#[test]
fn several_watches_one_event() {
    let mut c = client_at("/several");
    c.make("/several/a");
    c.add_watch("/several", RECURSIVE).unwrap();
    c.add_watch("/several/a", PERSISTENT).unwrap();
    c.get("/several/a", true).unwrap();
    c.set("/several/a", b"", -1).unwrap();
    assert_events(&mut c, &[(CHANGED, "/several/a")]);
    c.delete("/several/a", -1).unwrap();
    assert_events(&mut c, &[(DELETED, "/several/a")]);
}

/// What a recursive and a child watch on one parent report about a new child.
#[test]
fn a_recursive_watch_does_not_replace_a_child_watch() {
    let mut c = client_at("/r-child");
    c.add_watch("/r-child", RECURSIVE).unwrap();
    c.children("/r-child", true).unwrap();
    c.make("/r-child/a");
    c.make("/r-child/b");
    let expected = [(CREATED, "/r-child/a"), (CHILDREN, "/r-child"), (CREATED, "/r-child/b")];
    assert_events(&mut c, &expected);
}

#[test]
fn the_last_mode_added_is_kept_beside_the_first() {
    let mut c = client_at("/modes");
    c.add_watch("/modes", PERSISTENT).unwrap();
    c.add_watch("/modes", RECURSIVE).unwrap();
    assert_eq!(c.check_watches("/modes", KIND_PERSISTENT), Ok(()));
    assert_eq!(c.check_watches("/modes", KIND_RECURSIVE), Ok(()));
    c.make("/modes/a");
    assert_events(&mut c, &[(CREATED, "/modes/a"), (CHILDREN, "/modes")]);
    c.set("/modes", b"", -1).unwrap();
    assert_events(&mut c, &[(CHANGED, "/modes")]);
}

#[test]
fn an_unknown_mode_is_not_understood() {
    let mut c = client_at("/mode");
    for mode in [2, -1, 99] {
        assert_eq!(c.add_watch("/mode", mode), Err(code::MARSHALLING_ERROR));
    }
    assert_eq!(c.check_watches("/mode", KIND_ANY), Err(code::NO_WATCHER));
}

#[test]
fn which_watch_is_of_which_kind() {
    let kinds = [KIND_CHILDREN, KIND_DATA, KIND_ANY, KIND_PERSISTENT, KIND_RECURSIVE];
    let mut c = client_at("/kinds");
    let found = |c: &mut Client| kinds.map(|kind| c.check_watches("/kinds", kind).is_ok());
    assert_eq!(found(&mut c), [false; 5]);
    c.get("/kinds", true).unwrap();
    assert_eq!(found(&mut c), [false, true, true, false, false]);
    c.remove_watches("/kinds", KIND_DATA).unwrap();
    assert_eq!(found(&mut c), [false; 5]);
    c.children("/kinds", true).unwrap();
    assert_eq!(found(&mut c), [true, false, true, false, false]);
    c.remove_watches("/kinds", KIND_ANY).unwrap();
    c.add_watch("/kinds", PERSISTENT).unwrap();
    assert_eq!(found(&mut c), [false, false, true, true, false]);
    c.remove_watches("/kinds", KIND_PERSISTENT).unwrap();
    c.add_watch("/kinds", RECURSIVE).unwrap();
    assert_eq!(found(&mut c), [false, false, true, false, true]);
    c.remove_watches("/kinds", KIND_RECURSIVE).unwrap();
    assert_eq!(found(&mut c), [false; 5]);
    for kind in kinds {
        assert_eq!(c.remove_watches("/kinds", kind), Err(code::NO_WATCHER));
    }
    for kind in [0, 6, -1] {
        assert_eq!(c.check_watches("/kinds", kind), Err(code::MARSHALLING_ERROR));
        assert_eq!(c.remove_watches("/kinds", kind), Err(code::MARSHALLING_ERROR));
    }
    c.make("/kinds/a");
    assert_events(&mut c, &[]);
}

#[test]
fn removing_any_removes_all() {
    let mut c = client_at("/any");
    c.get("/any", true).unwrap();
    c.children("/any", true).unwrap();
    c.add_watch("/any", PERSISTENT).unwrap();
    c.add_watch("/any", RECURSIVE).unwrap();
    c.remove_watches("/any", KIND_ANY).unwrap();
    c.set("/any", b"", -1).unwrap();
    c.make("/any/a");
    assert_events(&mut c, &[]);
    assert_eq!(c.remove_watches("/any", KIND_ANY), Err(code::NO_WATCHER));
}

#[test]
fn removing_one_leaves_the_other() {
    let mut c = client_at("/one");
    c.get("/one", true).unwrap();
    c.children("/one", true).unwrap();
    c.remove_watches("/one", KIND_CHILDREN).unwrap();
    c.make("/one/a");
    assert_events(&mut c, &[]);
    c.set("/one", b"", -1).unwrap();
    assert_events(&mut c, &[(CHANGED, "/one")]);
}

#[test]
fn set_watches_reports_what_was_missed() {
    let mut c = client_at("/set");
    let mut other = Client::connect(shared().address());
    for name in ["same", "changed", "deleted", "c-same", "c-changed", "c-deleted"] {
        c.make(&format!("/set/{name}"));
    }
    let seen = c.exists("/set/c-deleted", false).unwrap().czxid;
    other.set("/set/changed", b"", -1).unwrap();
    other.delete("/set/deleted", -1).unwrap();
    other.make("/set/c-changed/x");
    other.delete("/set/c-deleted", -1).unwrap();
    other.make("/set/appeared");
    c.set_watches(&Watches {
        relative_zxid: seen,
        data: &["/set/same", "/set/changed", "/set/deleted"],
        exist: &["/set/appeared", "/set/absent"],
        child: &["/set/c-same", "/set/c-changed", "/set/c-deleted"],
        ..Watches::default()
    });
    let events = c.events();
    assert!(events.iter().all(|event| event.zxid == -1), "no txn of their own: {events:?}");
    let events: Vec<_> = events.iter().map(|event| (event.kind, event.path.as_str())).collect();
    let expected = [
        (CHANGED, "/set/changed"),
        (DELETED, "/set/deleted"),
        (CREATED, "/set/appeared"),
        (CHILDREN, "/set/c-changed"),
        (DELETED, "/set/c-deleted"),
    ];
    assert_eq!(events, expected);
    other.set("/set/same", b"", -1).unwrap();
    other.make("/set/absent");
    other.make("/set/c-same/x");
    other.set("/set/changed", b"", -1).unwrap();
    let expected = [(CHANGED, "/set/same"), (CREATED, "/set/absent"), (CHILDREN, "/set/c-same")];
    assert_events(&mut c, &expected);
}

#[test]
fn set_watches2_sets_the_persistent_ones_silently() {
    let mut c = client_at("/set2");
    c.make("/set2/p");
    c.make("/set2/r");
    c.set("/set2/p", b"", -1).unwrap();
    c.set_watches2(&Watches {
        relative_zxid: 0,
        data: &["/set2/p"],
        persistent: &["/set2/p"],
        recursive: &["/set2/r"],
        ..Watches::default()
    });
    assert_events(&mut c, &[(CHANGED, "/set2/p")]);
    c.make("/set2/r/a");
    c.set("/set2/p", b"", -1).unwrap();
    assert_events(&mut c, &[(CREATED, "/set2/r/a"), (CHANGED, "/set2/p")]);
    assert_eq!(c.check_watches("/set2/p", KIND_PERSISTENT), Ok(()));
    assert_eq!(c.check_watches("/set2/r", KIND_RECURSIVE), Ok(()));
}

#[test]
fn many_watchers_of_one_node_are_each_notified_once() {
    let mut c = client_at("/crowd");
    let mut crowd: Vec<_> = (0..50).map(|_| Client::connect(shared().address())).collect();
    for one in &mut crowd {
        one.get("/crowd", true).unwrap();
    }
    c.set("/crowd", b"", -1).unwrap();
    for one in &mut crowd {
        assert_events(one, &[(CHANGED, "/crowd")]);
    }
}

#[test]
fn a_root_watch() {
    let mut c = client_at("/root-watch");
    c.add_watch("/root-watch", RECURSIVE).unwrap();
    c.add_watch("/", PERSISTENT).unwrap();
    c.delete("/root-watch", -1).unwrap();
    let events = events_so_far(&mut c);
    assert!(events.contains(&(DELETED, "/root-watch".to_owned())));
    assert!(events.contains(&(CHILDREN, "/".to_owned())));
}
