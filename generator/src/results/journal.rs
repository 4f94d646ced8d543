//! What went wrong, and when.

use crate::Say;
use crate::limits::{INCIDENT_MERGED_NS, INCIDENTS_MAX};

/// Kinds of incidents: what a correct server does not do under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentKind {
    /// A connection was closed or reset.
    Closed,
    /// A connection could not be opened.
    Refused,
    /// A session had expired when its client reconnected.
    Expired,
    /// A request was not answered for too long.
    Stalled,
    /// An answer did not match its request.
    Wrong,
    /// There was no connection for longer than the patience lasts.
    Gone,
}

impl IncidentKind {
    /// Its name in the results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "connection lost",
            Self::Refused => "connection refused",
            Self::Expired => "session lost",
            Self::Stalled => "no answer",
            Self::Wrong => "wrong answer",
            Self::Gone => "server gone",
        }
    }
}

/// One incident, or several of a kind close together.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    pub(crate) kind: IncidentKind,
    /// Since the start of the measurement, in ns; before it is 0.
    pub(crate) from_ns: u64,
    pub(crate) to_ns: u64,
    pub(crate) count: u64,
    /// Of the first.
    pub(crate) detail: String,
}

/// All incidents. Lives in: the player.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    pub(crate) incidents: Vec<Incident>,
    start_ns: u64,
    say: Say,
    /// Whether the last one ended the run.
    pub(crate) is_fatal: bool,
}

impl Journal {
    /// An empty journal; each incident is reported when it begins.
    pub(crate) fn new(say: Say) -> Self {
        Self { incidents: Vec::new(), start_ns: 0, say, is_fatal: false }
    }

    /// Returns its content, and leaves it empty.
    pub(crate) fn take(&mut self) -> Self {
        let empty = Self::new(self.say);
        std::mem::replace(self, empty)
    }

    /// Times of incidents count from `now_ns`.
    pub(crate) fn start(&mut self, now_ns: u64) {
        self.start_ns = now_ns;
    }

    pub(crate) fn add(&mut self, kind: IncidentKind, at_ns: u64, detail: String) {
        let at_ns = at_ns.saturating_sub(self.start_ns);
        let near = |incident: &&mut Incident| {
            incident.kind == kind && at_ns <= incident.to_ns + INCIDENT_MERGED_NS
        };
        if let Some(incident) = self.incidents.iter_mut().rev().take(8).find(near) {
            incident.to_ns = incident.to_ns.max(at_ns);
            incident.count += 1;
        } else if self.incidents.len() < INCIDENTS_MAX {
            let line = format!("{:.1} s: {}: {detail}", at_ns as f64 / 1e9, kind.name());
            (self.say)(&line);
            let (from_ns, to_ns) = (at_ns, at_ns);
            self.incidents.push(Incident { kind, from_ns, to_ns, count: 1, detail });
        }
    }

    /// As [`Self::add`], and the run ends.
    pub(crate) fn end(&mut self, kind: IncidentKind, at_ns: u64, detail: String) {
        self.add(kind, at_ns, detail);
        self.is_fatal = true;
    }

    /// The incident that ended the run, if one did.
    pub(crate) fn fatal(&self) -> Option<&Incident> {
        self.incidents.last().filter(|_| self.is_fatal)
    }

    /// A stall is over: its incident lasted until now.
    pub(crate) fn answered_again(&mut self, now_ns: u64) {
        let now_ns = now_ns.saturating_sub(self.start_ns);
        let mut stalls = self.incidents.iter_mut().rev();
        if let Some(stall) = stalls.find(|incident| incident.kind == IncidentKind::Stalled) {
            stall.to_ns = stall.to_ns.max(now_ns);
        }
    }
}
