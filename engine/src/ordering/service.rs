//! What the server does for clients: it decides their writes, or passes them on, or refuses them,
//! or has no clients.

use super::Ordering;
use super::forwarding::Forwarding;
use super::learners::Learners;
use super::read_only::ReadOnlySessions;
use crate::message::{Connect, NewTree, Served, ToOrdering, ToShard};
use crate::pipeline::Head;
use crate::settings::Now;
use crate::state::State;
use crate::tree::Pin;
use crate::zab::{LinkId, Plant};
use model::session::SessionId;
use model::zxid::{Epoch, Zxid};

/// What the server does for clients.
#[derive(Debug)]
pub(crate) enum Service {
    /// It decides their writes: it leads, or is alone.
    Leading {
        /// The last zxid that it may give to a txn.
        last: Zxid,
        /// The servers that pass on writes of their clients.
        learners: Learners,
        /// That it still leads, for syncs.
        confirmations: Confirmations,
    },
    /// It passes them on to its leader.
    Following(Box<Forwarding>),
    /// It has no leader, and serves clients that only read, in these sessions of its own.
    ReadOnly(Box<ReadOnlySessions>),
    /// It has no leader, and no clients.
    Nobody,
}

/// What a leader asks a quorum, so that a sync covers everything that was acknowledged before it,
/// by whatever server: whether it still leads. Each turn with syncs asks once.
#[derive(Debug, Default)]
pub(crate) struct Confirmations {
    /// Whether syncs need any: not on a server that is alone.
    is_needed: bool,
    /// The number that this turn's syncs need, the last one asked for, the last one given.
    wanted: u64,
    asked: u64,
    given: u64,
}

impl Service {
    /// A server that is alone, and has all zxids.
    pub(crate) fn alone() -> Self {
        let (learners, confirmations) = (Learners::default(), Confirmations::default());
        Self::Leading { last: Zxid(i64::MAX), learners, confirmations }
    }
}

impl Confirmations {
    /// What a sync that arrives now has to wait for; 0 for nothing.
    pub(super) fn next(&mut self) -> u64 {
        if self.is_needed {
            self.wanted = self.asked + 1;
        }
        self.wanted
    }

    /// The last one that was given.
    pub(super) fn given(&self) -> u64 {
        self.given
    }
}

impl Ordering {
    /// Whether this server decides writes.
    pub(crate) fn is_leading(&self) -> bool {
        matches!(self.service, Service::Leading { .. })
    }

    /// Decides writes from now on: the first one is the epoch's first. Every session of the tree
    /// has its full timeout. No client is attached.
    ///
    /// # Panics
    /// If the open batch is not empty.
    pub(crate) fn lead(&mut self, now: Now, epoch: Epoch, txns_max: u32) {
        assert!(self.open_is_silent(), "nothing is proposed before the epoch begins");
        let start = Zxid::of_epoch(epoch);
        self.proposed = self.proposed.max(start);
        let last = Zxid(start.0 + i64::from(txns_max));
        let is_needed = self.settings.confirms_syncs;
        let confirmations = Confirmations { is_needed, ..Confirmations::default() };
        self.service = Service::Leading { last, learners: Learners::default(), confirmations };
        self.tell_shards(Served::All);
        self.reaped_ms = now.mono_ms;
        self.sessions.forget_all();
        let has_time = !self.planted.has(Plant::SessionsWithoutTime);
        self.track_all(if has_time { now } else { Now::default() });
    }

    /// The confirmation that this turn's syncs need, if there were any; the caller asks for it.
    pub(crate) fn take_wanted(&mut self) -> Option<u64> {
        let Service::Leading { confirmations, .. } = &mut self.service else { return None };
        let wanted = confirmations.wanted;
        let is_new = wanted > confirmations.asked;
        confirmations.asked = wanted;
        is_new.then_some(wanted)
    }

    /// A quorum has confirmed that this server led when it was asked.
    pub(crate) fn confirmed(&mut self, number: u64) {
        if let Service::Leading { confirmations, .. } = &mut self.service {
            confirmations.given = number;
        }
    }

    /// Passes writes on to the leader from now on. No client is attached.
    pub(crate) fn follow(&mut self, link: LinkId) {
        self.service = Service::Following(Box::new(Forwarding::new(link)));
        self.sessions.forget_all();
        self.tell_shards(Served::All);
    }

    /// Serves nobody from now on: shards close their connections.
    pub(crate) fn stop_serving(&mut self) {
        self.end_service(Served::Nobody);
    }

    /// The same, after what is published is answered.
    pub(crate) fn leave_clients(&mut self) {
        self.end_service(Served::NobodyMore);
    }

    fn end_service(&mut self, served: Served) {
        self.service = Service::Nobody;
        self.to_peers.clear();
        self.tell_shards(served);
    }

    pub(super) fn tell_shards(&mut self, served: Served) {
        let shards = 0..self.sessions.shards();
        self.to_shards.extend(shards.map(|shard| (shard, ToShard::Serve(served))));
    }

    /// Another tree takes the place of this one, which is returned. Shards read from the old one
    /// until [`Self::exchange_readers`].
    ///
    /// # Panics
    /// If clients are served, or something is not published.
    pub(crate) fn replace_head(&mut self, head: Head) -> Head {
        assert!(matches!(self.service, Service::Nobody), "no client sees its tree replaced");
        assert!(self.sealed.is_empty() && !self.has_open(), "what is applied is published");
        let zxid = head.tree.meta().zxid;
        (self.proposed, self.published) = (zxid, zxid);
        self.sessions.forget_all();
        std::mem::replace(&mut self.head, head)
    }

    /// Every shard reads from this tree from now on.
    pub(crate) fn exchange_readers(&mut self) {
        for shard in 0..self.sessions.shards() {
            let (reader, cursor) = (self.head.tree.reader(), self.chain.cursor());
            let tree = Box::new(NewTree { reader, cursor });
            self.to_shards.push((shard, ToShard::Replaced(tree)));
        }
    }

    /// Pins the version that holds the history through `zxid`: sealed, or the published one.
    /// `None` if too many are pinned.
    pub(crate) fn pin_at(&self, zxid: Zxid) -> Option<Pin<State>> {
        let held = self.sealed.iter().take_while(|applied| applied.through <= zxid).last();
        match held.and_then(|applied| applied.batch.version) {
            Some(version) => self.head.tree.pin_sealed(version),
            None => self.head.tree.pin(),
        }
    }

    /// Whether the epoch has no zxid left.
    pub(super) fn is_epoch_full(&self) -> bool {
        matches!(self.service, Service::Leading { last, .. } if self.proposed >= last)
    }

    /// Packets for other servers; drained by the caller.
    pub(crate) fn take_packets(&mut self) -> std::vec::Drain<'_, (LinkId, Vec<u8>)> {
        self.to_peers.drain(..)
    }

    /// Where packets for a link are appended.
    pub(super) fn packets_for(to_peers: &mut Vec<(LinkId, Vec<u8>)>, link: LinkId) -> &mut Vec<u8> {
        if to_peers.last().is_none_or(|(last, _)| *last != link) {
            to_peers.push((link, Vec::new()));
        }
        &mut to_peers.last_mut().expect("one was pushed").1
    }

    /// A message of a shard of a server that serves nobody. Its connections are being closed.
    pub(super) fn handle_idle(&mut self, message: ToOrdering) {
        match message {
            ToOrdering::Writes(bundle) => self.return_bundle(bundle),
            ToOrdering::Connect(connect) => self.turn_away(&connect),
            ToOrdering::Touched { shard, until_ms, .. } => self.sessions.reported(shard, until_ms),
            ToOrdering::Identified { .. } | ToOrdering::Detached { .. } => (),
        }
    }

    /// Closes a connection without an answer, which would mean that its session has ended: the
    /// client tries elsewhere and returns.
    pub(super) fn turn_away(&mut self, connect: &Connect) {
        let connection = connect.connection;
        let detach = ToShard::Detach { connection, session: SessionId(0) };
        self.to_shards.push((connection.shard, detach));
    }
}
