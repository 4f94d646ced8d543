//! Why `plan` failed.

use super::fields::FIELDS;
use super::words;
use generator::BenchError;
use planning::{FitError, InputError, Refusal};
use std::io;
use std::path::PathBuf;
use thiserror::Error;
use tuning::TopologyError;
use tuning::profile::ProfileError;

/// Why it failed.
#[derive(Debug, Error)]
pub enum PlanError {
    /// No load was given in any form.
    #[error(
        "there is no load to plan for: give numbers (--reads, --writes, --sessions, --nodes), a \
         running server (--server, --metrics), or a report of `ringkeeper bench` (--report)"
    )]
    Nothing,
    /// A load without requests.
    #[error("the load has no requests{0}: give --reads or --writes, above 0")]
    Idle(&'static str),
    /// A number that makes no sense.
    #[error("{name} {value}: {why}")]
    Number {
        /// The flag.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        why: &'static str,
    },
    /// One file for two things.
    #[error(
        "{path} is both {} and {}: name two files", .flags[0], .flags[1], path = .path.display()
    )]
    WrittenTwice {
        /// Which one.
        path: PathBuf,
        /// What it is named by.
        flags: [&'static str; 2],
    },
    /// A file that has no stream in its place.
    #[error("{0} -: only --json writes to standard output, so name a file")]
    NoStream(&'static str),
    /// Numbers that exclude each other.
    #[error("{0}")]
    Contradiction(&'static str),
    /// More losses than a quorum survives.
    #[error(
        "--survives {survives} is not possible with {servers} servers: a quorum is more than half \
         of them, so {needed} are needed; raise --servers-max, or survive fewer losses"
    )]
    Survives {
        /// Losses.
        survives: usize,
        /// The most there may be.
        servers: usize,
        /// Twice as many and one.
        needed: usize,
    },
    /// A number that the model refuses.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A report.
    #[error("{path}: {error}", path = .path.display())]
    Report {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: ReportError,
    },
    /// No report shows costs.
    #[error(
        "every report mixes reads and writes, whose costs cannot be told apart in one ramp: \
         measure them one after the other, `ringkeeper bench --op get --ramp --json reads.json` \
         and `--op set --ramp --json writes.json`, and give both"
    )]
    Mixed,
    /// Points that no costs can be fitted to.
    #[error("no costs can be fitted to {path}: {error}", path = .path.display())]
    Fit {
        /// Which report.
        path: PathBuf,
        /// Why.
        #[source]
        error: FitError,
    },
    /// The law of scalability.
    #[error("the throughputs of the reports show no law of scalability: {0}")]
    Scalability(#[source] FitError),
    /// A file of costs.
    #[error("{path}: {error}", path = .path.display())]
    Costs {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: CostsFileError,
    },
    /// What should be a probe's.
    #[error(
        "{path} is no measurement of `ringkeeper probe DIR --json` ({why}): write one with it",
        path = .path.display()
    )]
    Probe {
        /// Which file.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// A profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The machine, for the profile.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A server that is named twice.
    #[error("{0} is named twice: name each server once, or its load counts twice")]
    Twice(String),
    /// Servers whose loads have nothing to do with each other.
    #[error(
        "{one} and {other} are not of one ensemble, since {why}: name the servers of one; if they \
         have just elected a leader, try again"
    )]
    Strangers {
        /// One of them.
        one: String,
        /// Another one.
        other: String,
        /// What shows it.
        why: &'static str,
    },
    /// What is no address.
    #[error("{address} is no address ({why}): {hint}")]
    Address {
        /// As given.
        address: String,
        /// What is wrong with it.
        why: String,
        /// What it should be.
        hint: &'static str,
    },
    /// A running server.
    #[error("{server}: {why}")]
    Server {
        /// Its address.
        server: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// No two samples in sequence are of one run of the servers.
    #[error(
        "every sample was discarded, since counters went backwards or a server did not answer: \
         it restarts, or its counters are reset; wait until it serves, and take more --samples"
    )]
    Unsteady,
    /// Nothing carries it.
    #[error("no servers carry this: {}", words::refusal(.0))]
    Refused(Refusal),
    /// The given servers do not.
    #[error(
        "these servers do not carry this load: {0}; without --layout, servers that do are searched"
    )]
    NotCarried(String),
    /// A measurement for a check.
    #[error("cannot measure for --check: {0}")]
    Bench(#[from] BenchError),
    /// What a check has measured.
    #[error("nothing can be predicted from what --check has measured: {0}")]
    Check(#[source] FitError),
    /// A file that cannot be read or written.
    #[error("{path}: {error}", path = .path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Its output.
    #[error("cannot write the output: {0}")]
    Output(#[source] io::Error),
}

impl PlanError {
    /// An error of a file.
    pub(super) fn file(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::File { path, error }
    }

    /// Whether what was given is wrong, not the servers or the load.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Refused(refusal) => matches!(refusal, Refusal::Input(_)),
            Self::Bench(error) => matches!(error, BenchError::Workload(_)),
            Self::NotCarried(_)
            | Self::Server { .. }
            | Self::Unsteady
            | Self::Topology(_)
            | Self::Output(_) => false,
            _ => true,
        }
    }
}

/// What is wrong with a report.
#[derive(Debug, Error)]
pub enum ReportError {
    /// It ends too early.
    #[error(
        "it ends in the middle of its JSON, in line {line}: the bench was interrupted, or the copy \
         is incomplete; copy it again, or repeat the bench"
    )]
    CutOff {
        /// Where.
        line: usize,
    },
    /// It is something else.
    #[error("it is no JSON ({0}): give the file that `ringkeeper bench --json FILE` has written")]
    NotJson(#[source] serde_json::Error),
    /// JSON of something else.
    #[error(
        "it is no report of `ringkeeper bench`, since it has no {0}: give the file that \
         `ringkeeper bench --json FILE` has written, of this release"
    )]
    NotOfBench(&'static str),
    /// A probe's.
    #[error("it is a measurement of `ringkeeper probe`: give it as --probe")]
    OfProbe,
    /// Of a later release.
    #[error(
        "it is of version {found}, and {known} is known: repeat the bench with this release, or \
         plan with the release that has written it"
    )]
    Version {
        /// Its own.
        found: u64,
        /// The one that is read here.
        known: u64,
    },
    /// Requests failed.
    #[error(
        "{0}, so its latencies are those of failures, too: remove their cause (the report lists \
         them under error_kinds and incidents), and repeat the bench"
    )]
    Errors(String),
    /// One rate only.
    #[error(
        "it has no ramp, so it shows one rate only: repeat the bench with --ramp (or give four \
         reports or more, to see how the throughput scales)"
    )]
    NoRamp,
    /// An operation whose cost is not known.
    #[error(
        "it counts `{0}`, which is no operation of a shipped kind, so it is not known whether it \
         reads or writes: leave out `name` in the workload, and repeat the bench"
    )]
    Row(String),
    /// Nothing was answered.
    #[error("nothing was answered: see whether the server serves, and repeat the bench")]
    Nothing,
}

/// What is wrong with a file of costs.
#[derive(Debug, Error)]
pub enum CostsFileError {
    /// No TOML.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// A name that is none.
    #[error("there is no {name}; {hint}")]
    Unknown {
        /// As written.
        name: String,
        /// The nearest, or how to see all.
        hint: String,
    },
    /// A value of another kind.
    #[error("{name} is no number: write one, as in 3e-6")]
    NoNumber {
        /// Which one.
        name: &'static str,
    },
    /// A curve of another form.
    #[error("device.curve is not of the form [[bytes, seconds], ...]")]
    Curve,
    /// A number out of its range.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Another form.
    #[error("it is of version {found}, and 1 is known: write one by --costs-out")]
    Version {
        /// Its own.
        found: i64,
    },
}

impl CostsFileError {
    pub(super) fn unknown(name: &str) -> Self {
        let near = FIELDS.iter().map(|it| (strsim::damerau_levenshtein(it.name, name), it.name));
        let hint = match near.min() {
            Some((distance, near)) if distance <= 3 => format!("did you mean {near}?"),
            _ => "--costs-out FILE writes all that there are".to_owned(),
        };
        Self::Unknown { name: name.to_owned(), hint }
    }
}
