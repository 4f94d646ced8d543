//! Hosts as ZooKeeper's configuration writes them, read as Java reads them.
//!
//! A number is not a name: which texts are numbers is decided here, without asking the system.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

#[cfg(test)]
mod tests;

/// A host, not yet looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// Every address of the machine, of both families where it has both: nothing, or `0.0.0.0`.
    Any,
    /// The loopback address: an empty value.
    Loopback,
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address; `::` is every address of a machine that has IPv6, its IPv4 ones included.
    Ipv6(Ipv6Addr, Zone),
    /// A name.
    Named(String),
}

/// The part of an IPv6 address after the `%`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// There is none.
    Unset,
    /// The number of an interface.
    Number(u32),
    /// Its name.
    Interface(String),
}

impl Host {
    /// Reads a host as Java's `InetAddress.getByName` does; `None` for what can only be an error.
    pub fn read(text: &str) -> Option<Host> {
        if text.is_empty() {
            return Some(Host::Loopback);
        }
        if let Some(bracketed) = text.strip_prefix('[') {
            return ipv6(bracketed.strip_suffix(']')?);
        }
        if let Some(number) = ipv4(text) {
            return Some(Host::of_ipv4(number));
        }
        if text.contains(':') {
            return ipv6(text);
        }
        // The resolver would accept hexadecimal and overlong numbers as addresses; Java does not.
        if text.split('.').all(is_numeric) { None } else { Some(Host::Named(text.to_owned())) }
    }

    /// Reads a server's host as Java's `InetSocketAddress` does, which puts off every error: what
    /// [`Host::read`] refuses is kept as a name, and is printed as it was given.
    pub fn read_peer(text: &str) -> Host {
        Host::read(text).unwrap_or_else(|| Host::Named(text.to_owned()))
    }

    fn of_ipv4(number: Ipv4Addr) -> Host {
        if number.is_unspecified() { Host::Any } else { Host::Ipv4(number) }
    }
}

/// Decimal numbers between dots; the last one fills the bytes that are left.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    const LETTERS_MAX: usize = "255.255.255.255".len();
    if text.len() > LETTERS_MAX || !text.bytes().all(|it| it.is_ascii_digit() || it == b'.') {
        return None;
    }
    let parts: Vec<u64> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    let bits_left = 32_usize.checked_sub(8 * first.len()).filter(|&bits| bits > 0)?;
    if first.iter().any(|&part| part > 0xff) || *last >= 1 << bits_left {
        return None;
    }
    let high = first.iter().rev().zip(0..).map(|(part, at)| part << (8 * at)).sum::<u64>();
    u32::try_from(high << bits_left | last).ok().map(Ipv4Addr::from)
}

fn ipv6(text: &str) -> Option<Host> {
    let (number, zone) = match text.split_once('%') {
        None => (text, Zone::Unset),
        Some((number, zone)) => (number, Zone::read(zone)),
    };
    let number: Ipv6Addr = number.parse().ok()?;
    Some(match number.to_ipv4_mapped() {
        Some(mapped) => Host::of_ipv4(mapped),
        None => Host::Ipv6(number, zone),
    })
}

fn is_numeric(part: &str) -> bool {
    let hexadecimal = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|it| it.is_ascii_hexdigit()),
        None => !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit()),
    }
}

impl Zone {
    fn read(text: &str) -> Zone {
        text.parse().map_or_else(|_| Zone::Interface(text.to_owned()), Zone::Number)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Zone::Unset => Ok(()),
            Zone::Number(number) => write!(f, "%{number}"),
            Zone::Interface(name) => write!(f, "%{name}"),
        }
    }
}

/// As Java prints it (`InetSocketAddress.getHostString`): names as they are, numbers in full.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Any => f.write_str("0.0.0.0"),
            Host::Loopback => f.write_str("localhost"),
            Host::Ipv4(number) => write!(f, "{number}"),
            Host::Ipv6(number, zone) => {
                let [first, rest @ ..] = number.segments();
                write!(f, "{first:x}")?;
                rest.iter().try_for_each(|segment| write!(f, ":{segment:x}"))?;
                write!(f, "{zone}")
            }
            Host::Named(name) => f.write_str(name),
        }
    }
}
