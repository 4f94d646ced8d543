//! Listings that are kept for the next request: never those of other children.

use super::harness::{World, settings};
use super::wire;
use model::jute::JuteReader;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A change of what `/d` has, as words of one txn.
#[derive(Clone, Debug)]
enum Step {
    Toggle(usize),
    /// Several children at once.
    Together(Vec<usize>),
    /// The node is deleted with all it has, and recreated with others, in one txn.
    Again(Vec<usize>),
    /// Its data, and that of a child: no other children.
    Set(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let names = || prop::collection::vec(0..9usize, 1..9);
    prop_oneof![
        4 => (0..9usize).prop_map(Step::Toggle),
        2 => names().prop_map(Step::Together),
        2 => names().prop_map(Step::Again),
        1 => (0..9usize).prop_map(Step::Set),
    ]
}

/// The words of a step, which changes `names`.
fn words(step: &Step, names: &mut BTreeSet<usize>) -> String {
    let mut parts = Vec::new();
    let mut toggle = |name: usize, names: &mut BTreeSet<usize>| {
        let is_new = names.insert(name);
        if !is_new {
            names.remove(&name);
        }
        let (op, data) = if is_new { ("create", " x") } else { ("delete", "") };
        parts.push(format!("{op} /d/{name}{data}"));
    };
    match step {
        Step::Toggle(name) => toggle(*name, names),
        Step::Together(some) => some.iter().for_each(|&name| toggle(name, names)),
        Step::Again(some) => {
            names.clone().into_iter().for_each(|name| toggle(name, names));
            parts.extend(["delete /d".to_owned(), "create /d x".to_owned()]);
            for &name in some {
                if names.insert(name) {
                    parts.push(format!("create /d/{name} x"));
                }
            }
        }
        Step::Set(name) => {
            parts.push("set /d y".to_owned());
            if names.contains(name) {
                parts.push(format!("set /d/{name} y"));
            }
        }
    }
    format!("multi {}", parts.join(" | "))
}

/// The names in a reply, whose order does not matter.
fn listed(packet: &[u8]) -> BTreeSet<usize> {
    let mut reader = JuteReader::new(&packet[16..]);
    let count = reader.int().unwrap();
    let mut name = || std::str::from_utf8(reader.text().unwrap()).unwrap().parse().unwrap();
    let names: BTreeSet<_> = (0..count).map(|_| name()).collect();
    assert_eq!(names.len(), count as usize, "each name once");
    names
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn what_is_kept_is_what_is_there(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new(settings(), 2);
        let clients = [0, 1].map(|shard| {
            let connection = world.open(shard);
            world.connect(connection, 9_000, 0, [0; 16], 0);
            world.run();
            world.receive(connection);
            connection
        });
        let mut xid = 0;
        let mut ask = |world: &mut World, connection: usize, words: &str| {
            xid += 1;
            let words: Vec<_> = words.split(' ').collect();
            let (op, body) = wire::request(&words);
            world.send(connection, xid, op, &body);
        };
        ask(&mut world, clients[0], "create /d x");
        world.run();
        world.receive(clients[0]);
        let mut names = BTreeSet::new();
        for step in &steps {
            // Listed while it changes, too.
            ask(&mut world, clients[1], "ls /d");
            ask(&mut world, clients[0], &words(step, &mut names));
            world.run();
            for client in clients {
                world.receive(client);
                ask(&mut world, client, "ls /d");
                ask(&mut world, client, "ls2 /d");
                world.run();
                let packets = world.receive(client);
                prop_assert_eq!(packets.len(), 2);
                for packet in &packets {
                    prop_assert_eq!(&listed(packet), &names, "after {:?}", step);
                }
                let (one, two) = (&packets[0], &packets[1]);
                prop_assert_eq!(&two[16..one.len()], &one[16..]);
                let children = i32::from_be_bytes(two[two.len() - 12..][..4].try_into().unwrap());
                prop_assert_eq!(children as usize, names.len());
            }
        }
    }
}
