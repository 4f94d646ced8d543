//! What other threads tell a core loop, rarely: everything that is not on the way of a request.

use super::clients::Dealt;
use disk::DiskError;
use model::zxid::Zxid;
use ring::Waker;
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use txlog::SegmentHeader;

/// Something told.
#[derive(Debug)]
pub enum LoopMessage {
    /// A client that another loop accepted for this loop's shard.
    Dealt(Dealt),
    /// The background has prepared a segment, or could not.
    Prepared(Result<(SegmentHeader, File), DiskError>),
    /// The background has written a snapshot of this zxid, or could not.
    Snapshot(Result<Zxid, String>),
    /// Answer what is under way and end.
    Stop,
}

/// The mailbox of a core loop, shared by whoever may write to it.
#[derive(Debug, Default)]
pub struct LoopInbox {
    messages: Mutex<Vec<LoopMessage>>,
    has_messages: AtomicBool,
    waker: OnceLock<Waker>,
    /// When the loop last began a turn, in ms of the monotonic clock; `ASLEEP` while it waits.
    heartbeat_ms: AtomicU64,
}

/// The heartbeat of a loop that waits for something to do.
const ASLEEP: u64 = u64::MAX;

impl LoopInbox {
    /// Tells the loop something and wakes it.
    pub fn tell(&self, message: LoopMessage) {
        self.messages.lock().expect("no holder panics").push(message);
        self.has_messages.store(true, Ordering::Release);
        self.wake();
    }

    /// Something waits for the loop in an inbox of its own.
    pub fn bell(&self) {
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

    /// What was told since.
    pub(super) fn take(&self) -> Vec<LoopMessage> {
        if !self.has_messages() {
            return Vec::new();
        }
        let mut messages = self.messages.lock().expect("no holder panics");
        self.has_messages.store(false, Ordering::Release);
        std::mem::take(&mut *messages)
    }

    /// The loop begins a turn.
    pub(super) fn beat(&self, now_ms: u64) {
        self.heartbeat_ms.store(now_ms, Ordering::Relaxed);
    }

    /// The loop waits.
    pub(super) fn rest(&self) {
        self.heartbeat_ms.store(ASLEEP, Ordering::Relaxed);
    }

    /// For how long the loop's turn has been going on, in ms.
    pub fn silent_ms(&self, now_ms: u64) -> u64 {
        match self.heartbeat_ms.load(Ordering::Relaxed) {
            0 | ASLEEP => 0,
            beat_ms => now_ms.saturating_sub(beat_ms),
        }
    }
}
