//! Exit statuses, as scripts and service managers see them.

use crate::balance::BalanceError;
use crate::data_set::DataSetError;
use crate::migrate::MigrateError;
use crate::plan::PlanError;
use crate::probe::MeasureError;
use crate::profile::ProfileFailed;
use crate::reconfig::ReconfigError;
use crate::repair::RepairError;
use crate::route::RouteError;
use crate::serve::ServeError;
use crate::topology::DrawError;
use crate::tune::TuneError;
use generator::BenchError;
use std::io::ErrorKind;
use std::process::ExitCode;
use tuning::TopologyError;
use tuning::probe::ProbeError;

/// The exit status of every command. Those of `serve` are ZooKeeper's where it has one for the
/// case (source: ZooKeeper 3.9.5, `ExitCode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// What was asked for is done.
    Done = 0,
    /// It failed, or what was examined is damaged.
    Failed = 1,
    /// The command line or the configuration is wrong; nothing was started. Clap exits with it too.
    Usage = 2,
    /// A data directory cannot be used.
    Data = 3,
    /// The port of the admin server or of the metrics is not available.
    Port = 4,
    /// The port for elections is not available.
    ElectionPort = 14,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that ends a command.
pub trait Failure: std::error::Error {
    /// The exit status.
    fn exit(&self) -> Exit;
}

impl<E: Failure + 'static> From<E> for Box<dyn Failure> {
    fn from(error: E) -> Self {
        Box::new(error)
    }
}

impl Failure for DataSetError {
    fn exit(&self) -> Exit {
        Exit::Data
    }
}

impl Failure for ServeError {
    fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::File(..) | Self::Profile(_) | Self::TwoAddresses { .. } => {
                Exit::Usage
            }
            Self::Directory(..) | Self::NoDirectory(_) | Self::Lock(_) => Exit::Data,
            Self::DataSet(error) => error.exit(),
            Self::Restore(error) if error.is_other_data() => Exit::Data,
            Self::Http { .. } => Exit::Port,
            Self::ElectionPort(_) | Self::PeerAddress { .. } => Exit::ElectionPort,
            _ => Exit::Failed,
        }
    }
}

impl Failure for BenchError {
    fn exit(&self) -> Exit {
        match self {
            Self::Argument { .. }
            | Self::Chroot { .. }
            | Self::ClosedLoopOnly { .. }
            | Self::NoCommand
            | Self::WrittenTwice(_)
            | Self::FaultNeedsEnsemble { .. }
            | Self::FaultNeedsServers { .. }
            | Self::FaultTooLate { .. }
            | Self::Workload(_) => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

impl Failure for RepairError {
    fn exit(&self) -> Exit {
        match self {
            Self::Lock(_) | Self::OtherUser { .. } => Exit::Data,
            Self::DataSet(error) => error.exit(),
            _ => Exit::Failed,
        }
    }
}

impl Failure for MigrateError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoLog(_) | Self::Running { .. } | Self::Directory(..) | Self::Lock(_) => {
                Exit::Data
            }
            Self::DataSet(error) => error.exit(),
            Self::Import(error) if error.is_of_directory() => Exit::Data,
            Self::Export(error) if error.is_of_directory() => Exit::Data,
            Self::Restore(error) if error.is_other_data() => Exit::Data,
            _ => Exit::Failed,
        }
    }
}

impl Failure for ReconfigError {
    fn exit(&self) -> Exit {
        match self {
            Self::File(..) | Self::FromVersion(_) | Self::Auth => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

impl Failure for BalanceError {
    fn exit(&self) -> Exit {
        match self {
            Self::Silent { source, .. } if source.kind() == ErrorKind::InvalidInput => Exit::Usage,
            Self::Auth
            | Self::NoAuth
            | Self::Number { .. }
            | Self::Twice(_)
            | Self::Unknown { .. }
            | Self::Same(_) => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

impl Failure for TuneError {
    fn exit(&self) -> Exit {
        match self {
            Self::Config(error) => error.exit(),
            Self::Name { .. } | Self::Topology(TopologyError::Description { .. }) => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

impl Failure for PlanError {
    fn exit(&self) -> Exit {
        if self.is_usage() { Exit::Usage } else { Exit::Failed }
    }
}

impl Failure for ProfileFailed {
    fn exit(&self) -> Exit {
        match self {
            Self::Config(error) => error.exit(),
            Self::Profile(_) => Exit::Usage,
            _ => Exit::Failed,
        }
    }
}

impl Failure for RouteError {
    fn exit(&self) -> Exit {
        match self {
            Self::Output(_) => Exit::Failed,
            _ => Exit::Usage,
        }
    }
}

impl Failure for DrawError {
    fn exit(&self) -> Exit {
        match self {
            Self::Config(error) => error.exit(),
            Self::Topology(TopologyError::Affinity(_)) | Self::Output(_) => Exit::Failed,
            _ => Exit::Usage,
        }
    }
}

impl Failure for MeasureError {
    fn exit(&self) -> Exit {
        match self {
            Self::Probe(ProbeError::Directory { .. } | ProbeError::NoRoom { .. }) => Exit::Data,
            Self::Probe(ProbeError::Disk(error)) if error.is_missing() => Exit::Data,
            _ => Exit::Failed,
        }
    }
}
