//! Faults that can be planted, to see that the simulator finds them.
//!
//! A server has none: without the feature `plants` the question is `false` to the compiler.

/// A rule of agreement that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// A learner acknowledges what it has handed to the log.
    AckBeforeDurable,
    /// A leader counts its own disk as a quorum.
    CommitWithoutQuorum,
    /// What a voter has acknowledged counts after its link has ended, also when it has come back
    /// and was cut to the commit point.
    AckCountedOverLinks,
    /// A learner shows what is committed before UPTODATE.
    ShownBeforeUpToDate,
    /// A promise is given before it is stored.
    PromiseBeforeStored,
    /// The current epoch is stored before the history is durable.
    EpochBeforeHistory,
    /// A learner keeps what it has beyond the leader's history.
    CutForgotten,
    /// A server votes with what is in memory while its log is still writing.
    VoteBeforeDurable,
    /// Servers vote for whoever has the highest id, and a leader takes the promise of a learner
    /// whose history is longer than its own.
    AheadIgnored,
    /// A learner acknowledges what is durable before it has accepted the leader's history.
    AckBeforeNewLeader,
    /// A server that starts has forgotten what it had promised, and not accepted.
    PromiseForgotten,
    /// A leader commits txns of earlier epochs one by one, before a quorum has accepted its own.
    InheritedShownEarly,
    /// The COMMITs of inherited txns follow NEWLEADER; a stock learner accepts that without having
    /// logged them.
    InheritedBare,
    /// A snapshot has the zxid of the last txn that it holds, also when that is below the one that
    /// the learner named; a stock learner replays its old log above it.
    SnapBelowPeer,
    /// A stock learner is cut as one of this project is.
    StockCut,
    /// A leader confirms by itself that it leads.
    ConfirmedAlone,
    /// A learner whose history was accepted shows all of its log.
    TailShown,
    /// A learner answers a sync before its tree holds what was committed before that.
    SyncBeforeCommits,
    /// A learner's answer to a ping does not name the sessions that were active.
    TouchesForgotten,
    /// A new leader takes every session for a silent one.
    SessionsWithoutTime,
    /// A leader takes a write of a session over a link that the session has left.
    OwnerIgnored,
    /// A leader that loses its place keeps what it has applied and not published.
    HeadKept,
    /// What is decided while a configuration is proposed needs a quorum of the old one only.
    NextQuorumIgnored,
    /// A configuration is in force on a learner once it is proposed.
    ProposedInForce,
    /// An observer master informs of what is proposed.
    ProposedInformed,
}

impl Plant {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::AckBeforeDurable,
        Self::CommitWithoutQuorum,
        Self::AckCountedOverLinks,
        Self::ShownBeforeUpToDate,
        Self::PromiseBeforeStored,
        Self::EpochBeforeHistory,
        Self::CutForgotten,
        Self::VoteBeforeDurable,
        Self::AheadIgnored,
        Self::AckBeforeNewLeader,
        Self::PromiseForgotten,
        Self::InheritedShownEarly,
        Self::InheritedBare,
        Self::SnapBelowPeer,
        Self::StockCut,
        Self::ConfirmedAlone,
        Self::TailShown,
        Self::SyncBeforeCommits,
        Self::TouchesForgotten,
        Self::SessionsWithoutTime,
        Self::OwnerIgnored,
        Self::HeadKept,
        Self::NextQuorumIgnored,
        Self::ProposedInForce,
        Self::ProposedInformed,
    ];
}

/// What is planted in one server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Planted {
    #[cfg(feature = "plants")]
    plant: Option<Plant>,
}

impl Planted {
    /// Plants one.
    #[cfg(feature = "plants")]
    pub fn one(plant: Option<Plant>) -> Self {
        Self { plant }
    }

    /// Whether this rule is broken.
    #[inline]
    pub fn has(self, plant: Plant) -> bool {
        #[cfg(feature = "plants")]
        return self.plant == Some(plant);
        #[cfg(not(feature = "plants"))]
        {
            let _ = plant;
            false
        }
    }
}
