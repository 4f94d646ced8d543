//! The configuration as decided: typed, checked, without keys.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use engine::acl::scheme::Schemes;

use super::{ConfigError, Origin, Sources, Written, written::ReadFile};

mod access;
mod ensemble;
mod host;
mod listening;
mod parts;
mod settle;
pub use ensemble::{Changes, Ensemble, Links, ServersFault};
pub use host::{Endpoint, Families, Preference};
#[cfg(test)]
pub(super) use parts::WORDS;
#[cfg(test)]
mod tests;

/// What the server is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where clients connect.
    pub listen: Listen,
    /// The families of addresses that are listened on.
    pub families: Families,
    /// Its part in an ensemble; unset for a server that is alone.
    pub ensemble: Option<Ensemble>,
    /// How many connections there may be.
    pub connections: Connections,
    /// Sessions and their expiry.
    pub sessions: Sessions,
    /// What requests may cost.
    pub requests: Requests,
    /// What the tree allows.
    pub tree: Tree,
    /// Who may do what.
    pub access: Access,
    /// Directories and snapshots.
    pub storage: Storage,
    /// The log on disk.
    pub log: Log,
    /// The four-letter words that are answered.
    pub four_letter_words: FourLetterWords,
    /// Core loops and processors.
    pub placement: Placement,
    /// A profile of one's own.
    pub profile: Option<PathBuf>,
    /// The admin server and the metrics.
    pub admin: AdminServer,
    /// What is logged about all this.
    pub logging: Logging,
    /// The configuration file's text, secrets left out.
    pub initial: String,
    /// What was written, under the names of Java's properties, secrets left out.
    pub properties: Vec<(String, String)>,
}

/// The admin server and the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminServer {
    /// Where commands are served; unset if nowhere.
    pub commands: Option<Endpoint>,
    /// Whether its port or address was configured: if not, the server starts without it when the
    /// port is in use.
    pub is_wanted: bool,
    /// The path above the commands.
    pub url: String,
    /// How long a peer may be silent, in ms.
    pub idle_ms: u32,
    /// How metrics are exported.
    pub provider: MetricsProvider,
    /// Whether words show the binary's date as versions up to 3.5 did.
    pub has_old_date: bool,
    /// Where metrics are served over HTTP; unset if nowhere.
    pub metrics: Option<Endpoint>,
    /// Whether clients are led to servers with fewer, and how.
    pub balancing: Option<Balancing>,
}

/// How clients are led to servers with fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balancing {
    /// How often the other servers are asked.
    pub every: Duration,
    /// How much above its share a server may be, in percent of the share.
    pub tolerance_percent: u32,
    /// Connections that may be closed in a second.
    pub per_second: u32,
}

/// How metrics are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsProvider {
    /// By `mntr` and the command `monitor`.
    Default,
    /// Not at all.
    Null,
    /// By a page for Prometheus; `mntr` has the same names.
    Prometheus,
}

/// How fast sessions may be opened. Probabilities and ratios are in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Tokens of a full bucket.
    pub tokens_max: u32,
    /// How often it is refilled, in ms.
    pub fill_ms: u32,
    /// By how many tokens.
    pub fill_tokens: u32,
    /// How often the probability of a refusal changes, in ms; unset for no random refusals.
    pub freeze_ms: Option<u32>,
    /// By how much it grows while there are no tokens.
    pub drop_increase: u32,
    /// By how much it falls.
    pub drop_decrease: u32,
    /// Which part of the tokens may be missing for it to fall.
    pub decrease_ratio: u32,
    /// What a new session costs.
    pub session_tokens: u32,
    /// What a returning session costs.
    pub renewal_tokens: u32,
}

/// A configuration, and the notices for its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What to do.
    pub config: Config,
    /// What to log once at start, warnings first.
    pub notices: Vec<Notice>,
    /// Every key that is honoured, in the order of the table.
    pub settings: Vec<Setting>,
}

/// What a key was decided to be. Displayed, it is a line that a configuration file could hold,
/// followed by its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: &'static str,
    /// Its value as one would write it, secrets left out; unset if there is no value.
    pub value: Option<String>,
    /// Where it was set.
    pub origin: Origin,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value} ({})", self.key, self.origin),
            None => write!(f, "{} is unset", self.key),
        }
    }
}

/// A line for the log at start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// Probably not what was intended.
    Warning(String),
    /// Good to know.
    Note(String),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Notice::Warning(text) | Notice::Note(text)) = self;
        f.write_str(text)
    }
}

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Address and port.
    pub endpoint: Endpoint,
    /// The other place where the address is written, in the file beside this server's line: once
    /// resolved, both must be the same.
    pub agrees_with: Option<Endpoint>,
    /// Connections that may wait to be accepted; unset leaves it to the listener.
    pub backlog: Option<u32>,
    /// The same as it was written.
    pub backlog_written: i64,
}

/// How many connections there may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Most from one address.
    pub per_address_max: Option<u32>,
    /// The same as it was written, for reports of the configuration.
    pub per_address_written: i64,
    /// Most in total.
    pub total_max: Option<u32>,
    /// Have the kernel detect dead peers.
    pub tcp_keep_alive: bool,
    /// How long a connection may take to open a session, in ms.
    pub sessionless_timeout_ms: u32,
    /// How fast sessions may be opened, if that is bounded.
    pub throttle: Option<Throttle>,
}

/// Sessions and their expiry. `1 <= timeout_min_ms <= timeout_max_ms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// The length of a tick, the grain of expiry.
    pub tick_ms: u32,
    /// The shortest timeout granted.
    pub timeout_min_ms: u32,
    /// The same as it was written: to ZooKeeper 0 and less are no other bound than 1.
    pub timeout_min_written_ms: i32,
    /// The longest timeout granted.
    pub timeout_max_ms: u32,
    /// The same as it was written.
    pub timeout_max_written_ms: i32,
    /// The closing txn lists what it deletes.
    pub close_txn_lists_paths: bool,
    /// How long a server of an ensemble looks for a leader before it serves read-only clients.
    pub read_only_after_ms: Option<u64>,
}

/// What requests may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requests {
    /// The longest frame of a client.
    pub jute_bytes_max: u32,
    /// How much longer a stored txn may be.
    pub jute_extra_bytes: u32,
    /// Writes in flight in total.
    pub outstanding_max: u32,
    /// A leader answers a sync only once a quorum has confirmed that it leads.
    pub confirms_syncs: bool,
    /// The bound on large requests, if there is one.
    pub large: Option<LargeRequests>,
}

/// The bound on large requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LargeRequests {
    /// A request of more bytes is large.
    pub threshold_bytes: u32,
    /// Bytes of large requests in flight in total.
    pub total_bytes_max: u32,
}

/// What the tree allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Nodes with a time to live may be created.
    pub extended_types_enabled: bool,
    /// Owners are read as 3.5.3 wrote them.
    pub emulate_353_ttl: bool,
    /// Hard quotas refuse writes.
    pub enforce_quota: bool,
    /// The digest of the tree is kept.
    pub digest_enabled: bool,
    /// How often empty containers are looked for.
    pub container_check_interval_ms: u32,
    /// How many are deleted per minute.
    pub container_per_minute_max: u32,
    /// When a container that never had a child is deleted, if it is.
    pub container_never_used_ms_max: Option<u32>,
}

/// Who may do what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Access lists are ignored.
    pub skip_acl: bool,
    /// How clients may authenticate.
    pub schemes: Schemes,
    /// A client must have used one of these schemes; empty if it need not.
    pub enforced_schemes: BTreeSet<String>,
    /// Reconfiguration is answered with what it lacks here rather than as disabled.
    pub reconfig_enabled: bool,
}

/// Directories and snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Snapshots.
    pub data_dir: PathBuf,
    /// The log; the same unless it was given.
    pub data_log_dir: PathBuf,
    /// Missing directories are created.
    pub dir_autocreate: bool,
    /// A server of an ensemble votes though it has no data.
    pub empty_votes: bool,
    /// Txns between snapshots.
    pub snapshot_txn_count: u32,
    /// Bytes of log between snapshots, if bounded.
    pub snapshot_log_bytes_max: Option<u64>,
    /// How much of the log a learner is sent rather than a snapshot, in millionths of the newest
    /// snapshot's bytes; unset means none.
    pub sent_log_millionths: Option<u64>,
    /// The purge of old snapshots and logs, if there is one.
    pub purge: Option<Purge>,
}

/// The purge of old snapshots and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purge {
    /// Snapshots kept.
    pub retain_count: u32,
    /// Hours between purges.
    pub interval_hours: u32,
}

/// The log on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The size of a segment: whole MiB, at least [`SEGMENT_BYTES_MIN`], and at least twice
    /// the longest stored txn.
    pub segment_bytes: u64,
    /// Whether that is configured; a profile may decide otherwise where it is not.
    pub is_segment_configured: bool,
    /// The shortest segment that holds what clients may write.
    pub segment_bytes_min: u64,
    /// Writes in flight; unset leaves it to the device's profile.
    pub slots: Option<u8>,
    /// How a write becomes durable.
    pub durability: Durability,
    /// A slower flush is logged.
    pub flush_warning_ms: u32,
}

/// The smallest segment.
pub const SEGMENT_BYTES_MIN: u64 = 16 << 20;

/// How a write becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As the device's profile says.
    Auto,
    /// By every write (`O_DSYNC`).
    Dsync,
    /// By a flush that covers several writes.
    Flush,
    /// By a flush as well, but written through the page cache.
    Buffered,
}

/// The four-letter words that are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FourLetterWords(BTreeSet<String>);

impl FourLetterWords {
    /// Is this word to be answered?
    pub fn allows(&self, word: &str) -> bool {
        self.0.contains(word)
    }
}

/// Core loops and processors as configured; the placement decides what the machine allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Shards; unset leaves it to the placement.
    pub shards: Option<u32>,
    /// Processors to use; unset means all that are allowed.
    pub cpus: Option<Vec<u32>>,
    /// Never pin.
    pub unpinned: bool,
    /// Microseconds to spin; unset leaves it to the placement.
    pub spin_us: Option<u32>,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logging {
    /// A level, or a filter by module.
    pub filter: String,
    /// One JSON object per line instead of text.
    pub json: bool,
}

/// The files that a configuration leads to: `myid`, and those of an ensemble's lines.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    read: ReadFile,
    config: Option<&'a Path>,
}

impl<'a> Files<'a> {
    /// Those that the sources lead to.
    pub fn of(sources: &'a Sources) -> Files<'a> {
        let config = sources.file.as_ref().map(|(path, _)| path.as_path());
        Files { read: sources.read, config }
    }

    /// The bytes of a file; `None` if there is none.
    fn read(self, path: &Path) -> Result<Option<Vec<u8>>, ConfigError> {
        (self.read)(path)
            .map_err(|error| ConfigError::File { path: path.to_owned(), kind: error.kind() })
    }
}

/// Decides.
///
/// # Errors
/// Everything that is wrong; never empty.
pub fn decide(written: &Written, files: Files<'_>) -> Result<Decided, Vec<ConfigError>> {
    let mut settled = settle::Settled::new(written);
    let (own, ensemble) = ensemble::check(&mut settled, files);
    let config = parts::config(&mut settled, own, ensemble);
    settled.finish(config)
}
