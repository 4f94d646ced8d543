//! Where to listen: for clients, for commands, for metrics.

use model::host::Host;

use super::{Endpoint, Families, Listen, Preference, ensemble::Own, host, settle::Settled};

/// The port for clients of a trial server.
const TRIAL_PORT: u16 = 2181;

/// Where clients connect: `clientPort` with its address, or this server's line of the ensemble,
/// which narrows the address if the ports are the same.
pub(super) fn clients(settled: &mut Settled<'_>, own: Own) -> Listen {
    let port = settled.maybe_natural("clientPort").map(port_of);
    let named = host(settled, "clientPortAddress");
    if port.is_none() && named.is_some() && settled.has_file() {
        let with = "counts only beside clientPort: set clientPort, to the port of this server's \
                    line if that has one";
        settled.fail_conflict("clientPortAddress", with.to_owned());
    }
    let mut agrees_with = None;
    let endpoint = match (port, own) {
        (Some(port), Own::Client(line)) => {
            if line.port != port {
                let with = format!("the port for clients in this server's line is {}", line.port);
                settled.fail_conflict("clientPort", with);
            }
            let file = named.unwrap_or(Host::Any);
            if file != Host::Any && file != line.host {
                agrees_with = Some(Endpoint { host: file, port });
            }
            line
        }
        (Some(port), _) => Endpoint { host: named.unwrap_or_else(|| default_host(settled)), port },
        (None, Own::Client(line)) => line,
        (None, elsewhere) => {
            if settled.has_file() {
                fail_without_port(settled, elsewhere);
            }
            Endpoint { host: named.unwrap_or_else(|| default_host(settled)), port: TRIAL_PORT }
        }
    };
    let backlog = settled.positive("clientPortListenBacklog");
    let backlog_written = settled.whole("clientPortListenBacklog");
    Listen { endpoint, agrees_with, backlog, backlog_written }
}

/// ZooKeeper would run and serve no clients.
fn fail_without_port(settled: &mut Settled<'_>, own: Own) {
    match own {
        Own::Elsewhere(error) => settled.fail(error),
        Own::Unsaid if !settled.is_written("clientPortAddress") => {
            let why = "clients could not connect; ZooKeeper's own files have clientPort=2181";
            settled.fail_missing("clientPort", why);
        }
        Own::Unknown | Own::Unsaid | Own::Client(_) => {}
    }
}

/// The endpoint of two keys for HTTP.
pub(super) fn http(
    settled: &mut Settled<'_>,
    address: &'static str,
    port: &'static str,
) -> Endpoint {
    let named = if settled.is_written(address) { host(settled, address) } else { None };
    // Read in any case: its default is every address.
    settled.text(address);
    let host = named.unwrap_or_else(|| default_host(settled));
    Endpoint { host, port: port_of(settled.natural(port)) }
}

/// The families of addresses, which are chosen by properties of Java's own.
pub(super) fn families(settled: &Settled<'_>) -> Families {
    let is =
        |name, value| settled.java_property(name).is_some_and(|it| it.eq_ignore_ascii_case(value));
    let preference = if is("java.net.preferIPv6Addresses", "true") {
        Preference::Ipv6
    } else if is("java.net.preferIPv6Addresses", "system") {
        Preference::System
    } else {
        Preference::Ipv4
    };
    Families { has_ipv6: !is("java.net.preferIPv4Stack", "true"), preference }
}

/// The host that a key names.
fn host(settled: &mut Settled<'_>, key: &'static str) -> Option<Host> {
    let text = settled.maybe_text(key)?;
    let read = Host::read(&text);
    if read.is_none() {
        settled.fail_value(key, host::SHAPE);
    }
    read
}

/// A server without a file is for trying it out, from this machine only.
fn default_host(settled: &Settled<'_>) -> Host {
    if settled.has_file() { Host::Any } else { Host::Ipv4(std::net::Ipv4Addr::LOCALHOST) }
}

fn port_of(number: u32) -> u16 {
    u16::try_from(number).expect("the table bounds ports")
}
