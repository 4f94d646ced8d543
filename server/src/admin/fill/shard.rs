//! What a shard reports.

use crate::admin::inquiry::{
    ConnectionPage, ConnectionReport, LastMaxMin, ShardInquiry, ShardReport, Spread, WatchCounts,
    WatchCursor, WatchPage, WatchReport,
};
use crate::admin::limits::PAGE_ENTRIES_MAX;
use crate::admin::metrics::{Counter, Measure, Metrics};
use engine::batch::ConnectionId;
use engine::shard::{Connection, Shard, ShardMeters};
use model::session::SessionId;
use std::ops::Range;

/// What the loop of a shard knows of it.
#[derive(Debug, Default)]
pub struct OfLoop {
    /// The share of its time that the loop works, in thousandths.
    pub busy_permille: u32,
    /// What it has counted, if that is asked for.
    pub metrics: Metrics,
}

/// Answers for a shard. `unsent_bytes` is how much output of a connection its socket has not taken
/// yet.
pub fn shard(
    inquiry: ShardInquiry,
    shard: &mut Shard,
    unsent_bytes: impl Fn(ConnectionId) -> usize,
    of_loop: OfLoop,
) {
    // The requester may be gone; then the reply is dropped.
    match inquiry {
        ShardInquiry::Counts(reply) => {
            reply.send(shard_report(shard, of_loop.busy_permille)).ok();
        }
        ShardInquiry::Metrics(reply) => {
            reply.send(Box::new(shard_metrics(shard.meters(), of_loop.metrics))).ok();
        }
        ShardInquiry::ResetCounts(reply) => {
            shard.reset_counts();
            reply.send(()).ok();
        }
        ShardInquiry::ResetConnections(from, reply) => {
            let (slots, next) = some_slots(shard, from);
            shard.reset_connection_counts(slots);
            reply.send(next).ok();
        }
        ShardInquiry::Connections(from, reply) => {
            reply.send(connection_page(shard, from, unsent_bytes)).ok();
        }
        ShardInquiry::Watches(from, reply) => {
            reply.send(watch_page(shard, from)).ok();
        }
        // The loop answers these: they are about its sockets.
        ShardInquiry::Moving(_) => (),
    }
}

fn shard_report(shard: &Shard, busy_permille: u32) -> ShardReport {
    let [data, children] = shard.watches();
    let counts = shard.counts();
    ShardReport {
        connections: shard.connection_count() as u64,
        received: counts.received,
        sent: counts.sent,
        outstanding: shard.outstanding(),
        busy_permille,
        latency: Spread {
            count: counts.answered,
            sum: counts.latency_ms_sum,
            min: counts.latency_ms_min,
            max: counts.latency_ms_max,
        },
        auth_failed: counts.auth_failed,
        response_bytes: (counts.response_bytes_max > 0).then_some(LastMaxMin {
            last: counts.response_bytes_last,
            max: counts.response_bytes_max,
            min: counts.response_bytes_min,
        }),
        data_watches: WatchCounts {
            connections: data.connection_count() as u64,
            // The watches of a closed connection are removed at once, their paths incrementally.
            paths: data.path_count().min(data.len()) as u64,
            watches: data.len() as u64,
        },
        child_watch_count: children.len() as u64,
    }
}

/// Adds what a shard has measured to what its loop has counted.
fn shard_metrics(meters: &ShardMeters, mut metrics: Metrics) -> Metrics {
    let counted = [
        (Counter::WatchBytes, meters.event_bytes),
        (Counter::BytesReceivedCount, meters.bytes_received),
        (Counter::PrepProcessorRequestQueued, meters.requests),
        (Counter::SyncProcessorRequestQueued, meters.requests),
        (Counter::ResponseBytes, meters.response_bytes),
        (Counter::ConnectionRevalidateCount, meters.revalidations),
        (Counter::LargeRequestsRejected, meters.large_refused),
        (Counter::ConnectionRequestCount, meters.connects),
        (Counter::EnsembleAuthSuccess, meters.ensemble_auth.accepted),
        (Counter::EnsembleAuthFail, meters.ensemble_auth.refused),
        (Counter::EnsembleAuthSkip, meters.ensemble_auth.skipped),
    ];
    for (counter, by) in counted {
        metrics.count(counter, by);
    }
    let measures = [
        Measure::NodeCreatedWatchCount,
        Measure::NodeDeletedWatchCount,
        Measure::NodeChangedWatchCount,
        Measure::NodeChildrenWatchCount,
    ];
    for (measure, tally) in measures.into_iter().zip(&meters.notified) {
        metrics.tally(measure, tally);
    }
    metrics.tally(Measure::Readlatency, &meters.reads);
    metrics.tally(Measure::Updatelatency, &meters.updates);
    metrics.read.merge(&meters.read_traffic);
    metrics
}

/// As many slots as a page examines, and the slot to continue from.
pub(super) fn some_slots(shard: &Shard, from: u32) -> (Range<u32>, Option<u32>) {
    let all = shard.slot_count();
    let end = from.saturating_add(PAGE_ENTRIES_MAX as u32).min(all);
    (from..end, (end < all).then_some(end))
}

pub(super) fn connection_page(
    shard: &Shard,
    from: u32,
    unsent_bytes: impl Fn(ConnectionId) -> usize,
) -> ConnectionPage {
    let (slots, next) = some_slots(shard, from);
    let reports = shard.connections(slots).map(|(id, connection)| {
        let unsent = unsent_bytes(id);
        connection_report(connection, shard.is_reading(id, unsent), unsent > 0)
    });
    ConnectionPage { connections: reports.collect(), next }
}

fn connection_report(
    connection: &Connection,
    is_reading: bool,
    is_writing: bool,
) -> ConnectionReport {
    let counts = connection.counts();
    ConnectionReport {
        peer: connection.peer(),
        is_reading,
        is_writing,
        session: connection.session(),
        queued: connection.outstanding(),
        received: counts.received,
        sent: counts.sent,
        last_op: counts.last_op,
        established_ms: counts.established_ms,
        heard_ms: connection.last_active_ms(),
        timeout_ms: connection.timeout_ms(),
        last_cxid: counts.last_cxid,
        last_zxid: counts.last_zxid,
        last_response_ms: counts.last_response_ms,
        last_latency_ms: counts.last_latency_ms,
        latency: Spread {
            count: counts.answered,
            sum: counts.latency_ms_sum,
            min: counts.latency_ms_min,
            max: counts.latency_ms_max,
        },
    }
}

pub(super) fn watch_page(shard: &Shard, from: WatchCursor) -> WatchPage {
    let table = shard.watches()[0];
    let (mut page, mut left, mut at) = (WatchPage::default(), PAGE_ENTRIES_MAX, from);
    while at.slot < shard.slot_count() {
        if left == 0 {
            page.next = Some(at);
            break;
        }
        let WatchCursor { slot, place } = at;
        at = WatchCursor { slot: slot + 1, place: 0 };
        // A slot counts, whether something is found there or not.
        left -= 1;
        // Stock also lists connections that have no watch left.
        if !table.knows(slot) {
            continue;
        }
        let (paths, left_of_it, next) = table.some_of_slot(slot, place, left);
        let paths: Vec<_> = paths.cloned().collect();
        if !paths.is_empty() || place == 0 {
            let connection = shard.connections(slot..slot + 1).next();
            let session = connection.map_or(SessionId(0), |(_, it)| it.session());
            page.connections.push(WatchReport { slot, session, paths });
        }
        match next {
            Some(place) => (at, left) = (WatchCursor { slot, place }, 0),
            None => left = left_of_it,
        }
    }
    page
}
