//! Why a command failed.

use model::error::ErrorCode;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why a command failed.
#[derive(Debug, Error)]
pub enum ReconfigError {
    /// The file of lines.
    #[error("{path} cannot be read: {1}", path = .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The version is none.
    #[error("--from-version {0}: must be a hexadecimal number, as /zookeeper/config shows it")]
    FromVersion(String),
    /// Credentials without a scheme.
    #[error("--auth needs SCHEME:CREDENTIALS, such as digest:super:secret")]
    Auth,
    /// None of the servers took a session.
    #[error(
        "none of the servers gives this client a session; {server}: {source}; name the ports for \
         clients of servers that serve (ringkeeper has no TLS yet)"
    )]
    NoSession {
        /// The last that was tried.
        server: String,
        /// Why.
        source: io::Error,
    },
    /// The connection was lost.
    #[error(
        "{server} was lost: {source}; a change may have been made: run it again with --dry-run"
    )]
    Lost {
        /// Whose.
        server: String,
        /// Why.
        source: io::Error,
    },
    /// A request was refused.
    #[error("{server} refused {what}: {code}")]
    Refused {
        /// Who.
        server: String,
        /// What.
        what: &'static str,
        /// As it was answered.
        code: String,
    },
    /// The server has no configuration, or none that can be read.
    #[error("{0} has no configuration in /zookeeper/config: it is a single server, or before 3.5")]
    NoConfiguration(String),
    /// Something stands in the way; it was printed.
    #[error("{0} of what was found must be dealt with first")]
    InTheWay(usize),
    /// Its output.
    #[error("cannot write the output: {0}")]
    Output(#[source] io::Error),
}

/// A code as a person reads it.
pub(super) fn named(code: i32) -> String {
    ErrorCode::of(code).map_or_else(|| code.to_string(), |it| format!("{it:?} ({code})"))
}
