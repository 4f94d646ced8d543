//! What a replica asks for.

use crate::in_log::InLog;
use crate::message::ToShard;
use crate::ordering::Refusal;
use crate::state::State;
use crate::tree::Pin;
use model::zxid::Zxid;
use std::fmt;

/// One effect.
pub enum Effect {
    /// Write these txns to the log behind all earlier ones, then return their memory.
    Append(InLog),
    /// Everything through this txn is published: sleeping shards must be woken.
    Published(Zxid),
    /// Hand this message to a shard.
    Deliver {
        /// Which one.
        shard: u16,
        /// The message.
        message: ToShard,
    },
    /// Writes are refused from now on, or accepted again; the replica does so itself.
    RefuseWrites(Option<Refusal>),
    /// Write this version as a snapshot, then report [`Event::SnapshotEnded`](super::Event).
    TakeSnapshot(Pin<State>),
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(in_log) => {
                let zxids: Vec<_> = in_log.txns(0).map(|(zxid, _)| zxid.0).collect();
                f.debug_tuple("Append").field(&zxids).finish()
            }
            Self::Published(zxid) => f.debug_tuple("Published").field(&zxid.0).finish(),
            Self::Deliver { shard, message } => {
                f.debug_struct("Deliver").field("shard", shard).field("message", message).finish()
            }
            Self::RefuseWrites(refusal) => f.debug_tuple("RefuseWrites").field(refusal).finish(),
            Self::TakeSnapshot(_) => f.write_str("TakeSnapshot"),
        }
    }
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

    pub(super) fn deliver(&mut self, messages: impl Iterator<Item = (u16, ToShard)>) {
        self.list.extend(messages.map(|(shard, message)| Effect::Deliver { shard, message }));
    }

    /// Takes them, to be performed in this order.
    pub fn take(&mut self) -> std::vec::Drain<'_, Effect> {
        self.list.drain(..)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
