//! A whole server: a replica, its shards, and the sockets of its clients.
//!
//! What the server's core loop does in a turn is done here, with frames that have already arrived
//! and nothing that blocks. Disk and links are the world's.

pub mod chronicle;
pub mod client;
pub mod image;
pub mod request;

use crate::disk::Stored;
use engine::batch::{Batch, ConnectionId};
use engine::in_log::InLog;
use engine::ordering::replay;
use engine::pipeline::Head;
use engine::replica::{
    Effects, Event, LogState, MemberParts, Replica, ReplicaParts, SnapshotPolicy,
};
use engine::settings::{LocalSessions, Now, Settings};
use engine::shard::Shard;
use engine::state::State;
use engine::tree::{Pin, TreeReader};
use engine::zab::{LinkId, ZabParts};
use image::{Image, empty_head};
use model::zxid::Zxid;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A client's connection to a server, seen from either end. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WireId(pub u64);

/// The server's end of a connection.
#[derive(Debug)]
struct Socket {
    id: ConnectionId,
    /// Packets that have arrived and are not taken.
    inbox: VecDeque<Vec<u8>>,
    /// Nothing follows.
    has_ended: bool,
}

/// Bytes for a client, or the end of its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToClient {
    /// Packets, each behind its length.
    Bytes(Vec<u8>),
    /// The server has closed the connection.
    End,
}

/// A server that decides, with its clients.
pub struct Whole {
    /// What it decides.
    pub replica: Replica,
    /// What was to be done last; empty between events.
    pub effects: Effects,
    /// The versions of trees that are being sent.
    pub sending: BTreeMap<LinkId, Pin<State>>,
    /// Reads what is published, for checks.
    pub reader: TreeReader<State>,
    settings: Arc<Settings>,
    shards: Vec<Shard>,
    sockets: BTreeMap<WireId, Socket>,
}

impl std::fmt::Debug for Whole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Whole").field("sockets", &self.sockets).finish_non_exhaustive()
    }
}

/// Bytes of log in reserve: more than any run writes in one batch.
const RESERVE_BYTES: u64 = 64 << 20;

/// How servers treat clients; times are short, so that sessions expire within a run.
pub fn settings(server_id: u8, local_sessions: LocalSessions) -> Arc<Settings> {
    Arc::new(Settings {
        server_id,
        local_sessions,
        tick_ms: 200,
        timeout_ms_min: 3_000,
        timeout_ms_max: 10_000,
        read_only_after_ms: Some(500),
        ..Settings::default()
    })
}

/// What a whole server starts with.
pub struct WholeParts<'a> {
    /// Its agreement.
    pub zab: ZabParts,
    /// The history on its disk.
    pub stored: &'a Stored,
    /// The tree of that history's snapshot, if it has one.
    pub base: Option<&'a Image>,
    /// Whether its sessions are local.
    pub local_sessions: LocalSessions,
    /// Txns after which it takes a snapshot.
    pub snapshot_txns: u64,
    /// Count of shards.
    pub shards: u16,
    /// The time.
    pub now: Now,
}

impl Whole {
    /// Starts with what is on disk: the tree at the last commit that is known of, what follows as
    /// a tail.
    ///
    /// # Panics
    /// If what is on disk does not fit together.
    pub fn start(parts: WholeParts<'_>) -> Self {
        let WholeParts { zab, stored, base, local_sessions, snapshot_txns, shards, now } = parts;
        let server_id = u8::try_from(zab.ensemble.me.0).expect("a small id");
        let settings = settings(server_id, local_sessions);
        let mut head = head_of(base, stored.base.zxid, &settings);
        let (mut tail, mut batch) = (InLog::default(), Batch::default());
        for (state, txn) in &stored.records {
            if state.zxid <= zab.committed {
                replay(&mut head, txn, &mut batch).expect("it was applied before");
            } else {
                tail.push(state.zxid, txn);
            }
        }
        let version = head.seal();
        head.tree.publish(version);
        let tail = if tail.is_empty() { Vec::new() } else { vec![Arc::new(tail)] };
        let of_empty = settings.clone();
        let empty = Box::new(move || empty_head(of_empty.clone()));
        let reader = head.tree.reader();
        let parts = ReplicaParts {
            zxid: head.tree.meta().zxid,
            head,
            settings: settings.clone(),
            shards,
            reserve_bytes: RESERVE_BYTES,
            snapshots: SnapshotPolicy { txn_count: snapshot_txns, log_bytes_max: None },
            unsaved: (stored.records.len() as u64, 0),
            member: Some(MemberParts { zab, tail, empty }),
        };
        let mut replica = Replica::new(parts, now);
        let shards = (0..shards).map(|index| {
            let (reader, cursor) = replica.view();
            Shard::new(index, shards, settings.clone(), reader, cursor)
        });
        let shards = shards.collect();
        let mut effects = Effects::default();
        replica.handle(now, Event::Log(LogState::Ready), &mut effects);
        let (sending, sockets) = (BTreeMap::new(), BTreeMap::new());
        Self { replica, effects, sending, reader, settings, shards, sockets }
    }

    /// The head of a snapshot that has come.
    pub fn received(&self, image: &Image, zxid: Zxid) -> Box<Head> {
        Box::new(image.head(zxid, self.settings.clone()))
    }

    /// A shard receives a message.
    pub fn deliver(&mut self, shard: u16, message: engine::message::ToShard) {
        self.shards[usize::from(shard)].handle(message);
    }

    /// A client's connection is accepted.
    pub fn open(&mut self, wire: WireId, now: Now) {
        let shard = wire.0 as usize % self.shards.len();
        let shard = &mut self.shards[shard];
        shard.begin_turn(now);
        let peer = std::net::SocketAddr::from(([10, 0, 0, 1], 40_000));
        let (id, inbox, has_ended) = (shard.open(peer), VecDeque::new(), false);
        self.sockets.insert(wire, Socket { id, inbox, has_ended });
    }

    /// A client's packet arrives, or the end of its connection.
    pub fn arrive(&mut self, wire: WireId, packet: Option<Vec<u8>>) {
        let Some(socket) = self.sockets.get_mut(&wire) else { return };
        if let Some(packet) = packet {
            socket.inbox.push_back(packet);
        } else {
            socket.has_ended = true;
            self.shards[usize::from(socket.id.shard)].hang_up(socket.id);
        }
    }

    /// A turn begins: shards take what has arrived. True if anything was taken.
    pub fn begin_turn(&mut self, now: Now) -> bool {
        for shard in &mut self.shards {
            shard.renew_shares();
            shard.forget_watches();
            shard.begin_turn(now);
            shard.maybe_look(now.mono_ms);
        }
        let mut is_fed = false;
        for socket in self.sockets.values_mut() {
            let shard = &mut self.shards[usize::from(socket.id.shard)];
            while shard.is_reading(socket.id, 0) {
                let Some(packet) = socket.inbox.pop_front() else { break };
                is_fed = true;
                // After an error nothing more is taken: the shard ends the connection.
                let _ = shard.frame(socket.id, &packet);
            }
            if socket.has_ended && socket.inbox.is_empty() {
                shard.finish(socket.id);
            }
        }
        is_fed
    }

    /// Shards answer, and hand over what the replica is to decide.
    pub fn serve(&mut self, now: Now, is_quiet: bool) {
        for shard in &mut self.shards {
            shard.drain();
            let mut refused = Vec::new();
            shard.serve(|id, _| refused.push(id));
            for id in refused {
                shard.close(id);
                if let Some((_, socket)) = self.sockets.iter_mut().find(|(_, it)| it.id == id) {
                    // Nothing of it is taken any more.
                    socket.has_ended = true;
                }
            }
            shard.report_touches(is_quiet);
            if self.replica.is_admitting() {
                for message in shard.take_messages() {
                    self.replica.handle(now, Event::Shard(message), &mut self.effects);
                }
            }
        }
    }

    /// What clients are sent at the end of a turn.
    pub fn end_turn(&mut self) -> Vec<(WireId, ToClient)> {
        let mut out = Vec::new();
        for shard in &mut self.shards {
            let dirty = std::mem::take(shard.dirty_mut());
            for slot in dirty {
                let Some(id) = shard.clean(slot) else { continue };
                let Some(bytes) = shard.take_output(id) else { continue };
                if let Some(wire) = wire_of(&self.sockets, id) {
                    out.push((wire, ToClient::Bytes(bytes.clone())));
                }
                let count = bytes.len();
                shard.sent(bytes, count);
            }
            for id in shard.take_dismissed() {
                if let Some((_, socket)) = self.sockets.iter_mut().find(|(_, it)| it.id == id) {
                    socket.has_ended = true;
                }
            }
            for id in shard.take_ending() {
                shard.close(id);
            }
        }
        let shards = &self.shards;
        let is_gone = |it: &Socket| shards[usize::from(it.id.shard)].connection(it.id).is_none();
        let gone = self.sockets.iter().filter(|(_, it)| is_gone(it)).map(|(wire, _)| *wire);
        let gone: Vec<_> = gone.collect();
        for wire in gone {
            self.sockets.remove(&wire);
            out.push((wire, ToClient::End));
        }
        self.replica.reclaim(100);
        out
    }

    /// Whether another turn has something to do at once.
    pub fn is_busy(&self) -> bool {
        let waits = |it: &Socket| !it.inbox.is_empty() || it.has_ended;
        self.replica.is_busy()
            || self.shards.iter().any(|it| it.has_queued() || it.has_messages())
            || self.sockets.values().any(waits)
    }

    /// When time alone is an event, in ms.
    pub fn deadline_ms(&self) -> u64 {
        let shards = self.shards.iter().map(Shard::deadline_ms).min();
        self.replica.deadline_ms().min(shards.unwrap_or(u64::MAX))
    }
}

fn wire_of(sockets: &BTreeMap<WireId, Socket>, id: ConnectionId) -> Option<WireId> {
    sockets.iter().find(|(_, it)| it.id == id).map(|(wire, _)| *wire)
}

fn head_of(base: Option<&Image>, zxid: Zxid, settings: &Arc<Settings>) -> Head {
    match base {
        Some(image) => image.head(zxid, settings.clone()),
        None => empty_head(settings.clone()),
    }
}
