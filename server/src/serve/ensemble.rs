//! A server's part in an ensemble, made ready at its start: where it listens for the others, what
//! it has promised, and what agreement begins with.

use super::error::{ServeError, way_out_for_peers};
use super::ports::client_options;
use crate::config::Config;
use crate::config::decided::{self, Changes, Families};
use crate::core_loop::peers::plan::{EnsemblePlan, EnsembleSettings, Listening};
use crate::core_loop::peers::{Peers, system_lookup};
use crate::core_loop::{LoopInbox, PeerPort};
use crate::data_set::{self, DataMark};
use crate::directories::Directories;
use crate::membership::files::ConfigFiles;
use crate::membership::moving::Ports;
use crate::membership::{Configured, Keeper, KeeperParts, Shown};
use crate::persist::{self, Restored};
use disk::Background;
use engine::in_log::InLog;
use engine::limits::RECENT_BYTES_MAX;
use engine::pipeline::Head;
use engine::replica::MemberParts;
use engine::settings::Settings;
use engine::zab::{Configuration, Ensemble, ZabParts};
use model::peer::packet::PacketLimits;
use model::server::ServerId;
use model::txn;
use model::zxid::{Epoch, Zxid};
use net::listener::{Endpoint, Listener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// Between two attempts to listen for elections.
const BIND_RETRY: Duration = Duration::from_secs(1);

/// Where others cannot connect yet, for which purpose.
type Late = (PeerPort, Endpoint);

/// What is ready before the data are.
pub(super) struct Part {
    settings: EnsembleSettings,
    plan: EnsemblePlan,
    /// For elections, and for learners.
    listeners: [Vec<Listener>; 2],
    /// Where others cannot connect yet.
    late: Vec<Late>,
    /// Where observers are served while it follows.
    for_observers: Vec<Endpoint>,
}

/// What is around the data that a part is joined to.
pub(super) struct Around<'a> {
    pub(super) config: &'a Config,
    pub(super) settings: &'a Arc<Settings>,
    pub(super) background: &'a Background,
    pub(super) directories: &'a Directories,
    /// Of the loop with the ordering role, and of the one that accepts clients.
    pub(super) inboxes: [Arc<LoopInbox>; 2],
    /// Whether the server votes without data.
    pub(super) is_empty_trusted: bool,
}

/// What the ordering role's loop gets.
pub(super) struct Joined {
    /// Until the replica has it.
    pub(super) member: Option<MemberParts>,
    pub(super) peers: Peers,
    pub(super) listeners: [Vec<Listener>; 2],
    pub(super) keeper: Option<Keeper>,
    pub(super) shown: Shown,
}

impl Part {
    /// The part that the configuration means; `None` for a server that is alone.
    pub(super) fn of(config: &Config) -> Result<Option<Self>, ServeError> {
        let Some(ensemble) = &config.ensemble else { return Ok(None) };
        let requests = &config.requests;
        let settings = EnsembleSettings {
            membership: ensemble.servers.clone(),
            can_change: ensemble.changes.is_some(),
            me: ensemble.me,
            tick_ms: config.sessions.tick_ms,
            init_limit: ensemble.init_limit,
            sync_limit: ensemble.sync_limit,
            has_oracle: ensemble.oracle.is_some(),
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
        let (for_elections, mut late) = bind_elections(listening, families)?;
        let (for_learners, late_quorum) = bind_quorum(listening, families)?;
        late.extend(late_quorum.into_iter().map(|it| (PeerPort::Quorum, it)));
        let listeners = [for_elections, for_learners];
        let resolve = |endpoint: &decided::Endpoint| resolved(endpoint, families);
        let for_observers = listening.observers.iter().map(resolve).collect::<Result<_, _>>()?;
        let numbers = |ids: &mut dyn Iterator<Item = ServerId>| {
            ids.map(|id| id.0.to_string()).collect::<Vec<_>>().join(", ")
        };
        let voters = numbers(&mut ensemble.servers.participants());
        let observers = numbers(&mut ensemble.servers.observers());
        let beside = if observers.is_empty() { "" } else { "; observers: " };
        let count = plan.ensemble.current.quorum().voters().count();
        info!("server {} of an ensemble of {count}: {voters}{beside}{observers}", ensemble.me.0);
        if let Some(Changes { file: Some(file), is_dynamic: false, .. }) = &ensemble.changes
            && let Err(error) = ConfigFiles::new(file.clone()).back_up()
        {
            warn!("{error}: the file is not kept as it is before its first change");
        }
        Ok(Some(Self { settings, plan, listeners, late, for_observers }))
    }

    /// Joins the data to it.
    pub(super) fn join(
        self,
        restored: &mut Restored,
        around: Around<'_>,
    ) -> Result<Joined, ServeError> {
        let Self { settings: of_ensemble, mut plan, listeners, late, for_observers } = self;
        let Around { config, settings, background, directories, inboxes, .. } = around;
        let mark = DataMark::read(&config.storage.data_dir)?;
        let imported = mark.and_then(|mark| mark.epochs);
        let epochs = persist::stored_epochs(background, directories, restored.zxid, imported)?;
        let has_snapshot = restored.summary.snapshot.is_some();
        let is_empty = !has_snapshot && (epochs.current(), restored.zxid) == (Epoch(0), Zxid::ZERO);
        if is_empty && !around.is_empty_trusted {
            warn_of_no_data(&config.storage.data_log_dir);
        }
        let tail = std::mem::take(&mut restored.tail);
        let committed = restored.known_committed();
        let of_file = plan.ensemble.current.clone();
        let proposed = if plan.ensemble.can_change {
            go_on(&mut plan.ensemble, restored, &tail, &config.storage.data_dir)?
        } else {
            Vec::new()
        };
        let current = plan.ensemble.current.clone();
        let shown = Shown::new(current.clone());
        let zab = ZabParts {
            ensemble: plan.ensemble,
            pace: plan.pace,
            epochs,
            last: restored.zxid,
            committed,
            base: restored.summary.snapshot.map_or(Zxid::ZERO, |(zxid, _)| zxid),
            recent_bytes_max: RECENT_BYTES_MAX,
            is_empty_trusted: around.is_empty_trusted || has_snapshot,
            proposed,
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
        plan.links.follow(&current);
        let [inbox, clients_loop] = inboxes;
        let ports = Ports {
            settings: of_ensemble,
            families: config.families.of_this_machine(),
            for_peers: plan.listening.clone(),
            for_clients: (vec![config.listen.endpoint.clone()], client_options(config)),
            clients_loop,
            peers_loop: inbox.clone(),
        };
        let written = of_file.version();
        let keeper = keeper(config, zab.ensemble.me, written, ports, &shown)?;
        if let Some(keeper) = &keeper {
            keeper.follow(Configured { current, next: None });
        }
        let mut peers = Peers::new(&plan.links, lookup, Arc::new(move || inbox.wake()));
        for (port, endpoint) in late {
            let [elections, learners] = plan.listening.options;
            let options = if port == PeerPort::Election { elections } else { learners };
            peers.listen_later(port, endpoint, options);
        }
        peers.will_serve_observers_at(for_observers, plan.listening.options[1]);
        let member = Some(MemberParts { zab, tail, empty });
        Ok(Joined { member, peers, listeners, keeper, shown })
    }
}

fn warn_of_no_data(data_log_dir: &Path) {
    warn!(
        "there are no data, and db.autocreate=false: this server does not vote until it has a copy \
         of its leader's; if the ensemble is new, stop it, create the file {}/initialize, and \
         start it",
        data_log_dir.display()
    );
}

/// Decides from which configuration a server goes on: its file's, or the one that its data have.
/// Returns what its data propose behind that.
fn go_on(
    ensemble: &mut Ensemble,
    restored: &Restored,
    tail: &InLog,
    data_dir: &Path,
) -> Result<Vec<(Zxid, Arc<Configuration>)>, ServeError> {
    let mut proposed = Vec::new();
    let of_file = ensemble.current.clone();
    if data_set::goes_on_from(data_dir, of_file.text())? {
        let (of_tree, committed) = (restored.head.configuration(), restored.known_committed());
        go_on_with(of_tree, committed, &mut ensemble.current, &mut proposed);
    }
    data_set::go_on_from(data_dir, of_file.text())?;
    proposed.extend(tail.txns(0).filter_map(|(zxid, txn)| {
        let text = txn::proposed_configuration(txn)?;
        Some((zxid, Arc::new(Configuration::parse(text)?)))
    }));
    Ok(proposed)
}

/// What keeps files and ports as agreement says, if that may say anything new.
fn keeper(
    config: &Config,
    me: ServerId,
    written: i64,
    ports: Ports,
    shown: &Shown,
) -> Result<Option<Keeper>, ServeError> {
    let changes = config.ensemble.as_ref().and_then(|it| it.changes.as_ref());
    let start = |changes: &Changes| {
        Keeper::start(KeeperParts {
            me,
            data_dir: config.storage.data_dir.clone(),
            files: changes.file.clone().map(ConfigFiles::new),
            written,
            ports,
            shown: shown.clone(),
        })
    };
    changes.map(start).transpose().map_err(ServeError::Thread)
}

/// The configuration in the tree, which is newer than the file's: in force if it is known to be
/// committed.
fn go_on_with(
    of_tree: Option<&[u8]>,
    committed: Zxid,
    current: &mut Arc<Configuration>,
    proposed: &mut Vec<(Zxid, Arc<Configuration>)>,
) {
    let Some(newer) = of_tree.and_then(Configuration::parse) else { return };
    let at = Zxid(newer.version());
    if newer.version() <= current.version() {
        return;
    }
    if at <= committed {
        info!("the list of servers goes on from version {:x}, which the data have", at.0);
        *current = Arc::new(newer);
    } else {
        proposed.push((at, Arc::new(newer)));
    }
}

fn resolved(endpoint: &decided::Endpoint, families: Families) -> Result<Endpoint, ServeError> {
    endpoint.resolve(families).map_err(|error| {
        let endpoint = endpoint.clone();
        ServeError::PeerAddress { endpoint, error }
    })
}

/// Listens for elections at each of this server's addresses, and says where that is not possible
/// yet: with several, one is enough.
fn bind_elections(
    listening: &Listening,
    families: Families,
) -> Result<(Vec<Listener>, Vec<Late>), ServeError> {
    if let [endpoint] = &listening.election[..] {
        return Ok((vec![bind_election(listening, endpoint, families)?], Vec::new()));
    }
    let (mut listeners, mut late) = (Vec::new(), Vec::new());
    for endpoint in &listening.election {
        let resolved = match endpoint.resolve(families) {
            Ok(resolved) => resolved,
            Err(error) => {
                warn!("{endpoint}, one of this server's addresses, is not known: {error}");
                continue;
            }
        };
        match Listener::bind(resolved, listening.options[0]) {
            Ok(listener) => listeners.push(listener),
            Err(error) => {
                warn!(
                    "{error}; other servers cannot connect to that address: {}; tried every second",
                    way_out_for_peers(&error)
                );
                late.push((PeerPort::Election, resolved));
            }
        }
    }
    if listeners.is_empty() {
        // None can be had at once: waits for the first.
        let first = &listening.election[0];
        listeners.push(bind_election(listening, first, families)?);
        if let Ok(resolved) = first.resolve(families) {
            late.retain(|(_, it)| *it != resolved);
        }
    }
    Ok((listeners, late))
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
        let bound = resolved(endpoint, families).and_then(|resolved| {
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
    let has_several = listening.quorum.len() > 1;
    for endpoint in &listening.quorum {
        let resolved = match resolved(endpoint, families) {
            Ok(resolved) => resolved,
            // Of several, this has been said.
            Err(_) if has_several => continue,
            Err(error) => return Err(error),
        };
        match Listener::bind(resolved, listening.options[1]) {
            Ok(listener) => listeners.push(listener),
            Err(error) => {
                let means = if has_several {
                    "learners cannot connect to that address"
                } else {
                    "without its quorum port this server follows, and cannot lead"
                };
                warn!("{error}; {means}: {}; tried every second", way_out_for_peers(&error));
                late.push(resolved);
            }
        }
    }
    Ok((listeners, late))
}
