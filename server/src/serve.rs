//! `ringkeeper serve`: brings everything up in order, waits, and brings it down again.
//!
//! Up: configuration, host, directories, ports, background, data, roles, loops, admin thread.
//! Down: the loops answer what is under way and end, then the background, then the lock goes.

use crate::admin;
use crate::clock::Clock;
use crate::config::{self, Config, ConfigError, Notice, decided};
use crate::core_loop::{
    Clients, ConnectThrottle, ConnectionGate, CoreLoop, History, HistoryParts, LoopError,
    LoopInbox, LoopMessage, LoopParts, OrderingLink, ShardLink, SnapshotPolicy, link,
};
use crate::persist::{self, Directories, PurgePolicy, RestoreError, Restored};
use crate::resident::Resident;
use crate::survey::{SurveyError, survey};
use disk::lock::{DirectoryLock, LockError};
use disk::probe::Probe;
use disk::{Background, BackgroundConfig, BackgroundError, DiskError, DiskMode, Durability};
use engine::ordering::Ordering;
use engine::settings::{DigestAlgorithm, LargeRequests, Settings};
use engine::shard::Shard;
use model::session::ExtendedTypes;
use net::listener::{BindError, Endpoint, ListenOptions, Listener};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;
use ring::RingConfig;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use thiserror::Error;
use tracing::{error, info, warn};
use tuning::placement::{self, Placement, Role, Wishes};
use tuning::{Severity, Topology, TopologyError, host};
use txlog::{Appender, AppenderConfig};

/// Why the server did not start, or ended by itself.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The configuration is wrong.
    #[error("{}", join(.0))]
    Config(Vec<ConfigError>),
    /// A file named on the command line cannot be read.
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// A directory cannot be made.
    #[error("{0} cannot be made: {1}; make it, or name another by dataDir or dataLogDir")]
    Directory(PathBuf, #[source] io::Error),
    /// A directory is not there, and may not be made.
    #[error("{0} does not exist, and datadir.autocreate=false: make it first")]
    NoDirectory(PathBuf),
    /// A directory is in use or cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The directories do not hold what they should.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// A port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The client address is unknown.
    #[error("clientPortAddress: {0}")]
    Address(#[source] io::Error),
    /// The host lacks something that the server cannot do without.
    #[error("{0}")]
    Host(String),
    /// The disk refuses.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The background thread does not start.
    #[error(transparent)]
    Background(#[from] BackgroundError),
    /// The data cannot be brought back.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The machine cannot be looked at.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A core loop ended.
    #[error(transparent)]
    Loop(#[from] LoopError),
    /// A port for HTTP cannot be had.
    #[error("{what} cannot listen on {endpoint}: {error}; choose by {keys}")]
    Http {
        /// Who wants it.
        what: &'static str,
        /// What steers it.
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
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(#[source] io::Error),
}

fn join(errors: &[ConfigError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// How long a port may be in use by a process that has just ended.
const BIND_RETRY: Duration = Duration::from_secs(2);

/// What main learns while the server runs.
enum Happening {
    Signal(Signal),
    Ended(Result<(), LoopError>),
}

/// Serves until a signal or a final error.
pub fn serve(sources: &config::Sources) -> Result<(), ServeError> {
    let decided = config::load(sources).map_err(ServeError::Config)?;
    crate::logging::start(&decided.config.logging);
    for notice in &decided.notices {
        match notice {
            Notice::Warning(text) => warn!("{text}"),
            Notice::Note(text) => info!("{text}"),
        }
    }
    let signals = block_signals();
    let running = start(&decided.config)?;
    let outcome = running.wait(signals);
    running.stop();
    outcome
}

/// Signals that end the server are waited for, not handled: no thread is interrupted by them. A
/// file that would grow beyond `ulimit -f` is an error of its write, not a signal.
fn block_signals() -> SigSet {
    let mut quiet = SigSet::empty();
    quiet.add(Signal::SIGXFSZ);
    quiet.thread_block().expect("this signal can be blocked");
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    signals.thread_block().expect("these signals can be blocked");
    signals
}

/// A server that runs.
struct Running {
    loops: Vec<Arc<LoopInbox>>,
    threads: Vec<JoinHandle<()>>,
    happenings: mpsc::Receiver<Happening>,
    signals: mpsc::Sender<Happening>,
    admin: admin::Admin,
    background: Arc<Background>,
    clock: Clock,
    _locks: Vec<DirectoryLock>,
}

fn start(config: &Config) -> Result<Running, ServeError> {
    let clock = Clock::start();
    info!("ringkeeper {}, for clients of ZooKeeper 3.9.5", env!("CARGO_PKG_VERSION"));
    check_host(config)?;
    let locks = open_directories(&config.storage)?;
    let there = survey(&config.storage.data_dir, &config.storage.data_log_dir)?;
    if there.snapshots > 0 && there.segments == 0 {
        warn!(
            "there is a snapshot and no log in {}: whatever was written after the snapshot is not \
             here; if there should be a log, stop the server and check dataLogDir",
            config.storage.data_log_dir.display()
        );
    }
    let listeners = bind(config)?;
    let http = bind_http(&config.admin)?;
    let probe = Probe::of(&config.storage.data_log_dir)?;
    let durability = durability_of(config, &probe);
    let topology = Topology::discover()?;
    let placement = placement::placement(&topology, &wishes(config));
    let background = BackgroundConfig::new(config.storage.data_log_dir.clone());
    let background = Arc::new(Background::start(background)?);
    tell_disk(&background, &probe, durability);
    let settings = Arc::new(settings(config));
    let directories = Directories::of(&config.storage, config.log.segment_bytes);
    let restored = persist::restore(
        &background,
        directories.clone(),
        settings.clone(),
        durability,
        Some(disk::huge::wish_huge),
    )?;
    tell_restored(&restored, clock);
    for reason in &placement.reasons {
        info!("placement: {reason}");
    }
    let (sender, happenings) = mpsc::channel();
    let ports = [&http.commands, &http.metrics]
        .map(|port| port.as_ref().and_then(|listener| listener.local_addr().ok()));
    let built = Wiring {
        config,
        clock,
        placement: &placement,
        settings,
        durability,
        directories,
        listeners,
        http,
    }
    .build(restored, &background, &sender)?;
    tell_ready(config, &ports);
    let Built { loops, threads, admin } = built;
    let signals = sender;
    Ok(Running { loops, threads, happenings, signals, admin, background, clock, _locks: locks })
}

/// What the loops are wired from.
struct Wiring<'a> {
    config: &'a Config,
    clock: Clock,
    placement: &'a Placement,
    settings: Arc<Settings>,
    durability: Durability,
    directories: Directories,
    listeners: Vec<Listener>,
    http: admin::HttpPorts,
}

struct Built {
    loops: Vec<Arc<LoopInbox>>,
    threads: Vec<JoinHandle<()>>,
    admin: admin::Admin,
}

impl Wiring<'_> {
    fn build(
        mut self,
        restored: Restored,
        background: &Arc<Background>,
        happenings: &mpsc::Sender<Happening>,
    ) -> Result<Built, ServeError> {
        let shards = self.placement.shard_count() as u16;
        let loops: Vec<_> =
            self.placement.loops.iter().map(|_| Arc::new(LoopInbox::default())).collect();
        let home = |shard: u32| {
            let is_home = |l: &placement::CoreLoop| l.roles.contains(&Role::Shard(shard));
            self.placement.loops.iter().position(is_home).expect("every shard has a loop")
        };
        let by_shard: Vec<_> =
            (0..u32::from(shards)).map(|shard| loops[home(shard)].clone()).collect();
        let connections = &self.config.connections;
        let gate = Arc::new(ConnectionGate::new(
            connections.per_address_max,
            connections.total_max,
            shards,
        ));
        let (mut history, mut shard_roles) = self.roles(restored, background, shards);
        let (mut lines, mut inquiries) = (Vec::new(), Vec::new());
        for inbox in &loops {
            let bell = inbox.clone();
            let (line, inbox) = admin::inquiry::line(move || bell.bell());
            lines.push(line);
            inquiries.push(inbox);
        }
        let roles = admin::Roles {
            shards: (0..u32::from(shards)).map(|shard| lines[home(shard)].clone()).collect(),
            ordering: lines[0].clone(),
        };
        let seed = persist::random().unwrap_or(1);
        let throttle = Arc::new(ConnectThrottle::new(connections.throttle, seed));
        let admin = self.admin(roles, &throttle)?;
        let words = admin.words();
        let mut links: Vec<OrderingLink> = Vec::new();
        let mut parts = Vec::new();
        // The ordering role's loop comes last: by then the links of all shards are there.
        for (at, inquiries) in inquiries.into_iter().enumerate().rev() {
            let (link, clients) =
                self.shard_on(at, &mut shard_roles, &loops, (&gate, &throttle), &words);
            let (link, ordering_end) = link.unzip();
            links.extend(ordering_end);
            let core_loop = &self.placement.loops[at];
            let is_first_shard = core_loop.roles.contains(&Role::Shard(0));
            let listeners =
                if is_first_shard { std::mem::take(&mut self.listeners) } else { Vec::new() };
            let is_ordering = at == 0;
            let own = LoopParts {
                clients,
                link,
                history: if is_ordering { history.take() } else { None },
                links: if is_ordering { std::mem::take(&mut links) } else { Vec::new() },
                by_shard: by_shard.clone(),
                listeners,
                inquiries,
                spin_us: core_loop.spin_us,
                clock: self.clock,
            };
            parts.push((at, own));
        }
        let mut threads = Vec::new();
        for (at, parts) in parts {
            let (inbox, cpu) = (loops[at].clone(), self.placement.loops[at].cpu);
            threads.push(spawn_loop(at, cpu, inbox, parts, happenings.clone())?);
        }
        Ok(Built { loops, threads, admin })
    }

    /// The admin thread with its ports.
    fn admin(
        &mut self,
        roles: admin::Roles,
        throttle: &Arc<ConnectThrottle>,
    ) -> Result<admin::Admin, ServeError> {
        let client_port = self.listeners.first().map_or(0, |listener| listener.address.port());
        let facts = admin::Facts::of(self.config, client_port, 0, throttle.clone());
        let ports = std::mem::take(&mut self.http);
        admin::start(facts, roles, &self.config.admin, ports).map_err(ServeError::Admin)
    }

    /// The shard that loop number `at` hosts, if any, and its link to the ordering role where that
    /// is on another loop.
    fn shard_on(
        &self,
        at: usize,
        shard_roles: &mut [Option<Shard>],
        loops: &[Arc<LoopInbox>],
        (gate, throttle): (&Arc<ConnectionGate>, &Arc<ConnectThrottle>),
        words: &admin::Words,
    ) -> (Option<(ShardLink, OrderingLink)>, Option<Clients>) {
        let roles = &self.placement.loops[at].roles;
        let number = roles.iter().find_map(|role| match *role {
            Role::Shard(number) => Some(number as u16),
            Role::Ordering => None,
        });
        let Some(number) = number else { return (None, None) };
        let shard = shard_roles[usize::from(number)].take().expect("a shard has one home");
        let link = (at != 0).then(|| link(number, &loops[at], &loops[0]));
        let frame_bytes_max = self.config.requests.jute_bytes_max;
        let (gate, words) = ((gate.clone(), throttle.clone()), words.clone());
        let sessionless_ms = u64::from(self.config.connections.sessionless_timeout_ms);
        let clients = Clients::new(shard, number, gate, words, frame_bytes_max, sessionless_ms);
        (link, Some(clients))
    }

    /// The roles themselves: the history, and each shard.
    fn roles(
        &self,
        restored: Restored,
        background: &Arc<Background>,
        shards: u16,
    ) -> (Option<History>, Vec<Option<Shard>>) {
        let now = self.clock.now();
        let Restored { head, zxid, first, file, summary } = restored;
        let mut ordering = Ordering::new(head, zxid, self.settings.clone(), shards, now);
        let mut shard_roles = Vec::new();
        for index in 0..shards {
            let reader = ordering.head.tree.reader();
            let cursor = ordering.cursor();
            let settings = self.settings.clone();
            shard_roles.push(Some(Shard::new(index, shards, settings, reader, cursor)));
        }
        let mut appender = AppenderConfig::new(self.durability);
        appender.segment_bytes = self.directories.segment_bytes;
        appender.record_bytes_max = record_bytes_max(self.config);
        if let Some(slots) = self.config.log.slots {
            appender.slot_count = usize::from(slots);
        }
        let storage = &self.config.storage;
        let history = History::new(
            HistoryParts {
                ordering,
                summary,
                first: (first.number, file),
                durability: self.durability,
                slot_count: appender.slot_count,
                appender: Appender::new(appender, first),
                directories: self.directories.clone(),
                background: background.clone(),
                record_bytes_max: appender.record_bytes_max,
                flush_warning: Duration::from_millis(u64::from(self.config.log.flush_warning_ms)),
                policy: SnapshotPolicy {
                    txn_count: u64::from(storage.snapshot_txn_count),
                    log_bytes_max: storage.snapshot_log_bytes_max,
                },
                purge: storage.purge.map(|purge| PurgePolicy {
                    keep_count: purge.retain_count as usize,
                    interval_ms: u64::from(purge.interval_hours) * 3_600_000,
                }),
            },
            now,
        );
        (Some(history), shard_roles)
    }
}

/// The longest txn: a request of the longest packet, its header, and what a create adds to it.
fn record_bytes_max(config: &Config) -> usize {
    let packet =
        config.requests.jute_bytes_max as usize + config.requests.jute_extra_bytes as usize;
    (packet + (1 << 20)).min(txlog::limits::RECORD_BYTES_MAX_MAX)
}

fn spawn_loop(
    at: usize,
    cpu: Option<u32>,
    inbox: Arc<LoopInbox>,
    parts: LoopParts,
    happenings: mpsc::Sender<Happening>,
) -> Result<JoinHandle<()>, ServeError> {
    let body = move || {
        if let Some(cpu) = cpu {
            pin(cpu);
        }
        let ended = match CoreLoop::ring(&inbox, &RingConfig::default()) {
            Ok(ring) => {
                info!("core loop {at}: ring with {}", ring.features());
                CoreLoop::new(ring, inbox, parts).run()
            }
            Err(error) => Err(error.into()),
        };
        // Nobody listens any more when the server is on its way out.
        let _ = happenings.send(Happening::Ended(ended));
    };
    std::thread::Builder::new()
        .name(format!("rk-core-{at}"))
        .spawn(body)
        .map_err(ServeError::Thread)
}

fn pin(cpu: u32) {
    let mut set = CpuSet::new();
    let pinned = set.set(cpu as usize).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
    if let Err(errno) = pinned {
        warn!("the core loop runs unpinned: CPU {cpu} cannot be had ({errno})");
    }
}

impl Running {
    /// Waits for a signal, or for a loop that ends by itself.
    fn wait(&self, signals: SigSet) -> Result<(), ServeError> {
        let sender = self.signals.clone();
        let body = move || {
            if let Ok(signal) = signals.wait() {
                let _ = sender.send(Happening::Signal(signal));
            }
        };
        std::thread::Builder::new()
            .name("rk-signals".to_owned())
            .spawn(body)
            .map_err(ServeError::Thread)?;
        let mut is_warned = false;
        let mut resident = Resident::new(self.clock.now().mono_ms);
        loop {
            match self.happenings.recv_timeout(Duration::from_secs(1)) {
                Ok(Happening::Signal(signal)) => {
                    info!("{signal}: stopping");
                    return Ok(());
                }
                Ok(Happening::Ended(ended)) => return Ok(ended?),
                Err(_) => {
                    let now_ms = self.clock.now().mono_ms;
                    resident.look(now_ms);
                    let silent = self.loops.iter().map(|inbox| inbox.silent_ms(now_ms)).max();
                    let is_late = silent.is_some_and(|ms| ms > 1_000);
                    if is_late && !is_warned {
                        warn!("a core loop has been in one turn for {} ms", silent.unwrap_or(0));
                    }
                    is_warned = is_late;
                }
            }
        }
    }

    /// Brings everything down in order.
    fn stop(self) {
        for inbox in &self.loops {
            inbox.tell(LoopMessage::Stop);
        }
        self.admin.stop();
        for thread in self.threads {
            if thread.join().is_err() {
                error!("a core loop has panicked");
            }
        }
        if let Some(background) = Arc::into_inner(self.background) {
            background.stop();
        }
        info!("stopped");
    }
}

fn check_host(config: &Config) -> Result<(), ServeError> {
    let needs = host::Needs {
        connections_max: config.connections.total_max,
        locked_bytes: 0,
        log_dir: config.storage.data_log_dir.clone(),
    };
    let (_, wanted) = needs.open_files();
    // What cannot be raised is told by the check that follows.
    let _ = host::raise_soft_limit(host::Resource::RLIMIT_NOFILE, wanted.max(1 << 16));
    let facts = host::Facts::read(existing(&config.storage.data_log_dir));
    for finding in host::check(&facts, &needs) {
        match finding.severity {
            Severity::Error => return Err(ServeError::Host(finding.to_string())),
            Severity::Warning => warn!("{finding}"),
            Severity::Note => info!("{finding}"),
        }
    }
    Ok(())
}

/// The directory itself, or the nearest one above it that is there.
fn existing(directory: &Path) -> &Path {
    directory.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."))
}

fn open_directories(storage: &decided::Storage) -> Result<Vec<DirectoryLock>, ServeError> {
    let mut locks = Vec::new();
    let mut directories = vec![&storage.data_dir];
    if storage.data_log_dir != storage.data_dir {
        directories.push(&storage.data_log_dir);
    }
    for directory in directories {
        if !directory.exists() {
            if !storage.dir_autocreate {
                return Err(ServeError::NoDirectory(directory.clone()));
            }
            std::fs::create_dir_all(directory)
                .map_err(|error| ServeError::Directory(directory.clone(), error))?;
        }
        locks.push(DirectoryLock::take(directory)?);
    }
    Ok(locks)
}

fn bind(config: &Config) -> Result<Vec<Listener>, ServeError> {
    let options = ListenOptions {
        backlog: config
            .listen
            .backlog
            .map_or_else(|| ListenOptions::default().backlog, |backlog| backlog as i32),
        keep_alive: config.connections.tcp_keep_alive,
    };
    let endpoints = match &config.listen.endpoint.host {
        decided::Host::Any => vec![Endpoint::All(config.listen.endpoint.port)],
        decided::Host::Named(_) => {
            let addresses = config.listen.endpoint.resolve().map_err(ServeError::Address)?;
            addresses.into_iter().map(Endpoint::One).collect()
        }
    };
    // The kernel closes the sockets of a killed process's ring a moment after its end.
    let give_up = Instant::now() + BIND_RETRY;
    loop {
        match Listener::bind_each(&endpoints, options) {
            Err(BindError::InUse { .. }) if Instant::now() < give_up => {
                std::thread::sleep(Duration::from_millis(50));
            }
            bound => return Ok(bound?),
        }
    }
}

fn durability_of(config: &Config, probe: &Probe) -> Durability {
    match config.log.durability {
        decided::Durability::Auto => probe.durability(),
        decided::Durability::Dsync => Durability::Dsync,
        decided::Durability::Flush => Durability::FlushAfter,
        decided::Durability::Buffered => Durability::BufferedFlush,
    }
}

fn wishes(config: &Config) -> Wishes {
    let decided::Placement { shards, cpus, unpinned, spin_us } = config.placement.clone();
    Wishes { shards, cpus, unpinned, spin_us }
}

fn settings(config: &Config) -> Settings {
    let (sessions, access, tree) = (&config.sessions, &config.access, &config.tree);
    let enforced = &access.enforced_schemes;
    Settings {
        server_id: 1,
        tick_ms: u64::from(sessions.tick_ms),
        timeout_ms_min: sessions.timeout_min_ms as i32,
        timeout_ms_max: sessions.timeout_max_ms as i32,
        outstanding_max: config.requests.outstanding_max as usize,
        large: config.requests.large.as_ref().map(|large| LargeRequests {
            threshold_bytes: u64::from(large.threshold_bytes),
            total_bytes_max: u64::from(large.total_bytes_max),
        }),
        extended_types: ExtendedTypes {
            enabled: tree.extended_types_enabled,
            emulate_353: tree.emulate_353_ttl,
        },
        reap_interval_ms: u64::from(tree.container_check_interval_ms),
        reap_per_minute_max: u64::from(tree.container_per_minute_max),
        reap_never_used_ms: tree.container_never_used_ms_max.map_or(0, i64::from),
        enforce_quota: tree.enforce_quota,
        skip_acl: access.skip_acl,
        digest: access.digest_enabled.then_some(DigestAlgorithm::Sha1),
        super_digest: access.super_digest.as_ref().map(|digest| digest.clone().into_bytes()),
        enforced_schemes: (!enforced.is_empty())
            .then(|| enforced.iter().map(|scheme| scheme.clone().into_bytes()).collect()),
        close_session_txn: sessions.close_txn_lists_paths,
        txn_digest: tree.digest_enabled,
        reconfig_enabled: false,
        hash_seed: [persist::random().unwrap_or(1), persist::random().unwrap_or(2)],
    }
}

fn tell_disk(background: &Background, probe: &Probe, durability: Durability) {
    let how = match durability {
        Durability::Dsync => "each write of the log is durable by itself (O_DIRECT, O_DSYNC)",
        Durability::FlushAfter => "writes of the log share flushes (O_DIRECT, fdatasync)",
        Durability::BufferedFlush => "the log is written through the page cache (fdatasync)",
    };
    info!("disk: {} on {}", how, probe.file_system);
    if let DiskMode::Buffered { why } = background.mode() {
        warn!("direct I/O is not possible here ({why:?}): slower, and memory is used twice");
    }
    if probe.is_memory {
        warn!("the data is on a file system in memory: nothing of it survives a power loss");
    }
}

fn tell_restored(restored: &Restored, clock: Clock) {
    let summary = &restored.summary;
    let snapshot =
        summary.snapshot.map_or("no snapshot".to_owned(), |(z, _)| format!("snapshot {z}"));
    info!(
        "data: {snapshot}, {} txns replayed, {} nodes, zxid {}, {} ms since the start",
        summary.replayed,
        restored.head.tree.node_count(),
        restored.zxid,
        clock.now().mono_ms
    );
    if summary.is_torn {
        info!("the log ended in a write that a crash interrupted; it was never acknowledged");
    }
}

/// The ports for HTTP. A taken one keeps the server from starting only if it was asked for.
fn bind_http(served: &decided::AdminServer) -> Result<admin::HttpPorts, ServeError> {
    let bind = |endpoint: &decided::Endpoint| {
        let addresses = endpoint.resolve()?;
        std::net::TcpListener::bind(&addresses[..])
    };
    let commands = match served.commands.as_ref().map(|endpoint| (bind(endpoint), endpoint)) {
        None => None,
        Some((Ok(listener), _)) => Some(listener),
        Some((Err(error), endpoint)) if served.is_wanted => {
            return Err(ServeError::Http {
                what: "the admin server",
                keys: "admin.serverPort and admin.serverAddress, or admin.enableServer=false",
                endpoint: endpoint.clone(),
                error,
            });
        }
        Some((Err(error), endpoint)) => {
            warn!(
                "no admin server: {endpoint} cannot be had ({error}); name another port by \
                 admin.serverPort, or set admin.enableServer=false"
            );
            None
        }
    };
    let metrics = served.metrics.as_ref().map(|endpoint| {
        bind(endpoint).map_err(|error| ServeError::Http {
            what: "the metrics",
            keys: "metricsProvider.httpPort and metricsProvider.httpHost",
            endpoint: endpoint.clone(),
            error,
        })
    });
    Ok(admin::HttpPorts { commands, metrics: metrics.transpose()? })
}

fn tell_ready(config: &Config, [commands, metrics]: &[Option<std::net::SocketAddr>; 2]) {
    if let Some(address) = commands {
        info!("admin server on http://{address}{}", config.admin.url);
    }
    if let Some(address) = metrics {
        info!("metrics on http://{address}/metrics");
    }
    let port = config.listen.endpoint.port;
    let host = match &config.listen.endpoint.host {
        decided::Host::Any => "127.0.0.1".to_owned(),
        decided::Host::Named(name) => name.clone(),
    };
    info!("serving clients on {}, try: echo srvr | nc {host} {port}", config.listen.endpoint);
}
