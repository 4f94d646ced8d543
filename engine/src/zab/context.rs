//! What the parts of a role work with.

use super::configuration::Configuration;
use super::effect::{Effect, Effects};
use super::ensemble::{Ensemble, Pace};
use super::event::Attempt;
use super::history::History;
use super::masters::Masters;
use model::server::ServerId;
use model::zxid::{Epochs, Zxid};
use std::sync::Arc;

/// The server around a role, lent to it for one event.
pub struct Context<'a> {
    /// The configurations.
    pub ensemble: &'a mut Ensemble,
    /// How long to wait for others.
    pub pace: Pace,
    /// This server's history.
    pub history: &'a mut History,
    /// The epochs that are being stored.
    pub storing: &'a mut Option<Epochs>,
    /// Attempts to connect so far.
    pub attempts: &'a mut u64,
    /// Which observer master is next.
    pub masters: &'a mut Masters,
    /// Where effects go.
    pub effects: &'a mut Effects,
    /// The monotonic clock, in ms.
    pub now_ms: u64,
}

impl Context<'_> {
    /// Opens a link to the server that this one learns from: the leader, or an observer master.
    pub fn connect(&mut self, leader: ServerId) -> (Attempt, ServerId) {
        *self.attempts += 1;
        let attempt = Attempt(*self.attempts);
        let master = self.masters.next(self.ensemble, leader);
        self.effects.push(match master {
            Some(master) => Effect::ConnectToMaster(attempt, master),
            None => Effect::Connect(attempt, leader),
        });
        (attempt, master.unwrap_or(leader))
    }

    /// Stores epochs; one pair at a time.
    pub fn store(&mut self, epochs: Epochs) {
        assert!(self.storing.is_none(), "epochs are being stored already");
        *self.storing = Some(epochs);
        self.effects.push(Effect::StoreEpochs(epochs));
    }

    /// A configuration is proposed at this place of the history.
    pub fn propose(&mut self, zxid: Zxid, configuration: Configuration) {
        self.history.propose(zxid, Arc::new(configuration));
        self.ensemble.follow(self.history);
    }

    /// Where the history proposes another configuration, which is not in force.
    pub fn change_in_flight(&self) -> Option<Zxid> {
        self.ensemble.next.as_ref()?;
        self.history.proposed().map(|(at, _)| *at)
    }

    /// A configuration is in force; false if a later one is.
    pub fn activate(&mut self, configuration: Arc<Configuration>) -> bool {
        self.ensemble.activate(configuration, self.history)
    }

    /// Shows clients what is committed and durable here.
    pub fn show(&mut self) {
        if let Some(zxid) = self.history.show() {
            self.effects.push(Effect::Committed(zxid));
        }
    }
}
