//! Signals: waited for by a thread of their own, from before the start on.
//!
//! Invariant: SIGTERM and SIGINT end the process at any time. While it starts nothing has been
//! acknowledged by it, so it ends at once, however long the disk lets the start wait (guard:
//! `tests/operator/start.rs`). SIGHUP, which a terminal that is closed sends to what was started in
//! it, and a habit of tools that rotate logs, ends nothing (guard: `tests/operator/exits.rs`).

use super::{Happening, ServeError};
use crate::exit::Exit;
use nix::sys::signal::{SigSet, Signal};
use std::process;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::info;

/// The thread that waits for signals.
pub(super) struct Signals {
    /// Who is told of one; nobody while the server starts.
    told: Arc<Mutex<Option<Sender<Happening>>>>,
}

impl Signals {
    /// Waits for signals from now on. To be called before other threads are started: they inherit
    /// that signals do not interrupt them. A file that would grow beyond `ulimit -f` is an error of
    /// its write, not a signal.
    pub(super) fn watch() -> Result<Self, ServeError> {
        let mut quiet = SigSet::empty();
        quiet.add(Signal::SIGXFSZ);
        quiet.thread_block().expect("this signal can be blocked");
        let mut heard = SigSet::empty();
        heard.add(Signal::SIGTERM);
        heard.add(Signal::SIGINT);
        heard.add(Signal::SIGHUP);
        heard.thread_block().expect("these signals can be blocked");
        let told = Arc::new(Mutex::new(None));
        let body = {
            let told = Arc::clone(&told);
            move || {
                while let Ok(signal) = heard.wait() {
                    if signal == Signal::SIGHUP {
                        info!("SIGHUP: ignored; the configuration is read at the start only");
                    } else {
                        return tell(&told, signal);
                    }
                }
            }
        };
        std::thread::Builder::new()
            .name("rk-signals".to_owned())
            .spawn(body)
            .map_err(ServeError::Thread)?;
        Ok(Self { told })
    }

    /// The server runs: `sender` is told of signals, and what stands is brought down in order.
    pub(super) fn tell(&self, sender: Sender<Happening>) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
    }
}

fn tell(told: &Mutex<Option<Sender<Happening>>>, signal: Signal) {
    let told = told.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(sender) = &*told else {
        info!("{signal}: ended while starting");
        process::exit(Exit::Done as i32);
    };
    // If main does not listen any more, it is stopping already.
    let _ = sender.send(Happening::Signal(signal));
}
