//! Every pair of actions by two clients, sequentially and concurrently, watched by a third.

use harness::{Acl, Body, Client, Handshake, Server, code, opcode};

use super::servers;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Action {
    Write,
    Read,
    Reconnect,
    Close,
    Expire,
}

const ACTIONS: [Action; 5] =
    [Action::Write, Action::Read, Action::Reconnect, Action::Close, Action::Expire];

/// One of the two: its session, its ephemeral node, and what the tree must hold of it.
struct Actor<'a> {
    server: &'a Server,
    root: String,
    name: &'static str,
    /// `None` once its session is over.
    client: Option<Client>,
    /// Of the request that [`Actor::begin`] sent.
    xid: i32,
    written: bool,
}

impl<'a> Actor<'a> {
    fn new(server: &'a Server, root: &str, name: &'static str) -> Self {
        let mut client = Client::connect(server.address());
        let made = client.create(&format!("{root}/{name}"), b"", &Acl::open(), 1);
        assert_eq!(made, Ok(format!("{root}/{name}")));
        Self { server, root: root.to_owned(), name, client: Some(client), xid: 0, written: false }
    }

    /// Acts without waiting for the answer.
    fn begin(&mut self, action: Action) {
        let client = self.client.as_mut().expect("acts once");
        match action {
            Action::Write => {
                let path = format!("{}/by-{}", self.root, self.name);
                let body = harness::client::create_body(&path, b"", &Acl::open(), 0);
                self.xid = client.post(opcode::CREATE, &body);
            }
            Action::Read => {
                let body = Body::new().string(&self.root).boolean(false);
                self.xid = client.post(opcode::GET_CHILDREN, &body);
            }
            Action::Reconnect => {}
            Action::Close => {
                self.xid = client.post(opcode::CLOSE_SESSION, &Body::new());
            }
            Action::Expire => {
                // The session gets its short timeout only now: nothing before this can be too slow.
                let short = Handshake { timeout_ms: 400, ..client.reattach() };
                *client = Client::open(self.server.address(), &short).expect("answered");
                assert_ne!(client.session_id(), 0);
                client.hang_up();
            }
        }
    }

    /// Waits for the answer, which must be a success.
    fn end(&mut self, action: Action, observer: &mut Client) {
        let client = self.client.as_mut().expect("acts once");
        match action {
            Action::Write => {
                let reply = client.reply(self.xid);
                assert_eq!(reply.err, code::OK);
                self.written = true;
            }
            Action::Read => {
                let reply = client.reply(self.xid);
                assert_eq!(reply.err, code::OK);
            }
            Action::Reconnect => {
                let again = client.reconnect();
                client.assert_closed();
                self.client = Some(again);
            }
            Action::Close => {
                let reply = client.reply(self.xid);
                assert_eq!(reply.err, code::OK);
                self.client = None;
            }
            Action::Expire => {
                let path = format!("{}/{}", self.root, self.name);
                observer.wait_until("expiry", |c| c.exists(&path, false).is_err());
                self.client = None;
            }
        }
    }

    fn expected(&self) -> Vec<String> {
        let own = self.client.is_some().then(|| self.name.to_owned());
        let written = self.written.then(|| format!("by-{}", self.name));
        own.into_iter().chain(written).collect()
    }
}

/// The remaining clients and the observer see exactly this.
fn assert_seen(actors: [&mut Actor<'_>; 2], observer: &mut Client, what: &str) {
    let root = actors[0].root.clone();
    let mut expected: Vec<_> = actors.iter().flat_map(|actor| actor.expected()).collect();
    expected.sort();
    let clients = actors.into_iter().filter_map(|actor| actor.client.as_mut());
    for client in clients.chain([observer]) {
        assert_eq!(client.children(&root, false).unwrap(), expected, "{what}");
    }
}

/// The events the observer saw are the changes, each once, in the order of their zxids.
fn assert_observed(observer: &mut Client, actors: [&Actor<'_>; 2], what: &str) {
    let events = observer.events();
    assert!(events.is_sorted_by_key(|event| event.zxid), "{what}: {events:?}");
    let mut observed: Vec<_> =
        events.iter().map(|event| (event.kind, event.path.clone())).collect();
    observed.sort();
    let mut expected = Vec::new();
    for actor in actors {
        let own = format!("{}/{}", actor.root, actor.name);
        expected.push((1, own.clone()));
        if actor.client.is_none() {
            expected.push((2, own));
        }
        if actor.written {
            expected.push((1, format!("{}/by-{}", actor.root, actor.name)));
        }
    }
    expected.sort();
    assert_eq!(observed, expected, "{what}");
}

fn run_pair(server: &Server, number: usize, first: Action, second: Action, at_once: bool) {
    let root = format!("/pair-{number}-{at_once}");
    let what = format!("{root} {first:?} then {second:?}");
    let mut observer = Client::connect(server.address());
    observer.make(&root);
    observer.add_watch(&root, 1).unwrap();
    let mut a = Actor::new(server, &root, "a");
    let mut b = Actor::new(server, &root, "b");
    a.begin(first);
    if at_once {
        b.begin(second);
        b.end(second, &mut observer);
        a.end(first, &mut observer);
    } else {
        a.end(first, &mut observer);
        assert_seen([&mut a, &mut b], &mut observer, &what);
        b.begin(second);
        b.end(second, &mut observer);
    }
    assert_seen([&mut a, &mut b], &mut observer, &what);
    assert_observed(&mut observer, [&a, &b], &what);
}

fn run_all(server: &Server, at_once: bool) {
    let pairs =
        ACTIONS.iter().flat_map(|first| ACTIONS.iter().map(move |second| (*first, *second)));
    for (number, (first, second)) in pairs.enumerate() {
        run_pair(server, number, first, second, at_once);
    }
}

#[test]
fn one_after_the_other_on_one_shard() {
    run_all(&servers()[0], false);
}

#[test]
fn one_after_the_other_on_four_shards() {
    run_all(&servers()[1], false);
}

#[test]
fn both_at_once_on_one_shard() {
    run_all(&servers()[0], true);
}

#[test]
fn both_at_once_on_four_shards() {
    run_all(&servers()[1], true);
}
