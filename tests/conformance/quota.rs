//! Quotas: limits that a client writes into the tree, and the server enforces.

use std::sync::OnceLock;

use harness::{Acl, Client, Op, OpResult, Server, code};

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::config().property("zookeeper.enforceQuota=true").start())
}

/// A node with a quota of the given text.
fn limited(path: &str, limits: &str) -> Client {
    let mut c = Client::connect(server().address());
    c.make(path);
    let at = format!("/zookeeper/quota{path}");
    c.make(&at);
    c.create(&format!("{at}/zookeeper_limits"), limits.as_bytes(), &Acl::open(), 0).unwrap();
    c.create(&format!("{at}/zookeeper_stats"), b"count=0,bytes=0", &Acl::open(), 0).unwrap();
    c
}

fn stats(c: &mut Client, path: &str) -> String {
    let at = format!("/zookeeper/quota{path}/zookeeper_stats");
    String::from_utf8(c.get(&at, false).unwrap().0.unwrap()).unwrap()
}

#[test]
fn nodes_and_bytes_are_counted() {
    let mut c = limited("/quota-count", "count=-1,bytes=-1");
    assert_eq!(stats(&mut c, "/quota-count"), "count=1,bytes=0");
    c.create("/quota-count/a", b"12345", &Acl::open(), 0).unwrap();
    c.create("/quota-count/a/b", b"123", &Acl::open(), 0).unwrap();
    assert_eq!(stats(&mut c, "/quota-count"), "count=3,bytes=8");
    c.set("/quota-count/a", b"1", -1).unwrap();
    c.set("/quota-count", b"22", -1).unwrap();
    assert_eq!(stats(&mut c, "/quota-count"), "count=3,bytes=6");
    c.delete("/quota-count/a/b", -1).unwrap();
    assert_eq!(stats(&mut c, "/quota-count"), "count=2,bytes=3");
    let stat = c.exists("/zookeeper/quota/quota-count/zookeeper_stats", false).unwrap();
    assert_eq!(stat.version, 0, "the server's own count is no write");
}

#[test]
fn a_quota_counts_what_is_there_already() {
    let mut c = Client::connect(server().address());
    c.make("/quota-late");
    c.create("/quota-late/a", b"1234", &Acl::open(), 0).unwrap();
    c.make("/zookeeper/quota/quota-late");
    let at = "/zookeeper/quota/quota-late/zookeeper_limits";
    c.create(at, b"count=5,bytes=5", &Acl::open(), 0).unwrap();
    let at = "/zookeeper/quota/quota-late/zookeeper_stats";
    c.create(at, b"count=77,bytes=77", &Acl::open(), 0).unwrap();
    assert_eq!(stats(&mut c, "/quota-late"), "count=2,bytes=4");
}

#[test]
fn a_hard_count_is_enforced() {
    let mut c = limited("/quota-hard", "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3");
    c.make("/quota-hard/a");
    c.make("/quota-hard/b");
    let over = c.create("/quota-hard/c", b"", &Acl::open(), 0);
    assert_eq!(over, Err(code::QUOTA_EXCEEDED));
    assert_eq!(c.create("/quota-hard/a", b"", &Acl::open(), 0), Err(code::NODE_EXISTS), "first");
    let results = c.multi(&[Op::create("/quota-hard/c", b"", 0)]).unwrap();
    assert_eq!(results, [OpResult::Error(code::QUOTA_EXCEEDED)]);
    c.set("/quota-hard/a", b"any length", -1).unwrap();
    c.delete("/quota-hard/a", -1).unwrap();
    c.make("/quota-hard/c");
}

#[test]
fn a_hard_size_is_enforced() {
    let mut c = limited("/quota-size", "count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=-1");
    c.create("/quota-size/a", b"123456", &Acl::open(), 0).unwrap();
    let over = c.create("/quota-size/b", b"12345", &Acl::open(), 0);
    assert_eq!(over, Err(code::QUOTA_EXCEEDED));
    assert_eq!(c.set("/quota-size/a", b"12345678901", 99), Err(code::QUOTA_EXCEEDED), "first");
    c.set("/quota-size/a", b"1234567890", -1).unwrap();
    assert_eq!(c.set("/quota-size", b"x", -1), Err(code::QUOTA_EXCEEDED));
    c.set("/quota-size/a", b"", -1).unwrap();
    c.set("/quota-size", b"x", -1).unwrap();
}

#[test]
fn a_soft_limit_only_warns() {
    let mut c = limited("/quota-soft", "count=1,bytes=1");
    c.create("/quota-soft/a", b"123", &Acl::open(), 0).unwrap();
    c.make("/quota-soft/b");
    assert_eq!(stats(&mut c, "/quota-soft"), "count=3,bytes=3");
}

#[test]
fn limits_may_be_changed_and_removed() {
    let mut c = limited("/quota-change", "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=1");
    assert_eq!(c.create("/quota-change/a", b"", &Acl::open(), 0), Err(code::QUOTA_EXCEEDED));
    let at = "/zookeeper/quota/quota-change/zookeeper_limits";
    c.set(at, b"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=2", -1).unwrap();
    c.make("/quota-change/a");
    assert_eq!(c.create("/quota-change/b", b"", &Acl::open(), 0), Err(code::QUOTA_EXCEEDED));
    c.delete(at, -1).unwrap();
    c.make("/quota-change/b");
}

#[test]
fn without_enforcement_a_hard_limit_only_warns() {
    let mut c = super::client_at("/quota-lax");
    c.make("/zookeeper/quota/quota-lax");
    let limits = b"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=1";
    c.create("/zookeeper/quota/quota-lax/zookeeper_limits", limits, &Acl::open(), 0).unwrap();
    let at = "/zookeeper/quota/quota-lax/zookeeper_stats";
    c.create(at, b"", &Acl::open(), 0).unwrap();
    c.make("/quota-lax/a");
}

#[test]
fn limits_that_cannot_be_read_stop_writes() {
    let mut c = Client::connect(server().address());
    c.make("/quota-garbled");
    c.make("/zookeeper/quota/quota-garbled");
    let at = "/zookeeper/quota/quota-garbled/zookeeper_limits";
    c.create(at, b"phgatco", &Acl::open(), 0).unwrap();
    let refused = Err(code::MARSHALLING_ERROR);
    assert_eq!(c.set("/quota-garbled", b"1", -1).map(drop), refused);
    // The quota is checked before the version.
    assert_eq!(c.set("/quota-garbled", b"1", 77).map(drop), refused);
    assert_eq!(c.create("/quota-garbled/a", b"1", &Acl::open(), 0).map(drop), refused);
    c.set(at, b"count=1,bytes=1", -1).unwrap();
    c.set("/quota-garbled", b"1", -1).unwrap();
}
