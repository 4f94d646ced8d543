//! What each word answers.

use super::families;
use super::gather::Roles;
use super::inquiry::{OrderingReport, Unanswered, WatchReport};
use super::limits::{ANSWER_BYTES_MAX, WAIT_TIMEOUT};
use super::room::{Held, Rooms, Size};
use super::text::conf::{DirectorySizes, Environment};
use super::text::connections::Detail;
use super::text::dump::Connected;
use super::text::{self, NOT_SERVING, Version};
use super::totals::{Totals, WordCounts};
use super::values::{self, Process, Value};
use super::{Facts, host};
use crate::config::decided::MetricsProvider;
use model::session::SessionId;
use net::client::FourLetterWord;
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// The state kept from one word to the next.
///
/// Lives in: the admin thread.
pub(super) struct Desk {
    pub(super) facts: Facts,
    pub(super) roles: Roles,
    started: Instant,
    /// Used by `gtmk` and `stmk` only: there is no trace whose classes it would select.
    pub(super) trace_mask: AtomicI64,
    pub(super) rooms: Rooms,
    pub(super) open: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
}

/// The answer to a word.
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    /// Its memory.
    pub(super) held: Held,
}

/// What `mntr` and `monitor` report, before it is formatted.
pub(super) enum Monitored {
    /// Without a provider.
    State(Totals),
    /// Under the names of the default provider.
    Values(Totals, Process),
    /// Under the names of the page of metrics.
    Samples(Totals, Process, host::Usage),
}

impl Monitored {
    /// Names and values. There may be tens of thousands.
    pub(super) fn values(self) -> Vec<(String, Value)> {
        match self {
            Self::State(totals) => values::state(&totals),
            Self::Values(totals, process) => values::values(&totals, process),
            Self::Samples(totals, process, usage) => families::monitored(&totals, process, usage),
        }
    }
}

/// Stock's trace mask at start.
const TRACE_MASK: i64 = 0b1_0011_0010;

impl Desk {
    pub(super) fn new(facts: Facts, roles: Roles) -> Self {
        Self {
            facts,
            roles,
            started: Instant::now(),
            trace_mask: AtomicI64::new(TRACE_MASK),
            rooms: Rooms::new(),
            open: AtomicU64::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        }
    }

    /// Whether the word is enabled.
    pub(super) fn allows(&self, word: FourLetterWord) -> bool {
        self.facts.words.allows(word.name())
    }

    /// Answers a word that is enabled. `argument` is what follows `stmk`.
    ///
    /// # Errors
    /// If memory for the answer does not become available in time.
    pub(super) async fn answer(
        &self,
        word: FourLetterWord,
        argument: i64,
        peer: SocketAddr,
    ) -> io::Result<Answer> {
        let size = Size::of_word(word, self.roles.shards.len());
        let Ok(Ok(mut held)) = timeout(WAIT_TIMEOUT, self.rooms.enter(size)).await else {
            tracing::warn!(word = word.name(), %peer, "too many large answers are not being read");
            return Err(io::ErrorKind::OutOfMemory.into());
        };
        let mut bytes = Vec::new();
        match word {
            FourLetterWord::Ruok => bytes.extend_from_slice(b"imok"),
            FourLetterWord::Gtmk => {
                bytes = self.trace_mask.load(Ordering::Relaxed).to_string().into_bytes();
            }
            FourLetterWord::Stmk => {
                self.trace_mask.store(argument, Ordering::Relaxed);
                bytes = argument.to_string().into_bytes();
            }
            FourLetterWord::Envi => {
                let environment = self.environment().await;
                text::conf::environment(&mut bytes, self.version(), &environment);
            }
            _ => self.serve(&mut bytes, word, peer, &mut held).await,
        }
        bytes.shrink_to_fit();
        held.shrink(bytes.len());
        Ok(Answer { bytes, held })
    }

    pub(super) fn version(&self) -> Version {
        self.facts.version
    }

    pub(super) async fn environment(&self) -> Environment {
        spawn_blocking(host::environment).await.unwrap_or_default()
    }

    /// The numbers with fixed names, summed over all roles.
    pub(super) async fn counts(&self) -> Result<Totals, Unanswered> {
        let ordering = self.roles.ordering_counts().await?;
        self.roles.totals(ordering, self.word_counts()).await
    }

    /// All numbers, summed over all roles.
    pub(super) async fn totals(&self) -> Result<Totals, Unanswered> {
        let mut totals = self.counts().await?;
        totals.drop_probability = self.facts.throttle.drop_probability();
        Ok(totals.with_metrics(self.roles.metrics().await?, self.word_counts()))
    }

    /// What `mntr` and `monitor` report, in the form of the configured provider.
    pub(super) async fn monitored(&self) -> Result<Monitored, Unanswered> {
        Ok(match self.facts.provider {
            MetricsProvider::Null => Monitored::State(self.counts().await?),
            MetricsProvider::Default => {
                Monitored::Values(self.totals().await?, self.process().await)
            }
            MetricsProvider::Prometheus => {
                let totals = self.totals().await?;
                let usage = spawn_blocking(host::usage).await.unwrap_or_default();
                Monitored::Samples(totals, self.process().await, usage)
            }
        })
    }

    /// Resets what `srst` resets; the sizes of proposals only if that is requested.
    pub(super) async fn reset_counts(&self, forgets_proposals: bool) -> Result<(), Unanswered> {
        self.roles.reset_counts(forgets_proposals).await?;
        self.facts.throttle.reset_counts();
        self.received.store(0, Ordering::Relaxed);
        self.sent.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// The words of a server that serves clients.
    async fn serve(
        &self,
        out: &mut Vec<u8>,
        word: FourLetterWord,
        peer: SocketAddr,
        held: &mut Held,
    ) {
        let result = match self.roles.ordering_counts().await {
            Ok(ordering) if ordering.is_serving && !ordering.leads_apart => {
                self.write_answer(out, word, peer, ordering, held).await
            }
            Ok(_) => Err(Unanswered),
            Err(unanswered) => {
                tracing::warn!(word = word.name(), "{unanswered}");
                Err(unanswered)
            }
        };
        if result.is_err() {
            out.clear();
            match word {
                FourLetterWord::Isro => out.extend_from_slice(b"null"),
                FourLetterWord::Hash => out.extend_from_slice(NOT_SERVING.as_bytes()),
                _ => {
                    out.extend_from_slice(NOT_SERVING.as_bytes());
                    out.push(b'\n');
                }
            }
        }
    }

    async fn write_answer(
        &self,
        out: &mut Vec<u8>,
        word: FourLetterWord,
        peer: SocketAddr,
        ordering: OrderingReport,
        held: &mut Held,
    ) -> Result<(), Unanswered> {
        match word {
            FourLetterWord::Conf => {
                let sizes = self.sizes().await;
                text::conf::conf(out, &self.facts.conf, sizes, ordering.mode);
            }
            FourLetterWord::Dirs => text::conf::dirs(out, self.sizes().await),
            FourLetterWord::Isro => {
                let is_read_only = ordering.mode == super::inquiry::Mode::ReadOnly;
                out.extend_from_slice(if is_read_only { b"ro" } else { b"rw" });
            }
            FourLetterWord::Crst => {
                self.roles.reset_connections().await?;
                out.extend_from_slice(b"Connection stats reset.\n");
            }
            FourLetterWord::Srst => {
                self.reset_counts(true).await?;
                out.extend_from_slice(b"Server stats reset.\n");
            }
            FourLetterWord::Srvr | FourLetterWord::Stat => {
                text::server::head(out, self.version(), ordering.mode);
                if word == FourLetterWord::Stat {
                    out.extend_from_slice(b"Clients:\n");
                    self.connections(out, peer, Detail::Brief).await?;
                }
                let totals = self.roles.totals(ordering, self.word_counts()).await?;
                text::server::numbers(out, &totals);
            }
            FourLetterWord::Cons => self.connections(out, peer, Detail::Full).await?,
            FourLetterWord::Mntr => {
                let (version, monitored) = (self.version(), self.monitored().await?);
                let make = move || {
                    let mut out = Vec::new();
                    text::monitor::monitor(&mut out, version, &monitored.values());
                    out
                };
                *out = held.make(make).await?;
            }
            FourLetterWord::Dump => *out = self.dump(peer, held).await?,
            FourLetterWord::Wchs => self.watch_summary(out, ordering).await?,
            FourLetterWord::Wchc => self.watches_by_session(out).await?,
            FourLetterWord::Wchp => *out = self.watches_by_path(held).await?,
            FourLetterWord::Hash => {
                for (zxid, digest) in self.roles.digests().await? {
                    // Java has signed numbers only.
                    out.extend(format!("{:x}: {}\n", zxid.0, digest as i64).bytes());
                }
            }
            // Answered without asking the roles, or not at all.
            FourLetterWord::Ruok
            | FourLetterWord::Gtmk
            | FourLetterWord::Stmk
            | FourLetterWord::Envi
            | FourLetterWord::TelnetClose => {}
        }
        Ok(())
    }

    fn word_counts(&self) -> WordCounts {
        WordCounts {
            open: self.open.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
        }
    }

    pub(super) async fn sizes(&self) -> DirectorySizes {
        let (data, log) = (self.facts.data_dir.clone(), self.facts.data_log_dir.clone());
        let measure = move || DirectorySizes {
            data_bytes: host::directory_bytes(&data),
            log_bytes: host::directory_bytes(&log),
        };
        spawn_blocking(measure).await.unwrap_or_default()
    }

    pub(super) async fn process(&self) -> Process {
        let (descriptors, descriptors_max) =
            spawn_blocking(host::descriptors).await.unwrap_or_default();
        let uptime_ms = self.started.elapsed().as_millis() as u64;
        Process { uptime_ms, descriptors, descriptors_max }
    }

    async fn connections(
        &self,
        out: &mut Vec<u8>,
        peer: SocketAddr,
        detail: Detail,
    ) -> Result<(), Unanswered> {
        let step = self.roles.connections(|connection| {
            text::connections::connection(out, connection, detail);
            room(out)
        });
        let step = step.await?;
        text::connections::asker(out, peer);
        note_if_cut(out, step);
        out.push(b'\n');
        Ok(())
    }

    async fn dump(&self, peer: SocketAddr, held: &mut Held) -> Result<Vec<u8>, Unanswered> {
        let live = self.roles.sessions().await?;
        let (mut owners, mut owned) = (0, Vec::new());
        let step = self.roles.ephemerals(|report, is_continued| {
            owners += usize::from(!is_continued);
            text::dump::ephemerals(&mut owned, report, is_continued);
            room(&owned)
        });
        let owned_step = step.await?;
        // The connection that asks is listed too, without a session.
        let heard_ms = host::wall_ms().saturating_sub(live.wall_offset_ms).max(0) as u64;
        let asker = Connected { peer, session: SessionId(0), patience_ms: 0, heard_ms };
        let mut connected = vec![asker];
        let step = self.roles.connections(|connection| {
            connected.push(connection.into());
            if size_of_val(&connected[..]) < ANSWER_BYTES_MAX {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        let step = step.await?;
        let sessionless_ms = self.facts.sessionless_timeout_ms;
        let make = move || {
            let (live, mut out) = (live.by_expiry(), Vec::new());
            text::dump::sessions(&mut out, &live);
            text::dump::ephemerals_head(&mut out, owners);
            out.append(&mut owned);
            note_if_cut(&mut out, owned_step);
            text::dump::connections(&mut out, &connected, &live, sessionless_ms);
            note_if_cut(&mut out, step);
            out
        };
        held.make(make).await
    }

    async fn watch_summary(
        &self,
        out: &mut Vec<u8>,
        ordering: OrderingReport,
    ) -> Result<(), Unanswered> {
        let totals = self.roles.totals(ordering, self.word_counts()).await?;
        let counts = self.roles.watch_counts(totals.shards.data_watches).await?;
        text::watches::summary(out, counts);
        Ok(())
    }

    async fn watches_by_session(&self, out: &mut Vec<u8>) -> Result<(), Unanswered> {
        let step = self.roles.watches(|report, is_continued| {
            text::watches::by_session(out, report, is_continued);
            room(out)
        });
        let step = step.await?;
        note_if_cut(out, step);
        out.push(b'\n');
        Ok(())
    }

    async fn watches_by_path(&self, held: &mut Held) -> Result<Vec<u8>, Unanswered> {
        let (mut watches, mut bytes) = (text::watches::ByPath::new(), 0);
        let add = |report: &WatchReport, _| {
            for path in &report.paths {
                bytes += path.len() + size_of::<(Arc<[u8]>, SessionId)>();
                watches.push((Arc::clone(path), report.session));
            }
            if bytes < ANSWER_BYTES_MAX {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        let step = self.roles.watches(add).await?;
        let make = move || {
            let mut out = Vec::new();
            text::watches::by_path(&mut out, watches);
            note_if_cut(&mut out, step);
            out.push(b'\n');
            out
        };
        held.make(make).await
    }
}

/// Breaks if the answer is full.
fn room(out: &[u8]) -> ControlFlow<()> {
    if out.len() < ANSWER_BYTES_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

fn note_if_cut(out: &mut Vec<u8>, step: ControlFlow<()>) {
    if step.is_break() {
        out.extend(format!("... cut off at {ANSWER_BYTES_MAX} bytes\n").bytes());
    }
}
