//! What the replica requests, effect by effect.

use super::harness::{SEED, settings};
use crate::acl::identity::Identities;
use crate::batch::ConnectionId;
use crate::message::{Bundle, Connect, ToOrdering, Write};
use crate::ordering::Refusal;
use crate::pipeline::Head;
use crate::replica::{Effect, Effects, Event, LogState, Replica, ReplicaParts, SnapshotPolicy};
use crate::settings::Now;
use model::jute;
use model::op::Op;
use model::session::SessionId;
use model::zxid::Zxid;
use std::sync::Arc;

const RESERVE_BYTES: u64 = 10_000;

/// A replica, and what it requested, in words.
struct Desk {
    replica: Replica,
    effects: Effects,
    now: Now,
    session: SessionId,
}

const CONNECTION: ConnectionId = ConnectionId { shard: 0, slot: 3, serial: 1 };

impl Desk {
    /// With a session, which is the first txn.
    fn new(txn_count: u64) -> Self {
        let settings = Arc::new(settings());
        let mut head = Head::new(settings.clone(), SEED);
        let version = head.seal();
        head.tree.publish(version);
        let parts = ReplicaParts {
            head,
            zxid: Zxid::ZERO,
            settings,
            shards: 1,
            reserve_bytes: RESERVE_BYTES,
            snapshots: SnapshotPolicy { txn_count, log_bytes_max: None },
            unsaved: (0, 0),
            member: None,
        };
        let now = Now { mono_ms: 1_000, wall_ms: 5_000 };
        let mut desk = Self {
            replica: Replica::new(parts, now),
            effects: Effects::default(),
            now,
            session: SessionId(0),
        };
        let connect = Connect {
            connection: CONNECTION,
            identities: Arc::new(Identities::default()),
            received_ms: 1_000,
            session: SessionId(0),
            password: None,
            timeout_ms: 10_000,
            read_only: None,
        };
        assert_eq!(desk.handle(Event::Shard(ToOrdering::Connect(connect))), "");
        assert_eq!(desk.handle(Event::TurnEnded), "", "the log has not accepted anything yet");
        assert_eq!(desk.handle(Event::Log(LogState::Ready)), "");
        assert_eq!(desk.handle(Event::TurnEnded), "Append([1])");
        assert_eq!(desk.handle(Event::Durable(Zxid(1))), "Published(1)");
        let sessions = &desk.replica.ordering().head.tree.meta().sessions;
        desk.session = *sessions.keys().next().unwrap();
        desk
    }

    fn handle(&mut self, event: Event<'_>) -> String {
        self.replica.handle(self.now, event, &mut self.effects);
        let replica = &mut self.replica;
        let words = self.effects.take().filter_map(|effect| {
            let words = format!("{effect:?}");
            match effect {
                Effect::Append(in_log) => replica.recycle(in_log),
                Effect::Deliver { .. } => return None,
                _ => (),
            }
            Some(words)
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn write(&mut self, op: Op, body: &[u8]) -> String {
        let write = Write {
            connection: CONNECTION,
            session: self.session,
            xid: 1,
            op,
            received_ms: self.now.mono_ms,
            large_bytes: 0,
            body: 0..body.len() as u32,
        };
        let bundle = Bundle { bytes: body.to_vec(), writes: vec![write] };
        self.handle(Event::Shard(ToOrdering::Writes(bundle)))
    }

    fn set(&mut self, bytes: usize) -> String {
        let mut body = Vec::new();
        jute::put_string(&mut body, b"/");
        jute::put_string(&mut body, &vec![7; bytes]);
        jute::put_int(&mut body, -1);
        self.write(Op::SetData, &body)
    }

    fn sync(&mut self) -> String {
        let mut body = Vec::new();
        jute::put_string(&mut body, b"/");
        self.write(Op::Sync, &body)
    }
}

#[test]
fn a_batch_grows_while_the_log_is_busy() {
    let mut desk = Desk::new(u64::MAX);
    desk.set(1);
    assert_eq!(desk.handle(Event::TurnEnded), "Append([2])");
    desk.handle(Event::Log(LogState::Busy));
    desk.set(1);
    assert_eq!(desk.handle(Event::TurnEnded), "");
    desk.set(1);
    assert_eq!(desk.handle(Event::TurnEnded), "");
    assert_eq!(desk.handle(Event::Durable(Zxid(2))), "Published(2)");
    desk.handle(Event::Log(LogState::Ready));
    assert_eq!(desk.handle(Event::TurnEnded), "Append([3, 4])");
    assert_eq!(desk.handle(Event::Durable(Zxid(3))), "", "a batch is published as a whole");
    assert!(!desk.replica.is_idle());
    assert_eq!(desk.handle(Event::Durable(Zxid(4))), "Published(4)");
    assert!(desk.replica.is_idle());
}

#[test]
fn what_needs_no_log_keeps_its_place() {
    let mut desk = Desk::new(u64::MAX);
    desk.handle(Event::Log(LogState::Busy));
    desk.sync();
    assert_eq!(desk.handle(Event::TurnEnded), "Published(1)", "nothing is before it");
    desk.handle(Event::Log(LogState::Ready));
    desk.set(1);
    assert_eq!(desk.handle(Event::TurnEnded), "Append([2])");
    desk.sync();
    assert_eq!(desk.handle(Event::TurnEnded), "", "a write is before it");
    assert_eq!(desk.handle(Event::Durable(Zxid(2))), "Published(2)");
}

#[test]
fn writes_are_refused_while_what_was_proposed_fits() {
    let mut desk = Desk::new(u64::MAX);
    desk.handle(Event::Log(LogState::Busy));
    assert_eq!(desk.handle(Event::LogBounded(Some(RESERVE_BYTES + 5_000))), "");
    assert_eq!(desk.set(4_000), "");
    assert_eq!(desk.set(4_000), "RefuseWrites(Some(DiskFull))");
    let proposed = desk.replica.ordering().proposed();
    assert_eq!(desk.set(1), "");
    assert_eq!(desk.replica.ordering().proposed(), proposed, "a refused write takes no zxid");
    desk.handle(Event::Log(LogState::Ready));
    assert_eq!(desk.handle(Event::TurnEnded), "Append([2, 3])", "the reserve is for these");
    assert_eq!(desk.handle(Event::Durable(proposed)), "Published(3)");
    assert_eq!(desk.handle(Event::LogBounded(None)), "RefuseWrites(None)");
    desk.set(1);
    assert_eq!(desk.handle(Event::TurnEnded), "Append([4])");
}

#[test]
fn a_log_that_has_ended_takes_nothing() {
    let mut desk = Desk::new(u64::MAX);
    assert_eq!(desk.handle(Event::Log(LogState::Ended)), "RefuseWrites(Some(LogEnded))");
    assert_eq!(desk.replica.ordering().refusal(), Some(Refusal::LogEnded));
    desk.set(1);
    assert_eq!(desk.handle(Event::TurnEnded), "Published(1)", "its refusal is all there is");
    assert_eq!(desk.handle(Event::LogBounded(None)), "", "room is no reason to start over");
}

#[test]
fn snapshots_are_of_what_is_published() {
    let mut desk = Desk::new(3);
    desk.set(1);
    assert_eq!(desk.handle(Event::TurnEnded), "Append([2])");
    assert_eq!(desk.handle(Event::Durable(Zxid(2))), "Published(2)");
    assert_eq!(desk.replica.deadline_ms(), 1_000 + settings().reap_interval_ms);
    desk.set(1);
    assert_eq!(desk.handle(Event::TurnEnded), "Append([3]) TakeSnapshot");
    for _ in 0..3 {
        desk.set(1);
    }
    desk.now.mono_ms += 100;
    assert_eq!(desk.handle(Event::TurnEnded), "Append([4, 5, 6])", "one at a time");
    assert_eq!(desk.handle(Event::SnapshotEnded), "");
    assert_eq!(desk.replica.deadline_ms(), desk.now.mono_ms + 400);
    desk.now.mono_ms += 400;
    assert_eq!(desk.handle(Event::TurnEnded), "TakeSnapshot");
}

#[test]
#[should_panic(expected = "is durable and was not proposed")]
fn a_log_cannot_be_ahead() {
    Desk::new(u64::MAX).handle(Event::Durable(Zxid(2)));
}

#[test]
fn what_is_dropped_was_never_proposed() {
    let mut desk = Desk::new(u64::MAX);
    desk.set(1);
    assert_eq!(desk.handle(Event::TurnEnded), "Append([2])");
    desk.set(2);
    desk.replica.drop_head(desk.now);
    let ordering = desk.replica.ordering();
    assert_eq!((ordering.proposed(), ordering.published()), (Zxid(1), Zxid(1)));
    assert_eq!(ordering.head.tree.lookup(b"/").unwrap().stat_native().version, 0);
    assert!(desk.replica.is_idle());
    desk.set(1);
    assert_eq!(desk.handle(Event::TurnEnded), "", "its connection is no longer attached");
}
