//! Clients of three servers see one tree.

use super::Ensemble;
use harness::{Acl, Body, Client, code, opcode};
use std::thread;

#[test]
fn what_one_client_was_told_another_sees_after_a_sync() {
    let ensemble = Ensemble::start(3, |config| config);
    let mut clients: Vec<_> =
        ensemble.servers.iter().map(|server| Client::connect(server.address())).collect();
    for number in 0..30 {
        let writer = number % 3;
        let path = format!("/told-{number}");
        clients[writer].create(&path, b"x", &Acl::open(), 0).unwrap();
        for reader in [(writer + 1) % 3, (writer + 2) % 3] {
            clients[reader].sync("/").unwrap();
            assert_eq!(clients[reader].get(&path, false).unwrap().0.unwrap(), b"x");
        }
    }
    ensemble.assert_equal();
}

#[test]
fn watches_ephemerals_and_sessions_reach_over_servers() {
    let ensemble = Ensemble::start(3, |config| config);
    let (mut one, mut two) =
        (Client::connect(ensemble.address(0)), Client::connect(ensemble.address(1)));
    one.create("/watched", b"", &Acl::open(), 0).unwrap();
    two.sync("/watched").unwrap();
    two.exists("/watched", true).unwrap();
    two.create("/mine", b"", &Acl::open(), 1).unwrap();
    one.set("/watched", b"news", -1).unwrap();
    assert_eq!(two.event().path, "/watched");
    // The session goes to the third server, with all that it has.
    let handshake = two.reattach();
    two.hang_up();
    let mut moved = Client::open(ensemble.address(2), &handshake).unwrap();
    assert_eq!(moved.session_id(), handshake.session_id);
    assert_eq!(moved.ephemerals("/").unwrap(), ["/mine"]);
    moved.close();
    one.sync("/").unwrap();
    assert_eq!(one.exists("/mine", false).unwrap_err(), code::NO_NODE);
    // A session that has ended is ended everywhere.
    let mut again = Client::open(ensemble.address(0), &handshake).unwrap();
    assert_eq!(again.session_id(), 0);
    again.assert_closed();
}

#[test]
fn a_sync_right_behind_writes_is_answered_in_its_turn() {
    let ensemble = Ensemble::start(3, |config| config);
    let clients = ensemble.servers.iter().map(|server| {
        let mut client = Client::connect(server.address());
        let path = format!("/own-{}", client.session_id());
        client.make(&path);
        thread::spawn(move || {
            for number in 0..300 {
                // A follower learns that a write is committed, and that a sync is answered, before
                // the write is on its own disk.
                let data = i32::to_string(&number);
                let requests = [
                    (opcode::SET_DATA, Body::new().string(&path).buffer(data.as_bytes()).int(-1)),
                    (opcode::SYNC, Body::new().string(&path)),
                    (opcode::GET_DATA, Body::new().string(&path).boolean(false)),
                ];
                let first = client.post_all(&requests);
                assert!((0..3).all(|at| client.reply(first + at).err == 0));
            }
            client.close();
        })
    });
    let clients: Vec<_> = clients.collect();
    for client in clients {
        client.join().unwrap();
    }
}
