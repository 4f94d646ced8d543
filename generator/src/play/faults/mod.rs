//! Faults of a workload, performed while it is played: what is done to which server, when it began
//! and when it was over.
//!
//! `steps` is the life of one fault, `choice` finds the server that it is done to. Nothing here
//! waits: a fault is a state that is looked at every few milliseconds.
//!
//! Invariant: incidents are excused from the first step of a fault until every server serves again,
//! every client has its session, and a while has passed. Lost sessions, wrong answers and servers
//! that end by themselves are never excused.

mod choice;
mod steps;

use std::collections::VecDeque;
use std::mem;

use self::steps::{Active, State};
use super::client::Attachment;
use super::outage::Outage;
use super::stage::Stage;
use crate::ensemble::Ensemble;
use crate::error::BenchError;
use crate::limits::{FAULT_GRACE_NS, FAULT_POLL_NS};
use crate::results::{FaultReport, IncidentKind};
use crate::signals::Signals;
use crate::tally::Code;
use crate::workload::{Act, Workload};

/// A fault that is due at a time.
struct Planned {
    at_ns: u64,
    act: Act,
}

/// Lives in: the stage.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) ensemble: Option<Ensemble>,
    signals: Option<Signals>,
    /// When the measurement started.
    start_ns: u64,
    planned: VecDeque<Planned>,
    active: Vec<Active>,
    /// Those that have begun, in that order.
    reports: Vec<FaultReport>,
    /// Errors and losses up to the beginning of the last one, by kind.
    before: Vec<(Box<str>, u64)>,
    /// Whether what happens is counted for the last one.
    is_counting: bool,
    /// When the last one was over, while incidents are excused.
    over_ns: Option<u64>,
    next_ns: u64,
}

impl Faults {
    pub(super) fn of(ensemble: Option<Ensemble>, signals: Option<Signals>) -> Self {
        Self { ensemble, signals, ..Self::default() }
    }

    /// When to call [`Stage::advance_faults`], if there is a reason.
    pub(super) fn next_ns(&self) -> Option<u64> {
        let is_busy = self.ensemble.is_some() || !self.active.is_empty() || self.over_ns.is_some();
        let first = self.planned.front().map(|planned| planned.at_ns);
        if is_busy { Some(self.next_ns) } else { first }
    }

    fn take_due(&mut self, now_ns: u64) -> Option<Planned> {
        let is_due = self.planned.front().is_some_and(|planned| planned.at_ns <= now_ns);
        if is_due { self.planned.pop_front() } else { None }
    }

    /// Whether none is going on.
    pub(super) fn is_over(&self) -> bool {
        self.active.is_empty()
    }
}

/// Whether an answer shows that writes are accepted, or that reads are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outages {
    pub(super) writes: Outage,
    pub(super) reads: Outage,
}

impl Stage {
    /// Plans the workload's faults for a measurement that starts now.
    pub(super) fn begin_faults(&mut self, now_ns: u64) {
        self.faults.planned = planned(&self.world.workload, now_ns).into();
        (self.faults.start_ns, self.faults.next_ns) = (now_ns, now_ns);
        let outage = Outage::since(now_ns);
        self.outages = Outages { writes: outage, reads: outage };
    }

    /// Plans no more of them, and reports those that have begun; some may not be over.
    pub(super) fn end_faults(&mut self) {
        self.faults.planned.clear();
        self.close_report();
    }

    /// What each one did, with times since the measurement started.
    pub(super) fn fault_reports(&mut self) -> Vec<FaultReport> {
        let start_ns = self.faults.start_ns;
        let since = |at_ns: u64| at_ns.saturating_sub(start_ns);
        let mut reports = mem::take(&mut self.faults.reports);
        for report in &mut reports {
            report.begin_ns = since(report.begin_ns);
            report.end_ns = report.end_ns.map(since);
            for gap in [&mut report.no_writes, &mut report.no_reads].into_iter().flatten() {
                *gap = (since(gap.0), since(gap.1));
            }
        }
        reports
    }

    /// Does what is due of the faults, and looks after the servers that were started here.
    pub(super) fn advance_faults(&mut self) -> Result<(), BenchError> {
        if self.faults.next_ns().is_none_or(|next_ns| self.now_ns < next_ns) {
            return Ok(());
        }
        self.faults.next_ns = self.now_ns + FAULT_POLL_NS;
        if let Some(signals) = &self.faults.signals {
            signals.check()?;
        }
        self.watch_members();
        while let Some(Planned { act, .. }) = self.faults.take_due(self.now_ns) {
            self.faults.active.push(Active::new(act, self.now_ns));
        }
        for mut fault in mem::take(&mut self.faults.active) {
            self.step(&mut fault)?;
            if matches!(fault.state, State::Over) {
                self.over(&fault);
            } else {
                self.faults.active.push(fault);
            }
        }
        self.settle();
        Ok(())
    }

    /// A server that ended without being asked to is an incident.
    fn watch_members(&mut self) {
        let Some(ensemble) = &mut self.faults.ensemble else { return };
        for (server, member) in ensemble.members.iter_mut().enumerate() {
            let Some(ended) = member.ended() else { continue };
            if !self.faults.active.iter().any(|fault| fault.ends(server)) {
                let detail = format!("{}: {}", ended.status, ended.last);
                self.journal.add(IncidentKind::Ended, Some(server), self.now_ns, detail);
            }
        }
    }

    /// A fault begins to have effects, which are reported as its own from here on.
    fn begin_report(&mut self, words: String, server: Option<usize>) -> usize {
        self.close_report();
        self.faults.is_counting = true;
        let server = server.map(|server| self.routes.servers[server].name.clone());
        let name = server.as_deref().map_or(String::new(), |name| format!(": {name}"));
        self.journal.note(self.now_ns, &format!("fault: {words}{name}"));
        self.faults.before = self.failures();
        self.faults.over_ns = Some(u64::MAX);
        self.journal.is_excusing = true;
        self.faults.reports.push(FaultReport::new(words, server, self.now_ns));
        self.faults.reports.len() - 1
    }

    /// What happens from now on is not counted for the last fault, if it was until now.
    fn close_report(&mut self) {
        let kinds = self.failures();
        let (no_writes, no_reads) =
            (self.outages.writes.cut(self.now_ns), self.outages.reads.cut(self.now_ns));
        let is_counting = mem::take(&mut self.faults.is_counting);
        let report = self.faults.reports.last_mut().filter(|_| is_counting);
        let Some(report) = report else { return };
        let earlier = |kind: &str| {
            self.faults.before.iter().find(|(of, _)| &**of == kind).map_or(0, |(_, count)| *count)
        };
        let more = kinds.into_iter().map(|(kind, count)| {
            let before = earlier(&kind);
            (kind, count - before)
        });
        report.kinds = more.filter(|(_, count)| *count > 0).collect();
        (report.no_writes, report.no_reads) = (no_writes, no_reads);
    }

    /// Errors, incidents and losses so far, by kind.
    fn failures(&self) -> Vec<(Box<str>, u64)> {
        let errors = self.tally.errors().iter();
        let errors = errors.map(|(code, count)| (Code(*code).to_string().into(), *count));
        let incidents = self.journal.totals().iter();
        let incidents = incidents.map(|(kind, count)| (kind.name().into(), *count));
        let lost = ("operation lost".into(), self.lost_count);
        errors.chain(incidents).chain([lost]).collect()
    }

    fn over(&mut self, fault: &Active) {
        self.faults.over_ns = Some(self.now_ns);
        if let Some(report) = fault.report.and_then(|at| self.faults.reports.get_mut(at)) {
            report.end_ns = Some(self.now_ns);
            self.journal.note(self.now_ns, &format!("over: {}", report.words));
        }
    }

    /// Once nothing is left of the last fault, incidents count again, and nothing for it.
    fn settle(&mut self) {
        let is_late = self
            .faults
            .over_ns
            .is_some_and(|over_ns| self.now_ns >= over_ns.saturating_add(FAULT_GRACE_NS));
        if is_late && self.faults.is_over() && self.is_attached() {
            self.close_report();
            self.faults.over_ns = None;
            self.journal.is_excusing = false;
        }
    }

    /// Whether every client of the workload has its session.
    pub(super) fn is_attached(&self) -> bool {
        let clients = &self.clients[..self.connections];
        clients.iter().all(|client| client.attachment == Attachment::Ready)
    }
}

fn planned(workload: &Workload, start_ns: u64) -> Vec<Planned> {
    let mut planned: Vec<_> = workload
        .plan()
        .into_iter()
        .map(|(at, act)| Planned { at_ns: start_ns + at.ns(), act })
        .collect();
    planned.sort_by_key(|planned| planned.at_ns);
    planned
}
