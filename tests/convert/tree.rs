//! A tree with something of everything, and all of a tree as text.

use std::fmt::Write as _;

use harness::wire::Body;
use harness::{Acl, Client, Config, Handshake, Op, Server, opcode};

/// base64(SHA1("super:admin")) and base64(SHA1("alice:secret")), as in the tests of ACLs.
const SUPER: &str = "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=";
const ALICE: &str = "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=";

/// Longer than any test runs, so nodes of abandoned sessions stay.
const TIMEOUT_MS: i32 = 600_000;
/// The longest possible TTL: none expires.
const TTL_MS: i64 = 0xff_ffff_ffff;

/// A server for such a tree: long sessions, a superuser, small logs.
pub(crate) fn config() -> Config {
    lasting(Server::config())
}

/// The same of a server that is set up in another way, too.
pub(crate) fn lasting(config: Config) -> Config {
    config
        .set("maxSessionTimeout", &TIMEOUT_MS.to_string())
        .set("preAllocSize", "16")
        .property(&format!("zookeeper.DigestAuthenticationProvider.superDigest={SUPER}"))
}

fn connect(server: &Server) -> Client {
    let handshake = Handshake { timeout_ms: TIMEOUT_MS, ..Handshake::default() };
    Client::open(server.address(), &handshake).expect("server answers")
}

/// A client that may read everything.
pub(crate) fn superuser(server: &Server) -> Client {
    let mut client = connect(server);
    assert_eq!(client.add_auth("digest", b"super:admin"), Ok(()));
    client
}

/// Creates nodes of all kinds. Two sessions stay, one with nodes of its own; others have ended.
pub(crate) fn plant(server: &Server) {
    let mut c = connect(server);
    c.make("/plain");
    c.create("/plain/data", b"some data", &Acl::open(), 0).unwrap();
    c.create("/plain/empty", b"", &Acl::open(), 0).unwrap();
    let null = Body::new().string("/plain/null").buffer(None::<&[u8]>).acls(&Acl::open()).int(0);
    assert_eq!(c.call(opcode::CREATE, &null).err, 0);
    c.create("/plain/binary", &[0, 1, 0xff, 0x80, b'B'], &Acl::open(), 0).unwrap();
    c.create("/plain/large", &[7; 3000], &Acl::open(), 0).unwrap();
    for version in 0..5 {
        c.set("/plain/data", format!("changed {version}").as_bytes(), version).unwrap();
    }
    for name in ["gr\u{fc}\u{df}e", "\u{65e5}\u{672c}", "with space", "a.b", "-"] {
        c.create(&format!("/plain/{name}"), name.as_bytes(), &Acl::open(), 0).unwrap();
    }

    c.make("/sequence");
    for _ in 0..7 {
        c.create("/sequence/n-", b"", &Acl::open(), 2).unwrap();
    }
    c.delete("/sequence/n-0000000003", -1).unwrap();
    c.create2("/sequence/created2-", b"2", &Acl::open(), 2).unwrap();
    c.create_container("/container", 4).unwrap();
    c.make("/container/child");
    c.create_ttl("/ttl", b"t", 5, TTL_MS).unwrap();
    c.create_ttl("/ttl-", b"t", 6, TTL_MS - 1).unwrap();

    c.make("/acl");
    c.create("/acl/alice", b"a", &[Acl::new(31, "digest", ALICE)], 0).unwrap();
    let readers = [Acl::new(1, "world", "anyone"), Acl::new(30, "ip", "127.0.0.1")];
    c.create("/acl/readers", b"r", &readers, 0).unwrap();
    c.create("/acl/changed", b"c", &Acl::open(), 0).unwrap();
    for _ in 0..3 {
        c.set_acl("/acl/changed", &readers[..1], -1).unwrap_or_default();
    }

    c.make("/zookeeper/quota/plain");
    c.create("/zookeeper/quota/plain/zookeeper_limits", b"count=1000,bytes=-1", &Acl::open(), 0)
        .unwrap();
    c.create("/zookeeper/quota/plain/zookeeper_stats", b"count=0,bytes=0", &Acl::open(), 0)
        .unwrap();

    plant_multis(&mut c);
    plant_what_goes(server, &mut c);
    c.create("/ephemeral", b"mine", &Acl::open(), 1).unwrap();
    c.create("/sequence/mine-", b"", &Acl::open(), 3).unwrap();
    // Both connections break; both sessions stay.
    connect(server).hang_up();
    c.hang_up();
}

fn plant_multis(c: &mut Client) {
    c.make("/multi");
    let done = [
        Op::create("/multi/a", b"1", 0),
        Op::Set { path: "/multi/a", data: b"2", version: 0 },
        Op::create("/multi/b", b"", 0),
        Op::Delete { path: "/multi/b", version: 0 },
        Op::Check { path: "/multi/a", version: 1 },
        Op::CreateContainer { path: "/multi/container" },
        Op::CreateTtl { path: "/multi/ttl", flags: 5, ttl: TTL_MS },
    ];
    c.multi(&done).unwrap();
    let failed = [Op::create("/multi/c", b"", 0), Op::Delete { path: "/none", version: -1 }];
    c.multi(&failed).unwrap();
    assert!(c.delete("/none", -1).is_err());
}

fn plant_what_goes(server: &Server, c: &mut Client) {
    c.make("/gone");
    for round in 0..20 {
        let path = format!("/gone/{round}");
        c.make(&path);
        c.delete(&path, -1).unwrap();
    }
    let mut passing = connect(server);
    passing.create("/gone/ephemeral", b"", &Acl::open(), 1).unwrap();
    passing.close();
}

/// More of the same, after a snapshot.
pub(crate) fn grow(server: &Server) {
    let mut c = superuser(server);
    c.set("/plain/data", b"changed behind the snapshot", -1).unwrap();
    c.delete("/plain/empty", -1).unwrap();
    c.set("/acl/alice", b"a2", -1).unwrap();
    c.create("/sequence/n-", b"", &Acl::open(), 2).unwrap();
    c.create("/plain/new", b"", &[Acl::new(31, "digest", ALICE)], 0).unwrap();
    c.multi(&[Op::create("/multi/d", b"", 0), Op::create("/multi/d/e", b"", 0)]).unwrap();
    c.close();
}

/// All nodes below the root with everything that a client can see of them, sorted.
pub(crate) fn dump(server: &Server) -> String {
    let mut client = superuser(server);
    let mut text = String::new();
    let mut todo = vec!["/".to_owned()];
    while let Some(path) = todo.pop() {
        let (data, s) = client.get(&path, false).unwrap();
        let (acl, _) = client.acl(&path).unwrap();
        let data = data.map_or("null".to_owned(), |data| shown(&data));
        // Each server of an ensemble of ZooKeeper writes this node when it starts, for itself.
        let changed_at = if path == "/zookeeper/config" { 0 } else { s.mtime };
        let acl: Vec<_> =
            acl.iter().map(|it| format!("{}:{}:{}", it.permissions, it.scheme, it.id)).collect();
        writeln!(
            text,
            "{path}\n  data {data}\n  acl {}\n  created {:x} {} changed {:x} {} children {:x}\n  \
             versions {} {} {} owner {:x} length {} children {}",
            acl.join(" "),
            s.czxid,
            s.ctime,
            s.mzxid,
            changed_at,
            s.pzxid,
            s.version,
            s.cversion,
            s.aversion,
            s.ephemeral_owner,
            s.data_length,
            s.num_children
        )
        .unwrap();
        let children = client.children(&path, false).unwrap();
        let below = if path == "/" { "" } else { &path };
        todo.extend(children.iter().rev().map(|name| format!("{below}/{name}")));
    }
    client.close();
    text
}

/// Data as it is if it is plain, else its bytes; long data as its length and a sum.
fn shown(data: &[u8]) -> String {
    if data.len() > 200 {
        let sum = data.iter().fold(0_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(*byte));
        return format!("{} bytes, {sum:x}", data.len());
    }
    match str::from_utf8(data) {
        Ok(text) if text.chars().all(|c| !c.is_control()) => format!("{text:?}"),
        _ => format!("{data:02x?}"),
    }
}
