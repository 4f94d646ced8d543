//! The plainest model of ZooKeeper's nodes, and the engine compared with it.

use super::harness::{World, settings};
use super::wire;
use crate::pipeline::Head;
use model::acl::perms;
use model::error::ErrorCode;
use model::jute;
use model::op::Op;
use model::response;
use model::stat::Stat;
use model::zxid::Zxid;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    stat: Stat,
    /// Children created so far.
    created: i32,
    is_container: bool,
    /// What everyone may do.
    perms: i32,
    data: Vec<u8>,
}

/// What a client requests.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Create { path: String, data: String, flags: i32, perms: i32 },
    Delete { path: String, version: i32 },
    Set { path: String, data: String, version: i32 },
    SetAcl { path: String, perms: i32, version: i32 },
    Check { path: String, version: i32 },
    Get { path: String },
    Exists { path: String },
    Multi(Vec<Operation>),
}

#[derive(Clone, Debug)]
enum Step {
    /// Some operations of one client, sent at once.
    Ask {
        client: usize,
        operations: Vec<Operation>,
    },
    /// A client closes its session and opens another.
    Renew {
        client: usize,
    },
    Pass {
        ms: u64,
    },
}

#[derive(Clone, Default)]
pub(super) struct Plain {
    nodes: BTreeMap<String, Node>,
    zxid: i64,
    /// The zxid before the next write's, if that begins an epoch.
    pub(super) epoch_start: Option<i64>,
    pub(super) time_ms: i64,
}

fn put_stat(out: &mut Vec<u8>, stat: &Stat) {
    for long in [stat.czxid, stat.mzxid, stat.ctime, stat.mtime] {
        jute::put_long(out, long);
    }
    for int in [stat.version, stat.cversion, stat.aversion] {
        jute::put_int(out, int);
    }
    jute::put_long(out, stat.ephemeral_owner);
    jute::put_int(out, stat.data_length);
    jute::put_int(out, stat.num_children);
    jute::put_long(out, stat.pzxid);
}

fn parent_of(path: &str) -> &str {
    path.rsplit_once('/').map(|(parent, _)| parent).filter(|p| !p.is_empty()).unwrap_or("/")
}

fn matches(found: i32, expected: i32) -> Result<(), ErrorCode> {
    if expected == -1 || expected == found { Ok(()) } else { Err(ErrorCode::BadVersion) }
}

impl Plain {
    pub(super) fn new() -> Self {
        let root = Node { perms: perms::ALL, created: 0, ..Node::default() };
        let mut plain = Self { nodes: BTreeMap::from([("/".to_owned(), root)]), ..Self::default() };
        // `/zookeeper` was inserted, not created.
        plain.count_child("/", 1, 0);
        plain
    }

    fn node(&self, path: &str, wanted: i32) -> Result<&Node, ErrorCode> {
        let node = self.nodes.get(path).ok_or(ErrorCode::NoNode)?;
        if node.perms & wanted == 0 { Err(ErrorCode::NoAuth) } else { Ok(node) }
    }

    fn count_child(&mut self, path: &str, more: i32, created: i32) {
        let zxid = self.zxid;
        let node = self.nodes.get_mut(path).unwrap();
        node.created += created;
        node.stat.num_children += more;
        node.stat.cversion = 2 * node.created - node.stat.num_children;
        node.stat.pzxid = zxid;
    }

    /// The reply to an operation, without its length.
    pub(super) fn reply(&mut self, xid: i32, operation: &Operation, session: i64) -> Vec<u8> {
        if !operation.is_read() {
            self.take_zxid();
        }
        let (error, body) = match self.perform(operation, session) {
            Ok(body) => (ErrorCode::Ok, body),
            Err(error) => (error, Vec::new()),
        };
        let mut packet = Vec::new();
        response::put_reply(&mut packet, xid, Zxid(self.zxid), error, &body);
        packet.split_off(4)
    }

    /// A tree is this one.
    pub(super) fn assert_equal(&self, head: &Head) {
        let mut nodes = BTreeMap::new();
        let mut digest = 0_u64;
        for record in head.tree.records() {
            digest = digest.wrapping_add(record.digest());
            let path = str::from_utf8(record.path()).unwrap();
            if path.starts_with("/zookeeper") {
                continue;
            }
            let list = head.tree.meta().acls.list(record.acl());
            let node = Node {
                stat: record.stat_native(),
                created: record.stored_cversion(),
                is_container: record.owner_raw() == i64::MIN,
                perms: list.iter().fold(0, |all, entry| all | entry.perms),
                data: record.data().unwrap().to_vec(),
            };
            nodes.insert(path.to_owned(), node);
        }
        assert_eq!(nodes, self.nodes);
        assert_eq!(head.tree.digest(), digest);
        assert_eq!(head.tree.node_count(), nodes.len() as u64 + 3);
        let owned = nodes.values().filter(|node| node.stat.ephemeral_owner != 0).count();
        assert_eq!(head.tree.meta().ephemeral_count, owned as u64);
    }

    /// Performs an operation and returns the reply's body.
    fn perform(&mut self, operation: &Operation, session: i64) -> Result<Vec<u8>, ErrorCode> {
        let (zxid, time_ms) = (self.zxid, self.time_ms);
        let mut body = Vec::new();
        match operation {
            Operation::Create { path, data, flags, perms } => {
                body = self.create(path, data, *flags, *perms, session)?;
            }
            Operation::Delete { path, version } => {
                self.node(parent_of(path), perms::DELETE)?;
                let node = self.nodes.get(path).ok_or(ErrorCode::NoNode)?;
                matches(node.stat.version, *version)?;
                if node.stat.num_children > 0 {
                    return Err(ErrorCode::NotEmpty);
                }
                self.delete(path);
            }
            Operation::Set { path, data, version } => {
                matches(self.node(path, perms::WRITE)?.stat.version, *version)?;
                let node = self.nodes.get_mut(path).unwrap();
                node.data = data.clone().into_bytes();
                node.stat.version += 1;
                (node.stat.mzxid, node.stat.mtime) = (zxid, time_ms);
                node.stat.data_length = data.len() as i32;
                put_stat(&mut body, &node.stat);
            }
            Operation::SetAcl { path, perms: granted, version } => {
                matches(self.node(path, perms::ADMIN)?.stat.aversion, *version)?;
                let node = self.nodes.get_mut(path).unwrap();
                node.perms = *granted;
                node.stat.aversion += 1;
                put_stat(&mut body, &node.stat);
            }
            Operation::Check { path, version } => {
                matches(self.node(path, perms::READ)?.stat.version, *version)?;
            }
            Operation::Get { path } => {
                let node = self.node(path, perms::READ)?;
                jute::put_string(&mut body, &node.data);
                put_stat(&mut body, &node.stat);
            }
            Operation::Exists { path } => put_stat(&mut body, &self.node(path, perms::READ)?.stat),
            Operation::Multi(operations) => self.multi(operations, session, &mut body),
        }
        Ok(body)
    }

    fn create(
        &mut self,
        path: &str,
        data: &str,
        flags: i32,
        granted: i32,
        session: i64,
    ) -> Result<Vec<u8>, ErrorCode> {
        let (zxid, time_ms) = (self.zxid, self.time_ms);
        let mut body = Vec::new();
        let parent = self.node(parent_of(path), perms::CREATE)?;
        let is_sequential = flags & 2 != 0;
        let mut path = path.to_owned();
        if is_sequential {
            path = format!("{path}{:010}", parent.created);
        }
        if self.nodes.contains_key(&path) {
            return Err(ErrorCode::NodeExists);
        }
        if parent.stat.ephemeral_owner != 0 {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        self.count_child(parent_of(&path), 1, 1);
        let stat = Stat {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time_ms,
            mtime: time_ms,
            ephemeral_owner: if flags & 1 != 0 { session } else { 0 },
            data_length: data.len() as i32,
            ..Stat::default()
        };
        jute::put_string(&mut body, path.as_bytes());
        put_stat(&mut body, &stat);
        let data = data.as_bytes().to_vec();
        let is_container = flags == 4;
        let node = Node { stat, created: 0, is_container, perms: granted, data };
        self.nodes.insert(path, node);
        Ok(body)
    }

    fn multi(&mut self, operations: &[Operation], session: i64, body: &mut Vec<u8>) {
        let before = self.clone();
        for (at, operation) in operations.iter().enumerate() {
            match self.perform(operation, session) {
                Ok(result) => {
                    let op = match operation {
                        Operation::Create { .. } => Op::Create2,
                        Operation::Delete { .. } => Op::Delete,
                        Operation::Set { .. } => Op::SetData,
                        _ => Op::Check,
                    };
                    response::put_multi_header(body, op.code(), false, 0);
                    body.extend(result);
                }
                Err(error) => {
                    *self = before;
                    body.clear();
                    (0..at).for_each(|_| response::put_multi_error(body, ErrorCode::Ok));
                    response::put_multi_error(body, error);
                    let untried = ErrorCode::RuntimeInconsistency;
                    (at + 1..operations.len())
                        .for_each(|_| response::put_multi_error(body, untried));
                    break;
                }
            }
        }
        response::put_multi_end(body);
    }

    fn delete(&mut self, path: &str) {
        self.nodes.remove(path);
        self.count_child(parent_of(path), -1, 0);
    }

    /// The next write's zxid.
    pub(super) fn take_zxid(&mut self) {
        self.zxid = self.epoch_start.take().unwrap_or(self.zxid) + 1;
    }

    pub(super) fn close(&mut self, session: i64) {
        self.take_zxid();
        let own = self.nodes.iter().filter(|(_, node)| node.stat.ephemeral_owner == session);
        let own: Vec<_> = own.map(|(path, _)| path.clone()).collect();
        for path in &own {
            self.delete(path);
        }
    }
}

impl Operation {
    fn is_read(&self) -> bool {
        matches!(self, Self::Get { .. } | Self::Exists { .. })
    }

    /// Its request.
    pub(super) fn request(&self) -> (Op, Vec<u8>) {
        wire::request(&self.words().split_whitespace().collect::<Vec<_>>())
    }

    fn words(&self) -> String {
        let acl = |perms: &i32| {
            let letters = "rwcda".chars().enumerate().filter(|(at, _)| perms >> at & 1 != 0);
            letters.map(|(_, letter)| letter).collect::<String>() + ":world:anyone"
        };
        match self {
            Self::Create { path, data, flags, perms } => {
                format!("create {path} {data} flags={flags} acl={}", acl(perms))
            }
            Self::Delete { path, version } => format!("delete {path} {version}"),
            Self::Set { path, data, version } => format!("set {path} {data} {version}"),
            Self::SetAcl { path, perms, version } => {
                format!("setacl {path} {} {version}", acl(perms))
            }
            Self::Check { path, version } => format!("check {path} {version}"),
            Self::Get { path } => format!("get {path}"),
            Self::Exists { path } => format!("exists {path}"),
            Self::Multi(operations) => {
                let parts: Vec<_> = operations.iter().map(Self::words).collect();
                format!("multi {}", parts.join(" | "))
            }
        }
    }
}

fn single() -> impl Strategy<Value = Operation> {
    let path = || "(/[ab]){1,3}";
    let data = || prop_oneof![4 => "[a-z]{1,8}", 1 => "[a-z]{1100,1200}"];
    let version = || prop_oneof![6 => Just(-1), 1 => 0..4i32];
    let granted = || prop_oneof![8 => Just(perms::ALL), 1 => 0..32i32];
    prop_oneof![
        5 => (path(), data(), 0..5i32, granted()).prop_map(|(path, data, flags, perms)| {
            Operation::Create { path, data, flags, perms }
        }),
        2 => (path(), version()).prop_map(|(path, version)| Operation::Delete { path, version }),
        2 => (path(), data(), version()).prop_map(|(path, data, version)| {
            Operation::Set { path, data, version }
        }),
        1 => (path(), version()).prop_map(|(path, version)| Operation::Check { path, version }),
    ]
}

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    let path = || "(/[ab]){1,3}";
    let alone = single()
        .prop_filter("only in a multi", |operation| !matches!(operation, Operation::Check { .. }));
    prop_oneof![
        6 => alone,
        1 => (path(), 0..32i32, -1..2i32).prop_map(|(path, perms, version)| {
            Operation::SetAcl { path, perms: perms | perms::ADMIN, version }
        }),
        2 => path().prop_map(|path| Operation::Get { path }),
        1 => path().prop_map(|path| Operation::Exists { path }),
        3 => prop::collection::vec(single(), 0..6).prop_map(Operation::Multi),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0..3usize, prop::collection::vec(operation(), 1..6))
            .prop_map(|(client, operations)| Step::Ask { client, operations }),
        1 => (0..3usize).prop_map(|client| Step::Renew { client }),
        2 => (1..900u64).prop_map(|ms| Step::Pass { ms }),
    ]
}

/// Both sides of the comparison.
pub(super) struct Pair {
    pub(super) world: World,
    plain: Plain,
    /// Connection and session of each client.
    clients: Vec<(usize, i64)>,
    next_session: i64,
}

impl Pair {
    pub(super) fn new(shard_count: u16) -> Self {
        let world = World::new(settings(), shard_count);
        let clients = Vec::new();
        let mut pair =
            Self { world, plain: Plain::new(), clients, next_session: wire::SESSION_BASE };
        for client in 0..3 {
            let opened = pair.open(client);
            pair.clients.push(opened);
        }
        pair
    }

    /// Every client gets a new connection and a new session.
    pub(super) fn open_all(&mut self) {
        for client in 0..self.clients.len() {
            self.clients[client] = self.open(client);
        }
    }

    fn open(&mut self, client: usize) -> (usize, i64) {
        let connection = self.world.open(client as u16 % self.world.shards.len() as u16);
        self.world.connect(connection, 40_000, 0, [0; 16], 0);
        self.world.run();
        self.world.receive(connection);
        self.plain.take_zxid();
        self.next_session += 1;
        (connection, self.next_session - 1)
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Pass { ms } => {
                // No client is silent for long enough to expire.
                for &(connection, _) in &self.clients {
                    self.world.send(connection, response::xid::PING, Op::Ping, &[]);
                }
                self.world.pass(*ms);
                self.plain.time_ms += *ms as i64;
                for &(connection, _) in &self.clients {
                    assert_eq!(self.world.receive(connection).len(), 1);
                }
            }
            Step::Renew { client } => {
                let (connection, session) = self.clients[*client];
                self.world.send(connection, 1, Op::CloseSession, &[]);
                self.world.run();
                assert!(!self.world.connections[connection].is_open);
                self.plain.close(session);
                self.clients[*client] = self.open(*client);
            }
            Step::Ask { client, operations } => self.ask(*client, operations),
        }
    }

    /// Requests that will not be answered.
    pub(super) fn ask_unanswered(&mut self, client: usize, operations: &[Operation]) {
        for (xid, operation) in operations.iter().enumerate() {
            let (op, body) = operation.request();
            self.world.send(self.clients[client].0, xid as i32, op, &body);
        }
        self.world.run();
    }

    pub(super) fn ask(&mut self, client: usize, operations: &[Operation]) {
        let (connection, session) = self.clients[client];
        let mut expected = Vec::new();
        for (xid, operation) in operations.iter().enumerate() {
            let (op, body) = operation.request();
            self.world.send(connection, xid as i32, op, &body);
            expected.push(self.plain.reply(xid as i32, operation, session));
        }
        self.world.run();
        assert_eq!(self.world.receive(connection), expected, "{operations:?}");
    }

    pub(super) fn assert_equal(&self) {
        self.plain.assert_equal(&self.world.ordering().head);
    }

    /// The log leads to the same tree, in one history or after a restart.
    pub(super) fn assert_replays(&self) {
        let (head, again) = (&self.world.ordering().head, self.world.replayed());
        let (state, other) = (head.tree.meta(), again.tree.meta());
        assert_eq!(again.tree.digest(), head.tree.digest());
        assert_eq!(again.tree.node_count(), head.tree.node_count());
        assert_eq!((other.zxid, other.ephemeral_count), (state.zxid, state.ephemeral_count));
        let sessions = |state: &crate::state::State| -> Vec<_> {
            let of = |(id, session): (&_, &crate::state::Session)| {
                (*id, session.timeout_ms, session.ephemerals.clone())
            };
            state.sessions.iter().map(of).collect()
        };
        assert_eq!(sessions(other), sessions(state));
        for record in head.tree.records() {
            let found = again.tree.lookup(record.path()).unwrap();
            assert_eq!(found.stat_bytes(), record.stat_bytes());
            assert_eq!(found.data(), record.data());
            assert_eq!(other.acls.list(found.acl()), state.acls.list(record.acl()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn engine_agrees_with_the_plain_model(
        shard_count in 1..4u16,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut pair = Pair::new(shard_count);
        for step in &steps {
            pair.step(step);
        }
        pair.assert_equal();
        pair.assert_replays();
    }
}
