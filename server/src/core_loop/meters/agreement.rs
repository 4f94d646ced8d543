//! What a server of an ensemble measures of agreement, from the events and effects that pass its
//! loop.
//!
//! Source of what is measured, and when: ZooKeeper 3.9.5, `QuorumPeer`, `Leader`, `LearnerHandler`,
//! `Follower`, `FollowerZooKeeperServer`. Times of txns are counted, as there, from the wall clock
//! of the leader that decided them; where clocks differ so much that this is negative, nothing is
//! counted.
//!
//! Lives in: the core loop of the ordering role.

use crate::admin::inquiry::{EnsembleReport, LastMaxMin, LeadingReport};
use crate::admin::metrics::{Counter, Measure, Metrics, ServerMeasure};
use crate::core_loop::peers::Departure;
use engine::in_log::InLog;
use engine::meter::Tally;
use engine::ordering::Ordering;
use engine::settings::Now;
use engine::zab::learners::{Learner, Stage};
use engine::zab::{Effect, Event, LinkId, Message, Progress, Zab};
use model::jute::JuteReader;
use model::peer::packet::{FromLeader, FromLearner};
use model::server::ServerId;
use model::txn::TxnHeader;
use model::zxid::Zxid;
use std::collections::{BTreeMap, VecDeque};

/// The acknowledgements of one txn in so many are measured (`leader.ackLoggingFrequency`).
const ACKS_MEASURED_EVERY: i64 = 1000;

/// Numbers that `srst` resets.
#[derive(Clone, Debug, Default)]
struct Numbers {
    looking: u64,
    elections: Tally,
    unavailable: Tally,
    leader_unavailable: Tally,
    follower_syncs: Tally,
    requests: u64,
    logged: u64,
    proposals: u64,
    proposal_bytes: Option<LastMaxMin>,
    commits: u64,
    commits_queued: u64,
    quorum_acks: Tally,
    acks_created: Tally,
    acks: BTreeMap<ServerId, Tally>,
    proposals_received: u64,
    proposals_took: Tally,
    commits_received: u64,
    commits_took: Tally,
    revalidations: u64,
    snapshots: u64,
    diffs: u64,
    snapshots_in_flight: Tally,
    diffs_in_flight: Tally,
    unsent_packets: BTreeMap<ServerId, Tally>,
    unsent: BTreeMap<ServerId, Tally>,
}

/// How a learner is being synchronized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Synchronizing {
    /// By a snapshot.
    Snapshot,
    /// By txns, perhaps behind a cut.
    Diff,
}

/// The measurements of agreement.
#[derive(Debug)]
pub(in crate::core_loop) struct AgreementMeters {
    numbers: Numbers,
    progress: Progress,
    /// Since when this server has been looking for a leader, clients have not been served, the
    /// history has been made the leader's, and this server has led; in ms of the monotonic clock.
    looking_since_ms: u64,
    unavailable_since_ms: Option<u64>,
    synchronizing_since_ms: u64,
    leading_since_ms: u64,
    /// Txns that are not both durable here and committed, and when their leader decided them, in ms
    /// since 1970.
    proposed: VecDeque<(Zxid, i64)>,
    durable: Zxid,
    committed: Zxid,
    /// While this server leads: learners that have yet to accept the history.
    synchronizing: BTreeMap<LinkId, Synchronizing>,
}

impl AgreementMeters {
    /// Of a server that begins to look for a leader.
    pub(in crate::core_loop) fn new(now: Now) -> Self {
        Self {
            numbers: Numbers { looking: 1, ..Numbers::default() },
            progress: Progress::Election,
            looking_since_ms: now.mono_ms,
            unavailable_since_ms: Some(now.mono_ms),
            synchronizing_since_ms: 0,
            leading_since_ms: 0,
            proposed: VecDeque::new(),
            durable: Zxid::ZERO,
            committed: Zxid::ZERO,
            synchronizing: BTreeMap::new(),
        }
    }

    /// Forgets the numbers; those about the sizes of proposals only if that is requested.
    pub(in crate::core_loop) fn reset(&mut self, forgets_proposals: bool) {
        let proposal_bytes = self.numbers.proposal_bytes.filter(|_| !forgets_proposals);
        self.numbers = Numbers { proposal_bytes, ..Numbers::default() };
    }

    /// An event is about to be handed to agreement.
    pub(in crate::core_loop) fn heard(&mut self, event: &Event<'_>, zab: &Zab, now: Now) {
        match event {
            Event::FromLeader(_, packet) if zab.is_serving() => self.heard_from_leader(packet, now),
            Event::FromLearner(link, packet) => self.heard_from_learner(*link, packet, zab, now),
            Event::SnapshotSent(_) => self.numbers.snapshots += 1,
            Event::Closed(link) => self.link_ended(*link),
            _ => (),
        }
    }

    fn heard_from_leader(&mut self, packet: &FromLeader<'_>, now: Now) {
        let numbers = &mut self.numbers;
        match packet {
            FromLeader::Proposal { zxid, txn } => {
                numbers.proposals_received += 1;
                if let Some(decided_ms) = decided_ms(txn) {
                    add_since(&mut numbers.proposals_took, decided_ms, now);
                    self.proposed.push_back((*zxid, decided_ms));
                }
            }
            FromLeader::Commit { zxid } => {
                numbers.commits_received += 1;
                numbers.commits_queued += 1;
                if let Some(decided_ms) = when_decided(&self.proposed, *zxid) {
                    add_since(&mut numbers.commits_took, decided_ms, now);
                }
                self.committed = self.committed.max(*zxid);
                self.forget_finished();
            }
            FromLeader::Sync { .. } => numbers.commits_queued += 1,
            _ => (),
        }
    }

    fn heard_from_learner(&mut self, link: LinkId, packet: &FromLearner<'_>, zab: &Zab, now: Now) {
        match packet {
            FromLearner::Request { .. } => self.numbers.requests += 1,
            FromLearner::Revalidate { .. } => self.numbers.revalidations += 1,
            FromLearner::Ack { zxid } => match self.synchronizing.remove(&link) {
                Some(how) => self.count_in_flight(how),
                None if zxid.0 % ACKS_MEASURED_EVERY == 0 && *zxid > self.committed => {
                    if let Some(learner) = zab.learner_at(link) {
                        self.acknowledged(learner, *zxid, now);
                    }
                }
                None => (),
            },
            _ => (),
        }
    }

    fn acknowledged(&mut self, by: ServerId, zxid: Zxid, now: Now) {
        if let Some(decided_ms) = when_decided(&self.proposed, zxid) {
            add_since(self.numbers.acks.entry(by).or_default(), decided_ms, now);
        }
    }

    fn link_ended(&mut self, link: LinkId) {
        self.synchronizing.remove(&link);
    }

    /// The log is durable through this txn.
    pub(in crate::core_loop) fn durable(&mut self, zxid: Zxid, zab: &Zab, now: Now) {
        let from = self.proposed.partition_point(|(it, _)| *it <= self.durable);
        let to = self.proposed.partition_point(|(it, _)| *it <= zxid);
        for at in from..to {
            let (zxid, decided_ms) = self.proposed[at];
            add_since(&mut self.numbers.acks_created, decided_ms, now);
            let is_measured = zxid.0 % ACKS_MEASURED_EVERY == 0 && zxid > self.committed;
            if is_measured && zab.leads().is_some() {
                self.acknowledged(zab.ensemble().me, zxid, now);
            }
        }
        self.durable = self.durable.max(zxid);
        self.forget_finished();
    }

    /// The log was given txns.
    pub(in crate::core_loop) fn appended(&mut self, txns: &InLog, zab: &Zab) {
        let numbers = &mut self.numbers;
        numbers.logged += txns.len() as u64;
        if zab.leads().is_none() {
            return;
        }
        numbers.proposals += txns.len() as u64;
        for (zxid, txn) in txns.txns(0) {
            let last = txn.len() as u64;
            let sizes =
                numbers.proposal_bytes.get_or_insert(LastMaxMin { last, max: 0, min: last });
            *sizes = LastMaxMin { last, max: sizes.max.max(last), min: sizes.min.min(last) };
            if let Some(decided_ms) = decided_ms(txn) {
                self.proposed.push_back((zxid, decided_ms));
            }
        }
    }

    /// An effect of agreement that concerns links.
    pub(in crate::core_loop) fn performed(&mut self, effect: &Effect) {
        let (link, how) = match effect {
            Effect::Send(link, Message::Snap(_)) => (*link, Synchronizing::Snapshot),
            Effect::Send(link, Message::Diff(_) | Message::Trunc(_)) => {
                self.numbers.diffs += 1;
                (*link, Synchronizing::Diff)
            }
            Effect::Close(link, _) => return self.link_ended(*link),
            _ => return,
        };
        self.synchronizing.insert(link, how);
        self.count_in_flight(how);
    }

    fn count_in_flight(&mut self, how: Synchronizing) {
        let count = self.synchronizing.values().filter(|it| **it == how).count() as u64;
        match how {
            Synchronizing::Snapshot => self.numbers.snapshots_in_flight.add(count),
            Synchronizing::Diff => self.numbers.diffs_in_flight.add(count),
        }
    }

    /// Sends to learners have begun.
    pub(in crate::core_loop) fn departed(&mut self, departures: &[Departure], zab: &Zab) {
        for departure in departures {
            let Some(learner) = zab.learner_at(departure.link) else { continue };
            let numbers = &mut self.numbers;
            numbers.unsent_packets.entry(learner).or_default().add(departure.packets_left);
            numbers.unsent.entry(learner).or_default().add(departure.waited_ms);
        }
    }

    /// A client's writes were handed over: on a leader, to be ordered here.
    pub(in crate::core_loop) fn requested(&mut self, count: usize, zab: &Zab) {
        if zab.leads().is_some() {
            self.numbers.requests += count as u64;
        }
    }

    /// Agreement has handled an event.
    pub(in crate::core_loop) fn handled(&mut self, zab: &Zab, now: Now) {
        if zab.leads().is_some() {
            self.committed_through(zab.history().committed(), now);
        }
        let progress = zab.progress();
        if progress == self.progress {
            return;
        }
        let before = std::mem::replace(&mut self.progress, progress);
        let numbers = &mut self.numbers;
        if before == Progress::Election {
            numbers.elections.add(now.mono_ms.saturating_sub(self.looking_since_ms));
        }
        match progress {
            Progress::Election => {
                numbers.looking += 1;
                self.looking_since_ms = now.mono_ms;
                self.unavailable_since_ms.get_or_insert(now.mono_ms);
                self.proposed.clear();
                self.synchronizing.clear();
            }
            Progress::Discovery => (),
            Progress::Synchronization => self.synchronizing_since_ms = now.mono_ms,
            Progress::Broadcast => self.began(zab.leads().is_some(), now),
        }
    }

    fn began(&mut self, is_leader: bool, now: Now) {
        let numbers = &mut self.numbers;
        let since = |since_ms| now.mono_ms.saturating_sub(since_ms);
        if let Some(since_ms) = self.unavailable_since_ms.take() {
            numbers.unavailable.add(since(since_ms));
            if is_leader {
                numbers.leader_unavailable.add(since(since_ms));
            }
        }
        if is_leader {
            self.leading_since_ms = now.mono_ms;
        } else {
            numbers.follower_syncs.add(since(self.synchronizing_since_ms));
        }
    }

    fn committed_through(&mut self, zxid: Zxid, now: Now) {
        if zxid <= self.committed {
            return;
        }
        let from = self.proposed.partition_point(|(it, _)| *it <= self.committed);
        let to = self.proposed.partition_point(|(it, _)| *it <= zxid);
        for (_, decided_ms) in self.proposed.range(from..to) {
            add_since(&mut self.numbers.quorum_acks, *decided_ms, now);
            self.numbers.commits += 1;
            self.numbers.commits_queued += 1;
        }
        self.committed = zxid;
        self.forget_finished();
    }

    fn forget_finished(&mut self) {
        let finished = self.durable.min(self.committed);
        while self.proposed.front().is_some_and(|(zxid, _)| *zxid <= finished) {
            self.proposed.pop_front();
        }
    }

    /// What is reported of the ensemble.
    pub(in crate::core_loop) fn report(
        &self,
        zab: &Zab,
        ordering: &Ordering,
        now: Now,
    ) -> EnsembleReport {
        let in_broadcast = || zab.learners().filter(|it| it.is_in_broadcast());
        let followers = || in_broadcast().filter(|it| !it.is_observer);
        let voters = zab.ensemble().current.quorum();
        let is_voter = |it: &Learner| it.id.is_some_and(|id| voters.is_voter(id));
        let leading = zab.leads().map(|_| LeadingReport {
            uptime_ms: now.mono_ms.saturating_sub(self.leading_since_ms),
            learners: zab.learners().filter(|it| it.stage != Stage::Arrived).count() as u64,
            synced_followers: followers().count() as u64,
            synced_without_vote: followers().filter(|it| !is_voter(it)).count() as u64,
            synced_observers: in_broadcast().filter(|it| it.is_observer).count() as u64,
            pending_syncs: ordering.pending_sync_count() as u64,
            proposal_bytes: self.numbers.proposal_bytes,
        });
        EnsembleReport {
            progress: self.progress,
            master: zab.ensemble().is_observer().then(|| zab.learns_from()),
            observers: (zab.leads().is_some() || zab.observers().is_some()).then(Vec::new),
            leader: zab.leads().map(|_| zab.ensemble().me).or(zab.follows()),
            quorum_size: zab.ensemble().current.quorum().voters().count() as u64,
            requests: self.numbers.requests,
            logged: self.numbers.logged,
            leading,
        }
    }

    /// Fills a report.
    pub(in crate::core_loop) fn fill(&self, metrics: &mut Metrics) {
        let numbers = &self.numbers;
        for (counter, by) in [
            (Counter::LookingCount, numbers.looking),
            (Counter::ProposalCount, numbers.proposals),
            (Counter::CommitCount, numbers.commits),
            (Counter::RequestCommitQueued, numbers.commits_queued),
            (Counter::LearnerProposalReceivedCount, numbers.proposals_received),
            (Counter::LearnerCommitReceivedCount, numbers.commits_received),
            (Counter::RevalidateCount, numbers.revalidations),
            (Counter::SnapCount, numbers.snapshots),
            (Counter::DiffCount, numbers.diffs),
        ] {
            metrics.count(counter, by);
        }
        for (measure, tally) in [
            (Measure::ElectionTime, &numbers.elections),
            (Measure::UnavailableTime, &numbers.unavailable),
            (Measure::LeaderUnavailableTime, &numbers.leader_unavailable),
            (Measure::FollowerSyncTime, &numbers.follower_syncs),
            (Measure::InflightSnapCount, &numbers.snapshots_in_flight),
            (Measure::InflightDiffCount, &numbers.diffs_in_flight),
            (Measure::QuorumAckLatency, &numbers.quorum_acks),
            (Measure::ProposalAckCreationLatency, &numbers.acks_created),
            (Measure::ProposalLatency, &numbers.proposals_took),
            (Measure::CommitPropagationLatency, &numbers.commits_took),
        ] {
            metrics.tally(measure, tally);
        }
        for (measure, tallies) in [
            (ServerMeasure::LearnerHandlerQpSize, &numbers.unsent_packets),
            (ServerMeasure::AckLatency, &numbers.acks),
            (ServerMeasure::LearnerHandlerQpTimeMs, &numbers.unsent),
        ] {
            for (&server, tally) in tallies {
                metrics.tally_of_server(measure, server, tally);
            }
        }
    }
}

/// When the leader decided a txn, in ms since 1970.
fn decided_ms(txn: &[u8]) -> Option<i64> {
    TxnHeader::decode(&mut JuteReader::new(txn)).ok().map(|header| header.time_ms)
}

fn when_decided(proposed: &VecDeque<(Zxid, i64)>, zxid: Zxid) -> Option<i64> {
    let at = proposed.binary_search_by_key(&zxid, |(zxid, _)| *zxid).ok()?;
    Some(proposed[at].1)
}

fn add_since(tally: &mut Tally, decided_ms: i64, now: Now) {
    if let Ok(took_ms) = u64::try_from(now.wall_ms - decided_ms) {
        tally.add(took_ms);
    }
}
