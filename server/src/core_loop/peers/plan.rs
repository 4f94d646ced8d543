//! From a configuration to agreement's ensemble and its links.
//!
//! Source: ZooKeeper 3.9.5, `QuorumPeerConfig`, `QuorumPeer`.

use super::{PeersParts, Reach};
use crate::config::decided::{Endpoint, Links};
use engine::zab::{Configuration, Ensemble, Oracle, Pace};
use model::host::Host;
use model::peer::address::Address;
use model::peer::hello::HelloForm;
use model::peer::membership::{Member, Membership, PeerAddress};
use model::peer::packet::PacketLimits;
use model::server::ServerId;
use net::listener::ListenOptions;
use std::fmt;

/// What the configuration says of an ensemble.
#[derive(Clone, Debug)]
pub struct EnsembleSettings {
    /// The `server.N`, `group.N` and `weight.N` lines.
    pub membership: Membership,
    /// Whether they may change while servers run.
    pub can_change: bool,
    /// The number in `myid`.
    pub me: ServerId,
    /// `tickTime`, in ms.
    pub tick_ms: u32,
    /// `initLimit`, in ticks.
    pub init_limit: u32,
    /// `syncLimit`, in ticks.
    pub sync_limit: u32,
    /// Whether there is an oracle (`oraclePath`).
    pub has_oracle: bool,
    /// `quorumListenOnAllIPs`.
    pub listens_everywhere: bool,
    /// How it deals with the others.
    pub links: Links,
    /// `jute.maxbuffer` and its extra size.
    pub packets: PacketLimits,
}

/// Where to listen for other servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// For elections.
    pub election: Vec<Endpoint>,
    /// For learners.
    pub quorum: Vec<Endpoint>,
    /// For observers, while it follows; nowhere unless followers serve them.
    pub observers: Vec<Endpoint>,
    /// How often binding the election port is tried, once a second, before the server gives up;
    /// `None` for as long as it takes.
    pub attempts_max: Option<u32>,
    /// How to listen for elections, and for learners.
    pub options: [ListenOptions; 2],
}

/// What a server of an ensemble needs to know of it.
#[derive(Clone, Debug)]
pub struct EnsemblePlan {
    /// The configuration, as agreement sees it.
    pub ensemble: Ensemble,
    /// How long servers wait for each other.
    pub pace: Pace,
    /// Where this server listens.
    pub listening: Listening,
    /// What its links are made of.
    pub links: PeersParts,
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanFault {
    /// `myid` names a server that has no line.
    NotListed(ServerId),
    /// No server votes.
    NoVoters,
    /// `tickTime` is 0.
    NoTick,
    /// `initLimit` is not set, or 0.
    NoInitLimit,
    /// `syncLimit` is not set, or 0.
    NoSyncLimit,
}

impl fmt::Display for PlanFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotListed(me) => write!(
                f,
                "myid is {me}, and there is no server.{me} line: add the line, or correct myid"
            ),
            Self::NoVoters => f.write_str("no server.N line is of a participant: make one vote"),
            Self::NoTick => f.write_str("tickTime is 0: set it to some milliseconds"),
            Self::NoInitLimit => f.write_str("an ensemble needs initLimit: set it to some ticks"),
            Self::NoSyncLimit => f.write_str("an ensemble needs syncLimit: set it to some ticks"),
        }
    }
}

impl std::error::Error for PlanFault {}

impl PeersParts {
    /// Other servers are where this configuration says.
    pub fn follow(&mut self, current: &Configuration) {
        self.membership = current.membership().clone();
        let members = self.membership.members().iter();
        self.others =
            members.filter(|(id, _)| **id != self.me).map(|(&id, it)| (id, reach(it))).collect();
    }
}

impl EnsemblePlan {
    /// Decides.
    ///
    /// # Errors
    /// What is missing.
    pub fn decide(settings: &EnsembleSettings) -> Result<Self, PlanFault> {
        let EnsembleSettings { membership, me, .. } = settings;
        let own = membership.members().get(me).ok_or(PlanFault::NotListed(*me))?;
        if membership.participants().next().is_none() {
            return Err(PlanFault::NoVoters);
        }
        let limits = [
            (settings.tick_ms, PlanFault::NoTick),
            (settings.init_limit, PlanFault::NoInitLimit),
            (settings.sync_limit, PlanFault::NoSyncLimit),
        ];
        if let Some((_, fault)) = limits.into_iter().find(|(limit, _)| *limit == 0) {
            return Err(fault);
        }
        let links = settings.links;
        let pace = Pace {
            tick_ms: settings.tick_ms.into(),
            init_limit: settings.init_limit.into(),
            sync_limit: settings.sync_limit.into(),
            connect_limit: links.connect_limit.unwrap_or(settings.init_limit).into(),
            reconnect_ms: links.reconnect_ms.into(),
            notify_ms_min: links.notify_ms.0.into(),
            notify_ms_max: links.notify_ms.1.into(),
            epoch_wait_ms: links.epoch_wait_ms.map(Into::into),
        };
        let current = Configuration::new(membership.clone());
        let can_change = settings.can_change;
        let has_masters = links.observers_port.is_some();
        let oracle = if settings.has_oracle { Oracle::Unasked } else { Oracle::Absent };
        let catch_up = links.catch_up;
        let alone = Ensemble::new(*me, current);
        let ensemble = Ensemble { can_change, has_masters, oracle, catch_up, ..alone };
        Ok(Self {
            ensemble,
            pace,
            listening: listening(settings, own),
            links: link_parts(settings, own, pace),
        })
    }
}

fn link_parts(settings: &EnsembleSettings, own: &Member, pace: Pace) -> PeersParts {
    let links = settings.links;
    let others = settings.membership.members().iter().filter(|(id, _)| **id != settings.me);
    PeersParts {
        me: settings.me,
        membership: settings.membership.clone(),
        can_change: settings.can_change,
        election: own.addresses().iter().map(PeerAddress::election).collect(),
        form: if links.says_all_addresses { HelloForm::V2 } else { HelloForm::V1 },
        check_ms: links.check_ms,
        others: others.map(|(&id, member)| (id, reach(member))).collect(),
        connect_ms: links.election_connect_ms.map_or(u64::MAX, Into::into),
        hello_ms: links.hello_ms.map_or(pace.sync_ms(), Into::into),
        introduction_ms: pace.init_ms(),
        leader_ms: pace.connect_ms(),
        keep_alive: links.keep_alive,
        no_delay: links.no_delay[0],
        observers_port: links.observers_port,
        packets: settings.packets,
    }
}

pub(super) fn reach(member: &Member) -> Reach {
    let addresses = member.addresses();
    Reach {
        election: addresses.iter().map(PeerAddress::election).collect(),
        quorum: addresses.iter().map(PeerAddress::quorum).collect(),
    }
}

/// Each of the server's own addresses, or their ports at every address of the machine.
pub fn listening(settings: &EnsembleSettings, own: &Member) -> Listening {
    let endpoints = |of: &dyn Fn(&PeerAddress) -> Address| {
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for address in own.addresses() {
            let mut endpoint = Endpoint::from(of(address));
            if settings.listens_everywhere {
                endpoint.host = Host::Any;
            }
            if !endpoints.contains(&endpoint) {
                endpoints.push(endpoint);
            }
        }
        endpoints
    };
    let at_port = |port| endpoints(&|it| Address { port, ..it.quorum() });
    Listening {
        election: endpoints(&PeerAddress::election),
        quorum: endpoints(&PeerAddress::quorum),
        observers: settings.links.observers_port.map_or_else(Vec::new, at_port),
        attempts_max: settings.links.bind_attempts,
        options: [
            ListenOptions { keep_alive: settings.links.keep_alive, ..ListenOptions::default() },
            ListenOptions { no_delay: settings.links.no_delay[1], ..ListenOptions::default() },
        ],
    }
}
