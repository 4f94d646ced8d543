//! What the ordering role reports.

use crate::admin::inquiry::{
    EnsembleReport, EphemeralCursor, EphemeralPage, EphemeralReport, Mode, OrderingInquiry,
    OrderingReport, QuotaPage, Reach, SessionExpiry, SessionPage,
};
use crate::admin::limits::{PAGE_ENTRIES_MAX, QUOTAS_PER_PAGE};
use crate::admin::metrics::{Metrics, QuotaSums};
use engine::meter::PART_BYTES_MAX;
use engine::ordering::{Ordering, ReadOnlySessions, Refusal};
use engine::quota::{self, Track};
use engine::settings::Now;
use engine::state::State;
use engine::tree::View;
use model::session::SessionId;
use model::zxid::Zxid;
use std::ops::Bound;

/// What the ordering role does not know about its server.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Whether clients are served, or would be if this server did not lead apart from them.
    pub is_serving: bool,
    /// Whether it leads, and therefore serves no clients.
    pub leads_apart: bool,
    /// What the server is.
    pub mode: Mode,
    /// What it knows of its ensemble.
    pub ensemble: Option<EnsembleReport>,
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
        OrderingInquiry::ResetCounts { reply, .. } | OrderingInquiry::ResetObservers(reply) => {
            reply.send(()).ok();
        }
        OrderingInquiry::Sessions(Reach::Global, from, reply) => {
            let is_tracking = matches!(standing.mode, Mode::Standalone | Mode::Leader);
            let page = session_page(role, view.meta(), from, is_tracking, standing.now);
            reply.send(page).ok();
        }
        OrderingInquiry::Sessions(Reach::Local, from, reply) => {
            reply.send(local_page(role, from, standing.now)).ok();
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
pub(super) fn quota_page(view: View<'_, State>, after: Option<&[u8]>) -> QuotaPage {
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
        leads_apart: standing.leads_apart,
        mode: standing.mode,
        zxid: role.published(),
        // Stock's tree has the root under two names and counts both.
        node_count: view.node_count() + 1,
        data_bytes: view.data_bytes(),
        ephemeral_count: state.ephemeral_count,
        session_count: state.sessions.len() as u64,
        local_session_count: match role.read_only_sessions() {
            Some(own) => own.len() as u64,
            None => role.sessions().local_count() as u64,
        },
        writes_refused: role.refusal().map(|refusal| match refusal {
            Refusal::DiskFull => {
                "the disk is full: the log has no room and none can be made".into()
            }
            Refusal::LogEnded => "the server stops: its log has ended".into(),
        }),
        // Stock's read-only server is none of an ensemble, and reports nothing of it.
        ensemble: standing.ensemble.filter(|_| standing.mode != Mode::ReadOnly),
        last_snapshot: standing.last_snapshot,
        slow_flushes: standing.slow_flushes,
    }
}

pub(super) fn session_page(
    role: &Ordering,
    state: &State,
    from: SessionId,
    is_tracking: bool,
    now: Now,
) -> SessionPage {
    let (mono_ms, wall_ms) = (now.mono_ms, now.wall_ms);
    // A read-only server's own are local ones, too.
    let makes_local = role.makes_local() || role.read_only_sessions().is_some();
    let mut page = SessionPage { is_tracking, makes_local, mono_ms, wall_ms, ..<_>::default() };
    let mut known = state.sessions.range(from..).map(|(&session, it)| (session, it.timeout_ms));
    for (session, timeout_ms) in known.by_ref().take(PAGE_ENTRIES_MAX) {
        // A session that is being closed may have been removed from the role's table already.
        let expires_ms = role.sessions().expires_ms(session);
        if let Some(expires_ms) = expires_ms.or((!is_tracking).then_some(0)) {
            page.sessions.push(SessionExpiry { expires_ms, session, timeout_ms });
        }
    }
    page.next = known.next().map(|(session, _)| session);
    page
}

/// The sessions of a read-only server's own.
fn read_only_page(own: &ReadOnlySessions, from: SessionId, now: Now) -> SessionPage {
    let (mono_ms, wall_ms) = (now.mono_ms, now.wall_ms);
    let mut page = SessionPage { is_tracking: true, mono_ms, wall_ms, ..<_>::default() };
    let mut known = own.from(from);
    for (session, it) in known.by_ref().take(PAGE_ENTRIES_MAX) {
        let (expires_ms, timeout_ms) = (it.expires_ms, it.timeout_ms as i32);
        page.sessions.push(SessionExpiry { expires_ms, session, timeout_ms });
    }
    page.next = known.next().map(|(session, _)| session);
    page
}

fn local_page(role: &Ordering, from: SessionId, now: Now) -> SessionPage {
    if let Some(own) = role.read_only_sessions() {
        return read_only_page(own, from, now);
    }
    let (mono_ms, wall_ms, table) = (now.mono_ms, now.wall_ms, role.sessions());
    let mut page = SessionPage { is_tracking: true, mono_ms, wall_ms, ..<_>::default() };
    let mut known = table.local(from);
    for (session, timeout_ms) in known.by_ref().take(PAGE_ENTRIES_MAX) {
        let expires_ms = table.expires_ms(session).unwrap_or(0);
        page.sessions.push(SessionExpiry { expires_ms, session, timeout_ms });
    }
    page.next = known.next().map(|(session, _)| session);
    page
}

pub(super) fn ephemeral_page(state: &State, from: &EphemeralCursor) -> EphemeralPage {
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
