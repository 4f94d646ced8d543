//! Ports that the server cannot listen on when it starts: another process holds them, or one of
//! its addresses is not there.
//!
//! Only a leader needs its quorum port, and one of several addresses is enough for elections: so
//! the server starts without, and listens once that is possible.
//!
//! Source: ZooKeeper 3.9.5, whose leader binds the port when it begins to lead. Lives in:
//! [`Peers`](super::Peers).

use super::limits::BIND_RETRY_MS;
use crate::core_loop::PeerPort;
use net::listener::{Endpoint, ListenOptions, Listener};
use tracing::info;

/// Ports that are yet to be listened on.
#[derive(Debug, Default)]
pub(super) struct Late {
    ports: Vec<(PeerPort, Endpoint, ListenOptions)>,
    /// When they are tried again, in ms of the monotonic clock.
    retry_at_ms: u64,
}

impl Late {
    /// Listens there once that is possible.
    pub(super) fn add(&mut self, port: PeerPort, endpoint: Endpoint, options: ListenOptions) {
        self.ports.push((port, endpoint, options));
    }

    /// None of this kind is listened on any more.
    pub(super) fn stop(&mut self, port: PeerPort) {
        self.ports.retain(|(other, ..)| *other != port);
    }

    /// Those that can be listened on now, if it is time to try.
    pub(super) fn bound(&mut self, now_ms: u64) -> Vec<(PeerPort, Listener)> {
        let mut bound = Vec::new();
        if self.ports.is_empty() || now_ms < self.retry_at_ms {
            return bound;
        }
        self.retry_at_ms = now_ms + BIND_RETRY_MS;
        self.ports.retain(|&(port, endpoint, options)| match Listener::bind(endpoint, options) {
            Ok(listener) => {
                let means = match port {
                    PeerPort::Election => "other servers can connect to it",
                    PeerPort::Quorum => "this server can lead",
                };
                info!("{endpoint} is free: {means}");
                bound.push((port, listener));
                false
            }
            Err(_) => true,
        });
        bound
    }

    /// When [`Self::bound`] has something to do, in ms of the monotonic clock.
    pub(super) fn deadline_ms(&self) -> u64 {
        if self.ports.is_empty() { u64::MAX } else { self.retry_at_ms }
    }
}
