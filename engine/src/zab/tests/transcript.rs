//! Conversations of servers as text files: an unindented line is what happens to them, the indented
//! lines below it are what they do about it. Disks and links are instant and keep all orders.

use super::changes::{change, configuration, proposed_by};
use super::words::{shown, spoken};
use crate::in_log::InLog;
use crate::zab::{
    Attempt, Configuration, Effect, Effects, Ensemble, Event, LinkId, LogRead, Notice, Oracle,
    Pace, Zab, ZabParts,
};
use model::peer::packet::{FromLeader, FromLearner, PacketLimits};
use model::server::ServerId;
use model::zxid::{Epoch, Epochs, Zxid};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

/// A server and its disk.
#[derive(Default)]
struct Server {
    zab: Option<Zab>,
    epochs: Epochs,
    /// The txns of its log, behind `base`.
    log: Vec<Zxid>,
    base: Zxid,
    /// The history that a snapshot is to replace.
    replaced: Option<(Vec<Zxid>, Zxid)>,
    committed: Zxid,
    next: Zxid,
    /// Its configuration, where that is not the one of all.
    configuration: Option<Configuration>,
}

/// Something on its way.
enum Arrival {
    Notice(i64, i64, Notice),
    /// To a leader, or to an observer master.
    Connect(i64, Attempt, i64, bool),
    Packets {
        link: LinkId,
        to: i64,
        is_for_learner: bool,
        bytes: Vec<u8>,
    },
    Snapshot {
        link: LinkId,
        to: i64,
    },
    Closed {
        link: LinkId,
        to: i64,
    },
    Stored(i64),
    Durable(i64, Zxid),
    Cut(i64, Zxid),
    Oracle(i64),
    Read(i64, LinkId, Zxid),
    SnapshotSent(i64, LinkId),
}

#[derive(Default)]
pub(super) struct Player {
    servers: BTreeMap<i64, Server>,
    voters: i64,
    now_ms: u64,
    queue: VecDeque<Arrival>,
    /// What arrived on links that are not read.
    held: Vec<Arrival>,
    /// Learner, leader.
    links: BTreeMap<LinkId, (i64, i64)>,
    next_link: u64,
    /// Servers that nothing reaches.
    cut_off: BTreeSet<i64>,
    pub(super) out: String,
    /// Whether followers serve observers.
    has_masters: bool,
    /// Whether the configuration may change, and the txns that change it.
    can_change: bool,
    changes: BTreeMap<Zxid, Vec<u8>>,
    /// What the oracles of servers that have one say.
    oracles: BTreeMap<i64, bool>,
}

fn zxid(word: &str) -> Zxid {
    let (epoch, counter) = word.split_once(':').expect("epoch:counter");
    let start = Zxid::of_epoch(Epoch(epoch.parse().expect("an epoch")));
    Zxid(start.0 + counter.parse::<i64>().expect("a counter"))
}

impl Player {
    fn start(&mut self, id: i64) {
        let server = self.servers.entry(id).or_default();
        let last = server.log.last().copied().unwrap_or(server.base);
        let voters = (1..=self.voters).map(ServerId);
        let of_all = Configuration::of_voters(voters);
        let current = server.configuration.clone().unwrap_or(of_all);
        let can_change = self.can_change;
        let has_masters = self.has_masters;
        let has_oracle = self.oracles.contains_key(&id);
        let oracle = if has_oracle { Oracle::Unasked } else { Oracle::Absent };
        let empty = Ensemble::new(ServerId(id), current);
        let ensemble = Ensemble { can_change, has_masters, oracle, ..empty };
        let behind = server.log.iter().filter(|it| **it > server.committed);
        let proposed = behind.filter_map(|it| Some((*it, proposed_by(self.changes.get(it)?))));
        server.zab = Some(Zab::new(ZabParts {
            ensemble,
            pace: Pace::of(1_000, 10, 5, 100),
            epochs: server.epochs,
            last,
            committed: server.committed,
            base: server.base,
            recent_bytes_max: 1 << 20,
            is_empty_trusted: true,
            proposed: proposed.collect(),
        }));
        self.event(id, Event::TurnEnded);
    }

    fn crash(&mut self, id: i64) {
        self.servers.entry(id).or_default().zab = None;
        let ended: Vec<_> = self
            .links
            .iter()
            .filter(|(_, (one, other))| *one == id || *other == id)
            .map(|(link, (one, other))| (*link, if *one == id { *other } else { *one }))
            .collect();
        for (link, to) in ended {
            self.links.remove(&link);
            self.queue.push_back(Arrival::Closed { link, to });
        }
    }

    fn event(&mut self, id: i64, event: Event<'_>) {
        let mut effects = Effects::default();
        let now_ms = self.now_ms;
        let Some(zab) = self.servers.get_mut(&id).and_then(|it| it.zab.as_mut()) else { return };
        zab.handle(now_ms, event, &mut effects);
        let effects: Vec<_> = effects.take().collect();
        for effect in effects {
            self.perform(id, effect);
        }
    }

    /// A line about an effect; none about those that follow from others.
    fn described(&self, id: i64, effect: &Effect) -> Option<String> {
        Some(match effect {
            Effect::Append(txns) => {
                let zxids: Vec<_> = txns.txns(0).map(|(zxid, _)| shown(zxid)).collect();
                format!("{id} appends {}", zxids.join(" "))
            }
            Effect::Confirmed(number) => format!("{id} is confirmed ({number})"),
            Effect::Committed(zxid) => format!("{id} shows its history through {}", shown(*zxid)),
            Effect::StoreEpochs(epochs) => {
                format!(
                    "{id} stores promised {} current {}",
                    epochs.promised().0,
                    epochs.current().0
                )
            }
            Effect::AskOracle => format!("{id} asks its oracle"),
            Effect::CutLog(zxid) => format!("{id} cuts its log behind {}", shown(*zxid)),
            Effect::ReceiveSnapshot { zxid, .. } => format!("{id} receives {}", shown(*zxid)),
            Effect::ReadLog(_, zxid) => format!("{id} reads its log behind {}", shown(*zxid)),
            Effect::Lead(epoch) => format!("{id} leads epoch {}", epoch.0),
            Effect::Follow(_) => format!("{id} serves its clients"),
            Effect::Look(why) => format!("{id} looks for a leader: {why:?}"),
            Effect::Close(_, why) => format!("{id} closes a link: {why:?}"),
            Effect::Connect(_, to) => format!("{id} connects to {to}"),
            Effect::ConnectToMaster(_, to) => format!("{id} connects to master {to}"),
            Effect::OpenToObservers(true) => format!("{id} takes observers"),
            Effect::OpenToObservers(false) => format!("{id} takes no observers"),
            Effect::Notify { to, notice } => {
                let vote = notice.vote;
                let (state, last) = (notice.state, shown(vote.zxid));
                let name = format!("{state:?}").to_uppercase();
                let leader = vote.leader;
                let (epoch, round) = (vote.epoch, notice.round);
                format!("{id} -> {to} {name} {leader} with {last} in {epoch}, round {round}")
            }
            Effect::Send(link, message) => {
                // The other end may be gone already.
                let (learner, leader) = *self.links.get(link)?;
                let to = if learner == id { leader } else { learner };
                format!("{id} -> {to} {}", spoken(message))
            }
            Effect::Configured { current, next: None } => format!("{id} is of {current:?}"),
            Effect::Configured { current, next: Some(next) } => {
                format!("{id} is of {current:?}, and perhaps {next:?}")
            }
            Effect::SendSnapshot(..) | Effect::Inherit | Effect::Stand(_) => return None,
            Effect::ForgetSnapshot => format!("{id} forgets the snapshot"),
            Effect::BeginEmpty(_) => format!("{id} begins anew"),
        })
    }

    fn perform(&mut self, id: i64, effect: Effect) {
        if let Some(line) = self.described(id, &effect) {
            writeln!(self.out, "  {line}").expect("a string takes everything");
        }
        let server = self.servers.get_mut(&id).expect("it runs");
        match effect {
            Effect::Notify { to, notice } => {
                self.queue.push_back(Arrival::Notice(id, to.0, notice));
            }
            Effect::Connect(attempt, to) | Effect::ConnectToMaster(attempt, to) => {
                let is_to_master = matches!(effect, Effect::ConnectToMaster(..));
                self.queue.push_back(Arrival::Connect(id, attempt, to.0, is_to_master));
            }
            Effect::Send(link, message) => {
                let Some(&(learner, leader)) = self.links.get(&link) else { return };
                let is_for_learner = leader == id;
                let to = if is_for_learner { learner } else { leader };
                let zab = server.zab.as_ref().expect("it runs");
                let mut bytes = Vec::new();
                message.encode(zab.ensemble(), &mut bytes);
                self.queue.push_back(Arrival::Packets { link, to, is_for_learner, bytes });
            }
            Effect::Close(link, _) => {
                if let Some((learner, leader)) = self.links.remove(&link) {
                    let to = if learner == id { leader } else { learner };
                    self.queue.push_back(Arrival::Closed { link, to });
                }
            }
            Effect::Configured { current, .. } => server.configuration = Some((*current).clone()),
            Effect::StoreEpochs(epochs) => {
                server.epochs = epochs;
                self.queue.push_back(Arrival::Stored(id));
            }
            Effect::Append(txns) => {
                server.log.extend(txns.txns(0).map(|(zxid, _)| zxid));
                self.queue.push_back(Arrival::Durable(id, txns.last().expect("txns")));
            }
            Effect::AskOracle => self.queue.push_back(Arrival::Oracle(id)),
            Effect::CutLog(zxid) => {
                server.log.retain(|it| *it <= zxid);
                let end = server.log.last().copied().unwrap_or(server.base);
                self.queue.push_back(Arrival::Cut(id, end));
            }
            Effect::ReadLog(link, zxid) => self.queue.push_back(Arrival::Read(id, link, zxid)),
            Effect::SendSnapshot(link, _) => {
                let Some(&(to, _)) = self.links.get(&link) else { return };
                self.queue.push_back(Arrival::Snapshot { link, to });
                self.queue.push_back(Arrival::SnapshotSent(id, link));
            }
            Effect::ReceiveSnapshot { zxid, .. } => {
                let log = std::mem::take(&mut server.log);
                server.replaced = Some((log, server.base));
                server.base = zxid;
            }
            Effect::ForgetSnapshot => {
                if let Some((log, base)) = server.replaced.take() {
                    (server.log, server.base) = (log, base);
                }
            }
            Effect::Committed(zxid) => server.committed = zxid,
            Effect::Lead(epoch) => server.next = Zxid::of_epoch(epoch).next(),
            Effect::Inherit
            | Effect::Stand(_)
            | Effect::Follow(_)
            | Effect::Look(_)
            | Effect::BeginEmpty(_)
            | Effect::OpenToObservers(_)
            | Effect::Confirmed(_) => (),
        }
    }

    /// Packets arrive at one end of a link.
    fn read(&mut self, link: LinkId, to: i64, is_for_learner: bool, bytes: Vec<u8>) {
        let Some(&(learner, leader)) = self.links.get(&link) else { return };
        if self.cut_off.contains(&learner) || self.cut_off.contains(&leader) {
            return;
        }
        let zab = self.servers[&to].zab.as_ref().expect("a link has two ends");
        if !zab.is_reading(link) {
            return self.held.push(Arrival::Packets { link, to, is_for_learner, bytes });
        }
        let limits = PacketLimits::default();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let length = if is_for_learner {
                let decoded = FromLeader::decode(rest, limits).expect("a packet");
                let (packet, length) = decoded.expect("a whole packet");
                self.event(to, Event::FromLeader(link, packet));
                length
            } else {
                let decoded = FromLearner::decode(rest, limits).expect("a packet");
                let (packet, length) = decoded.expect("a whole packet");
                self.event(to, Event::FromLearner(link, packet));
                length
            };
            rest = &rest[length..];
        }
        self.event(to, Event::TurnEnded);
    }

    fn read_log(&mut self, id: i64, link: LinkId, position: Zxid) {
        let server = &self.servers[&id];
        let read = if position < server.base {
            LogRead::Unavailable
        } else {
            let mut txns = InLog::default();
            for zxid in server.log.iter().filter(|it| **it > position) {
                txns.push(*zxid, self.changes.get(zxid).map_or(b"txn", |it| &it[..]));
            }
            let before = server.log.iter().rev().find(|it| **it <= position);
            let after = before.copied().unwrap_or(server.base);
            LogRead::Range { after, txns: Arc::new(txns) }
        };
        self.event(id, Event::LogRead(link, read));
    }

    fn connect(&mut self, (from, to): (i64, i64), attempt: Attempt, is_to_master: bool) {
        let zab = self.servers.get(&to).and_then(|it| it.zab.as_ref());
        let is_there = zab.is_some_and(|it| !is_to_master || it.observers().is_some());
        if !is_there || self.cut_off.contains(&from) || self.cut_off.contains(&to) {
            return self.event(from, Event::ConnectFailed(attempt));
        }
        let link = LinkId(self.next_link);
        self.next_link += 1;
        self.links.insert(link, (from, to));
        let accepted =
            if is_to_master { Event::ObserverAccepted(link) } else { Event::Accepted(link) };
        self.event(to, accepted);
        self.event(from, Event::Connected(attempt, link));
    }

    fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Notice(from, to, notice) => {
                if !self.cut_off.contains(&from) && !self.cut_off.contains(&to) {
                    let said =
                        self.servers[&from].zab.as_ref().map(|it| it.ensemble().current.clone());
                    if let Some(said) = said.filter(|it| it.version() > 0) {
                        self.event(to, Event::ConfigurationHeard(said));
                    }
                    self.event(to, Event::Notification { from: ServerId(from), notice });
                    self.event(to, Event::TurnEnded);
                }
            }
            Arrival::Connect(from, attempt, to, is_to_master) => {
                self.connect((from, to), attempt, is_to_master);
            }
            Arrival::Packets { link, to, is_for_learner, bytes } => {
                self.read(link, to, is_for_learner, bytes);
            }
            Arrival::Snapshot { link, to } => {
                let through = self.servers[&to].base;
                self.event(to, Event::SnapshotReceived(link, through));
            }
            Arrival::Closed { link, to } => {
                self.event(to, Event::Closed(link));
                self.event(to, Event::TurnEnded);
            }
            Arrival::Stored(id) => self.event(id, Event::EpochsStored),
            Arrival::Durable(id, zxid) => {
                self.event(id, Event::Durable(zxid));
                self.event(id, Event::TurnEnded);
            }
            Arrival::Oracle(id) => {
                let permits = self.oracles.get(&id).copied().unwrap_or_default();
                self.event(id, Event::OracleSaid(permits));
            }
            Arrival::Cut(id, end) => self.event(id, Event::LogCut(end)),
            Arrival::Read(id, link, position) => self.read_log(id, link, position),
            Arrival::SnapshotSent(id, link) => self.event(id, Event::SnapshotSent(link)),
        }
    }

    /// Lets everything arrive that is on its way, and what follows from it.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            while let Some(arrival) = self.queue.pop_front() {
                self.arrive(arrival);
            }
            let held_before = self.held.len();
            self.queue.extend(self.held.drain(..));
            while let Some(arrival) = self.queue.pop_front() {
                self.arrive(arrival);
            }
            if self.held.len() == held_before {
                return;
            }
        }
        panic!("they never stop talking:\n{}", self.out);
    }

    /// Lets time pass, from deadline to deadline.
    fn pass(&mut self, ms: u64) {
        let end_ms = self.now_ms + ms;
        loop {
            let deadlines = self.servers.values().filter_map(|it| it.zab.as_ref());
            let next_ms = deadlines.map(Zab::deadline_ms).min().unwrap_or(u64::MAX);
            self.now_ms = next_ms.clamp(self.now_ms, end_ms);
            let ids: Vec<_> = self.servers.keys().copied().collect();
            for id in ids {
                self.event(id, Event::TurnEnded);
            }
            self.settle();
            if self.now_ms >= end_ms {
                return;
            }
        }
    }

    /// Something happens to the servers.
    pub(super) fn play(&mut self, action: &str) {
        let words: Vec<_> = action.split_whitespace().collect();
        let id = || words[1].parse::<i64>().expect("a server");
        match words[0] {
            "voters" => self.voters = id(),
            "changes" => self.can_change = true,
            "masters" => self.has_masters = true,
            "configuration" => {
                let configuration = configuration(&words[2..], Zxid::ZERO);
                self.servers.entry(id()).or_default().configuration = Some(configuration);
            }
            "change" => {
                let server = self.servers.get_mut(&id()).expect("a server");
                let zxid = server.next;
                let txn = change(zxid, &configuration(&words[2..], zxid));
                server.next = zxid.next();
                let mut txns = InLog::default();
                txns.push(zxid, &txn);
                self.changes.insert(zxid, txn);
                self.event(id(), Event::Sealed(Arc::new(txns)));
                self.event(id(), Event::TurnEnded);
                self.settle();
            }
            // disk ID promised E current E committed E:C log E:C ...
            "disk" => {
                let server = self.servers.entry(words[1].parse().expect("a server")).or_default();
                let epoch = |at: usize| Epoch(words[at].parse().expect("an epoch"));
                server.epochs = Epochs::new(epoch(3), epoch(5)).expect("current is promised");
                server.committed = zxid(words[7]);
                server.log = words[9..].iter().map(|it| zxid(it)).collect();
            }
            "start" => words[1..].iter().for_each(|it| self.start(it.parse().expect("a server"))),
            "crash" => self.crash(id()),
            // The log through here is purged behind a snapshot.
            "purge" => {
                let server = self.servers.entry(id()).or_default();
                server.base = zxid(words[2]);
                server.log.retain(|it| *it > server.base);
            }
            "wipe" => drop(self.servers.insert(id(), Server::default())),
            "settle" => self.settle(),
            "pass" => self.pass(words[1].parse().expect("ms")),
            "oracle" => drop(self.oracles.insert(id(), words[2] == "1")),
            "cut-off" => drop(self.cut_off.insert(id())),
            "heal" => self.cut_off.clear(),
            "write" => {
                let count: i64 = words[2].parse().expect("a count");
                let server = self.servers.get_mut(&id()).expect("a server");
                let mut txns = InLog::default();
                for _ in 0..count {
                    txns.push(server.next, b"txn");
                    server.next = server.next.next();
                }
                self.event(id(), Event::Sealed(Arc::new(txns)));
                self.settle();
            }
            other => panic!("no action {other}"),
        }
    }
}
