//! Quorum ports that another process holds when the server starts.
//!
//! Only a leader needs its quorum port, so the server starts without, follows, and listens once the
//! port is free.
//!
//! Source: ZooKeeper 3.9.5, whose leader binds the port when it begins to lead. Lives in:
//! [`Peers`](super::Peers).

use super::limits::BIND_RETRY_MS;
use net::listener::{Endpoint, ListenOptions, Listener};
use tracing::info;

/// Ports that are yet to be listened on.
#[derive(Debug, Default)]
pub(super) struct Late {
    ports: Vec<(Endpoint, ListenOptions)>,
    /// When they are tried again, in ms of the monotonic clock.
    retry_at_ms: u64,
}

impl Late {
    /// Listens there once that is possible.
    pub(super) fn add(&mut self, endpoint: Endpoint, options: ListenOptions) {
        self.ports.push((endpoint, options));
    }

    /// None is listened on any more.
    pub(super) fn stop(&mut self) {
        self.ports.clear();
    }

    /// Those that can be listened on now, if it is time to try.
    pub(super) fn bound(&mut self, now_ms: u64) -> Vec<Listener> {
        let mut bound = Vec::new();
        if self.ports.is_empty() || now_ms < self.retry_at_ms {
            return bound;
        }
        self.retry_at_ms = now_ms + BIND_RETRY_MS;
        self.ports.retain(|&(endpoint, options)| match Listener::bind(endpoint, options) {
            Ok(listener) => {
                info!("{endpoint} is free: this server can lead");
                bound.push(listener);
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
