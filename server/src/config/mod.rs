//! The configuration: as written, and as decided.
//!
//! ZooKeeper's file, its system properties and its environment are read unchanged; Ringkeeper's own
//! keys begin with `ring.`. [`Written`] holds what was given and where, [`Config`] holds what
//! follows from it, typed and checked; nothing below this module sees a key.
//!
//! ```text
//! Sources -> written::Written --(keys: the table)--> decided::{Config, notices} | errors
//! ```
//!
//! - [`model::properties`] the syntax of the file
//! - [`written`] every entry with its origin
//! - [`keys`] the table of all keys: where each counts, how it is read, how far it is supported
//! - [`decided`] the result
//! - [`explain`] the table for readers
//!
//! **Invariant**: every key of the table is either read by `decided` or has a reason why not, and
//! that reason is logged at start if the key is written (guard:
//! `decided::tests::the_table_is_complete`).
//!
//! Not here: reading files and the environment (`main`; [`Sources`] says how other files are read),
//! resolving names of hosts (when a port is bound, by [`decided::Endpoint::resolve`]).

use std::{error, fmt, io, path::PathBuf};

mod command;
mod compatibility;
pub mod decided;
mod explain;
pub mod keys;
pub mod written;

pub use self::{
    command::command,
    decided::{Config, Decided, Notice, ServersFault, Setting},
    explain::explain,
    written::{Origin, Sources, Written},
};

/// Reads and decides in one step.
///
/// # Errors
/// Everything that is wrong, not only the first of it.
pub fn load(sources: &Sources) -> Result<Decided, Vec<ConfigError>> {
    decided::decide(&Written::read(sources)?, decided::Files::of(sources))
}

/// One thing that is wrong with the configuration. Displayed, it is a line that names the place,
/// what is written there and what is allowed there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// A source that cannot be read as `key=value`.
    Syntax {
        /// Where.
        origin: Origin,
        /// What is wrong.
        what: String,
    },
    /// A value that its key does not allow.
    Value {
        /// Where.
        origin: Origin,
        /// The key as written.
        key: String,
        /// The value as written.
        value: String,
        /// What is allowed.
        expected: String,
    },
    /// A key whose meaning is not built yet and that must not be ignored.
    Refused {
        /// Where.
        origin: Origin,
        /// The key as written.
        key: String,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// A line about the servers of an ensemble that is wrong, or not built yet.
    Servers {
        /// Where.
        origin: Origin,
        /// The key as written.
        key: String,
        /// The value as written.
        value: String,
        /// What is wrong.
        fault: ServersFault,
    },
    /// The file that should hold this server's number does not.
    Identity {
        /// The file.
        path: PathBuf,
        /// What it begins with.
        found: String,
    },
    /// A file that the configuration leads to cannot be read.
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        kind: io::ErrorKind,
    },
    /// An unknown key among Ringkeeper's own.
    Unknown {
        /// Where.
        origin: Origin,
        /// The key as written.
        key: String,
        /// The key that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A key that must be written and is not.
    Missing {
        /// The key.
        key: &'static str,
        /// Why it is needed.
        why: &'static str,
    },
    /// A value that is allowed by itself and conflicts with another.
    Conflict {
        /// Where the conflicting key is written.
        origin: Origin,
        /// That key.
        key: &'static str,
        /// What it conflicts with.
        with: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Syntax { origin, what } => write!(f, "{origin}: {what}"),
            ConfigError::Value { origin, key, value, expected } => {
                write!(f, "{origin}: {key}={value}: must be {expected}")
            }
            ConfigError::Refused { origin, key, reason } => write!(f, "{origin}: {key}: {reason}"),
            ConfigError::Servers { origin, key, value, fault } => {
                write!(f, "{origin}: {key}={value}: {fault}")
            }
            ConfigError::Identity { path, found } => write!(
                f,
                "{}: begins with {found:?}, and its first line must be the number of this server \
                 and nothing else, not even a space: correct it, or remove the file",
                path.display()
            ),
            ConfigError::File { path, kind } => {
                write!(f, "{}: cannot be read: {kind}", path.display())
            }
            ConfigError::Unknown { origin, key, nearest } => {
                write!(f, "{origin}: {key}: there is no such key")?;
                match nearest {
                    Some(nearest) => write!(f, ": did you mean {nearest}?"),
                    None => f.write_str("; `ringkeeper config` prints all keys"),
                }
            }
            ConfigError::Missing { key, why } => write!(f, "{key} is not set: {why}"),
            ConfigError::Conflict { origin, key, with } => write!(f, "{origin}: {key}: {with}"),
        }
    }
}

impl error::Error for ConfigError {}
