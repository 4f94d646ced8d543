//! Hosts and ports to bind to. What a text means is decided by [`Host::read`]; names are looked up
//! by whoever binds, by [`Endpoint::resolve`]: always to one address, the one that a Java server
//! would take.

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs},
};

use model::{
    host::{Host, Zone},
    peer::address::Address,
};
use net::listener;
use nix::net::if_::if_nametoindex;

#[cfg(test)]
mod tests;

/// What an address may be, for messages.
pub(super) const SHAPE: &str =
    "a name, an IPv4 address, or an IPv6 address with or without brackets";

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

impl From<Address> for Endpoint {
    fn from(Address { host, port }: Address) -> Endpoint {
        Endpoint { host, port }
    }
}

impl Endpoint {
    /// The one place to listen at. May block for as long as the resolver does.
    ///
    /// # Errors
    /// The resolver's error, or that the address is of a family that is not in use.
    pub fn resolve(&self, families: Families) -> io::Result<listener::Endpoint> {
        let address = self.socket_address(families)?;
        // An IPv6 socket takes IPv4 too, so all addresses of one family are those of both.
        if families.has_ipv6 {
            Ok(listener::Endpoint::of(address))
        } else {
            Ok(listener::Endpoint::One(address))
        }
    }

    /// The one address that it stands for. May block for as long as the resolver does.
    ///
    /// # Errors
    /// The resolver's error, or that the address is of a family that is not in use.
    pub fn socket_address(&self, families: Families) -> io::Result<SocketAddr> {
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
                SocketAddrV6::new(*number, self.port, 0, index(zone)?).into()
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

/// The number of the interface that a zone names.
fn index(zone: &Zone) -> io::Result<u32> {
    match zone {
        Zone::Unset => Ok(0),
        Zone::Number(number) => Ok(*number),
        Zone::Interface(name) => Ok(if_nametoindex(name.as_str())?),
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
