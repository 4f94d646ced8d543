//! Servers that have another configuration, another's number, or another release.

use std::io::Write;
use std::net::TcpStream;

use harness::{Client, is_reference};

use super::{Ports, leader, lines_with, numbered, run, until, until_says};

/// A hello as stock sends it: a version, a number, an address.
fn hello(version: i64, number: i64, address: &str) -> Vec<u8> {
    let length = i32::try_from(address.len()).unwrap();
    [&version.to_be_bytes()[..], &number.to_be_bytes(), &length.to_be_bytes(), address.as_bytes()]
        .concat()
}

/// A notification of the oldest form: looking, for server 3, in round 1.
fn oldest_notification() -> Vec<u8> {
    [&28_i32.to_be_bytes()[..], &0_i32.to_be_bytes(), &3_i64.to_be_bytes(), &[0; 8], &[0; 8]]
        .concat()
}

/// FOLLOWERINFO of a learner from before 3.5, which has no version of a configuration.
fn old_learner(number: i64) -> Vec<u8> {
    let info = [&number.to_be_bytes()[..], &0_i32.to_be_bytes()].concat();
    let length = i32::try_from(info.len()).unwrap();
    [&11_i32.to_be_bytes()[..], &[0; 8], &length.to_be_bytes(), &info, &(-1_i32).to_be_bytes()]
        .concat()
}

#[test]
fn servers_that_do_not_belong_are_named_and_harm_nothing() {
    if is_reference() {
        return;
    }
    let ports = Ports::of(6);
    let three = Ports(ports.0[..3].to_vec());
    let mut servers: Vec<_> = (1..=3).map(|number| numbered(three.config(), number)).collect();
    run(&mut servers);
    let first = leader(&servers);
    // Server 4 knows the others, and they do not know it: it follows, and its vote does not count.
    let mut four = numbered(Ports(ports.0[..4].to_vec()).config(), 4);
    four.launch();
    four.await_service();
    until_says(&servers[first], "server 4 is not in this server's configuration");
    until_says(&four, "its server.N lines differ from this server's, first for server 4");
    Client::connect(four.address()).make("/from-outside");
    // Another server has the number 1, and is somewhere else.
    let config = three.config().set("server.1", &ports.line("127.0.0.1", 4));
    let mut second_one = numbered(config, 1);
    second_one.launch();
    until_says(&servers[1], "server 1 says that it is at another address");
    // Another one takes server 2 for server 1, and itself for server 2.
    let config = three
        .config()
        .set("server.1", &ports.line("127.0.0.1", 1))
        .set("server.2", &ports.line("127.0.0.1", 5));
    let mut second_two = numbered(config, 2);
    second_two.launch();
    until_says(&servers[1], "claims the number of this server: give each server its own myid");
    second_one.kill();
    second_two.kill();
    servers.iter_mut().for_each(harness::Server::await_service);
    // Other releases.
    let election = ("127.0.0.1", ports.0[2].1);
    let mut newer = TcpStream::connect(election).unwrap();
    newer.write_all(&hello(-65_534, 1, "127.0.0.1:1")).unwrap();
    until_says(&servers[2], "the hello is of version -65534, and this server knows -65536 and");
    let mut older = TcpStream::connect(election).unwrap();
    older.write_all(&hello(-65_536, 9, "127.0.0.1:1")).unwrap();
    older.write_all(&oldest_notification()).unwrap();
    // The leader may be another one by now, and names one ended link a second.
    until("an old learner is named", || {
        let leader = leader(&servers);
        let mut learner = TcpStream::connect(("127.0.0.1", ports.0[leader].0)).unwrap();
        learner.write_all(&old_learner(1)).unwrap();
        let part = "a learner link is closed: it is older than ZooKeeper 3.5";
        servers.iter().any(|server| server.log().contains(part))
    });
    // All that harms nothing, and fills no log.
    servers.iter_mut().for_each(harness::Server::await_service);
    Client::connect(servers[0].address()).make("/goes-on");
    for server in &servers {
        for part in ["claims the number", "says that it is at", "is not in this server's"] {
            // One a minute and port, however often they try.
            assert!(lines_with(server, part) <= 10, "{}", server.log());
        }
    }
}
