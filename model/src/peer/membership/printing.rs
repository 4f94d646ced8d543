//! A membership becomes text, as ZooKeeper prints it (`QuorumMaj.toString`,
//! `QuorumHierarchical.toString`): the lines in the order of Java's hash tables, and no newline
//! behind the version.

use std::collections::BTreeMap;
use std::fmt;

use super::{Hierarchy, Membership};

impl fmt::Display for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.members.iter().map(|(id, member)| (id.0, member));
        for (id, member) in in_java_order(members.collect()) {
            writeln!(f, "server.{id}={member}")?;
        }
        if let Some(hierarchy) = &self.hierarchy {
            write!(f, "{hierarchy}")?;
        }
        write!(f, "version={:x}", self.version)
    }
}

impl fmt::Display for Hierarchy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers = self.groups.iter().map(|(server, &group)| (server.0, group)).collect();
        let mut groups: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for (server, group) in in_java_order(servers) {
            groups.entry(group).or_default().push(server.to_string());
        }
        for (group, servers) in in_java_order(groups.into_iter().collect()) {
            writeln!(f, "group.{group}={}", servers.join(":"))?;
        }
        let weights = self.weights.iter().map(|(server, &weight)| (server.0, weight)).collect();
        for (server, weight) in in_java_order(weights) {
            writeln!(f, "weight.{server}={weight}")?;
        }
        Ok(())
    }
}

/// Sorts as a `HashMap<Long, _>` goes through its keys: by the number of the bucket, in a table
/// that is at most three quarters full. Within a bucket Java goes by the order of insertion, which
/// its reader of properties leaves open; here the smaller number comes first.
fn in_java_order<V>(mut entries: Vec<(i64, V)>) -> Vec<(i64, V)> {
    let mut buckets: u32 = 16;
    while entries.len() > buckets as usize / 4 * 3 {
        buckets *= 2;
    }
    entries.sort_by_key(|&(key, _)| {
        let hash = (key ^ ((key as u64) >> 32) as i64) as u32;
        ((hash ^ (hash >> 16)) & (buckets - 1), key)
    });
    entries
}
