//! One `server.N` line, split as ZooKeeper splits it.

use std::fmt;

use crate::host::Host;

use super::super::address::{Address, Delimited, split, split_java};
use super::Fault;

/// What a `server.N` line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Where other servers reach it: at least one place, in the order of their hosts' texts.
    addresses: Vec<PeerAddress>,
    /// Whether it votes.
    pub role: Role,
    /// Where it serves clients, if the line says so.
    pub client: Option<Address>,
}

/// A place where a server is reached by the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// The host.
    pub host: Host,
    /// The port for learners of this server.
    pub quorum_port: u16,
    /// The port for elections; never the same as the other.
    pub election_port: u16,
}

/// Whether a server votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It does.
    Participant,
    /// It does not.
    Observer,
}

impl Member {
    /// Reads a line; `is_multi` allows several addresses of one server.
    ///
    /// # Errors
    /// What ZooKeeper refuses, and an address for clients that can only be an error.
    pub fn read(value: &str, is_multi: bool) -> Result<Self, Fault> {
        let parts = split_java(value, ';');
        let (servers, client) = match parts[..] {
            [servers] => (servers, None),
            [servers, client] => (servers, Some(client_address(client)?)),
            _ => return Err(Fault::Shape),
        };
        let texts = split_java(servers, '|');
        if texts.len() > 1 && !is_multi {
            return Err(Fault::ManyAddresses);
        }
        let (mut addresses, mut role) = (Vec::new(), None);
        for text in texts {
            let (address, said) = PeerAddress::read(text)?;
            if role.is_some() && said.is_some() && role != said {
                return Err(Fault::MixedRoles);
            }
            role = role.or(said);
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(Fault::Shape);
        }
        addresses.sort_by_cached_key(|address| address.host.to_string());
        addresses.dedup();
        Ok(Self { addresses, role: role.unwrap_or(Role::Participant), client })
    }

    /// Whether both are said to be at one address, for whatever purpose. Addresses that each
    /// machine has do not count.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        let ours: Vec<Address> = self.places().collect();
        other.places().any(|place| ours.contains(&place))
    }

    fn places(&self) -> impl Iterator<Item = Address> {
        let peers = self.addresses.iter().flat_map(|it| [it.quorum(), it.election()]);
        peers.chain(self.client.clone()).filter(|it| match &it.host {
            Host::Any | Host::Loopback => false,
            Host::Ipv4(ip) => !ip.is_unspecified() && !ip.is_loopback(),
            Host::Ipv6(ip, _) => !ip.is_unspecified() && !ip.is_loopback(),
            Host::Named(name) => !name.eq_ignore_ascii_case("localhost"),
        })
    }

    /// Where clients reach it: what its line says; the first host that other servers use where that
    /// stands for all addresses of a machine, and this port too where the line says nothing.
    pub fn clients_at(&self, port: u16) -> Address {
        let host = || self.addresses[0].host.clone();
        match &self.client {
            Some(said) if !said.is_wildcard() => said.clone(),
            Some(said) => Address { host: host(), port: said.port },
            None => Address { host: host(), port },
        }
    }

    /// Where other servers reach it: at least one place.
    pub fn addresses(&self) -> &[PeerAddress] {
        &self.addresses
    }
}

impl PeerAddress {
    /// Reads `host:port:port` with an optional role.
    fn read(text: &str) -> Result<(Self, Option<Role>), Fault> {
        let (host, parts) = split(text).ok_or(Fault::Shape)?;
        let (ports, role) = match parts[..] {
            [quorum, election] => ([quorum, election], None),
            [quorum, election, role] => ([quorum, election], Some(role)),
            _ => return Err(Fault::Shape),
        };
        let [Ok(quorum_port), Ok(election_port)] = ports.map(str::parse) else {
            return Err(Fault::Shape);
        };
        if quorum_port == election_port {
            return Err(Fault::SamePort(quorum_port));
        }
        let role = match role.map(|role| role.trim().to_lowercase()).as_deref() {
            None => None,
            Some("participant") => Some(Role::Participant),
            Some("observer") => Some(Role::Observer),
            Some(_) => return Err(Fault::Shape),
        };
        Ok((Self { host: Host::read_peer(host), quorum_port, election_port }, role))
    }

    /// Where its elections are held, as a hello says it.
    pub fn election(&self) -> Address {
        Address { host: self.host.clone(), port: self.election_port }
    }

    /// Where learners connect to it.
    pub fn quorum(&self) -> Address {
        Address { host: self.host.clone(), port: self.quorum_port }
    }
}

/// A port, or a host and a port. The port alone means every address.
fn client_address(text: &str) -> Result<Address, Fault> {
    let (first, rest) = split(text).ok_or(Fault::Shape)?;
    let (host, port) = match rest[..] {
        [] => (Host::Any, first),
        [port] => (Host::read(first).ok_or(Fault::Shape)?, port),
        _ => return Err(Fault::Shape),
    };
    Ok(Address { host, port: port.parse().map_err(|_| Fault::Shape)? })
}

/// As ZooKeeper prints it (`QuorumServer.toString`).
impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.addresses.iter().enumerate() {
            let bar = if index == 0 { "" } else { "|" };
            write!(f, "{bar}{address}")?;
        }
        f.write_str(match self.role {
            Role::Participant => ":participant",
            Role::Observer => ":observer",
        })?;
        self.client.as_ref().map_or(Ok(()), |client| write!(f, ";{client}"))
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, quorum_port, election_port } = self;
        write!(f, "{}:{quorum_port}:{election_port}", Delimited(host))
    }
}
