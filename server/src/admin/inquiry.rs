//! The interface between the admin thread and the roles: inquiries by message, reports as plain
//! data.
//!
//! A core loop owns an [`InquiryInbox`], the admin thread the [`InquirySender`]s. In a turn the
//! loop answers some of the inquiries whose answer is short whatever the server holds
//! ([`BRIEF_PER_TURN_MAX`]), and one page of the others; so a turn stays short, and a short answer
//! does not wait behind long ones. Nothing in a report refers to the role.
//!
//! Invariants: a page examines no more than [`PAGE_ENTRIES_MAX`] things, found or not (guard:
//! `fill::tests`); an inquiry whose requester is gone costs its loop no more than the page (guard:
//! `tests::a_requester_that_is_gone_is_no_error`).

use super::limits::{INQUIRIES_MAX, INQUIRY_TIMEOUT};
use super::metrics::{Metrics, QuotaSums};
pub use super::moving::{Caller, LeaseOrder, MovingInquiry, MovingReport, ShedCounts, ShedOrder};
pub use super::standing::{EnsembleReport, LeadingReport, ObserverReport};
pub use engine::meter::Spread;
pub use engine::zab::Progress;
use model::op::Op;
use model::session::SessionId;
use model::zxid::Zxid;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::timeout;

#[cfg(doc)]
use super::limits::{BRIEF_PER_TURN_MAX, PAGE_ENTRIES_MAX};

/// Where a report is sent: `reply.send(report).ok()`, since the requester may be gone.
pub type Reply<T> = oneshot::Sender<T>;

/// An inquiry of the admin thread to a core loop.
#[derive(Debug)]
pub enum Inquiry {
    /// For the shard that the loop hosts.
    Shard(ShardInquiry),
    /// For the ordering role.
    Ordering(OrderingInquiry),
}

/// An inquiry to a shard.
#[derive(Debug)]
pub enum ShardInquiry {
    /// Its numbers.
    Counts(Reply<ShardReport>),
    /// Reset the numbers that `srst` resets.
    ResetCounts(Reply<()>),
    /// Everything else that it counts.
    Metrics(Reply<Box<Metrics>>),
    /// Reset the numbers of some connections, from the slot on, as `crst` does. Replies with the
    /// slot to continue from, if there may be more.
    ResetConnections(u32, Reply<Option<u32>>),
    /// Its connections, from the slot on.
    Connections(u32, Reply<ConnectionPage>),
    /// The paths that connections watch for data, from there on.
    Watches(WatchCursor, Reply<WatchPage>),
    /// About clients that go to other servers.
    Moving(MovingInquiry),
}

/// An inquiry to the ordering role.
#[derive(Debug)]
pub enum OrderingInquiry {
    /// Its numbers, and those of the tree.
    Counts(Reply<Box<OrderingReport>>),
    /// Reset the numbers that `srst` resets.
    ResetCounts {
        /// Those about the sizes of proposals too, which the command `stat_reset` leaves alone.
        forgets_proposals: bool,
        /// When it is done.
        reply: Reply<()>,
    },
    /// Reset what is counted of observers.
    ResetObservers(Reply<()>),
    /// Everything else that it and its log count, except quotas.
    Metrics(Reply<Box<Metrics>>),
    /// Live sessions from this one on, in the order of their ids.
    Sessions(Reach, SessionId, Reply<SessionPage>),
    /// Sessions that own nodes, from there on, in the order of their ids.
    Ephemerals(EphemeralCursor, Reply<EphemeralPage>),
    /// Quotas after this path, in the order of paths; `None` for the first page.
    Quotas(Option<Box<[u8]>>, Reply<QuotaPage>),
    /// The digests that the tree had, oldest first; empty if none are kept.
    Digests(Reply<Vec<(Zxid, u64)>>),
}

/// What a shard has counted.
#[derive(Clone, Debug, Default)]
pub struct ShardReport {
    /// Open connections, with or without a session.
    pub connections: u64,
    /// Packets from clients.
    pub received: u64,
    /// Packets to clients.
    pub sent: u64,
    /// Requests that are not answered yet.
    pub outstanding: u64,
    /// The share of its time that its loop works, in thousandths.
    pub busy_permille: u32,
    /// How long answers took, in ms.
    pub latency: Spread,
    /// Credentials that were refused.
    pub auth_failed: u64,
    /// Bytes of the responses: last, longest and shortest; `None` before the first.
    pub response_bytes: Option<LastMaxMin>,
    /// Watches of nodes and their data.
    pub data_watches: WatchCounts,
    /// Watches of children: pairs of a connection and a path.
    pub child_watch_count: u64,
}

/// The last of some numbers, the greatest, and the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastMaxMin {
    /// The last.
    pub last: u64,
    /// The greatest.
    pub max: u64,
    /// The least.
    pub min: u64,
}

/// The size of a watch table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchCounts {
    /// Connections that watch something.
    pub connections: u64,
    /// Paths that are watched.
    pub paths: u64,
    /// Pairs of these.
    pub watches: u64,
}

/// Some connections of one shard.
#[derive(Clone, Debug, Default)]
pub struct ConnectionPage {
    /// At most [`PAGE_ENTRIES_MAX`] of them.
    pub connections: Vec<ConnectionReport>,
    /// The slot to continue from, if there may be more.
    pub next: Option<u32>,
}

/// A connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionReport {
    /// Its peer's address.
    pub peer: SocketAddr,
    /// Whether its next request would be read now.
    pub is_reading: bool,
    /// Whether it has output that its socket would not take.
    pub is_writing: bool,
    /// Its session; 0 before it has one.
    pub session: SessionId,
    /// Requests that are not answered yet.
    pub queued: u64,
    /// Packets from it.
    pub received: u64,
    /// Packets to it.
    pub sent: u64,
    /// Its last request, unless it was reset since.
    pub last_op: Option<Op>,
    /// When it was accepted, in ms of the wall clock.
    pub established_ms: i64,
    /// When something was last received from it, in ms of the monotonic clock.
    pub heard_ms: u64,
    /// Its session's timeout in ms.
    pub timeout_ms: i32,
    /// The number of its last request; negative if it had none.
    pub last_cxid: i64,
    /// The last zxid sent to it; -1 if none.
    pub last_zxid: Zxid,
    /// When it was last answered, in ms of the monotonic clock; 0 if never.
    pub last_response_ms: u64,
    /// How long that answer took, in ms.
    pub last_latency_ms: u64,
    /// How long its answers took, in ms.
    pub latency: Spread,
}

/// Where a report about watches continues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchCursor {
    /// This connection.
    pub slot: u32,
    /// The place among its paths; 0 is the first.
    pub place: u64,
}

/// Some watches of one shard.
#[derive(Clone, Debug, Default)]
pub struct WatchPage {
    /// Connections and what they watch; at most [`PAGE_ENTRIES_MAX`] paths in total. One connection
    /// may continue at the top of the next page.
    pub connections: Vec<WatchReport>,
    /// Where to continue, if there may be more.
    pub next: Option<WatchCursor>,
}

/// What a connection watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchReport {
    /// Its slot, which is unique within its shard.
    pub slot: u32,
    /// Its session.
    pub session: SessionId,
    /// The paths.
    pub paths: Vec<Arc<[u8]>>,
}

/// Who knows a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every server.
    Global,
    /// The one that made it.
    Local,
}

/// A session and when it expires if its client stays silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionExpiry {
    /// In ms of the monotonic clock: the end of its bucket. 0 if another server decides that.
    pub expires_ms: u64,
    /// The session.
    pub session: SessionId,
    /// As granted, in ms.
    pub timeout_ms: i32,
}

/// Some live sessions.
#[derive(Clone, Debug, Default)]
pub struct SessionPage {
    /// At most [`PAGE_ENTRIES_MAX`] of them.
    pub sessions: Vec<SessionExpiry>,
    /// Whether this server decides when global sessions expire.
    pub is_tracking: bool,
    /// Whether new sessions are local.
    pub makes_local: bool,
    /// The session to continue from, if there may be more.
    pub next: Option<SessionId>,
    /// The monotonic clock now, in ms, to read [`SessionExpiry::expires_ms`] by.
    pub mono_ms: u64,
    /// The wall clock at the same time, in ms since 1970.
    pub wall_ms: i64,
}

/// Where a report about ephemeral nodes continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EphemeralCursor {
    /// This session, or the next one that owns nodes.
    pub session: SessionId,
    /// The last of its nodes that was reported, if any was.
    pub after: Option<Arc<[u8]>>,
}

impl EphemeralCursor {
    /// From this session on.
    pub fn at(session: SessionId) -> Self {
        Self { session, after: None }
    }
}

/// Some quotas.
#[derive(Clone, Debug, Default)]
pub struct QuotaPage {
    /// The part of the tree that each belongs to, and its limits and usage; at most
    /// [`PAGE_ENTRIES_MAX`] of them.
    pub quotas: Vec<(String, QuotaSums)>,
    /// The path to continue after, if there are more.
    pub next: Option<Box<[u8]>>,
}

/// Some sessions that own nodes.
#[derive(Clone, Debug, Default)]
pub struct EphemeralPage {
    /// At most [`PAGE_ENTRIES_MAX`] paths in total. One session may continue at the top of the next
    /// page.
    pub sessions: Vec<EphemeralReport>,
    /// Where to continue, if there may be more.
    pub next: Option<EphemeralCursor>,
}

/// The nodes of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EphemeralReport {
    /// The session.
    pub session: SessionId,
    /// The nodes' paths.
    pub paths: Vec<Arc<[u8]>>,
}

/// The server's role in its ensemble.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It has no ensemble.
    #[default]
    Standalone,
    /// It leads its ensemble.
    Leader,
    /// A learner with a vote.
    Follower,
    /// A learner without one.
    Observer,
    /// Partitioned from its ensemble, serving read-only clients.
    ReadOnly,
}

impl Mode {
    /// Its name in the words' answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Observer => "observer",
            Self::ReadOnly => "read-only",
        }
    }
}

/// What the ordering role knows about the server and its tree.
#[derive(Clone, Debug, Default)]
pub struct OrderingReport {
    /// Whether clients are served at all, or would be if the server did not lead apart from them.
    pub is_serving: bool,
    /// Whether it leads, and therefore serves no clients (`leaderServes=no`).
    pub leads_apart: bool,
    /// The server's role in its ensemble.
    pub mode: Mode,
    /// The last txn that clients can see.
    pub zxid: Zxid,
    /// Nodes of the tree.
    pub node_count: u64,
    /// Approximate bytes of paths and data.
    pub data_bytes: u64,
    /// Ephemeral nodes.
    pub ephemeral_count: u64,
    /// Sessions of the ensemble.
    pub session_count: u64,
    /// Sessions that only this server knows.
    pub local_session_count: u64,
    /// Why writes are refused, if they are: one line.
    pub writes_refused: Option<String>,
    /// The last snapshot, and when it was written, in ms since 1970.
    pub last_snapshot: Option<(Zxid, i64)>,
    /// Flushes that took longer than was configured.
    pub slow_flushes: u64,
    /// What the server knows of its ensemble, if it has one.
    pub ensemble: Option<EnsembleReport>,
}

impl OrderingReport {
    /// What the server knows as a leader.
    pub fn leading(&self) -> Option<&LeadingReport> {
        self.ensemble.as_ref()?.leading.as_ref()
    }
}

impl Inquiry {
    /// Whether the answer is short whatever the server holds.
    fn is_brief(&self) -> bool {
        match self {
            Self::Shard(
                ShardInquiry::Counts(_) | ShardInquiry::ResetCounts(_) | ShardInquiry::Moving(_),
            )
            | Self::Ordering(
                OrderingInquiry::Counts(_)
                | OrderingInquiry::ResetCounts { .. }
                | OrderingInquiry::ResetObservers(_),
            ) => true,
            Self::Shard(
                ShardInquiry::Metrics(_)
                | ShardInquiry::ResetConnections(..)
                | ShardInquiry::Connections(..)
                | ShardInquiry::Watches(..),
            )
            | Self::Ordering(
                OrderingInquiry::Metrics(_)
                | OrderingInquiry::Sessions(..)
                | OrderingInquiry::Ephemerals(..)
                | OrderingInquiry::Quotas(..)
                | OrderingInquiry::Digests(_),
            ) => false,
        }
    }
}

/// The admin thread's end of the channel to one core loop.
#[derive(Clone)]
pub struct InquirySender {
    brief: mpsc::Sender<Inquiry>,
    pages: mpsc::Sender<Inquiry>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for InquirySender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InquirySender").finish_non_exhaustive()
    }
}

/// A core loop's end of the channel.
#[derive(Debug)]
pub struct InquiryInbox {
    brief: mpsc::Receiver<Inquiry>,
    pages: mpsc::Receiver<Inquiry>,
}

/// A sender and its inbox. `wake` is called from the admin thread after each inquiry that is sent,
/// and makes a sleeping loop take a turn.
pub fn channel(wake: impl Fn() + Send + Sync + 'static) -> (InquirySender, InquiryInbox) {
    let (brief, brief_inbox) = mpsc::channel(INQUIRIES_MAX);
    let (pages, pages_inbox) = mpsc::channel(INQUIRIES_MAX);
    (
        InquirySender { brief, pages, wake: Arc::new(wake) },
        InquiryInbox { brief: brief_inbox, pages: pages_inbox },
    )
}

impl InquiryInbox {
    /// The next inquiry whose answer is short, if there is one. Never waits.
    pub fn take_brief(&mut self) -> Option<Inquiry> {
        self.brief.try_recv().ok()
    }

    /// The next of the other inquiries, if there is one. Never waits.
    pub fn take_page(&mut self) -> Option<Inquiry> {
        self.pages.try_recv().ok()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.brief.is_empty() && self.pages.is_empty()
    }
}

/// A loop that did not answer: it has ended, or it is stalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a core loop does not answer")]
pub struct Unanswered;

impl InquirySender {
    /// Sends an inquiry and waits for the answer, but not longer than [`INQUIRY_TIMEOUT`]. After a
    /// page the thread's other tasks run before the next one.
    ///
    /// # Errors
    /// If the loop has ended, is stalled, or drops the inquiry.
    pub(super) async fn ask<T>(
        &self,
        inquiry: impl FnOnce(Reply<T>) -> Inquiry,
    ) -> Result<T, Unanswered> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            let inquiry = inquiry(reply);
            let is_brief = inquiry.is_brief();
            let way = if is_brief { &self.brief } else { &self.pages };
            way.send(inquiry).await.map_err(|_| Unanswered)?;
            (self.wake)();
            let answer = answer.await.map_err(|_| Unanswered)?;
            Ok((answer, is_brief))
        };
        let (answer, is_brief) =
            timeout(INQUIRY_TIMEOUT, asked).await.map_err(|_| Unanswered)??;
        if !is_brief {
            yield_now().await;
        }
        Ok(answer)
    }
}
