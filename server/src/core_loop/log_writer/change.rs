//! A change of the log to another run while it is written: a cut, a received history, or the return
//! from one that is void.
//!
//! What was queued is written; but what was queued behind a cut and is not appended yet is dropped,
//! so that a full disk cannot stop a cut that would drop it. Once nothing is in flight the run is
//! ended, if there is a place for its last batch, and the background begins the next one. What is
//! queued meanwhile belongs to that one. Changes that are asked for meanwhile follow, in order.
//!
//! Lives in: the ordering role's core loop.

use super::{LogWriter, SEGMENT_RETRY_MS};
use crate::core_loop::inbox::{LoopInbox, LoopMessage};
use crate::persist::{self, CutJob, ReceivedRunJob, RestoreError};
use disk::BackgroundError;
use engine::in_log::InLog;
use engine::settings::{Now, Settings};
use model::zxid::{Epoch, Zxid};
use ring::Queue;
use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use tracing::warn;
use txlog::segments::RunStart;
use txlog::{Appender, Base, SegmentHeader};

/// What the next run is.
#[derive(Clone, Debug)]
pub(in crate::core_loop) enum Change {
    /// It continues from this txn; what comes behind it is cut.
    Cut(Zxid),
    /// It begins with a received snapshot, which is stored.
    Received(Base),
    /// It begins with an empty tree, for a server of these settings, as with a received snapshot
    /// that counts from this epoch on.
    Empty(Epoch, Arc<Settings>),
    /// It continues the log before the last [`Change::Received`] or [`Change::Empty`], which does
    /// not count and is void.
    Forget,
}

/// How far a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// What was queued or is in flight has to end.
    Draining,
    /// The run is ended, or there is no place for its last batch, which may be in flight.
    Ended,
    /// The background begins the next run.
    Beginning,
}

/// A change that is under way, or waits for those before it.
pub(super) struct Changing {
    change: Change,
    stage: Stage,
    /// Txns of the next run.
    behind: VecDeque<Arc<InLog>>,
    /// When to try again to begin it, in ms of the monotonic clock.
    retry_ms: Option<u64>,
}

impl Changing {
    fn to(change: Change) -> Self {
        let (stage, behind) = (Stage::Draining, VecDeque::new());
        Self { change, stage, behind, retry_ms: None }
    }

    /// Queues txns for the next run.
    pub(super) fn push(&mut self, in_log: Arc<InLog>) {
        self.behind.push_back(in_log);
    }

    /// When to try again, in ms of the monotonic clock.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.retry_ms
    }
}

impl LogWriter {
    /// Changes to another run. What is pushed from now on belongs to it; [`Self::take_changed`]
    /// reports the end.
    ///
    /// # Panics
    /// If a cut comes after what was pushed.
    pub(in crate::core_loop) fn begin_change(&mut self, change: Change) {
        if let Change::Cut(at) = change {
            self.drop_behind(at);
        }
        self.changes.push_back(Changing::to(change));
    }

    /// Drops what was pushed behind `at`, to the run that was begun or asked for last, and is not
    /// appended yet.
    fn drop_behind(&mut self, at: Zxid) {
        let pushed = self.pushed_through();
        assert!(pushed.is_none_or(|pushed| at <= pushed), "a cut at {at}, {pushed:?} was pushed");
        let (waiting, begun) = match self.changes.back_mut() {
            Some(last) => (&mut last.behind, 0),
            // One that is begun is appended to its end.
            None => (&mut self.waiting, usize::from(self.taken > 0)),
        };
        while waiting.len() > begun
            && waiting.back().and_then(|it| it.first()).is_none_or(|first| first > at)
        {
            waiting.pop_back();
        }
    }

    /// The last txn that was pushed; `None` if it is that of the run before the last received one.
    fn pushed_through(&self) -> Option<Zxid> {
        if let Some(Changing { change, behind, .. }) = self.changes.back() {
            let begins_at = match change {
                Change::Cut(at) => Some(*at),
                Change::Received(base) => Some(base.zxid),
                Change::Empty(..) => Some(Zxid::ZERO),
                Change::Forget => self.before_received.map(|run| run.continues_from),
            };
            return behind.back().and_then(|it| it.last()).or(begins_at);
        }
        let pushed = self.waiting.back().and_then(|it| it.last());
        Some(pushed.unwrap_or(self.appender.appended_through()))
    }

    /// A change that has ended, once: the log is the new run, durably.
    pub(in crate::core_loop) fn take_changed(&mut self) -> Option<Change> {
        self.changed.pop_front()
    }

    /// Whether a change is under way.
    pub(in crate::core_loop) fn is_changing(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Changes that have not ended.
    #[cfg(test)]
    pub(super) fn pending_changes(&self) -> usize {
        self.changes.len()
    }

    /// Whether nothing is appended to the run any more.
    pub(super) fn has_ended_run(&self) -> bool {
        self.changes.front().is_some_and(|it| it.stage != Stage::Draining)
    }

    /// Ends the run once everything that was queued is durable.
    pub(super) fn end_run(&mut self, queue: &mut Queue<'_>) {
        if self.has_ended_run() || !self.waiting.is_empty() || !self.appender.is_idle() {
            return;
        }
        let Some(changing) = self.changes.front_mut() else { return };
        changing.stage = Stage::Ended;
        // Without a place for it the change is no less durable: the next run's header makes it.
        if let Some(write) = self.appender.end() {
            self.write(queue, write);
        }
    }

    /// Has the next run begun in the background once nothing is in flight. The caller ensures that
    /// no snapshot is being written, stored or adopted, and no purge is under way.
    pub(in crate::core_loop) fn begin_run(&mut self, inbox: &Arc<LoopInbox>, now: Now) {
        let is_still = self.appender.is_idle() && !self.is_preparing;
        let Some(changing) = self.changes.front() else { return };
        let is_early = changing.retry_ms.is_some_and(|at| now.mono_ms < at);
        if changing.stage != Stage::Ended || !is_still || is_early {
            return;
        }
        let change = changing.change.clone();
        let begun = self.submit(change, inbox.clone());
        let Some(changing) = self.changes.front_mut() else { return };
        match begun {
            Ok(()) => (changing.stage, changing.retry_ms) = (Stage::Beginning, None),
            Err(error) => {
                warn!("the background accepts no more work: {error}");
                changing.retry_ms = Some(now.mono_ms + SEGMENT_RETRY_MS);
            }
        }
    }

    fn submit(&mut self, change: Change, inbox: Arc<LoopInbox>) -> Result<(), BackgroundError> {
        let notify = move |result| inbox.send(LoopMessage::RunBegun(result));
        let (directories, durability) = (self.directories.clone(), self.durability);
        let (background, appender) = (&self.background, &self.appender);
        let (base, empty) = match change {
            Change::Cut(at) => {
                let run = appender.run_behind(at);
                return persist::cut(background, CutJob { run, directories, durability }, notify);
            }
            Change::Forget => {
                let run = self.run_before_received();
                let job = CutJob { run, directories, durability };
                return persist::forget_received(background, job, notify);
            }
            Change::Received(base) => (base, None),
            Change::Empty(epoch, settings) => (Base { zxid: Zxid::ZERO, epoch }, Some(settings)),
        };
        self.before_received = Some(appender.run_behind(appender.durable_through()));
        let run = appender.run_received(base.zxid, base.epoch);
        let job = ReceivedRunJob { run, empty, directories, durability };
        persist::begin_received(background, job, notify)
    }

    fn run_before_received(&self) -> RunStart {
        self.before_received.expect("only a run is forgotten that was begun")
    }

    /// The background has begun the next run, or could not: it is tried again, unless it is to be
    /// forgotten. Nothing is lost meanwhile: the log is what it was, or is the new one already.
    ///
    /// # Panics
    /// If it was not asked to.
    pub(in crate::core_loop) fn run_begun(
        &mut self,
        result: Result<(SegmentHeader, File), RestoreError>,
        now: Now,
    ) {
        let mut changing = self.changes.pop_front().expect("a change is under way");
        assert_eq!(changing.stage, Stage::Beginning);
        match result {
            Ok((header, file)) => {
                self.appender = Appender::new(*self.appender.config(), header);
                self.files = VecDeque::from([(header.number, file)]);
                (self.waiting, self.taken) = (changing.behind, 0);
                (self.segment_retry_ms, self.segment_refusal) = (None, None);
                self.changed.push_back(changing.change);
            }
            Err(error) => {
                warn!("the log's next run could not be begun; it will be retried: {error}");
                let next = self.changes.front().map(|it| &it.change);
                if let (Some(Change::Forget), Change::Received(_) | Change::Empty(..)) =
                    (next, &changing.change)
                {
                    // What was begun of it is replaced by the run that forgets it.
                    self.changes.front_mut().expect("it is there").stage = Stage::Ended;
                    return;
                }
                changing.stage = Stage::Ended;
                changing.retry_ms = Some(now.mono_ms + SEGMENT_RETRY_MS);
                self.changes.push_front(changing);
            }
        }
    }
}
