//! Clients of a server that has no leader: those that asked for no more than reading.
//!
//! Their sessions are of this server alone. They are in no tree and in no log, they expire here,
//! and end at the latest when there is a leader again: their clients are closed then, and no server
//! knows their ids. A session of the ensemble cannot be used here, since nothing would keep it from
//! expiring at a leader elsewhere: its client is turned away, and tries the other servers. An id
//! that is not known here may be of the ensemble all the same, or of another server without a
//! leader. That it has ended would be untrue, so it is taken over if the password is right.
//!
//! Invariant: `ReadOnlySessions::ids` are the ids of its table (guard:
//! `tests::ensemble::reading::sessions_of_a_read_only_server_move_and_expire_there`).
//!
//! Invariant: nothing is proposed. What is answered is a silent batch, and the only tree that is
//! read is the published one (guard: `tests::ensemble::reading`).
//!
//! Source: ZooKeeper 3.9.5, `ReadOnlyZooKeeperServer`, `ReadOnlyRequestProcessor`,
//! `LearnerSessionTracker`.
//! Lives in: [`Service::ReadOnly`](super::service::Service).

use super::Ordering;
use super::service::Service;
use crate::batch::ConnectionId;
use crate::message::{Connect, Served, ToOrdering, ToShard, Write};
use crate::session::{SessionEntry, SessionPlace, SessionTable};
use crate::settings::Now;
use model::error::ErrorCode;
use model::op::Op;
use model::session::{SessionId, password};
use std::collections::BTreeSet;
use std::mem;

/// The sessions of a server without a leader.
#[derive(Debug)]
pub struct ReadOnlySessions {
    table: SessionTable,
    /// Their ids in order, for reports in pieces.
    ids: BTreeSet<SessionId>,
    /// The first and the last id that was made here.
    made: Option<(SessionId, SessionId)>,
}

impl ReadOnlySessions {
    /// Count of sessions.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The sessions from this id on, in the order of their ids.
    pub fn from(&self, first: SessionId) -> impl Iterator<Item = (SessionId, &SessionEntry)> {
        self.ids.range(first..).filter_map(|id| Some((*id, self.table.entry(*id)?)))
    }

    /// When the next of them may expire.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.table.deadline_ms()
    }

    fn track(&mut self, connect: &Connect, id: SessionId, now: Now) {
        let place = SessionPlace::Attached(connect.connection);
        let timeout_ms = connect.timeout_ms.max(0) as u64;
        self.ids.insert(id);
        self.table.track(id, timeout_ms, place, connect.identities.clone(), now.mono_ms);
    }

    /// Whether a session was made here; if there is none, it has ended.
    fn was_made(&self, id: SessionId) -> bool {
        self.made.is_some_and(|(first, last)| first <= id && id <= last)
    }

    fn forget(&mut self, id: SessionId) -> Option<SessionEntry> {
        self.ids.remove(&id);
        self.table.forget(id)
    }
}

impl Ordering {
    /// Serves clients that only read from now on.
    ///
    /// # Panics
    /// If clients are served, or something is not published.
    pub(crate) fn serve_read_only(&mut self, now: Now) {
        assert!(matches!(self.service, Service::Nobody), "there is no leader");
        assert!(self.sealed.is_empty() && !self.has_open(), "what is applied is published");
        // New ids come from the table of the ensemble's sessions: none is given twice.
        let (unused, shards) = (SessionId(0), self.sessions.shards());
        let table = SessionTable::new(unused, self.settings.tick_ms, shards, now.mono_ms);
        let local = ReadOnlySessions { table, ids: BTreeSet::new(), made: None };
        self.service = Service::ReadOnly(Box::new(local));
        self.tell_shards(Served::ReadOnly);
    }

    /// How long to look for a leader before that, in ms.
    pub(crate) fn read_only_after_ms(&self) -> Option<u64> {
        self.settings.read_only_after_ms
    }

    /// Whether only clients that read are served.
    pub(crate) fn is_read_only(&self) -> bool {
        matches!(self.service, Service::ReadOnly(_))
    }

    /// The sessions of this server alone, for reports.
    pub fn read_only_sessions(&self) -> Option<&ReadOnlySessions> {
        match &self.service {
            Service::ReadOnly(local) => Some(local),
            Service::Leading { .. } | Service::Following(_) | Service::Nobody => None,
        }
    }

    fn local_mut(&mut self) -> Option<&mut SessionTable> {
        match &mut self.service {
            Service::ReadOnly(local) => Some(&mut local.table),
            Service::Leading { .. } | Service::Following(_) | Service::Nobody => None,
        }
    }

    /// Handles a message of a shard that serves clients that only read.
    pub(super) fn handle_read_only(&mut self, now: Now, message: ToOrdering) {
        match message {
            ToOrdering::Writes(bundle) => {
                for write in &bundle.writes {
                    self.refuse_write(write);
                }
                self.return_bundle(bundle);
            }
            // It was sent while any client was served.
            ToOrdering::Connect(connect) if connect.read_only != Some(true) => {
                self.turn_away(&connect);
            }
            ToOrdering::Connect(connect) => self.connect_local(now, connect),
            ToOrdering::Detached { connection, session } => {
                self.detach_local(now, connection, session);
            }
            ToOrdering::Touched { shard, sessions, until_ms } => {
                self.sessions.reported(shard, until_ms);
                let Some(local) = self.local_mut() else { return };
                for (session, at_ms) in sessions {
                    local.touch(session, at_ms);
                }
                local.reported(shard, until_ms);
            }
            // Reads are checked against what the shard knows.
            ToOrdering::Identified { .. } => (),
        }
    }

    /// Ends the sessions whose time has run out.
    pub(super) fn expire_read_only(&mut self, now: Now) {
        let Some(local) = self.local_mut() else { return };
        for session in local.expired(now.mono_ms) {
            self.counts.expired += 1;
            // Without a request the connection is closed silently.
            self.end_read_only(session, 0, now.mono_ms, ErrorCode::SessionExpired);
        }
    }

    /// Refuses whatever changes something, and a sync, for which there is no leader; a client may
    /// end its own session.
    fn refuse_write(&mut self, write: &Write) {
        let Some(local) = self.local_mut() else { return };
        if local.attached(write.session, write.connection).is_none() {
            // A write of a connection that its session has left: no client waits for it.
            return;
        }
        if write.op == Op::CloseSession {
            return self.end_read_only(write.session, write.xid, write.received_ms, ErrorCode::Ok);
        }
        let mark = self.open.batch.mark();
        self.answer(write, self.seen(), ErrorCode::NotReadOnly, mark);
    }

    fn connect_local(&mut self, now: Now, connect: Connect) {
        let id = connect.session;
        if id.0 == 0 {
            return self.create_read_only(now, &connect);
        }
        if self.head.tree.meta().sessions.contains_key(&id) {
            return self.turn_away(&connect);
        }
        let Service::ReadOnly(local) = &mut self.service else { return };
        let has_ended = local.was_made(id) && !local.ids.contains(&id);
        if has_ended || connect.password != Some(password(id)) {
            return self.answer_connect(&connect, None);
        }
        let local = &mut **local;
        let Some(entry) = local.table.entry_mut(id) else {
            local.track(&connect, id, now);
            return self.answer_connect(&connect, Some(id));
        };
        let detached = match &mut entry.place {
            SessionPlace::Attached(from) => {
                let from = *from;
                entry.place = SessionPlace::Moving { from, to: Box::new(connect) };
                from
            }
            // The newest request wins; the one before only gets its connection closed.
            SessionPlace::Moving { to, .. } => mem::replace(&mut **to, connect).connection,
            SessionPlace::Unused
            | SessionPlace::Detached
            | SessionPlace::Learner(_)
            | SessionPlace::Closing(_) => return self.attach_local(now, &connect),
        };
        local.table.touch(id, now.mono_ms);
        let detach = ToShard::Detach { connection: detached, session: id };
        self.to_shards.push((detached.shard, detach));
    }

    fn create_read_only(&mut self, now: Now, connect: &Connect) {
        let id = self.sessions.allocate();
        let Service::ReadOnly(local) = &mut self.service else { return };
        local.made = Some((local.made.map_or(id, |(first, _)| first), id));
        local.track(connect, id, now);
        self.answer_connect(connect, Some(id));
    }

    fn attach_local(&mut self, now: Now, connect: &Connect) {
        let id = connect.session;
        let Some(local) = self.local_mut() else { return };
        let Some(entry) = local.entry_mut(id) else { return };
        entry.place = SessionPlace::Attached(connect.connection);
        local.retime(id, connect.timeout_ms.max(0) as u64, now.mono_ms);
        self.answer_connect(connect, Some(id));
    }

    fn detach_local(&mut self, now: Now, connection: ConnectionId, session: SessionId) {
        let Some(local) = self.local_mut() else { return };
        let Some(entry) = local.entry_mut(session) else { return };
        match &mut entry.place {
            SessionPlace::Attached(at) if *at == connection => entry.place = SessionPlace::Detached,
            SessionPlace::Moving { from, .. } if *from == connection => {
                let place = mem::replace(&mut entry.place, SessionPlace::Detached);
                if let SessionPlace::Moving { to, .. } = place {
                    self.attach_local(now, &to);
                }
            }
            SessionPlace::Moving { from, to } if to.connection == connection => {
                entry.place = SessionPlace::Attached(*from);
            }
            SessionPlace::Unused
            | SessionPlace::Detached
            | SessionPlace::Learner(_)
            | SessionPlace::Attached(_)
            | SessionPlace::Moving { .. }
            | SessionPlace::Closing(_) => (),
        }
    }

    fn end_read_only(&mut self, session: SessionId, xid: i32, received_ms: u64, error: ErrorCode) {
        let Service::ReadOnly(local) = &mut self.service else { return };
        let Some(entry) = local.forget(session) else { return };
        let (to, waiting) = match entry.place {
            SessionPlace::Attached(at) => (Some(at), None),
            SessionPlace::Moving { from, to } => (Some(from), Some(to)),
            SessionPlace::Unused
            | SessionPlace::Detached
            | SessionPlace::Learner(_)
            | SessionPlace::Closing(_) => (None, None),
        };
        let mark = self.open.batch.mark();
        self.push_end(self.seen(), to, (xid, received_ms, error), mark);
        if let Some(connect) = waiting {
            self.answer_connect(&connect, None);
        }
    }
}
