//! Structured logs, on standard error.

use crate::config::decided::Logging;
use tracing_subscriber::EnvFilter;

/// Begins to log as configured. A second call changes nothing.
pub fn start(logging: &Logging) {
    let filter = EnvFilter::try_new(&logging.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // The executor reports at the level of errors that it will not poll a device, which is wished.
    let quiet = "glommio=off".parse().expect("a directive");
    let filter = filter.add_directive(quiet);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if logging.json {
        builder.json().try_init()
    } else {
        builder.with_target(false).try_init()
    };
    // Tests start several servers in one process; the first one's way of logging stays.
    let _ = started;
}
