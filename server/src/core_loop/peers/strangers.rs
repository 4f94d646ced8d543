//! Connections that have not said who they are: at most [`STRANGERS_MAX`] of them, for a while.
//!
//! Lives in: the sockets of election links and of learner links, each for itself.

use super::complaints::{Complaint, Complaints};
use super::inbox::Inbox;
use super::limits::STRANGERS_MAX;
use crate::core_loop::sockets::{Place, Sockets};
use net::listener::peer_address;
use ring::Queue;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// A connection that was accepted, and whose first message is not whole.
#[derive(Debug)]
pub(super) struct Stranger {
    pub(super) from: SocketAddr,
    pub(super) inbox: Inbox,
    /// When it is closed, in ms of the monotonic clock.
    pub(super) until_ms: u64,
}

/// What is kept with a socket that may be a stranger's.
pub(super) trait MaybeStranger: Sized {
    /// The stranger, if it is one.
    fn stranger(&self) -> Option<&Stranger>;
    /// When it is closed unless it has become something else, in ms of the monotonic clock.
    fn until_ms(&self) -> Option<u64>;
}

/// A connection was accepted: it is a stranger until `until_ms`. If there are too many, the one
/// that has been a stranger for the longest is closed.
pub(super) fn admit<T: MaybeStranger>(
    sockets: &mut Sockets<T>,
    queue: &mut Queue<'_>,
    (fd, kept): (OwnedFd, impl FnOnce(Stranger) -> T),
    (now_ms, until_ms): (u64, u64),
    complaints: &mut Complaints,
) {
    let Ok(from) = peer_address(&fd) else { return queue.close_after(fd, None) };
    let strangers = sockets.iter().filter_map(|(place, kept, _)| {
        kept.stranger().map(|stranger| (stranger.until_ms, place, stranger.from))
    });
    let strangers: Vec<_> = strangers.collect();
    if strangers.len() >= STRANGERS_MAX
        && let Some((_, place, from)) = strangers.into_iter().min()
    {
        complaints.make(now_ms, &from, Complaint::Crowded);
        sockets.close(queue, place);
    }
    sockets.open(queue, fd, kept(Stranger { from, inbox: Inbox::default(), until_ms }));
}

/// The sockets whose time has run out.
pub(super) fn late<T: MaybeStranger>(sockets: &Sockets<T>, now_ms: u64) -> Vec<Place> {
    let is_late = |kept: &T| kept.until_ms().is_some_and(|until_ms| until_ms <= now_ms);
    sockets.iter().filter(|(_, kept, _)| is_late(kept)).map(|(place, ..)| place).collect()
}

/// When the first of them is late, in ms of the monotonic clock.
pub(super) fn deadline_ms<T: MaybeStranger>(sockets: &Sockets<T>) -> Option<u64> {
    sockets.iter().filter_map(|(_, kept, _)| kept.until_ms()).min()
}

/// Until when strangers may be silent, in ms of the monotonic clock.
#[cfg(test)]
pub(super) fn limits<T: MaybeStranger>(sockets: &Sockets<T>) -> Vec<u64> {
    let strangers = sockets.iter().filter_map(|(_, kept, _)| kept.stranger());
    strangers.map(|stranger| stranger.until_ms).collect()
}
