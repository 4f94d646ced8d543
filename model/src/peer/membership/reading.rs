//! Lines become a membership.

use std::collections::BTreeMap;

use crate::properties::{self, Property};
use crate::server::ServerId;

use super::super::address::split_java;
use super::{Fault, Hierarchy, Member, Membership, MembershipError};

/// How lines are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// A server may have several addresses (`multiAddress.enabled`).
    pub is_multi: bool,
    /// Groups and weights count; with `oraclePath` they do not.
    pub has_groups: bool,
}

/// A line: its index among those that were given, its key and its value.
type Line<'a> = (usize, &'a str, &'a str);

/// Characters of a key that an error shows.
const KEY_SHOWN_MAX: usize = 40;

impl Membership {
    /// Reads the text of a membership, with or without a version.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &[u8], reading: Reading) -> Result<Self, MembershipError> {
        let error = |line, key: &str, fault| MembershipError { line, key: shown(key), fault };
        let lines = properties::parse_text(&String::from_utf8_lossy(text))
            .map_err(|malformed| error(malformed.line, "", Fault::Escape))?;
        // Of equal keys the last one counts.
        let by_key: BTreeMap<&str, &Property> =
            lines.iter().map(|line| (line.key.as_str(), line)).collect();
        let mut lines: Vec<_> = by_key.into_values().collect();
        lines.sort_by_key(|line| line.line);
        let settings = lines.iter().map(|line| (line.key.as_str(), line.value.as_str()));
        Self::of_settings(settings, reading).map_err(|faults| {
            let (index, fault) = faults.into_iter().next().expect("an error has a reason");
            error(lines[index].line, &lines[index].key, fault)
        })
    }

    /// Reads lines that have been split into key and value, no key twice.
    ///
    /// # Errors
    /// Everything that is wrong, each with the index of its line: first what is wrong with single
    /// lines, and if there is none of that, what is wrong with groups and weights.
    pub fn of_settings<'a>(
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
        reading: Reading,
    ) -> Result<Self, Vec<(usize, Fault)>> {
        let mut faults = Vec::new();
        let mut membership = Self::majority(BTreeMap::new(), 0);
        let mut places = BTreeMap::new();
        let (mut groups, mut weights) = (Vec::new(), Vec::new());
        for (index, (key, value)) in settings.into_iter().enumerate() {
            if key.starts_with("server.") {
                match server(key, value, reading) {
                    Ok((id, member)) => {
                        membership.members.insert(id, member);
                        places.insert(id, index);
                    }
                    Err(fault) => faults.push((index, fault)),
                }
            } else if key.starts_with("group") {
                groups.push((index, key, value));
            } else if key.starts_with("weight") {
                weights.push((index, key, value));
            } else if key == "version" {
                match i64::from_str_radix(value, 16) {
                    Ok(version) => membership.version = version,
                    Err(_) => faults.push((index, Fault::Version)),
                }
            } else {
                faults.push((index, Fault::Unknown));
            }
        }
        let is_hierarchical = !(groups.is_empty() && weights.is_empty());
        if faults.is_empty() && is_hierarchical && reading.has_groups {
            let hierarchy = Hierarchy::read(&membership, &groups, &weights, &mut faults);
            let alone = membership.participants().filter(|id| !hierarchy.groups.contains_key(id));
            faults.extend(alone.map(|id| (places[&id], Fault::InNoGroup)));
            membership.hierarchy = Some(hierarchy);
        }
        if faults.is_empty() { Ok(membership) } else { Err(faults) }
    }
}

impl Hierarchy {
    fn read(
        membership: &Membership,
        groups: &[Line<'_>],
        weights: &[Line<'_>],
        faults: &mut Vec<(usize, Fault)>,
    ) -> Self {
        let mut hierarchy = Self::default();
        // Voters have a weight without being given it.
        hierarchy.weights.extend(membership.participants().map(|id| (id, 1)));
        for &(index, key, value) in weights {
            match (number_behind(key), value.parse()) {
                (Some(server), Ok(weight)) => {
                    hierarchy.weights.insert(ServerId(server), weight);
                }
                _ => faults.push((index, Fault::Weight)),
            }
        }
        let mut keys: BTreeMap<ServerId, &str> = BTreeMap::new();
        for &(index, key, value) in groups {
            let servers = split_java(value, ':').into_iter().map(str::parse);
            let servers: Result<Vec<i64>, _> = servers.collect();
            let (Some(group), Ok(servers)) = (number_behind(key), servers) else {
                faults.push((index, Fault::Group));
                continue;
            };
            for server in servers.into_iter().map(ServerId) {
                hierarchy.groups.insert(server, group);
                if let Some(other) = keys.insert(server, key) {
                    let other = shown(other);
                    faults.push((index, Fault::InTwoGroups { server, other }));
                } else if !hierarchy.weights.contains_key(&server) {
                    faults.push((index, Fault::NoSuchMember { server }));
                }
            }
        }
        hierarchy
    }
}

/// A key for an error. Keys of other servers may be long, and named by many errors.
fn shown(key: &str) -> String {
    key.chars().take(KEY_SHOWN_MAX).collect()
}

fn server(key: &str, value: &str, reading: Reading) -> Result<(ServerId, Member), Fault> {
    let id = number_behind(key).ok_or(Fault::Number)?;
    Ok((ServerId(id), Member::read(value, reading.is_multi)?))
}

/// The number in a key: all that follows its first dot, or the whole key.
pub fn number_behind(key: &str) -> Option<i64> {
    key.split_once('.').map_or(key, |(_, number)| number).parse().ok()
}
