//! The reports of all roles, summed.

use super::inquiry::{LastMaxMin, OrderingReport, ShardReport};
use super::metrics::{Counter, Metrics};

/// The server as `srvr` and `mntr` show it.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// All shards, except the watched paths.
    pub shards: ShardReport,
    /// Each shard, in the order of their numbers.
    pub by_shard: Vec<ShardReport>,
    /// The ordering role.
    pub ordering: OrderingReport,
    /// What all of them count beside that; empty unless it was requested.
    pub metrics: Metrics,
    /// The probability that the throttle refuses the next connect.
    pub drop_probability: f64,
}

impl Totals {
    /// Sums the reports. `words` counts what no shard does: the words and their answers.
    pub fn of(shards: &[ShardReport], ordering: OrderingReport, words: WordCounts) -> Self {
        let mut totals = Self { ordering, by_shard: shards.to_vec(), ..Self::default() };
        for shard in shards {
            totals.add(shard);
        }
        let sum = &mut totals.shards;
        sum.connections += words.open;
        sum.received += words.received;
        sum.sent += words.sent;
        totals
    }

    /// With what the roles count beside their reports; words are packets of four bytes.
    #[must_use]
    pub fn with_metrics(mut self, mut metrics: Metrics, words: WordCounts) -> Self {
        metrics.count(Counter::BytesReceivedCount, 4 * words.received);
        if let Some(ensemble) = &self.ordering.ensemble {
            // A request is ordered by the leader, whose client's or learner's it may be; and reads
            // do not go to the log of an ensemble in ZooKeeper either.
            metrics.set(Counter::PrepProcessorRequestQueued, ensemble.requests);
            metrics.set(Counter::SyncProcessorRequestQueued, ensemble.logged);
        }
        self.metrics = metrics;
        self
    }

    fn add(&mut self, shard: &ShardReport) {
        let sum = &mut self.shards;
        sum.connections += shard.connections;
        sum.received += shard.received;
        sum.sent += shard.sent;
        sum.outstanding += shard.outstanding;
        sum.latency.merge(shard.latency);
        sum.auth_failed += shard.auth_failed;
        // It is not known which shard's response was the last; the last shard that had one stands
        // for it.
        sum.response_bytes = match (sum.response_bytes, shard.response_bytes) {
            (Some(a), Some(b)) => {
                Some(LastMaxMin { last: b.last, max: a.max.max(b.max), min: a.min.min(b.min) })
            }
            (a, b) => b.or(a),
        };
        sum.data_watches.connections += shard.data_watches.connections;
        sum.data_watches.paths += shard.data_watches.paths;
        sum.data_watches.watches += shard.data_watches.watches;
        sum.child_watch_count += shard.child_watch_count;
    }

    /// The shortest latency in ms; 0 before the first.
    pub fn latency_min(&self) -> u64 {
        if self.shards.latency.count == 0 { 0 } else { self.shards.latency.min }
    }

    /// The longest latency in ms; 0 before the first.
    pub fn latency_max(&self) -> u64 {
        if self.shards.latency.count == 0 { 0 } else { self.shards.latency.max }
    }
}

/// Words, counted by the admin thread as packets, like on stock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WordCounts {
    /// Connections that wait for the answer to a word.
    pub open: u64,
    /// Words received.
    pub received: u64,
    /// Answers sent.
    pub sent: u64,
}
