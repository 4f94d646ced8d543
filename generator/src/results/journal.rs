//! What went wrong, and when.

use crate::Say;
use crate::limits::{INCIDENT_MERGED_NS, INCIDENTS_MAX};

/// How many of the last incidents another one may be merged with: of all kinds, of some servers.
const MERGED_MAX: usize = 32;

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
    /// A server that was started here has ended by itself.
    Ended,
    /// A fault could not be performed, or a server did not come back after it.
    FaultFailed,
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
            Self::Ended => "server ended",
            Self::FaultFailed => "fault failed",
        }
    }

    /// Whether a fault explains it. Sessions outlive the faults that a correct ensemble survives.
    fn is_excusable(self) -> bool {
        matches!(self, Self::Closed | Self::Refused | Self::Stalled)
    }
}

/// One incident, or several of a kind close together.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    pub(crate) kind: IncidentKind,
    /// An index of the journal's names; `None` if it is of no server in particular.
    pub(crate) server: Option<usize>,
    /// Caused by a fault that was performed: it does not make the measurement void.
    pub(crate) is_excused: bool,
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
    /// Of the servers.
    names: Vec<Box<str>>,
    /// How often each kind has occurred.
    totals: Vec<(IncidentKind, u64)>,
    start_ns: u64,
    say: Say,
    /// Whether a fault is going on.
    pub(crate) is_excusing: bool,
    /// Whether the last one ended the run.
    pub(crate) is_fatal: bool,
}

impl Journal {
    /// An empty journal; each incident is reported when it begins.
    pub(crate) fn new(say: Say) -> Self {
        Self {
            incidents: Vec::new(),
            names: Vec::new(),
            totals: Vec::new(),
            start_ns: 0,
            say,
            is_excusing: false,
            is_fatal: false,
        }
    }

    /// The names of the servers, which incidents refer to.
    pub(crate) fn of_servers(mut self, names: Vec<Box<str>>) -> Self {
        self.names = names;
        self
    }

    /// The server of an incident, if there are several.
    pub(crate) fn server_of(&self, incident: &Incident) -> Option<&str> {
        let is_one_of_several = self.names.len() > 1;
        let server = incident.server.filter(|_| is_one_of_several)?;
        self.names.get(server).map(AsRef::as_ref)
    }

    /// What happened, in words: the kind, the server if there are several, the first detail.
    pub(crate) fn words(&self, incident: &Incident) -> String {
        let kind = incident.kind.name();
        match self.server_of(incident) {
            Some(server) => format!("{kind}, {server}: {}", incident.detail),
            None => format!("{kind}: {}", incident.detail),
        }
    }

    /// Returns its content, and leaves it empty.
    pub(crate) fn take(&mut self) -> Self {
        let empty = Self::new(self.say).of_servers(self.names.clone());
        std::mem::replace(self, empty)
    }

    /// Times of incidents count from `now_ns`.
    pub(crate) fn start(&mut self, now_ns: u64) {
        self.start_ns = now_ns;
    }

    pub(crate) fn add(
        &mut self,
        kind: IncidentKind,
        server: Option<usize>,
        at_ns: u64,
        detail: String,
    ) {
        let at_ns = at_ns.saturating_sub(self.start_ns);
        let is_excused = self.is_excusing && kind.is_excusable();
        match self.totals.iter_mut().find(|total| total.0 == kind) {
            Some(total) => total.1 += 1,
            None => self.totals.push((kind, 1)),
        }
        let near = |incident: &&mut Incident| {
            incident.kind == kind
                && incident.server == server
                && incident.is_excused == is_excused
                && at_ns <= incident.to_ns + INCIDENT_MERGED_NS
        };
        if let Some(incident) = self.incidents.iter_mut().rev().take(MERGED_MAX).find(near) {
            incident.to_ns = incident.to_ns.max(at_ns);
            incident.count += 1;
        } else if self.incidents.len() < INCIDENTS_MAX {
            let (from_ns, to_ns) = (at_ns, at_ns);
            let count = 1;
            let incident = Incident { kind, server, is_excused, from_ns, to_ns, count, detail };
            (self.say)(&format!("{:.1} s: {}", at_ns as f64 / 1e9, self.words(&incident)));
            self.incidents.push(incident);
        }
    }

    /// As [`Self::add`], and the run ends.
    pub(crate) fn end(
        &mut self,
        kind: IncidentKind,
        server: Option<usize>,
        at_ns: u64,
        detail: String,
    ) {
        self.add(kind, server, at_ns, detail);
        self.is_fatal = true;
    }

    /// Reports a line that is no incident.
    pub(crate) fn note(&self, at_ns: u64, words: &str) {
        let at_ns = at_ns.saturating_sub(self.start_ns);
        (self.say)(&format!("{:.1} s: {words}", at_ns as f64 / 1e9));
    }

    /// How often each kind has occurred.
    pub(crate) fn totals(&self) -> &[(IncidentKind, u64)] {
        &self.totals
    }

    /// Incidents that no fault explains.
    pub(crate) fn unexplained(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().filter(|incident| !incident.is_excused)
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
