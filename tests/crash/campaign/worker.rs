//! One client of the campaign: works until the server is killed, then knows what must be there.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use harness::wire::ReplyReader;
use harness::{Body, Client, code, opcode};

use super::model::{Model, Request, SHARED};

/// Requests in flight at a time.
const WINDOW: usize = 16;

/// Steps after which a worker closes its session and opens another.
const SESSION_STEPS: u64 = 500;

/// The newest acknowledged write to [`SHARED`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shared {
    pub(super) zxid: i64,
    worker: usize,
    number: u64,
}

/// What is known of a worker's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Session {
    Open,
    /// The close has been sent.
    Closing,
    /// The close was acknowledged.
    Closed,
}

pub(crate) struct Worker {
    address: SocketAddr,
    number: usize,
    client: Client,
    /// The state that was acknowledged, and the one that all sent requests make.
    acknowledged: Model,
    sent: Model,
    session: Session,
    pub(crate) shared: Shared,
    pub(crate) acknowledged_count: u64,
    pub(super) undecided_count: u64,
    pub(super) session_count: u64,
}

impl Worker {
    pub(crate) fn new(address: SocketAddr, number: usize) -> Self {
        let mut client = Client::connect(address);
        let model = Model::new(number);
        client.make(&model.root);
        for name in ["value", "left", "right", "queue"] {
            client.make(&format!("{}/{name}", model.root));
        }
        Self {
            address,
            number,
            client,
            acknowledged: model.clone(),
            sent: model,
            session: Session::Open,
            shared: Shared::default(),
            acknowledged_count: 0,
            undecided_count: 0,
            session_count: 1,
        }
    }

    /// Works until the server is killed.
    pub(crate) fn work_until_cut(mut self) -> Self {
        while self.work_a_session().is_some() {}
        self
    }

    /// The remainder of a session, its end, and the beginning of another; `None` once it is cut.
    fn work_a_session(&mut self) -> Option<()> {
        let mut flying: VecDeque<(i32, Request)> = VecDeque::new();
        let last = (self.sent.steps / SESSION_STEPS + 1) * SESSION_STEPS;
        while self.sent.steps < last || !flying.is_empty() {
            while self.sent.steps < last && flying.len() < WINDOW {
                let request = self.sent.step();
                flying.push_back((self.client.try_post(request.kind, &request.body)?, request));
            }
            let (xid, request) = flying.pop_front().expect("something flies");
            self.receive(xid, &request)?;
        }
        self.session = Session::Closing;
        let xid = self.client.try_post(opcode::CLOSE_SESSION, &Body::new())?;
        assert_eq!(self.client.try_reply(xid)?.err, code::OK);
        self.session = Session::Closed;
        self.begin_session()
    }

    fn receive(&mut self, xid: i32, request: &Request) -> Option<()> {
        let reply = self.client.try_reply(xid)?;
        assert_eq!(reply.err, request.err, "step {} of {}", self.acknowledged.steps, self.number);
        if let Some(path) = &request.path {
            assert_eq!(ReplyReader::new(&reply.body).string(), *path, "the sequence");
        }
        if let Some(number) = request.shared {
            self.shared = Shared { zxid: reply.zxid, worker: self.number, number };
        }
        self.acknowledged.step();
        self.acknowledged_count += 1;
        Some(())
    }

    /// The session was closed; opens a new one, unless the server is down.
    fn begin_session(&mut self) -> Option<()> {
        self.acknowledged.end_session();
        self.sent = self.acknowledged.clone();
        // The newest zxid stays known: a server that lost it would turn this client away.
        let seen = self.client.zxid();
        let handshake = harness::Handshake { last_zxid_seen: seen, ..Default::default() };
        self.client = Client::try_open(self.address, &handshake)?;
        self.session = Session::Open;
        self.session_count += 1;
        Some(())
    }

    /// Resumes the session and compares the tree with the steps.
    pub(crate) fn check(&mut self) {
        let handshake = self.client.reattach();
        let again =
            Client::open(self.address, &handshake).expect("the server has what it acknowledged");
        if again.session_id() == handshake.session_id {
            assert_ne!(self.session, Session::Closed, "an ended session has come back");
            self.client = again;
            self.settle();
            // A close that was sent but not applied is sent again after the next steps.
            self.session = Session::Open;
            return;
        }
        assert_ne!(self.session, Session::Open, "session {:#x} is lost", handshake.session_id);
        assert_eq!(again.session_id(), 0, "another's session");
        self.begin_session().expect("the server runs");
        self.settle();
    }

    /// Finds out which of the undecided steps were taken: a prefix, each of them completely.
    fn settle(&mut self) {
        self.undecided_count += self.sent.steps - self.acknowledged.steps;
        let found = self.found();
        let least = self.acknowledged.steps;
        while Found::of(&self.acknowledged) != found {
            assert!(
                self.acknowledged.steps < self.sent.steps,
                "worker {}: after {least} acknowledged steps and {} sent this is no state:\n\
                 {found:?}\nthe last would be:\n{:?}",
                self.number,
                self.sent.steps,
                Found::of(&self.sent)
            );
            self.acknowledged.step();
        }
        self.sent = self.acknowledged.clone();
    }

    fn found(&mut self) -> Found {
        let root = self.acknowledged.root.clone();
        let (names, stat) = self.client.children2(&root, false).unwrap();
        let queue = format!("{root}/queue");
        let (queued, queue_stat) = self.client.children2(&queue, false).unwrap();
        let ephemeral_count = self.client.ephemerals(&root).unwrap().len();
        let names = names.into_iter().filter(|name| name != "queue").collect();
        Found {
            nodes: self.data(&root, names),
            changes: stat.cversion,
            queue: self.data(&queue, queued),
            queue_changes: queue_stat.cversion,
            ephemeral_count,
        }
    }

    fn data(&mut self, parent: &str, names: Vec<String>) -> BTreeMap<String, Print> {
        let mut print = |name: String| {
            let data = self.client.get(&format!("{parent}/{name}"), false).unwrap().0.unwrap();
            (name, Print::of(&data))
        };
        names.into_iter().map(&mut print).collect()
    }

    /// The shared node holds the newest acknowledged write, or a later one.
    pub(crate) fn check_shared(&mut self, newest: Shared) {
        let (data, stat) = self.client.get(SHARED, false).unwrap();
        assert!(stat.mzxid >= newest.zxid, "a write to {SHARED} is lost: {newest:?}, {stat:?}");
        if stat.mzxid == newest.zxid {
            let expected = Model::new(newest.worker).data(newest.number);
            assert!(data.unwrap() == expected, "{SHARED} has changed: {newest:?}");
        }
    }
}

/// Data as a failed comparison can show it: its beginning, its length, and whether the rest repeats
/// one byte.
#[derive(Debug, PartialEq, Eq)]
struct Print(String, usize, bool);

impl Print {
    fn of(data: &[u8]) -> Self {
        let shown = data.len().min(24);
        let is_even = data.windows(2).skip(24).all(|pair| pair[0] == pair[1]);
        Self(String::from_utf8_lossy(&data[..shown]).into_owned(), data.len(), is_even)
    }
}

/// A worker's part of the tree as clients see it.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    nodes: BTreeMap<String, Print>,
    changes: i32,
    queue: BTreeMap<String, Print>,
    queue_changes: i32,
    ephemeral_count: usize,
}

impl Found {
    fn of(model: &Model) -> Self {
        let print =
            |(name, number): (&String, &u64)| (name.clone(), Print::of(&model.data(*number)));
        Self {
            nodes: model.nodes.iter().map(print).collect(),
            changes: model.changes,
            queue: model.queue.iter().map(print).collect(),
            queue_changes: model.queue_changes,
            ephemeral_count: model.ephemeral_count(),
        }
    }
}
