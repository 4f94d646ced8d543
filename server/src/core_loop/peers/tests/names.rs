//! Names that are looked up.

use super::{INTRODUCTION_MS, Solo, accept, listener};
use crate::core_loop::peers::limits::RETRY_MS_MIN;
use crate::core_loop::peers::{Lookup, Reach};
use engine::zab::{Attempt, Effect};
use model::host::Host;
use model::peer::address::Address;
use model::server::ServerId;
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

/// A resolver whose answers the test gives, and how often it was asked.
fn slow_resolver() -> (Lookup, Sender<io::Result<SocketAddr>>, Arc<AtomicUsize>) {
    let (answers, given) = channel();
    let (given, asked) = (Mutex::new(given), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    let lookup = move |_: &Address| {
        count.fetch_add(1, Ordering::SeqCst);
        given.lock().unwrap().recv().unwrap_or_else(|_| Err(io::Error::other("the test is over")))
    };
    (Arc::new(lookup), answers, asked)
}

/// Server 2, which knows server 1 by a name.
fn solo(lookup: Lookup) -> Solo {
    let address = Address { host: Host::Named("zoo1".to_owned()), port: 1 };
    let reach = Reach { election: vec![address.clone()], quorum: vec![address] };
    Solo::with_lookup(2, BTreeMap::from([(ServerId(1), reach)]), lookup)
}

fn unknown() -> io::Result<SocketAddr> {
    Err(io::Error::other("the name is not known"))
}

#[test]
fn a_slow_name_is_looked_up_once_at_a_time() {
    let (lookup, answers, asked) = slow_resolver();
    let mut solo = solo(lookup);
    let theirs = listener();
    let address = theirs.address;
    let theirs = TcpListener::from(theirs);
    // Nothing waits for it, however long it takes.
    for round in 1..=10 {
        solo.notify(1, round);
        solo.pass(60_000);
    }
    assert_eq!(solo.peers.elections.counts().0, 0);
    answers.send(unknown()).unwrap();
    solo.until(|it| it.peers.deadline_ms() != u64::MAX);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // It is looked up anew for the next attempt, and is known by then.
    assert_eq!(solo.peers.deadline_ms(), solo.now_ms + RETRY_MS_MIN);
    solo.pass(RETRY_MS_MIN);
    answers.send(Ok(address)).unwrap();
    assert_eq!(solo.told(1), ["ElectionLinkOpened(ServerId(1))"]);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    drop(accept(&theirs));
    solo.end();
}

#[test]
fn a_name_that_is_not_found_in_time_fails_the_attempt() {
    let (lookup, answers, asked) = slow_resolver();
    let mut solo = solo(lookup);
    let theirs = listener();
    solo.perform(Effect::Connect(Attempt(1), ServerId(1)));
    solo.pass(INTRODUCTION_MS);
    assert_eq!(solo.told(1), ["ConnectFailed(Attempt(1))"]);
    // The next attempt takes the answer to the question that is still open.
    solo.perform(Effect::Connect(Attempt(2), ServerId(1)));
    answers.send(Ok(theirs.address)).unwrap();
    assert_eq!(solo.told(1), ["Connected(Attempt(2), LinkId(0))"]);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    solo.perform(Effect::Connect(Attempt(3), ServerId(1)));
    answers.send(unknown()).unwrap();
    assert_eq!(solo.told(1), ["ConnectFailed(Attempt(3))"]);
    solo.end();
}

/// A server that has moved is found at its new address, without a restart of the others.
#[test]
fn a_name_is_looked_up_at_each_attempt() {
    let (lookup, answers, asked) = slow_resolver();
    let mut solo = solo(lookup);
    let mut links = Vec::new();
    for at in 0..2 {
        let place = listener();
        let address = place.address;
        let place = TcpListener::from(place);
        solo.perform(Effect::Connect(Attempt(at), ServerId(1)));
        answers.send(Ok(address)).unwrap();
        assert_eq!(solo.told(1), [format!("Connected(Attempt({at}), LinkId({at}))")]);
        links.push(accept(&place));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    solo.end();
}
