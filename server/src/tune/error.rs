//! Why a command failed.

use crate::serve::ServeError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;
use tuning::TopologyError;

/// Why a command failed.
#[derive(Debug, Error)]
pub enum TuneError {
    /// The configuration cannot be read.
    #[error(transparent)]
    Config(#[from] ServeError),
    /// The machine cannot be read.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// There is no setting of this name.
    #[error("--only {name}: there is no such setting; there are {known}")]
    Name {
        /// What was given.
        name: String,
        /// All names.
        known: String,
    },
    /// The record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Some files have not the value they should have.
    #[error("{0} of the files could not be changed; the reasons are above")]
    Refused(usize),
    /// Something is changed already, so that there is nothing to compare with.
    #[error(
        "{path} says that something is changed already: `ringkeeper tune undo` first, so that it \
         is measured as it was",
        path = .0.display()
    )]
    Applied(PathBuf),
    /// The server or its load does not run.
    #[error("the load cannot be measured: {0}")]
    Load(#[source] io::Error),
    /// Its output.
    #[error("cannot write the output: {0}")]
    Output(#[source] io::Error),
}

/// Why a record cannot be used.
#[derive(Debug, Error)]
pub enum RecordError {
    /// It, or its directory, cannot be read or written.
    #[error(
        "the record {path} cannot be {what}: {source}; nothing was changed (--record FILE names \
         another place)",
        path = path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Another command is at work.
    #[error("another `ringkeeper tune` is at work in {}: wait until it has ended", .0.display())]
    Held(PathBuf),
    /// It is incomplete, or something else.
    #[error(
        "{} is not a complete record of `ringkeeper tune apply`: nothing was changed; look at the \
         file, set its old values by hand if it has any, and move it away",
        .0.display()
    )]
    Torn(PathBuf),
    /// Its checksum is not that of its content.
    #[error(
        "the record {} is not as it was written, somebody has edited it: nothing was changed; \
         undo the edit, or set its old values by hand and move it away",
        .0.display()
    )]
    Edited(PathBuf),
    /// A later version wrote it.
    #[error(
        "the record {path} has format {format}, this version knows up to {known}: nothing was \
         changed; use the version that wrote it",
        path = path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u64,
        /// The latest that is known.
        known: u64,
    },
}
