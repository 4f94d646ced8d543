//! The ports, for clients and for HTTP.

use super::error::ServeError;
use crate::admin;
use crate::config::{Config, decided};
use net::listener::{BindError, Endpoint, ListenOptions, Listener};
use std::time::{Duration, Instant};
use tracing::warn;

/// How long a port may be in use by a process that has just ended.
const BIND_RETRY: Duration = Duration::from_secs(2);

pub(super) fn bind(config: &Config) -> Result<Vec<Listener>, ServeError> {
    let options = ListenOptions {
        backlog: config
            .listen
            .backlog
            .map_or_else(|| ListenOptions::default().backlog, |backlog| backlog as i32),
        keep_alive: config.connections.tcp_keep_alive,
    };
    let endpoints = match &config.listen.endpoint.host {
        decided::Host::Any => vec![Endpoint::All(config.listen.endpoint.port)],
        decided::Host::Named(_) => {
            let addresses = config.listen.endpoint.resolve().map_err(ServeError::Address)?;
            addresses.into_iter().map(Endpoint::One).collect()
        }
    };
    // The kernel closes the sockets of a killed process's ring a moment after its end.
    let give_up = Instant::now() + BIND_RETRY;
    loop {
        match Listener::bind_each(&endpoints, options) {
            Err(BindError::InUse { .. }) if Instant::now() < give_up => {
                std::thread::sleep(Duration::from_millis(50));
            }
            bound => return Ok(bound?),
        }
    }
}

/// The ports for HTTP. A taken one keeps the server from starting only if it was asked for.
pub(super) fn bind_http(served: &decided::AdminServer) -> Result<admin::HttpPorts, ServeError> {
    let bind = |endpoint: &decided::Endpoint| {
        let addresses = endpoint.resolve()?;
        std::net::TcpListener::bind(&addresses[..])
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
                "no admin server: {endpoint} cannot be had ({error}); name another port by \
                 admin.serverPort, or set admin.enableServer=false"
            );
            None
        }
    };
    let metrics = served.metrics.as_ref().map(|endpoint| {
        bind(endpoint).map_err(|error| ServeError::Http {
            what: "the metrics",
            keys: "metricsProvider.httpPort and metricsProvider.httpHost",
            endpoint: endpoint.clone(),
            error,
        })
    });
    Ok(admin::HttpPorts { commands, metrics: metrics.transpose()? })
}
