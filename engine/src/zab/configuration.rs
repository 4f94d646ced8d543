//! One configuration of an ensemble: its servers, which sets of them decide, and its version.
//!
//! The version is the zxid of the txn that made it; 0 for one that nobody has agreed on yet, as it
//! is written in servers' files; and (epoch, 0) once a leader has made that the first agreed one.

use super::quorum::Quorum;
use model::peer::membership::{Member, Membership, PeerAddress, Reading, Role};
use model::server::ServerId;
use std::fmt;
use std::sync::Arc;

/// A configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct Configuration {
    membership: Membership,
    quorum: Quorum,
    text: Arc<[u8]>,
}

impl Configuration {
    /// That of these servers.
    pub fn new(membership: Membership) -> Self {
        let text = membership.to_string().into_bytes().into();
        Self { quorum: Quorum::of(&membership), membership, text }
    }

    /// Reads the text in which servers exchange it. Several addresses of a server are taken: that
    /// they are allowed is for the server to say that proposes them. `None` if it is not the text
    /// of one, or nobody votes in it: a server that took that over would wait for ever.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let reading = Reading { is_multi: true, has_groups: true };
        Membership::parse(text, reading).ok().and_then(Self::agreed)
    }

    /// That of these servers, as others say it; `None` if nobody votes in it.
    pub fn agreed(membership: Membership) -> Option<Self> {
        membership.participants().next()?;
        Some(Self::new(membership))
    }

    /// These voters, at addresses that are made up: for tests and simulations.
    ///
    /// # Panics
    /// Never: the text is well-formed.
    pub fn of_voters(voters: impl IntoIterator<Item = ServerId>) -> Self {
        let line = |id: ServerId| format!("server.{0}=server{0}:2888:3888;2181\n", id.0);
        let text: String = voters.into_iter().map(line).collect();
        Self::parse(text.as_bytes()).expect("the text is well-formed")
    }

    /// The same servers under another version.
    #[must_use]
    pub fn with_version(&self, version: i64) -> Self {
        Self::new(self.membership.clone().with_version(version))
    }

    /// Its servers.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Who decides.
    pub fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    /// Which one it is.
    pub fn version(&self) -> i64 {
        self.membership.version()
    }

    /// As servers send it to each other.
    pub fn text(&self) -> &Arc<[u8]> {
        &self.text
    }

    /// Whether it names this server as an observer.
    pub fn is_observer(&self, id: ServerId) -> bool {
        self.member(id).is_some_and(|it| it.role == Role::Observer)
    }

    /// A server of it.
    pub fn member(&self, id: ServerId) -> Option<&Member> {
        self.membership.members().get(&id)
    }

    /// Whether a server votes in both and is reached at the same addresses by its learners: it can
    /// go on leading.
    pub fn keeps_leader(&self, id: ServerId, before: &Self) -> bool {
        let ports = |it: &Self| {
            let addresses = it.member(id)?.addresses();
            Some(addresses.iter().map(PeerAddress::quorum).collect::<Vec<_>>())
        };
        self.quorum.is_voter(id) && ports(self) == ports(before)
    }

    /// Whether they have the same servers, whatever their versions.
    pub fn has_same_servers(&self, other: &Self) -> bool {
        self.membership.members() == other.membership.members() && self.quorum == other.quorum
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers = self.membership.members().keys().map(|id| id.0);
        write!(f, "{:x}:{:?}", self.version(), servers.collect::<Vec<_>>())
    }
}
