//! Long requests: answered a piece per turn, in the order of their session, alongside other
//! clients.

use super::harness::{World, settings};
use crate::limits::LONG_UNITS_PER_TURN;
use model::response::EventKind;

fn int(packet: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(packet[at..at + 4].try_into().unwrap())
}

/// The packets by their xids; an event by its kind, above a thousand.
fn received(packets: &[Vec<u8>]) -> Vec<i32> {
    let number = |packet: &Vec<u8>| match int(packet, 0) {
        -1 => 1_000 + int(packet, 16),
        xid => xid,
    };
    packets.iter().map(number).collect()
}

/// As many as seven turns list.
const CHILDREN: i32 = 7 * LONG_UNITS_PER_TURN as i32;

/// A node with more children than are listed in a turn, and its maker.
fn wide() -> (World, usize) {
    let mut world = World::new(settings(), 1);
    let maker = world.join(0, 9_000);
    world.ask(maker, 1, "create /wide ");
    for i in 0..CHILDREN {
        world.ask(maker, 2 + i, &format!("create /wide/{i:05} "));
    }
    world.run();
    world.receive(maker);
    (world, maker)
}

#[test]
fn a_listing_shows_one_version_and_comes_before_its_events() {
    let (mut world, maker) = wide();
    let lister = world.join(0, 9_000);
    world.ask(lister, 1, "exists /wide watch");
    world.ask(lister, 2, "ls /wide watch");
    // Behind the listing, whether they read or write.
    world.ask(lister, 3, "set /wide later");
    world.ask(lister, 4, "get /wide");
    world.turn();
    world.ask(maker, 1, "create /wide/new ");
    world.ask(maker, 2, "delete /wide/00007");
    for _ in 0..4 {
        world.turn();
    }
    assert_eq!(received(&world.receive(maker)), [1, 2], "others are not kept waiting");
    assert!(world.receive(lister).is_empty(), "it is still being listed");
    world.run();
    let packets = world.receive(lister);
    let children = 1_000 + EventKind::ChildrenChanged as i32;
    let data = 1_000 + EventKind::DataChanged as i32;
    assert_eq!(received(&packets), [1, 2, children, data, 3, 4]);
    let listing = &packets[1];
    assert_eq!(int(listing, 16), CHILDREN, "as many as there were when it was asked");
    let names: Vec<_> = (0..CHILDREN as usize).map(|i| &listing[24 + i * 9..][..5]).collect();
    assert!(names.contains(&&b"00007"[..]) && !names.contains(&&b"new"[..]));
}

#[test]
fn listings_of_many_clients_all_end() {
    let (mut world, _) = wide();
    let listers: Vec<_> = (0..20).map(|_| world.join(0, 9_000)).collect();
    for &lister in &listers {
        for xid in 0..5 {
            world.ask(lister, xid, ["ls /wide", "ls2 /wide"][xid as usize % 2]);
        }
    }
    world.turn();
    // One closes in the middle.
    world.drop_socket(listers[0]);
    world.run();
    for &lister in &listers[1..] {
        let packets = world.receive(lister);
        assert_eq!(received(&packets), [0, 1, 2, 3, 4]);
        assert!(packets.iter().all(|packet| int(packet, 16) == CHILDREN));
        assert_eq!(packets[1].len(), packets[0].len() + 68);
    }
    assert_eq!(world.shards[0].outstanding(), 0);
}

#[test]
fn watches_are_set_again_incrementally() {
    let (mut world, maker) = wide();
    let watcher = world.join(0, 9_000);
    let paths: Vec<_> = (0..CHILDREN).map(|i| format!("/wide/{i:05}")).collect();
    // The zxid seen is that of the last child: nothing was missed but what does not exist.
    let request = format!("setwatches 999999 data={} exist=/none child=/gone", paths.join(","));
    world.ask(watcher, 1, &request);
    world.ask(watcher, 2, "exists /wide");
    world.turn();
    world.turn();
    assert!(world.shards[0].watches()[0].len() < CHILDREN as usize);
    world.run();
    let deleted = 1_000 + EventKind::Deleted as i32;
    assert_eq!(received(&world.receive(watcher)), [deleted, 1, 2]);
    assert_eq!(world.shards[0].watches()[0].len(), CHILDREN as usize + 1);
    for i in 0..CHILDREN {
        world.ask(maker, i, &format!("set /wide/{i:05} x"));
    }
    world.run();
    assert_eq!(world.receive(watcher).len(), CHILDREN as usize);
}

#[test]
fn what_follows_a_listing_without_room_waits_with_it() {
    let (mut world, _) = wide();
    let listers: Vec<_> = (0..8).map(|_| world.join(0, 9_000)).collect();
    for &lister in &listers {
        // More listings than there may be at once, in one turn; behind each, short requests.
        world.ask(lister, 1, "ls /wide");
        world.ask(lister, 2, "get /wide");
        world.ask(lister, 3, "set /wide later");
        world.ask(lister, 4, "ls /wide");
        world.ask(lister, 5, "get /wide");
    }
    world.run();
    for lister in listers {
        assert_eq!(received(&world.receive(lister)), [1, 2, 3, 4, 5]);
    }
}

#[test]
fn what_was_deferred_in_one_turn_goes_first_in_the_next() {
    let mut world = World::new(settings(), 1);
    let clients: Vec<_> = (0..16).map(|_| world.join(0, 9_000)).collect();
    // A turn makes five such replies, and every client asks again as soon as it is answered.
    world.ask(clients[0], 1, &format!("create /big {}", "x".repeat(900_000)));
    world.run();
    world.receive(clients[0]);
    for &client in &clients {
        world.ask(client, 2, "get /big");
    }
    let mut waited = vec![0; clients.len()];
    for xid in 3..43 {
        world.turn();
        for (&client, waited) in clients.iter().zip(&mut waited) {
            *waited += 1;
            if !world.receive(client).is_empty() {
                *waited = 0;
                world.ask(client, xid, "get /big");
            }
        }
        assert!(waited.iter().all(|&turns| turns < 4), "sixteen by five a turn: {waited:?}");
    }
}
