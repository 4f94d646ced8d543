//! The ordering role: one history of writes, and the sessions that they belong to.
//!
//! Its steps are taken by [`Replica`](crate::replica::Replica), which knows their order. What was
//! proposed is in the open batch, then sealed, then published when the log is durable that far;
//! what is not published can be dropped.
//!
//! Invariants: `published <= sealed <= proposed`, and nothing is answered before it is published
//! (guards: the assertions in `publishing`, `tests::replica`); after a drop the role is what it
//! would be had the dropped writes never arrived (guard: `tests::dropping`).
//!
//! `proposing`: writes become txns; `sessions`: clients come and go; `closing`: sessions end;
//! `publishing`: batches are sealed, published or dropped; `learning`: the log's txns, applied;
//! `service`: whether the server decides writes or passes them on; `forwarding`: a learner's
//! clients; `learners`: the leader's part of them; `read_only`: clients of a server without leader;
//! `local`: sessions that only this server knows.

mod closing;
mod forwarding;
mod learners;
mod learning;
mod local;
mod proposing;
mod publishing;
mod read_only;
mod service;
mod sessions;

pub(crate) use learning::is_txn;
pub use learning::{ReplayError, replay};
pub use read_only::ReadOnlySessions;

use crate::acl::identity::Identities;
use crate::batch::{Batch, Chain, Cursor};
use crate::in_log::InLog;
use crate::limits::{BACKLOG_BATCHES_MAX, BATCH_BYTES_MAX};
use crate::message::{ToOrdering, ToShard};
use crate::pipeline::Head;
use crate::session::SessionTable;
use crate::settings::{Now, Settings};
use crate::zab::{LinkId, Planted};
use closing::{Closing, Leaving};
use model::session::SessionId;
use model::zxid::Zxid;
use service::Service;
use std::collections::VecDeque;
use std::sync::Arc;

/// The ordering role of a server.
///
/// Lives in: one core loop.
pub struct Ordering {
    /// The newest tree.
    pub head: Head,
    sessions: SessionTable,
    chain: Chain,
    settings: Arc<Settings>,
    open: Open,
    sealed: VecDeque<Applied>,
    spare: Vec<Arc<InLog>>,
    /// The last zxid given to a txn, and the last one published.
    proposed: Zxid,
    published: Zxid,
    refusal: Option<Refusal>,
    to_shards: Vec<(u16, ToShard)>,
    to_peers: Vec<(LinkId, Vec<u8>)>,
    service: Service,
    /// Sessions to be closed, and the end that is being applied.
    leaving: VecDeque<Leaving>,
    closing: Option<Closing>,
    reaped_ms: u64,
    reaping: Option<Reaping>,
    anonymous: Arc<Identities>,
    counts: OrderingCounts,
    /// Rules that are broken on purpose.
    pub(crate) planted: Planted,
}

/// What the role has done since it started.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrderingCounts {
    /// Txns proposed.
    pub txns: u64,
    /// Batches sealed.
    pub batches: u64,
    /// Sessions that expired.
    pub expired: u64,
}

/// A search for containers and nodes with a TTL to remove: how far it has got, and how many may
/// still be removed in this interval.
#[derive(Clone, Debug)]
struct Reaping {
    after: Option<Arc<[u8]>>,
    left: u64,
}

/// Why writes are refused for now, without a zxid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The log has no room and none can be made.
    DiskFull,
    /// The log has ended, as its server does.
    LogEnded,
}

/// The batch that is being filled.
#[derive(Debug, Default)]
struct Open {
    batch: Batch,
    in_log: InLog,
    /// What its syncs need; 0 for nothing.
    confirmation: u64,
}

/// A batch that the head holds and clients do not see yet.
#[derive(Debug)]
struct Applied {
    batch: Batch,
    through: Zxid,
    confirmation: u64,
}

impl Ordering {
    /// The role of a server that is alone, over a tree whose history ends at `zxid`; `shards` will
    /// connect to it. Every session of the tree is tracked with its full timeout.
    pub fn new(head: Head, zxid: Zxid, settings: Arc<Settings>, shards: u16, now: Now) -> Self {
        let first = SessionId::first(settings.server_id, now.wall_ms);
        let mut ordering = Self {
            head,
            sessions: SessionTable::new(first, settings.tick_ms, shards, now.mono_ms),
            chain: Chain::default(),
            settings,
            open: Open::default(),
            sealed: VecDeque::new(),
            spare: Vec::new(),
            proposed: zxid,
            published: zxid,
            refusal: None,
            to_shards: Vec::new(),
            to_peers: Vec::new(),
            service: Service::alone(),
            leaving: VecDeque::new(),
            closing: None,
            reaped_ms: now.mono_ms,
            reaping: None,
            anonymous: Arc::new(Identities::default()),
            counts: OrderingCounts::default(),
            planted: Planted::default(),
        };
        ordering.track_all(now);
        ordering
    }

    /// A cursor for a shard that starts now.
    pub fn cursor(&self) -> Cursor {
        self.chain.cursor()
    }

    /// The last txn that clients may have seen.
    pub fn published(&self) -> Zxid {
        self.published
    }

    /// The last txn proposed.
    pub fn proposed(&self) -> Zxid {
        self.proposed
    }

    /// The last txn of the head: what an answer that is no txn's names. (The beginning of an epoch
    /// is no txn: a client that had seen it would be turned away by servers that have seen none of
    /// the epoch's.)
    pub(crate) fn seen(&self) -> Zxid {
        self.head.tree.meta().zxid
    }

    /// What the role has done.
    pub fn counts(&self) -> OrderingCounts {
        self.counts
    }

    /// Forgets what it has done.
    pub fn reset_counts(&mut self) {
        self.counts = OrderingCounts::default();
        self.head.meters.written.reset();
        self.head.meters.over_quota.reset();
    }

    /// The session table, for reports.
    pub fn sessions(&self) -> &SessionTable {
        &self.sessions
    }

    /// Why writes are refused, if they are.
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// Refuses new writes, or accepts them again.
    pub fn refuse(&mut self, refusal: Option<Refusal>) {
        self.refusal = refusal;
    }

    /// Whether shards may hand over more messages: none is too far behind, the open batch is not
    /// full, and no session's end is being applied.
    pub fn is_admitting(&self) -> bool {
        self.closing.is_none()
            && !self.is_epoch_full()
            && self.chain.backlog() < BACKLOG_BATCHES_MAX
            && self.open_bytes() < BATCH_BYTES_MAX
    }

    /// Bytes of txns of the open batch.
    pub(crate) fn open_bytes(&self) -> usize {
        self.open.in_log.byte_count()
    }

    /// Whether there is something to seal, and its last txn is complete.
    pub fn has_open(&self) -> bool {
        let is_empty = self.open.batch.outcomes.is_empty() && self.open.in_log.is_empty();
        self.closing.is_none() && !is_empty
    }

    /// Whether the open batch needs the log at all.
    pub fn open_is_silent(&self) -> bool {
        self.open.in_log.is_empty()
    }

    /// Messages for shards; drained by the caller.
    pub fn take_messages(&mut self) -> std::vec::Drain<'_, (u16, ToShard)> {
        self.to_shards.drain(..)
    }

    /// When [`Self::tick`] has something to do next, in ms of the monotonic clock.
    pub fn deadline_ms(&self) -> u64 {
        let expiry_ms = self.sessions.deadline_ms().unwrap_or(u64::MAX);
        match &self.service {
            Service::ReadOnly(own) => own.deadline_ms().unwrap_or(u64::MAX),
            Service::Leading { .. } if self.refusal.is_none() => {
                expiry_ms.min(self.reaped_ms + self.settings.reap_interval_ms)
            }
            // The caller that lifts the refusal asks again.
            Service::Leading { .. } | Service::Nobody => u64::MAX,
            // Its local sessions need no log.
            Service::Following(_) => expiry_ms,
        }
    }

    /// Handles a message of a shard.
    ///
    /// # Panics
    /// If a session's end is being applied: see [`Self::is_admitting`].
    pub fn handle(&mut self, now: Now, message: ToOrdering) {
        assert!(self.closing.is_none(), "an end is applied before anything that comes after it");
        match self.service {
            Service::Leading { .. } => (),
            Service::Following(_) => return self.handle_forwarded(now, message),
            Service::ReadOnly(_) => return self.handle_read_only(now, message),
            Service::Nobody => return self.handle_idle(message),
        }
        match message {
            ToOrdering::Writes(bundle) => self.handle_writes(now, bundle),
            ToOrdering::Connect(connect) => self.handle_connect(now, connect),
            ToOrdering::Identified { connection, session, identities } => {
                if self.sessions.attached(session, connection).is_some()
                    && let Some(entry) = self.sessions.entry_mut(session)
                {
                    entry.identities = identities;
                }
            }
            ToOrdering::Detached { connection, session } => {
                self.handle_detached(now, connection, session);
            }
            ToOrdering::Touched { shard, sessions, until_ms } => {
                for (session, at_ms) in sessions {
                    self.sessions.touch(session, at_ms);
                }
                self.sessions.reported(shard, until_ms);
            }
        }
    }

    /// Does what is due: expired sessions, nodes whose time has run out, sessions that are being
    /// closed.
    pub fn tick(&mut self, now: Now) {
        if self.closing.is_some() {
            // Even if writes are refused meanwhile: it was already proposed.
            return self.close_sessions(now);
        }
        match self.service {
            Service::Leading { .. } => self.continue_requests(now),
            Service::Following(_) => return self.expire_local(now),
            Service::ReadOnly(_) => return self.expire_read_only(now),
            Service::Nobody => return,
        }
        if self.refusal.is_none() {
            for session in self.sessions.expired(now.mono_ms) {
                self.counts.expired += 1;
                self.begin_close(now, session, None);
            }
            self.close_sessions(now);
            if self.closing.is_none() {
                self.reap(now);
            }
        }
    }

    /// Whether [`Self::tick`] has more to do at once.
    pub fn is_busy(&self) -> bool {
        let may_begin = self.refusal.is_none() && self.is_admitting();
        let has_more = !self.leaving.is_empty() || self.reaping.is_some();
        self.closing.is_some() || may_begin && has_more || self.has_waited()
    }
}
