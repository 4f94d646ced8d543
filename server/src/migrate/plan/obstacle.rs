//! What stands in the way of a migration, or should be known.

use super::Server;
use crate::asking::{Conf, Mode, Told};
use std::fmt;

/// Something that an operator should know before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Obstacle<'a> {
    /// The server cannot be asked.
    Unreachable(&'a str),
    /// It has no quorum.
    NotServing(&'a str),
    /// It is alone.
    Standalone(&'a str),
    /// It serves reads only.
    ReadOnly(&'a str),
    /// Its protocol is older than what servers of an ensemble may speak.
    Old {
        /// Which one.
        address: &'a str,
        /// Its version.
        version: &'a str,
    },
    /// Clients use TLS.
    Tls {
        /// Which one.
        address: &'a str,
        /// The port.
        port: &'a str,
    },
    /// Not exactly one of them leads.
    Leaders(usize),
    /// The ensemble has more servers than were named.
    Unnamed {
        /// Servers of the ensemble.
        listed: usize,
        /// Servers that were named.
        named: usize,
    },
    /// With so few voters no write is acknowledged while one is exchanged.
    TooFew,
    /// It does not say how it is configured.
    Unknown(&'a str),
}

impl Obstacle<'_> {
    /// Whether the migration must wait for it.
    pub(super) fn is_in_the_way(&self) -> bool {
        !matches!(self, Self::TooFew | Self::Unknown(_))
    }
}

impl fmt::Display for Obstacle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(address) => {
                write!(f, "{address} does not answer: exchange servers only while all of them run")
            }
            Self::NotServing(address) => write!(
                f,
                "{address} does not serve clients: it has no quorum, or does not follow yet"
            ),
            Self::Standalone(address) => write!(
                f,
                "{address} is a single server: stop it, import its data, and start on them"
            ),
            Self::ReadOnly(address) => {
                write!(f, "{address} has lost its ensemble, and serves reads only")
            }
            Self::Old { address, version } => write!(
                f,
                "{address} runs ZooKeeper {version}: an ensemble with Ringkeeper needs 3.5 or \
                 newer; upgrade ZooKeeper first"
            ),
            Self::Tls { address, port } => write!(
                f,
                "{address} serves clients with TLS on port {port}, which is not built yet: end TLS \
                 in a proxy in front of it, or let these clients use the other port"
            ),
            Self::Leaders(0) => f.write_str("none of the servers leads"),
            Self::Leaders(count) => {
                write!(f, "{count} of the servers lead: they are of several ensembles")
            }
            Self::Unnamed { listed, named } => write!(
                f,
                "the ensemble has {listed} servers, and {named} were named: name all of them"
            ),
            Self::TooFew => f.write_str(
                "with fewer than three voters no write is acknowledged while a server is exchanged",
            ),
            Self::Unknown(address) => write!(
                f,
                "{address} does not say how it is configured (conf is not in its \
                 4lw.commands.whitelist): run ringkeeper config --check on its zoo.cfg; TLS and \
                 SASL between servers are not built yet"
            ),
        }
    }
}

/// All of them.
pub(super) fn all(servers: &[Server]) -> Vec<Obstacle<'_>> {
    let mut found = Vec::new();
    for Server { address, told } in servers {
        match told {
            Ok(told) => of_server(address, told, &mut found),
            Err(_) => found.push(Obstacle::Unreachable(address)),
        }
    }
    let told = || servers.iter().filter_map(|server| server.told.as_ref().ok());
    let in_mode = |mode| told().filter(|told| told.mode == mode).count();
    let leaders = in_mode(Mode::Leader);
    if leaders != 1 && in_mode(Mode::Standalone) == 0 {
        found.push(Obstacle::Leaders(leaders));
    }
    let listed = told().filter_map(|told| told.conf.as_ref()).map(Conf::server_count).max();
    if let Some(listed) = listed.filter(|listed| *listed > servers.len()) {
        found.push(Obstacle::Unnamed { listed, named: servers.len() });
    }
    if leaders == 1 && in_mode(Mode::Follower) < 2 {
        found.push(Obstacle::TooFew);
    }
    found
}

fn of_server<'a>(address: &'a str, told: &'a Told, found: &mut Vec<Obstacle<'a>>) {
    match told.mode {
        Mode::None => return found.push(Obstacle::NotServing(address)),
        Mode::Standalone => found.push(Obstacle::Standalone(address)),
        Mode::ReadOnly => found.push(Obstacle::ReadOnly(address)),
        Mode::Observer | Mode::Follower | Mode::Leader => (),
    }
    if told.is_ours {
        return;
    }
    if is_old(&told.version) {
        found.push(Obstacle::Old { address, version: &told.version });
    }
    match &told.conf {
        None => found.push(Obstacle::Unknown(address)),
        Some(conf) => {
            let port = conf.get("secureClientPort").filter(|port| *port != "-1");
            found.extend(port.map(|port| Obstacle::Tls { address, port }));
        }
    }
}

/// Whether a version is from before 3.5.
fn is_old(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) < (3, 5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn server(address: &str, mode: Mode, conf: Option<Conf>) -> Server {
        let (version, zxid) = ("3.9.5".to_owned(), "0x1".to_owned());
        let is_ours = false;
        let told = Told { version, is_ours, mode, zxid, nodes: 5, clients: 1, conf };
        Server { address: address.to_owned(), told: Ok(told) }
    }

    #[test]
    fn a_healthy_ensemble_has_none() {
        let conf = || Some(Conf::default());
        let modes = [Mode::Follower, Mode::Leader, Mode::Follower, Mode::Observer];
        let servers = modes.map(|mode| server("a:1", mode, conf()));
        assert_eq!(all(&servers), []);
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let lost = io::Error::from(io::ErrorKind::ConnectionRefused);
        let mut old = server("old:1", Mode::Follower, None);
        old.told.as_mut().unwrap().version = "3.4.14".to_owned();
        let servers = [
            server("a:1", Mode::Leader, Some(Conf::default())),
            Server { address: "lost:1".to_owned(), told: Err(lost) },
            server("idle:1", Mode::None, None),
            old,
        ];
        let found = all(&servers);
        let expected = [
            Obstacle::Unreachable("lost:1"),
            Obstacle::NotServing("idle:1"),
            Obstacle::Old { address: "old:1", version: "3.4.14" },
            Obstacle::Unknown("old:1"),
            Obstacle::TooFew,
        ];
        assert_eq!(found, expected);
        assert_eq!(found.iter().filter(|it| it.is_in_the_way()).count(), 3);
        let alone = [server("a:1", Mode::Standalone, None)];
        assert_eq!(all(&alone), [Obstacle::Standalone("a:1"), Obstacle::Unknown("a:1")]);
    }
}
