//! The port at which this server serves observers, while it follows and agreement asks for that
//! (`observerMasterPort`).
//!
//! What is accepted here is a learner link like others, of a learner that has to observe. A port
//! that another process holds is tried again: a follower serves its clients without it.
//!
//! Source: ZooKeeper 3.9.5, `ObserverMaster.start`, whose follower looks for a leader again where
//! it cannot listen. Lives in: [`Peers`](super::Peers).

use super::limits::BIND_RETRY_MS;
use crate::core_loop::sockets::{Event, Owner, Sockets};
use net::listener::{Endpoint, ListenOptions, Listener};
use ring::{Completion, Errno, Queue};
use std::os::fd::OwnedFd;
use tracing::{info, warn};

/// The port for observers.
pub(super) struct ObserversPort {
    /// At each address of this server.
    endpoints: Vec<Endpoint>,
    options: ListenOptions,
    sockets: Sockets<()>,
    is_open: bool,
    /// Places that are yet to be listened at, and when they are tried again, in ms of the
    /// monotonic clock.
    missing: Vec<Endpoint>,
    retry_at_ms: u64,
    has_warned: bool,
}

impl ObserversPort {
    /// It will be there.
    pub(super) fn at(endpoints: Vec<Endpoint>, options: ListenOptions) -> Self {
        Self {
            endpoints,
            options,
            sockets: Sockets::new(Owner::Observers),
            is_open: false,
            missing: Vec::new(),
            retry_at_ms: 0,
            has_warned: false,
        }
    }

    /// It is there from now on.
    pub(super) fn place(
        &mut self,
        queue: &mut Queue<'_>,
        endpoints: Vec<Endpoint>,
        options: ListenOptions,
    ) {
        (self.endpoints, self.options) = (endpoints, options);
        if self.is_open {
            self.open(queue, true);
        }
    }

    /// Accepts observers from now on, or does not any more.
    pub(super) fn open(&mut self, queue: &mut Queue<'_>, is_open: bool) {
        self.sockets.stop_listening(queue);
        self.is_open = is_open;
        self.missing = if is_open { self.endpoints.clone() } else { Vec::new() };
        (self.retry_at_ms, self.has_warned) = (0, false);
    }

    /// Listens where it does not yet, if it is time to try.
    pub(super) fn sweep(&mut self, queue: &mut Queue<'_>, now_ms: u64) {
        if self.missing.is_empty() || now_ms < self.retry_at_ms {
            return;
        }
        self.retry_at_ms = now_ms + BIND_RETRY_MS;
        for endpoint in std::mem::take(&mut self.missing) {
            match Listener::bind(endpoint, self.options) {
                Ok(listener) => {
                    info!("serving observers at {endpoint}");
                    self.sockets.listen(queue, listener);
                }
                Err(error) => {
                    if !std::mem::replace(&mut self.has_warned, true) {
                        warn!(
                            "{error}; observers cannot learn from this server: give it an \
                             observerMasterPort that is free; tried every second"
                        );
                    }
                    self.missing.push(endpoint);
                }
            }
        }
    }

    /// When [`Self::sweep`] has something to do, in ms of the monotonic clock.
    pub(super) fn deadline_ms(&self) -> u64 {
        if self.missing.is_empty() { u64::MAX } else { self.retry_at_ms }
    }

    /// An accept has completed: gives the connection, or why there is none.
    pub(super) fn handle(
        &mut self,
        queue: &mut Queue<'_>,
        completion: Completion<'_>,
    ) -> Option<Result<OwnedFd, Errno>> {
        match self.sockets.handle(queue, completion) {
            Event::Accepted(fd) => Some(Ok(fd)),
            Event::AcceptFailed(errno) => Some(Err(errno)),
            _ => None,
        }
    }

    /// The end of a turn.
    pub(super) fn end_turn(&mut self, queue: &mut Queue<'_>) {
        self.sockets.accept_more(queue);
    }
}
