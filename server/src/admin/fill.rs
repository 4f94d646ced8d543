//! Reports of the engine's own types: what a core loop calls with an inquiry from its inbox.
//!
//! What the engine does not know comes in with the call: what sockets have not sent, what the
//! loop and the log have counted, whether clients are served.

use super::inquiry::{
    ConnectionPage, ConnectionReport, EphemeralCursor, EphemeralPage, EphemeralReport, LastMaxMin,
    Mode, OrderingInquiry, OrderingReport, QuotaPage, SessionExpiry, SessionPage, ShardInquiry,
    ShardReport, Spread, WatchCounts, WatchCursor, WatchPage, WatchReport,
};
use super::limits::{PAGE_ENTRIES_MAX, QUOTAS_PER_PAGE};
use super::metrics::{Counter, Measure, Metrics, QuotaSums};
use engine::batch::ConnectionId;
use engine::meter::PART_BYTES_MAX;
use engine::ordering::{Ordering, Refusal};
use engine::quota::{self, Track};
use engine::settings::Now;
use engine::shard::{Connection, Shard, ShardCounts, ShardMeters};
use engine::state::State;
use engine::tree::View;
use model::session::SessionId;
use model::zxid::Zxid;
use std::ops::{Bound, Range};

/// Answers for a shard. `unsent_bytes` says how much output of a connection its socket has not
/// taken yet; `metrics` what the loop has counted for its shard.
pub fn shard(
    inquiry: ShardInquiry,
    shard: &mut Shard,
    unsent_bytes: impl Fn(ConnectionId) -> usize,
    metrics: Metrics,
) {
    // The asker may have left; then nobody is told.
    match inquiry {
        ShardInquiry::Counts(reply) => {
            reply.send(shard_report(shard)).ok();
        }
        ShardInquiry::Metrics(reply) => {
            reply.send(Box::new(shard_metrics(&shard.meters, metrics))).ok();
        }
        ShardInquiry::ResetCounts(reply) => {
            let auth_failed = shard.counts.auth_failed;
            shard.counts = ShardCounts { auth_failed, ..ShardCounts::default() };
            shard.meters.reset();
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
    }
}

fn shard_report(shard: &Shard) -> ShardReport {
    let [data, children] = shard.watches();
    let counts = &shard.counts;
    ShardReport {
        connections: shard.connection_count() as u64,
        received: counts.received,
        sent: counts.sent,
        outstanding: shard.outstanding(),
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

/// As many slots as a page looks at, and the slot to continue from.
fn some_slots(shard: &Shard, from: u32) -> (Range<u32>, Option<u32>) {
    let all = shard.slot_count();
    let end = from.saturating_add(PAGE_ENTRIES_MAX as u32).min(all);
    (from..end, (end < all).then_some(end))
}

fn connection_page(
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
    let (mut page, mut left, mut at) = (WatchPage::default(), PAGE_ENTRIES_MAX, from);
    while at.slot < shard.slot_count() {
        if left == 0 {
            page.next = Some(at);
            break;
        }
        let WatchCursor { slot, place } = at;
        at = WatchCursor { slot: slot + 1, place: 0 };
        // A slot costs a look, whatever is found there.
        left -= 1;
        // Stock lists who has nothing left, too.
        if !table.knows(slot) {
            continue;
        }
        let (paths, left_of_it, next) = table.some_of_slot(slot, place, left);
        let paths: Vec<_> = paths.cloned().collect();
        if !paths.is_empty() || place == 0 {
            let session = shard.session_of(slot);
            page.connections.push(WatchReport { slot, session, paths });
        }
        match next {
            Some(place) => (at, left) = (WatchCursor { slot, place }, 0),
            None => left = left_of_it,
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
    view: View<'_, State>,
    standing: Standing,
    metrics: impl FnOnce() -> Metrics,
) {
    match inquiry {
        OrderingInquiry::Counts(reply) => {
            reply.send(Box::new(ordering_report(role, view, standing))).ok();
        }
        OrderingInquiry::Metrics(reply) => {
            reply.send(Box::new(ordering_metrics(role, metrics()))).ok();
        }
        OrderingInquiry::Quotas(after, reply) => {
            reply.send(quota_page(view, after.as_deref())).ok();
        }
        OrderingInquiry::ResetCounts(reply) => {
            reply.send(()).ok();
        }
        OrderingInquiry::Sessions(from, reply) => {
            reply.send(session_page(role, view.meta(), from, standing.now)).ok();
        }
        OrderingInquiry::Ephemerals(from, reply) => {
            reply.send(ephemeral_page(view.meta(), &from)).ok();
        }
        OrderingInquiry::Digests(reply) => {
            let seen = role.published();
            let digests = role.head.digests().filter(|(zxid, _)| *zxid <= seen);
            reply.send(digests.collect()).ok();
        }
    }
}

/// Some quotas: what they allow and what is used, as far as it can be read.
fn quota_page(view: View<'_, State>, after: Option<&[u8]>) -> QuotaPage {
    let paths = view.meta().quotas.after(after);
    let some = &paths[..paths.len().min(QUOTAS_PER_PAGE)];
    let next = (some.len() < paths.len()).then(|| some.last().cloned()).flatten();
    let quotas = some.iter().filter_map(|path| {
        let part = engine::meter::part_of(path).filter(|part| part.len() <= PART_BYTES_MAX)?;
        Some((String::from_utf8_lossy(part).into_owned(), quota_of(view, path)))
    });
    QuotaPage { quotas: quotas.collect(), next }
}

fn quota_of(view: View<'_, State>, path: &[u8]) -> QuotaSums {
    let track = |name| {
        let node = view.lookup(&quota::node_path(path, name))?;
        Some(Track::parse(node.data().unwrap_or_default()))
    };
    let limit = |limits: &Track, hard, soft| match limits.value(hard) {
        -1 => limits.value(soft),
        hard => hard,
    };
    let mut sums = QuotaSums::default();
    if let Some(limits) = track(quota::LIMITS) {
        sums.bytes_max = limit(&limits, "byteHardLimit", "bytes");
        sums.count_max = limit(&limits, "countHardLimit", "count");
    }
    if let Some(used) = track(quota::STATS) {
        sums.bytes = used.value("bytes");
        sums.count = used.value("count");
    }
    sums
}

/// Adds what the role counts to what its loop and its log have counted.
fn ordering_metrics(role: &Ordering, mut metrics: Metrics) -> Metrics {
    metrics.written.merge(&role.head.meters.written);
    metrics.over_quota.merge(&role.head.meters.over_quota);
    metrics
}

fn ordering_report(role: &Ordering, view: View<'_, State>, standing: Standing) -> OrderingReport {
    let state = view.meta();
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
    }
}

fn session_page(role: &Ordering, state: &State, from: SessionId, now: Now) -> SessionPage {
    let mut page = SessionPage { mono_ms: now.mono_ms, wall_ms: now.wall_ms, ..<_>::default() };
    let mut known = state.sessions.range(from..).map(|(&session, _)| session);
    for session in known.by_ref().take(PAGE_ENTRIES_MAX) {
        // One that is being closed may have left the role's table already.
        if let Some(expires_ms) = role.sessions().expires_ms(session) {
            page.sessions.push(SessionExpiry { expires_ms, session });
        }
    }
    page.next = known.next();
    page
}

fn ephemeral_page(state: &State, from: &EphemeralCursor) -> EphemeralPage {
    let (mut page, mut left) = (EphemeralPage::default(), PAGE_ENTRIES_MAX);
    for (&session, known) in state.sessions.range(from.session..) {
        if left == 0 {
            page.next = Some(EphemeralCursor::at(session));
            break;
        }
        // A session costs a look, whatever it owns.
        left -= 1;
        let after = from.after.as_deref().filter(|_| session == from.session);
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let mut owned = known.ephemerals.range::<_, [u8]>(behind);
        // At least one, so that every page gets further.
        let paths: Vec<_> = owned.by_ref().take(left.max(1)).cloned().collect();
        left = left.saturating_sub(paths.len());
        let next = owned.next().and(paths.last().cloned());
        if !paths.is_empty() {
            page.sessions.push(EphemeralReport { session, paths });
        }
        if let Some(after) = next {
            page.next = Some(EphemeralCursor { session, after: Some(after) });
            break;
        }
    }
    page
}
