//! `group.N` and `weight.N`: a quorum in every group, of votes with different weights.
//!
//! A single server is its own quorum, so they decide nothing here; but ZooKeeper does not start
//! with lines that contradict each other, and neither does this server.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::ConfigError;

use super::{Lines, Servers, ServersFault, line::split, number_behind};

/// Everything that is wrong with groups and weights.
pub(super) fn errors(lines: &Lines, servers: &Servers) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    if lines.groups.is_empty() && lines.weights.is_empty() {
        return errors;
    }
    let voters = || servers.0.iter().filter(|(_, member)| !member.line.observes);
    // Which servers have a weight: voters have one by default.
    let mut weighed: BTreeSet<i64> = voters().map(|(&number, _)| number).collect();
    for setting in &lines.weights {
        match (number_behind(&setting.key), setting.value.parse::<i64>()) {
            (Some(server), Ok(_)) => drop(weighed.insert(server)),
            _ => errors.push(setting.error(ServersFault::Weight)),
        }
    }
    let mut group_of: BTreeMap<i64, &str> = BTreeMap::new();
    for setting in &lines.groups {
        let members = split(&setting.value, ':').into_iter().map(str::parse::<i64>);
        let members: Result<Vec<i64>, _> = members.collect();
        let (Some(_), Ok(members)) = (number_behind(&setting.key), members) else {
            errors.push(setting.error(ServersFault::Group));
            continue;
        };
        for server in members {
            if let Some(other) = group_of.insert(server, &setting.key) {
                let other = other.to_owned();
                errors.push(setting.error(ServersFault::InTwoGroups { server, other }));
            } else if !weighed.contains(&server) {
                errors.push(setting.error(ServersFault::NoSuchMember { server }));
            }
        }
    }
    for (number, member) in voters() {
        if !group_of.contains_key(number) {
            errors.push(lines.servers[member.at].error(ServersFault::InNoGroup));
        }
    }
    errors
}
