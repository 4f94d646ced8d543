//! What the log says at the start.

use crate::clock::Clock;
use crate::config::Config;
use crate::persist::Restored;
use crate::profile::{self, Chosen};
use crate::tune;
use disk::probe::Probe;
use disk::{Background, DiskMode, Durability};
use std::net::{Ipv4Addr, SocketAddr};
use tracing::{debug, info, warn};
use tuning::profile::DiskFacts;
use tuning::tuner::{self, Facts};
use tuning::{Kernel, Topology};

pub(super) fn log_disk(background: &Background, probe: &Probe, durability: Durability) {
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

/// The profile, and what costs most here.
pub(super) fn log_profile(config: &Config, chosen: &Chosen, disk: &DiskFacts, topology: &Topology) {
    if let Some(warning) = &chosen.warning {
        warn!("{warning}");
    }
    info!("profile: {chosen}; `ringkeeper profile` shows what they decide, and why");
    let facts = Facts::read(&Kernel::default(), topology, tune::questions(config, &chosen.profile));
    for (at, cost) in profile::costs(disk, &tuner::settings(&facts)).iter().enumerate() {
        info!("what costs most here, {}: {cost}", at + 1);
    }
}

pub(super) fn log_restored(restored: &Restored, clock: Clock) {
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
    debug!(
        load_us = summary.load_time.as_micros() as u64,
        replay_us = summary.replay_time.as_micros() as u64,
        "restored"
    );
    if summary.is_torn {
        info!("the log ended in a write that a crash interrupted; it was never acknowledged");
    }
}

/// Logs where the server serves: clients and HTTP.
pub(super) fn log_ready(
    config: &Config,
    client: SocketAddr,
    [commands, metrics]: &[Option<SocketAddr>; 2],
) {
    if let Some(address) = commands {
        info!("admin server on http://{address}{}", config.admin.url);
    }
    if let Some(address) = metrics {
        info!("metrics on http://{address}/metrics");
    }
    let port = client.port();
    let at = match client.ip() {
        every if every.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        one => one,
    };
    info!("serving clients on {client}, try: echo srvr | nc {at} {port}");
}
