//! A server that was alone becomes one of three, and is alone again.

use harness::{Acl, Client, Server, code, is_reference};

use super::{Ports, leader, mode, numbered, run};

#[test]
fn a_server_with_data_brings_them_into_an_ensemble_and_back() {
    if is_reference() {
        return;
    }
    let (alone, together) = (Server::config(), Ports::of(3).config());
    let mut servers = vec![numbered(alone.clone(), 1)];
    servers[0].start_again();
    let mut client = Client::connect(servers[0].address());
    for number in 0..200 {
        client.create(&format!("/alone-{number}"), b"x", &Acl::open(), 0).unwrap();
    }
    client.close();
    // Two empty servers join it: it leads, as it has the longer history.
    servers[0].stop();
    servers[0].configure(together.clone());
    servers.extend((2..=3).map(|number| numbered(together.clone(), number)));
    run(&mut servers[..2]);
    assert_eq!(mode(&servers[0]).as_deref(), Some("leader"));
    run(&mut servers[2..]);
    for server in &servers {
        let mut client = Client::connect(server.address());
        client.sync("/").unwrap();
        assert_eq!(client.get("/alone-199", false).unwrap().0.unwrap(), b"x");
    }
    // It follows one that it has given its data to.
    servers[0].stop();
    assert_ne!(leader(&servers), 0);
    servers[1..].iter_mut().for_each(Server::await_service);
    let mut client = Client::connect(servers[1].address());
    client.make("/without-it");
    client.close();
    run(&mut servers[..1]);
    assert_eq!(mode(&servers[0]).as_deref(), Some("follower"));
    // All of them stop, and one is alone again: with all that was committed, of all epochs.
    for server in &mut servers {
        server.stop();
    }
    servers[0].configure(alone.clone());
    run(&mut servers[..1]);
    assert_eq!(mode(&servers[0]).as_deref(), Some("standalone"));
    let mut client = Client::connect(servers[0].address());
    client.get("/alone-0", false).unwrap();
    client.get("/without-it", false).unwrap();
    client.make("/alone-again");
    client.close();
    // What it wrote alone is more than the others have: it leads again.
    servers[0].stop();
    servers[0].configure(together.clone());
    run(&mut servers);
    let mut client = Client::connect(servers[2].address());
    client.sync("/").unwrap();
    client.get("/alone-again", false).unwrap();
}

/// Two empty servers are a quorum: what a third has is not part of their history, as in stock.
#[test]
fn data_that_come_after_an_ensemble_has_begun_do_not_count() {
    if is_reference() {
        return;
    }
    let (alone, together) = (Server::config(), Ports::of(3).config());
    let mut servers = vec![numbered(alone, 1)];
    servers[0].start_again();
    Client::connect(servers[0].address()).make("/late");
    servers[0].stop();
    servers.extend((2..=3).map(|number| numbered(together.clone(), number)));
    run(&mut servers[1..]);
    Client::connect(servers[1].address()).make("/other");
    servers[0].configure(together);
    run(&mut servers[..1]);
    assert_eq!(mode(&servers[0]).as_deref(), Some("follower"));
    let mut client = Client::connect(servers[0].address());
    client.sync("/").unwrap();
    client.get("/other", false).unwrap();
    assert_eq!(client.get("/late", false).unwrap_err(), code::NO_NODE);
}
