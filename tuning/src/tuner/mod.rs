//! Settings of the machine: what was found, what is advised on this machine and why, how much it
//! matters, and how it is changed.
//!
//! [`Facts::read`] reads, [`settings`] judges: a function of the facts. `file` has the one place
//! that writes.

use crate::host::Severity;
use std::fmt;

mod facts;
mod file;
mod memory;
mod network;
mod processors;
mod storage;
#[cfg(test)]
mod tests;

pub use facts::{Facts, Questions};
pub use file::{Blocked, File, WriteError, text_of, value};

/// What is judged, in the order in which it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tuner {
    /// Frequencies of the processors.
    Governor,
    /// Frequencies above the nominal one.
    Boost,
    /// How deep a processor with a loop sleeps.
    CStates,
    /// What the kernel reads the time from.
    ClockSource,
    /// Whether the time is right.
    TimeSync,
    /// Parameters of the kernel's start.
    BootLine,
    /// The order of writes to the log's disk.
    DiskScheduler,
    /// Merging of neighbouring writes.
    Nomerges,
    /// The volatile cache of the log's disk.
    WriteCache,
    /// Throttling of writes from the page cache.
    WritebackThrottling,
    /// Reading ahead.
    ReadAhead,
    /// Times of files in the log's file system.
    Lazytime,
    /// Where interrupts are taken.
    Interrupts,
    /// Spreading what was received.
    Rps,
    /// Choosing a queue to send by.
    Xps,
    /// How long a device collects before it interrupts.
    Coalescing,
    /// Polling in the kernel.
    BusyPoll,
    /// Connections that wait to be accepted.
    Somaxconn,
    /// Connections that are being opened.
    SynBacklog,
    /// Whether memory is written to disk.
    Swappiness,
    /// Huge pages.
    HugePages,
    /// Merging of equal pages.
    Ksm,
    /// Moving memory between nodes.
    NumaBalancing,
    /// Whether the server may use it.
    IoUring,
    /// Memory that may be locked.
    LockedMemory,
    /// Files that may be open.
    OpenFiles,
}

/// All of them, with the names by which they are chosen.
pub const TUNERS: [(Tuner, &str); 26] = [
    (Tuner::Governor, "governor"),
    (Tuner::Boost, "boost"),
    (Tuner::CStates, "c-states"),
    (Tuner::ClockSource, "clock-source"),
    (Tuner::TimeSync, "time-sync"),
    (Tuner::BootLine, "boot-line"),
    (Tuner::DiskScheduler, "disk-scheduler"),
    (Tuner::Nomerges, "nomerges"),
    (Tuner::WriteCache, "write-cache"),
    (Tuner::WritebackThrottling, "writeback-throttling"),
    (Tuner::ReadAhead, "read-ahead"),
    (Tuner::Lazytime, "lazytime"),
    (Tuner::Interrupts, "interrupts"),
    (Tuner::Rps, "rps"),
    (Tuner::Xps, "xps"),
    (Tuner::Coalescing, "coalescing"),
    (Tuner::BusyPoll, "busy-poll"),
    (Tuner::Somaxconn, "somaxconn"),
    (Tuner::SynBacklog, "syn-backlog"),
    (Tuner::Swappiness, "swappiness"),
    (Tuner::HugePages, "huge-pages"),
    (Tuner::Ksm, "ksm"),
    (Tuner::NumaBalancing, "numa-balancing"),
    (Tuner::IoUring, "io-uring"),
    (Tuner::LockedMemory, "locked-memory"),
    (Tuner::OpenFiles, "open-files"),
];

impl fmt::Display for Tuner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = TUNERS.iter().find(|(tuner, _)| tuner == self);
        f.pad(named.map_or("", |(_, name)| name))
    }
}

/// One setting of one part of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which one.
    pub tuner: Tuner,
    /// Of what: a device, processors; empty of the whole machine.
    pub subject: String,
    /// What was found; `None` if it is not known.
    pub found: Option<String>,
    /// What to do.
    pub advice: Advice,
    /// Why, on this machine.
    pub why: String,
}

/// What to do about a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Nothing: it is as advised.
    Keep,
    /// Nothing: it is not there, or not shown here.
    Absent,
    /// Write these files; not empty.
    Write {
        /// How much it matters.
        severity: Severity,
        /// The value.
        advised: String,
        /// What is written.
        changes: Vec<Change>,
    },
    /// What is not for a program to change.
    ByHand {
        /// How much it matters.
        severity: Severity,
        /// The value.
        advised: String,
        /// What to do.
        how: String,
    },
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its name, below `/sys` or `/proc`.
    pub name: String,
    /// The value it has.
    pub found: String,
    /// The value to give to it.
    pub advised: String,
    /// Why that cannot be done here.
    pub blocked: Option<Blocked>,
}

impl Setting {
    /// How much it matters, if it is not as advised.
    pub fn severity(&self) -> Option<Severity> {
        match &self.advice {
            Advice::Keep | Advice::Absent => None,
            Advice::Write { severity, .. } | Advice::ByHand { severity, .. } => Some(*severity),
        }
    }

    /// The files to write.
    pub fn changes(&self) -> &[Change] {
        match &self.advice {
            Advice::Write { changes, .. } => changes,
            _ => &[],
        }
    }
}

/// Every setting, judged; in the order of [`TUNERS`].
pub fn settings(facts: &Facts) -> Vec<Setting> {
    let parts = [processors::judge, storage::judge, network::judge, memory::judge];
    let mut settings: Vec<Setting> = parts.iter().flat_map(|judge| judge(facts)).collect();
    settings.sort_by_key(|setting| setting.tuner);
    settings
}

/// How many different values are shown of one setting.
const VALUES_SHOWN_MAX: usize = 3;

/// What a setting is about, before it is judged.
struct About {
    tuner: Tuner,
    subject: String,
}

impl About {
    fn machine(tuner: Tuner) -> Self {
        Self { tuner, subject: String::new() }
    }

    fn of(tuner: Tuner, subject: &str) -> Self {
        Self { tuner, subject: subject.to_owned() }
    }

    fn setting(self, found: Option<String>, advice: Advice, why: impl Into<String>) -> Setting {
        Setting { tuner: self.tuner, subject: self.subject, found, advice, why: why.into() }
    }

    fn keep(self, found: impl Into<String>, why: impl Into<String>) -> Setting {
        self.setting(Some(found.into()), Advice::Keep, why)
    }

    fn absent(self, why: impl Into<String>) -> Setting {
        self.setting(None, Advice::Absent, why)
    }

    fn by_hand(
        self,
        found: Option<String>,
        (severity, advised): (Severity, &str),
        how: impl Into<String>,
        why: impl Into<String>,
    ) -> Setting {
        let advised = advised.to_owned();
        self.setting(found, Advice::ByHand { severity, advised, how: how.into() }, why)
    }

    /// Files that shall have these values; those that have them already are left alone.
    fn write(
        self,
        facts: &Facts,
        severity: Severity,
        wanted: Vec<(String, String)>,
        why: impl Into<String>,
    ) -> Setting {
        let all: Vec<Change> = wanted
            .into_iter()
            .filter_map(|(name, advised)| {
                let file = facts.file(&name)?;
                let (found, blocked) = (file.value.clone(), file.blocked);
                Some(Change { name, found, advised, blocked })
            })
            .collect();
        if all.is_empty() {
            return self.absent("the files behind it cannot be read here");
        }
        let found = joined(all.iter().map(|it| &*it.found));
        let changes: Vec<Change> = all.into_iter().filter(|it| it.found != it.advised).collect();
        if changes.is_empty() {
            return self.setting(Some(found), Advice::Keep, why);
        }
        let found = joined(changes.iter().map(|it| &*it.found));
        let advised = joined(changes.iter().map(|it| &*it.advised));
        self.setting(Some(found), Advice::Write { severity, advised, changes }, why)
    }
}

/// The different ones of some values.
fn joined<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let mut different: Vec<&str> = Vec::new();
    for value in values {
        if !different.contains(&value) {
            different.push(value);
        }
    }
    let shown = different[..different.len().min(VALUES_SHOWN_MAX)].join(" | ");
    if different.len() > VALUES_SHOWN_MAX { shown + " | ..." } else { shown }
}
