//! What `mntr` shows beside its fixed gauges: stock's metrics, under stock's names.
//!
//! Roles count in their own ways and fill a [`Metrics`] on request; what was never set is zero.
//! Reports of several loops are summed.

mod names;

pub use names::{Counter, Measure, ServerMeasure};

use engine::meter::{Tally, Traffic};
use model::server::ServerId;
use std::collections::BTreeMap;

/// Limits and usage of the quotas of one part of the tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaSums {
    /// Limits of bytes; -1 for none.
    pub bytes_max: i64,
    /// Limits of nodes; -1 for none.
    pub count_max: i64,
    /// Bytes.
    pub bytes: i64,
    /// Nodes.
    pub count: i64,
}

impl QuotaSums {
    /// Adds those of another quota of the same part.
    pub fn add(&mut self, other: Self) {
        self.bytes_max = self.bytes_max.saturating_add(other.bytes_max);
        self.count_max = self.count_max.saturating_add(other.count_max);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.count = self.count.saturating_add(other.count);
    }
}

/// What was counted and measured.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    counters: BTreeMap<Counter, u64>,
    measures: BTreeMap<Measure, Tally>,
    of_servers: BTreeMap<(ServerMeasure, ServerId), Tally>,
    /// Bytes read, by the part of the tree.
    pub read: Traffic,
    /// Bytes written.
    pub written: Traffic,
    /// Writes that a quota refused.
    pub over_quota: Traffic,
    /// Quotas, by the part of the tree.
    pub quotas: BTreeMap<String, QuotaSums>,
}

impl Metrics {
    /// Adds to a counter.
    pub fn count(&mut self, counter: Counter, by: u64) {
        *self.counters.entry(counter).or_default() += by;
    }

    /// Adds measurements.
    pub fn tally(&mut self, measure: Measure, tally: &Tally) {
        self.measures.entry(measure).or_default().merge(tally);
    }

    /// Adds measurements of a server.
    pub fn tally_of_server(&mut self, measure: ServerMeasure, server: ServerId, tally: &Tally) {
        self.of_servers.entry((measure, server)).or_default().merge(tally);
    }

    /// Counts this, whatever was counted before.
    pub fn set(&mut self, counter: Counter, to: u64) {
        self.counters.insert(counter, to);
    }

    /// Adds what another loop has counted.
    pub fn merge(&mut self, other: &Self) {
        for (&counter, &by) in &other.counters {
            self.count(counter, by);
        }
        for (&measure, theirs) in &other.measures {
            self.tally(measure, theirs);
        }
        for (&(measure, server), theirs) in &other.of_servers {
            self.tally_of_server(measure, server, theirs);
        }
        self.read.merge(&other.read);
        self.written.merge(&other.written);
        self.over_quota.merge(&other.over_quota);
        self.quotas.extend(other.quotas.iter().map(|(part, sums)| (part.clone(), *sums)));
    }

    /// A counter's number.
    pub fn counted(&self, counter: Counter) -> u64 {
        self.counters.get(&counter).copied().unwrap_or_default()
    }

    /// What was measured of servers, by their numbers.
    pub fn measured_of_servers(
        &self,
        measure: ServerMeasure,
    ) -> impl Iterator<Item = (ServerId, &Tally)> {
        let of_it = self.of_servers.iter().filter(move |((it, _), _)| *it == measure);
        of_it.map(|((_, server), tally)| (*server, tally))
    }

    /// What was measured.
    pub fn measured(&self, measure: Measure) -> Tally {
        self.measures.get(&measure).cloned().unwrap_or_default()
    }
}
