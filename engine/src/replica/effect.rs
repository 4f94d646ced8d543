//! What a replica asks for.

use crate::in_log::InLog;
use crate::message::ToShard;
use crate::ordering::{Refusal, ReplayError};
use crate::pipeline::Head;
use crate::state::State;
use crate::tree::Pin;
use crate::zab::{self, LinkId, Lost};
use model::zxid::{Epoch, Zxid};
use std::fmt;
use std::sync::Arc;

/// One effect.
pub enum Effect {
    /// Write these txns to the log behind all earlier ones, then return their memory.
    Append(Arc<InLog>),
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
    /// What agreement asks for of links, the disk and snapshots. Never [`zab::Effect::Append`],
    /// [`zab::Effect::Inherit`], [`zab::Effect::Committed`], [`zab::Effect::Lead`],
    /// [`zab::Effect::Follow`], [`zab::Effect::Look`] or [`zab::Effect::SendSnapshot`], which the
    /// replica performs itself, or says with what they need.
    Peer(zab::Effect),
    /// Send this version to the link as a snapshot, then report [`zab::Event::SnapshotSent`]. The
    /// link is the snapshot's until then. If the link ends, the pin is dropped soon: the server
    /// cannot vote while what it was to lead with is pinned.
    SendSnapshot(LinkId, Pin<State>),
    /// Free this tree, which may take long; no client sees it any more.
    Discard(Box<Head>),
    /// Serve clients from now on, as this epoch's leader or as a learner of that link; or, without
    /// a leader, read-only ones.
    Serve(Serving),
    /// Close all clients and take none: there is no leader.
    StopServing(Lost),
    /// Close the read-only clients and take none: a leader was elected.
    EndReadOnly,
    /// What the leader has committed does not fit this server's tree: the server must end, and
    /// synchronize anew from another copy.
    Diverged(ReplayError),
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
            Self::Peer(effect) => f.debug_tuple("Peer").field(effect).finish(),
            Self::SendSnapshot(link, _) => f.debug_tuple("SendSnapshot").field(link).finish(),
            Self::Discard(_) => f.write_str("Discard"),
            Self::Serve(serving) => f.debug_tuple("Serve").field(serving).finish(),
            Self::StopServing(why) => f.debug_tuple("StopServing").field(why).finish(),
            Self::EndReadOnly => f.write_str("EndReadOnly"),
            Self::Diverged(error) => f.debug_tuple("Diverged").field(error).finish(),
            Self::TakeSnapshot(_) => f.write_str("TakeSnapshot"),
        }
    }
}

/// As what a server of an ensemble serves clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// It leads this epoch.
    Leading(Epoch),
    /// It follows, or observes, over this link.
    Following(LinkId),
    /// It has no leader: clients that are content with it read what it knows to be committed.
    ReadOnly,
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

    pub(super) fn extend(&mut self, effects: impl IntoIterator<Item = Effect>) {
        self.list.extend(effects);
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
