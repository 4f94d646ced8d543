//! Servers with several addresses, of which some do not answer.

use super::{CONNECT_MS, INTRODUCTION_MS, Reach, Solo, accept, connect, listener, lookup, read};
use engine::zab::{Attempt, Effect};
use model::host::Host;
use model::peer::address::Address;
use model::peer::hello::{Hello, HelloForm};
use model::server::ServerId;
use net::listener::{Endpoint, ListenOptions, Listener};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

/// How long an address is tried at first, in ms.
const CHECK_MS: u32 = 200;

/// A port that never answers: its backlog is full.
fn silent() -> (Listener, [TcpStream; 2]) {
    let endpoint = Endpoint::One(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let options = ListenOptions { backlog: 1, ..ListenOptions::default() };
    let silent = Listener::bind(endpoint, options).unwrap();
    let crowd = [connect(silent.address), connect(silent.address)];
    (silent, crowd)
}

/// Server 2, which knows server 1 at these ports.
fn knowing(ports: &[u16]) -> Solo {
    let at: Vec<_> = ports.iter().map(|&port| super::address(port)).collect();
    let reach = Reach { election: at.clone(), quorum: at };
    Solo::with(2, BTreeMap::from([(ServerId(1), reach)]), lookup(), |parts| {
        parts.check_ms = Some(CHECK_MS);
        parts.form = HelloForm::V2;
        parts.election.push(Address { host: Host::Named("other".to_owned()), port: 7 });
    })
}

#[test]
fn a_leader_is_reached_though_its_first_address_is_silent() {
    let (silent, _crowd) = silent();
    let good = listener();
    let mut solo = knowing(&[silent.address.port(), good.address.port()]);
    solo.perform(Effect::Connect(Attempt(1), ServerId(1)));
    solo.settle();
    solo.pass(u64::from(CHECK_MS) - 1);
    assert!(solo.recorder.told.is_empty(), "{:?}", solo.recorder.told);
    solo.pass(1);
    assert_eq!(solo.told(1), ["Connected(Attempt(1), LinkId(0))"]);
    solo.end();
}

/// None answers in the short time: each is given its share of the whole.
#[test]
fn slow_addresses_are_tried_for_longer_in_the_end() {
    let (one, _crowd) = silent();
    let (other, _other_crowd) = silent();
    let mut solo = knowing(&[one.address.port(), other.address.port()]);
    solo.perform(Effect::Connect(Attempt(1), ServerId(1)));
    solo.settle();
    for _ in 0..2 {
        solo.pass(CHECK_MS.into());
    }
    for _ in 0..2 {
        assert!(solo.recorder.told.is_empty());
        assert_eq!(solo.peers.deadline_ms(), solo.now_ms + INTRODUCTION_MS / 2);
        solo.pass(INTRODUCTION_MS / 2);
    }
    assert_eq!(solo.told(1), ["ConnectFailed(Attempt(1))"]);
    solo.end();
}

#[test]
fn votes_are_exchanged_though_the_first_address_is_silent() {
    let (silent, _crowd) = silent();
    let good = listener();
    let mut solo = knowing(&[silent.address.port(), good.address.port()]);
    let theirs = TcpListener::from(good);
    solo.notify(1, 5);
    solo.settle();
    solo.pass(CHECK_MS.into());
    assert_eq!(solo.told(1), ["ElectionLinkOpened(ServerId(1))"]);
    // It says where it is itself, all of it.
    let stream = accept(&theirs);
    let mut expected = Vec::new();
    let other = Address { host: Host::Named("other".to_owned()), port: 7 };
    let addresses = vec![super::address(solo.election.port()), other];
    Hello::Addressed { form: HelloForm::V2, server: ServerId(2), addresses }.encode(&mut expected);
    assert_eq!(read(&stream, expected.len()), expected);
    solo.end();
}

#[test]
fn one_address_is_given_the_whole_time() {
    let (silent, _crowd) = silent();
    let mut solo = knowing(&[silent.address.port()]);
    solo.notify(1, 5);
    solo.settle();
    assert_eq!(solo.peers.deadline_ms(), solo.now_ms + CONNECT_MS);
    solo.end();
}

/// More addresses than a hello holds: those that fit are said.
#[test]
fn a_hello_is_never_too_long() {
    let solo = Solo::with(2, BTreeMap::new(), lookup(), |parts| {
        parts.form = HelloForm::V2;
        let long = |port| Address { host: Host::Named("x".repeat(200)), port };
        parts.election.extend((1..=20).map(long));
    });
    solo.end();
}
