//! Puts the roles on their loops, and links the loops.

use super::MainEvent;
use super::ensemble::{Around, Joined, Part};
use super::error::ServeError;
use crate::admin;
use crate::admin::inquiry::{InquiryInbox, InquirySender};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::decided::Storage;
use crate::core_loop::{
    Clients, CoreLoop, History, HistoryParts, LogWriterParts, LoopInbox, LoopParts, OrderingLink,
    ShardLink, link,
};
use crate::directories::Directories;
use crate::gate::{ConnectThrottle, ConnectionGate};
use crate::membership::Shown;
use crate::persist::{PurgePolicy, Restored};
use crate::profile;
use crate::random;
use crate::threads;
use disk::limits::BLOCK_BYTES;
use disk::{Background, Durability};
use engine::limits::BUNDLE_BYTES_MAX;
use engine::replica::{Replica, ReplicaParts, SnapshotPolicy};
use engine::settings::Settings;
use engine::shard::Shard;
use model::zxid::Zxid;
use net::listener::Listener;
use ring::RingConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::{info, warn};
use tuning::placement::{self, Placement, Role};
use tuning::profile::{Knob, Profile};
use txlog::{Appender, AppenderConfig};

/// What the loops are built from.
pub(super) struct Wiring<'a> {
    pub(super) config: &'a Config,
    pub(super) clock: Clock,
    pub(super) placement: &'a Placement,
    pub(super) settings: Arc<Settings>,
    pub(super) durability: Durability,
    pub(super) profile: &'a Profile,
    pub(super) directories: Directories,
    pub(super) listeners: Vec<Listener>,
    pub(super) http: admin::HttpPorts,
    pub(super) part: Option<Part>,
    /// Whether it votes without data.
    pub(super) is_empty_trusted: bool,
}

pub(super) struct Built {
    pub(super) loops: Vec<Arc<LoopInbox>>,
    pub(super) threads: Vec<JoinHandle<Option<Zxid>>>,
    pub(super) admin: admin::Admin,
}

impl Wiring<'_> {
    pub(super) fn build(
        mut self,
        mut restored: Restored,
        background: &Arc<Background>,
        events: &mpsc::Sender<MainEvent>,
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
        let (of_address, total) = (connections.per_address_max, connections.total_max);
        let gate = Arc::new(ConnectionGate::new(of_address, total, shards));
        let inboxes = [loops[0].clone(), by_shard[0].clone()];
        let mut joined = self.join(&mut restored, background, inboxes)?;
        let shown = joined.as_ref().map(|it| it.shown.clone());
        let (mut history, mut shard_roles) =
            self.roles(restored, joined.as_mut(), background, shards);
        let mut links_to_others = joined.map(|it| (it.peers, it.listeners));
        let (senders, inquiries): (Vec<_>, Vec<_>) = loops.iter().map(inquiries_of).unzip();
        let roles = admin::Roles {
            shards: (0..u32::from(shards)).map(|shard| senders[home(shard)].clone()).collect(),
            ordering: senders[0].clone(),
        };
        let seed = random::bits().unwrap_or(1);
        let throttle = Arc::new(ConnectThrottle::new(connections.throttle, seed));
        let admin = self.admin(roles, &throttle, shown)?;
        let words = admin.words();
        let mut links: Vec<OrderingLink> = Vec::new();
        let mut parts = Vec::new();
        // The ordering role's loop comes last: by then the links of all shards exist.
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
            let links_to_others = if is_ordering { links_to_others.take() } else { None };
            let (peers, peer_listeners) = links_to_others.unzip();
            let own = LoopParts {
                clients,
                link,
                history: if is_ordering { history.take() } else { None },
                links: if is_ordering { std::mem::take(&mut links) } else { Vec::new() },
                peers,
                peer_listeners: peer_listeners.unwrap_or_default(),
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
            let place = (at, self.placement.loops[at].cpu, profile::ring(self.profile));
            threads.push(spawn_loop(place, loops[at].clone(), parts, events.clone())?);
        }
        Ok(Built { loops, threads, admin })
    }

    /// The part in an ensemble, if there is one.
    fn join(
        &mut self,
        restored: &mut Restored,
        background: &Background,
        inboxes: [Arc<LoopInbox>; 2],
    ) -> Result<Option<Joined>, ServeError> {
        let Some(part) = self.part.take() else { return Ok(None) };
        let around = Around {
            config: self.config,
            settings: &self.settings,
            background,
            directories: &self.directories,
            inboxes,
            is_empty_trusted: self.is_empty_trusted,
        };
        part.join(restored, around).map(Some)
    }

    /// The admin thread with its ports.
    fn admin(
        &mut self,
        roles: admin::Roles,
        throttle: &Arc<ConnectThrottle>,
        shown: Option<Shown>,
    ) -> Result<admin::Admin, ServeError> {
        let nowhere = SocketAddr::from(([0; 4], 0));
        let address = self.listeners.first().map_or(nowhere, |listener| listener.address);
        let mut facts = admin::Facts::of(self.config, address, throttle.clone());
        if let (Some(ensemble), Some(shown)) = (&mut facts.conf.ensemble, shown) {
            ensemble.servers = shown;
        }
        let ports = std::mem::take(&mut self.http);
        admin::start(facts, roles, &self.config.admin, ports).map_err(ServeError::Admin)
    }

    /// The shard that loop number `at` hosts, if any, and its link to the ordering role if that is
    /// on another loop.
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

    /// How the log is written.
    fn appender(&self) -> AppenderConfig {
        let mut appender = AppenderConfig::new(self.durability);
        appender.segment_bytes = self.directories.segment_bytes;
        appender.record_bytes_max = record_bytes_max(self.config);
        let slots = profile::slots(self.config, self.profile, self.durability);
        appender.slot_count = slots.unwrap_or(appender.slot_count);
        if let Some(kib) = self.profile.number(Knob::LogBatchKib) {
            // In whole blocks.
            appender.batch_bytes_max = ((kib as usize) << 10).next_multiple_of(BLOCK_BYTES);
        }
        if let Some(ahead) = self.profile.number(Knob::LogSegmentsAhead) {
            appender.segments_ahead = ahead as usize;
        }
        appender
    }

    /// The roles themselves: the history, and each shard.
    fn roles(
        &self,
        restored: Restored,
        joined: Option<&mut Joined>,
        background: &Arc<Background>,
        shards: u16,
    ) -> (Option<History>, Vec<Option<Shard>>) {
        let now = self.clock.now();
        let taken = joined.map(|it| (it.member.take(), it.keeper.take()));
        let (member, keeper) = taken.unwrap_or_default();
        let Restored { head, zxid, first, file, unadopted, summary, .. } = restored;
        // In an ensemble the tree may be behind the log.
        let zxid = if member.is_some() { head.tree.meta().zxid } else { zxid };
        let (appender, storage) = (self.appender(), &self.config.storage);
        let snapshots = SnapshotPolicy {
            txn_count: u64::from(storage.snapshot_txn_count),
            log_bytes_max: storage.snapshot_log_bytes_max,
        };
        let parts = ReplicaParts {
            head,
            zxid,
            settings: self.settings.clone(),
            shards,
            reserve_bytes: 2 * (BUNDLE_BYTES_MAX + appender.record_bytes_max) as u64,
            snapshots,
            unsaved: (summary.replayed, summary.replayed_bytes),
            member,
        };
        let mut replica = Replica::new(parts, now);
        let shard_roles = (0..shards).map(|index| {
            let (reader, cursor) = replica.view();
            Some(Shard::new(index, shards, self.settings.clone(), reader, cursor))
        });
        let shard_roles = shard_roles.collect();
        let log = LogWriterParts {
            first: (first.number, file),
            durability: self.durability,
            slot_count: appender.slot_count,
            appender: Appender::new(appender, first),
            flush_warning: Duration::from_millis(u64::from(self.config.log.flush_warning_ms)),
            directories: self.directories.clone(),
            background: background.clone(),
        };
        let ensemble = self.config.ensemble.as_ref();
        let history = History::new(
            HistoryParts {
                replica,
                log,
                summary,
                settings: self.settings.clone(),
                advise: Some(super::pages(self.profile, self.placement.memory_node)),
                unadopted,
                directories: self.directories.clone(),
                background: background.clone(),
                sent_log_millionths: storage.sent_log_millionths,
                leader_serves: ensemble.is_none_or(|it| it.leader_serves),
                oracle: ensemble.and_then(|it| it.oracle.clone()),
                keeper,
                purge: purge_policy(storage),
            },
            now,
        );
        (Some(history), shard_roles)
    }
}

/// Both ends of the way of the admin thread's inquiries to a loop.
fn inquiries_of(inbox: &Arc<LoopInbox>) -> (InquirySender, InquiryInbox) {
    let waker = inbox.clone();
    admin::inquiry::channel(move || waker.notify())
}

/// The longest txn: a request of the longest packet, its header, and what a create adds to it.
fn record_bytes_max(config: &Config) -> usize {
    let packet =
        config.requests.jute_bytes_max as usize + config.requests.jute_extra_bytes as usize;
    (packet + (1 << 20)).min(txlog::limits::RECORD_BYTES_MAX_MAX)
}

/// Starts the thread of a loop. It returns what the log is known to hold, if the loop had the log
/// and ended cleanly.
pub(super) fn spawn_loop(
    (at, cpu, ring): (usize, Option<u32>, RingConfig),
    inbox: Arc<LoopInbox>,
    parts: LoopParts,
    events: mpsc::Sender<MainEvent>,
) -> Result<JoinHandle<Option<Zxid>>, ServeError> {
    let body = move || {
        if let Some(cpu) = cpu
            && let Err(errno) = threads::pin(cpu)
        {
            warn!("core loop {at} has no CPU of its own: {cpu} is not available ({errno})");
        }
        let ended = match CoreLoop::ring(&inbox, &ring) {
            Ok(ring) => {
                info!("core loop {at}: ring with {}", ring.features());
                CoreLoop::new(ring, inbox, parts).run()
            }
            Err(error) => Err(error.into()),
        };
        let reached = ended.as_ref().ok().copied().flatten();
        // There is no receiver any more when the server is stopping.
        let _ = events.send(MainEvent::Ended(ended.map(|_| ())));
        reached
    };
    std::thread::Builder::new()
        .name(format!("rk-core-{at}"))
        .spawn(body)
        .map_err(ServeError::Thread)
}

fn purge_policy(storage: &Storage) -> Option<PurgePolicy> {
    storage.purge.map(|purge| PurgePolicy {
        keep_count: purge.retain_count as usize,
        interval_ms: u64::from(purge.interval_hours) * 3_600_000,
    })
}
