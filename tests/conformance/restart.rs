//! What a restart preserves: everything.

use std::collections::BTreeMap;

use harness::{Acl, Client, Op, Server, Stat};

/// All that can be read of a node.
type Node = (Option<Vec<u8>>, Stat, Vec<Acl>, Vec<String>);

fn tree(c: &mut Client) -> BTreeMap<String, Node> {
    let mut found = BTreeMap::new();
    let mut open = vec!["/".to_owned()];
    while let Some(path) = open.pop() {
        let (data, stat) = c.get(&path, false).unwrap();
        let (acl, _) = c.acl(&path).unwrap();
        let children = c.children(&path, false).unwrap();
        let prefix = if path == "/" { "" } else { &path };
        open.extend(children.iter().map(|name| format!("{prefix}/{name}")));
        found.insert(path, (data, stat, acl, children));
    }
    found
}

/// A tree with something of everything.
fn plant(c: &mut Client) {
    let acl = [Acl::new(31, "world", "anyone"), Acl::new(1, "ip", "10.0.0.0/8")];
    c.create("/plain", b"data", &acl, 0).unwrap();
    c.set("/plain", b"changed", 0).unwrap();
    c.set_acl("/plain", &Acl::open(), 0).unwrap();
    c.make("/parent");
    for _ in 0..5 {
        c.create("/parent/s-", b"", &Acl::open(), 2).unwrap();
    }
    c.delete("/parent/s-0000000002", -1).unwrap();
    c.create("/ephemeral", b"e", &Acl::open(), 1).unwrap();
    c.create_container("/container", 4).unwrap();
    c.create_ttl("/ttl", b"t", 5, 100_000_000).unwrap();
    c.multi(&[Op::create("/multi", b"", 0), Op::create("/multi/a", &[0; 5000], 0)]).unwrap();
    c.create("/large", &vec![7; 900_000], &Acl::open(), 0).unwrap();
    c.make("/\u{e9}t\u{e9}");
    c.create("/gone", b"", &Acl::open(), 1).unwrap();
    c.delete("/gone", -1).unwrap();
}

fn end_in_order(server: &mut Server) {
    server.stop();
}

fn assert_kept(server: &mut Server, c: Client, end: fn(&mut Server)) -> Client {
    let mut c = c;
    let before = tree(&mut c);
    let zxid = c.zxid();
    end(server);
    server.start_again();
    let mut c = c.reconnect();
    assert_eq!(tree(&mut c), before);
    assert_eq!(c.zxid(), zxid);
    assert_eq!(c.ephemerals("/").unwrap(), ["/ephemeral"]);
    let next = c.create("/parent/s-", b"", &Acl::open(), 2).unwrap();
    // A client sees creates plus deletes, and creates minus deletes; the number counts creates.
    let parent = before["/parent"].1;
    let creates = i32::midpoint(parent.cversion, parent.num_children);
    assert_eq!(next, format!("/parent/s-{creates:010}"));
    c
}

#[test]
fn the_tree_is_the_same_after_a_restart() {
    let mut server = Server::config().start();
    let mut c = Client::connect(server.address());
    plant(&mut c);
    let c = assert_kept(&mut server, c, Server::kill);
    let c = assert_kept(&mut server, c, end_in_order);
    assert_kept(&mut server, c, Server::kill).close();
}

/// With snapshots along the way, and more log behind them.
#[test]
fn the_tree_is_the_same_from_a_snapshot_and_a_log() {
    let mut server = Server::config().set("snapCount", "200").start();
    let mut c = Client::connect(server.address());
    plant(&mut c);
    c.make("/busy");
    for i in 0..500 {
        c.set("/busy", format!("{i}").as_bytes(), i).unwrap();
        c.create("/busy/", b"x", &Acl::open(), 2).unwrap();
    }
    for i in (0..500).step_by(3) {
        c.delete(&format!("/busy/{i:010}"), -1).unwrap();
    }
    let c = assert_kept(&mut server, c, Server::kill);
    assert_kept(&mut server, c, end_in_order).close();
}

#[test]
fn counts_are_the_same_after_a_restart() {
    let mut server = Server::config().start();
    let mut c = Client::connect(server.address());
    plant(&mut c);
    let line = |server: &Server, name: &str| {
        let text = server.word("mntr");
        text.lines().find(|line| line.starts_with(name)).expect("the metric is there").to_owned()
    };
    let names = ["zk_znode_count\t", "zk_ephemerals_count\t", "zk_approximate_data_size\t"];
    let before = names.map(|name| line(&server, name));
    let count = tree(&mut c).len();
    server.restart();
    assert_eq!(names.map(|name| line(&server, name)), before);
    assert_eq!(before[0], format!("zk_znode_count\t{}", count + 1), "the root counts twice");
    assert_eq!(before[1], "zk_ephemerals_count\t1");
}
