//! Three servers on this machine: clients of all of them, and servers that are killed.
//!
//! The campaign (`make ensemble ROUNDS=n SEED=n`) is the same with more rounds.

pub(crate) mod addresses;
mod balancing;
pub(crate) mod changing;
mod clients;
pub(crate) mod command;
mod crowded;
mod interrupted;
mod joining;
mod killed;
pub(crate) mod local;
mod losing;
mod moving;
pub(crate) mod observing;
pub(crate) mod oracle;
mod read_only;
pub(crate) mod returning;
mod steady;

use harness::server::next_free_port;
use harness::{Client, Server};
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// A loaded machine writes and elects slowly; that is not for a test to report.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A variable that selects the size of a campaign.
pub(crate) fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a whole number"))
}

/// Whether a server votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    Voter,
    Observer,
}

/// Some servers of one ensemble.
pub(crate) struct Ensemble {
    pub(crate) servers: Vec<Server>,
    /// Their ports for learners and for elections.
    pub(crate) ports: Vec<(u16, u16)>,
}

impl Ensemble {
    /// So many servers, all of them serving.
    pub(crate) fn start(
        count: usize,
        configure: impl Fn(harness::Config) -> harness::Config,
    ) -> Self {
        Self::start_some(count, count, configure)
    }

    /// The same, of which only the first `launched` run.
    fn start_some(
        count: usize,
        launched: usize,
        configure: impl Fn(harness::Config) -> harness::Config,
    ) -> Self {
        let mut ensemble = Self::prepare(&vec![Seat::Voter; count], |_, config| configure(config));
        ensemble.servers[..launched].iter_mut().for_each(Server::launch);
        ensemble.await_service();
        ensemble
    }

    /// Servers that do not run yet.
    pub(crate) fn prepare(
        seats: &[Seat],
        configure: impl Fn(usize, harness::Config) -> harness::Config,
    ) -> Self {
        Self::prepare_some(seats, seats.len(), configure)
    }

    /// The same, of which the others list only the first `listed`.
    pub(crate) fn prepare_some(
        seats: &[Seat],
        listed: usize,
        configure: impl Fn(usize, harness::Config) -> harness::Config,
    ) -> Self {
        Self::prepare_at(seats, listed, |_| "127.0.0.1".to_owned(), configure)
    }

    /// The same, each with an address of its own.
    pub(crate) fn prepare_at(
        seats: &[Seat],
        listed: usize,
        host: impl Fn(usize) -> String,
        configure: impl Fn(usize, harness::Config) -> harness::Config,
    ) -> Self {
        let ports: Vec<_> = seats.iter().map(|_| (next_free_port(), next_free_port())).collect();
        let servers = (0..seats.len()).map(|own| {
            let mut config = Server::config().set("initLimit", "20").set("syncLimit", "10");
            for (at, (seat, (quorum, election))) in seats.iter().zip(&ports).enumerate() {
                if at >= listed && at != own {
                    continue;
                }
                let role = if *seat == Seat::Observer { ":observer" } else { "" };
                let line = format!("{}:{quorum}:{election}{role}", host(at));
                config = config.set(&format!("server.{}", at + 1), &line);
            }
            if seats[own] == Seat::Observer {
                config = config.set("peerType", "observer");
            }
            let server = configure(own, config).prepare();
            fs::write(server.folder().join("data/myid"), format!("{}\n", own + 1)).unwrap();
            server
        });
        let servers: Vec<_> = servers.collect();
        Self { servers, ports }
    }

    /// Waits until every server that runs serves clients.
    pub(crate) fn await_service(&mut self) {
        for server in self.servers.iter_mut().filter(|server| server.is_running()) {
            server.await_service();
        }
    }

    /// Where a server's clients connect.
    pub(crate) fn address(&self, at: usize) -> SocketAddr {
        self.servers[at].address()
    }

    /// The server that leads.
    pub(crate) fn leader(&self) -> usize {
        let leads = |server: &&Server| {
            server.is_running()
                && server.try_word("srvr").is_some_and(|text| text.contains("Mode: leader"))
        };
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.servers.iter().position(|server| leads(&server)) {
                return at;
            }
            assert!(Instant::now() < end, "no server leads");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The servers had the same digests, of nodes with Stats, where two of them remember one.
    pub(crate) fn assert_digests(&self) {
        self.assert_digests_of(|_| true);
    }

    /// The same for some of them.
    pub(crate) fn assert_digests_of(&self, is_compared: impl Fn(usize) -> bool) {
        let mut digests: BTreeMap<String, String> = BTreeMap::new();
        let compared = self.servers.iter().enumerate().filter(|(at, _)| is_compared(*at));
        for (_, server) in compared {
            for line in server.word("hash").lines() {
                let Some((zxid, digest)) = line.split_once(": ") else { continue };
                let known = digests.entry(zxid.to_owned()).or_insert_with(|| digest.to_owned());
                assert_eq!(known, digest, "at {zxid}");
            }
        }
    }

    /// Every server shows the same nodes, with all of their Stats.
    pub(crate) fn assert_equal(&self) {
        let mut trees = self.servers.iter().map(|server| {
            let mut client = Client::connect(server.address());
            client.sync("/").unwrap();
            let tree = nodes(&mut client, "/");
            client.close();
            tree
        });
        let first = trees.next().expect("a server");
        for other in trees {
            assert_eq!(first.len(), other.len());
            for (one, another) in first.iter().zip(&other) {
                assert_eq!(one, another);
            }
        }
    }
}

/// A node's path, data and Stat.
pub(crate) type Node = (String, Option<Vec<u8>>, harness::Stat);

/// Every node below a path.
pub(crate) fn nodes(client: &mut Client, path: &str) -> Vec<Node> {
    let (data, mut stat) = client.get(path, false).unwrap();
    if path == "/zookeeper/config" {
        // Each server shows the configuration by itself, as of when it began to serve.
        stat.mtime = 0;
    }
    let mut all = vec![(path.to_owned(), data, stat)];
    let mut names = client.children(path, false).unwrap();
    names.sort();
    for name in names {
        let below = if path == "/" { format!("/{name}") } else { format!("{path}/{name}") };
        all.extend(nodes(client, &below));
    }
    all
}

/// A client's session at another server, or at the same one over a new connection. What the old
/// connection had not been answered may have happened.
pub(crate) fn moved(client: &Client, address: SocketAddr) -> Client {
    let handshake = client.reattach();
    client.hang_up();
    let end = Instant::now() + PATIENCE;
    loop {
        // A server that has not got as far as this client yet turns it away.
        if let Some(mut moved) = Client::try_open(address, &handshake) {
            moved.count_on_from(client);
            assert_eq!(moved.session_id(), handshake.session_id, "the session is lost");
            return moved;
        }
        assert!(Instant::now() < end, "the session is turned away");
        thread::sleep(Duration::from_millis(20));
    }
}
