//! What agreement asks for.

use super::configuration::Configuration;
use super::event::{Attempt, LinkId};
use super::learners::bounding::CatchingUp;
use super::standing::Standing;
use crate::in_log::InLog;
use model::peer::notification::{ServerState, Vote};
use model::server::ServerId;
use model::zxid::{Epoch, Epochs, Zxid};
use std::ops::Range;
use std::sync::Arc;

/// A server's vote, as it announces it; the text of the configuration is sent along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What the server is doing.
    pub state: ServerState,
    /// The vote, or the leader that it follows.
    pub vote: Vote,
    /// In which round.
    pub round: i64,
}

/// Some txns of a batch: the batch, and which of its records.
#[derive(Clone, Debug)]
pub struct Part {
    /// The batch.
    pub txns: Arc<InLog>,
    /// Which of its records.
    pub range: Range<usize>,
}

impl Part {
    /// The zxids and the encoded txns, in order.
    pub fn records(&self) -> impl Iterator<Item = (Zxid, &[u8])> {
        self.txns.txns(self.range.start).take(self.range.len())
    }
}

/// The messages of leaders and learners.
#[derive(Clone, Debug)]
pub enum Message {
    /// A learner introduces itself, with the epoch that it has promised.
    Register {
        /// Whether it follows or observes.
        is_observer: bool,
        /// The epoch promised.
        promised: Epoch,
    },
    /// The leader's epoch.
    LeaderInfo(Epoch),
    /// The epoch is promised; where the learner's history ends.
    AckEpoch {
        /// Its last txn on disk.
        last: Zxid,
        /// The learner's current epoch; `None` if it had promised this epoch before, so that its
        /// answer does not count.
        current: Option<Epoch>,
    },
    /// The learner's history is a prefix of the leader's, which ends here.
    Diff(Zxid),
    /// The learner's history is to be cut here.
    Trunc(Zxid),
    /// A snapshot follows; these are the txns that it holds.
    Snap(Zxid),
    /// A proposal for each txn.
    Proposals(Part),
    /// Each of these txns is committed.
    Commits(Part),
    /// The same, in one packet, for observers.
    Informs(Part),
    /// The commit of a txn that is another configuration, and who is to lead in that.
    CommitAndActivate(Zxid, ServerId),
    /// The same for observers, with the one txn.
    InformAndActivate(Part, ServerId),
    /// The leader's history is complete; its epoch begins when a quorum has acknowledged that. The
    /// configuration is in force once the learner's history may be shown.
    NewLeader(Epoch, Arc<Configuration>),
    /// The learner's history may be shown to clients.
    UpToDate,
    /// The learner has accepted the leader's history.
    AckNewLeader(Epoch),
    /// Each txn of this epoch from the first counter through the second is durable.
    Acks {
        /// The first one.
        first: Zxid,
        /// The last one.
        last: Zxid,
    },
    /// The leader is there. Learners repeat the zxid and do not read it; it is the number of the
    /// last [`Event::Confirm`](super::Event). (Stock sends its last proposal.)
    Ping(Zxid),
    /// The learner is there, and follows the leader that sent this zxid; the replica adds the
    /// sessions that were active.
    Pong(Zxid),
    /// Encoded packets about clients and their sessions, in which agreement takes no part.
    OfClients(Vec<u8>),
}

/// Why a server lost its leader, or stopped leading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// No quorum of servers has connected, or stayed.
    NoQuorum,
    /// A server cannot follow this leader, because it has promised a later epoch.
    LaterPromise {
        /// Which one.
        server: ServerId,
        /// What it has promised.
        promised: Epoch,
    },
    /// A server leads because the configuration before has named it, and this voter's history is
    /// longer: it should be elected.
    AheadOfDesignated(ServerId),
    /// A voter that has elected this leader looks for another one, and no epoch has begun for too
    /// long.
    VoterLooks(ServerId),
    /// The leader has proposed as many txns as an epoch can have, and all are committed: a new
    /// epoch is needed. (Stock stops in the middle of them.)
    EpochFull,
    /// The leader could not be reached.
    Unreachable,
    /// The link to the leader has ended.
    LinkClosed,
    /// The leader has been silent for too long.
    Silent,
    /// The leader's epoch is older than one that was promised.
    OldEpoch,
    /// The leader violated the protocol.
    Protocol(Violation),
    /// The configuration has changed: this server goes on in another role, or with another leader,
    /// which may be itself; `None` if that is to be elected.
    Reconfigured {
        /// Who leads.
        leader: Option<ServerId>,
    },
    /// The leader asked for a cut below what this server knows to be committed.
    CutBelowCommitted {
        /// Where to.
        to: Zxid,
        /// What is committed.
        committed: Zxid,
    },
    /// An observer master knows less of the history than this server has learned elsewhere. The
    /// next one is tried.
    MasterBehind {
        /// Where it asked for a cut.
        to: Zxid,
        /// What is committed.
        committed: Zxid,
    },
    /// The leader asked for a cut below the oldest snapshot. The next attempt to follow it asks for
    /// a snapshot.
    CutBelowSnapshot {
        /// Who leads.
        leader: ServerId,
        /// In which epoch.
        epoch: Epoch,
    },
}

/// How a server violated the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A packet that has no place in this phase.
    OutOfPlace,
    /// A proposal that does not continue the one before.
    Gap {
        /// The one before.
        last: Zxid,
        /// The one that came.
        found: Zxid,
    },
    /// A commit or an acknowledgement of something that was not proposed.
    NotProposed(Zxid),
    /// A NEWLEADER of another epoch than the one agreed on.
    WrongEpoch(Epoch),
    /// Bytes that are not a txn.
    Malformed,
    /// More requests of its clients than may wait.
    TooMuch,
}

/// Why a link is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// This server lost its leader, or stopped leading.
    Lost,
    /// The learner violated the protocol.
    Protocol(Violation),
    /// It has reconnected.
    Replaced,
    /// Its history is longer than the leader's: another one should lead.
    AheadOfLeader,
    /// It speaks a protocol from before ZooKeeper 3.5.
    OldProtocol,
    /// It claims the id of this server.
    OurId,
    /// It has promised the last epoch that there is: no leader could follow.
    LastEpoch,
    /// There are too many links already.
    TooManyLinks,
    /// Its configuration is newer than the leader's.
    NewerConfiguration,
    /// It has been silent, or has not acknowledged proposals, for too long.
    Silent,
    /// It observes, and too many learners are catching up like it.
    Crowded(CatchingUp),
    /// This server is not a leader.
    NotLeading,
    /// It does not observe, and has connected to a server that serves observers only.
    NotObserver,
}

/// One effect.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Send this to a server over its election link, which is opened if there is none. A later
    /// notice to the same server replaces one that has not been sent yet.
    Notify {
        /// The receiver.
        to: ServerId,
        /// The notice.
        notice: Notice,
    },
    /// Open a learner link to this server's quorum port, then report
    /// [`Event::Connected`](super::Event) or [`Event::ConnectFailed`](super::Event).
    Connect(Attempt, ServerId),
    /// Open a link to the port at which this server serves observers; the rest is as with
    /// [`Effect::Connect`].
    ConnectToMaster(Attempt, ServerId),
    /// Accept observers at the port for them, or do not any more.
    OpenToObservers(bool),
    /// Send this behind everything sent before on the link.
    Send(LinkId, Message),
    /// Close the link; no further events of it are handed in.
    Close(LinkId, CloseReason),
    /// Ask the oracle whether this server may decide alone, then report
    /// [`Event::OracleSaid`](super::Event). Only where there is one; not again before it has
    /// answered.
    AskOracle,
    /// Make these epochs durable, then report [`Event::EpochsStored`](super::Event).
    StoreEpochs(Epochs),
    /// Write these txns to the log behind all earlier ones.
    Append(Arc<InLog>),
    /// Cut the log behind this txn, once everything in flight has ended.
    CutLog(Zxid),
    /// Read the log behind this position, for this link: the first piece of it.
    ReadLog(LinkId, Zxid),
    /// Send the tree at this txn to the link, as a snapshot. The link is the snapshot's until it
    /// is sent.
    SendSnapshot(LinkId, Zxid),
    /// What comes next over this link is a snapshot: store it beside the history, and begin a log
    /// behind it. Neither counts before the epoch is stored as current. Whoever reads it ends the
    /// link if the leader falls silent.
    ReceiveSnapshot {
        /// The link.
        link: LinkId,
        /// The last txn that is in it as a whole.
        zxid: Zxid,
        /// The epoch.
        epoch: Epoch,
        /// Whether the tree changes while it is sent, as a stock leader's does: then what is
        /// committed before NEWLEADER belongs to it.
        is_fuzzy: bool,
    },
    /// Begin an empty history beside this one, and a log behind it; as with a snapshot, neither
    /// counts before this epoch is stored as current.
    BeginEmpty(Epoch),
    /// The snapshot received last, and the log behind it, are void: the history before counts.
    ForgetSnapshot,
    /// Apply every txn of the log that is not applied yet; show none of it.
    Inherit,
    /// The history is committed through this txn, which is durable here: apply and publish it.
    Committed(Zxid),
    /// After [`Event::Confirm`](super::Event) with this number a quorum followed this leader.
    Confirmed(u64),
    /// These configurations count from now on. First of all effects of its event: links are opened
    /// by the new addresses.
    Configured {
        /// In force.
        current: Arc<Configuration>,
        /// Proposed.
        next: Option<Arc<Configuration>>,
    },
    /// What a change of the configuration is decided with; `None` when this server does not lead.
    /// Only where there may be changes.
    Stand(Option<Standing>),
    /// Serve clients, and propose their writes: the first one is the epoch's first.
    Lead(Epoch),
    /// Serve clients, and forward their writes over this link.
    Follow(LinkId),
    /// Serve no clients, propose nothing, and forget what is applied and not published.
    Look(Lost),
}

/// Effects in order. Kept by the caller, so that their memory is reused.
#[derive(Debug, Default)]
pub struct Effects {
    list: Vec<Effect>,
}

impl Effects {
    pub(super) fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    pub(super) fn send(&mut self, link: LinkId, message: Message) {
        self.list.push(Effect::Send(link, message));
    }

    /// Informs an observer of these txns, if there are any.
    pub(super) fn inform(&mut self, link: LinkId, part: Part) {
        if !part.range.is_empty() {
            self.send(link, Message::Informs(part));
        }
    }

    pub(super) fn notify(&mut self, to: ServerId, notice: Notice) {
        self.list.push(Effect::Notify { to, notice });
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.list.len()
    }

    /// Adds one before those from `at` on.
    pub(super) fn insert(&mut self, at: usize, effect: Effect) {
        self.list.insert(at, effect);
    }

    /// Takes them, to be performed in this order.
    pub fn take(&mut self) -> std::vec::Drain<'_, Effect> {
        self.list.drain(..)
    }
}
