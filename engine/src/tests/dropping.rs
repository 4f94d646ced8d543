//! What was never published is dropped, as if it had never arrived.

use super::plain::{Operation, Pair, operation};
use crate::pipeline::Head;
use model::session::{ExtendedTypes, Owner};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What some clients request, each at once, and whether it is published before the server loses its
/// role.
#[derive(Clone, Debug)]
struct Stretch {
    asked: Vec<(usize, Vec<Operation>)>,
    is_dropped: bool,
}

fn stretch() -> impl Strategy<Value = Stretch> {
    let asked = (0..3usize, prop::collection::vec(operation(), 1..6));
    (prop::collection::vec(asked, 1..8), any::<bool>())
        .prop_map(|(asked, is_dropped)| Stretch { asked, is_dropped })
}

/// Everything above the tree agrees with the tree.
fn assert_sound(head: &Head, types: ExtendedTypes) {
    let state = head.tree.meta();
    let (mut uses, mut reapable) = (BTreeMap::new(), Vec::new());
    for record in head.tree.records() {
        *uses.entry(record.acl()).or_insert(0) += 1;
        if matches!(Owner::of_raw(record.owner_raw(), types), Owner::Container | Owner::Ttl(_)) {
            reapable.push(record.path().to_vec());
        }
    }
    uses.remove(&crate::acl::OPEN);
    let counted = state.acls.iter().map(|(number, _)| (number, state.acls.uses(number)));
    assert_eq!(counted.filter(|(_, uses)| *uses > 0).collect::<BTreeMap<_, _>>(), uses);
    reapable.sort();
    assert_eq!(state.reapable.iter().map(|path| path.to_vec()).collect::<Vec<_>>(), reapable);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn what_is_dropped_never_arrived(
        shard_count in 1..3u16,
        stretches in prop::collection::vec(stretch(), 1..12),
    ) {
        let mut pair = Pair::new(shard_count);
        let types = pair.world.settings.extended_types;
        for Stretch { asked, is_dropped } in &stretches {
            if *is_dropped {
                pair.world.is_held = true;
                for (client, operations) in asked {
                    pair.ask_unanswered(*client, operations);
                }
                pair.world.drop_head();
                pair.world.is_held = false;
                pair.world.run();
                assert_sound(&pair.world.ordering().head, types);
                pair.assert_equal();
                pair.assert_replays();
                let ordering = pair.world.ordering();
                let known = ordering.head.tree.meta().sessions.len();
                prop_assert_eq!(ordering.sessions().len(), known);
                pair.open_all();
            } else {
                for (client, operations) in asked {
                    pair.ask(*client, operations);
                }
            }
        }
        pair.assert_equal();
        pair.assert_replays();
        let head = &pair.world.ordering().head;
        assert_sound(head, types);
        let again = pair.world.replayed();
        prop_assert!(head.digests().eq(again.digests()));
        let written = |head: &Head| -> Vec<_> {
            // A part that only dropped writes have used is known by name.
            let parts = head.meters.written.iter().filter(|(_, spread)| spread.count > 0);
            parts.map(|(part, spread)| (part.to_vec(), spread)).collect()
        };
        prop_assert_eq!(written(head), written(&again), "what was dropped does not count");
        let state = again.tree.meta();
        assert_sound(&again, types);
        prop_assert!(state.reapable.iter().eq(head.tree.meta().reapable.iter()));
    }
}
