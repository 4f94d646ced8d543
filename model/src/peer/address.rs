//! A host and a port of a server, as ZooKeeper writes them.

use std::fmt;

use crate::host::Host;

/// A place where a server listens. Its host is not looked up here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

impl Address {
    /// Reads `host:port`, or `[host]:port` for a host with colons; `None` if it is neither.
    pub fn read(text: &str) -> Option<Self> {
        match split(text)? {
            (host, rest) if rest.len() == 1 => {
                Some(Self { host: Host::read_peer(host), port: rest[0].parse().ok()? })
            }
            _ => None,
        }
    }

    /// Whether it stands for every address of a machine, so that nothing can connect to it.
    pub fn is_wildcard(&self) -> bool {
        match &self.host {
            Host::Any => true,
            Host::Ipv6(number, _) => number.is_unspecified(),
            Host::Loopback | Host::Ipv4(_) | Host::Named(_) => false,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Delimited(&self.host), self.port)
    }
}

/// A host in front of a colon: in brackets if it has colons itself.
pub(super) struct Delimited<'a>(pub(super) &'a Host);

impl fmt::Display for Delimited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.to_string();
        if host.contains(':') { write!(f, "[{host}]") } else { f.write_str(&host) }
    }
}

/// The host, without the brackets that an IPv6 address needs, and what colons follow it with
/// (source: ZooKeeper 3.9.5, `ConfigUtils.getHostAndPort`).
pub(super) fn split(text: &str) -> Option<(&str, Vec<&str>)> {
    let Some(bracketed) = text.strip_prefix('[') else {
        let parts = split_java(text, ':');
        let (host, rest) = parts.split_first()?;
        return Some((host, rest.to_vec()));
    };
    let (host, rest) = bracketed.split_once(']')?;
    // Whatever stands behind the bracket is passed over; it should be a colon.
    let mut rest = rest.chars();
    match (rest.next(), rest.as_str()) {
        (None, _) => Some((host, Vec::new())),
        (Some(_), "") => None,
        (Some(_), rest) => Some((host, split_java(rest, ':'))),
    }
}

/// Splits as Java does: empty parts at the end do not count.
pub(super) fn split_java(text: &str, separator: char) -> Vec<&str> {
    let mut parts: Vec<&str> = text.split(separator).collect();
    while parts.len() > 1 && parts.last() == Some(&"") {
        parts.pop();
    }
    if parts == [""] && !text.is_empty() { Vec::new() } else { parts }
}
