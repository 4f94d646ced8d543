//! The ports of this server, moved while it runs when its line in the configuration says so.
//!
//! A new port is listened on before the old one is left, unless both have the same number; where
//! that fails the old one stays, and the log says why. Connections that are there stay.

use crate::config::decided::{Endpoint, Families};
use crate::core_loop::peers::plan::{EnsembleSettings, Listening, listening};
use crate::core_loop::{LoopInbox, LoopMessage, PeerPort};
use engine::zab::Configuration;
use model::server::ServerId;
use net::listener::{BindError, ListenOptions, Listener};
use std::net::SocketAddr;
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
    pub for_clients: (Vec<Endpoint>, ListenOptions),
    /// The loop that accepts clients.
    pub clients_loop: Arc<LoopInbox>,
    /// The loop that accepts other servers.
    pub peers_loop: Arc<LoopInbox>,
}

impl Ports {
    /// Listens where this configuration says. Returns where clients connect, if that has moved.
    pub(super) fn follow(&mut self, current: &Configuration, me: ServerId) -> Option<SocketAddr> {
        // A server that is not in it stays where it is.
        let own = current.member(me)?;
        let wanted = listening(&self.settings, own);
        let [elections, learners] = wanted.options;
        let peers = self.peers_loop.clone();
        let move_to = |port, old: &mut Vec<Endpoint>, wanted: Vec<Endpoint>, options| {
            let leave = || peers.send(LoopMessage::ListenForPeers(port, Vec::new()));
            if let Some(listeners) = moved(old, wanted, options, self.families, leave) {
                peers.send(LoopMessage::ListenForPeers(port, listeners));
            }
        };
        move_to(PeerPort::Election, &mut self.for_peers.election, wanted.election, elections);
        move_to(PeerPort::Quorum, &mut self.for_peers.quorum, wanted.quorum, learners);
        let observers = wanted.observers;
        if observers != self.for_peers.observers {
            let resolved = observers.iter().map(|it| it.resolve(self.families));
            match resolved.collect() {
                Ok(known) => {
                    peers.send(LoopMessage::ObserversAt(known, learners));
                    self.for_peers.observers = observers;
                }
                Err(why) => error!("the port for observers does not move: {why}"),
            }
        }
        let client = own.client.clone().map(Endpoint::from)?;
        let (old, options) = &mut self.for_clients;
        let leave = || self.clients_loop.send(LoopMessage::LeaveClients);
        let listeners = moved(old, vec![client], *options, self.families, leave)?;
        let address = listeners.first().map(|it| it.address);
        self.clients_loop.send(LoopMessage::ListenForClients(listeners));
        address
    }
}

/// Listens at `wanted` in place of `old`, which says then where that is. `None` if the old ones
/// stay: nothing has changed, or it is not possible, which the log says. Where a port keeps its
/// number the old one has to be left first; if the new one cannot be had, it is taken again.
fn moved(
    old: &mut Vec<Endpoint>,
    wanted: Vec<Endpoint>,
    options: ListenOptions,
    families: Families,
    leave: impl Fn(),
) -> Option<Vec<Listener>> {
    if *old == wanted {
        return None;
    }
    let mut resolved = Vec::new();
    for endpoint in &wanted {
        match endpoint.resolve(families) {
            Ok(known) => resolved.push(known),
            Err(why) => {
                error!("{endpoint} is not known, so the port does not move there: {why}");
                return None;
            }
        }
    }
    let keeps_number = wanted.iter().any(|it| old.iter().any(|old| old.port == it.port));
    if keeps_number {
        leave();
    }
    match bind(&resolved, options, keeps_number) {
        Ok(listeners) => {
            let places: Vec<_> = wanted.iter().map(ToString::to_string).collect();
            info!("listening at {}, as the ensemble's configuration says", places.join(", "));
            *old = wanted;
            Some(listeners)
        }
        Err(why) => {
            error!("{why}; the configuration has this server there");
            let before = old.iter().map(|it| it.resolve(families).ok());
            let before: Option<Vec<_>> = before.collect();
            before.filter(|_| keeps_number).and_then(|it| bind(&it, options, true).ok())
        }
    }
}

/// Listens at all of these; for a moment a port may still be that of this server itself.
fn bind(
    endpoints: &[net::listener::Endpoint],
    options: ListenOptions,
    was_left: bool,
) -> Result<Vec<Listener>, BindError> {
    let give_up = Instant::now() + if was_left { BIND_RETRY } else { Duration::ZERO };
    let mut listeners = Vec::new();
    for &endpoint in endpoints {
        listeners.push(loop {
            match Listener::bind(endpoint, options) {
                Err(BindError::InUse { .. }) if Instant::now() < give_up => {
                    thread::sleep(Duration::from_millis(20));
                }
                bound => break bound?,
            }
        });
    }
    Ok(listeners)
}
