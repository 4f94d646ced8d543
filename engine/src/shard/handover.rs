//! What is handed over to the ordering role: the writes of a turn in one bundle, other messages
//! between.
//!
//! Invariant: it is taken in the order in which it happened here (guards:
//! `tests::messages_keep_their_order`,
//! `crate::tests::ends::a_session_moves_when_its_requests_are_handed_over`).
//!
//! Lives in: each shard.

use super::parking::{Parked, Taken};
use crate::batch::ConnectionId;
use crate::limits::BUNDLE_BYTES_MAX;
use crate::message::{Bundle, ToOrdering, Write};
use model::session::SessionId;

/// Bundles whose memory is kept, and the largest that is.
const SPARE_BUNDLES_MAX: usize = 8;
const SPARE_BUNDLE_BYTES_MAX: usize = 1 << 20;

/// Messages that wait to be taken.
#[derive(Debug, Default)]
pub(super) struct Handover {
    messages: Vec<ToOrdering>,
    /// The writes behind all of them.
    bundle: Bundle,
    spare: Vec<Bundle>,
}

impl Handover {
    /// Whether there are as many writes as a bundle may hold.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.bundle.bytes.len() >= BUNDLE_BYTES_MAX
    }

    /// Whether there are any.
    pub(super) fn has_messages(&self) -> bool {
        !self.messages.is_empty() || !self.bundle.writes.is_empty()
    }

    /// A write.
    #[inline]
    pub(super) fn write(&mut self, connection: ConnectionId, session: SessionId, taken: Taken<'_>) {
        let Taken { xid, op, body, large_bytes, received_ms } = taken;
        let start = self.bundle.bytes.len() as u32;
        self.bundle.bytes.extend_from_slice(body);
        let body = start..self.bundle.bytes.len() as u32;
        self.bundle.writes.push(Write {
            connection,
            session,
            xid,
            op,
            received_ms,
            large_bytes,
            body,
        });
    }

    /// Any other message.
    pub(super) fn push(&mut self, message: ToOrdering) {
        self.flush_bundle();
        self.messages.push(message);
    }

    /// All messages to hand over, drained by the caller.
    pub(super) fn take_messages(&mut self) -> std::vec::Drain<'_, ToOrdering> {
        self.flush_bundle();
        self.messages.drain(..)
    }

    /// Takes back what a connection has written since the messages were last taken.
    pub(super) fn take_back(&mut self, connection: ConnectionId) -> Vec<Parked> {
        let mut taken = Vec::new();
        let waiting = self.messages.iter_mut().filter_map(|message| match message {
            ToOrdering::Writes(bundle) => Some(bundle),
            _ => None,
        });
        for Bundle { bytes, writes } in waiting.chain([&mut self.bundle]) {
            writes.retain(|write| {
                let is_its = write.connection == connection;
                if is_its {
                    let Write { xid, op, large_bytes, received_ms, .. } = *write;
                    let body = &bytes[write.body.start as usize..write.body.end as usize];
                    taken.push(Taken { xid, op, body, large_bytes, received_ms }.into());
                }
                !is_its
            });
        }
        taken
    }

    /// A bundle whose memory can be reused.
    pub(super) fn recycle(&mut self, bundle: Bundle) {
        let is_kept = self.spare.len() < SPARE_BUNDLES_MAX;
        if is_kept && bundle.bytes.capacity() <= SPARE_BUNDLE_BYTES_MAX {
            self.spare.push(bundle);
        }
    }

    fn flush_bundle(&mut self) {
        if !self.bundle.writes.is_empty() {
            let fresh = self.spare.pop().unwrap_or_default();
            let bundle = std::mem::replace(&mut self.bundle, fresh);
            self.messages.push(ToOrdering::Writes(bundle));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Handover, Taken};
    use crate::batch::ConnectionId;
    use crate::message::ToOrdering;
    use model::op::Op;
    use model::session::SessionId;

    fn connection(slot: u32) -> ConnectionId {
        ConnectionId { shard: 0, slot, serial: 1 }
    }

    fn write(handover: &mut Handover, slot: u32, xid: i32) {
        let body = xid.to_be_bytes();
        let taken = Taken { xid, op: Op::SetData, body: &body, large_bytes: 0, received_ms: 0 };
        handover.write(connection(slot), SessionId(1), taken);
    }

    fn detach(handover: &mut Handover, slot: u32) {
        let session = SessionId(1);
        handover.push(ToOrdering::Detached { connection: connection(slot), session });
    }

    /// The numbers of writes, and the slots of detached connections below zero.
    fn handed_over(handover: &mut Handover) -> Vec<i32> {
        let messages = handover.take_messages().flat_map(|message| match message {
            ToOrdering::Writes(bundle) => {
                let body = |write: &crate::message::Write| {
                    bundle.bytes[write.body.start as usize..write.body.end as usize].to_vec()
                };
                assert!(bundle.writes.iter().all(|write| body(write) == write.xid.to_be_bytes()));
                bundle.writes.iter().map(|write| write.xid).collect()
            }
            ToOrdering::Detached { connection, .. } => vec![-(connection.slot as i32)],
            other => panic!("{other:?}"),
        });
        messages.collect()
    }

    #[test]
    fn messages_keep_their_order() {
        let mut handover = Handover::default();
        assert!(!handover.has_messages());
        write(&mut handover, 1, 10);
        write(&mut handover, 2, 20);
        detach(&mut handover, 2);
        write(&mut handover, 1, 11);
        assert!(handover.has_messages());
        assert_eq!(handed_over(&mut handover), [10, 20, -2, 11]);
        assert!(!handover.has_messages());
    }

    #[test]
    fn what_is_taken_back_is_not_handed_over() {
        let mut handover = Handover::default();
        for (slot, xid) in [(1, 10), (2, 20), (1, 11)] {
            write(&mut handover, slot, xid);
        }
        detach(&mut handover, 3);
        write(&mut handover, 1, 12);
        let taken = handover.take_back(connection(1));
        let xids: Vec<_> = taken.iter().map(|parked| parked.taken().xid).collect();
        assert_eq!(xids, [10, 11, 12]);
        assert!(taken.iter().all(|one| one.taken().body == one.taken().xid.to_be_bytes()));
        assert_eq!(handed_over(&mut handover), [20, -3]);
    }
}
