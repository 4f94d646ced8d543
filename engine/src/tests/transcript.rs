//! Conversations with a server as text files: an unindented line is what clients do in one turn,
//! the indented lines below it are what they receive.
//!
//! A file that does not match is rewritten with `UPDATE_TRANSCRIPTS=1` in the environment: the
//! difference is then what has changed.

use super::harness::{World, settings};
use super::wire;
use crate::settings::Settings;
use model::jute::JuteReader;
use model::op::Op;
use model::response::xid;
use model::session::{ExtendedTypes, Password, SessionId, password};
use model::txn::TxnHeader;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A client: its connection, its session, what it waits for.
struct Client {
    connection: usize,
    session: i64,
    password: Password,
    is_connected: bool,
    was_closed: bool,
    next_xid: i32,
    asked: BTreeMap<i32, Op>,
}

struct Player {
    world: World,
    clients: BTreeMap<String, Client>,
    /// Txns that were shown.
    shown: usize,
}

fn decided(words: &[&str]) -> (Settings, u16) {
    let mut settings = settings();
    let mut shards = 1;
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("shards", count) => shards = count.parse().unwrap(),
            ("ttl", _) => {
                settings.extended_types = ExtendedTypes { enabled: true, emulate_353: false };
            }
            ("enforce-quota", _) => settings.enforce_quota = true,
            ("enforce-auth", schemes) => {
                let schemes = schemes.split(',').map(|scheme| scheme.as_bytes().to_vec());
                settings.enforced_schemes = Some(schemes.collect());
            }
            ("super", credentials) => {
                let algorithm = settings.schemes.digest.unwrap();
                let digest = crate::acl::scheme::digest_id(credentials.as_bytes(), algorithm);
                settings.schemes.super_digest = Some(digest);
            }
            (other, _) => panic!("no setting {other}"),
        }
    }
    (settings, shards)
}

impl Player {
    fn new(words: &[&str]) -> Self {
        let (settings, shards) = decided(words);
        let world = World::new(settings, shards);
        Self { world, clients: BTreeMap::new(), shown: 0 }
    }

    fn play(&mut self, action: &str) {
        let words: Vec<_> = action.split_whitespace().collect();
        let ms = || words[1].parse().unwrap();
        match words[0] {
            "pass" => self.world.pass(ms()),
            "stall" => self.world.jump(ms()),
            "hold" => self.world.is_held = true,
            "durable" => self.world.is_held = false,
            "full" => self.world.refuse(true),
            "room" => self.world.refuse(false),
            "log" | "state" => (),
            name => self.client(name, &words[1..]),
        }
    }

    fn client(&mut self, name: &str, words: &[&str]) {
        if words[0] == "connect" {
            return self.connect(name, words);
        }
        let client = self.clients.get_mut(name).unwrap_or_else(|| panic!("who is {name}?"));
        if words[0] == "drop" {
            client.was_closed = true;
            return self.world.drop_socket(client.connection);
        }
        if words[0] == "many" {
            let count: usize = words[2].parse().unwrap();
            for at in 0..count {
                let path = format!("{}{at:05}", words[1]);
                let (op, body) = wire::request(&["create1", &path, "null", "flags=1"]);
                self.world.send(client.connection, i32::MAX, op, &body);
            }
            return;
        }
        let (op, body) = match words[0] {
            "number" => (Op::Error, Vec::new()),
            _ => wire::request(words),
        };
        let xid = match op {
            Op::Ping => xid::PING,
            Op::Auth => xid::AUTH,
            Op::SetWatches2 => xid::SET_WATCHES,
            _ => {
                client.next_xid += 1;
                client.next_xid
            }
        };
        client.asked.insert(xid, op);
        self.world.send(client.connection, xid, op, &body);
    }

    fn connect(&mut self, name: &str, words: &[&str]) {
        let options: BTreeMap<_, _> = words[1..].iter().filter_map(|w| w.split_once('=')).collect();
        let number = |key: &str, other: i64| options.get(key).map_or(other, |v| v.parse().unwrap());
        let shard = number("shard", 0) as u16;
        let connection = self.world.open(shard);
        let (mut session, mut shown) = (0, [0; 16]);
        if let Some(from) = options.get("session") {
            (session, shown) = (self.clients[*from].session, self.clients[*from].password);
        }
        if options.contains_key("password") {
            shown = [7; 16];
        }
        let timeout_ms = number("timeout", 10_000) as i32;
        self.world.connect(connection, timeout_ms, session, shown, number("seen", 0));
        let client = Client {
            connection,
            session,
            password: shown,
            is_connected: false,
            was_closed: false,
            next_xid: 0,
            asked: BTreeMap::new(),
        };
        self.clients.insert(name.to_owned(), client);
    }

    /// Prints what all clients have received since.
    fn print_received(&mut self, out: &mut String) {
        for (name, client) in &mut self.clients {
            let mut many = 0;
            for packet in self.world.receive(client.connection) {
                match client.describe(&packet) {
                    Some(line) => writeln!(out, "  {name} {line}").unwrap(),
                    None => many += 1,
                }
            }
            if many > 0 {
                writeln!(out, "  {name} {many} more replies").unwrap();
            }
            if !self.world.connections[client.connection].is_open && !client.was_closed {
                client.was_closed = true;
                writeln!(out, "  {name} closed").unwrap();
            }
        }
    }

    fn report(&mut self, what: &str, out: &mut String) {
        if what == "log" {
            let header = |txn: &[u8]| TxnHeader::decode(&mut JuteReader::new(txn)).unwrap();
            let news = &self.world.log[self.shown..];
            let alike = |(_, a): &(_, Vec<u8>), (_, b): &(_, Vec<u8>)| {
                let (a, b) = (header(a), header(b));
                (a.op, a.session) == (b.op, b.session)
            };
            for run in news.chunk_by(alike) {
                let header = header(&run[0].1);
                let (owner, op) = (wire::session(header.session.0), header.op);
                let (first, last) = (run[0].0.0, run[run.len() - 1].0.0);
                writeln!(out, "  log {first} to {last} {op:?} of {owner}").unwrap();
            }
            self.shown = self.world.log.len();
        }
        if what == "state" {
            let head = &self.world.ordering().head;
            let (nodes, state) = (head.tree.node_count(), head.tree.meta());
            let (sessions, owned) = (state.sessions.len(), state.ephemeral_count);
            let quotas: Vec<_> =
                state.quotas.after(None).iter().map(|path| String::from_utf8_lossy(path)).collect();
            writeln!(out, "  state {nodes} nodes {sessions} sessions {owned} ephemerals").unwrap();
            writeln!(out, "  state {} ACLs quotas {quotas:?}", state.acls.iter().count()).unwrap();
        }
    }
}

impl Client {
    /// A packet as text; `None` if it answers one of many.
    fn describe(&mut self, packet: &[u8]) -> Option<String> {
        let mut reader = JuteReader::new(packet);
        if !self.is_connected {
            reader.int().unwrap();
            let timeout_ms = reader.int().unwrap();
            self.session = reader.long().unwrap();
            self.password = reader.buffer().unwrap().unwrap().try_into().unwrap();
            assert_eq!(reader.rest(), [0], "the read-only byte");
            self.is_connected = true;
            if self.session == 0 {
                assert_eq!((timeout_ms, self.password), (0, [0; 16]));
                return Some("no session".to_owned());
            }
            assert_eq!(self.password, password(SessionId(self.session)));
            return Some(format!("attached {} for {timeout_ms}", wire::session(self.session)));
        }
        let (xid, zxid) = (reader.int().unwrap(), reader.long().unwrap());
        let error = reader.int().unwrap();
        if xid == xid::EVENT {
            let (kind, state) = (reader.int().unwrap(), reader.int().unwrap());
            assert_eq!((error, state), (0, 3));
            let path = String::from_utf8_lossy(reader.text().unwrap()).into_owned();
            let kind = ["", "created", "deleted", "data", "children"][kind as usize];
            return Some(format!("event {kind} {path} at {zxid}"));
        }
        if xid == i32::MAX {
            assert_eq!(error, 0);
            return None;
        }
        let op = self.asked.remove(&xid).unwrap_or_else(|| panic!("a reply to {xid}"));
        if error != 0 {
            assert!(reader.rest().is_empty(), "an error has no body");
            return Some(format!("{op:?} error {error} at {zxid}"));
        }
        let body = wire::body(op, &mut reader);
        assert!(reader.rest().is_empty(), "{op:?} {:?}", reader.rest());
        Some(format!("{op:?} ok at {zxid} {body}").trim_end().to_owned())
    }
}

/// Plays the file's actions and returns the whole conversation.
fn replayed(text: &str) -> String {
    let mut out = String::new();
    let mut player = None;
    for line in text.lines().filter(|line| !line.starts_with("  ")) {
        writeln!(out, "{line}").unwrap();
        let line = line.split('#').next().unwrap().trim();
        if line.is_empty() {
            continue;
        }
        if let Some(words) = line.strip_prefix("server") {
            let words: Vec<_> = words.split_whitespace().collect();
            player = Some(Player::new(&words));
            continue;
        }
        let player = player.get_or_insert_with(|| Player::new(&[]));
        for action in line.split(';') {
            player.play(action.trim());
        }
        player.world.run();
        player.print_received(&mut out);
        player.report(line, &mut out);
    }
    let Some(player) = player else { return out };
    let (head, again) = (&player.world.ordering().head, player.world.replayed());
    assert_eq!(again.tree.digest(), head.tree.digest(), "the log replayed gives the same tree");
    assert_eq!(again.tree.node_count(), head.tree.node_count());
    out
}

pub(super) fn check(name: &str, text: &str) {
    let played = replayed(text);
    if option_env!("UPDATE_TRANSCRIPTS").is_some() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/transcripts");
        std::fs::write(format!("{folder}/{name}.txt"), &played).unwrap();
    } else if played != text {
        let mut lines = played.lines().zip(text.lines()).enumerate();
        let first = lines.find(|(_, (played, text))| played != text);
        panic!("{name}.txt differs at {first:#?}; it is now:\n{played}");
    }
}
