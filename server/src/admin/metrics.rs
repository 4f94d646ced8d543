//! The items of stock's `ServerMetrics` that mean something here, under stock's names.
//!
//! Roles count as they like and fill a [`Metrics`] when they are asked; what was never set is not
//! shown. Reports of several loops are added up.

use super::inquiry::Spread;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

macro_rules! names {
    ($(#[$about:meta])* $type:ident { $($(#[$doc:meta])* $item:ident = $name:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[$doc])* $item,)+ }

        impl $type {
            /// All of them, in the order in which `mntr` shows them.
            pub const ALL: &[Self] = &[$(Self::$item),+];

            /// Its name, without `zk_`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$item => $name,)+ }
            }
        }
    };
}

names! {
    /// Things that are counted.
    Counter {
        /// Requests that came after their client had gone.
        StaleRequests = "stale_requests",
        /// Those of them that were dropped.
        StaleRequestsDropped = "stale_requests_dropped",
        /// Requests refused because they had waited too long.
        ThrottledOps = "throttled_ops",
        /// Connections refused: there were too many.
        ConnectionRejected = "connection_rejected",
        /// Connections that never said connect.
        SessionlessConnectionsExpired = "sessionless_connections_expired",
        /// Connections that ended.
        ConnectionDropCount = "connection_drop_count",
        /// Bytes from clients.
        BytesReceived = "bytes_received_count",
        /// Times that reading was put off because too many requests were in flight.
        RequestThrottleWaits = "request_throttle_wait_count",
        /// Writes handed over.
        PrepProcessorRequestQueued = "prep_processor_request_queued",
        /// Bytes to clients.
        ResponseBytes = "response_bytes",
        /// Connects of sessions that already were.
        ConnectionRevalidate = "connection_revalidate_count",
        /// Errors after which there is no going on.
        UnrecoverableErrors = "unrecoverable_error_count",
        /// Txns committed.
        CommitCount = "commit_count",
        /// Txns proposed.
        ProposalCount = "proposal_count",
        /// Requests refused for their size.
        LargeRequestsRejected = "large_requests_rejected",
        /// Snapshots that failed.
        SnapshotErrors = "snapshot_error_count",
        /// Digests that did not agree.
        DigestMismatches = "digest_mismatches_count",
        /// Connects, of new sessions and old ones.
        ConnectionRequests = "connection_request_count",
        /// Sessions that ran out of time.
        StaleSessionsExpired = "stale_sessions_expired",
        /// Writes handed to the log.
        SyncProcessorRequestQueued = "sync_processor_request_queued",
    }
}

names! {
    /// Things that are measured, times in ms.
    Measure {
        /// Watchers told of a creation.
        NodeCreatedWatches = "node_created_watch_count",
        /// Watchers told of a deletion.
        NodeDeletedWatches = "node_deleted_watch_count",
        /// Watchers told of new data.
        NodeChangedWatches = "node_changed_watch_count",
        /// Watchers told of a child that came or went.
        NodeChildrenWatches = "node_children_watch_count",
        /// Time to read the log at start.
        StartupTxnsLoadTime = "startup_txns_load_time",
        /// Txns read at start.
        StartupTxnsLoaded = "startup_txns_loaded",
        /// Time to read the snapshot at start.
        StartupSnapLoadTime = "startup_snap_load_time",
        /// Time until the tree was there.
        DbInitTime = "dbinittime",
        /// Time to make a batch durable.
        FsyncTime = "fsynctime",
        /// Txns in a batch.
        SyncProcessorBatchSize = "sync_processor_batch_size",
        /// Time to write a snapshot.
        SnapshotTime = "snapshottime",
        /// Time to answer a write.
        UpdateLatency = "updatelatency",
        /// Time to answer a read.
        ReadLatency = "readlatency",
        /// Time from a write's receipt to its being visible.
        PropagationLatency = "propagation_latency",
    }
}

/// Measurements, with quantiles where a histogram was kept.
#[derive(Clone, Debug, Default)]
pub struct Distribution {
    /// In short.
    pub spread: Spread,
    /// In full.
    pub histogram: Option<Histogram<u64>>,
}

/// What was counted and measured.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    pub(super) counters: BTreeMap<Counter, u64>,
    pub(super) measures: BTreeMap<Measure, Distribution>,
}

impl Metrics {
    /// Adds to a counter, which is shown from then on.
    pub fn count(&mut self, counter: Counter, by: u64) {
        *self.counters.entry(counter).or_default() += by;
    }

    /// Adds measurements.
    pub fn measure(&mut self, measure: Measure, spread: Spread) {
        self.measures.entry(measure).or_default().spread.merge(spread);
    }

    /// Adds measurements of which quantiles are known.
    pub fn distribution(&mut self, measure: Measure, spread: Spread, histogram: &Histogram<u64>) {
        let entry = self.measures.entry(measure).or_default();
        entry.spread.merge(spread);
        match &mut entry.histogram {
            Some(known) => {
                // A value beyond the range of the first is counted at its end.
                for bucket in histogram.iter_recorded() {
                    known.saturating_record_n(
                        bucket.value_iterated_to(),
                        bucket.count_since_last_iteration(),
                    );
                }
            }
            None => entry.histogram = Some(histogram.clone()),
        }
    }

    /// Takes in what another loop has counted.
    pub fn merge(&mut self, other: &Self) {
        for (&counter, &by) in &other.counters {
            self.count(counter, by);
        }
        for (&measure, theirs) in &other.measures {
            match &theirs.histogram {
                Some(histogram) => self.distribution(measure, theirs.spread, histogram),
                None => self.measure(measure, theirs.spread),
            }
        }
    }
}
