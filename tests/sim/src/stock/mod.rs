//! A server with stock ZooKeeper's habits as a learner.
//!
//! It votes and, when it is elected, leads by this project's engine; it follows as ZooKeeper 3.9.5
//! does, over the same links, and keeps what it has in files as stock does. What a leader may and
//! may not send follows from these habits:
//!
//! - behind DIFF it logs, before it accepts NEWLEADER, only what was committed on this link; the
//!   rest waits in memory for UPTODATE;
//! - behind TRUNC and SNAP what is committed goes to memory alone, and NEWLEADER makes a snapshot
//!   of that: flushed behind SNAP, not flushed behind TRUNC;
//! - SNAP leaves the old log in place: what it holds above the snapshot comes back at a start;
//! - TRUNC keeps the first record at or above the zxid, which the log may not hold;
//! - memory survives the end of a link, except in the middle of SNAP: the next leader is named the
//!   last txn in memory, on disk or not;
//! - each proposal is acknowledged by itself, once durable; UPTODATE is acknowledged, too;
//! - a COMMIT must name the oldest proposal of this link: otherwise the server exits;
//! - no PING is answered before UPTODATE.
//!
//! **What is deliberately not here**: stock's leader, which is a matter of learners of ours, and
//! not of leaders; observers; fuzzy snapshots, since the states of a leader of ours are exact. A
//! stock server refuses to start if it crashed between its log's first txn of an epoch and the
//! epoch file; here it starts, as it does when its operator writes the file, because its history is
//! then complete through that txn.
//!
//! Source: ZooKeeper 3.9.5, `Learner`, `Follower`, `FollowerZooKeeperServer`. Lives in:
//! `server::Running`.

pub mod files;
pub mod follower;

use crate::checks::State;
use follower::Follower;
use model::zxid::Zxid;
use std::collections::VecDeque;

/// What a stock server has in memory, besides its states.
#[derive(Debug)]
pub struct Stock {
    /// What it takes for its last txn (`lastProcessedZxid`).
    pub last: Zxid,
    /// Its part, while it follows or has just ceased to; otherwise its `Zab` has the word.
    pub following: Option<Follower>,
    /// Attempts to connect so far.
    pub attempts: u64,
}

impl Stock {
    /// One that has just started, or ceased to follow.
    pub fn new(last: Zxid) -> Self {
        Self { last, following: None, attempts: 0 }
    }
}

/// Applies a txn, and returns the states before and after it; nothing if it is part of the state,
/// because a txn of stock's may be applied twice.
pub fn replay(states: &mut VecDeque<State>, zxid: Zxid, txn: &[u8]) -> Option<(State, State)> {
    let end = states.back().copied().unwrap_or_default();
    if zxid > end.zxid {
        let after = end.then(zxid, txn);
        states.push_back(after);
        return Some((end, after));
    }
    let index = states.partition_point(|state| state.zxid < zxid);
    let before = index.checked_sub(1).map(|it| states[it]);
    let is_part = before.is_none_or(|before| before.then(zxid, txn) == states[index]);
    if is_part {
        return None;
    }
    // Something that belongs before what is there.
    let after = State { zxid: end.zxid, ..end.then(zxid, txn) };
    states.pop_back();
    states.push_back(after);
    Some((end, after))
}
