//! Signals: a dedicated thread waits for them from before the start on.
//!
//! Invariant: SIGTERM and SIGINT end the process at any time. While it starts, it has acknowledged
//! nothing, so it ends at once, however long the disk delays the start (guard:
//! `tests/operator/start.rs`). SIGHUP, which is sent when a terminal closes and by tools that
//! rotate logs, is ignored (guard: `tests/operator/exits.rs`).

use super::{MainEvent, ServeError};
use crate::exit::Exit;
use nix::sys::signal::{SigSet, Signal};
use std::process;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::info;

/// The thread that waits for signals.
pub(super) struct Signals {
    /// Where signals are forwarded to; `None` while the server starts.
    receiver: Arc<Mutex<Option<Sender<MainEvent>>>>,
}

impl Signals {
    /// Waits for signals from now on. To be called before other threads are started: they inherit
    /// the mask that blocks signals. A file that would grow beyond `ulimit -f` is an error of its
    /// write, not a signal.
    pub(super) fn watch() -> Result<Self, ServeError> {
        let mut quiet = SigSet::empty();
        quiet.add(Signal::SIGXFSZ);
        quiet.thread_block().expect("this signal can be blocked");
        let mut awaited = SigSet::empty();
        awaited.add(Signal::SIGTERM);
        awaited.add(Signal::SIGINT);
        awaited.add(Signal::SIGHUP);
        awaited.thread_block().expect("these signals can be blocked");
        let receiver = Arc::new(Mutex::new(None));
        let body = {
            let receiver = Arc::clone(&receiver);
            move || {
                while let Ok(signal) = awaited.wait() {
                    if signal == Signal::SIGHUP {
                        info!("SIGHUP: ignored; the configuration is read at the start only");
                    } else {
                        return forward(&receiver, signal);
                    }
                }
            }
        };
        std::thread::Builder::new()
            .name("rk-signals".to_owned())
            .spawn(body)
            .map_err(ServeError::Thread)?;
        Ok(Self { receiver })
    }

    /// The server is running: forwards signals to `sender`, so that it is stopped in order.
    pub(super) fn forward_to(&self, sender: Sender<MainEvent>) {
        *self.receiver.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
    }
}

fn forward(receiver: &Mutex<Option<Sender<MainEvent>>>, signal: Signal) {
    let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(sender) = &*receiver else {
        info!("{signal}: ended while starting");
        process::exit(Exit::Done as i32);
    };
    // If the main thread no longer receives, it is stopping already.
    let _ = sender.send(MainEvent::Signal(signal));
}
