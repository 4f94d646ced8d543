//! Measurements in rounds: a warm-up, then the time requested.

use super::results;
use crate::Say;
use crate::args::BenchArgs;
use crate::error::BenchError;
use crate::meter::Meter;
use crate::results::Results;
use crate::tally::Tally;

/// A measurement of rounds. Its life: warming up until [`Self::maybe_begin`] says that it is over,
/// measured until [`Self::is_over`].
pub(super) struct Rounds<'a> {
    args: &'a BenchArgs,
    say: Say,
    /// The first is the round, the others are its parts.
    names: &'static [&'static str],
    pub(super) tally: Tally,
    warm_ns: u64,
    measured: Option<(Meter, u64)>,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(
        args: &'a BenchArgs,
        names: &'static [&'static str],
        now_ns: u64,
        say: Say,
    ) -> Self {
        let tally = Tally::new(names, now_ns).saying("warm-up", say).in_parts(1);
        let warm_ns = now_ns + args.warmup().as_nanos() as u64;
        Self { args, say, names, tally, warm_ns, measured: None }
    }

    /// Starts to measure if the warm-up has just ended, and returns whether it did: what was
    /// counted before is discarded.
    pub(super) fn maybe_begin(&mut self, now_ns: u64) -> Result<bool, BenchError> {
        let is_begun = self.measured.is_none() && now_ns >= self.warm_ns;
        if is_begun {
            let tally = Tally::new(self.names, now_ns).saying(&self.args.op.name(), self.say);
            self.tally = tally.in_parts(1);
            self.measured = Some((Meter::start(self.args.pid, now_ns)?, now_ns));
        }
        Ok(is_begun)
    }

    pub(super) fn is_over(&self, now_ns: u64) -> bool {
        let measured_ns = self.args.measured().as_nanos() as u64;
        self.measured.as_ref().is_some_and(|(_, start_ns)| now_ns >= start_ns + measured_ns)
    }

    /// The results of `ops` operations of `unit`.
    ///
    /// # Panics
    /// If it has not started to measure.
    pub(super) fn results(mut self, unit: &'static str, ops: u64, now_ns: u64) -> Results {
        let (meter, _) = self.measured.expect("the rounds were measured");
        results(self.args, unit, ops, meter.stop(now_ns), &mut self.tally, self.say)
    }
}
