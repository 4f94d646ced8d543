//! Links between servers: what is sent arrives in order and later, or the link breaks.

use crate::Place;
use crate::checks::State;
use std::collections::VecDeque;

/// What travels over a learner link.
#[derive(Clone, Debug)]
pub enum Frame {
    /// Packets.
    Bytes(Vec<u8>),
    /// The stream of a snapshot.
    Snapshot(State),
    /// The other end has closed the link, or its server has crashed.
    End,
}

/// Which end of a link: the one that connected, or the one that accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It connected: a learner.
    Dialer = 0,
    /// It accepted: a leader.
    Acceptor = 1,
}

impl Side {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Dialer => Self::Acceptor,
            Self::Acceptor => Self::Dialer,
        }
    }
}

/// One end of a link.
#[derive(Clone, Debug)]
pub struct End {
    /// Whose it is.
    pub place: Place,
    /// Which start of that server it belongs to.
    pub boot: u32,
    /// Whether that server still uses it.
    pub is_open: bool,
    /// What is on its way to this end, with the earliest time of its arrival, in us.
    pub inbox: VecDeque<(u64, Frame)>,
    /// Bytes that arrived and are not handed in yet.
    pub unread: Vec<u8>,
}

/// A learner link.
#[derive(Clone, Debug)]
pub struct Link {
    /// Both ends.
    pub ends: [End; 2],
}

impl Link {
    /// A link between two servers, each at one of its starts.
    pub fn new(dialer: (Place, u32), acceptor: (Place, u32)) -> Self {
        let end = |(place, boot)| End {
            place,
            boot,
            is_open: true,
            inbox: VecDeque::new(),
            unread: Vec::new(),
        };
        Self { ends: [end(dialer), end(acceptor)] }
    }

    /// One end.
    pub fn end(&self, side: Side) -> &End {
        &self.ends[side as usize]
    }

    /// One end, to be changed.
    pub fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }
}

/// Which servers cannot reach which.
#[derive(Clone, Debug, Default)]
pub struct Partition {
    blocked: Vec<(Place, Place)>,
}

impl Partition {
    /// Whether nothing arrives from one server at another.
    pub fn is_blocked(&self, from: Place, to: Place) -> bool {
        self.blocked.contains(&(from, to))
    }

    /// Blocks one direction.
    pub fn block(&mut self, from: Place, to: Place) {
        self.blocked.push((from, to));
    }

    /// Everything arrives again.
    pub fn heal(&mut self) {
        self.blocked.clear();
    }
}
