//! Structured logs, on standard error: coloured on a terminal, unless `NO_COLOR` is set.

use crate::config::decided::Logging;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Starts logging as configured. A second call changes nothing.
pub fn start(logging: &Logging) {
    let filter = EnvFilter::try_new(&logging.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // The executor logs as an error that it will not poll a device, which is intended.
    let quiet = "glommio=off".parse().expect("a directive");
    let filter = filter.add_directive(quiet);
    let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && !is_unwanted)
        // The log's reader may close it: reporting that on standard error would end the server.
        .log_internal_errors(false);
    let started = if logging.json {
        builder.json().try_init()
    } else {
        builder.with_target(false).try_init()
    };
    // Tests start several servers in one process; the first one's logging configuration stays.
    let _ = started;
}
