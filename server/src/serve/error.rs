//! Why the server did not start, or ended by itself.

use crate::config::{ConfigError, decided};
use crate::core_loop::LoopError;
use crate::core_loop::peers::plan::PlanFault;
use crate::data_set::DataSetError;
use crate::persist::RestoreError;
use disk::lock::LockError;
use disk::{BackgroundError, DiskError};
use net::listener::BindError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;
use tuning::TopologyError;
use tuning::profile::ProfileError;

/// Why the server did not start, or ended by itself.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The configuration is wrong.
    #[error("{}", join(.0))]
    Config(Vec<ConfigError>),
    /// The profile cannot be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A file named on the command line cannot be read.
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// A directory cannot be created.
    #[error("{0} cannot be created: {1}; create it, or name another by dataDir or dataLogDir")]
    Directory(PathBuf, #[source] io::Error),
    /// A directory does not exist, and may not be created.
    #[error(
        "{0} does not exist, and datadir.autocreate=false: mount the disk that holds it, or create \
         the directory if there are no data yet"
    )]
    NoDirectory(PathBuf),
    /// A directory is in use or cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The directories do not hold a data set.
    #[error(transparent)]
    DataSet(DataSetError),
    /// The port for clients is not available.
    #[error("{0}; {way_out}", way_out = way_out(.0))]
    Bind(#[from] BindError),
    /// The configuration of the ensemble is incomplete.
    #[error(transparent)]
    Ensemble(PlanFault),
    /// The election port is not available.
    #[error(
        "{0}, where other servers are to connect for elections: {way_out}",
        way_out = way_out_for_peers(.0)
    )]
    ElectionPort(BindError),
    /// The file that lets a server vote without data cannot be moved.
    #[error("{0} cannot be moved: {1}; let this user write into its directory")]
    Initialize(PathBuf, #[source] io::Error),
    /// The address for other servers cannot be used.
    #[error("cannot listen on {endpoint}: {error}; correct this server's server.N line")]
    PeerAddress {
        /// The address.
        endpoint: decided::Endpoint,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The address for clients cannot be used.
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
    /// The host lacks something that the server requires.
    #[error("{0}")]
    Host(String),
    /// The disk returned an error.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The background thread does not start.
    #[error(transparent)]
    Background(#[from] BackgroundError),
    /// The data cannot be restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The machine's topology cannot be read.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A core loop ended.
    #[error(transparent)]
    Loop(#[from] LoopError),
    /// A port for HTTP is not available.
    #[error("{what} cannot be served on {endpoint}: {error}; choose another by {keys}")]
    Http {
        /// What needs it.
        what: &'static str,
        /// The keys that configure it.
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
    /// The output cannot be written.
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

/// The same for a port for other servers.
pub(super) fn way_out_for_peers(error: &BindError) -> &'static str {
    match error {
        BindError::InUse(_) => {
            "end that one (`ss -ltnp` names it), or choose another port in this server's line on \
             every server"
        }
        BindError::NotAllowed(_) => "choose another port in this server's line on every server",
        BindError::NotAvailable(_) => {
            "correct the address in this server's line, or myid if it is another's, or set \
             quorumListenOnAllIPs=true"
        }
        BindError::Other(..) => "this server's line says where",
    }
}

fn join(errors: &[ConfigError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
