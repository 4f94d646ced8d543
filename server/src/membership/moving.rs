//! The ports of this server, moved while it runs when its line in the configuration says so.
//!
//! A new port is listened on before the old one is left, unless both have the same number; where
//! that fails the old one stays, and the log says why. Connections that are there stay.

use crate::config::decided::{Endpoint, Families};
use crate::core_loop::peers::plan::{EnsembleSettings, Listening, listening};
use crate::core_loop::{LoopInbox, LoopMessage, PeerPort};
use engine::zab::Configuration;
use model::server::ServerId;
use net::listener::{ListenOptions, Listener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tracing::{error, info};

/// How long a port that was just left may stay in use.
const BIND_RETRY: Duration = Duration::from_secs(2);

/// Where this server listens.
pub struct Ports {
    /// What the ensemble's ports follow from.
    pub settings: EnsembleSettings,
    /// What names are looked up as.
    pub families: Families,
    /// Where it listens for other servers.
    pub for_peers: Listening,
    /// Where it listens for clients, and how.
    pub for_clients: (Endpoint, ListenOptions),
    /// The loop that accepts clients.
    pub clients_loop: Arc<LoopInbox>,
    /// The loop that accepts other servers.
    pub peers_loop: Arc<LoopInbox>,
}

impl Ports {
    /// Listens where this configuration says.
    pub(super) fn follow(&mut self, current: &Configuration, me: ServerId) {
        // A server that is not in it stays where it is.
        let Some(own) = current.member(me) else { return };
        let wanted = listening(&self.settings, own);
        let (old, [elections, learners]) = (&self.for_peers, wanted.options);
        let moves = [
            (PeerPort::Election, &old.election, &wanted.election, elections),
            (PeerPort::Quorum, &old.quorum, &wanted.quorum, learners),
        ];
        for (port, old, wanted, options) in moves {
            if old == wanted {
                continue;
            }
            let bound = self.bind(wanted, options, || {
                self.peers_loop.send(LoopMessage::LeavePeers(port));
            });
            if let Some(listeners) = bound.or_else(|| self.bind(old, options, || ())) {
                self.peers_loop.send(LoopMessage::ListenForPeers(port, listeners));
            }
        }
        self.for_peers = wanted;
        if let Some(client) = own.client.clone().map(Endpoint::from) {
            self.move_clients(client);
        }
    }

    fn move_clients(&mut self, wanted: Endpoint) {
        let (old, options) = self.for_clients.clone();
        if old == wanted {
            return;
        }
        let bound = self.bind(std::slice::from_ref(&wanted), options, || {
            self.clients_loop.send(LoopMessage::LeaveClients);
        });
        let bound = match bound {
            Some(bound) => {
                self.for_clients.0 = wanted;
                Some(bound)
            }
            None => self.bind(std::slice::from_ref(&old), options, || ()),
        };
        if let Some(listeners) = bound {
            self.clients_loop.send(LoopMessage::ListenForClients(listeners));
        }
    }

    /// Listens at all of these; `None`, and a line in the log, if that is not possible. Ports in
    /// use may be this server's own, at other addresses: they are left first.
    fn bind(
        &self,
        endpoints: &[Endpoint],
        options: ListenOptions,
        leave: impl Fn(),
    ) -> Option<Vec<Listener>> {
        let mut listeners = Vec::new();
        for endpoint in endpoints {
            let resolved = match endpoint.resolve(self.families) {
                Ok(resolved) => resolved,
                Err(why) => {
                    error!("{endpoint} is not known, so the port does not move there: {why}");
                    return None;
                }
            };
            let give_up = Instant::now() + BIND_RETRY;
            let mut has_left = false;
            listeners.push(loop {
                match Listener::bind(resolved, options) {
                    Ok(listener) => break listener,
                    Err(_) if Instant::now() < give_up => {
                        if !has_left {
                            leave();
                            has_left = true;
                        }
                        thread::sleep(Duration::from_millis(20));
                    }
                    Err(why) => {
                        error!("{why}; the configuration has this server there");
                        return None;
                    }
                }
            });
            info!("listening at {endpoint}, as the ensemble's configuration says");
        }
        Some(listeners)
    }
}
