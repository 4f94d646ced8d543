//! The highest rate that keeps a latency: doubled until it fails, then bisected.

use std::time::Duration;

use super::{begin, collect, drain, tally};
use crate::Say;
use crate::args::BenchArgs;
use crate::error::BenchError;
use crate::limits::{RAMP_HALVINGS, RAMP_RATE_FIRST, RATE_MAX};
use crate::meter::Meter;
use crate::results::{Ramp, RampPoint, Results};

use super::player::{Player, Until};

/// If less than this share of the requests is answered, the rate is too high, whatever the
/// latencies.
const ANSWERED_MIN: f64 = 0.95;

/// Decides which rate is tried next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Search {
    kept: f64,
    broken: Option<f64>,
    next: f64,
    halvings: usize,
}

impl Search {
    pub(super) fn new(first: f64) -> Self {
        Self { kept: 0.0, broken: None, next: first, halvings: 0 }
    }

    /// The rate to be tried; `None` when enough were tried.
    pub(super) fn next(&self) -> Option<f64> {
        (self.halvings <= RAMP_HALVINGS && self.next <= f64::from(RATE_MAX) && self.next >= 1.0)
            .then_some(self.next)
    }

    /// The outcome of the last rate.
    pub(super) fn tried(&mut self, is_kept: bool) {
        if is_kept {
            self.kept = self.next;
        } else {
            self.broken = Some(self.next);
        }
        match self.broken {
            None => self.next *= 2.0,
            Some(broken) => {
                self.halvings += 1;
                self.next = f64::midpoint(self.kept, broken);
            }
        }
    }
}

/// Tries rates. The results are those of all of them together.
pub(super) fn run(player: &mut Player, args: &BenchArgs, say: Say) -> Result<Results, BenchError> {
    let first = player
        .stage
        .world
        .workload
        .rate
        .map_or(f64::from(RAMP_RATE_FIRST), |rate| rate.value() as f64);
    let limit_ns = u64::from(args.ramp_p99_ms) * 1_000_000;
    let mut search = Search::new(first);
    let mut ramp = Ramp { limit_ns, points: Vec::new() };
    begin(player, Some(first));
    let (warming, now_ns) = (tally(player).saying("warm-up", say), player.now_ns());
    player.stage.start(warming, now_ns);
    player.run(Until::Time(now_ns + args.warmup().as_nanos() as u64))?;
    drain(player)?;
    let start_ns = player.now_ns();
    player.stage.journal.start(start_ns);
    let meter = Meter::start(args.pid, start_ns)?;
    let mut last = None;
    while let Some(rate) = search.next()
        && !player.stage.journal.is_fatal
    {
        let point = attempt(player, args, say, (rate, limit_ns), &mut last)?;
        ramp.points.push(point);
        search.tried(point.is_kept);
    }
    let used = meter.stop(player.now_ns());
    let results = match last {
        Some(results) => Results { used, ..results },
        None => collect(player, used, say),
    };
    Ok(Results { ramp: Some(ramp), ..results })
}

fn attempt(
    player: &mut Player,
    args: &BenchArgs,
    say: Say,
    (rate, limit_ns): (f64, u64),
    all: &mut Option<Results>,
) -> Result<RampPoint, BenchError> {
    begin(player, Some(rate));
    let start_ns = player.now_ns();
    let fresh = tally(player).saying(&format!("{rate:.0}/s"), say);
    player.stage.start(fresh, start_ns);
    let meter = Meter::start(None, start_ns)?;
    let end_ns = start_ns + Duration::from_secs(args.ramp_seconds).as_nanos() as u64;
    player.run(Until::Time(end_ns))?;
    let answered = player.stage.tally.ops();
    let used = meter.stop(player.now_ns());
    let unanswered = drain(player)?;
    let elapsed_s = used.elapsed_ns as f64 / 1e9;
    let results = Results { unanswered, ..collect(player, used, say) };
    let mut ns = results.rows[0].ns.clone();
    for row in results.rows[1..].iter().filter(|row| !row.is_part) {
        ns.add(&row.ns).expect("all have the same bounds");
    }
    let achieved = answered as f64 / elapsed_s;
    let p99_ns = ns.value_at_quantile(0.99);
    let is_whole = unanswered + results.dropped + results.lost == 0 && results.errors.is_empty();
    let is_kept = p99_ns <= limit_ns && achieved >= ANSWERED_MIN * rate && is_whole;
    if is_kept || all.is_none() {
        *all = Some(results);
    }
    let (p50_ns, p999_ns) = (ns.value_at_quantile(0.5), ns.value_at_quantile(0.999));
    Ok(RampPoint { rate, achieved, p50_ns, p99_ns, p999_ns, is_kept })
}
