//! A stream of steps drawn from a seed: the actions of several clients, and what happens to the
//! server.
//!
//! Few names and small versions, so that clients interact: most paths in a step were created by
//! another client. What a step needs and is missing (a session, a connection) is created when it is
//! played, so any part of a stream is a stream; shrinking relies on this.

use fastrand::Rng;
use harness::{Acl, opcode};

use super::draw::Draw;
use super::request::{Call, Data, Path};

/// Clients of a stream.
pub(super) const SLOTS: usize = 4;

/// The password of the super user that the servers are configured with.
pub(super) const SUPER: &[u8] = b"super:secret";
/// What `DigestAuthenticationProvider.superDigest` must be for it.
pub(super) const SUPER_DIGEST: &str = "super:lK75jTNcA+U9vtVEw5vB51mj/w4=";

/// How a client returns to its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Return {
    /// The old connection is closed first; else the new one takes the session from it.
    pub(super) hang_up: bool,
    pub(super) wrong_password: bool,
    pub(super) read_only: Option<bool>,
    pub(super) timeout_ms: i32,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A new session; `ahead` claims to have seen a future zxid.
    Open {
        slot: usize,
        timeout_ms: i32,
        read_only: Option<bool>,
        ahead: bool,
    },
    Return {
        slot: usize,
        how: Return,
    },
    /// Requests sent in one write; then everything that any client received is collected.
    Requests {
        slot: usize,
        calls: Vec<Call>,
    },
    /// The connection ends abruptly; the session survives.
    HangUp {
        slot: usize,
    },
    /// The session is left idle until it expires.
    Expire {
        slot: usize,
    },
    Restart {
        kill: bool,
    },
    /// Empty containers and overdue nodes are collected: the servers are restarted with a short
    /// interval between checks until one candidate is gone.
    Reap,
    /// The client's next connection is to this server of the ensemble.
    Place {
        slot: usize,
        at: usize,
    },
    /// A server of the ensemble ends, while nothing is in flight.
    Down {
        at: usize,
        kill: bool,
    },
    /// It returns.
    Up,
}

/// The steps of a seed, with about so many requests.
pub(super) fn draw(seed: u64, requests: usize) -> Vec<Step> {
    let mut draw =
        Draw { rng: Rng::with_seed(seed), steps: Vec::new(), has_quotas: has_quotas(seed) };
    let mut count = 0;
    let restarts = draw.rng.u32(0..100) < 25;
    let expiries = draw.rng.u32(0..100) < 30;
    let reaps = draw.rng.u32(0..100) < 6;
    if draw.one_in(20) {
        count += draw.many_children();
    }
    while count < requests {
        count += draw.step();
        if restarts && draw.one_in(120) {
            let kill = draw.rng.bool();
            draw.steps.push(Step::Restart { kill });
        }
        if expiries && draw.one_in(100) {
            let slot = draw.slot();
            draw.steps.push(Step::Expire { slot });
        }
        if reaps && draw.one_in(100) {
            draw.steps.push(Step::Reap);
        }
    }
    for step in &mut draw.steps {
        if let Step::Requests { calls, .. } = step {
            calls.iter_mut().for_each(keep_quotas_certain);
        }
    }
    draw.steps
}

/// What clients write into the node of a quota's usage is usage: stock exits when it applies a
/// change below one that it cannot parse. And a quota ends with no session: which of the session's
/// other nodes stock then still takes out of the usage depends on the order of its hash tables.
fn keep_quotas_certain(call: &mut Call) {
    match call {
        Call::Create { path: Path::Fixed(path), data, flags, .. } => {
            keep_usage_readable(path, data);
            if *flags == 1 && path.starts_with("/zookeeper/quota/") {
                *flags = 0;
            }
        }
        Call::Set { path: Path::Fixed(path), data, .. } => keep_usage_readable(path, data),
        Call::Multi { calls, .. } => calls.iter_mut().for_each(keep_quotas_certain),
        Call::Cut { call, .. } => keep_quotas_certain(call),
        _ => {}
    }
}

fn keep_usage_readable(path: &str, data: &mut Data) {
    let is_usage = |data: &[u8]| data.starts_with(b"count=") && data.contains(&b',');
    if path.ends_with("/zookeeper_stats") && !data.0.as_deref().is_some_and(is_usage) {
        data.0 = Some(b"count=3,bytes=4".to_vec());
    }
}

/// Whether the streams of this seed set limits.
fn has_quotas(seed: u64) -> bool {
    seed.is_multiple_of(3)
}

impl Draw {
    /// Adds a step and returns its number of requests.
    fn step(&mut self) -> usize {
        let slot = self.slot();
        match self.rng.u32(0..100) {
            0..=3 => self.open(slot),
            4..=7 => self.come_back(slot),
            8 => self.steps.push(Step::HangUp { slot }),
            9..=10 => return self.last_words(slot),
            11..=14 => return self.auth(slot),
            15..=16 if self.has_quotas => return self.quota(slot),
            _ => return self.requests(slot),
        }
        1
    }

    fn open(&mut self, slot: usize) {
        let timeout_ms = self.of(&[100_000, 300_000, 200_001, 10_000_000, i32::MAX]);
        let read_only = self.of(&[Some(false), Some(true), None]);
        let ahead = self.one_in(10);
        self.steps.push(Step::Open { slot, timeout_ms, read_only, ahead });
    }

    fn come_back(&mut self, slot: usize) {
        let hang_up = self.rng.bool();
        // A wrong password on a live connection is an intended difference.
        let wrong_password = hang_up && self.one_in(8);
        let read_only = self.of(&[Some(false), Some(true), None]);
        let timeout_ms = self.of(&[100_000, 300_000, 10_000_000]);
        let how = Return { hang_up, wrong_password, read_only, timeout_ms };
        self.steps.push(Step::Return { slot, how });
        if self.rng.u32(0..3) > 0 {
            let call = self.set_watches();
            self.steps.push(Step::Requests { slot, calls: vec![call] });
        }
    }

    /// Requests that may end the connection come last, so that no answer is lost with it.
    fn last_words(&mut self, slot: usize) -> usize {
        if self.one_in(10) {
            // Unknown operations are answered at once, before what is in flight.
            let kind = self.of(&[0, 10, 42, 999, -1, -2, opcode::CHECK]);
            self.steps.push(Step::Requests { slot, calls: vec![Call::Bare { kind }] });
            return 1;
        }
        let mut calls = self.calls(5);
        if matches!(calls.last(), Some(Call::SetAcl { .. })) {
            calls.pop();
        }
        calls.push(match self.rng.u32(0..10) {
            0..=4 => Call::Bare { kind: opcode::CLOSE_SESSION },
            5..=7 => {
                let call = Box::new(self.call());
                let length = self.rng.usize(0..24);
                Call::Cut { call, length }
            }
            _ => Call::Reconfig { joining: self.of(&[None, Some("server.1=a:1:2".to_owned())]) },
        });
        let count = calls.len();
        self.steps.push(Step::Requests { slot, calls });
        count
    }

    /// auth overtakes what is in flight, so it is sent alone.
    fn auth(&mut self, slot: usize) -> usize {
        let (scheme, credentials): (&str, &[u8]) = self.of(&[
            ("digest", &b"ann:one"[..]),
            ("digest", b"ann:one"),
            ("digest", b"bob:two"),
            ("digest", b"bob:two"),
            ("digest", b"nocolon"),
            ("digest", b""),
            ("digest", SUPER),
            ("ip", b""),
            ("ip", b"10.0.0.1"),
            ("world", b"anyone"),
            ("auth", b""),
            ("none", b"x"),
            ("", b""),
            ("x509", b"CN=a"),
        ]);
        let call = Call::Auth { scheme: scheme.to_owned(), credentials: credentials.to_vec() };
        self.steps.push(Step::Requests { slot, calls: vec![call] });
        1
    }

    /// The nodes that set a limit, as the tools create them, or almost.
    fn quota(&mut self, slot: usize) -> usize {
        let below = self.of(&["/a", "/b", "/a/b", "/c", "/a/b/c"]);
        let at = format!("/zookeeper/quota{below}");
        let limits = self.of(&[
            "count=3,bytes=-1",
            "count=-1,bytes=20",
            "count=5,bytes=50=;byteHardLimit=60;countHardLimit=6",
            "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3",
            "count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=-1",
            "bytes=5",
            "count=2",
        ]);
        let mut calls = Vec::new();
        match self.rng.u32(0..6) {
            0 => {
                for name in ["/zookeeper_limits", "/zookeeper_stats", ""] {
                    let path = Path::Fixed(format!("{at}{name}"));
                    calls.push(Call::Delete { path, version: -1 });
                }
            }
            1 => {
                let path = Path::Fixed(format!("{at}/zookeeper_limits"));
                calls.push(Call::Set { path, data: Data(Some(limits.into())), version: -1 });
            }
            2 => {
                for name in ["/zookeeper_stats", "/zookeeper_limits"] {
                    let path = Path::Fixed(format!("{at}{name}"));
                    calls.push(Call::Read { kind: opcode::GET_DATA, path, watch: false });
                }
            }
            _ => {
                let steps: Vec<_> = at.match_indices('/').map(|(i, _)| i).skip(3).collect();
                let mut paths: Vec<_> = steps.iter().map(|i| at[..*i].to_owned()).collect();
                paths.push(at.clone());
                calls.extend(paths.into_iter().map(|path| create_open(&path, b"")));
                calls.push(create_open(&format!("{at}/zookeeper_limits"), limits.as_bytes()));
                let stats = self.of(&["count=0,bytes=0", "count=9,bytes=9"]);
                calls.push(create_open(&format!("{at}/zookeeper_stats"), stats.as_bytes()));
            }
        }
        let count = calls.len();
        self.steps.push(Step::Requests { slot, calls });
        count
    }

    /// A node with many children, created in several ways, and listed.
    fn many_children(&mut self) -> usize {
        let slot = self.slot();
        let count = self.rng.usize(200..3000);
        let mut calls = vec![create_open("/many", b"")];
        let name = self.of(&["/many/n-", "/many/a-rather-long-name-for-a-child-"]);
        calls.extend((0..count).map(|_| Call::Create {
            kind: opcode::CREATE,
            path: Path::Fixed(name.to_owned()),
            data: Data(Some(Vec::new())),
            acl: Some(Acl::open()),
            flags: 2,
            ttl: 0,
        }));
        for calls in calls.chunks(500) {
            self.steps.push(Step::Requests { slot, calls: calls.to_vec() });
        }
        let path = Path::Fixed("/many".to_owned());
        let list = |kind| Call::Read { kind, path: path.clone(), watch: true };
        let calls = vec![list(opcode::GET_CHILDREN), list(opcode::GET_CHILDREN2)];
        self.steps.push(Step::Requests { slot, calls });
        count
    }

    fn requests(&mut self, slot: usize) -> usize {
        let calls = self.calls(if slot == 0 { 40 } else { 12 });
        let count = calls.len();
        self.steps.push(Step::Requests { slot, calls });
        count
    }

    fn calls(&mut self, count_max: usize) -> Vec<Call> {
        let count = self.rng.usize(1..=count_max);
        let mut calls = Vec::new();
        while calls.len() < count {
            calls.push(self.call());
            // Stock checks requests that follow immediately against the old ACL or the new one,
            // depending on timing; ours against the new one.
            if matches!(calls.last(), Some(Call::SetAcl { .. })) {
                break;
            }
        }
        calls
    }

    fn call(&mut self) -> Call {
        match self.rng.u32(0..100) {
            0..=21 => self.create(false),
            22..=29 => self.delete(),
            30..=39 => self.set(),
            40..=62 => {
                let kinds =
                    [opcode::EXISTS, opcode::GET_DATA, opcode::GET_CHILDREN, opcode::GET_CHILDREN2];
                let (kind, path, watch) = (self.of(&kinds), self.path(), self.rng.bool());
                Call::Read { kind, path, watch }
            }
            63..=69 => {
                let kinds = [
                    opcode::GET_ACL,
                    opcode::SYNC,
                    opcode::GET_ALL_CHILDREN_NUMBER,
                    opcode::GET_EPHEMERALS,
                ];
                Call::Named { kind: self.of(&kinds), path: self.path() }
            }
            70..=73 => {
                let version = self.version();
                Call::SetAcl { path: self.path(), acl: self.acl(), version }
            }
            74..=83 => self.multi(),
            84..=88 => Call::AddWatch { path: self.path(), mode: self.of(&[0, 0, 1, 1, 1, 2, -1]) },
            89..=94 => {
                let kind = self.of(&[opcode::CHECK_WATCHES, opcode::REMOVE_WATCHES]);
                let watcher = self.of(&[1, 2, 3, 3, 4, 5, 0, 6, -1]);
                Call::Watchers { kind, path: self.path(), watcher }
            }
            95 => self.set_watches(),
            96..=97 => Call::Bare { kind: opcode::WHO_AM_I },
            _ => Call::Bare { kind: opcode::PING },
        }
    }

    fn create(&mut self, is_in_multi: bool) -> Call {
        let kind = match self.rng.u32(0..20) {
            0..=10 => opcode::CREATE,
            11..=16 => opcode::CREATE2,
            17..=18 => opcode::CREATE_CONTAINER,
            _ => opcode::CREATE_TTL,
        };
        let flags = match kind {
            _ if self.one_in(40) => self.of(&[-1, 0, 1, 2, 3, 4, 5, 6, 7, 100]),
            opcode::CREATE_CONTAINER => 4,
            opcode::CREATE_TTL => self.of(&[5, 6]),
            _ => self.of(&[0, 0, 0, 0, 0, 0, 1, 1, 2, 3]),
        };
        let ttl = self.of(&[1, 50, 50, 100_000_000, 0, -1, 0xff_ffff_ffff, 0x100_0000_0000]);
        // createTTL with flags of another kind is an intended difference.
        let is_odd = kind == opcode::CREATE_TTL && !matches!(flags, 5 | 6) && !is_in_multi;
        // What is created below a container that is flagged ephemeral depends on stock's timing.
        let is_uncertain = kind == opcode::CREATE_CONTAINER && matches!(flags, 1 | 3);
        let flags = match (is_odd, is_uncertain) {
            (true, _) => 5,
            (false, true) => 4,
            (false, false) => flags,
        };
        Call::Create { kind, path: self.path(), data: self.data(), acl: self.acl(), flags, ttl }
    }

    fn delete(&mut self) -> Call {
        Call::Delete { path: self.path(), version: self.version() }
    }

    fn set(&mut self) -> Call {
        Call::Set { path: self.path(), data: self.data(), version: self.version() }
    }

    fn multi(&mut self) -> Call {
        let kind = if self.one_in(4) { opcode::MULTI_READ } else { opcode::MULTI };
        let count = self.of(&[0, 1, 1, 2, 2, 3, 4, 6, 10]);
        let calls = (0..count)
            .map(|_| match (kind, self.rng.u32(0..10)) {
                (opcode::MULTI_READ, _) => {
                    let kind = self.of(&[opcode::GET_DATA, opcode::GET_CHILDREN]);
                    Call::Read { kind, path: self.path(), watch: false }
                }
                (_, 0..=3) => self.create(true),
                (_, 4..=5) => self.delete(),
                (_, 6..=7) => self.set(),
                _ => Call::Check { path: self.path(), version: self.version() },
            })
            .collect();
        Call::Multi { kind, calls }
    }

    pub(super) fn set_watches(&mut self) -> Call {
        let two = self.rng.bool();
        let back = self.of(&[0, 0, 1, 3, 10, 1_000_000, -5]);
        let lists = [0, 1, 2, 3, 4].map(|_| {
            let count = self.of(&[0, 0, 1, 2, 4]);
            (0..count).map(|_| self.path()).collect()
        });
        Call::SetWatches { two, back, lists }
    }
}

fn create_open(path: &str, data: &[u8]) -> Call {
    Call::Create {
        kind: opcode::CREATE,
        path: Path::Fixed(path.to_owned()),
        data: Data(Some(data.to_vec())),
        acl: Some(Acl::open()),
        flags: 0,
        ttl: 0,
    }
}
