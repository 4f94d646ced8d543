//! What the ordering role's host measures: its log, its snapshots, its start; in an ensemble
//! [`agreement`].

mod agreement;

pub(super) use agreement::AgreementMeters;

use crate::admin::metrics::{Counter, Measure, Metrics};
use crate::persist::Summary;
use engine::meter::Tally;
use model::zxid::Zxid;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Numbers that `srst` resets.
#[derive(Clone, Debug, Default)]
struct Numbers {
    flushes: Tally,
    batches: Tally,
    in_log: Tally,
    until_visible: Tally,
    snapshots: Tally,
    snapshots_failed: u64,
    snapshot_loads: Tally,
    replays: Tally,
    replayed: Tally,
    starts: Tally,
    slow_flushes: u64,
}

/// The measurements.
///
/// Lives in: the ordering role's core loop.
#[derive(Debug, Default)]
pub(super) struct Meters {
    numbers: Numbers,
    /// Txns that are appended and not yet published, and when each was appended, in ms of the
    /// monotonic clock.
    in_flight: VecDeque<(Zxid, u64)>,
    /// The log is durable through this txn.
    durable: Zxid,
    /// Of a server of an ensemble.
    pub(super) agreement: Option<Box<AgreementMeters>>,
    snapshot_began: Option<Instant>,
    /// The last snapshot, and when it was written, in ms since 1970.
    last_snapshot: Option<(Zxid, i64)>,
}

impl Meters {
    /// The measurements of a server that has just started.
    pub(super) fn of_start(summary: &Summary) -> Self {
        let mut meters = Self { last_snapshot: summary.snapshot, ..Self::default() };
        let numbers = &mut meters.numbers;
        let [load_ms, replay_ms] =
            [summary.load_time, summary.replay_time].map(|time| time.as_millis() as u64);
        numbers.snapshot_loads.add(load_ms);
        numbers.replays.add(replay_ms);
        numbers.replayed.add(summary.replayed);
        numbers.starts.add(load_ms + replay_ms);
        meters
    }

    /// A txn was appended.
    pub(super) fn appended(&mut self, zxid: Zxid, now_ms: u64) {
        self.in_flight.push_back((zxid, now_ms));
    }

    /// So many txns were appended together.
    pub(super) fn departed(&mut self, count: u64) {
        if count > 0 {
            self.numbers.batches.add(count);
        }
    }

    /// The log is durable through this txn.
    pub(super) fn durable(&mut self, zxid: Zxid, now_ms: u64) {
        let from = self.in_flight.partition_point(|(it, _)| *it <= self.durable);
        let to = self.in_flight.partition_point(|(it, _)| *it <= zxid);
        for (_, since_ms) in self.in_flight.range(from..to) {
            self.numbers.in_log.add(now_ms.saturating_sub(*since_ms));
        }
        self.durable = self.durable.max(zxid);
    }

    /// All txns through this one are visible.
    pub(super) fn published(&mut self, zxid: Zxid, now_ms: u64) {
        while let Some(&(first, since_ms)) = self.in_flight.front()
            && first <= zxid
        {
            self.in_flight.pop_front();
            self.numbers.until_visible.add(now_ms.saturating_sub(since_ms));
        }
    }

    /// What is appended and not visible may never become so: the leader is lost.
    pub(super) fn forget_in_flight(&mut self) {
        self.in_flight.clear();
    }

    /// Something was made durable.
    pub(super) fn flushed(&mut self, took: Duration, is_slow: bool) {
        self.numbers.flushes.add(took.as_millis() as u64);
        self.numbers.slow_flushes += u64::from(is_slow);
    }

    /// A snapshot begins.
    pub(super) fn snapshot_began(&mut self) {
        self.snapshot_began = Some(Instant::now());
    }

    /// The snapshot has ended.
    pub(super) fn snapshot_ended(&mut self, written: Option<Zxid>, wall_ms: i64) {
        let took = self.snapshot_began.take().map(|began| began.elapsed());
        match written {
            Some(zxid) => {
                self.numbers.snapshots.add(took.unwrap_or_default().as_millis() as u64);
                self.last_snapshot = Some((zxid, wall_ms));
            }
            None => self.numbers.snapshots_failed += 1,
        }
    }

    /// The last snapshot, and when it was written, in ms since 1970.
    pub(super) fn last_snapshot(&self) -> Option<(Zxid, i64)> {
        self.last_snapshot
    }

    /// Flushes that took longer than was configured.
    pub(super) fn slow_flushes(&self) -> u64 {
        self.numbers.slow_flushes
    }

    /// Forgets the numbers; those about the sizes of proposals only if that is requested.
    pub(super) fn reset(&mut self, forgets_proposals: bool) {
        self.numbers = Numbers::default();
        if let Some(agreement) = &mut self.agreement {
            agreement.reset(forgets_proposals);
        }
    }

    /// Fills a report.
    pub(super) fn fill(&self, metrics: &mut Metrics) {
        let numbers = &self.numbers;
        metrics.count(Counter::SnapshotErrorCount, numbers.snapshots_failed);
        let tallies = [
            (Measure::Fsynctime, &numbers.flushes),
            (Measure::SyncProcessorBatchSize, &numbers.batches),
            (Measure::Snapshottime, &numbers.snapshots),
            (Measure::StartupSnapLoadTime, &numbers.snapshot_loads),
            (Measure::StartupTxnsLoadTime, &numbers.replays),
            (Measure::StartupTxnsLoaded, &numbers.replayed),
            (Measure::Dbinittime, &numbers.starts),
            (Measure::SyncProcessorQueueFlushTimeMs, &numbers.flushes),
            (Measure::SyncProcessorQueueAndFlushTimeMs, &numbers.in_log),
            (Measure::PropagationLatency, &numbers.until_visible),
        ];
        for (measure, tally) in tallies {
            metrics.tally(measure, tally);
        }
        if let Some(agreement) = &self.agreement {
            agreement.fill(metrics);
        }
    }
}
