//! Fills reports from the engine's own types: a core loop calls this with an inquiry from its
//! inbox.
//!
//! What the engine does not know is passed with the call: output not sent yet, the counters of the
//! loop and the log, whether clients are served.

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
use engine::shard::{Connection, Shard, ShardMeters};
use engine::state::State;
use engine::tree::View;
use model::session::SessionId;
use model::zxid::Zxid;
use std::ops::{Bound, Range};

/// Answers for a shard. `unsent_bytes` is how much output of a connection its socket has not taken
/// yet; `metrics` is what the loop has counted for its shard.
pub fn shard(
    inquiry: ShardInquiry,
    shard: &mut Shard,
    unsent_bytes: impl Fn(ConnectionId) -> usize,
    metrics: Metrics,
) {
    // The requester may be gone; then the reply is dropped.
    match inquiry {
        ShardInquiry::Counts(reply) => {
            reply.send(shard_report(shard)).ok();
        }
        ShardInquiry::Metrics(reply) => {
            reply.send(Box::new(shard_metrics(shard.meters(), metrics))).ok();
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
    }
}

fn shard_report(shard: &Shard) -> ShardReport {
    let [data, children] = shard.watches();
    let counts = shard.counts();
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
    for (measure, tally) in measures.into_iter().zip(&meters.told) {
        metrics.tally(measure, tally);
    }
    metrics.tally(Measure::Readlatency, &meters.reads);
    metrics.tally(Measure::Updatelatency, &meters.updates);
    metrics.read.merge(&meters.read_traffic);
    metrics
}

/// As many slots as a page examines, and the slot to continue from.
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
        heard_ms: connection.heard_ms(),
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
        // A slot counts, whether something is found there or not.
        left -= 1;
        // Stock also lists connections that have no watch left.
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

/// What the ordering role does not know about its server.
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

/// Answers for the ordering role. `view` is the tree's newest published version, in a fused loop
/// that of its shard's reader; `metrics` is what the loop, the role and the log have counted.
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

/// Some quotas: their limits and the usage, as far as these can be read.
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
        // A session that is being closed may have been removed from the role's table already.
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
        // A session counts, whatever it owns.
        left -= 1;
        let after = from.after.as_deref().filter(|_| session == from.session);
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let mut owned = known.ephemerals.range::<_, [u8]>(behind);
        // At least one, so that every page makes progress.
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

#[cfg(test)]
mod tests {
    use super::{
        connection_page, ephemeral_page, quota_page, session_page, some_slots, watch_page,
    };
    use crate::admin::inquiry::{EphemeralCursor, WatchCursor};
    use crate::admin::limits::{PAGE_ENTRIES_MAX, QUOTAS_PER_PAGE};
    use engine::ordering::Ordering;
    use engine::pipeline::Head;
    use engine::settings::{Now, Settings};
    use engine::shard::Shard;
    use engine::state::{Session, State};
    use engine::tree::TreeSeed;
    use model::session::SessionId;
    use model::zxid::Zxid;
    use std::cell::RefCell;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    const MANY: i64 = 3 * PAGE_ENTRIES_MAX as i64;

    /// The role over a tree of this state, and a shard.
    fn roles(state: impl FnOnce(&mut State)) -> (Ordering, Shard) {
        let settings = Arc::new(Settings::default());
        let mut head = Head::new(settings.clone(), TreeSeed([1, 2]));
        state(head.tree.head_meta());
        let version = head.seal();
        head.tree.publish(version);
        let mut role = Ordering::new(head, Zxid::ZERO, settings.clone(), 1, Now::default());
        let (reader, cursor) = (role.head.tree.reader(), role.cursor());
        (role, Shard::new(0, 1, settings, reader, cursor))
    }

    #[test]
    fn a_page_of_connections_looks_at_so_many_slots() {
        let (_, mut shard) = roles(|_| ());
        let peer = "127.0.0.1:4000".parse().unwrap();
        let opened: Vec<_> = (0..MANY).map(|_| shard.open(peer)).collect();
        // Few connections are left, far apart.
        for id in opened.iter().filter(|id| id.slot % 1000 != 7) {
            shard.close(*id);
        }
        let (mut from, found) = (Some(0), RefCell::new(Vec::new()));
        while let Some(slot) = from {
            let (slots, next) = some_slots(&shard, slot);
            assert!(slots.len() <= PAGE_ENTRIES_MAX);
            let page = connection_page(&shard, slot, |id| {
                found.borrow_mut().push(id.slot);
                0
            });
            assert_eq!(page.next, next);
            from = page.next;
        }
        assert_eq!(found.into_inner(), [7, 1007, 2007, 3007]);
        let mut at = Some(WatchCursor::default());
        while let Some(cursor) = at {
            let page = watch_page(&shard, cursor);
            assert!(page.connections.is_empty(), "no connection watches");
            let looked = page.next.map_or(0, |next| next.slot - cursor.slot);
            assert!(looked <= PAGE_ENTRIES_MAX as u32);
            at = page.next;
        }
        assert_eq!((shard.connection_count(), shard.outstanding()), (4, 0));
    }

    #[test]
    fn a_page_of_sessions_looks_at_so_many() {
        let (role, shard) = roles(|state| {
            for id in 1..=MANY {
                state.sessions.insert(SessionId(id), Session::default());
            }
        });
        let view = shard.reader().view();
        let (mut from, mut found) = (Some(SessionId(i64::MIN)), BTreeSet::new());
        while let Some(session) = from {
            let page = session_page(&role, view.meta(), session, Now::default());
            assert!(page.sessions.len() <= PAGE_ENTRIES_MAX);
            found.extend(page.sessions.iter().map(|entry| entry.session.0));
            from = page.next;
        }
        assert!(found.into_iter().eq(1..=MANY));
    }

    #[test]
    fn a_page_of_ephemerals_looks_at_so_many_sessions_and_nodes() {
        let path = |number: i64| format!("/e{number:06}").into_bytes();
        let (_, shard) = roles(|state| {
            for id in 1..=MANY {
                state.sessions.insert(SessionId(id), Session::default());
            }
            // A session far behind those that own nothing owns more than a page, its neighbour one
            // node.
            (0..MANY).for_each(|number| state.own(SessionId(MANY), &path(number)));
            state.own(SessionId(MANY - 1), b"/alone");
        });
        let view = shard.reader().view();
        let first = EphemeralCursor::at(SessionId(i64::MIN));
        let (mut from, mut found, mut before) = (Some(first), Vec::new(), 1);
        while let Some(cursor) = from {
            let page = ephemeral_page(view.meta(), &cursor);
            let reported: usize = page.sessions.iter().map(|report| report.paths.len()).sum();
            let passed = page.next.as_ref().map_or(0, |next| next.session.0 - before);
            assert!(
                reported + passed.max(0) as usize <= PAGE_ENTRIES_MAX,
                "{reported} and {passed}"
            );
            before = page.next.as_ref().map_or(before, |next| next.session.0);
            found.extend(page.sessions.into_iter().flat_map(|report| report.paths));
            from = page.next;
        }
        assert_eq!(&*found[0], b"/alone");
        assert!(found[1..].iter().map(|found| found.to_vec()).eq((0..MANY).map(path)));
    }

    #[test]
    fn a_page_of_quotas_looks_at_so_many() {
        let path = |number: usize| format!("/q{number:04}/x").into_bytes();
        let (_, shard) = roles(|state| {
            (0..3 * QUOTAS_PER_PAGE).for_each(|number| state.quotas.insert(&path(number)));
        });
        let (mut after, mut pages) = (None, Vec::new());
        loop {
            let page = quota_page(shard.reader().view(), after.as_deref());
            pages.push(page.quotas.len());
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(pages, [QUOTAS_PER_PAGE; 3]);
    }
}
