//! SIGINT and SIGTERM: what was closed is opened again first.

use super::BalanceError;
use nix::sys::signal::{SigSet, Signal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is looked at while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whether the command was interrupted.
#[derive(Clone, Debug)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Waits for signals from now on. To be called before other threads are started.
    pub(super) fn watch() -> Result<Self, BalanceError> {
        let mut awaited = SigSet::empty();
        awaited.add(Signal::SIGTERM);
        awaited.add(Signal::SIGINT);
        awaited.add(Signal::SIGHUP);
        awaited.thread_block().expect("these signals can be blocked");
        let stop = Self(Arc::default());
        let is_stopped = Arc::clone(&stop.0);
        thread::Builder::new()
            .name("rk-signals".to_owned())
            .spawn(move || {
                if awaited.wait().is_ok() {
                    is_stopped.store(true, Ordering::Release);
                    // Another signal ends it at once.
                    let _ = awaited.wait();
                    std::process::exit(crate::exit::Exit::Failed as i32);
                }
            })
            .map_err(BalanceError::Signals)?;
        Ok(stop)
    }

    /// Waits for so long, unless it is interrupted.
    ///
    /// # Errors
    /// It is.
    pub(super) fn sleep(&self, time: Duration) -> Result<(), BalanceError> {
        let end = Instant::now() + time;
        loop {
            if self.0.load(Ordering::Acquire) {
                return Err(BalanceError::Interrupted);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(LOOK_EVERY));
        }
    }
}
