//! What a core loop reports to the admin thread: a bounded amount per turn, so that no turn becomes
//! long.

use super::LoopParts;
use crate::admin::fill::{self, Standing};
use crate::admin::inquiry::{Inquiry, OrderingInquiry};
use crate::admin::limits::BRIEF_PER_TURN_MAX;
use crate::admin::metrics::{Counter, Metrics};
use engine::settings::Now;

/// Answers some inquiries: a few of those with a short answer, and one page. True if there may be
/// more.
pub(super) fn answer_some(parts: &mut LoopParts, now: Now) -> bool {
    for _ in 0..BRIEF_PER_TURN_MAX {
        let Some(inquiry) = parts.inquiries.take_brief() else { break };
        answer(parts, inquiry, now);
    }
    if let Some(inquiry) = parts.inquiries.take_page() {
        answer(parts, inquiry, now);
    }
    !parts.inquiries.is_empty()
}

/// Answers an inquiry, unless its sender has been dropped.
fn answer(parts: &mut LoopParts, inquiry: Inquiry, now: Now) {
    match (inquiry, &mut parts.clients, &mut parts.history) {
        (Inquiry::Shard(inquiry), Some(clients), _) => clients.answer(inquiry),
        (Inquiry::Ordering(inquiry), _, Some(history)) => {
            if let OrderingInquiry::ResetCounts { forgets_proposals, .. } = inquiry {
                history.reset(forgets_proposals);
            }
            if let (OrderingInquiry::ResetObservers(_), Some(peers)) = (&inquiry, &mut parts.peers)
            {
                peers.forget_traffic();
            }
            let mut ensemble = history.ensemble_report(now);
            if let Some(observers) = ensemble.as_mut().and_then(|it| it.observers.as_mut())
                && let Some(peers) = &parts.peers
            {
                *observers = history.observers(peers, now);
            }
            let standing = Standing {
                is_serving: history.is_serving(),
                leads_apart: history.leads_apart(),
                mode: history.mode(),
                ensemble,
                last_snapshot: history.meters.last_snapshot(),
                slow_flushes: history.meters.slow_flushes(),
                now,
            };
            let ordering = history.replica().ordering();
            let counts = ordering.counts();
            let metrics = || {
                let mut metrics = Metrics::default();
                history.meters.fill(&mut metrics);
                metrics.count(Counter::StaleSessionsExpired, counts.expired);
                metrics
            };
            let view = history.reader.view();
            fill::ordering(inquiry, ordering, view, standing, metrics);
        }
        // The wiring asks each loop only for what it hosts; anything else drops the reply.
        (Inquiry::Shard(_) | Inquiry::Ordering(_), _, _) => (),
    }
}
