//! A whole server in one value: a replica, shards, and a log that the test makes durable.

use super::wire;
use crate::ordering::{Ordering, replay};
use crate::pipeline::Head;
use crate::replica::{
    Effect, Effects, Event, LogState, MemberParts, Replica, ReplicaParts, Serving, SnapshotPolicy,
};
use crate::settings::{Now, Settings};
use crate::shard::Shard;
use crate::state::State;
use crate::tree::{Pin, TreeSeed};
use crate::zab::{self, LinkId};
use crate::{batch::Batch, batch::ConnectionId};
use model::jute;
use model::op::Op;
use model::session::Password;
use model::zxid::Zxid;
use std::collections::VecDeque;
use std::sync::Arc;

/// One end of a connection.
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    /// Packets on their way to the server.
    outgoing: VecDeque<Vec<u8>>,
    received: Vec<u8>,
    pub(crate) is_open: bool,
    /// Nothing follows what it has sent.
    has_ended: bool,
    /// It receives nothing.
    pub(crate) is_stuck: bool,
}

/// The server with its clients' sockets.
pub(crate) struct World {
    pub(crate) replica: Replica,
    effects: Effects,
    pub(crate) shards: Vec<Shard>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) now: Now,
    /// Every txn that the log was given.
    pub(crate) log: Vec<(Zxid, Vec<u8>)>,
    /// How many of them are durable.
    pub(crate) durable_count: usize,
    /// The log accepts txns, but none of them becomes durable.
    pub(crate) is_held: bool,
    /// How many packets the sockets deliver in one turn.
    pub(crate) fed_per_turn_max: usize,
    pub(crate) connections: Vec<Connection>,
    /// As what it serves clients, in an ensemble.
    pub(crate) serving: Option<Serving>,
    /// What agreement has asked for.
    pub(crate) to_peers: Vec<zab::Effect>,
    /// Snapshots to be sent.
    pub(crate) snapshots: Vec<(LinkId, Pin<State>)>,
}

/// More than any test writes in one batch.
const RESERVE_BYTES: u64 = 64 << 20;

pub(crate) const SEED: TreeSeed = TreeSeed([1, 2]);

pub(crate) fn settings() -> Settings {
    Settings { tick_ms: 2000, timeout_ms_min: 4000, timeout_ms_max: 40_000, ..Settings::default() }
}

impl World {
    pub(crate) fn new(settings: Settings, shard_count: u16) -> Self {
        let head = Head::new(Arc::new(settings.clone()), SEED);
        Self::of_head(head, Zxid::ZERO, settings, shard_count, Now::default())
    }

    pub(crate) fn of_head(
        head: Head,
        zxid: Zxid,
        settings: Settings,
        shard_count: u16,
        now: Now,
    ) -> Self {
        Self::with_member(head, zxid, settings, shard_count, now, None)
    }

    /// A server of an ensemble, or one that is alone.
    pub(crate) fn with_member(
        mut head: Head,
        zxid: Zxid,
        settings: Settings,
        shard_count: u16,
        now: Now,
        member: Option<MemberParts>,
    ) -> Self {
        let settings = Arc::new(settings);
        let version = head.seal();
        head.tree.publish(version);
        let parts = ReplicaParts {
            head,
            zxid,
            settings: settings.clone(),
            shards: shard_count,
            reserve_bytes: RESERVE_BYTES,
            snapshots: SnapshotPolicy { txn_count: u64::MAX, log_bytes_max: None },
            unsaved: (0, 0),
            member,
        };
        let mut replica = Replica::new(parts, now);
        let shards = (0..shard_count).map(|index| {
            let (reader, cursor) = replica.view();
            Shard::new(index, shard_count, settings.clone(), reader, cursor)
        });
        let shards = shards.collect();
        let mut effects = Effects::default();
        replica.handle(now, Event::Log(LogState::Ready), &mut effects);
        let (log, connections) = (Vec::new(), Vec::new());
        let (durable_count, is_held) = (0, false);
        let fed_per_turn_max = usize::MAX;
        Self {
            replica,
            effects,
            shards,
            settings,
            now,
            log,
            durable_count,
            is_held,
            fed_per_turn_max,
            connections,
            serving: None,
            to_peers: Vec::new(),
            snapshots: Vec::new(),
        }
    }

    /// The history and the sessions.
    pub(crate) fn ordering(&self) -> &Ordering {
        self.replica.ordering()
    }

    /// The same history, replayed onto a fresh tree.
    pub(crate) fn replayed(&self) -> Head {
        let mut head = Head::new(self.settings.clone(), SEED);
        let mut batch = Batch::default();
        for (at, (zxid, txn)) in self.log.iter().enumerate() {
            let replayed = replay(&mut head, txn, &mut batch).expect("the log is this tree's");
            assert_eq!(replayed, *zxid);
            if at % 7 == 0 {
                head.seal();
            }
        }
        head
    }

    /// A client's socket is accepted.
    pub(crate) fn open(&mut self, shard: u16) -> usize {
        let address = format!("10.0.0.{}:40000", self.connections.len() % 200 + 1);
        let shard = &mut self.shards[usize::from(shard)];
        shard.begin_turn(self.now);
        let id = shard.open(address.parse().unwrap());
        let (outgoing, received) = (VecDeque::new(), Vec::new());
        self.connections.push(Connection {
            id,
            outgoing,
            received,
            is_open: true,
            has_ended: false,
            is_stuck: false,
        });
        self.connections.len() - 1
    }

    pub(crate) fn connect(
        &mut self,
        connection: usize,
        timeout_ms: i32,
        session: i64,
        password: Password,
        seen: i64,
    ) {
        let mut packet = Vec::new();
        jute::put_int(&mut packet, 0);
        jute::put_long(&mut packet, seen);
        jute::put_int(&mut packet, timeout_ms);
        jute::put_long(&mut packet, session);
        jute::put_string(&mut packet, &password);
        jute::put_bool(&mut packet, false);
        self.connections[connection].outgoing.push_back(packet);
    }

    /// A client that was given a new session.
    pub(crate) fn join(&mut self, shard: u16, timeout_ms: i32) -> usize {
        let connection = self.open(shard);
        self.connect(connection, timeout_ms, 0, [0; 16], 0);
        self.run();
        assert_eq!(self.receive(connection).len(), 1);
        connection
    }

    /// A client sends a request that is written as words.
    pub(crate) fn ask(&mut self, connection: usize, xid: i32, words: &str) {
        let words: Vec<_> = words.split(' ').collect();
        let (op, body) = wire::request(&words);
        self.send(connection, xid, op, &body);
    }

    pub(crate) fn send(&mut self, connection: usize, xid: i32, op: Op, body: &[u8]) {
        let mut packet = Vec::new();
        jute::put_int(&mut packet, xid);
        jute::put_int(&mut packet, op.code());
        packet.extend_from_slice(body);
        self.connections[connection].outgoing.push_back(packet);
    }

    /// A client sends arbitrary bytes.
    pub(crate) fn send_packet(&mut self, connection: usize, packet: Vec<u8>) {
        self.connections[connection].outgoing.push_back(packet);
    }

    /// What a client was sent since it last looked, packet by packet.
    pub(crate) fn receive(&mut self, connection: usize) -> Vec<Vec<u8>> {
        let bytes = std::mem::take(&mut self.connections[connection].received);
        let mut packets = Vec::new();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
            packets.push(rest[4..4 + length].to_vec());
            rest = &rest[4 + length..];
        }
        packets
    }

    /// A client's socket is closed; what it has sent before arrives.
    pub(crate) fn drop_socket(&mut self, connection: usize) {
        let id = self.connections[connection].id;
        self.connections[connection].has_ended = true;
        self.shards[usize::from(id.shard)].hang_up(id);
    }

    /// Bytes arrive that are not a packet: nothing behind them counts.
    pub(crate) fn send_nonsense(&mut self, connection: usize) {
        self.connections[connection].has_ended = true;
    }

    /// The disk is full, except for what the log keeps in reserve; or has room again.
    pub(crate) fn refuse(&mut self, is_refused: bool) {
        self.fact(Event::LogBounded(is_refused.then_some(RESERVE_BYTES - 1)));
    }

    /// The server loses its role: its clients are disconnected, and what was not durable is
    /// dropped.
    pub(crate) fn drop_head(&mut self) {
        self.close_all();
        self.log.truncate(self.durable_count);
        self.replica.drop_head(self.now);
    }

    fn close_all(&mut self) {
        for at in 0..self.connections.len() {
            if self.connections[at].is_open {
                self.close(self.connections[at].id);
            }
        }
    }

    /// The replica's own part of a turn; true if anything was done.
    pub(crate) fn end_turn(&mut self) -> bool {
        self.fact(Event::TurnEnded);
        let is_active = self.perform();
        self.replica.reclaim(100);
        is_active
    }

    pub(crate) fn fact(&mut self, event: Event<'_>) {
        self.replica.handle(self.now, event, &mut self.effects);
    }

    /// Turns of the server until it has nothing left to do at this time.
    pub(crate) fn run(&mut self) {
        while self.turn() {}
    }

    /// Lets time pass as a running server sees it: a turn every half tick at least.
    pub(crate) fn pass(&mut self, mut ms: u64) {
        while ms > 0 {
            let step = ms.min(self.settings.tick_ms / 2);
            self.jump(step);
            ms -= step;
            self.run();
        }
    }

    /// Lets time pass without a turn.
    pub(crate) fn jump(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.wall_ms += ms as i64;
    }

    /// One turn; true if anything was done.
    pub(crate) fn turn(&mut self) -> bool {
        for shard in &mut self.shards {
            shard.renew_shares();
            shard.forget_watches();
            shard.begin_turn(self.now);
            shard.maybe_look(self.now.mono_ms);
        }
        let is_fed = self.feed();
        let mut is_active = is_fed;
        for at in 0..self.shards.len() {
            is_active |= self.shards[at].drain();
            let mut refused = Vec::new();
            self.shards[at].serve(|id, _| refused.push(id));
            for id in refused {
                self.close(id);
            }
            self.shards[at].report_touches(!is_fed);
            if !self.replica.is_admitting() {
                continue;
            }
            for message in self.shards[at].take_messages() {
                is_active = true;
                self.replica.handle(self.now, Event::Shard(message), &mut self.effects);
            }
        }
        is_active |= self.end_turn();
        is_active |= self.collect() | self.replica.is_busy();
        is_active | self.shards.iter().any(Shard::has_queued)
    }

    fn feed(&mut self) -> bool {
        let mut left = self.fed_per_turn_max;
        for at in 0..self.connections.len() {
            let Connection { id, is_open, .. } = self.connections[at];
            while is_open && left > 0 && self.shards[usize::from(id.shard)].is_reading(id, 0) {
                let Some(packet) = self.connections[at].outgoing.pop_front() else { break };
                left -= 1;
                let _ = self.shards[usize::from(id.shard)].frame(id, &packet);
            }
            let Connection { outgoing, has_ended, .. } = &self.connections[at];
            if *has_ended && outgoing.is_empty() {
                self.shards[usize::from(id.shard)].finish(id);
            }
        }
        left < self.fed_per_turn_max
    }

    /// Performs what the replica requests; true if there was anything but returned memory.
    pub(crate) fn perform(&mut self) -> bool {
        let mut is_active = false;
        loop {
            let effects: Vec<_> = self.effects.take().collect();
            for effect in effects {
                is_active = true;
                match effect {
                    Effect::Append(in_log) => {
                        let txns = in_log.txns(0).map(|(zxid, txn)| (zxid, txn.to_vec()));
                        self.log.extend(txns);
                        self.replica.recycle(in_log);
                    }
                    Effect::Deliver { shard, message } => {
                        self.shards[usize::from(shard)].handle(message);
                    }
                    Effect::Published(_) | Effect::RefuseWrites(_) => (),
                    Effect::Peer(effect) => self.to_peers.push(effect),
                    Effect::SendSnapshot(link, pin) => self.snapshots.push((link, pin)),
                    Effect::Discard(head) => drop(head),
                    Effect::Serve(serving) => self.serving = Some(serving),
                    Effect::StopServing(_) | Effect::EndReadOnly => self.serving = None,
                    Effect::Diverged(error) => panic!("{error}"),
                    Effect::TakeSnapshot(_) => panic!("no snapshot is ever due"),
                }
            }
            if !self.is_held {
                self.durable_count = self.log.len();
            }
            if let Some((zxid, _)) = self.log[..self.durable_count].last() {
                let zxid = *zxid;
                // This log is not the replica's any more.
                let is_void = |it: &zab::Effect| matches!(it, zab::Effect::ForgetSnapshot);
                let is_news = zxid > self.replica.durable() || self.replica.zab().is_none();
                if is_news && !self.to_peers.iter().any(is_void) {
                    self.fact(Event::Durable(zxid));
                }
            }
            if self.effects.is_empty() {
                return is_active;
            }
        }
    }

    fn collect(&mut self) -> bool {
        let mut is_active = false;
        for at in 0..self.shards.len() {
            let dirty = std::mem::take(self.shards[at].dirty_mut());
            for slot in dirty {
                let Some(id) = self.shards[at].clean(slot) else { continue };
                let connection = self.connections.iter().position(|c| c.id == id).unwrap();
                if !self.connections[connection].is_stuck {
                    is_active |= self.take_stuck(connection);
                }
            }
            for id in self.shards[at].take_dismissed() {
                let connection = self.connections.iter_mut().find(|c| c.id == id).unwrap();
                connection.has_ended = true;
                is_active = true;
            }
            for id in self.shards[at].take_ending() {
                self.close(id);
                is_active = true;
            }
        }
        is_active
    }

    /// A client receives what waits for it; true if there was anything.
    pub(crate) fn take_stuck(&mut self, connection: usize) -> bool {
        let Connection { id, received, .. } = &mut self.connections[connection];
        let shard = &mut self.shards[usize::from(id.shard)];
        let Some(bytes) = shard.take_output(*id) else { return false };
        received.extend_from_slice(&bytes);
        let count = bytes.len();
        shard.sent(bytes, count);
        true
    }

    fn close(&mut self, id: ConnectionId) {
        let connection = self.connections.iter_mut().find(|c| c.id == id).unwrap();
        connection.is_open = false;
        self.shards[usize::from(id.shard)].close(id);
    }
}
