//! One learner link.

use super::super::inbox::Inbox;
use super::super::outbox::Outbox;
use engine::zab::LinkId;
use model::peer::packet::{Measure, PacketLimits};
use std::net::SocketAddr;

/// Which end of a link this server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// It has connected, and follows or observes.
    Learner,
    /// It was connected to.
    Leader,
}

/// A learner link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: LinkId,
    pub(super) side: Side,
    pub(super) from: SocketAddr,
    pub(super) inbox: Inbox,
    /// Of the packet at the front of the inbox.
    pub(super) measure: Measure,
    pub(super) outbox: Outbox,
    /// Agreement does not take its packets now.
    pub(super) is_held: bool,
    /// It is to be lent once nothing is unsent.
    pub(super) is_wanted_elsewhere: bool,
}

impl Link {
    /// A link on which `inbox` has come so far.
    pub(super) fn new(
        id: LinkId,
        side: Side,
        from: SocketAddr,
        inbox: Inbox,
        limits: PacketLimits,
    ) -> Self {
        Self {
            id,
            side,
            from,
            inbox,
            measure: Measure::new(limits),
            outbox: Outbox::default(),
            is_held: false,
            is_wanted_elsewhere: false,
        }
    }
}
