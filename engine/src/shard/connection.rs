//! One client's connection, as its shard knows it.
//!
//! What belongs to another part of the shard (its account, its parked requests, its output) is a
//! value that only that part changes. The rest, the stages of the connection, its session and its
//! stream, is private here and changes by the steps below.
//!
//! Invariant: a stream that is over or ended never reopens, and from then on nothing of it is taken
//! (guard: `crate::tests::ends::nothing_follows_the_last_request`).

use super::activity::LastActive;
use super::budget::{Account, Budget};
use super::measured::{ConnectionCounts, Measured};
use super::output::{Outgoing, Output};
use super::parking::{Ahead, Next, Parking, Room};
use super::turn::{Share, Turn};
use crate::acl::identity::Identities;
use crate::batch::ConnectionId;
use crate::settings::Now;
use model::error::ErrorCode;
use model::response;
use model::session::SessionId;
use model::zxid::Zxid;
use std::net::SocketAddr;
use std::sync::Arc;

/// The stage of a connection and its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SessionStage {
    /// It has not sent a connect request.
    Opening,
    /// It waits for its session.
    Connecting,
    /// It has a session.
    Established,
    /// It has requested the end of its session; what else it sends does not count.
    Closing,
}

/// The stage of a client's stream of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    /// Requests are taken.
    Open,
    /// Its last request was taken. The end is queued behind all that is not answered yet, with the
    /// reply to send then.
    Over(Option<BareReply>),
    /// The end has been reached: to be closed once its replies have been sent.
    Ended,
}

/// A reply without a body: to credentials, or the last one of a connection that the server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BareReply {
    /// The number of the request.
    pub(super) xid: i32,
    /// As in stock's reply with this error.
    pub(super) zxid: Zxid,
    /// Its result.
    pub(super) error: ErrorCode,
}

/// Whether a connection's request is being answered over several turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Progress {
    /// No.
    #[default]
    None,
    /// It is; what it is sent meanwhile goes first.
    Open,
    /// It is, and the answer belongs at this offset of the output, which is not sent before.
    Held { at: usize },
}

/// A connection.
///
/// Lives in: its shard, from accept to close.
#[derive(Debug)]
pub struct Connection {
    id: ConnectionId,
    peer: SocketAddr,
    stage: SessionStage,
    session: SessionId,
    timeout_ms: i32,
    stream: Stream,
    is_gone: bool,
    identities: Arc<Identities>,
    progress: Progress,
    /// Whether a request of it was deferred in this turn: those behind it are, too.
    is_left: bool,
    pub(super) account: Account,
    pub(super) parking: Parking,
    pub(super) output: Output,
    pub(super) share: Share,
    pub(super) last_active: LastActive,
    pub(super) counts: ConnectionCounts,
}

impl Connection {
    pub(super) fn new(id: ConnectionId, peer: SocketAddr, now: Now) -> Self {
        Self {
            id,
            peer,
            stage: SessionStage::Opening,
            session: SessionId(0),
            timeout_ms: 0,
            stream: Stream::Open,
            is_gone: false,
            identities: Arc::new(Identities::of_address(peer.ip())),
            progress: Progress::None,
            is_left: false,
            account: Account::default(),
            parking: Parking::default(),
            output: Output::default(),
            share: Share::default(),
            last_active: LastActive::new(now.mono_ms),
            counts: ConnectionCounts::new(now.wall_ms),
        }
    }

    /// Whose it is.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Its session, once it has or has requested one.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// As granted, in ms.
    pub fn timeout_ms(&self) -> i32 {
        self.timeout_ms
    }

    /// Whether nothing more is sent to it: its peer has closed or receives nothing, or its session
    /// is another connection's. Its writes count all the same, its reads do not.
    #[inline]
    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// What `cons` shows.
    pub fn counts(&self) -> &ConnectionCounts {
        &self.counts
    }

    /// Bytes that wait to be sent.
    pub fn unsent_bytes(&self) -> usize {
        self.output.len()
    }

    /// When its last packet was received, in ms of the monotonic clock.
    pub fn last_active_ms(&self) -> u64 {
        self.last_active.last_ms()
    }

    /// Requests that wait for an answer.
    pub fn outstanding(&self) -> u64 {
        self.account.waiting_count() + u64::from(self.is_in_progress())
    }

    /// Whether all that it is sent before its end is in its output.
    pub fn has_ended(&self) -> bool {
        self.stream == Stream::Ended
    }

    #[inline]
    pub(super) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(super) fn identities(&self) -> &Arc<Identities> {
        &self.identities
    }

    /// Whose reads are answered, into which output, and where they are counted.
    #[inline]
    pub(super) fn reading(
        &mut self,
    ) -> (&Identities, SessionId, &mut Output, &mut ConnectionCounts) {
        (&self.identities, self.session, &mut self.output, &mut self.counts)
    }

    /// It has authenticated as this.
    pub(super) fn identify(&mut self, identities: Arc<Identities>) {
        self.identities = identities;
    }

    /// Whether its last request was taken, but its end is not reached yet.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stream, Stream::Over(_))
    }

    /// What it is sent before its end.
    pub(super) fn last_reply(&self) -> Option<BareReply> {
        let Stream::Over(last) = self.stream else { return None };
        last
    }

    #[inline]
    pub(super) fn has_open_stream(&self) -> bool {
        self.stream == Stream::Open
    }

    pub(super) fn is_opening(&self) -> bool {
        self.stage == SessionStage::Opening
    }

    pub(super) fn is_established(&self) -> bool {
        self.stage == SessionStage::Established
    }

    /// Whether it has never had a session.
    pub(super) fn is_sessionless(&self) -> bool {
        matches!(self.stage, SessionStage::Opening | SessionStage::Connecting)
    }

    /// Whether requests of its client are taken.
    #[inline]
    fn takes_input(&self) -> bool {
        let is_served = matches!(self.stage, SessionStage::Opening | SessionStage::Established);
        is_served && self.has_open_stream()
    }

    /// Whether its next request may be taken, given the bytes that its socket has still to send.
    #[inline]
    pub(super) fn is_reading(&self, turn: &Turn, budget: &Budget, sending_bytes: usize) -> bool {
        let unsent_bytes = if self.is_gone { 0 } else { self.output.len() + sending_bytes };
        self.takes_input()
            && turn.has_share(&self.share)
            && budget.admits(&self.account, self.outstanding(), unsent_bytes)
    }

    /// It has sent a connect request.
    pub(super) fn begin_connecting(&mut self) {
        self.stage = SessionStage::Connecting;
    }

    /// Its connect is handed over: a new session is requested, or this one.
    pub(super) fn ask_for(&mut self, session: SessionId, timeout_ms: i32) {
        (self.session, self.timeout_ms) = (session, timeout_ms);
    }

    /// It was given its session.
    pub(super) fn establish(&mut self, session: SessionId) {
        (self.stage, self.session) = (SessionStage::Established, session);
        // Earlier activity was not the session's.
        self.last_active.take();
    }

    /// It was given none.
    pub(super) fn deny(&mut self) {
        self.session = SessionId(0);
    }

    /// The end of its session is handed over.
    pub(super) fn begin_closing(&mut self) {
        self.stage = SessionStage::Closing;
    }

    /// That was taken back.
    pub(super) fn reopen(&mut self) {
        self.stage = SessionStage::Established;
    }

    /// Its session has ended.
    pub(super) fn end_session(&mut self) {
        (self.stage, self.session) = (SessionStage::Closing, SessionId(0));
    }

    /// Nothing follows what was taken; false if that was already known.
    pub(super) fn finish(&mut self, last: Option<BareReply>) -> bool {
        let is_news = self.has_open_stream();
        if is_news {
            self.stream = Stream::Over(last);
        }
        is_news
    }

    /// Its end is reached.
    pub(super) fn end(&mut self) {
        self.stream = Stream::Ended;
    }

    /// Nothing more is sent to it. True if that ends a long answer of it.
    pub(super) fn lose(&mut self) -> bool {
        self.is_gone = true;
        std::mem::take(&mut self.progress) != Progress::None
    }

    /// Whether a read would overtake an earlier request of the session.
    #[inline]
    pub(super) fn is_blocked(&self) -> bool {
        self.account.has_in_flight() || self.must_wait()
    }

    /// Whether even a write has to wait for earlier requests.
    #[inline]
    pub(super) fn must_wait(&self) -> bool {
        !self.parking.is_empty() || self.is_in_progress()
    }

    /// Whether what is parked, or the end, waits for requests in flight.
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        !self.parking.is_empty() || self.is_over()
    }

    /// What becomes of its parked requests.
    pub(super) fn next(&self, turn: &Turn, room: Room, unsent_bytes_max: usize) -> Next {
        self.parking.next(Ahead {
            is_gone: self.is_gone,
            is_closing: self.stage == SessionStage::Closing,
            is_in_progress: self.is_in_progress(),
            has_in_flight: self.account.has_in_flight(),
            is_unsent_full: self.output.len() > unsent_bytes_max,
            is_turn_full: turn.is_full(),
            room,
            has_share: turn.has_share(&self.share),
        })
    }

    /// What the end of its stream waits for, once nothing is parked.
    pub(super) fn next_of_end(&self) -> NextOfEnd {
        let is_over = self.is_over();
        let is_connecting = self.stage == SessionStage::Connecting;
        if self.is_gone {
            let is_closing = self.stage == SessionStage::Closing;
            let comes = is_over && !is_connecting || is_closing;
            return if comes { NextOfEnd::Now } else { NextOfEnd::Waits };
        }
        let comes = is_over && !self.is_blocked() && !is_connecting;
        if comes { NextOfEnd::BehindReads } else { NextOfEnd::Waits }
    }

    /// Whether a long request of it is in progress.
    #[inline]
    pub(super) fn is_in_progress(&self) -> bool {
        self.progress != Progress::None
    }

    /// Whether its output waits for a long answer.
    #[inline]
    pub(super) fn is_held(&self) -> bool {
        matches!(self.progress, Progress::Held { .. })
    }

    /// A long answer begins. If `is_held`, it has its place in the output, and nothing is sent
    /// before it.
    pub(super) fn begin_long(&mut self, is_held: bool) {
        let at = self.output.len();
        self.progress = if is_held { Progress::Held { at } } else { Progress::Open };
    }

    /// It has ended. Returns the answer's offset in the output, if that was held for it.
    pub(super) fn end_long(&mut self) -> Option<usize> {
        match std::mem::take(&mut self.progress) {
            Progress::Held { at } => Some(at),
            Progress::Open | Progress::None => None,
        }
    }

    /// Whether a read of it must be deferred, and those behind it with it.
    #[inline]
    pub(super) fn leaves_reads(&self, unsent_bytes_max: usize) -> bool {
        self.is_left || self.output.len() > unsent_bytes_max || self.is_in_progress()
    }

    /// A read of it is deferred.
    pub(super) fn leave_reads(&mut self) {
        self.is_left = true;
    }

    /// What was deferred is parked again.
    pub(super) fn end_left(&mut self) {
        self.is_left = false;
    }

    /// Answers a request without a body.
    pub(super) fn reply(
        &mut self,
        reply: BareReply,
        outgoing: &mut Outgoing,
        measured: &mut Measured,
    ) {
        let BareReply { xid, zxid, error } = reply;
        let out = outgoing.append(self.id.slot, &mut self.output);
        response::put_reply(out, xid, zxid, error, &[]);
        measured.packet(&mut self.counts, response::REPLY_HEADER_BYTES as u64 - 4);
    }
}

/// When an end that no parked request precedes is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextOfEnd {
    /// There is none yet, or it waits for requests in flight.
    Waits,
    /// Behind the reads of this turn.
    BehindReads,
    /// At once: no client receives answers.
    Now,
}
