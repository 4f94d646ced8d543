//! What must hold, watched from outside of the servers.

use crate::Place;
use model::txn::is_reconfig;
use model::zxid::{Epoch, Zxid};
use std::collections::BTreeMap;
use std::fmt;

/// The state behind a txn: equal exactly if the histories through it are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The last txn.
    pub zxid: Zxid,
    /// A hash of it and all before it.
    pub hash: u64,
    /// The last txn that was another configuration.
    pub changed: Zxid,
}

impl State {
    /// The state behind one more txn.
    #[must_use]
    pub fn then(self, zxid: Zxid, txn: &[u8]) -> Self {
        // FNV-1a, over the state before, the zxid and the txn.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ self.hash;
        for &byte in zxid.0.to_le_bytes().iter().chain(txn) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let changed = if is_reconfig(txn) { zxid } else { self.changed };
        Self { zxid, hash: hash ^ hash >> 29, changed }
    }
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Two servers lead the same epoch.
    TwoLeaders {
        /// The epoch.
        epoch: Epoch,
        /// The servers.
        places: (Place, Place),
    },
    /// A server shows a history that another one did not show so.
    Diverged {
        /// The server.
        place: Place,
        /// Where.
        zxid: Zxid,
    },
    /// A server shows less than it has shown since it started.
    Backward {
        /// The server.
        place: Place,
        /// What it had shown.
        shown: Zxid,
        /// What it shows.
        zxid: Zxid,
    },
    /// An acknowledged txn is missing from what is shown at the end.
    Lost {
        /// The txn.
        zxid: Zxid,
    },
    /// A leader answers a sync, and does not show what was acknowledged before it.
    Stale {
        /// The server.
        place: Place,
        /// Through where it shows its history.
        zxid: Zxid,
        /// What was acknowledged.
        acknowledged: Zxid,
    },
    /// Without faults, a server does not serve, or not what the others serve.
    NotServing {
        /// The server.
        place: Place,
        /// Through where it has shown its history.
        zxid: Zxid,
    },
    /// A stock server exits, or gives up its link, because of what its leader sent.
    Wronged {
        /// The server.
        place: Place,
        /// What was sent.
        what: &'static str,
    },
    /// A txn, or what is shown of it, contradicts what was known before.
    Recorded {
        /// The txn.
        zxid: Zxid,
        /// How.
        what: &'static str,
    },
    /// A server shows what no quorum holds on its disks.
    Unheld {
        /// The server.
        place: Place,
        /// What it shows.
        zxid: Zxid,
    },
    /// A server answers what it does not show.
    Early {
        /// The server.
        place: Place,
        /// What it answers with.
        zxid: Zxid,
    },
    /// A client is answered what does not fit what it asked for, or has seen.
    Misled {
        /// The client.
        client: usize,
        /// Where in the history.
        zxid: Zxid,
        /// How.
        what: &'static str,
    },
    /// A session has expired whose client was active.
    Expired {
        /// The session.
        session: i64,
    },
    /// Without faults, a client is not served.
    Unserved {
        /// The client.
        client: usize,
    },
    /// An assertion of the engine failed.
    Panicked,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoLeaders { epoch, places: (one, other) } => {
                write!(f, "servers {} and {} lead epoch {}", one + 1, other + 1, epoch.0)
            }
            Self::Diverged { place, zxid } => {
                write!(f, "server {} shows another history at {zxid}", place + 1)
            }
            Self::Backward { place, shown, zxid } => {
                write!(f, "server {} shows {zxid} after {shown}", place + 1)
            }
            Self::Lost { zxid } => write!(f, "{zxid} was acknowledged and is missing"),
            Self::Stale { place, zxid, acknowledged } => {
                let server = place + 1;
                write!(f, "server {server} is confirmed at {zxid}, behind {acknowledged}")
            }
            Self::NotServing { place, zxid } => {
                write!(f, "server {} does not serve without faults; it shows {zxid}", place + 1)
            }
            Self::Wronged { place, what } => {
                write!(f, "the stock server {} was sent what it cannot bear: {what}", place + 1)
            }
            Self::Recorded { zxid, what } => write!(f, "the txn {zxid}: {what}"),
            Self::Unheld { place, zxid } => {
                write!(f, "server {} shows {zxid}, which no quorum holds", place + 1)
            }
            Self::Early { place, zxid } => {
                write!(f, "server {} answers with {zxid}, which it does not show", place + 1)
            }
            Self::Misled { client, zxid, what } => {
                write!(f, "client {client} was misled at {zxid}: {what}")
            }
            Self::Expired { session } => {
                write!(f, "the session {session:#x} has expired, though its client was active")
            }
            Self::Unserved { client } => write!(f, "client {client} is not served without faults"),
            Self::Panicked => f.write_str("an assertion failed"),
        }
    }
}

/// Everything that was shown to clients, as one history.
#[derive(Debug, Default)]
pub struct Checks {
    leaders: BTreeMap<Epoch, Place>,
    /// What was shown, by its hash.
    shown: BTreeMap<u64, Zxid>,
    tail: State,
    /// What was shown for the first time, until it is taken.
    news: Vec<State>,
    /// Every state that a txn has led to on some server, and the state before it.
    made: BTreeMap<u64, (State, State)>,
    acknowledged: Vec<State>,
    last_acknowledged: Zxid,
}

impl Checks {
    /// A server begins to lead.
    pub fn leads(&mut self, place: Place, epoch: Epoch) -> Result<(), Violation> {
        match self.leaders.insert(epoch, place) {
            Some(other) => Err(Violation::TwoLeaders { epoch, places: (other, place) }),
            None => Ok(()),
        }
    }

    /// A txn has led from one state to another on some server.
    pub fn made(&mut self, before: State, after: State) {
        self.made.insert(after.hash, (after, before));
    }

    /// A server shows a state: it is one that was shown, or comes behind all that was.
    ///
    /// A snapshot may have brought it there without the txns before it; its zxid may be the start
    /// of an epoch, which no txn has. So states are found by their hashes.
    pub fn shows(&mut self, place: Place, state: State) -> Result<(), Violation> {
        let diverged = Violation::Diverged { place, zxid: state.zxid };
        let mut behind_tail = Vec::new();
        let mut hash = state.hash;
        while hash != self.tail.hash {
            if self.shown.contains_key(&hash) || hash == State::default().hash {
                // A part of what was shown, unless something else was added to it.
                return if behind_tail.is_empty() { Ok(()) } else { Err(diverged) };
            }
            let Some((made, before)) = self.made.get(&hash) else { return Err(diverged) };
            behind_tail.push(*made);
            hash = before.hash;
        }
        for state in behind_tail.into_iter().rev() {
            self.shown.insert(state.hash, state.zxid);
            self.tail = state;
            self.news.push(state);
        }
        Ok(())
    }

    /// What was shown for the first time since this was last asked for.
    pub fn take_news(&mut self) -> Vec<State> {
        std::mem::take(&mut self.news)
    }

    /// A client's txn was acknowledged.
    pub fn acknowledged(&mut self, state: State) {
        self.last_acknowledged = self.last_acknowledged.max(state.zxid);
        self.acknowledged.push(state);
    }

    /// At the end, all servers show the same: everything acknowledged is in it.
    pub fn ended(&self) -> Result<(), Violation> {
        let is_missing = |it: &&State| !self.shown.contains_key(&it.hash);
        match self.acknowledged.iter().find(is_missing) {
            Some(lost) => Err(Violation::Lost { zxid: lost.zxid }),
            None => Ok(()),
        }
    }

    /// The end of what was shown.
    pub fn tail(&self) -> State {
        self.tail
    }

    /// The last txn that was acknowledged.
    pub fn last_acknowledged(&self) -> Zxid {
        self.last_acknowledged
    }

    /// Count of txns acknowledged.
    pub fn acknowledged_count(&self) -> usize {
        self.acknowledged.len()
    }

    /// Count of leaders there were.
    pub fn leader_count(&self) -> usize {
        self.leaders.len()
    }
}
