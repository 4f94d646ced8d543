//! Servers, groups and weights: whether the lines mean a single server or an ensemble, and whether
//! and where they let this one serve clients.
//!
//! `myid` in the data directory says which `server.N` line is this server's own, as in ZooKeeper;
//! the port for clients in another server's line does not count.
//!
//! - [`identity`] `myid`
//! - [`links`] how it deals with the others
//! - [`dynamic`] the same lines in a file of their own
//!
//! The lines themselves are read by [`model::peer::membership`].

use std::path::{Path, PathBuf};

use engine::settings::LocalSessions;
use model::{
    peer::membership::{Member, Membership, Reading, number_behind},
    server::ServerId,
};

use crate::config::{ConfigError, Origin, written::WrittenEntry};

use super::{Endpoint, Files, parts, settle::Settled};

mod dynamic;
mod fault;
mod identity;
mod links;
#[cfg(test)]
mod tests;

pub use self::fault::ServersFault;
use self::identity::Identity;
pub use self::links::Links;

/// This server's part in an ensemble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensemble {
    /// Which of the servers it is.
    pub me: ServerId,
    /// All of them.
    pub servers: Membership,
    /// Ticks that a server may take to catch up with its leader; at least 1.
    pub init_limit: u32,
    /// Ticks that a server may be silent; at least 1.
    pub sync_limit: u32,
    /// Other servers may connect to every address of this one.
    pub listens_on_all: bool,
    /// How it deals with them.
    pub links: Links,
    /// The file that says whether it may decide without the other one of two voters.
    pub oracle: Option<PathBuf>,
    /// Whether it serves clients while it leads.
    pub leader_serves: bool,
    /// Whether sessions are local to it at first.
    pub local_sessions: LocalSessions,
    /// How it may change while servers run; `None` if it may not.
    pub changes: Option<Changes>,
}

/// How an ensemble may change while its servers run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The configuration file, which is rewritten then; `None` if there is none.
    pub file: Option<PathBuf>,
    /// Whether the servers' lines are in a file of their own.
    pub is_dynamic: bool,
    /// Whether one server alone is run without an ensemble (`standaloneEnabled`).
    pub is_standalone_allowed: bool,
    /// How lines are read.
    pub reading: Reading,
}

/// Where the ensemble's lines let this server serve clients.
pub(super) enum Own {
    /// They are wrong, which has been reported: nothing follows from them.
    Unknown,
    /// They do not say.
    Unsaid,
    /// At this endpoint.
    Client(Endpoint),
    /// There is a port in a line that is not this server's: why not.
    Elsewhere(ConfigError),
}

/// A line about an ensemble, in either file.
struct Setting {
    key: String,
    value: String,
    origin: Origin,
}

#[derive(Default)]
struct Lines {
    servers: Vec<Setting>,
    groups: Vec<Setting>,
    weights: Vec<Setting>,
}

/// Reads the lines, and finds this server's own.
pub(super) fn check(settled: &mut Settled<'_>, files: Files<'_>) -> (Own, Option<Ensemble>) {
    let data_dir = parts::data_dir(settled);
    let identity = Identity::read(&data_dir, files);
    let multi = settled.java_property("zookeeper.multiAddress.enabled");
    let reading = Reading {
        is_multi: multi.is_some_and(|value| value.eq_ignore_ascii_case("true")),
        has_groups: !settled.has_line("oraclePath"),
    };
    let written = Lines::written(settled);
    let dynamic_file = settled.maybe_text("dynamicConfigFile");
    let version = dynamic_file.as_ref().and_then(|path| dynamic::version_of(Path::new(path)));
    let changes = settled.flag("reconfigEnabled").then(|| Changes {
        file: files.config.map(Path::to_path_buf),
        is_dynamic: dynamic_file.is_some(),
        is_standalone_allowed: settled.flag("standaloneEnabled"),
        reading,
    });
    let lines = match dynamic_file {
        None => Ok(written),
        Some(path) => {
            for setting in written.all() {
                settled.fail(setting.error(ServersFault::BesideDynamic));
            }
            dynamic::read(settled, Path::new(&path), files, reading)
        }
    };
    let servers = lines.and_then(|lines| {
        let servers = lines.read(reading)?.with_version(version.unwrap_or(0));
        check_count(settled, &lines, &servers);
        Ok((lines, servers))
    });
    match (servers, identity) {
        (Ok((lines, servers)), Ok(identity)) => {
            let own = lines.own(&servers, &identity);
            (own, ensemble(settled, &lines, servers, &identity, changes))
        }
        (servers, identity) => {
            let errors = servers.err().into_iter().flatten().chain(identity.err());
            errors.for_each(|error| settled.fail(error));
            (Own::Unknown, None)
        }
    }
}

/// This server's part in the ensemble of these lines; `None` if they mean a single server, or if
/// something is wrong with them.
fn ensemble(
    settled: &mut Settled<'_>,
    lines: &Lines,
    servers: Membership,
    identity: &Identity,
    changes: Option<Changes>,
) -> Option<Ensemble> {
    let limits = ["initLimit", "syncLimit"].map(|key| (key, settled.maybe_whole(key)));
    let listens_on_all = settled.flag("quorumListenOnAllIPs");
    let is_standalone_allowed = settled.flag("standaloneEnabled");
    let leader_serves = settled.flag("leaderServes");
    let local_sessions = local_sessions(settled);
    let oracle = settled.maybe_text("oraclePath").map(PathBuf::from);
    if oracle.is_some() {
        warn_of_oracle(settled, lines, &servers);
    }
    let peer_type = settled.maybe_text("peerType");
    let least = if is_standalone_allowed { 2 } else { 1 };
    let other = servers.participants().nth(least - 1);
    let links = Links::of(settled, other.is_some());
    let other = other?;
    let Some(number) = identity.number else {
        let path = identity.path.clone();
        settled.fail(lines.of(other).error(ServersFault::NoNumber { path }));
        return None;
    };
    let me = ServerId(number);
    if !servers.members().contains_key(&me) {
        let path = identity.path.clone();
        settled.fail(lines.of(other).error(ServersFault::NotListed { number, path }));
        return None;
    }
    check_peer_type(settled, peer_type, &servers, me);
    links::check_number(settled, number);
    links::check_bounds(settled);
    refuse_what_is_not_built(settled);
    let [init_limit, sync_limit] = limits.map(|(key, ticks)| {
        let ticks = ticks.and_then(|ticks| u32::try_from(ticks).ok());
        let ticks = ticks.filter(|ticks| *ticks > 0);
        if ticks.is_none() {
            settled.fail_missing(key, "an ensemble needs it, in ticks: 10 and 5 are usual");
        }
        ticks
    });
    let (init_limit, sync_limit) = (init_limit?, sync_limit?);
    Some(Ensemble {
        me,
        servers,
        init_limit,
        sync_limit,
        listens_on_all,
        links,
        oracle,
        leader_serves,
        local_sessions,
        changes,
    })
}

/// What is said of local sessions. A single server has none, whatever that is, as in ZooKeeper.
fn local_sessions(settled: &Settled<'_>) -> LocalSessions {
    let is_upgrading = settled.flag("localSessionsUpgradingEnabled");
    match settled.flag("localSessionsEnabled") {
        false => LocalSessions::Off,
        true if is_upgrading => LocalSessions::Upgraded,
        true => LocalSessions::Refused,
    }
}

/// What an oracle means for the other lines, as in ZooKeeper.
fn warn_of_oracle(settled: &mut Settled<'_>, lines: &Lines, servers: &Membership) {
    let origin = settled.origin("oraclePath");
    if !(lines.groups.is_empty() && lines.weights.is_empty()) {
        settled.warn(format!("{origin}: oraclePath: group.N and weight.N do not count beside it"));
    }
    let voters = servers.participants().count();
    if voters != 2 {
        settled.warn(format!(
            "{origin}: oraclePath: it decides between two servers that vote, and there are \
             {voters}: it is read only once there are two"
        ));
    }
}

/// Refuses what an ensemble must not be run without if it is asked for.
fn refuse_what_is_not_built(settled: &mut Settled<'_>) {
    for (key, what) in [
        ("sslQuorum", "TLS between servers is not built yet: remove the line"),
        ("quorum.auth.enableSasl", "SASL between servers is not built yet: remove the line"),
    ] {
        if settled.flag(key) {
            settled.fail_conflict(key, what.to_owned());
        }
    }
}

/// What a server is said to be outside the list does not count.
fn check_peer_type(
    settled: &mut Settled<'_>,
    said: Option<String>,
    servers: &Membership,
    me: ServerId,
) {
    let Some(said) = said else { return };
    let is_observer = servers.observers().any(|observer| observer == me);
    if said.eq_ignore_ascii_case("observer") != is_observer {
        let listed = if is_observer { "an observer" } else { "a participant" };
        settled.warn(format!("peerType={said}: the line server.{me} says {listed}, which counts"));
    }
}

/// Too few servers for an ensemble where there must be one.
fn check_count(settled: &mut Settled<'_>, lines: &Lines, servers: &Membership) {
    let is_standalone_allowed = settled.flag("standaloneEnabled");
    let mut voters = servers.participants();
    let (first, second) = (voters.next(), voters.next());
    if second.is_some() || first.is_some() && !is_standalone_allowed {
        // An ensemble, perhaps of one.
    } else if let Some(server) = servers.observers().next() {
        settled.fail(lines.of(server).error(ServersFault::NothingToObserve));
    } else if !is_standalone_allowed {
        let with = "there are no server.N lines for an ensemble: remove the line";
        settled.fail_conflict("standaloneEnabled", with.to_owned());
    } else if let Some(server) = first {
        let Setting { key, origin, .. } = lines.of(server);
        settled.note(format!("{origin}: {key} is the only server: it runs without an ensemble"));
    }
}

impl Lines {
    /// Those of the configuration file.
    fn written(settled: &Settled<'_>) -> Lines {
        let family = |name| {
            let members = settled.family(name).into_iter();
            members.map(|(key, entry)| Setting::of(key, entry)).collect()
        };
        Lines { servers: family("server.*"), groups: family("group*"), weights: family("weight*") }
    }

    fn all(&self) -> impl Iterator<Item = &Setting> {
        self.servers.iter().chain(&self.groups).chain(&self.weights)
    }

    /// The servers.
    ///
    /// # Errors
    /// Everything that is wrong.
    fn read(&self, reading: Reading) -> Result<Membership, Vec<ConfigError>> {
        let all: Vec<&Setting> = self.all().collect();
        let settings = all.iter().map(|setting| (setting.key.as_str(), setting.value.as_str()));
        Membership::of_settings(settings, reading).map_err(|faults| {
            let errors = faults.into_iter();
            errors.map(|(at, fault)| all[at].error(ServersFault::Line(fault))).collect()
        })
    }

    /// The line of a server that was read from these lines.
    fn of(&self, server: ServerId) -> &Setting {
        let is_of = |setting: &&Setting| number_behind(&setting.key) == Some(server.0);
        self.servers.iter().rfind(is_of).expect("a server comes from a line")
    }

    /// Where the line of this server lets it serve clients.
    fn own(&self, servers: &Membership, identity: &Identity) -> Own {
        let members = servers.members();
        let client = |member: &Member| member.client.clone().map(Endpoint::from);
        if let Some(member) = identity.number.and_then(|number| members.get(&ServerId(number))) {
            return client(member).map_or(Own::Unsaid, Own::Client);
        }
        let other = members.iter().find(|(_, member)| member.client.is_some());
        other.map_or(Own::Unsaid, |(&server, _)| {
            Own::Elsewhere(self.of(server).error(ServersFault::NotOurs {
                server: server.0,
                path: identity.path.clone(),
                found: identity.number,
            }))
        })
    }
}

impl Setting {
    fn of(key: String, entry: &WrittenEntry) -> Setting {
        Setting { key, value: entry.value.clone(), origin: entry.origin.clone() }
    }

    fn error(&self, fault: ServersFault) -> ConfigError {
        let (key, value) = (self.key.clone(), self.value.clone());
        ConfigError::Servers { origin: self.origin.clone(), key, value, fault }
    }
}
