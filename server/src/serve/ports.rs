//! The ports, for clients and for HTTP.

use super::error::ServeError;
use crate::admin;
use crate::config::{Config, decided};
use net::listener::{BindError, Endpoint, ListenOptions, Listener};
use std::io;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tracing::warn;

/// How long a port may stay in use by a process that has just ended.
const BIND_RETRY: Duration = Duration::from_secs(2);

/// How the port for clients is listened on.
pub(super) fn client_options(config: &Config) -> ListenOptions {
    let usual = ListenOptions::default();
    let backlog = config.listen.backlog.map_or(usual.backlog, |backlog| backlog as i32);
    ListenOptions { backlog, keep_alive: config.connections.tcp_keep_alive, ..usual }
}

/// The port for clients.
pub(super) fn bind(config: &Config) -> Result<Listener, ServeError> {
    let options = client_options(config);
    let endpoint = client_endpoint(config)?;
    // The kernel closes the sockets of a killed process's ring a moment after its end.
    let give_up = Instant::now() + BIND_RETRY;
    loop {
        match Listener::bind(endpoint, options) {
            Err(BindError::InUse { .. }) if Instant::now() < give_up => {
                std::thread::sleep(Duration::from_millis(50));
            }
            bound => return Ok(bound?),
        }
    }
}

/// Resolves the address for clients, and compares the two places where it may be written.
fn client_endpoint(config: &Config) -> Result<Endpoint, ServeError> {
    let families = config.families.of_this_machine();
    let resolve = |endpoint: &decided::Endpoint| {
        let endpoint = endpoint.clone();
        endpoint.resolve(families).map_err(|error| ServeError::Address { endpoint, error })
    };
    let endpoint = resolve(&config.listen.endpoint)?;
    let Some(written) = &config.listen.agrees_with else { return Ok(endpoint) };
    let other = resolve(written)?;
    let is_every = match other {
        Endpoint::All(_) => true,
        Endpoint::One(address) => address.ip().is_unspecified(),
    };
    if is_every || other == endpoint {
        return Ok(endpoint);
    }
    let line = config.listen.endpoint.clone();
    Err(ServeError::TwoAddresses { file: written.clone(), line })
}

/// The ports for HTTP. One that is in use keeps the server from starting only if it was configured.
pub(super) fn bind_http(config: &Config) -> Result<admin::HttpPorts, ServeError> {
    let served = &config.admin;
    let families = config.families.of_this_machine();
    let bind = |endpoint: &decided::Endpoint| {
        let listener = Listener::bind(endpoint.resolve(families)?, ListenOptions::default());
        listener.map(TcpListener::from).map_err(io::Error::other)
    };
    let commands = match served.commands.as_ref().map(|endpoint| (bind(endpoint), endpoint)) {
        None => None,
        Some((Ok(listener), _)) => Some(listener),
        Some((Err(error), endpoint)) if served.is_wanted => {
            return Err(ServeError::Http {
                what: "the admin server",
                keys: "admin.serverPort and admin.serverAddress, or admin.enableServer=false",
                endpoint: endpoint.clone(),
                error,
            });
        }
        Some((Err(error), endpoint)) => {
            warn!(
                "no admin server on {endpoint}: {error}; name another port by admin.serverPort, or \
                 set admin.enableServer=false"
            );
            None
        }
    };
    let metrics = served.metrics.as_ref().map(|endpoint| {
        bind(endpoint).map_err(|error| ServeError::Http {
            what: "the page of metrics",
            keys: "metricsProvider.httpPort and metricsProvider.httpHost",
            endpoint: endpoint.clone(),
            error,
        })
    });
    Ok(admin::HttpPorts { commands, metrics: metrics.transpose()? })
}
