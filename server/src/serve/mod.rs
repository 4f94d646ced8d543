//! `ringkeeper serve`: starts everything in order, waits, and stops it.
//!
//! Up: configuration, host, directories, ports, background, data, roles, loops, admin thread.
//! Down: the loops answer what is in flight and end, then the background ends, then the lock is
//! released.
//!
//! `histories`: whether the data are the newest; `initialize`: whether none may be. `ports` and
//! `decisions`: what is requested of the system, and what follows from the configuration;
//! `signals`: when to end; `wiring`: roles on their loops; `startup_log`: what the log says about
//! it; `error`: why it failed.

mod decisions;
mod ensemble;
mod error;
mod histories;
mod initialize;
mod ports;
mod signals;
mod startup_log;
mod wiring;

pub use error::ServeError;

use crate::admin;
use crate::clock::Clock;
use crate::config::{self, Config, Notice, decided};
use crate::core_loop::{LoopError, LoopInbox, LoopMessage};
use crate::data_set::{DataMark, LogPlace, is_same};
use crate::directories::Directories;
use crate::persist::{self, Applied, Use};
use crate::profile;
use crate::resident::Resident;
use crate::survey::{STOCK, survey};
use crate::threads;
use decisions::settings;
use disk::lock::DirectoryLock;
use disk::probe::Probe;
use disk::{Background, BackgroundConfig, Durability};
use engine::tree::Advise;
use model::zxid::Zxid;
use nix::sys::signal::Signal;
use ports::{bind, bind_http};
use signals::Signals;
use startup_log::{log_disk, log_profile, log_ready, log_restored};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::{error, info, warn};
use tuning::placement::{self, Placement, PlacementOptions};
use tuning::profile::{DiskFacts, Knob, Profile};
use tuning::{Kernel, Severity, Topology, host};
use txlog::segments::DIRECTORY;
use wiring::{Built, Wiring};

/// How the tree advises the kernel about its memory, which is best on this node.
fn pages(profile: &Profile, node: Option<u32>) -> Advise {
    let is_huge = profile.flag(Knob::MemoryHugePages).unwrap_or(true);
    let advise_huge = if is_huge { disk::huge::advise_huge } else { |_: *mut u8, _: usize| () };
    let give_back = disk::huge::give_back;
    disk::huge::start_populating(node);
    Advise { advise_huge, give_back, populate: disk::huge::populate }
}

/// How what is done in the background shares the machine.
fn background_config(config: &Config, profile: &Profile) -> BackgroundConfig {
    let mut background = BackgroundConfig::new(config.storage.data_log_dir.clone());
    for (knob, shares) in [
        (Knob::BackgroundSnapshots, &mut background.snapshot_shares),
        (Knob::BackgroundSegments, &mut background.segments_shares),
        (Knob::BackgroundPurge, &mut background.purge_shares),
    ] {
        if let Some(decided) = profile.number(knob) {
            *shares = decided as usize;
        }
    }
    if let Some(kib) = profile.number(Knob::BackgroundPieceKib) {
        background.piece_bytes = (kib as usize) << 10;
    }
    background
}

/// What the main thread is notified of while the server runs.
pub(super) enum MainEvent {
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
    let signals = Signals::watch()?;
    let running = start(&decided.config, &signals)?;
    let outcome = running.wait();
    running.stop();
    outcome
}

/// A running server.
struct Running {
    loops: Vec<Arc<LoopInbox>>,
    threads: Vec<JoinHandle<Option<Zxid>>>,
    events: mpsc::Receiver<MainEvent>,
    admin: admin::Admin,
    background: Arc<Background>,
    clock: Clock,
    data_dir: PathBuf,
    _locks: Vec<DirectoryLock>,
}

fn start(config: &Config, signals: &Signals) -> Result<Running, ServeError> {
    let clock = Clock::start();
    info!("ringkeeper {}, for clients of ZooKeeper 3.9.5", env!("CARGO_PKG_VERSION"));
    check_host(config)?;
    let locks = open_directories(&config.storage)?;
    let there = survey(&config.storage.data_dir, &config.storage.data_log_dir)?;
    // An import leaves a snapshot alone, until the first start.
    let mark = DataMark::read(&config.storage.data_dir)?.unwrap_or_default();
    if there.snapshots > 0 && there.segments == 0 && mark.log != LogPlace::NotYet {
        warn!(
            "there is a snapshot and no log in {}: whatever was written after the snapshot is not \
             here; if there should be a log, stop the server and check dataLogDir",
            config.storage.data_log_dir.display()
        );
    }
    let listener = bind(config)?;
    let http = bind_http(config)?;
    let part = ensemble::Part::of(config)?;
    for directory in Directories::all_of(&config.storage) {
        disk::scratch::remove_left(&directory);
    }
    let Machine { probe, profile, durability, placement } = look_at_machine(config)?;
    let background = background_config(config, &profile);
    let background = Arc::new(Background::start(background)?);
    log_disk(&background, &probe, durability);
    let settings = Arc::new(settings(config));
    let segment_bytes = profile::segment_bytes(config, &profile, &probe);
    let directories = Directories::of(&config.storage, segment_bytes);
    let known = histories::look(&background, &directories, &settings)?;
    let applied = if part.is_some() { Applied::Committed } else { Applied::Durable };
    let advise = Some(pages(&profile, placement.memory_node));
    let how = Use { durability, advise, applied, known };
    let restored = persist::restore(&background, directories.clone(), settings.clone(), how)?;
    log_restored(&restored, clock);
    let is_empty_trusted = initialize::is_empty_trusted(&config.storage)?;
    if let Some(warning) = &placement.warning {
        warn!("{warning}");
    }
    for reason in &placement.reasons {
        info!("placement: {reason}");
    }
    // Not before: what is restored is restored with all processors.
    keep_beside_loops(&placement);
    let (sender, events) = mpsc::channel();
    let client = listener.address;
    let ports = [&http.commands, &http.metrics]
        .map(|port| port.as_ref().and_then(|listener| listener.local_addr().ok()));
    let built = Wiring {
        config,
        clock,
        placement: &placement,
        settings,
        durability,
        profile: &profile,
        directories,
        listeners: vec![listener],
        http,
        part,
        is_empty_trusted,
    }
    .build(restored, &background, &sender)?;
    log_ready(config, client, &ports);
    let Built { loops, threads, admin } = built;
    signals.forward_to(sender);
    let data_dir = config.storage.data_dir.clone();
    Ok(Running { loops, threads, events, admin, background, clock, data_dir, _locks: locks })
}

/// What the server runs on, and what that decides.
struct Machine {
    probe: Probe,
    profile: Profile,
    durability: Durability,
    placement: Placement,
}

fn look_at_machine(config: &Config) -> Result<Machine, ServeError> {
    let probe = Probe::of(&config.storage.data_log_dir)?;
    let topology = Topology::discover()?;
    let kernel = Kernel::default();
    let durable_us = disk::probe::durable_us(&config.storage.data_log_dir)?;
    let disk_facts = DiskFacts::of(&kernel, &config.storage.data_log_dir, &probe, durable_us);
    let chosen = profile::choose(config.profile.as_deref(), &topology, Some(&disk_facts))?;
    log_profile(config, &chosen, &disk_facts, &topology);
    let profile = chosen.profile;
    let durability = profile::durability(config, &profile, &probe);
    let log_disks = kernel.disks_below(&config.storage.data_log_dir);
    let options = PlacementOptions { log_disks, ..profile::placement_options(config, &profile) };
    let placement = placement::placement(&topology, &options);
    Ok(Machine { probe, profile, durability, placement })
}

/// Leaves pinned core loops their processors.
fn keep_beside_loops(placement: &Placement) {
    if placement.loops.iter().all(|it| it.cpu.is_none()) {
        return;
    }
    let cpus = &placement.background_cpus;
    if let Err(errno) = threads::keep_beside(cpus) {
        warn!("what is no core loop runs on their CPUs, too: {cpus:?} are not available ({errno})");
    }
}

impl Running {
    /// Waits for a signal, or for a loop that ends by itself.
    fn wait(&self) -> Result<(), ServeError> {
        let mut is_warned = false;
        let mut resident = Resident::new(self.clock.now().mono_ms);
        loop {
            match self.events.recv_timeout(Duration::from_secs(1)) {
                Ok(MainEvent::Signal(signal)) => {
                    info!("{signal}: stopping");
                    return Ok(());
                }
                Ok(MainEvent::Ended(ended)) => return Ok(ended?),
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

    /// Stops everything in order.
    fn stop(self) {
        for inbox in &self.loops {
            inbox.send(LoopMessage::Stop);
        }
        self.admin.stop();
        let mut reached = None;
        for thread in self.threads {
            if let Ok(ended) = thread.join() {
                reached = reached.max(ended);
            } else {
                error!("a core loop has panicked");
            }
        }
        if let Some(background) = Arc::into_inner(self.background) {
            background.stop();
        }
        if let Some(Err(error)) = reached.map(|zxid| persist::reached(&self.data_dir, zxid)) {
            warn!("the next start cannot recognise an older copy of this run of the log: {error}");
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
    // If the limit cannot be raised, the check below reports it.
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

/// Whether it was prepared for data, ours or ZooKeeper's: an empty directory may be the mount point
/// of a disk that is not mounted.
fn holds_data(directory: &Path) -> bool {
    [DIRECTORY, STOCK].iter().any(|name| directory.join(name).is_dir())
}

/// The directory itself, or its nearest existing parent.
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
        if directory != &storage.data_dir && is_same(directory, &storage.data_dir) {
            continue;
        }
        if !storage.dir_autocreate && !holds_data(directory) {
            return Err(ServeError::NoDirectory(directory.join(DIRECTORY)));
        }
        if !directory.exists() {
            std::fs::create_dir_all(directory)
                .map_err(|error| ServeError::Directory(directory.clone(), error))?;
        }
        locks.push(DirectoryLock::take(directory)?);
    }
    Ok(locks)
}
