//! How a stock server follows: its one thread, packet by packet.
//!
//! The thread blocks while it writes: nothing is read meanwhile, and that the link has ended is
//! noticed behind it. What comes between the choice of DIFF, TRUNC or SNAP and UPTODATE is in
//! `synchronizing`.

mod synchronizing;

use super::files::Snapshot;
use super::replay;
use crate::checks::State;
use crate::disk::Operation;
use engine::in_log::InLog;
use engine::zab::{Attempt, LinkId, Message, Notice, Pace};
use model::peer::packet::FromLeader;
use model::server::ServerId;
use model::zxid::{Epoch, Epochs, Zxid};
use std::cmp::Ordering;
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
    /// The thread stores the epoch as accepted.
    Promising,
    /// The leader has yet to send DIFF, TRUNC or SNAP.
    Choosing,
    /// The thread cuts the log.
    Cutting,
    /// The thread reads a snapshot.
    Receiving,
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

/// The server around it, lent to it for one event.
#[derive(Debug)]
pub struct Context<'a> {
    /// The clock, in ms.
    pub now_ms: u64,
    /// The states in memory.
    pub states: &'a mut VecDeque<State>,
    /// What it takes for its last txn.
    pub last: &'a mut Zxid,
    /// Attempts to connect so far.
    pub attempts: &'a mut u64,
    /// Where it puts what it wants done.
    pub acts: &'a mut Vec<Act>,
}

impl Context<'_> {
    /// Applies a txn to memory.
    fn apply(&mut self, zxid: Zxid, txn: &[u8]) {
        if let Some((before, after)) = replay(self.states, zxid, txn) {
            self.acts.push(Act::Made(before, after));
        }
        *self.last = zxid.max(*self.last);
    }

    fn connect(&mut self, leader: ServerId) -> Attempt {
        *self.attempts += 1;
        let attempt = Attempt(*self.attempts);
        self.acts.push(Act::Connect(attempt, leader));
        attempt
    }
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
        context: &mut Context<'_>,
    ) -> Self {
        Self {
            leader,
            notice,
            heard: BTreeMap::new(),
            link: None,
            is_broken: false,
            step: Step::Connecting(context.connect(leader)),
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
            heard_ms: context.now_ms,
        }
    }

    /// How far it has come.
    pub fn step(&self) -> Step {
        self.step
    }

    /// Whether the thread reads the link.
    pub fn is_reading(&self) -> bool {
        !self.is_writing() && !matches!(self.step, Step::Receiving)
    }

    fn is_writing(&self) -> bool {
        matches!(
            self.step,
            Step::Promising | Step::Cutting | Step::Saving | Step::Flushing | Step::Accepting
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
    pub fn connected(&mut self, link: Option<LinkId>, context: &mut Context<'_>) {
        self.heard_ms = context.now_ms;
        self.link = link;
        if link.is_some() {
            self.step = Step::Registering;
            context.acts.push(Act::Register(self.epochs.promised()));
        } else {
            self.step = Step::Waiting(context.now_ms + RECONNECT_MS);
        }
    }

    /// The end of a turn: what was logged goes to the disk; time passes.
    pub fn tick(&mut self, pace: Pace, context: &mut Context<'_>) -> Result<(), End> {
        if !self.logging.is_empty() {
            let txns = Arc::new(mem::take(&mut self.logging));
            context.acts.push(Act::Begin(Operation::Append(txns, Zxid::ZERO)));
        }
        if context.now_ms < self.deadline_ms(pace) {
            return Ok(());
        }
        if !matches!(self.step, Step::Waiting(_)) || self.connects == CONNECTS_MAX {
            return Err(End::Lost);
        }
        self.connects += 1;
        self.step = Step::Connecting(context.connect(self.leader));
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
        context: &mut Context<'_>,
    ) -> Result<(), End> {
        self.heard_ms = context.now_ms;
        match self.step {
            Step::Registering => self.leader_info(packet, context),
            Step::Choosing => self.choose(packet, context),
            Step::CatchingUp | Step::Accepted => self.synchronize(packet, context),
            Step::Broadcast => self.follow(packet, context),
            step => panic!("the link is read in {step:?}"),
        }
    }

    fn leader_info(
        &mut self,
        packet: &FromLeader<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), End> {
        let FromLeader::LeaderInfo { zxid, .. } = packet else {
            return Err(End::Wronged("the first packet is not LEADERINFO"));
        };
        let epoch = zxid.epoch();
        self.start = Zxid::of_epoch(epoch);
        match epoch.cmp(&self.epochs.promised()) {
            Ordering::Greater => {
                self.epochs = self.epochs.promise(epoch);
                self.step = Step::Promising;
                context.acts.push(Act::Begin(Operation::Epochs(self.epochs)));
            }
            Ordering::Equal => {
                self.step = Step::Choosing;
                let last = *context.last;
                context.acts.push(Act::Send(Message::AckEpoch { last, current: None }));
            }
            Ordering::Less => return Err(End::Lost),
        }
        Ok(())
    }

    /// Behind UPTODATE.
    fn follow(&mut self, packet: &FromLeader<'_>, context: &mut Context<'_>) -> Result<(), End> {
        match packet {
            FromLeader::Proposal { zxid, txn } => self.log(*zxid, txn)?,
            FromLeader::Commit { zxid } => self.commit(*zxid, context)?,
            FromLeader::Ping { zxid } => context.acts.push(Act::Send(Message::Pong(*zxid))),
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

    fn commit(&mut self, zxid: Zxid, context: &mut Context<'_>) -> Result<(), End> {
        match self.pending.front() {
            // A warning.
            None => Ok(()),
            Some((first, _)) if *first == zxid => {
                let (zxid, txn) = self.pending.pop_front().expect("the first one");
                context.apply(zxid, &txn);
                context.acts.push(Act::Show);
                Ok(())
            }
            Some(_) => Err(End::Wronged("a COMMIT does not name the oldest proposal")),
        }
    }

    /// An operation of the disk has ended; not a cut.
    pub fn written(&mut self, operation: &Operation, context: &mut Context<'_>) -> Result<(), End> {
        match (operation, self.step) {
            (Operation::Append(txns, _), Step::Broadcast) => {
                for (zxid, _) in txns.txns(0) {
                    context.acts.push(Act::Send(Message::Acks { first: zxid, last: zxid }));
                }
                return Ok(());
            }
            (Operation::Append(txns, _), Step::Flushing) => {
                for (zxid, txn) in txns.txns(0) {
                    context.apply(zxid, txn);
                }
                self.accept(context);
                return Ok(());
            }
            (Operation::Save(_), Step::Saving) => {
                self.accept(context);
                return Ok(());
            }
            (Operation::Append(..), Step::Ending) => return Ok(()),
            _ => (),
        }
        self.heard_ms = context.now_ms;
        match self.step {
            Step::Promising if self.is_broken => Err(End::Lost),
            Step::Promising => {
                self.step = Step::Choosing;
                let (last, current) = (*context.last, Some(self.epochs.current()));
                context.acts.push(Act::Send(Message::AckEpoch { last, current }));
                Ok(())
            }
            Step::Accepting => {
                self.has_accepted = true;
                if self.is_broken {
                    return Err(End::Lost);
                }
                self.step = Step::Accepted;
                context.acts.push(Act::Send(Message::AckNewLeader(self.start.epoch())));
                Ok(())
            }
            step => panic!("{operation:?} has ended in {step:?}"),
        }
    }

    /// The leader is lost: what is logged is flushed, and applied. Whether memory was dropped
    /// instead, and is loaded again.
    pub fn end(&mut self, context: &mut Context<'_>) -> bool {
        let is_half_read = self.mode == Mode::Snap && !self.has_accepted;
        self.step = Step::Ending;
        if !self.logging.is_empty() {
            let txns = Arc::new(mem::take(&mut self.logging));
            context.acts.push(Act::Begin(Operation::Append(txns, Zxid::ZERO)));
        }
        for (zxid, txn) in mem::take(&mut self.pending) {
            context.apply(zxid, &txn);
        }
        is_half_read
    }
}
