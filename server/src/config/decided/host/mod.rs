//! Hosts and ports as ZooKeeper's configuration writes them, read as Java reads them.
//!
//! A number is not a name: which texts are numbers is decided here, without asking the system.
//! Names are resolved when a port is bound, by [`Endpoint::resolve`]: always to one address, the
//! one that a Java server would use.

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs},
};

use net::listener;
use nix::net::if_::if_nametoindex;

#[cfg(test)]
mod tests;

/// What an address may be, for messages.
pub(super) const SHAPE: &str =
    "a name, an IPv4 address, or an IPv6 address with or without brackets";

/// A host to bind to, not yet looked up.
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

/// Which of a name's addresses is used, as in Java's properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// The first IPv4 address, if there is one.
    #[default]
    Ipv4,
    /// The first IPv6 address, if there is one (`java.net.preferIPv6Addresses=true`).
    Ipv6,
    /// The first address (`java.net.preferIPv6Addresses=system`).
    System,
}

/// The families of addresses that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    /// IPv4 beside IPv6; else IPv4 alone (`java.net.preferIPv4Stack=true`).
    pub has_ipv6: bool,
    /// Which of a name's addresses is used.
    pub preference: Preference,
}

impl Families {
    /// Those of them that this machine has: if IPv6 is switched off, the list of the interfaces'
    /// IPv6 addresses is empty. If there is no such list, only binding will show it.
    #[must_use]
    pub fn of_this_machine(self) -> Families {
        let has_addresses =
            std::fs::read("/proc/net/if_inet6").map_or(true, |listed| !listed.is_empty());
        Families { has_ipv6: self.has_ipv6 && has_addresses, ..self }
    }

    fn choose(self, addresses: impl Iterator<Item = SocketAddr>) -> Option<SocketAddr> {
        let usable: Vec<SocketAddr> = addresses.filter_map(|it| self.usable(it)).collect();
        let preferred = match self.preference {
            Preference::Ipv4 => usable.iter().find(|address| address.is_ipv4()),
            Preference::Ipv6 => usable.iter().find(|address| address.is_ipv6()),
            Preference::System => None,
        };
        preferred.or(usable.first()).copied()
    }

    /// The address as the resolver would return it for these families alone: the loopback address
    /// of IPv6 becomes that of IPv4.
    fn usable(self, address: SocketAddr) -> Option<SocketAddr> {
        match address {
            SocketAddr::V6(six) if !self.has_ipv6 => {
                let port = six.port();
                six.ip().is_loopback().then(|| (Ipv4Addr::LOCALHOST, port).into())
            }
            usable => Some(usable),
        }
    }
}

/// A host and a port to bind to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The address.
    pub host: Host,
    /// The port; 0 lets the kernel choose.
    pub port: u16,
}

impl Endpoint {
    /// The one place to listen at. May block for as long as the resolver does.
    ///
    /// # Errors
    /// The resolver's error, or that the address is of a family that is not in use.
    pub fn resolve(&self, families: Families) -> io::Result<listener::Endpoint> {
        let address = self.address(families)?;
        // An IPv6 socket takes IPv4 too, so all addresses of one family are those of both.
        if families.has_ipv6 {
            Ok(listener::Endpoint::of(address))
        } else {
            Ok(listener::Endpoint::One(address))
        }
    }

    fn address(&self, families: Families) -> io::Result<SocketAddr> {
        Ok(match &self.host {
            Host::Any => SocketAddr::from((Ipv4Addr::UNSPECIFIED, self.port)),
            Host::Loopback if families.has_ipv6 && families.preference != Preference::Ipv4 => {
                SocketAddr::from((Ipv6Addr::LOCALHOST, self.port))
            }
            Host::Loopback => SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)),
            Host::Ipv4(number) => SocketAddr::from((*number, self.port)),
            Host::Ipv6(number, zone) => {
                if !families.has_ipv6 {
                    let why = "IPv6 is switched off on this machine or by java.net.preferIPv4Stack";
                    return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, why));
                }
                SocketAddrV6::new(*number, self.port, 0, zone.index()?).into()
            }
            Host::Named(name) => {
                let found = (name.as_str(), self.port).to_socket_addrs()?;
                let none = "the name has no address of a family that is in use";
                families
                    .choose(found)
                    .ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, none))?
            }
        })
    }
}

impl Zone {
    fn read(text: &str) -> Zone {
        text.parse().map_or_else(|_| Zone::Interface(text.to_owned()), Zone::Number)
    }

    fn index(&self) -> io::Result<u32> {
        match self {
            Zone::Unset => Ok(0),
            Zone::Number(number) => Ok(*number),
            Zone::Interface(name) => Ok(if_nametoindex(name.as_str())?),
        }
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

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Any => write!(f, "*:{}", self.port),
            Host::Loopback => write!(f, "loopback:{}", self.port),
            Host::Ipv4(number) => write!(f, "{number}:{}", self.port),
            Host::Ipv6(number, zone) => write!(f, "[{number}{zone}]:{}", self.port),
            Host::Named(name) => write!(f, "{name}:{}", self.port),
        }
    }
}
