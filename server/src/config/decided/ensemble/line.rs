//! One `server.N` line, split as ZooKeeper splits it.

use model::host::Host;

use super::super::Endpoint;
use super::ServersFault;

/// What a `server.N` line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Whether it does not vote.
    pub(super) observes: bool,
    /// Where it serves clients, if the line says so.
    pub(super) client: Option<Endpoint>,
}

impl Line {
    /// Reads a line; `is_multi` allows several addresses of one server.
    pub(super) fn read(value: &str, is_multi: bool) -> Result<Line, ServersFault> {
        let parts = split(value, ';');
        let (servers, client) = match parts[..] {
            [servers] => (servers, None),
            [servers, client] => (servers, Some(client_endpoint(client)?)),
            _ => return Err(ServersFault::Shape),
        };
        let addresses = split(servers, '|');
        if addresses.len() > 1 && !is_multi {
            return Err(ServersFault::ManyAddresses);
        }
        let mut role = None;
        for address in addresses {
            let observes = address_role(address)?;
            if role.is_some() && observes.is_some() && role != observes {
                return Err(ServersFault::MixedRoles);
            }
            role = role.or(observes);
        }
        Ok(Line { observes: role.unwrap_or(false), client })
    }
}

/// Checks `host:port:port` with an optional role; whether that is an observer's.
fn address_role(address: &str) -> Result<Option<bool>, ServersFault> {
    let (_, parts) = host_and_rest(address)?;
    let (ports, role) = match parts[..] {
        [quorum, election] => ([quorum, election], None),
        [quorum, election, role] => ([quorum, election], Some(role)),
        _ => return Err(ServersFault::Shape),
    };
    let [quorum, election] = ports.map(str::parse::<u16>);
    let (Ok(quorum), Ok(election)) = (quorum, election) else { return Err(ServersFault::Shape) };
    if quorum == election {
        return Err(ServersFault::SamePort(quorum));
    }
    match role.map(|role| role.trim().to_lowercase()).as_deref() {
        None => Ok(None),
        Some("participant") => Ok(Some(false)),
        Some("observer") => Ok(Some(true)),
        Some(_) => Err(ServersFault::Shape),
    }
}

/// A port, or a host and a port. The port alone means every address.
fn client_endpoint(text: &str) -> Result<Endpoint, ServersFault> {
    let (first, rest) = host_and_rest(text)?;
    let (host, port) = match rest[..] {
        [] => (Host::Any, first),
        [port] => (Host::read(first).ok_or(ServersFault::Shape)?, port),
        _ => return Err(ServersFault::Shape),
    };
    Ok(Endpoint { host, port: port.parse().map_err(|_| ServersFault::Shape)? })
}

/// The host, without the brackets that an IPv6 address needs here, and what colons follow it with.
fn host_and_rest(text: &str) -> Result<(&str, Vec<&str>), ServersFault> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or(ServersFault::Shape)?;
        // Whatever stands behind the bracket is passed over; it should be a colon.
        let mut rest = rest.chars();
        return match (rest.next(), rest.as_str()) {
            (None, _) => Ok((host, Vec::new())),
            (Some(_), "") => Err(ServersFault::Shape),
            (Some(_), rest) => Ok((host, split(rest, ':'))),
        };
    }
    match split(text, ':').split_first() {
        Some((host, rest)) => Ok((host, rest.to_vec())),
        None => Err(ServersFault::Shape),
    }
}

/// Splits as Java does: empty parts at the end do not count.
pub(super) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts: Vec<&str> = text.split(separator).collect();
    while parts.len() > 1 && parts.last() == Some(&"") {
        parts.pop();
    }
    if parts == [""] && !text.is_empty() { Vec::new() } else { parts }
}
