//! Whether what other servers say agrees with this server's own configuration.
//!
//! Nothing follows from a difference but a line in the log: stock's servers take no notice of it,
//! and servers of one ensemble may differ for a while, when each is started with new lines in turn.
//! Where the configuration may change while servers run, a newer one is passed on to agreement.
//!
//! Lives in: `Elections`.

use super::limits::ROSTER_BYTES_MAX;
use engine::zab::Configuration;
use model::host::Host;
use model::peer::address::Address;
use model::peer::membership::{Member, Membership, PeerAddress, Reading};
use model::server::ServerId;
use std::sync::Arc;

/// The servers of this server's configuration.
#[derive(Debug)]
pub(super) struct Roster {
    membership: Membership,
    can_change: bool,
}

/// What another server's configuration is to this one's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// It has the same servers, or it is another version of them, or no configuration at all.
    Same,
    /// It has this server differently, or one of the two does not have it.
    Other(ServerId),
    /// It is newer, and may be in force here, too.
    Newer(Arc<Configuration>),
}

impl Roster {
    /// Those of this configuration.
    pub(super) fn new(membership: Membership, can_change: bool) -> Self {
        Self { membership, can_change }
    }

    /// This configuration is in force.
    pub(super) fn follow(&mut self, current: &Configuration) {
        self.membership = current.membership().clone();
    }

    /// Compares another configuration, as its server sends it.
    pub(super) fn compare(&self, text: &[u8]) -> Compared {
        if text.len() > ROSTER_BYTES_MAX {
            return Compared::Same;
        }
        let reading = Reading { is_multi: true, has_groups: true };
        let Ok(theirs) = Membership::parse(text, reading) else { return Compared::Same };
        if self.can_change && theirs.version() != self.membership.version() {
            let is_newer = theirs.version() > self.membership.version();
            let newer = is_newer.then(|| Configuration::agreed(theirs)).flatten();
            return newer.map_or(Compared::Same, |it| Compared::Newer(Arc::new(it)));
        }
        self.difference(&theirs).map_or(Compared::Same, Compared::Other)
    }

    /// The first server that they have differently.
    fn difference(&self, theirs: &Membership) -> Option<ServerId> {
        let (ours, theirs) = (self.membership.members(), theirs.members());
        if ours.is_empty() || theirs.is_empty() {
            return None;
        }
        let is_same = |id: &ServerId| match (ours.get(id), theirs.get(id)) {
            (Some(one), Some(other)) => is_same_member(one, other),
            _ => false,
        };
        ours.keys().chain(theirs.keys()).find(|id| !is_same(id)).copied()
    }
}

fn is_same_member(one: &Member, other: &Member) -> bool {
    let (ours, theirs) = (one.addresses(), other.addresses());
    let is_same = |(one, other): (&PeerAddress, &PeerAddress)| {
        let ends = |it: &PeerAddress| [it.quorum(), it.election()];
        ends(one).iter().zip(&ends(other)).all(|(one, other)| may_be_same(one, other))
    };
    one.role == other.role && ours.len() == theirs.len() && ours.iter().zip(theirs).all(is_same)
}

/// Whether two addresses may be of one server. Names and numbers may mean the same machine, and a
/// server may have every address of its own machine in its own line.
pub(super) fn may_be_same(one: &Address, other: &Address) -> bool {
    let are_different = match (&one.host, &other.host) {
        (Host::Ipv4(one), Host::Ipv4(other)) => one != other,
        (Host::Ipv6(one, _), Host::Ipv6(other, _)) => {
            one != other && !one.is_unspecified() && !other.is_unspecified()
        }
        _ => false,
    };
    one.port == other.port && !are_different
}
