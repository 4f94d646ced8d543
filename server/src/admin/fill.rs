//! Reports of the engine's own types: what a core loop calls with an inquiry from its inbox.
//!
//! What the engine does not know comes in with the call: what sockets have not sent, what the
//! loop and the log have counted, whether clients are served.

use super::inquiry::{
    ConnectionPage, ConnectionReport, EphemeralCursor, EphemeralPage, EphemeralReport, LastMaxMin,
    Mode, OrderingInquiry, OrderingReport, SessionExpiry, SessionPage, ShardInquiry, ShardReport,
    Spread, WatchCounts, WatchCursor, WatchPage, WatchReport,
};
use super::limits::PAGE_ENTRIES_MAX;
use super::metrics::{Counter, Measure, Metrics, QuotaSums};
use engine::batch::ConnectionId;
use engine::ordering::{Ordering, Refusal};
use engine::quota::{self, Track};
use engine::settings::Now;
use engine::shard::{Connection, Shard, ShardCounts, ShardMeters};
use engine::state::State;
use model::zxid::Zxid;

/// Answers for a shard. `unsent_bytes` says how much output of a connection its socket has not
/// taken yet; `metrics` what the loop has counted for its shard.
pub fn shard(
    inquiry: ShardInquiry,
    shard: &mut Shard,
    unsent_bytes: impl Fn(ConnectionId) -> usize,
    metrics: impl FnOnce() -> Metrics,
) {
    // Whoever asked may have left; then there is nobody to tell.
    match inquiry {
        ShardInquiry::Counts(reply) => {
            reply.send(shard_report(shard, metrics())).ok();
        }
        ShardInquiry::ResetCounts(reply) => {
            let auth_failed = shard.counts.auth_failed;
            shard.counts = ShardCounts { auth_failed, ..ShardCounts::default() };
            shard.meters.reset();
            reply.send(()).ok();
        }
        ShardInquiry::ResetConnections(reply) => {
            shard.reset_connection_counts();
            reply.send(()).ok();
        }
        ShardInquiry::Connections(from, reply) => {
            reply.send(connection_page(shard, from, unsent_bytes)).ok();
        }
        ShardInquiry::Watches(from, reply) => {
            reply.send(watch_page(shard, from)).ok();
        }
    }
}

fn shard_report(shard: &Shard, metrics: Metrics) -> ShardReport {
    let [data, children] = shard.watches();
    let (mut connections, mut outstanding) = (0, 0);
    for (_, connection) in shard.connections() {
        connections += 1;
        outstanding += connection.outstanding();
    }
    let counts = &shard.counts;
    ShardReport {
        connections,
        received: counts.received,
        sent: counts.sent,
        outstanding,
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
            paths: data.path_count() as u64,
            watches: data.len() as u64,
        },
        child_watch_count: children.len() as u64,
        metrics: shard_metrics(&shard.meters, metrics),
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
    let told = [
        Measure::NodeCreatedWatchCount,
        Measure::NodeDeletedWatchCount,
        Measure::NodeChangedWatchCount,
        Measure::NodeChildrenWatchCount,
    ];
    for (measure, tally) in told.into_iter().zip(&meters.told) {
        metrics.tally(measure, tally);
    }
    metrics.tally(Measure::Readlatency, &meters.reads);
    metrics.tally(Measure::Updatelatency, &meters.updates);
    metrics.read.merge(&meters.read_traffic);
    metrics
}

fn connection_page(
    shard: &Shard,
    from: u32,
    unsent_bytes: impl Fn(ConnectionId) -> usize,
) -> ConnectionPage {
    let mut rest = shard.connections().skip_while(|(id, _)| id.slot < from);
    let reports = rest.by_ref().take(PAGE_ENTRIES_MAX).map(|(id, connection)| {
        let unsent = unsent_bytes(id);
        connection_report(connection, shard.is_reading(id, unsent), unsent > 0)
    });
    let connections = reports.collect();
    ConnectionPage { connections, next: rest.next().map(|(id, _)| id.slot) }
}

fn connection_report(
    connection: &Connection,
    is_reading: bool,
    is_writing: bool,
) -> ConnectionReport {
    let counts = &connection.counts;
    ConnectionReport {
        peer: connection.peer,
        is_reading,
        is_writing,
        session: connection.session,
        queued: connection.outstanding(),
        received: counts.received,
        sent: counts.sent,
        last_op: counts.last_op,
        established_ms: counts.established_ms,
        heard_ms: connection.heard_ms(),
        timeout_ms: connection.timeout_ms,
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

fn watch_page(shard: &Shard, from: WatchCursor) -> WatchPage {
    let table = shard.watches()[0];
    let (mut page, mut room) = (WatchPage::default(), PAGE_ENTRIES_MAX);
    for (id, connection) in shard.connections().skip_while(|(id, _)| id.slot < from.slot) {
        if room == 0 {
            page.next = Some(WatchCursor { slot: id.slot, skip: 0 });
            break;
        }
        let skip = if id.slot == from.slot { from.skip } else { 0 };
        let mut rest = table.of_slot(id.slot).skip(skip);
        let paths: Vec<_> = rest.by_ref().take(room).cloned().collect();
        let told = paths.len();
        // Stock lists who has nothing left, too.
        if told > 0 || table.knows(id.slot) && skip == 0 {
            let (slot, session) = (id.slot, connection.session);
            page.connections.push(WatchReport { slot, session, paths });
            room -= told;
        }
        if rest.next().is_some() {
            page.next = Some(WatchCursor { slot: id.slot, skip: skip + told });
            break;
        }
    }
    page
}

/// What the ordering role does not know of its server.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Whether clients are served.
    pub is_serving: bool,
    /// What the server is.
    pub mode: Mode,
    /// Bytes of proposals, on a leader.
    pub proposal_bytes: Option<LastMaxMin>,
    /// The last snapshot, and when it was written, in ms since 1970.
    pub last_snapshot: Option<(Zxid, i64)>,
    /// Flushes that took longer than was configured.
    pub slow_flushes: u64,
    /// The clocks of this turn.
    pub now: Now,
}

/// Answers for the ordering role. `view` is the tree's newest published version, for a fused loop
/// that of its shard's reader; `metrics` what the loop, the role and the log have counted.
pub fn ordering(
    inquiry: OrderingInquiry,
    role: &Ordering,
    view: engine::tree::View<'_, State>,
    standing: Standing,
    metrics: impl FnOnce() -> Metrics,
) {
    match inquiry {
        OrderingInquiry::Counts(reply) => {
            reply.send(Box::new(ordering_report(role, view, standing, metrics()))).ok();
        }
        OrderingInquiry::ResetCounts(reply) => {
            reply.send(()).ok();
        }
        OrderingInquiry::Sessions(after, reply) => {
            reply.send(session_page(role, after, standing.now)).ok();
        }
        OrderingInquiry::Ephemerals(from, reply) => {
            reply.send(ephemeral_page(view.meta(), from)).ok();
        }
        OrderingInquiry::Digests(reply) => {
            let seen = role.published();
            let digests = role.head.digests().filter(|(zxid, _)| *zxid <= seen);
            reply.send(digests.collect()).ok();
        }
    }
}

/// The quotas of each part of the tree, added up as stock does it.
fn quota_sums(
    view: engine::tree::View<'_, State>,
) -> std::collections::BTreeMap<String, QuotaSums> {
    let mut parts = std::collections::BTreeMap::<String, QuotaSums>::new();
    for path in view.meta().quotas.iter() {
        let Some(part) = engine::meter::part_of(path) else { continue };
        let track = |name| {
            let node = view.lookup(&quota::node_path(path, name))?;
            Some(Track::parse(node.data().unwrap_or_default()))
        };
        let sums = parts.entry(String::from_utf8_lossy(part).into_owned()).or_default();
        let limit = |limits: &Track, hard, soft| match limits.value(hard) {
            -1 => limits.value(soft),
            hard => hard,
        };
        if let Some(limits) = track(quota::LIMITS) {
            sums.bytes_max += limit(&limits, "byteHardLimit", "bytes");
            sums.count_max += limit(&limits, "countHardLimit", "count");
        }
        if let Some(used) = track(quota::STATS) {
            sums.bytes += used.value("bytes");
            sums.count += used.value("count");
        }
    }
    parts
}

fn ordering_report(
    role: &Ordering,
    view: engine::tree::View<'_, State>,
    standing: Standing,
    mut metrics: Metrics,
) -> OrderingReport {
    let state = view.meta();
    metrics.written.merge(&role.head.meters.written);
    metrics.over_quota.merge(&role.head.meters.over_quota);
    metrics.quotas = quota_sums(view);
    OrderingReport {
        is_serving: standing.is_serving,
        mode: standing.mode,
        zxid: role.published(),
        // Stock's tree has the root under two names and counts both.
        node_count: view.node_count() + 1,
        data_bytes: view.data_bytes(),
        ephemeral_count: state.ephemeral_count,
        session_count: state.sessions.len() as u64,
        local_session_count: 0,
        writes_refused: role.refusal().map(|refusal| match refusal {
            Refusal::DiskFull => {
                "the disk is full: the log has no room and none can be made".into()
            }
            Refusal::LogEnded => "the server stops: its log has ended".into(),
        }),
        proposal_bytes: standing.proposal_bytes,
        last_snapshot: standing.last_snapshot,
        slow_flushes: standing.slow_flushes,
        metrics,
    }
}

fn session_page(role: &Ordering, after: Option<SessionExpiry>, now: Now) -> SessionPage {
    let buckets = role.sessions().buckets();
    let first_ms = after.map_or(0, |after| after.expires_ms);
    let mut page = SessionPage { mono_ms: now.mono_ms, wall_ms: now.wall_ms, ..<_>::default() };
    for (&expires_ms, sessions) in buckets.range(first_ms..) {
        let mut sessions = sessions.clone();
        sessions.sort_unstable();
        for session in sessions {
            let entry = SessionExpiry { expires_ms, session };
            if after.is_some_and(|after| entry <= after) {
                continue;
            }
            if page.sessions.len() == PAGE_ENTRIES_MAX {
                page.has_more = true;
                return page;
            }
            page.sessions.push(entry);
        }
    }
    page
}

fn ephemeral_page(state: &State, from: EphemeralCursor) -> EphemeralPage {
    let (mut page, mut room) = (EphemeralPage::default(), PAGE_ENTRIES_MAX);
    for (&session, known) in state.sessions.range(from.session..) {
        if known.ephemerals.is_empty() {
            continue;
        }
        if room == 0 {
            page.next = Some(EphemeralCursor { session, skip: 0 });
            break;
        }
        let skip = if session == from.session { from.skip } else { 0 };
        let mut rest = known.ephemerals.iter().skip(skip);
        let paths: Vec<_> = rest.by_ref().take(room).cloned().collect();
        let told = paths.len();
        if told > 0 {
            page.sessions.push(EphemeralReport { session, paths });
            room -= told;
        }
        if rest.next().is_some() {
            page.next = Some(EphemeralCursor { session, skip: skip + told });
            break;
        }
    }
    page
}
