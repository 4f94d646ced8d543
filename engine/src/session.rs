//! The session table: which client is attached where, and when a silent session expires.
//!
//! A session is global, made by a txn and in every server's tree, or local: only this server knows
//! it. On a learner the table holds the local ones alone; the leader tracks the others.
//!
//! Invariants: a live session has one bucket, at or before its expiry; a bucket
//! expires only when every shard has reported past its end (guards:
//! `tests::session_table::sessions_expire_when_they_should`,
//! `tests::session_table::a_bucket_waits_for_every_shard`).
//!
//! Lives in: the ordering role. Not here: which nodes a session has (`state`), the txns that
//! create and close sessions (`pipeline`).

use crate::acl::identity::Identities;
use crate::batch::ConnectionId;
use crate::hash::IdMap;
use crate::message::Connect;
use crate::zab::LinkId;
use model::session::SessionId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What this server knows about a session besides the tree.
#[derive(Debug)]
pub struct SessionEntry {
    /// As granted to the connection that is attached, in ms.
    pub timeout_ms: u64,
    /// The end of the bucket in which it will expire, in ms of the monotonic clock.
    pub expires_ms: u64,
    /// The bucket that it is in now, at or before that.
    bucket_ms: u64,
    /// Where it is.
    pub place: SessionPlace,
    /// The identities of the attached connection.
    pub identities: Arc<Identities>,
}

/// Where a session is.
#[derive(Debug)]
pub enum SessionPlace {
    /// Not used since this server decides writes: the first server to use it owns it.
    Unused,
    /// On no connection, since the last one was closed, or the link that it was used over: its
    /// client has to ask for it first.
    Detached,
    /// On this connection.
    Attached(ConnectionId),
    /// Leaving this connection for the one that requested it.
    Moving {
        /// The connection that must send Detached first.
        from: ConnectionId,
        /// The request that waits.
        to: Box<Connect>,
    },
    /// On a connection of another server, which used it over this link.
    Learner(LinkId),
    /// It is being closed: nothing more is done for it.
    Closing(Option<ConnectionId>),
}

/// Every session of this server.
#[derive(Debug)]
pub struct SessionTable {
    entries: IdMap<SessionId, SessionEntry>,
    /// Those that only this server knows, each with the timeout that it was made with.
    local: BTreeMap<SessionId, i32>,
    buckets: BTreeMap<u64, Vec<SessionId>>,
    tick_ms: u64,
    /// Until when each shard has reported.
    reported_ms: Vec<u64>,
    next: SessionId,
}

impl SessionTable {
    /// A table that hands out ids from `first` on.
    pub fn new(first: SessionId, tick_ms: u64, shards: u16, now_ms: u64) -> Self {
        Self {
            entries: IdMap::default(),
            local: BTreeMap::new(),
            buckets: BTreeMap::new(),
            tick_ms,
            reported_ms: vec![now_ms; usize::from(shards)],
            next: first,
        }
    }

    /// Count of sessions.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// An id that no session has.
    pub fn allocate(&mut self) -> SessionId {
        loop {
            let id = self.next;
            self.next = SessionId(id.0.wrapping_add(1));
            if id.0 != 0 && !self.entries.contains_key(&id) {
                return id;
            }
        }
    }

    /// A session, if it exists.
    pub fn entry_mut(&mut self, id: SessionId) -> Option<&mut SessionEntry> {
        self.entries.get_mut(&id)
    }

    /// The same, for reports.
    pub fn entry(&self, id: SessionId) -> Option<&SessionEntry> {
        self.entries.get(&id)
    }

    /// The entry of a session whose writes this connection may send: until it has sent Detached,
    /// even if another connection waits for that.
    pub fn attached(&self, id: SessionId, connection: ConnectionId) -> Option<&SessionEntry> {
        let entry = self.entries.get(&id)?;
        match entry.place {
            SessionPlace::Attached(at) | SessionPlace::Moving { from: at, .. } => {
                (at == connection).then_some(entry)
            }
            SessionPlace::Unused
            | SessionPlace::Detached
            | SessionPlace::Learner(_)
            | SessionPlace::Closing(_) => None,
        }
    }

    /// No session is owned by this link any more.
    pub fn disown(&mut self, link: LinkId) {
        for entry in self.entries.values_mut() {
            if matches!(entry.place, SessionPlace::Learner(owner) if owner == link) {
                entry.place = SessionPlace::Detached;
            }
        }
    }

    /// When a session expires unless it becomes active, for reports.
    pub fn expires_ms(&self, id: SessionId) -> Option<u64> {
        self.entries.get(&id).map(|entry| entry.expires_ms)
    }

    fn bucket_of(&self, from_ms: u64, timeout_ms: u64) -> u64 {
        // Rounded up to the next boundary, as stock's ExpiryQueue does.
        ((from_ms + timeout_ms) / self.tick_ms + 1) * self.tick_ms
    }

    /// Tracks a session from now on.
    pub fn track(
        &mut self,
        id: SessionId,
        timeout_ms: u64,
        place: SessionPlace,
        identities: Arc<Identities>,
        now_ms: u64,
    ) {
        let expires_ms = self.bucket_of(now_ms, timeout_ms);
        let bucket_ms = expires_ms;
        let entry = SessionEntry { timeout_ms, expires_ms, bucket_ms, place, identities };
        let is_new = self.entries.insert(id, entry).is_none();
        assert!(is_new, "session {id} was tracked twice");
        self.buckets.entry(expires_ms).or_default().push(id);
    }

    /// Tracks a session from now on that only this server knows.
    pub(crate) fn track_local(&mut self, id: SessionId, connect: &Connect, now_ms: u64) {
        let place = SessionPlace::Attached(connect.connection);
        let timeout_ms = connect.timeout_ms.max(0) as u64;
        self.track(id, timeout_ms, place, connect.identities.clone(), now_ms);
        self.local.insert(id, connect.timeout_ms);
    }

    /// Whether only this server knows a session.
    pub(crate) fn is_local(&self, id: SessionId) -> bool {
        self.local.contains_key(&id)
    }

    /// A local session becomes global: the timeout that it was made with.
    pub(crate) fn upgrade(&mut self, id: SessionId) -> Option<i32> {
        self.local.remove(&id)
    }

    /// The local sessions from `first` on, each with the timeout that it was made with, for
    /// reports.
    pub fn local(&self, first: SessionId) -> impl Iterator<Item = (SessionId, i32)> {
        self.local.range(first..).map(|(&id, &timeout_ms)| (id, timeout_ms))
    }

    /// Count of local sessions.
    pub fn local_count(&self) -> usize {
        self.local.len()
    }

    /// Forgets a session. Its entry in a bucket is dropped when that is due.
    pub fn forget(&mut self, id: SessionId) -> Option<SessionEntry> {
        self.local.remove(&id);
        self.entries.remove(&id)
    }

    /// Forgets every session; ids that were handed out are not reused.
    pub fn forget_all(&mut self) {
        self.entries.clear();
        self.local.clear();
        self.buckets.clear();
    }

    /// A session was active.
    pub fn touch(&mut self, id: SessionId, at_ms: u64) {
        let Some(timeout_ms) = self.entries.get(&id).map(|entry| entry.timeout_ms) else { return };
        let expires_ms = self.bucket_of(at_ms, timeout_ms);
        if let Some(entry) = self.entries.get_mut(&id) {
            let was_ms = entry.expires_ms;
            entry.expires_ms = was_ms.max(expires_ms);
        }
    }

    /// A session was attached with another timeout: it counts from now, whether the end moves
    /// forward or back.
    pub fn retime(&mut self, id: SessionId, timeout_ms: u64, now_ms: u64) {
        let expires_ms = self.bucket_of(now_ms, timeout_ms);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.timeout_ms = timeout_ms;
            entry.expires_ms = expires_ms;
            if expires_ms < entry.bucket_ms {
                // Its entry in the later bucket is dropped when that is due.
                entry.bucket_ms = expires_ms;
                self.buckets.entry(expires_ms).or_default().push(id);
            }
        }
    }

    /// Count of shards.
    pub fn shards(&self) -> u16 {
        self.reported_ms.len() as u16
    }

    /// A shard has reported everything before `until_ms`.
    pub fn reported(&mut self, shard: u16, until_ms: u64) {
        let reported = &mut self.reported_ms[usize::from(shard)];
        *reported = (*reported).max(until_ms);
    }

    /// When the next bucket may expire; `None` until every shard has reported past its end, which
    /// is a message that wakes this role.
    pub fn deadline_ms(&self) -> Option<u64> {
        let end_ms = *self.buckets.first_key_value()?.0;
        (self.all_reported_ms() >= end_ms).then_some(end_ms)
    }

    fn all_reported_ms(&self) -> u64 {
        self.reported_ms.iter().copied().min().unwrap_or(u64::MAX)
    }

    /// The sessions whose time has run out, as far as every shard has reported: clients that could
    /// not be read because the server was stalled are read before.
    pub fn expired(&mut self, now_ms: u64) -> Vec<SessionId> {
        let until_ms = now_ms.min(self.all_reported_ms());
        let mut expired = Vec::new();
        while let Some(bucket) = self.buckets.first_entry() {
            let end_ms = *bucket.key();
            if end_ms > until_ms {
                break;
            }
            for id in bucket.remove() {
                let Some(entry) = self.entries.get_mut(&id) else { continue };
                if entry.bucket_ms != end_ms || matches!(entry.place, SessionPlace::Closing(_)) {
                    continue;
                }
                if entry.expires_ms > end_ms {
                    entry.bucket_ms = entry.expires_ms;
                    self.buckets.entry(entry.expires_ms).or_default().push(id);
                } else {
                    // It may be here twice; the caller closes it once.
                    entry.bucket_ms = 0;
                    expired.push(id);
                }
            }
        }
        expired
    }
}
