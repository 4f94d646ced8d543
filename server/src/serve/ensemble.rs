//! A server's part in an ensemble, made ready at its start: where it listens for the others, what
//! it has promised, and what agreement begins with.

use super::error::ServeError;
use crate::config::{Config, decided};
use crate::core_loop::LoopInbox;
use crate::core_loop::peers::plan::{EnsemblePlan, EnsembleSettings};
use crate::core_loop::peers::{Peers, system_lookup};
use crate::directories::Directories;
use crate::persist::{self, Restored};
use disk::Background;
use engine::limits::RECENT_BYTES_MAX;
use engine::pipeline::Head;
use engine::replica::MemberParts;
use engine::settings::Settings;
use engine::zab::ZabParts;
use model::peer::packet::PacketLimits;
use net::listener::{BindError, ListenOptions, Listener};
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// How long connecting to a server's election port may take, in ms: `cnxTimeout`'s default.
const CONNECT_MS: u32 = 5_000;

/// Between two attempts to reach the leader, in ms: the default of
/// `leaderConnectDelayDuringRetryMs`.
const RECONNECT_MS: u32 = 100;

/// How often binding a port for other servers is tried, once a second: the default of
/// `electionPortBindRetry`.
const BIND_ATTEMPTS: u32 = 3;

/// What is ready before the data are.
pub(super) struct Part {
    plan: EnsemblePlan,
    /// For elections, and for learners.
    listeners: [Vec<Listener>; 2],
}

/// What the ordering role's loop gets.
pub(super) struct Joined {
    pub(super) member: MemberParts,
    pub(super) peers: Peers,
    pub(super) listeners: [Vec<Listener>; 2],
}

impl Part {
    /// The part that the configuration means; `None` for a server that is alone.
    pub(super) fn of(config: &Config) -> Result<Option<Self>, ServeError> {
        let Some(ensemble) = &config.ensemble else { return Ok(None) };
        let requests = &config.requests;
        let settings = EnsembleSettings {
            membership: ensemble.servers.clone(),
            me: ensemble.me,
            tick_ms: config.sessions.tick_ms,
            init_limit: ensemble.init_limit,
            sync_limit: ensemble.sync_limit,
            connect_ms: CONNECT_MS,
            reconnect_ms: RECONNECT_MS,
            bind_attempts: BIND_ATTEMPTS,
            listens_everywhere: ensemble.listens_on_all,
            keep_alive: config.connections.tcp_keep_alive,
            packets: PacketLimits::new(
                requests.jute_bytes_max as usize,
                requests.jute_extra_bytes as usize,
            ),
        };
        let plan = EnsemblePlan::decide(&settings).map_err(ServeError::Ensemble)?;
        let bind = |endpoints: &[decided::Endpoint]| -> Result<Vec<Listener>, ServeError> {
            endpoints.iter().map(|endpoint| bind(config, endpoint)).collect()
        };
        let listeners = [bind(&plan.listening.election)?, bind(&plan.listening.quorum)?];
        info!(
            "server {} of an ensemble of {}: {}",
            ensemble.me.0,
            plan.ensemble.quorum.voters().count(),
            ensemble
                .servers
                .members()
                .keys()
                .map(|id| id.0.to_string())
                .collect::<Vec<_>>()
                .join(", ")
        );
        Ok(Some(Self { plan, listeners }))
    }

    /// Joins the data to it.
    pub(super) fn join(
        self,
        config: &Config,
        restored: &mut Restored,
        settings: &Arc<Settings>,
        background: &Background,
        directories: &Directories,
        inbox: Arc<LoopInbox>,
    ) -> Result<Joined, ServeError> {
        let Self { plan, listeners } = self;
        let epochs = persist::stored_epochs(background, directories, restored.zxid)?;
        let tail = std::mem::take(&mut restored.tail);
        let tree_zxid = restored.head.tree.meta().zxid;
        let zab = ZabParts {
            ensemble: plan.ensemble,
            pace: plan.pace,
            epochs,
            last: restored.zxid,
            committed: restored.committed.max(tree_zxid).min(restored.zxid),
            base: restored.summary.snapshot.map_or(model::zxid::Zxid::ZERO, |(zxid, _)| zxid),
            recent_bytes_max: RECENT_BYTES_MAX,
        };
        let (of_empty, seed) = (settings.clone(), restored.head.tree.seed());
        let empty = Box::new(move || {
            let mut head = Head::new(of_empty.clone(), seed);
            let version = head.seal();
            head.tree.publish(version);
            head
        });
        let tail = if tail.is_empty() { Vec::new() } else { vec![Arc::new(tail)] };
        let lookup = system_lookup(config.families.of_this_machine());
        let peers = Peers::new(&plan.links, lookup, Arc::new(move || inbox.wake()));
        Ok(Joined { member: MemberParts { zab, tail, empty }, peers, listeners })
    }
}

fn bind(config: &Config, endpoint: &decided::Endpoint) -> Result<Listener, ServeError> {
    let families = config.families.of_this_machine();
    let resolved = endpoint.resolve(families).map_err(|error| {
        let endpoint = endpoint.clone();
        ServeError::PeerAddress { endpoint, error }
    })?;
    let mut attempts = 1;
    loop {
        match Listener::bind(resolved, ListenOptions::default()) {
            Err(BindError::InUse(at)) if attempts < BIND_ATTEMPTS => {
                warn!("another process listens at {at}, where other servers are to connect");
                attempts += 1;
                std::thread::sleep(Duration::from_secs(1));
            }
            bound => return Ok(bound?),
        }
    }
}
