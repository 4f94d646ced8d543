//! The admin thread, and the four-letter words that it answers.
//!
//! A shard that receives a word hands over the socket and forgets it; from then on a slow, silent
//! or vanished peer costs no core loop anything. The thread queries the roles by message for
//! bounded pages of plain data, formats them, sends, and closes.
//!
//! ```text
//! shard --Words::hand_over--> rk-admin --InquirySender--> core loop --reply--> rk-admin
//! ```
//!
//! - [`inquiry`] the interface: inquiries to the roles, and their reports; [`metrics`] what else
//!   they count; [`fill`] fills reports from the engine's types
//! - `gather` collects pages; [`totals`] the sum of all roles, [`values`] under their names,
//!   `families` under those of Prometheus; `host` the process itself
//! - [`text`] the answers' exact forms; `answer` which word reports what
//! - `exchange` one word from its argument to its end; `room` memory for answers; [`limits`]
//!
//! **Invariants**: no word makes a core loop wait (guard: [`Words::hand_over`] and the replies
//! never block); what the thread holds is bounded (guard: `limits`, `room`); a short answer waits
//! for no long one, neither for its memory nor while it is made (guard: `room::tests`,
//! `tests::making`, `tests/hostile/probes.rs`).
//!
//! - `http` the admin server and the page of metrics; [`moving`] what it asks so that clients go to
//!   other servers; `balancing` the same without being asked
//!
//! Not here: recognising words (`net::client`).

mod answer;
mod balancing;
mod exchange;
mod families;
pub mod fill;
mod gather;
mod host;
mod http;
pub mod inquiry;
pub mod limits;
pub mod metrics;
pub mod moving;
mod room;
mod standing;
#[cfg(test)]
mod tests;
pub mod text;
pub mod totals;
pub mod values;

pub use gather::Roles;
pub use net::client::FourLetterWord;

use crate::config::Config;
use crate::config::decided::{AdminServer, Balancing, FourLetterWords, MetricsProvider};
use crate::gate::{ConnectThrottle, Seat};
use crate::threads;
use answer::Desk;
use http::Site;
use limits::{LINGERING_MAX, STOP_TIMEOUT, WORDS_AT_ONCE_MAX, WORDS_WAITING_MAX};
use room::ROOMS;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fmt, io};
use text::Version;
use text::conf::Conf;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Threads that examine the machine and its directories, and one that asks other servers, beside
/// those that make large answers.
const SHORT_BLOCKING_MAX: usize = 3;

/// What the thread receives at start.
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
    /// What the words say of the binary.
    pub version: Version,
    /// The configuration file's text.
    pub initial: String,
    /// What was set, under the names of Java's properties.
    pub properties: Vec<(String, String)>,
    /// How metrics are exported.
    pub provider: MetricsProvider,
    /// The throttle of connects.
    pub throttle: Arc<ConnectThrottle>,
    /// Whether clients are led to servers with fewer, and how.
    pub balancing: Option<Balancing>,
}

/// The ports for HTTP, bound.
#[derive(Debug, Default)]
pub struct HttpPorts {
    /// Of the admin server.
    pub commands: Option<TcpListener>,
    /// Of the metrics.
    pub metrics: Option<TcpListener>,
}

impl Facts {
    /// Of a configuration, with the bound address.
    pub fn of(config: &Config, client_address: SocketAddr, throttle: Arc<ConnectThrottle>) -> Self {
        Self {
            words: config.four_letter_words.clone(),
            conf: Conf::of(config, client_address),
            data_dir: config.storage.data_dir.clone(),
            data_log_dir: config.storage.data_log_dir.clone(),
            sessionless_timeout_ms: config.connections.sessionless_timeout_ms,
            version: Version {
                built_ms: host::built_ms(),
                has_old_date: config.admin.has_old_date,
            },
            initial: config.initial.clone(),
            properties: config.properties.clone(),
            provider: config.admin.provider,
            throttle,
            balancing: config.admin.balancing,
        }
    }
}

/// A connection that sent a word.
#[derive(Debug)]
pub struct WordRequest {
    /// Its socket, which has no other reader any more.
    pub socket: OwnedFd,
    /// The word.
    pub word: FourLetterWord,
    /// What was received after the word.
    pub rest: Vec<u8>,
    /// Its seat among the connections, until it is answered.
    pub seat: Seat,
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

/// Starts the thread `rk-admin`. It queries the roles only to answer a request, unless clients are
/// to be balanced.
///
/// # Errors
/// If the thread or its event queue cannot be created.
pub fn start(
    facts: Facts,
    roles: Roles,
    served: &AdminServer,
    ports: HttpPorts,
) -> io::Result<Admin> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(SHORT_BLOCKING_MAX + ROOMS)
        .thread_name("rk-admin-io")
        .build()?;
    let (sender, requests) = mpsc::channel(WORDS_WAITING_MAX);
    let (stop, stopped) = oneshot::channel();
    let desk = Arc::new(Desk::new(facts, roles));
    let idle = Duration::from_millis(u64::from(served.idle_ms));
    let site = |listener, site| http::Port { listener, site, idle };
    let commands = Site::Commands(served.url.clone());
    let ports: Vec<_> = [
        ports.commands.map(|listener| site(listener, commands)),
        ports.metrics.map(|listener| site(listener, Site::Metrics)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let run = move || run(runtime, &desk, ports, requests, stopped);
    let thread = threads::spawn("rk-admin", run)?;
    Ok(Admin { words: Words(sender), stop, thread })
}

/// The names of the admin server's commands.
#[cfg(test)]
pub(crate) fn command_names() -> Vec<&'static str> {
    http::command::Command::all().map(http::command::Command::name).collect()
}

impl Admin {
    /// Where words are handed over.
    pub fn words(&self) -> Words {
        self.words.clone()
    }

    /// Ends the thread; answers in progress have a second to finish. The roles should still answer
    /// inquiries meanwhile.
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
    ports: Vec<http::Port>,
    mut requests: mpsc::Receiver<WordRequest>,
    mut stopped: oneshot::Receiver<()>,
) {
    let slots = Arc::new(Semaphore::new(WORDS_AT_ONCE_MAX));
    let lingering = Arc::new(Semaphore::new(LINGERING_MAX));
    runtime.block_on(async {
        for port in ports {
            tokio::spawn(http::serve(Arc::clone(desk), port));
        }
        if let Some(settings) = desk.facts.balancing {
            let desk = Arc::clone(desk);
            tokio::spawn(async move {
                balancing::balance(settings, &desk.facts, &desk.roles).await;
            });
        }
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
            let (desk, lingering) = (Arc::clone(desk), Arc::clone(&lingering));
            tokio::spawn(async move {
                exchange::converse(&desk, request, &lingering).await;
                drop(slot);
            });
        }
        let all = slots.acquire_many(WORDS_AT_ONCE_MAX as u32);
        let _ = tokio::time::timeout(STOP_TIMEOUT, all).await;
    });
    // Does not wait for a directory that is being measured.
    runtime.shutdown_background();
}
