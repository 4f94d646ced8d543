//! One client's work, and the check of what survived a restart.
//!
//! A worker numbers its steps. Step `n` is one of: set `value` to `n`; create `n-<n>`; or a multi
//! that sets `left` and `right` to `n` and creates an ephemeral `e-<n>`. Requests of one session
//! are carried out in order, so what survives must be the first `k` steps, for some `k` between the
//! last one acknowledged and the last one sent. Work continues from what a check finds.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::client::{create_body, multi_body};
use harness::{Acl, Body, Client, Handshake, Op, code, opcode};

/// How long a server may take to catch up with what a client has seen elsewhere.
const CATCH_UP_MAX: Duration = Duration::from_secs(30);

/// How long a session waits for its client, in ms: a server that was killed under load may take
/// long to return on a busy machine.
const SESSION_MS: i32 = 40_000;

/// Requests in flight at a time.
const WINDOW: u64 = 16;

pub(crate) struct Worker {
    address: SocketAddr,
    root: String,
    client: Client,
    /// The first step that may not have been taken.
    acknowledged: u64,
    /// The first step that was never sent.
    sent: u64,
}

/// The kind of step that a number stands for.
enum Step {
    Set,
    Create,
    Multi,
}

fn step(number: u64) -> Step {
    match number % 4 {
        0 | 2 => Step::Set,
        1 => Step::Create,
        _ => Step::Multi,
    }
}

impl Worker {
    pub(crate) fn new(address: SocketAddr, number: usize) -> Self {
        let handshake = Handshake { timeout_ms: SESSION_MS, ..Handshake::default() };
        let mut client = Client::open(address, &handshake).expect("server answers");
        let root = format!("/worker-{number}");
        client.make(&root);
        for name in ["value", "left", "right"] {
            client.make(&format!("{root}/{name}"));
        }
        Self { address, root, client, acknowledged: 0, sent: 0 }
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    fn request(&self, number: u64) -> (i32, Body) {
        let (root, text) = (&self.root, number.to_string());
        let data = text.as_bytes();
        match step(number) {
            Step::Set => {
                let path = format!("{root}/value");
                (opcode::SET_DATA, Body::new().string(&path).buffer(data).int(-1))
            }
            Step::Create => {
                let path = format!("{root}/n-{number}");
                (opcode::CREATE, create_body(&path, data, &Acl::open(), 0))
            }
            Step::Multi => {
                let (left, right) = (format!("{root}/left"), format!("{root}/right"));
                let ephemeral = format!("{root}/e-{number}");
                let ops = [
                    Op::Set { path: &left, data, version: -1 },
                    Op::create(&ephemeral, data, 1),
                    Op::Set { path: &right, data, version: -1 },
                ];
                (opcode::MULTI, multi_body(&ops))
            }
        }
    }

    /// Closes its session.
    pub(crate) fn leave(self) {
        self.client.close();
    }

    /// Works until the server is killed.
    pub(super) fn work_until_cut(self) -> Self {
        self.work(&AtomicBool::new(false))
    }

    /// Works until the connection ends, or until it is asked to stop and everything is answered.
    pub(crate) fn work(mut self, stop: &AtomicBool) -> Self {
        let mut xids = std::collections::VecDeque::new();
        loop {
            while self.sent - self.acknowledged < WINDOW && !stop.load(Ordering::Relaxed) {
                let (kind, body) = self.request(self.sent);
                let Some(xid) = self.client.try_post(kind, &body) else { return self };
                xids.push_back(xid);
                self.sent += 1;
            }
            let Some(xid) = xids.pop_front() else { return self };
            let Some(reply) = self.client.try_reply(xid) else { return self };
            assert_eq!(reply.err, code::OK, "step {}", self.acknowledged);
            self.acknowledged += 1;
        }
    }

    /// Resumes the session at another server of the same ensemble, and compares the tree with the
    /// steps.
    pub(crate) fn check_at(&mut self, address: SocketAddr) {
        self.check_at_any(&[address]);
    }

    /// Resumes the session and compares the tree with the steps.
    pub(super) fn check(&mut self) {
        self.check_at_any(&[self.address]);
    }

    /// The same at the first of these servers that takes the session.
    pub(crate) fn check_at_any(&mut self, addresses: &[SocketAddr]) {
        // The handshake names the newest zxid this client received: a server that had lost it would
        // not answer. One that has not got that far yet would not, either, but soon does.
        let handshake = Handshake { timeout_ms: SESSION_MS, ..self.client.reattach() };
        let end = Instant::now() + CATCH_UP_MAX;
        let again = loop {
            let open = |at: &SocketAddr| Client::try_open(*at, &handshake).map(|it| (*at, it));
            match addresses.iter().find_map(open) {
                Some(again) => break again,
                None if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
                None => panic!("no server has what was acknowledged"),
            }
        };
        (self.address, self.client) = again;
        let session = self.client.session_id();
        assert_eq!(session, handshake.session_id, "the session is still there");
        self.client.sync(&self.root).unwrap();
        let taken = self.taken();
        let (least, most) = (self.acknowledged, self.sent);
        assert!(
            (least..=most).contains(&taken),
            "{taken} steps, acknowledged {least}, sent {most}"
        );
        self.assert_is_prefix(taken);
        self.acknowledged = taken;
        self.sent = taken;
    }

    /// How many steps were taken, judging by the newest of each kind.
    fn taken(&mut self) -> u64 {
        let root = self.root.clone();
        let created = self.client.children(&root, false).unwrap();
        let created = created.iter().filter_map(|name| name.strip_prefix("n-"));
        let created = created.map(|number| number.parse::<u64>().unwrap());
        let mut newest: Option<u64> = created.max();
        for name in ["value", "left"] {
            newest = newest.max(self.number_in(name));
        }
        newest.map_or(0, |number| number + 1)
    }

    fn number_in(&mut self, name: &str) -> Option<u64> {
        let path = format!("{}/{name}", self.root);
        let data = self.client.get(&path, false).unwrap().0.unwrap();
        String::from_utf8(data).unwrap().parse().ok()
    }

    /// Every step below `taken` left its mark, and none above.
    fn assert_is_prefix(&mut self, taken: u64) {
        let newest = |wanted: fn(&Step) -> bool| (0..taken).rev().find(|n| wanted(&step(*n)));
        assert_eq!(self.number_in("value"), newest(|s| matches!(s, Step::Set)));
        let multi = newest(|s| matches!(s, Step::Multi));
        assert_eq!(self.number_in("left"), multi);
        assert_eq!(self.number_in("right"), multi, "a multi by half");
        let mut expected: Vec<String> = (0..taken)
            .filter_map(|number| match step(number) {
                Step::Set => None,
                Step::Create => Some(format!("n-{number}")),
                Step::Multi => Some(format!("e-{number}")),
            })
            .chain(["value", "left", "right"].map(str::to_owned))
            .collect();
        expected.sort();
        let root = self.root.clone();
        let (names, stat) = self.client.children2(&root, false).unwrap();
        assert_eq!(names, expected);
        assert_eq!(stat.cversion as usize, expected.len(), "each created once");
        let ephemerals = expected.iter().filter(|name| name.starts_with("e-")).count();
        assert_eq!(self.client.ephemerals(&root).unwrap().len(), ephemerals);
    }
}
