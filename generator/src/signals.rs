//! SIGINT and SIGTERM, noticed between two turns: servers that were started here end first.

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::error::BenchError;

/// Both signals are held back while it lives. Lives in: the generator's thread.
pub(crate) struct Signals {
    held: SigSet,
    pending: SignalFd,
}

impl Signals {
    pub(crate) fn hold() -> Result<Self, BenchError> {
        let mut held = SigSet::empty();
        held.add(Signal::SIGINT);
        held.add(Signal::SIGTERM);
        let pending = held.thread_block().and_then(|()| {
            SignalFd::with_flags(&held, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        });
        Ok(Self { held, pending: pending.map_err(BenchError::Signals)? })
    }

    /// Whether one of them has arrived.
    pub(crate) fn check(&self) -> Result<(), BenchError> {
        match self.pending.read_signal() {
            Ok(Some(info)) if info.ssi_signo == Signal::SIGINT as u32 => {
                Err(BenchError::Interrupted { signal: "SIGINT" })
            }
            Ok(Some(_)) => Err(BenchError::Interrupted { signal: "SIGTERM" }),
            _ => Ok(()),
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = self.held.thread_unblock();
    }
}
