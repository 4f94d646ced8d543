//! A learner as the server sees it that it learns from.

use super::super::event::LinkId;
use super::bounding::CatchingUp;
use model::server::ServerId;
use model::zxid::{Epoch, Zxid};
use std::collections::VecDeque;

/// How far a learner has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has connected, and has yet to introduce itself.
    Arrived,
    /// It waits for the epoch.
    Registered,
    /// It was sent the epoch, and has yet to promise it.
    Asked,
    /// It has promised, and waits for a quorum of promises; a stock learner that comes back within
    /// the epoch also waits until everything that it holds is committed.
    Promised {
        /// The end of its history.
        last: Zxid,
    },
    /// The log is being read: for the first piece, which decides how to begin, from `last`.
    Choosing {
        /// The end of its history.
        last: Zxid,
    },
    /// Its history goes through `sent`, and the log is being read for what comes behind.
    Sending {
        /// The last txn sent.
        sent: Zxid,
    },
    /// A snapshot is on its way.
    SendingSnapshot {
        /// The last txn that it holds.
        through: Zxid,
    },
    /// It has the whole history, and NEWLEADER; it gets every proposal from now on.
    Offered,
    /// It has accepted the leader's history.
    Accepted {
        /// The last txn that it holds durably, as acknowledged on this link.
        held: Zxid,
    },
}

/// A learner.
#[derive(Debug)]
pub struct Learner {
    /// Its link.
    pub link: LinkId,
    /// Its id, once it has introduced itself.
    pub id: Option<ServerId>,
    /// Whether it takes what is committed only.
    pub is_observer: bool,
    /// Whether it is a server of this project. A stock one's log may lack what its history holds.
    pub is_kin: bool,
    /// The epoch that it had promised when it connected.
    pub promised: Epoch,
    /// Whether its promise counts.
    pub has_promised: bool,
    /// How far it has come.
    pub stage: Stage,
    /// How it catches up, until it has accepted the history.
    pub catching_up: Option<CatchingUp>,
    /// When its last packet arrived, in ms of the monotonic clock.
    pub heard_ms: u64,
    /// The number of the last ping that it has answered.
    pub answered: u64,
    /// What had been proposed at some moments, oldest first, until it acknowledges that.
    marks: VecDeque<(Zxid, u64)>,
}

impl Learner {
    /// A learner that has just connected.
    pub fn new(link: LinkId, now_ms: u64) -> Self {
        Self {
            link,
            id: None,
            is_observer: false,
            is_kin: false,
            promised: Epoch(0),
            has_promised: false,
            stage: Stage::Arrived,
            catching_up: None,
            heard_ms: now_ms,
            answered: 0,
            marks: VecDeque::new(),
        }
    }

    /// Whether it gets every proposal.
    pub fn is_in_broadcast(&self) -> bool {
        matches!(self.stage, Stage::Offered | Stage::Accepted { .. })
    }

    /// What it holds, if that counts.
    pub fn held(&self) -> Option<Zxid> {
        match self.stage {
            Stage::Accepted { held } => Some(held),
            _ => None,
        }
    }

    /// Remembers that everything through `proposed` was sent by now. What was sent before it had
    /// accepted the leader's history counts from then on: it may have had much to take over.
    pub fn mark(&mut self, proposed: Zxid, now_ms: u64) {
        let Some(held) = self.held() else { return };
        let newest = self.marks.back().map_or(held, |(zxid, _)| *zxid);
        if !self.is_observer && newest < proposed {
            self.marks.push_back((proposed, now_ms));
        }
    }

    /// It holds everything through `zxid`.
    pub fn acknowledged(&mut self, zxid: Zxid) {
        while self.marks.front().is_some_and(|(mark, _)| *mark <= zxid) {
            self.marks.pop_front();
        }
    }

    /// Whether it has been silent since `since_ms`, or has not acknowledged what was sent then. Not
    /// while the leader has something to do for it: sending a large snapshot takes its time.
    pub fn is_silent_since(&self, since_ms: u64) -> bool {
        let is_waiting = match self.stage {
            Stage::Promised { .. }
            | Stage::Choosing { .. }
            | Stage::Sending { .. }
            | Stage::SendingSnapshot { .. } => true,
            Stage::Arrived
            | Stage::Registered
            | Stage::Asked
            | Stage::Offered
            | Stage::Accepted { .. } => false,
        };
        if is_waiting {
            return false;
        }
        self.heard_ms < since_ms || self.marks.front().is_some_and(|(_, at_ms)| *at_ms < since_ms)
    }
}
