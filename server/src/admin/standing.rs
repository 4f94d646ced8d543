//! What a server reports of its place in its ensemble.

use super::inquiry::LastMaxMin;
use crate::core_loop::peers::Traffic;
use engine::zab::Progress;
use model::server::ServerId;

/// What a server knows of its ensemble.
#[derive(Clone, Debug)]
pub struct EnsembleReport {
    /// How far it has come with a leader.
    pub progress: Progress,
    /// The leader, once there is one.
    pub leader: Option<ServerId>,
    /// Servers that vote.
    pub quorum_size: u64,
    /// Requests that were to be ordered here, those of learners too.
    pub requests: u64,
    /// Txns that the log was given.
    pub logged: u64,
    /// For an observer: the server that it learns from, once it has chosen one.
    pub master: Option<Option<ServerId>>,
    /// Observers that get everything committed from here; `None` where no observer can.
    pub observers: Option<Vec<ObserverReport>>,
    /// While it leads.
    pub leading: Option<LeadingReport>,
}

/// An observer that learns from this server.
#[derive(Clone, Debug)]
pub struct ObserverReport {
    /// Which one.
    pub id: ServerId,
    /// When it connected, in ms since 1970.
    pub since_wall_ms: i64,
    /// What is counted of it.
    pub traffic: Traffic,
}

/// What a leader knows.
#[derive(Clone, Debug, Default)]
pub struct LeadingReport {
    /// How long it has led, in ms.
    pub uptime_ms: u64,
    /// Servers that have connected to it.
    pub learners: u64,
    /// Of them, followers that get every proposal.
    pub synced_followers: u64,
    /// Of those, followers without a vote.
    pub synced_without_vote: u64,
    /// Observers that get everything committed.
    pub synced_observers: u64,
    /// Syncs of learners that are not answered yet.
    pub pending_syncs: u64,
    /// Bytes of the proposals; `None` before the first.
    pub proposal_bytes: Option<LastMaxMin>,
}
