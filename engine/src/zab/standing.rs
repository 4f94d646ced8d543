//! What a leader decides a change of the configuration with.

use super::configuration::Configuration;
use model::server::ServerId;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The configurations that count, and who follows the leader.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The leader.
    pub me: ServerId,
    /// In force.
    pub current: Arc<Configuration>,
    /// Proposed.
    pub next: Option<Arc<Configuration>>,
    /// Followers that have accepted the leader's history; no observers.
    pub synced: BTreeSet<ServerId>,
}

impl Standing {
    /// Whether a quorum of a configuration follows already.
    pub fn is_synced(&self, configuration: &Configuration) -> bool {
        configuration.quorum().is_quorum(|id| id == self.me || self.synced.contains(&id))
    }
}
