//! Which clients may be led to another server, and who may ask for that.

use super::harness::{World, settings};
use crate::acl::scheme::{DigestAlgorithm, Schemes, digest_id};
use crate::settings::{LocalSessions, Settings};
use model::error::ErrorCode;
use std::net::IpAddr;

const AT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 9));

/// Every stage of a request between a client and the server.
#[test]
fn what_is_busy_is_not_movable() {
    let mut world = World::new(settings(), 1);
    let opening = world.open(0);
    let client = world.join(0, 10_000);
    let id = |world: &World, at: usize| world.connections[at].id;
    let is_movable = |world: &World, at: usize| world.shards[0].is_movable(id(world, at));
    assert!(!is_movable(&world, opening), "it has no session");
    assert!(is_movable(&world, client));
    world.is_held = true;
    world.ask(client, 1, "create /a x");
    world.run();
    assert!(!is_movable(&world, client), "a write is not durable");
    world.ask(client, 2, "get /a");
    world.run();
    assert!(!is_movable(&world, client), "a read waits behind it");
    world.is_held = false;
    world.connections[client].is_stuck = true;
    world.run();
    assert!(!is_movable(&world, client), "the replies have not left");
    world.take_stuck(client);
    assert!(is_movable(&world, client));
    world.ask(client, 3, "close");
    world.run();
    assert!(!is_movable(&world, client), "its session ends");
    let gone = world.join(0, 10_000);
    let gone_id = id(&world, gone);
    world.shards[0].finish(gone_id);
    assert!(!is_movable(&world, gone), "nothing more is taken of it");
}

#[test]
fn a_session_that_only_this_server_knows_is_not_movable() {
    let local = Settings { local_sessions: LocalSessions::Upgraded, ..settings() };
    let mut world = World::new(local, 1);
    let client = world.join(0, 10_000);
    let id = world.connections[client].id;
    assert!(!world.shards[0].is_movable(id) && !world.shards[0].has_global_session(id));
    world.ask(client, 1, "create /a x flags=1");
    world.run();
    world.receive(client);
    assert!(world.shards[0].is_movable(id) && world.shards[0].has_global_session(id));
}

/// As for stock's commands that need a permission: every one on the root.
#[test]
fn the_root_says_who_may_ask() {
    let super_digest = Some(digest_id(b"super:secret", DigestAlgorithm::Sha1));
    let schemes = Schemes { super_digest, ..Schemes::default() };
    let mut world = World::new(Settings { schemes, ..settings() }, 1);
    let client = world.join(0, 10_000);
    let ask = |world: &World, scheme: &[u8], auth: Option<&[u8]>| {
        world.shards[0].authorizes(AT, scheme, auth)
    };
    assert_eq!(ask(&world, b"digest", Some(b"any:body")), Ok(()), "the root is open at first");
    assert_eq!(ask(&world, b"ip", None), Ok(()));
    assert_eq!(ask(&world, b"digest", None), Err(ErrorCode::AuthFailed));
    assert_eq!(ask(&world, b"sasl", Some(b"x")), Err(ErrorCode::AuthFailed));
    assert_eq!(ask(&world, b"none", Some(b"x")), Err(ErrorCode::AuthFailed));
    world.ask(client, 1, "auth digest alice:pw");
    world.ask(client, 2, "setacl / rwcda:auth:,rwcd:world:anyone -1");
    world.run();
    assert_eq!(ask(&world, b"digest", Some(b"alice:pw")), Ok(()));
    assert_eq!(ask(&world, b"digest", Some(b"super:secret")), Ok(()));
    assert_eq!(ask(&world, b"digest", Some(b"alice:other")), Err(ErrorCode::NoAuth));
    assert_eq!(ask(&world, b"ip", None), Err(ErrorCode::NoAuth));
    world.ask(client, 3, "setacl / rwcda:ip:10.0.0.9 -1");
    world.run();
    assert_eq!(ask(&world, b"ip", None), Ok(()));
    assert_eq!(ask(&world, b"digest", Some(b"alice:pw")), Err(ErrorCode::NoAuth));
}
