//! What a core loop tells the admin thread: one page at a time, so that no turn grows long.

use super::LoopParts;
use crate::admin::fill::{self, Standing};
use crate::admin::inquiry::{Inquiry, Mode, OrderingInquiry, ShardInquiry};
use crate::admin::metrics::{Counter, Metrics};
use engine::settings::Now;

/// Answers an inquiry, unless the asker has gone.
pub(super) fn answer(parts: &mut LoopParts, inquiry: Inquiry, now: Now) {
    match (inquiry, &mut parts.clients, &mut parts.history) {
        (Inquiry::Shard(inquiry), Some(clients), _) => {
            let unsent = clients.unsent();
            if matches!(inquiry, ShardInquiry::ResetCounts(_)) {
                clients.reset_counts();
            }
            let mut metrics = Metrics::default();
            clients.tell(&mut metrics);
            fill::shard(
                inquiry,
                &mut clients.shard,
                |id| unsent.get(&id).copied().unwrap_or(0),
                || metrics,
            );
        }
        (Inquiry::Ordering(inquiry), _, Some(history)) => {
            if matches!(inquiry, OrderingInquiry::ResetCounts(_)) {
                history.meters.reset();
                history.ordering.reset_counts();
            }
            let standing = Standing {
                is_serving: true,
                mode: Mode::Standalone,
                proposal_bytes: None,
                last_snapshot: history.meters.last_snapshot(),
                slow_flushes: history.meters.slow_flushes(),
                now,
            };
            let counts = history.ordering.counts();
            let metrics = || {
                let mut metrics = Metrics::default();
                history.meters.tell(&mut metrics);
                metrics.count(Counter::StaleSessionsExpired, counts.expired);
                metrics
            };
            let view = history.reader.view();
            fill::ordering(inquiry, &history.ordering, view, standing, metrics);
        }
        // The wiring asks each loop for what it hosts; a dropped reply says the rest.
        (Inquiry::Shard(_) | Inquiry::Ordering(_), _, _) => (),
    }
}
