use super::{Notified, WatchMode, WatchTable, Watches};
use crate::shard::measured::Measured;
use model::response::EventKind;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A plain model of what is watched: modes by slot and path.
#[derive(Default)]
struct Plain(BTreeMap<(u32, Vec<u8>), BTreeSet<u8>>);

const MODES: [WatchMode; 3] = [WatchMode::STANDARD, WatchMode::PERSISTENT, WatchMode::RECURSIVE];

impl Plain {
    fn trigger(&mut self, path: &[u8]) -> Vec<u32> {
        let is_above = |watched: &[u8]| {
            watched == b"/" || path.strip_prefix(watched).is_some_and(|rest| rest.starts_with(b"/"))
        };
        let mut notified = BTreeSet::new();
        for ((slot, watched), modes) in &mut self.0 {
            if watched == path {
                notified.insert(*slot);
                modes.remove(&0);
            } else if is_above(watched) && modes.contains(&2) {
                notified.insert(*slot);
            }
        }
        self.0.retain(|_, modes| !modes.is_empty());
        notified.into_iter().collect()
    }
}

#[derive(Clone, Debug)]
enum Event {
    Add(u32, Vec<u8>, u8),
    Remove(u32, Vec<u8>, u8),
    RemoveAny(u32, Vec<u8>),
    Trigger(Vec<u8>),
    Forget(u32),
    ForgetSome,
}

fn event() -> impl Strategy<Value = Event> {
    let path = || "/|(/[ab]){1,3}".prop_map(String::into_bytes);
    prop_oneof![
        6 => (0..5u32, path(), 0..3u8).prop_map(|(slot, path, mode)| Event::Add(slot, path, mode)),
        2 => (0..5u32, path(), 0..3u8)
            .prop_map(|(slot, path, mode)| Event::Remove(slot, path, mode)),
        1 => (0..5u32, path()).prop_map(|(slot, path)| Event::RemoveAny(slot, path)),
        5 => path().prop_map(Event::Trigger),
        1 => (0..5u32).prop_map(Event::Forget),
        1 => Just(Event::ForgetSome),
    ]
}

/// Whether both sides of the table agree with the plain model.
fn assert_sides(table: &WatchTable, plain: &Plain) {
    let mut by_path = BTreeSet::new();
    for (path, slots) in table.paths() {
        assert!(!slots.is_empty(), "a path without watchers is not listed");
        for &slot in slots {
            assert!(by_path.insert((slot, path.to_vec())), "a watcher is listed once");
        }
    }
    let by_slot = (0..5).flat_map(|slot| {
        table.some_of_slot(slot, 0, usize::MAX).0.map(move |p| (slot, p.to_vec()))
    });
    let by_slot: BTreeSet<_> = by_slot.collect();
    let expected: BTreeSet<_> = plain.0.keys().cloned().collect();
    assert_eq!(by_path, expected);
    assert_eq!(by_slot, expected);
    let slots: BTreeSet<_> = expected.iter().map(|(slot, _)| slot).collect();
    let paths: BTreeSet<_> = expected.iter().map(|(_, path)| path).collect();
    assert_eq!((table.len(), table.path_count()), (expected.len(), paths.len()));
    assert_eq!(table.is_empty(), paths.is_empty());
    // A connection whose watch has fired is still known, as in stock.
    assert!(table.connection_count() >= slots.len());
    assert!(slots.iter().all(|slot| table.knows(**slot)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn both_sides_agree(events in prop::collection::vec(event(), 1..120)) {
        let (mut table, mut plain) = (WatchTable::new([3, 4]), Plain::default());
        for event in events {
            match event {
                Event::Add(slot, path, mode) => {
                    table.add(&path, slot, MODES[usize::from(mode)]);
                    plain.0.entry((slot, path)).or_default().insert(mode);
                }
                Event::Remove(slot, path, mode) => {
                    let modes = plain.0.get_mut(&(slot, path.clone()));
                    let had = modes.is_some_and(|modes| modes.remove(&mode));
                    plain.0.retain(|_, modes| !modes.is_empty());
                    prop_assert_eq!(table.has(&path, slot, MODES[usize::from(mode)]), had);
                    prop_assert_eq!(table.remove(&path, slot, MODES[usize::from(mode)]), had);
                }
                Event::RemoveAny(slot, path) => {
                    let had = plain.0.remove(&(slot, path.clone())).is_some();
                    prop_assert_eq!(table.has(&path, slot, WatchMode::ANY), had);
                    prop_assert_eq!(table.remove(&path, slot, WatchMode::ANY), had);
                }
                Event::Trigger(path) => {
                    let mut found = Notified::default();
                    found.clear();
                    found.insert(99);
                    table.trigger(&path, &mut found);
                    let mut notified = found.slots().to_vec();
                    prop_assert_eq!(notified.remove(0), 99, "earlier entries stay");
                    notified.sort_unstable();
                    prop_assert_eq!(notified, plain.trigger(&path));
                }
                Event::Forget(slot) => {
                    table.forget(slot);
                    plain.0.retain(|(of, _), _| *of != slot);
                }
                Event::ForgetSome => table.forget_some(1),
            }
            prop_assert_eq!(table.len(), plain.0.len());
            if !table.is_forgetting() {
                assert_sides(&table, &plain);
            }
        }
        while table.is_forgetting() {
            table.forget_some(2);
        }
        assert_sides(&table, &plain);
    }
}

/// A connection that watches both a deleted node and its children.
#[test]
fn a_deletion_notifies_once() {
    let (mut watches, mut measured) = (Watches::new([3, 4]), Measured::default());
    watches.add_data(b"/a", 1);
    watches.add_children(b"/a", 1);
    watches.add_children(b"/a", 2);
    watches.add_recursive(b"/", 3);
    watches.add_persistent(b"/a", 3);
    let mut notified = watches.trigger(EventKind::Deleted, b"/a", &mut measured).to_vec();
    notified.sort_unstable();
    assert_eq!(notified, [1, 2, 3]);
    assert_eq!(watches.trigger(EventKind::Created, b"/a", &mut measured), [3]);
    assert_eq!(watches.trigger(EventKind::ChildrenChanged, b"/a", &mut measured), [3]);
    watches.forget(3);
    while watches.is_forgetting() {
        watches.forget_some();
    }
    assert!(watches.is_empty());
}
