use crate::session::{SessionPlace, SessionTable};
use model::session::SessionId;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const TICK_MS: u64 = 1000;

fn table(shards: u16) -> SessionTable {
    SessionTable::new(SessionId(100), TICK_MS, shards, 0)
}

fn track(table: &mut SessionTable, timeout_ms: u64, now_ms: u64) -> SessionId {
    let id = table.allocate();
    table.track(id, timeout_ms, SessionPlace::Detached, Arc::default(), now_ms);
    id
}

#[test]
fn ids_are_not_given_twice() {
    let mut table = SessionTable::new(SessionId(-1), TICK_MS, 1, 0);
    assert_eq!(table.allocate(), SessionId(-1));
    assert_eq!(table.allocate(), SessionId(1), "0 requests a new one");
    table.track(SessionId(2), 1, SessionPlace::Detached, Arc::default(), 0);
    assert_eq!(table.allocate(), SessionId(3));
}

#[test]
fn a_bucket_waits_for_every_shard() {
    let mut table = table(2);
    let id = track(&mut table, 1500, 0);
    assert_eq!(table.deadline_ms(), None, "no shard has read that far");
    table.reported(0, 3000);
    assert!(table.expired(2500).is_empty());
    table.reported(1, 1999);
    assert!(table.expired(2500).is_empty());
    table.touch(id, 1200);
    table.reported(1, 2500);
    assert_eq!(table.deadline_ms(), Some(2000));
    assert!(table.expired(2500).is_empty(), "it was active meanwhile");
    assert_eq!(table.deadline_ms(), None);
    table.reported(1, 3000);
    assert_eq!(table.expired(3000), [id]);
    assert!(table.expired(3000).is_empty());
}

#[test]
fn quiet_times_are_not_a_stall() {
    let mut table = table(1);
    let id = track(&mut table, 30_000, 0);
    // Nothing was due for thirty seconds, and no one asked.
    table.reported(0, 31_500);
    assert_eq!(table.expired(31_500), [id]);
}

#[test]
fn what_is_not_read_yet_keeps_a_session() {
    let mut table = table(1);
    let (live, dead) = (track(&mut table, 3000, 0), track(&mut table, 3000, 0));
    // Due at 4000. Then the server was stalled for twenty seconds.
    table.reported(0, 3900);
    assert!(table.expired(24_000).is_empty());
    table.touch(live, 24_000);
    table.reported(0, 24_000);
    assert_eq!(table.expired(24_100), [dead], "it gains nothing");
    table.reported(0, 27_900);
    assert!(table.expired(28_000).is_empty());
    table.reported(0, 28_000);
    assert_eq!(table.expired(28_000), [live]);
}

#[test]
fn a_session_that_is_closing_does_not_expire() {
    let mut table = table(1);
    let id = track(&mut table, 1000, 0);
    table.entry_mut(id).unwrap().place = SessionPlace::Closing(None);
    table.reported(0, 5000);
    assert!(table.expired(4000).is_empty());
    assert!(table.forget(id).is_some());
    assert!(table.is_empty());
}

#[derive(Clone, Debug)]
enum Event {
    Track { timeout_ms: u64 },
    Touch { at: usize },
    Retime { at: usize, timeout_ms: u64 },
    Forget { at: usize },
    Pass { ms: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => (1..9000u64).prop_map(|timeout_ms| Event::Track { timeout_ms }),
        4 => any::<usize>().prop_map(|at| Event::Touch { at }),
        3 => (any::<usize>(), 1..9000u64)
            .prop_map(|(at, timeout_ms)| Event::Retime { at, timeout_ms }),
        1 => any::<usize>().prop_map(|at| Event::Forget { at }),
        6 => (1..1500u64).prop_map(|ms| Event::Pass { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..<_>::default() })]

    /// Each session expires once, at the end of the bucket of its last activity.
    #[test]
    fn sessions_expire_when_they_should(events in prop::collection::vec(event(), 1..150)) {
        let mut table = table(1);
        let mut plain = BTreeMap::<SessionId, (u64, u64)>::new();
        let mut now_ms = 0;
        let bucket =
            |from_ms: u64, timeout_ms: u64| ((from_ms + timeout_ms) / TICK_MS + 1) * TICK_MS;
        for event in events {
            let some = |at: usize, plain: &BTreeMap<SessionId, _>| {
                plain.keys().nth(at % plain.len().max(1)).copied()
            };
            match event {
                Event::Track { timeout_ms } => {
                    let id = track(&mut table, timeout_ms, now_ms);
                    plain.insert(id, (timeout_ms, bucket(now_ms, timeout_ms)));
                }
                Event::Touch { at } => if let Some(id) = some(at, &plain) {
                    table.touch(id, now_ms);
                    let (timeout_ms, end_ms) = plain.get_mut(&id).unwrap();
                    *end_ms = bucket(now_ms, *timeout_ms).max(*end_ms);
                },
                Event::Retime { at, timeout_ms } => if let Some(id) = some(at, &plain) {
                    table.retime(id, timeout_ms, now_ms);
                    plain.insert(id, (timeout_ms, bucket(now_ms, timeout_ms)));
                },
                Event::Forget { at } => if let Some(id) = some(at, &plain) {
                    prop_assert!(table.forget(id).is_some());
                    plain.remove(&id);
                },
                Event::Pass { ms } => {
                    now_ms += ms;
                    table.reported(0, now_ms);
                    let mut expired = table.expired(now_ms);
                    expired.sort();
                    let due = plain.iter().filter(|(_, (_, end_ms))| *end_ms <= now_ms);
                    let due: Vec<_> = due.map(|(id, _)| *id).collect();
                    prop_assert_eq!(&expired, &due);
                    for id in due {
                        plain.remove(&id);
                        table.forget(id);
                    }
                }
            }
            prop_assert_eq!(table.len(), plain.len());
        }
    }
}
