//! Servers, groups and weights, as far as a single server needs them: whether the lines mean a
//! single server, and whether and where they let it serve clients.
//!
//! `myid` in the data directory says which `server.N` line is this server's own, as in ZooKeeper;
//! the port for clients in another server's line does not count.
//!
//! - [`identity`] `myid`
//! - [`dynamic`] the same lines in a file of their own
//! - [`line`] one `server.N` line
//! - [`groups`] `group.N` and `weight.N`

use std::{collections::BTreeMap, path::Path};

use crate::config::{ConfigError, Origin, written::WrittenEntry};

use super::{Endpoint, Files, parts, settle::Settled};

mod dynamic;
mod fault;
mod groups;
mod identity;
mod line;
#[cfg(test)]
mod tests;

pub use self::fault::ServersFault;
use self::{identity::Identity, line::Line};

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

/// How lines are read.
#[derive(Clone, Copy)]
struct Reading {
    /// A server may have several addresses.
    is_multi: bool,
    /// Groups and weights count; with `oraclePath` they do not.
    has_groups: bool,
}

/// The servers of the lines, by number.
#[derive(Default)]
struct Servers(BTreeMap<i64, Member>);

/// A server, and the place of its line among [`Lines::servers`].
struct Member {
    at: usize,
    line: Line,
}

/// Checks that the lines mean a single server, and finds its own line.
pub(super) fn check(settled: &mut Settled<'_>, files: Files<'_>) -> Own {
    let data_dir = parts::data_dir(settled);
    let identity = Identity::read(&data_dir, files);
    let multi = settled.java_property("zookeeper.multiAddress.enabled");
    let reading = Reading {
        is_multi: multi.is_some_and(|value| value.eq_ignore_ascii_case("true")),
        has_groups: !settled.has_line("oraclePath"),
    };
    let written = Lines::written(settled);
    let lines = match settled.maybe_text("dynamicConfigFile") {
        None => Ok(written),
        Some(path) => {
            for setting in written.all() {
                settled.fail(setting.error(ServersFault::BesideDynamic));
            }
            dynamic::read(settled, Path::new(&path), files, reading)
        }
    };
    let servers = lines.and_then(|lines| {
        let servers = lines.read(reading)?;
        check_count(settled, &lines, &servers);
        Ok((lines, servers))
    });
    match (servers, identity) {
        (Ok((lines, servers)), Ok(identity)) => servers.own(&lines, &identity),
        (servers, identity) => {
            let errors = servers.err().into_iter().flatten().chain(identity.err());
            errors.for_each(|error| settled.fail(error));
            Own::Unknown
        }
    }
}

/// Only a single server is supported; several of them, or an ensemble of one, are not built yet.
fn check_count(settled: &mut Settled<'_>, lines: &Lines, servers: &Servers) {
    let is_standalone_allowed = settled.flag("standaloneEnabled");
    let mut voters = servers.0.values().filter(|member| !member.line.observes);
    let (first, second) = (voters.next(), voters.next());
    let observer = servers.0.values().find(|member| member.line.observes);
    if let Some(member) = second {
        settled.fail(lines.servers[member.at].error(ServersFault::Many));
    } else if let Some(member) = observer {
        settled.fail(lines.servers[member.at].error(ServersFault::Observer));
    } else if !is_standalone_allowed {
        let with = match first {
            Some(_) => "an ensemble of one server is not built yet: remove the line",
            None => "there are no server.N lines for an ensemble: remove the line",
        };
        settled.fail_conflict("standaloneEnabled", with.to_owned());
    } else if let Some(member) = first {
        let Setting { key, origin, .. } = &lines.servers[member.at];
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
    fn read(&self, reading: Reading) -> Result<Servers, Vec<ConfigError>> {
        let mut servers = Servers::default();
        let mut errors = Vec::new();
        for (at, setting) in self.servers.iter().enumerate() {
            let Some(number) = number_behind(&setting.key) else {
                errors.push(setting.error(ServersFault::Number));
                continue;
            };
            match Line::read(&setting.value, reading.is_multi) {
                Ok(line) => drop(servers.0.insert(number, Member { at, line })),
                Err(fault) => errors.push(setting.error(fault)),
            }
        }
        if errors.is_empty() && reading.has_groups {
            errors = groups::errors(self, &servers);
        }
        if errors.is_empty() { Ok(servers) } else { Err(errors) }
    }
}

impl Servers {
    /// Where the line of this server lets it serve clients.
    fn own(&self, lines: &Lines, identity: &Identity) -> Own {
        if let Some(member) = identity.number.and_then(|number| self.0.get(&number)) {
            return member.line.client.clone().map_or(Own::Unsaid, Own::Client);
        }
        let other = self.0.iter().find(|(_, member)| member.line.client.is_some());
        other.map_or(Own::Unsaid, |(&server, member)| {
            Own::Elsewhere(lines.servers[member.at].error(ServersFault::NotOurs {
                server,
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

/// The number in a key: all that follows its first dot, or the whole key.
fn number_behind(key: &str) -> Option<i64> {
    key.split_once('.').map_or(key, |(_, number)| number).parse().ok()
}
