//! Why the server did not start, or ended by itself.

use crate::config::{ConfigError, decided};
use crate::core_loop::LoopError;
use crate::data_set::DataSetError;
use crate::persist::RestoreError;
use disk::lock::LockError;
use disk::{BackgroundError, DiskError};
use net::listener::BindError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;
use tuning::TopologyError;

/// Why the server did not start, or ended by itself.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The configuration is wrong.
    #[error("{}", join(.0))]
    Config(Vec<ConfigError>),
    /// A file named on the command line cannot be read.
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// A directory cannot be made.
    #[error("{0} cannot be made: {1}; make it, or name another by dataDir or dataLogDir")]
    Directory(PathBuf, #[source] io::Error),
    /// A directory is not there, and may not be made.
    #[error(
        "{0} does not exist, and datadir.autocreate=false: mount the disk that holds it, or make \
         the directory if there are no data yet"
    )]
    NoDirectory(PathBuf),
    /// A directory is in use or cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The directories are no data set.
    #[error(transparent)]
    DataSet(DataSetError),
    /// The port for clients cannot be had.
    #[error("{0}; {way_out}", way_out = way_out(.0))]
    Bind(#[from] BindError),
    /// The address for clients is not one.
    #[error(
        "cannot listen on {endpoint}: {error}; correct clientPortAddress, or the address in this \
         server's line"
    )]
    Address {
        /// The address.
        endpoint: decided::Endpoint,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The configuration has two addresses for clients.
    #[error(
        "clientPortAddress means {file}, and this server's line {line}: write the same address in \
         both places, or remove clientPortAddress"
    )]
    TwoAddresses {
        /// What `clientPortAddress` and `clientPort` say.
        file: decided::Endpoint,
        /// What the line says.
        line: decided::Endpoint,
    },
    /// The host lacks something that the server cannot do without.
    #[error("{0}")]
    Host(String),
    /// The disk refuses.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The background thread does not start.
    #[error(transparent)]
    Background(#[from] BackgroundError),
    /// The data cannot be brought back.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The machine cannot be looked at.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A core loop ended.
    #[error(transparent)]
    Loop(#[from] LoopError),
    /// A port for HTTP cannot be had.
    #[error("{what} cannot be served on {endpoint}: {error}; choose by {keys}")]
    Http {
        /// Who wants it.
        what: &'static str,
        /// What steers it.
        keys: &'static str,
        /// The port.
        endpoint: decided::Endpoint,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The admin thread does not start.
    #[error("the admin thread does not start: {0}")]
    Admin(#[source] io::Error),
    /// What was asked for cannot be printed.
    #[error("standard output: {0}")]
    Output(#[source] io::Error),
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(#[source] io::Error),
}

/// Whatever is wrong with the data set as such.
impl<E: Into<DataSetError>> From<E> for ServeError {
    fn from(error: E) -> Self {
        Self::DataSet(error.into())
    }
}

fn way_out(error: &BindError) -> &'static str {
    match error {
        BindError::InUse(_) => {
            "end that one (`ss -ltnp` names it), or choose another port by clientPort"
        }
        BindError::NotAllowed(_) => "choose another port by clientPort",
        BindError::NotAvailable(_) => {
            "correct clientPortAddress, or the address in this server's line"
        }
        BindError::Other(..) => "clientPort and clientPortAddress choose where",
    }
}

fn join(errors: &[ConfigError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
