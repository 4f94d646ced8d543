//! One server, as election links see it.

use super::super::limits::{CALLED_BACK_MS, RETRY_MS_MAX, RETRY_MS_MIN};
use super::super::roster::may_be_same;
use super::super::tries::Try;
use crate::core_loop::sockets::Place;
use model::peer::address::Address;
use std::vec::IntoIter;

/// How far the link to a server has come.
#[derive(Debug)]
pub(super) enum State {
    /// There is none.
    Apart,
    /// The addresses to connect to are looked up.
    Resolving,
    /// A connection is being opened, or this server introduces itself on it.
    Connecting {
        /// The connection.
        place: Place,
        /// Where to try next.
        rest: IntoIter<Try>,
    },
    /// There is one.
    Linked(Place),
}

/// A server that there is a link to, or could be.
///
/// Invariant: `newest` is never older than `last`, which it replaces when it is sent (guard:
/// `Peer::next_message`).
#[derive(Debug)]
pub(super) struct Peer {
    /// Where the configuration says it is; `None` outside of the configuration.
    configured: Option<Vec<Address>>,
    /// Where its last hello said it is.
    said: Vec<Address>,
    pub(super) state: State,
    /// A link is to be opened.
    is_wanted: bool,
    /// The frame to be sent next; a newer one replaces it.
    newest: Option<Vec<u8>>,
    /// The frame that was sent last.
    last: Option<Vec<u8>>,
    /// Whether that is sent again, as the link is a new one: the server may have missed it.
    is_repeating: bool,
    /// How long a failed attempt keeps the next one waiting, in ms.
    retry_ms: u64,
    /// When that is, in ms of the monotonic clock.
    retry_at_ms: u64,
    /// Whether it was logged that it cannot be reached.
    pub(super) is_reported: bool,
}

impl Peer {
    /// A server of the configuration, or one outside of it.
    pub(super) fn new(configured: Option<Vec<Address>>) -> Self {
        Self {
            configured,
            said: Vec::new(),
            state: State::Apart,
            is_wanted: false,
            newest: None,
            last: None,
            is_repeating: false,
            retry_ms: RETRY_MS_MIN,
            retry_at_ms: 0,
            is_reported: false,
        }
    }

    /// Where the configuration has it now, if it does.
    pub(super) fn configure(&mut self, configured: Option<Vec<Address>>) {
        if self.configured != configured {
            // Where it said it was may be where it has left.
            self.said.clear();
            self.configured = configured;
        }
    }

    /// Whether the configuration has it.
    pub(super) fn is_member(&self) -> bool {
        self.configured.is_some()
    }

    /// Whether it may be where it says it is.
    pub(super) fn may_be_at(&self, said: &[Address]) -> bool {
        let configured = self.configured.as_deref().unwrap_or_default();
        said.iter().any(|said| configured.iter().any(|it| may_be_same(it, said)))
    }

    /// Where it may be reached: first where it says itself, as stock does, then as configured.
    pub(super) fn addresses(&self) -> Vec<Address> {
        self.said.iter().chain(self.configured.iter().flatten()).cloned().collect()
    }

    /// Whether the configuration has it at several addresses.
    pub(super) fn has_several(&self) -> bool {
        self.configured.as_ref().is_some_and(|it| it.len() > 1)
    }

    /// The link.
    pub(super) fn link(&self) -> Option<Place> {
        match self.state {
            State::Linked(place) => Some(place),
            State::Apart | State::Resolving | State::Connecting { .. } => None,
        }
    }

    /// The connection that is being opened.
    pub(super) fn connecting(&self) -> Option<Place> {
        match self.state {
            State::Connecting { place, .. } => Some(place),
            State::Apart | State::Resolving | State::Linked(_) => None,
        }
    }

    /// Is to be sent this frame, over a link that is opened if there is none.
    pub(super) fn queue(&mut self, frame: Vec<u8>) {
        self.newest = Some(frame);
        self.is_wanted = self.link().is_none();
    }

    /// It has introduced itself, and waits to be connected to.
    pub(super) fn called(&mut self, said: Vec<Address>, now_ms: u64) {
        self.said = said;
        self.is_wanted = true;
        self.retry_at_ms = now_ms;
    }

    /// When the next attempt is due, in ms of the monotonic clock; `None` if there is to be none.
    pub(super) fn due_ms(&self) -> Option<u64> {
        let is_idle = matches!(self.state, State::Apart) && self.is_wanted;
        let is_somewhere =
            !self.said.is_empty() || self.configured.as_ref().is_some_and(|it| !it.is_empty());
        (is_idle && is_somewhere).then_some(self.retry_at_ms)
    }

    /// There is a link.
    pub(super) fn linked(&mut self, place: Place) {
        self.state = State::Linked(place);
        self.is_wanted = false;
        self.is_repeating = true;
        self.retry_ms = RETRY_MS_MIN;
        self.retry_at_ms = 0;
        self.is_reported = false;
    }

    /// There is none any more. Another is opened if there is something to send.
    pub(super) fn parted(&mut self) {
        self.state = State::Apart;
        self.is_wanted = self.newest.is_some();
    }

    /// An attempt is over, and has brought no link.
    pub(super) fn attempt_ended(&mut self, now_ms: u64) {
        self.parted();
        self.retry_at_ms = now_ms + self.retry_ms;
        self.retry_ms = (2 * self.retry_ms).min(RETRY_MS_MAX);
    }

    /// This server has introduced itself, and is to be connected to.
    pub(super) fn announced(&mut self, now_ms: u64) {
        self.attempt_ended(now_ms);
        self.retry_at_ms = self.retry_at_ms.max(now_ms + CALLED_BACK_MS);
    }

    /// Takes the frame to be sent next.
    pub(super) fn next_message(&mut self) -> Option<Vec<u8>> {
        let is_repeating = std::mem::take(&mut self.is_repeating);
        if let Some(newest) = self.newest.take() {
            self.last = Some(newest.clone());
            return Some(newest);
        }
        self.last.clone().filter(|_| is_repeating)
    }
}
