//! Messages from other threads to a core loop, which are rare: everything that is not on the path
//! of a request.

use super::clients::Dealt;
use super::transfers::Transferred;
use crate::persist::RestoreError;
use disk::DiskError;
use engine::pipeline::Head;
use engine::zab::{LinkId, LogRead};
use model::zxid::Zxid;
use net::listener::{Endpoint, ListenOptions, Listener};
use ring::Waker;
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use txlog::{RecoverError, SegmentHeader};

/// A port for other servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerPort {
    /// For elections.
    Election,
    /// For learners.
    Quorum,
}

/// A message to a core loop.
pub enum LoopMessage {
    /// Leave the port for clients: this server listens elsewhere from now on.
    LeaveClients,
    /// Listen here for clients, in place of where it did.
    ListenForClients(Vec<Listener>),
    /// Listen here for other servers, in place of where it did; nowhere for a moment, perhaps.
    ListenForPeers(PeerPort, Vec<Listener>),
    /// The port for observers is there from now on.
    ObserversAt(Vec<Endpoint>, ListenOptions),
    /// A client that another loop accepted for this loop's shard.
    Dealt(Dealt),
    /// The background has prepared a segment, or failed to.
    Prepared(Result<(SegmentHeader, File), DiskError>),
    /// The background has begun a new run of the log, or failed to.
    RunBegun(Result<(SegmentHeader, File), RestoreError>),
    /// The background has purged what is not needed, or failed to.
    Purged,
    /// The background has stored epochs, or failed to.
    EpochsStored(Result<(), RestoreError>),
    /// Whether the oracle lets this server decide alone.
    OracleSaid(bool),
    /// The background has read a part of the log for this link, or failed to.
    LogRead(LinkId, Result<LogRead, RecoverError>),
    /// The background has written a snapshot of this zxid, or failed to.
    Snapshot(Result<Zxid, String>),
    /// A thread has sent or received a snapshot over a link, or failed to.
    Transferred(Box<Transferred>),
    /// A link that was lent could not be used, and is closed.
    LinkFailed(LinkId),
    /// The background has stored a tree that a leader has sent, in so many bytes, or failed to.
    ReceivedStored(Result<u64, RestoreError>),
    /// The background has loaded it, or failed to.
    ReceivedLoaded(Result<Box<Head>, RestoreError>),
    /// The background has removed what was left of one that is void, or failed to.
    ReceivedRemoved(Result<(), RestoreError>),
    /// The background has adopted it, or failed to.
    Adopted(Result<(), RestoreError>),
    /// Answer what is in flight and end.
    Stop,
}

/// The mailbox of a core loop, shared by all threads that write to it.
#[derive(Default)]
pub struct LoopInbox {
    messages: Mutex<Vec<LoopMessage>>,
    has_messages: AtomicBool,
    waker: OnceLock<Waker>,
    /// When the loop last began a turn, in ms of the monotonic clock; `ASLEEP` while it waits.
    heartbeat_ms: AtomicU64,
}

/// The heartbeat of a loop that waits for work.
const ASLEEP: u64 = u64::MAX;

impl LoopInbox {
    /// Sends the loop a message and wakes it.
    pub fn send(&self, message: LoopMessage) {
        self.messages.lock().expect("no holder panics").push(message);
        self.has_messages.store(true, Ordering::Release);
        self.wake();
    }

    /// Something has arrived in another inbox of the loop.
    pub fn notify(&self) {
        self.has_messages.store(true, Ordering::Release);
        self.wake();
    }

    /// Wakes the loop if it sleeps.
    pub fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake();
        }
    }

    /// The loop has started and can be woken.
    pub(super) fn set_waker(&self, waker: Waker) {
        let _ = self.waker.set(waker);
    }

    /// Whether there is something to take: one load.
    pub(super) fn has_messages(&self) -> bool {
        self.has_messages.load(Ordering::Acquire)
    }

    /// The messages sent since the last call.
    pub(super) fn take(&self) -> Vec<LoopMessage> {
        if !self.has_messages() {
            return Vec::new();
        }
        let mut messages = self.messages.lock().expect("no holder panics");
        self.has_messages.store(false, Ordering::Release);
        std::mem::take(&mut *messages)
    }

    /// The loop begins a turn.
    pub(super) fn begin_turn(&self, now_ms: u64) {
        self.heartbeat_ms.store(now_ms, Ordering::Relaxed);
    }

    /// The loop waits.
    pub(super) fn fall_asleep(&self) {
        self.heartbeat_ms.store(ASLEEP, Ordering::Relaxed);
    }

    /// How long the loop's current turn has taken so far, in ms.
    pub fn silent_ms(&self, now_ms: u64) -> u64 {
        match self.heartbeat_ms.load(Ordering::Relaxed) {
            0 | ASLEEP => 0,
            begun_ms => now_ms.saturating_sub(begun_ms),
        }
    }
}
