//! Ensembles of `ZooKeeper`'s servers and ours, on this machine.
//!
//! At the end of each test every server shows the same tree, with all Stats. Where no server has
//! been stopped their digests are equal, too, and `ZooKeeper`'s logs have no warning that an
//! ensemble of its own would not have.
//!
//! `together`: every kind of write, through every server, whoever leads; `settings`: the same with
//! servers that are set up differently; `arriving`: what a server is sent that has nothing;
//! `returning`: what one is sent that was away; `changing`: who is in the ensemble; `growing`: the
//! same by other files and restarts; `local`: sessions that only one server knows; `epochs`: an
//! epoch that has no zxids left; `observers`, `observing`: observers, also behind followers;
//! `oracle`: two servers of which one may decide alone; `addresses`: servers with several;
//! `replacing`: one server after the other becomes ours, and back;
//! `importing`: what an ensemble of its own has written.

mod addresses;
mod arriving;
mod changing;
mod epochs;
mod growing;
mod importing;
mod local;
mod observers;
mod observing;
mod oracle;
mod replacing;
mod returning;
mod settings;
mod together;
pub(crate) mod work;

use crate::ensemble::{Ensemble, PATIENCE, Seat};
use harness::server::{own_command, reference_command};
use harness::{Config, Server};
use std::env;
use std::ffi::OsString;
use std::thread;
use std::time::{Duration, Instant};

/// Whose server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    Ours,
    Stock,
}

impl Make {
    /// The command that starts one.
    pub(crate) fn command(self) -> Vec<OsString> {
        match self {
            Make::Ours => own_command(),
            Make::Stock => reference_command(),
        }
    }
}

/// Whether the release of `ZooKeeper` that takes part begins with one of these.
fn is_release(beginnings: &[&str]) -> bool {
    let version = env::var("STOCK_VERSION").unwrap_or_default();
    beginnings.iter().any(|it| version.starts_with(it))
}

/// Warnings of `ZooKeeper` that any ensemble of its own has, too.
const USUAL: [&str; 18] = [
    // At every start.
    "maxCnxns is not configured",
    "Either no config or no quorum defined in config",
    "No server failure will be tolerated",
    "Non-optimial configuration",
    "The configured",
    "Unsupported JVM version",
    // Of servers that start one after the other, and of those that end.
    "Cannot open channel to",
    "Connection broken for id",
    "Interrupting SendWorker thread",
    "Send worker leaving thread",
    // The same two at once: a link is replaced while its sender repeats the last message.
    "Failed to send last message",
    "Exception when using channel",
    "Interrupted while waiting for message on queue",
    "Unexpected exception",
    // Of a session that comes back while the end of its last connection is still under way: JMX
    // knows a connection by its session.
    "Failed to register MBean Connections/",
    "Could not register connection",
    // Of a learner, at an epoch's first txn.
    "Got zxid 0x",
    // Of a leader, about a learner that has nothing.
    "Unable to find proposals from txnlog for zxid: 0x0",
];

/// Some servers, and whose they are.
pub(crate) struct Mixed {
    pub(crate) ensemble: Ensemble,
    pub(crate) makes: Vec<Make>,
}

impl Mixed {
    /// Servers that do not run yet.
    pub(crate) fn prepare(parts: &[(Make, Seat)], configure: impl Fn(Config) -> Config) -> Self {
        Self::prepare_each(parts, |_, config| configure(config))
    }

    /// The same, of which each is set up by itself.
    pub(crate) fn prepare_each(
        parts: &[(Make, Seat)],
        configure: impl Fn(usize, Config) -> Config,
    ) -> Self {
        let seats: Vec<_> = parts.iter().map(|(_, seat)| *seat).collect();
        let makes: Vec<_> = parts.iter().map(|(make, _)| *make).collect();
        let ensemble = Ensemble::prepare(&seats, |at, config| {
            configure(at, config.command(makes[at].command()))
        });
        Self { ensemble, makes }
    }

    /// Starts some of them, and waits until they serve. The first one leads, if it may: the others
    /// are started once it looks for a leader.
    pub(crate) fn launch(&mut self, servers: &[usize]) {
        for &at in servers {
            let server = &mut self.ensemble.servers[at];
            server.launch();
            let end = Instant::now() + PATIENCE;
            while server.try_word("srvr").is_none() {
                assert!(Instant::now() < end, "it does not answer:\n{}", server.log());
                thread::sleep(Duration::from_millis(20));
            }
        }
        self.ensemble.await_service();
    }

    /// All show the same. A server of `ZooKeeper` that has started on a snapshot of its own
    /// remembers digests of trees that never were: it replays its log onto a part of its effects.
    fn assert_same(&self) {
        self.ensemble.assert_equal();
        self.ensemble.assert_digests_of(|at| self.makes[at] == Make::Ours);
    }

    /// All show the same, and none has anything to complain of.
    fn assert_alike(&self) {
        self.assert_alike_but(&[]);
    }

    /// The same, but that servers of `ZooKeeper` may have these warnings, too.
    fn assert_alike_but(&self, usual: &[&str]) {
        self.ensemble.assert_equal();
        self.ensemble.assert_digests();
        self.assert_unalarmed_but(usual);
    }

    /// None has logged anything unusual.
    fn assert_unalarmed(&self) {
        self.assert_unalarmed_but(&[]);
    }

    fn assert_unalarmed_but(&self, usual: &[&str]) {
        for (server, make) in self.ensemble.servers.iter().zip(&self.makes) {
            match make {
                Make::Stock => assert_usual(server, usual),
                Make::Ours => assert!(!server.log().contains("ERROR"), "{}", server.log()),
            }
        }
    }
}

fn assert_usual(server: &Server, also: &[&str]) {
    let log = server.log();
    let is_bad = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
    let unusual = log
        .lines()
        .filter(is_bad)
        .filter(|line| !USUAL.iter().chain(also).any(|it| line.contains(it)));
    let unusual: Vec<_> = unusual.collect();
    assert!(unusual.is_empty(), "{unusual:#?}");
}
