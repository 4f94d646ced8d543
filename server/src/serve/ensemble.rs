//! A server's part in an ensemble, made ready at its start: where it listens for the others, what
//! it has promised, and what agreement begins with.

use super::error::{ServeError, way_out_for_peers};
use crate::config::Config;
use crate::config::decided::{self, Families};
use crate::core_loop::LoopInbox;
use crate::core_loop::peers::plan::{EnsemblePlan, EnsembleSettings, Listening};
use crate::core_loop::peers::{Peers, system_lookup};
use crate::data_set::DataMark;
use crate::directories::Directories;
use crate::persist::{self, Restored};
use disk::Background;
use engine::limits::RECENT_BYTES_MAX;
use engine::pipeline::Head;
use engine::replica::MemberParts;
use engine::settings::Settings;
use engine::zab::ZabParts;
use model::peer::packet::PacketLimits;
use model::server::ServerId;
use model::zxid::{Epoch, Zxid};
use net::listener::{Endpoint, Listener};
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// Between two attempts to listen for elections.
const BIND_RETRY: Duration = Duration::from_secs(1);

/// What is ready before the data are.
pub(super) struct Part {
    plan: EnsemblePlan,
    /// For elections, and for learners.
    listeners: [Vec<Listener>; 2],
    /// Where learners cannot connect yet.
    late: Vec<Endpoint>,
}

/// What is around the data that a part is joined to.
pub(super) struct Around<'a> {
    pub(super) config: &'a Config,
    pub(super) settings: &'a Arc<Settings>,
    pub(super) background: &'a Background,
    pub(super) directories: &'a Directories,
    pub(super) inbox: Arc<LoopInbox>,
    /// Whether the server votes without data.
    pub(super) is_empty_trusted: bool,
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
            listens_everywhere: ensemble.listens_on_all,
            links: ensemble.links,
            packets: PacketLimits::new(
                requests.jute_bytes_max as usize,
                requests.jute_extra_bytes as usize,
            ),
        };
        let plan = EnsemblePlan::decide(&settings).map_err(ServeError::Ensemble)?;
        let families = config.families.of_this_machine();
        let listening = &plan.listening;
        let mut for_elections = Vec::new();
        for endpoint in &listening.election {
            for_elections.push(bind_election(listening, endpoint, families)?);
        }
        let (for_learners, late) = bind_quorum(listening, families)?;
        let listeners = [for_elections, for_learners];
        let numbers = |ids: &mut dyn Iterator<Item = ServerId>| {
            ids.map(|id| id.0.to_string()).collect::<Vec<_>>().join(", ")
        };
        let voters = numbers(&mut ensemble.servers.participants());
        let observers = numbers(&mut ensemble.servers.observers());
        let beside = if observers.is_empty() { "" } else { "; observers: " };
        let count = plan.ensemble.quorum.voters().count();
        info!("server {} of an ensemble of {count}: {voters}{beside}{observers}", ensemble.me.0);
        Ok(Some(Self { plan, listeners, late }))
    }

    /// Joins the data to it.
    pub(super) fn join(
        self,
        restored: &mut Restored,
        around: Around<'_>,
    ) -> Result<Joined, ServeError> {
        let Self { plan, listeners, late } = self;
        let Around { config, settings, background, directories, inbox, .. } = around;
        let mark = DataMark::read(&config.storage.data_dir)?;
        let imported = mark.and_then(|mark| mark.epochs);
        let epochs = persist::stored_epochs(background, directories, restored.zxid, imported)?;
        let has_snapshot = restored.summary.snapshot.is_some();
        let is_empty = !has_snapshot && (epochs.current(), restored.zxid) == (Epoch(0), Zxid::ZERO);
        if is_empty && !around.is_empty_trusted {
            warn!(
                "there are no data, and db.autocreate=false: this server does not vote until it \
                 has a copy of its leader's; if the ensemble is new, stop it, create the file \
                 {}/initialize, and start it",
                config.storage.data_log_dir.display()
            );
        }
        let tail = std::mem::take(&mut restored.tail);
        let zab = ZabParts {
            ensemble: plan.ensemble,
            pace: plan.pace,
            epochs,
            last: restored.zxid,
            committed: restored.known_committed(),
            base: restored.summary.snapshot.map_or(Zxid::ZERO, |(zxid, _)| zxid),
            recent_bytes_max: RECENT_BYTES_MAX,
            is_empty_trusted: around.is_empty_trusted || has_snapshot,
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
        let mut peers = Peers::new(&plan.links, lookup, Arc::new(move || inbox.wake()));
        for endpoint in late {
            peers.listen_later(endpoint, plan.listening.options[1]);
        }
        Ok(Joined { member: MemberParts { zab, tail, empty }, peers, listeners })
    }
}

/// Listens for elections; tries again for a while, since a server takes no part in any without.
///
/// Source: ZooKeeper 3.9.5, `QuorumCnxManager.Listener`: a name of its own that is unknown counts
/// as a port that is taken.
fn bind_election(
    listening: &Listening,
    endpoint: &decided::Endpoint,
    families: Families,
) -> Result<Listener, ServeError> {
    let mut attempts = 0;
    loop {
        let resolved = endpoint.resolve(families).map_err(|error| {
            let endpoint = endpoint.clone();
            ServeError::PeerAddress { endpoint, error }
        });
        let bound = resolved.and_then(|resolved| {
            Listener::bind(resolved, listening.options[0]).map_err(ServeError::ElectionPort)
        });
        attempts += 1;
        match bound {
            Err(error) if listening.attempts_max.is_none_or(|most| attempts < most) => {
                if attempts == 1 {
                    let most = listening.attempts_max.map(|most| format!(" {most} times"));
                    let most = most.as_deref().unwrap_or(" until it succeeds");
                    warn!("{error}; tried{most}, once a second (electionPortBindRetry)");
                }
                std::thread::sleep(BIND_RETRY);
            }
            bound => return bound,
        }
    }
}

/// Listens for learners, and says where that is not possible yet: only a leader needs it.
fn bind_quorum(
    listening: &Listening,
    families: Families,
) -> Result<(Vec<Listener>, Vec<Endpoint>), ServeError> {
    let (mut listeners, mut late) = (Vec::new(), Vec::new());
    for endpoint in &listening.quorum {
        let resolved = endpoint.resolve(families).map_err(|error| {
            let endpoint = endpoint.clone();
            ServeError::PeerAddress { endpoint, error }
        })?;
        match Listener::bind(resolved, listening.options[1]) {
            Ok(listener) => listeners.push(listener),
            Err(error) => {
                warn!(
                    "{error}; without its quorum port this server follows, and cannot lead: {}; \
                     tried every second",
                    way_out_for_peers(&error)
                );
                late.push(resolved);
            }
        }
    }
    Ok((listeners, late))
}
