//! Notifications: the votes that servers exchange while they elect a leader (source: ZooKeeper
//! 3.9.5, `FastLeaderElection`).
//!
//! ```text
//! bytes   0  state, int          28  epoch of the vote, long     \  from 3.4 on
//!         4  leader, long        36  version, int                /
//!        12  zxid, long          40  length of the configuration \  version 2 and later,
//!        20  round, long         44  the configuration, UTF-8    /  from 3.5 on
//! ```
//!
//! 28 bytes are the oldest form, whose vote has the epoch of its zxid; in 40 bytes the version is
//! not read. Bytes behind the last field are passed over, as ZooKeeper does.

use std::fmt;

use crate::jute::{self, JuteReader};
use crate::server::ServerId;
use crate::zxid::Zxid;

/// What a server is doing, as it says itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// It looks for a leader.
    Looking,
    /// It follows one.
    Following,
    /// It is one.
    Leading,
    /// It observes one.
    Observing,
}

/// Whom a server wants to lead, and why: the greater (epoch, zxid, leader) wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The server that should lead.
    pub leader: ServerId,
    /// The newest txn of that server.
    pub zxid: Zxid,
    /// The epoch that it was last current in. Any number of 64 bits can be said.
    pub epoch: i64,
}

/// One message of an election link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// What the sender is doing.
    pub state: ServerState,
    /// Its vote.
    pub vote: Vote,
    /// The round of elections that the vote is of: the sender's logical clock.
    pub round: i64,
    /// The text of the newest configuration that the sender knows; `None` from servers before 3.5,
    /// which have none.
    pub config: Option<&'a [u8]>,
}

/// Why a message is dropped. The link stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationError {
    /// It ends before its last field.
    Short {
        /// Bytes that it would need.
        needed: usize,
        /// Bytes that it has.
        found: usize,
    },
    /// The length of the configuration is negative, or more than there is.
    Config {
        /// What it says.
        length: i32,
        /// Bytes that follow it.
        found: usize,
    },
    /// The state is none of the four. ZooKeeper finds that out last: it answers such a message
    /// when it comes from a server that does not vote.
    State {
        /// What it says.
        found: i32,
    },
}

/// Bytes of the oldest form.
const BYTES_OLDEST: usize = 28;
/// Bytes of the form that has the epoch; room for a version is there and not read.
const BYTES_EPOCH: usize = 40;
/// Bytes in front of the configuration.
const BYTES_CONFIG: usize = 44;
/// What a message without a configuration says of its version, where it is read.
const VERSION_BARE: i32 = 1;
/// The version that is written, which has a configuration.
const VERSION: i32 = 2;

impl ServerState {
    const ALL: [Self; 4] = [Self::Looking, Self::Following, Self::Leading, Self::Observing];

    /// Its number on the wire.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The state behind a number, if there is one.
    pub fn of(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

impl Vote {
    /// The vote of a server that does not vote.
    pub const NONE: Self =
        Self { leader: ServerId(i64::MIN), zxid: Zxid(i64::MIN), epoch: i64::MIN };
}

impl<'a> Notification<'a> {
    /// Reads a message, which is all of `bytes`.
    ///
    /// # Errors
    /// What ZooKeeper drops, too.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, NotificationError> {
        if bytes.len() < BYTES_OLDEST {
            return Err(NotificationError::Short { needed: BYTES_OLDEST, found: bytes.len() });
        }
        if bytes.len() != BYTES_OLDEST && bytes.len() < BYTES_EPOCH {
            return Err(NotificationError::Short { needed: BYTES_EPOCH, found: bytes.len() });
        }
        let mut reader = JuteReader::new(bytes);
        let whole = "the length was checked";
        let state = reader.int().expect(whole);
        let leader = ServerId(reader.long().expect(whole));
        let zxid = Zxid(reader.long().expect(whole));
        let round = reader.long().expect(whole);
        let (epoch, config) = match bytes.len() {
            BYTES_OLDEST => (zxid.0 >> 32, None),
            BYTES_EPOCH => (reader.long().expect(whole), None),
            _ => (reader.long().expect(whole), Self::config(reader.int().expect(whole), bytes)?),
        };
        let state = ServerState::of(state).ok_or(NotificationError::State { found: state })?;
        Ok(Self { state, vote: Vote { leader, zxid, epoch }, round, config })
    }

    fn config(version: i32, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, NotificationError> {
        if version < VERSION {
            return Ok(None);
        }
        let Some((length, rest)) = bytes[BYTES_EPOCH..].split_first_chunk() else {
            return Err(NotificationError::Short { needed: BYTES_CONFIG, found: bytes.len() });
        };
        let length = i32::from_be_bytes(*length);
        let config = usize::try_from(length).ok().and_then(|length| rest.get(..length));
        config.map(Some).ok_or(NotificationError::Config { length, found: rest.len() })
    }

    /// Appends the message: version 2 with a configuration, 40 bytes without one.
    pub fn encode(&self, out: &mut Vec<u8>) {
        jute::put_int(out, self.state.code());
        jute::put_long(out, self.vote.leader.0);
        jute::put_long(out, self.vote.zxid.0);
        jute::put_long(out, self.round);
        jute::put_long(out, self.vote.epoch);
        match self.config {
            None => jute::put_int(out, VERSION_BARE),
            Some(config) => {
                jute::put_int(out, VERSION);
                jute::put_string(out, config);
            }
        }
    }
}

impl fmt::Display for NotificationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { needed, found } => {
                write!(f, "a notification of {found} bytes, where {needed} are needed")
            }
            Self::Config { length, found } => write!(
                f,
                "a notification whose configuration should have {length} bytes, and {found} follow"
            ),
            Self::State { found } => write!(f, "a notification of an unknown state: {found}"),
        }
    }
}

impl std::error::Error for NotificationError {}
