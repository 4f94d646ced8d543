//! A cut of the log while it is written.
//!
//! What was queued at or before the cut is written; what was queued behind it and is not appended
//! yet is dropped, so that a full disk cannot stop a cut that would drop it. Once nothing is in
//! flight the run is ended, if there is a place for its last batch, and the background begins the
//! next one. What is queued meanwhile belongs to that one.
//!
//! Lives in: the ordering role's core loop.

use super::{LogWriter, SEGMENT_RETRY_MS};
use crate::core_loop::inbox::{LoopInbox, LoopMessage};
use crate::persist::{self, CutJob, RestoreError};
use engine::in_log::InLog;
use engine::settings::Now;
use model::zxid::Zxid;
use ring::Queue;
use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use tracing::warn;
use txlog::{Appender, SegmentHeader};

/// How far a cut is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// What was queued or is in flight has to end.
    Draining,
    /// The run is ended, or there is no place for its last batch, which may be in flight.
    Ended,
    /// The background begins the next run.
    Beginning,
}

/// A cut that is under way.
pub(super) struct Cut {
    at: Zxid,
    stage: Stage,
    /// Txns of the next run.
    behind: VecDeque<Arc<InLog>>,
    /// When to try again to begin it, in ms of the monotonic clock.
    retry_ms: Option<u64>,
}

impl Cut {
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
    /// Cuts the log behind `at`. What is pushed from now on comes behind it; [`Self::take_cut`]
    /// reports the end.
    ///
    /// # Panics
    /// If another cut is under way, or `at` comes after what was pushed.
    pub(in crate::core_loop) fn begin_cut(&mut self, at: Zxid) {
        assert!(self.cut.is_none() && self.cut_ended.is_none(), "one cut at a time");
        let pushed = self.waiting.back().and_then(|it| it.last());
        let pushed = pushed.unwrap_or(self.appender.appended_through());
        assert!(at <= pushed, "a cut at {at}, {pushed} was pushed");
        // One that is begun is appended to its end.
        let begun = usize::from(self.taken > 0);
        while self.waiting.len() > begun
            && self.waiting.back().and_then(|it| it.first()).is_none_or(|first| first > at)
        {
            self.waiting.pop_back();
        }
        let (stage, behind) = (Stage::Draining, VecDeque::new());
        self.cut = Some(Cut { at, stage, behind, retry_ms: None });
    }

    /// The zxid of a cut that has ended, once: the log ends there, durably.
    pub(in crate::core_loop) fn take_cut(&mut self) -> Option<Zxid> {
        self.cut_ended.take()
    }

    /// Whether a cut is under way.
    pub(in crate::core_loop) fn is_cutting(&self) -> bool {
        self.cut.is_some()
    }

    /// Whether nothing is appended to the run any more.
    pub(super) fn has_ended_run(&self) -> bool {
        self.cut.as_ref().is_some_and(|cut| cut.stage != Stage::Draining)
    }

    /// Ends the run once everything that was queued is durable.
    pub(super) fn end_run(&mut self, queue: &mut Queue<'_>) {
        if self.has_ended_run() || !self.waiting.is_empty() || !self.appender.is_idle() {
            return;
        }
        let Some(cut) = &mut self.cut else { return };
        cut.stage = Stage::Ended;
        // Without a place for it the cut is no less durable: the next run's header makes it.
        if let Some(write) = self.appender.end() {
            self.write(queue, write);
        }
    }

    /// Has the next run begun in the background once nothing is in flight. The caller ensures that
    /// no snapshot is being written and no purge is under way.
    pub(in crate::core_loop) fn begin_run(&mut self, inbox: &Arc<LoopInbox>, now: Now) {
        let is_still = self.appender.is_idle() && !self.is_preparing;
        let Some(cut) = &mut self.cut else { return };
        let is_early = cut.retry_ms.is_some_and(|at| now.mono_ms < at);
        if cut.stage != Stage::Ended || !is_still || is_early {
            return;
        }
        let inbox = inbox.clone();
        let job = CutJob {
            run: self.appender.run_behind(cut.at),
            directories: self.directories.clone(),
            durability: self.durability,
        };
        let notify = move |result| inbox.send(LoopMessage::Cut(result));
        match persist::cut(&self.background, job, notify) {
            Ok(()) => (cut.stage, cut.retry_ms) = (Stage::Beginning, None),
            Err(error) => {
                warn!("the background accepts no more work: {error}");
                cut.retry_ms = Some(now.mono_ms + SEGMENT_RETRY_MS);
            }
        }
    }

    /// The background has begun the next run, or could not: it is tried again. Nothing is lost
    /// meanwhile: the log is what it was, or is cut already.
    ///
    /// # Panics
    /// If it was not asked to.
    pub(in crate::core_loop) fn run_begun(
        &mut self,
        result: Result<(SegmentHeader, File), RestoreError>,
        now: Now,
    ) {
        let mut cut = self.cut.take().expect("a cut is under way");
        assert_eq!(cut.stage, Stage::Beginning);
        match result {
            Ok((header, file)) => {
                self.appender = Appender::new(*self.appender.config(), header);
                self.files = VecDeque::from([(header.number, file)]);
                (self.waiting, self.taken) = (cut.behind, 0);
                (self.segment_retry_ms, self.segment_refusal) = (None, None);
                self.cut_ended = Some(cut.at);
            }
            Err(error) => {
                warn!("the log could not be cut behind {}; it will be retried: {error}", cut.at);
                cut.stage = Stage::Ended;
                cut.retry_ms = Some(now.mono_ms + SEGMENT_RETRY_MS);
                self.cut = Some(cut);
            }
        }
    }
}
