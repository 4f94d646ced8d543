//! The admin thread, and the four-letter words that it answers.
//!
//! A shard that meets a word hands over the socket and forgets it; from there on a slow, silent
//! or vanished peer costs no core loop anything. The thread asks the roles by message for bounded
//! pages of plain data, formats them, sends, and closes.
//!
//! ```text
//! shard --Words::hand_over--> rk-admin --Line/Inbox: Inquiry--> core loop --reply--> rk-admin
//! ```
//!
//! - [`inquiry`] the seam: what the roles are asked, and their reports; [`metrics`] what else
//!   they count; [`fill`] the reports of the engine's types
//! - `gather` pages become wholes; [`totals`] the sum of all roles, [`values`] by their names;
//!   `host` the process itself
//! - [`text`] the answers' exact forms; `answer` which word tells what
//! - `exchange` one word from its argument to its end; [`limits`]
//!
//! **Invariants**: no word makes a core loop wait (guard: [`Words::hand_over`] and the replies
//! never block); what the thread holds is bounded (guard: `limits`).
//!
//! Not here: recognising words (`net::client`), HTTP.

mod answer;
mod exchange;
pub mod fill;
mod gather;
mod host;
pub mod inquiry;
pub mod limits;
pub mod metrics;
#[cfg(test)]
mod tests;
pub mod text;
pub mod totals;
pub mod values;

pub use gather::Roles;
pub use net::client::FourLetterWord;

use crate::config::Config;
use crate::config::decided::FourLetterWords;
use answer::Desk;
use limits::{STOP_TIMEOUT, WORDS_AT_ONCE_MAX, WORDS_WAITING_MAX};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::{fmt, io};
use text::conf::Conf;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// What the thread is told at start.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The words that are answered.
    pub words: FourLetterWords,
    /// What `conf` shows.
    pub conf: Conf,
    /// The directory whose size is that of the data.
    pub data_dir: PathBuf,
    /// The directory whose size is that of the log; may be the same.
    pub data_log_dir: PathBuf,
    /// How long a connection may be without a session, in ms.
    pub sessionless_timeout_ms: u32,
    /// When the binary was built, in ms since 1970.
    pub built_ms: i64,
}

impl Facts {
    /// Of a configuration, with the port that was bound to and the server's id (0 where it stands
    /// alone).
    pub fn of(config: &Config, client_port: u16, server_id: u8) -> Self {
        Self {
            words: config.four_letter_words.clone(),
            conf: Conf::of(config, client_port, server_id),
            data_dir: config.storage.data_dir.clone(),
            data_log_dir: config.storage.data_log_dir.clone(),
            sessionless_timeout_ms: config.connections.sessionless_timeout_ms,
            built_ms: host::built_ms(),
        }
    }
}

/// A connection that opened with a word.
#[derive(Debug)]
pub struct WordRequest {
    /// Its socket, of which nobody else reads any more.
    pub socket: OwnedFd,
    /// The word.
    pub word: FourLetterWord,
    /// What was received behind the word.
    pub rest: Vec<u8>,
}

/// Where shards hand words over. Every shard has its own clone.
#[derive(Clone)]
pub struct Words(mpsc::Sender<WordRequest>);

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Words").finish_non_exhaustive()
    }
}

impl Words {
    /// Hands a word over. Never waits; false, and the socket is closed, if too many wait already
    /// or the thread has ended.
    pub fn hand_over(&self, request: WordRequest) -> bool {
        self.0.try_send(request).is_ok()
    }
}

/// The admin thread.
#[derive(Debug)]
pub struct Admin {
    words: Words,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// Starts the thread `rk-admin`. It asks the roles only when there is a word to answer.
///
/// # Errors
/// If there can be no thread, or no event queue for it.
pub fn start(facts: Facts, roles: Roles) -> io::Result<Admin> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(2)
        .thread_name("rk-admin-io")
        .build()?;
    let (sender, requests) = mpsc::channel(WORDS_WAITING_MAX);
    let (stop, stopped) = oneshot::channel();
    let desk = Arc::new(Desk::new(facts, roles));
    let run = move || run(runtime, &desk, requests, stopped);
    let thread = thread::Builder::new().name("rk-admin".into()).spawn(run)?;
    Ok(Admin { words: Words(sender), stop, thread })
}

impl Admin {
    /// Where words are handed over.
    pub fn words(&self) -> Words {
        self.words.clone()
    }

    /// Ends the thread; words that are being answered have a second for it. The roles should
    /// still answer inquiries meanwhile.
    pub fn stop(self) {
        let Self { words, stop, thread } = self;
        drop(words);
        let _ = stop.send(());
        thread.join().expect("a panic ends the process");
    }
}

fn run(
    runtime: Runtime,
    desk: &Arc<Desk>,
    mut requests: mpsc::Receiver<WordRequest>,
    mut stopped: oneshot::Receiver<()>,
) {
    let slots = Arc::new(Semaphore::new(WORDS_AT_ONCE_MAX));
    runtime.block_on(async {
        loop {
            let slot = Arc::clone(&slots).acquire_owned();
            let next = async { (slot.await, requests.recv().await) };
            let (slot, request) = tokio::select! {
                _ = &mut stopped => break,
                next = next => match next {
                    (Ok(slot), Some(request)) => (slot, request),
                    _ => break,
                },
            };
            let desk = Arc::clone(desk);
            tokio::spawn(async move {
                exchange::converse(&desk, request).await;
                drop(slot);
            });
        }
        let all = slots.acquire_many(WORDS_AT_ONCE_MAX as u32);
        let _ = tokio::time::timeout(STOP_TIMEOUT, all).await;
    });
    // A directory that is being measured is not waited for.
    runtime.shutdown_background();
}
