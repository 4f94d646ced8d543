//! Which log the snapshots were last served with.
//!
//! Every start begins a run of the log with a random seed, and records it beside the snapshots:
//! before the run is opened, as one that may be there; and once it is open, before the first write
//! is acknowledged, as the one that must be there. So a log whose last run is another one was
//! restored from an older copy or has been continued without the snapshots; and a crash at any
//! moment leaves a log that is known. A clean stop adds what was reached.
//!
//! A log that continues from the last recorded run is the right one: the snapshots are those of an
//! older copy, and everything after them is in it.

use model::zxid::Zxid;
use txlog::{LogRun, SegmentNumber};

use super::text::{Line, MarkError, Text, zxid_of};

/// How many runs are remembered. Snapshots older than all of them belong to no known log.
const RUNS_MAX: usize = 64;

/// A run of the log, as recorded beside the snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineageRun {
    /// The seed of its oldest segment that no purge has taken.
    pub seed: u64,
    /// The zxid that its first record follows.
    pub from: Zxid,
}

/// The log that snapshots were last served with. Nothing is known where it has no run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    /// Its runs, oldest first.
    runs: Vec<LineageRun>,
    /// A run that may have been opened after them.
    next: Option<LineageRun>,
    /// What it held when it was last closed cleanly.
    reached: Zxid,
}

/// What is there.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The runs of the log.
    pub runs: &'a [LogRun],
    /// Its last zxid.
    pub last: Zxid,
    /// The newest snapshot.
    pub snapshot: Zxid,
}

/// The log is not the known one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignLog {
    /// Where it ends.
    pub last: Zxid,
    /// What the known one had reached, at least.
    pub reached: Zxid,
    /// Snapshots up to here belong to the history that both have in common.
    pub common: Zxid,
}

impl Lineage {
    /// Compares the log that was found with the known one. Returns the lineage of the log found, or
    /// why it is another log.
    pub fn compare(&self, found: Found<'_>) -> Result<Self, ForeignLog> {
        let known: Vec<LineageRun> = self.runs.iter().chain(&self.next).copied().collect();
        if known.is_empty() || found.runs.is_empty() {
            return Ok(Self::of(found.runs));
        }
        let place = |run: &LineageRun| {
            let is_it = |it: &LogRun| it.segments.iter().any(|(_, seed)| *seed == run.seed);
            found.runs.iter().position(is_it)
        };
        let newest = known.iter().enumerate().rev();
        let newest = newest.into_iter().find_map(|(index, run)| Some((index, place(run)?)));
        let from = known.last().map_or(Zxid::ZERO, |run| run.from);
        let foreign = |common| {
            let reached = self.reached.max(from);
            ForeignLog { last: found.last, reached, common }
        };
        let Some((index, at)) = newest else { return Err(foreign(Zxid::ZERO)) };
        let limit = found.runs[at].limit;
        // The last of the runs that must be there, or the one that may be there.
        let is_last = index + 1 >= self.runs.len();
        let is_whole = limit >= self.reached.max(found.snapshot) && found.last >= self.reached;
        if is_last && is_whole {
            let later = found.runs[at + 1..].iter().filter_map(run_of);
            let runs = known[..=index].iter().copied().chain(later).collect();
            return Ok(Self { runs, next: None, reached: self.reached });
        }
        let next = known.get(index + 1).filter(|_| !is_last);
        Err(foreign(next.map_or(limit, |next| limit.min(next.from))))
    }

    /// The lineage of a log of which nothing is recorded.
    pub fn of(runs: &[LogRun]) -> Self {
        Self { runs: runs.iter().filter_map(run_of).collect(), ..Self::default() }
    }

    /// Whether a server has begun a run of it.
    pub fn has_begun(&self) -> bool {
        !self.runs.is_empty()
    }

    /// A run is about to be opened.
    pub fn begin(&mut self, next: LineageRun) {
        self.next = Some(next);
        self.reached = self.reached.min(next.from);
    }

    /// The run is open. An earlier run that began at the same zxid or later held nothing or was
    /// cut.
    pub fn begun(&mut self) {
        let Some(next) = self.next.take() else { return };
        self.runs.retain(|run| run.from < next.from);
        self.runs.push(next);
        let excess = self.runs.len().saturating_sub(RUNS_MAX);
        self.runs.drain(..excess);
    }

    /// The log holds everything up to here.
    pub fn reach(&mut self, zxid: Zxid) {
        self.reached = zxid;
    }

    /// A purge removes the segments before this one: runs are identified by what is left of them.
    pub fn keep_from(&mut self, runs: &[LogRun], first: SegmentNumber) {
        for run in runs {
            let (taken, left): (Vec<_>, Vec<_>) =
                run.segments.iter().partition(|(number, _)| *number < first);
            let Some((_, seed)) = left.first() else { continue };
            let known = self.runs.iter_mut().chain(&mut self.next);
            for known in known.filter(|known| taken.iter().any(|(_, seed)| *seed == known.seed)) {
                known.seed = *seed;
            }
        }
    }

    /// Reads a line; false if it is a line of the lineage and malformed.
    pub(super) fn read(&mut self, line: &Line) -> bool {
        match line.key.as_str() {
            "run" => line_run(line).map(|run| self.runs.push(run)).is_some(),
            "next-run" => {
                self.next = line_run(line);
                self.next.is_some()
            }
            "reached" => line.zxid().map(|zxid| self.reached = zxid).is_some(),
            _ => true,
        }
    }

    pub(super) fn write(&self, text: &mut Text) -> Result<(), MarkError> {
        for run in &self.runs {
            text.line("run", run_text(run))?;
        }
        if let Some(run) = &self.next {
            text.line("next-run", run_text(run))?;
        }
        if self.reached > Zxid::ZERO {
            text.line("reached", self.reached.to_string())?;
        }
        Ok(())
    }
}

fn run_of(run: &LogRun) -> Option<LineageRun> {
    let (_, seed) = *run.segments.first()?;
    Some(LineageRun { seed, from: run.continues_from.unwrap_or(Zxid::ZERO) })
}

fn run_text(run: &LineageRun) -> String {
    format!("{:016x}@{}", run.seed, run.from)
}

fn line_run(line: &Line) -> Option<LineageRun> {
    let (seed, from) = line.value.to_str()?.split_once('@')?;
    Some(LineageRun { seed: u64::from_str_radix(seed, 16).ok()?, from: zxid_of(from)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u64, from: i64, limit: i64) -> LogRun {
        LogRun {
            segments: vec![(SegmentNumber(number), number)],
            continues_from: Some(Zxid(from)),
            limit: Zxid(limit),
        }
    }

    const END: i64 = i64::MAX;

    fn found(runs: &[LogRun], last: i64) -> Found<'_> {
        Found { runs, last: Zxid(last), snapshot: Zxid::ZERO }
    }

    /// The lineage of a server that was started `times` times, each time with ten txns.
    fn started(times: u64) -> Lineage {
        let mut lineage = Lineage::default();
        for number in 1..=times {
            lineage.begin(LineageRun { seed: number, from: Zxid(number as i64 * 10 - 10) });
            lineage.begun();
        }
        lineage
    }

    #[test]
    fn every_moment_of_a_start_leaves_a_log_that_is_known() {
        let mut lineage = Lineage::default();
        let log = [run(1, 0, 10), run(2, 10, END)];
        // A log of an earlier version, and a start that was interrupted early.
        let mut lineage_now = lineage.compare(found(&log, 20)).unwrap();
        lineage_now.begin(LineageRun { seed: 3, from: Zxid(20) });
        assert!(lineage_now.compare(found(&log, 20)).is_ok());
        let longer = [run(1, 0, 10), run(2, 10, 20), run(3, 20, END)];
        assert!(lineage_now.compare(found(&longer, 20)).is_ok());
        lineage_now.begun();
        assert!(lineage_now.compare(found(&longer, 25)).is_ok());
        assert_eq!(lineage_now.compare(found(&log, 20)).unwrap_err().common, Zxid(20));
        // The very first one.
        lineage.begin(LineageRun { seed: 1, from: Zxid::ZERO });
        assert!(lineage.compare(found(&[], 0)).is_ok());
        assert!(lineage.compare(found(&log[..1], 0)).is_ok());
        // A run without a record, replaced by the next one.
        let mut lineage = started(2);
        lineage.begin(LineageRun { seed: 7, from: Zxid(10) });
        assert!(lineage.compare(found(&[run(1, 0, 10), run(7, 10, END)], 10)).is_ok());
        lineage.begun();
        assert!(lineage.compare(found(&[run(1, 0, 10), run(7, 10, END)], 10)).is_ok());
    }

    #[test]
    fn other_logs_are_foreign_from_where_they_diverge() {
        let mut lineage = started(3);
        let older = [run(1, 0, END)];
        let fork = [run(1, 0, 8), run(9, 8, END)];
        let common = |lineage: &Lineage, log: &[LogRun], last| {
            lineage.compare(found(log, last)).unwrap_err().common
        };
        assert_eq!(common(&lineage, &older, 10), Zxid(10));
        assert_eq!(common(&lineage, &fork, 90), Zxid(8));
        assert_eq!(common(&lineage, &[run(8, 0, END)], 90), Zxid::ZERO);
        // The last run with less than it held; then cut and continued.
        let log = [run(1, 0, 10), run(2, 10, 20), run(3, 20, END)];
        lineage.reach(Zxid(30));
        assert!(lineage.compare(found(&log, 30)).is_ok());
        assert_eq!(lineage.compare(found(&log, 29)).unwrap_err().reached, Zxid(30));
        let cut = [run(1, 0, 10), run(2, 10, 20), run(3, 20, 25), run(4, 25, END)];
        assert_eq!(common(&lineage, &cut, 40), Zxid(25));
        // The log has continued, and the snapshots are those of an older copy.
        let later = [run(1, 0, 10), run(2, 10, 20), run(3, 20, 30), run(4, 30, END)];
        let adopted = lineage.compare(found(&later, 40)).unwrap();
        assert_eq!(adopted.runs.iter().map(|run| run.seed).collect::<Vec<_>>(), [1, 2, 3, 4]);
        let snapshot = Zxid(31);
        let beyond = Found { snapshot, ..found(&later, 40) };
        assert_eq!(lineage.compare(beyond).unwrap_err().common, Zxid(30));
    }

    #[test]
    fn a_purge_leaves_runs_that_are_known() {
        let mut lineage = started(2);
        let segments = (2..6).map(|number| (SegmentNumber(number), number)).collect();
        let whole =
            [run(1, 0, 10), LogRun { segments, continues_from: Some(Zxid(10)), limit: Zxid(END) }];
        lineage.keep_from(&whole, SegmentNumber(4));
        assert!(lineage.compare(found(&whole, 20)).is_ok(), "before it");
        let segments = (4..6).map(|number| (SegmentNumber(number), number)).collect();
        let left = [LogRun { segments, continues_from: None, limit: Zxid(END) }];
        assert!(lineage.compare(found(&left, 20)).is_ok(), "after it");
        assert_eq!(lineage.runs.len(), 2);
    }

    #[test]
    fn as_many_runs_are_remembered_as_there_is_room_for() {
        let lineage = started(1000);
        assert_eq!(lineage.runs.len(), RUNS_MAX);
        assert_eq!(lineage.runs.last().unwrap().seed, 1000);
        let last = [run(1000, 9990, END)];
        assert!(lineage.compare(found(&last, 9995)).is_ok());
    }
}
