//! What is counted of each learner's link, for the admin server's command `observers`.
//!
//! Source: ZooKeeper 3.9.5, `LearnerHandler`: what is sent counts from what synchronizes the
//! learner on, but for LEADERINFO and snapshots; what is received counts once the learner has
//! accepted the history.
//!
//! Lives in: [`Learners`](super::Learners), beside the links, since a link may be lent.

use super::{Kept, Learners};
use engine::zab::{LinkId, Message};
use model::peer::packet::FromLearner;
use model::zxid::Zxid;
use std::net::SocketAddr;

/// A learner's link, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The other end.
    pub from: SocketAddr,
    /// When it was connected, in ms of the monotonic clock.
    pub since_ms: u64,
    /// Packets that wait to be sent, and their bytes.
    pub waiting: (u64, usize),
    /// Packets that have come since the learner has accepted the history.
    pub received: u64,
    /// Packets that were sent.
    pub sent: u64,
    /// Of those that have come, requests of clients.
    pub requests: u64,
    /// The last txn that a packet has named.
    pub last: Option<Zxid>,
    has_accepted: bool,
}

impl Traffic {
    pub(super) fn new(from: SocketAddr, since_ms: u64) -> Self {
        Self {
            from,
            since_ms,
            waiting: (0, 0),
            received: 0,
            sent: 0,
            requests: 0,
            last: None,
            has_accepted: false,
        }
    }

    /// A packet has come.
    pub(super) fn heard(&mut self, packet: &FromLearner<'_>) {
        if self.has_accepted {
            self.received += 1;
            self.requests += u64::from(matches!(packet, FromLearner::Request { .. }));
        }
        self.has_accepted |= matches!(packet, FromLearner::Ack { .. });
    }

    /// So many packets are to be sent; `proposed` is the last proposal, which pings name.
    pub(super) fn told(&mut self, message: &Message, packets: u64, proposed: Zxid) {
        if matches!(message, Message::LeaderInfo(_) | Message::Snap(_)) {
            return;
        }
        self.sent += packets;
        let named = match message {
            Message::Diff(zxid) | Message::Trunc(zxid) | Message::CommitAndActivate(zxid, _) => {
                Some(*zxid)
            }
            Message::Proposals(part)
            | Message::Commits(part)
            | Message::Informs(part)
            | Message::InformAndActivate(part, _) => part.records().last().map(|(zxid, _)| zxid),
            Message::NewLeader(epoch, _) => Some(Zxid::of_epoch(*epoch)),
            Message::Ping(_) => Some(proposed),
            _ => None,
        };
        self.last = named.filter(|zxid| zxid.0 > 0).or(self.last);
    }
}

impl Learners {
    /// The links of learners.
    pub(in super::super) fn traffic(&self) -> impl Iterator<Item = (LinkId, Traffic)> {
        let there = self.traffic.iter().filter(|(id, _)| self.links.contains_key(id));
        there.map(|(&id, traffic)| {
            let kept = self.place_of(id).and_then(|place| self.sockets.find(place));
            let waiting = match kept {
                Some(Kept::Link(link)) => (link.outbox.packet_count(), link.outbox.byte_count()),
                _ => (0, 0),
            };
            let sent = traffic.sent.saturating_sub(waiting.0);
            (id, Traffic { waiting, sent, ..traffic.clone() })
        })
    }

    /// Forgets the numbers, and not since when.
    pub(in super::super) fn forget_traffic(&mut self) {
        for traffic in self.traffic.values_mut() {
            let has_accepted = traffic.has_accepted;
            *traffic = Traffic { has_accepted, ..Traffic::new(traffic.from, traffic.since_ms) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::zab::Configuration;
    use model::server::ServerId;
    use model::zxid::Epoch;
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    #[test]
    fn a_learner_is_counted_as_zookeeper_counts_it() {
        let mut traffic = Traffic::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), 5);
        let start = Zxid::of_epoch(Epoch(2));
        let ack = FromLearner::Ack { zxid: start };
        let of_one = Arc::new(Configuration::of_voters([ServerId(1)]));
        for (message, sent, last) in [
            (Message::LeaderInfo(Epoch(2)), 0, None),
            (Message::Snap(start), 0, None),
            (Message::Diff(Zxid(0)), 1, None),
            (Message::Diff(Zxid(7)), 2, Some(Zxid(7))),
            (Message::NewLeader(Epoch(2), of_one), 3, Some(start)),
            (Message::UpToDate, 4, Some(start)),
            (Message::Ping(Zxid(1)), 5, Some(start.next())),
        ] {
            traffic.told(&message, 1, start.next());
            assert_eq!((traffic.sent, traffic.last), (sent, last), "{message:?}");
        }
        // The first acknowledgement ends the synchronization.
        traffic.heard(&ack);
        assert_eq!(traffic.received, 0);
        traffic.heard(&ack);
        assert_eq!((traffic.received, traffic.requests), (1, 0));
    }
}
