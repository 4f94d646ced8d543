//! How a stock server follows: its one thread, packet by packet.
//!
//! The thread blocks while it writes: nothing is read meanwhile, and that the link has ended is
//! noticed behind it.

use super::files::Snapshot;
use super::replay;
use crate::checks::State;
use crate::disk::Operation;
use engine::in_log::InLog;
use engine::zab::{Attempt, LinkId, Message, Notice, Pace};
use model::peer::packet::FromLeader;
use model::server::ServerId;
use model::zxid::{Epoch, Epochs, Zxid};
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;

/// Attempts to reach the leader, and ms between two.
const CONNECTS_MAX: u32 = 5;
const RECONNECT_MS: u64 = 100;

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A link is being opened.
    Connecting(Attempt),
    /// The next attempt begins then, in ms.
    Waiting(u64),
    /// The leader has yet to send its epoch.
    Registering,
    /// The thread stores the epoch as accepted; the flag: whether the promise counts.
    Promising,
    /// The leader has yet to send DIFF, TRUNC or SNAP.
    Choosing,
    /// The thread cuts the log there.
    Cutting(Zxid),
    /// The thread reads a snapshot with this zxid.
    Receiving(Zxid),
    /// Until NEWLEADER.
    CatchingUp,
    /// The thread writes the snapshot that NEWLEADER asks for.
    Saving,
    /// The thread flushes what was committed before NEWLEADER.
    Flushing,
    /// The thread stores the current epoch.
    Accepting,
    /// Until UPTODATE.
    Accepted,
    /// Clients are served.
    Broadcast,
    /// The link is lost; what was logged is being flushed.
    Ending,
}

/// How its history was made the leader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Diff,
    Trunc,
    Snap,
}

/// What it wants done.
#[derive(Debug)]
pub enum Act {
    /// Open a link.
    Connect(Attempt, ServerId),
    /// Send FOLLOWERINFO, with the epoch that is promised.
    Register(Epoch),
    /// Send this to the leader.
    Send(Message),
    /// Begin an operation of the disk.
    Begin(Operation),
    /// Write a snapshot and do not flush it.
    Save(Snapshot),
    /// Read a snapshot from the link.
    Receive(Zxid),
    /// A txn has led from one state to another.
    Made(State, State),
    /// Clients see what is in memory.
    Show,
}

/// Why it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The link has ended, or the leader is of no use.
    Lost,
    /// The process exits, or gives up a link, because of what a leader must not send.
    Wronged(&'static str),
}

/// A stock follower.
#[derive(Debug)]
pub struct Follower {
    leader: ServerId,
    /// What it answers those that look for a leader.
    pub notice: Notice,
    /// Notifications that came while it ended.
    pub heard: BTreeMap<ServerId, Notice>,
    /// The link, once there is one.
    pub link: Option<LinkId>,
    /// Whether the link has ended while the thread was writing.
    is_broken: bool,
    step: Step,
    /// What is stored.
    pub epochs: Epochs,
    /// (epoch, 0).
    start: Zxid,
    mode: Mode,
    /// Whether the leader's history was accepted on this link.
    has_accepted: bool,
    last_queued: Zxid,
    /// Proposals and commits of the synchronization, neither logged nor applied.
    not_logged: VecDeque<(Zxid, Arc<[u8]>)>,
    committed: VecDeque<Zxid>,
    /// Proposals that were logged, and not committed.
    pending: VecDeque<(Zxid, Arc<[u8]>)>,
    /// What goes to the log at the end of the turn.
    logging: InLog,
    connects: u32,
    heard_ms: u64,
}

impl Follower {
    /// Begins to follow.
    pub fn begin(
        leader: ServerId,
        notice: Notice,
        epochs: Epochs,
        now_ms: u64,
        attempts: &mut u64,
        acts: &mut Vec<Act>,
    ) -> Self {
        *attempts += 1;
        acts.push(Act::Connect(Attempt(*attempts), leader));
        Self {
            leader,
            notice,
            heard: BTreeMap::new(),
            link: None,
            is_broken: false,
            step: Step::Connecting(Attempt(*attempts)),
            epochs,
            start: Zxid::ZERO,
            mode: Mode::Diff,
            has_accepted: false,
            last_queued: Zxid::ZERO,
            not_logged: VecDeque::new(),
            committed: VecDeque::new(),
            pending: VecDeque::new(),
            logging: InLog::default(),
            connects: 1,
            heard_ms: now_ms,
        }
    }

    /// How far it has come.
    pub fn step(&self) -> Step {
        self.step
    }

    /// Whether the thread reads the link.
    pub fn is_reading(&self) -> bool {
        !self.is_writing() && !matches!(self.step, Step::Receiving(_))
    }

    fn is_writing(&self) -> bool {
        matches!(
            self.step,
            Step::Promising | Step::Cutting(_) | Step::Saving | Step::Flushing | Step::Accepting
        )
    }

    /// When [`Self::tick`] has something to do, in ms.
    pub fn deadline_ms(&self, pace: Pace) -> u64 {
        match self.step {
            Step::Waiting(until_ms) => until_ms,
            Step::Registering | Step::Choosing | Step::CatchingUp => self.heard_ms + pace.init_ms(),
            Step::Accepted | Step::Broadcast => self.heard_ms + pace.sync_ms(),
            _ => u64::MAX,
        }
    }

    /// The link is open, or could not be opened.
    pub fn connected(&mut self, link: Option<LinkId>, now_ms: u64, acts: &mut Vec<Act>) {
        self.heard_ms = now_ms;
        self.link = link;
        if link.is_some() {
            self.step = Step::Registering;
            acts.push(Act::Register(self.epochs.promised()));
        } else {
            self.step = Step::Waiting(now_ms + RECONNECT_MS);
        }
    }

    /// The end of a turn: what was logged goes to the disk; time passes.
    pub fn tick(
        &mut self,
        now_ms: u64,
        pace: Pace,
        attempts: &mut u64,
        acts: &mut Vec<Act>,
    ) -> Result<(), End> {
        if !self.logging.is_empty() {
            let txns = Arc::new(mem::take(&mut self.logging));
            acts.push(Act::Begin(Operation::Append(txns, Zxid::ZERO)));
        }
        if now_ms < self.deadline_ms(pace) {
            return Ok(());
        }
        if !matches!(self.step, Step::Waiting(_)) || self.connects == CONNECTS_MAX {
            return Err(End::Lost);
        }
        self.connects += 1;
        *attempts += 1;
        self.step = Step::Connecting(Attempt(*attempts));
        acts.push(Act::Connect(Attempt(*attempts), self.leader));
        Ok(())
    }

    /// The link has ended.
    pub fn closed(&mut self) -> Result<(), End> {
        self.is_broken = true;
        if self.is_writing() { Ok(()) } else { Err(End::Lost) }
    }

    /// Handles a packet of the leader.
    pub fn handle(
        &mut self,
        packet: &FromLeader<'_>,
        now_ms: u64,
        states: &mut VecDeque<State>,
        last: &mut Zxid,
        acts: &mut Vec<Act>,
    ) -> Result<(), End> {
        self.heard_ms = now_ms;
        match self.step {
            Step::Registering => self.leader_info(packet, *last, acts),
            Step::Choosing => self.choose(packet, acts),
            Step::CatchingUp | Step::Accepted => self.synchronize(packet, states, last, acts),
            Step::Broadcast => self.follow(packet, states, last, acts),
            step => panic!("the link is read in {step:?}"),
        }
    }

    fn leader_info(
        &mut self,
        packet: &FromLeader<'_>,
        last: Zxid,
        acts: &mut Vec<Act>,
    ) -> Result<(), End> {
        let FromLeader::LeaderInfo { zxid, .. } = packet else {
            return Err(End::Wronged("the first packet is not LEADERINFO"));
        };
        let epoch = zxid.epoch();
        self.start = Zxid::of_epoch(epoch);
        if epoch > self.epochs.promised() {
            self.epochs = self.epochs.promise(epoch);
            self.step = Step::Promising;
            acts.push(Act::Begin(Operation::Epochs(self.epochs)));
        } else if epoch == self.epochs.promised() {
            self.step = Step::Choosing;
            acts.push(Act::Send(Message::AckEpoch { last, current: None }));
        } else {
            return Err(End::Lost);
        }
        Ok(())
    }

    fn choose(&mut self, packet: &FromLeader<'_>, acts: &mut Vec<Act>) -> Result<(), End> {
        match packet {
            FromLeader::Diff { .. } => {
                self.mode = Mode::Diff;
                self.step = Step::CatchingUp;
            }
            FromLeader::Trunc { zxid } => {
                self.mode = Mode::Trunc;
                self.step = Step::Cutting(*zxid);
                acts.push(Act::Begin(Operation::Cut(*zxid)));
            }
            FromLeader::Snap { zxid } => {
                self.mode = Mode::Snap;
                self.step = Step::Receiving(*zxid);
                acts.push(Act::Receive(*zxid));
            }
            _ => return Err(End::Wronged("neither DIFF nor TRUNC nor SNAP")),
        }
        Ok(())
    }

    /// Memory is what a cut has left, or what a snapshot holds.
    pub fn loaded(&mut self, now_ms: u64) -> Result<(), End> {
        self.heard_ms = now_ms;
        self.step = Step::CatchingUp;
        if self.is_broken { Err(End::Lost) } else { Ok(()) }
    }

    /// Between the choice and UPTODATE. A PING is passed over.
    fn synchronize(
        &mut self,
        packet: &FromLeader<'_>,
        states: &mut VecDeque<State>,
        last: &mut Zxid,
        acts: &mut Vec<Act>,
    ) -> Result<(), End> {
        match packet {
            FromLeader::Proposal { zxid, txn } => {
                let before = self.last_queued;
                let is_later = *zxid == before.next() || zxid.epoch() > before.epoch();
                if before != Zxid::ZERO && !is_later {
                    return Err(End::Wronged("a proposal does not continue the one before"));
                }
                self.last_queued = *zxid;
                self.not_logged.push_back((*zxid, (*txn).into()));
            }
            FromLeader::Commit { zxid } => {
                let Some((first, _)) = self.not_logged.front() else {
                    return Err(End::Wronged("a COMMIT without a proposal"));
                };
                if self.step == Step::Accepted || self.mode == Mode::Diff {
                    self.committed.push_back(*zxid);
                } else if first == zxid {
                    let (zxid, txn) = self.not_logged.pop_front().expect("the first one");
                    apply(states, last, zxid, &txn, acts);
                }
            }
            FromLeader::NewLeader { .. } if self.step == Step::CatchingUp => {
                self.new_leader(states, *last, acts);
            }
            FromLeader::UpToDate { .. } if self.step == Step::Accepted => {
                return self.up_to_date(states, last, acts);
            }
            FromLeader::NewLeader { .. } | FromLeader::UpToDate { .. } => {
                return Err(End::Wronged("UPTODATE before, or NEWLEADER behind NEWLEADER"));
            }
            _ => (),
        }
        Ok(())
    }

    fn new_leader(&mut self, states: &VecDeque<State>, last: Zxid, acts: &mut Vec<Act>) {
        let state = states.back().copied().unwrap_or_default();
        let is_synced = self.mode == Mode::Snap;
        let snapshot = Snapshot { label: last, state, is_synced };
        match self.mode {
            Mode::Snap => {
                self.step = Step::Saving;
                acts.push(Act::Begin(Operation::Save(snapshot)));
            }
            Mode::Trunc => {
                acts.push(Act::Save(snapshot));
                self.accept(acts);
            }
            Mode::Diff => {
                let mut txns = InLog::default();
                for zxid in mem::take(&mut self.committed) {
                    if self.not_logged.front().is_some_and(|(first, _)| *first == zxid) {
                        let (zxid, txn) = self.not_logged.pop_front().expect("the first one");
                        txns.push(zxid, &txn);
                    }
                }
                if txns.is_empty() {
                    self.accept(acts);
                } else {
                    self.step = Step::Flushing;
                    acts.push(Act::Begin(Operation::Append(Arc::new(txns), Zxid::ZERO)));
                }
            }
        }
    }

    fn accept(&mut self, acts: &mut Vec<Act>) {
        self.epochs = self.epochs.accept();
        self.step = Step::Accepting;
        acts.push(Act::Begin(Operation::Epochs(self.epochs)));
    }

    fn up_to_date(
        &mut self,
        states: &mut VecDeque<State>,
        last: &mut Zxid,
        acts: &mut Vec<Act>,
    ) -> Result<(), End> {
        acts.push(Act::Send(Message::AckNewLeader(self.start.epoch())));
        self.step = Step::Broadcast;
        self.notice.vote.epoch = i64::from(self.start.epoch().0);
        for (zxid, txn) in mem::take(&mut self.not_logged) {
            self.log(zxid, &txn)?;
        }
        acts.push(Act::Show);
        for zxid in mem::take(&mut self.committed) {
            self.commit(zxid, states, last, acts)?;
        }
        Ok(())
    }

    /// Behind UPTODATE.
    fn follow(
        &mut self,
        packet: &FromLeader<'_>,
        states: &mut VecDeque<State>,
        last: &mut Zxid,
        acts: &mut Vec<Act>,
    ) -> Result<(), End> {
        match packet {
            FromLeader::Proposal { zxid, txn } => self.log(*zxid, txn)?,
            FromLeader::Commit { zxid } => self.commit(*zxid, states, last, acts)?,
            FromLeader::Ping { zxid } => acts.push(Act::Send(Message::Pong(*zxid))),
            _ => (),
        }
        Ok(())
    }

    fn log(&mut self, zxid: Zxid, txn: &[u8]) -> Result<(), End> {
        if self.logging.last().is_some_and(|last| zxid <= last) {
            return Err(End::Wronged("a proposal is not behind the one before"));
        }
        self.pending.push_back((zxid, txn.into()));
        self.logging.push(zxid, txn);
        Ok(())
    }

    fn commit(
        &mut self,
        zxid: Zxid,
        states: &mut VecDeque<State>,
        last: &mut Zxid,
        acts: &mut Vec<Act>,
    ) -> Result<(), End> {
        match self.pending.front() {
            // A warning.
            None => Ok(()),
            Some((first, _)) if *first == zxid => {
                let (zxid, txn) = self.pending.pop_front().expect("the first one");
                apply(states, last, zxid, &txn, acts);
                acts.push(Act::Show);
                Ok(())
            }
            Some(_) => Err(End::Wronged("a COMMIT does not name the oldest proposal")),
        }
    }

    /// An operation of the disk has ended; not a cut.
    pub fn written(
        &mut self,
        operation: &Operation,
        now_ms: u64,
        states: &mut VecDeque<State>,
        last: &mut Zxid,
        acts: &mut Vec<Act>,
    ) -> Result<(), End> {
        match (operation, self.step) {
            (Operation::Append(txns, _), Step::Broadcast) => {
                for (zxid, _) in txns.txns(0) {
                    acts.push(Act::Send(Message::Acks { first: zxid, last: zxid }));
                }
                return Ok(());
            }
            (Operation::Append(txns, _), Step::Flushing) => {
                for (zxid, txn) in txns.txns(0) {
                    apply(states, last, zxid, txn, acts);
                }
                self.accept(acts);
                return Ok(());
            }
            (Operation::Save(_), Step::Saving) => {
                self.accept(acts);
                return Ok(());
            }
            (Operation::Append(..), Step::Ending) => return Ok(()),
            _ => (),
        }
        self.heard_ms = now_ms;
        match self.step {
            Step::Promising if self.is_broken => Err(End::Lost),
            Step::Promising => {
                self.step = Step::Choosing;
                let current = Some(self.epochs.current());
                acts.push(Act::Send(Message::AckEpoch { last: *last, current }));
                Ok(())
            }
            Step::Accepting => {
                self.has_accepted = true;
                if self.is_broken {
                    return Err(End::Lost);
                }
                self.step = Step::Accepted;
                acts.push(Act::Send(Message::AckNewLeader(self.start.epoch())));
                Ok(())
            }
            step => panic!("{operation:?} has ended in {step:?}"),
        }
    }

    /// The leader is lost: what is logged is flushed, and applied. Whether memory was dropped
    /// instead, and is loaded again.
    pub fn end(
        &mut self,
        stock_last: &mut Zxid,
        states: &mut VecDeque<State>,
        acts: &mut Vec<Act>,
    ) -> bool {
        let is_half_read = self.mode == Mode::Snap && !self.has_accepted;
        self.step = Step::Ending;
        if !self.logging.is_empty() {
            let txns = Arc::new(mem::take(&mut self.logging));
            acts.push(Act::Begin(Operation::Append(txns, Zxid::ZERO)));
        }
        for (zxid, txn) in mem::take(&mut self.pending) {
            apply(states, stock_last, zxid, &txn, acts);
        }
        is_half_read
    }
}

fn apply(
    states: &mut VecDeque<State>,
    last: &mut Zxid,
    zxid: Zxid,
    txn: &[u8],
    acts: &mut Vec<Act>,
) {
    if let Some((before, after)) = replay(states, zxid, txn) {
        acts.push(Act::Made(before, after));
    }
    *last = zxid.max(*last);
}
