//! Roles that are a thread with prepared answers, and an admin thread before them.

use crate::admin::inquiry::{
    ConnectionPage, ConnectionReport, EphemeralPage, EphemeralReport, Inquiry, InquiryInbox, Mode,
    OrderingInquiry, OrderingReport, QuotaPage, SessionExpiry, SessionPage, ShardInquiry,
    ShardReport, Spread, WatchCounts, WatchCursor, WatchPage, WatchReport, channel,
};
use crate::admin::{Admin, Facts, FourLetterWord, HttpPorts, Roles, WordRequest, start};
use crate::config::{Sources, load};
use crate::gate::{ConnectThrottle, ConnectionGate, Seat};
use model::session::SessionId;
use model::zxid::Zxid;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, Thread};

/// A core loop with a shard and, if it is the first, the ordering role.
pub(super) struct FakeLoop {
    thread: JoinHandle<Vec<&'static str>>,
    stop: Arc<AtomicBool>,
}

impl FakeLoop {
    pub(super) fn start(index: i64, mut inbox: InquiryInbox, is_serving: bool) -> (Self, Thread) {
        let stop = Arc::new(AtomicBool::new(false));
        let is_stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut resets = Vec::new();
            while !is_stopped.load(Ordering::Acquire) {
                while let Some(inquiry) = inbox.take_brief().or_else(|| inbox.take_page()) {
                    answer(index, is_serving, inquiry, &mut resets);
                }
                thread::park();
            }
            resets
        });
        let waker = thread.thread().clone();
        (Self { thread, stop }, waker)
    }

    pub(super) fn end(self) -> Vec<&'static str> {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        self.thread.join().unwrap()
    }
}

pub(super) fn answer(
    index: i64,
    is_serving: bool,
    inquiry: Inquiry,
    resets: &mut Vec<&'static str>,
) {
    match inquiry {
        Inquiry::Shard(inquiry) => answer_shard(index, inquiry, resets),
        Inquiry::Ordering(inquiry) => answer_ordering(is_serving, inquiry, resets),
    }
}

pub(super) fn answer_shard(index: i64, inquiry: ShardInquiry, resets: &mut Vec<&'static str>) {
    match inquiry {
        ShardInquiry::Counts(reply) => {
            let report = ShardReport {
                connections: 2,
                received: 10,
                sent: 20,
                latency: Spread { count: 4, sum: 10, min: 1, max: 4 },
                data_watches: WatchCounts { connections: 1, paths: 3, watches: 3 },
                ..ShardReport::default()
            };
            reply.send(report).ok();
        }
        ShardInquiry::ResetCounts(reply) => {
            resets.push("shard");
            reply.send(()).ok();
        }
        ShardInquiry::Metrics(reply) => {
            reply.send(Box::default()).ok();
        }
        ShardInquiry::ResetConnections(from, reply) => {
            // Two pages.
            if from == 0 {
                resets.push("connections");
            }
            reply.send((from == 0).then_some(7)).ok();
        }
        ShardInquiry::Connections(from, reply) => {
            // Two pages of one connection each.
            let page = ConnectionPage {
                connections: vec![connection(index, from)],
                next: (from == 0).then_some(7),
            };
            reply.send(page).ok();
        }
        ShardInquiry::Watches(from, reply) => {
            // One connection whose paths continue from page to page.
            let paths = [&b"/a"[..], b"/b", if index == 0 { b"/c" } else { b"/d" }];
            let next = from.place as usize + 1;
            let page = WatchPage {
                connections: vec![WatchReport {
                    slot: 4,
                    session: SessionId(0xa0 + index),
                    paths: vec![paths[from.place as usize].into()],
                }],
                next: (next < paths.len()).then_some(WatchCursor { slot: 4, place: next as u64 }),
            };
            reply.send(page).ok();
        }
        // Clients do not move here.
        ShardInquiry::Moving(_) => (),
    }
}

pub(super) fn connection(index: i64, slot: u32) -> ConnectionReport {
    ConnectionReport {
        peer: SocketAddr::from(([10, 0, index as u8, slot as u8], 40_000)),
        is_reading: true,
        is_writing: false,
        session: SessionId(0),
        queued: 0,
        received: 1,
        sent: 2,
        last_op: None,
        established_ms: 0,
        heard_ms: 0,
        timeout_ms: 0,
        last_cxid: -1,
        last_zxid: Zxid(-1),
        last_response_ms: 0,
        last_latency_ms: 0,
        latency: Spread::default(),
    }
}

pub(super) fn answer_ordering(
    is_serving: bool,
    inquiry: OrderingInquiry,
    resets: &mut Vec<&'static str>,
) {
    match inquiry {
        OrderingInquiry::Counts(reply) => {
            let report = OrderingReport {
                is_serving,
                mode: Mode::Standalone,
                zxid: Zxid(0x1f),
                node_count: 5,
                ..OrderingReport::default()
            };
            reply.send(Box::new(report)).ok();
        }
        OrderingInquiry::ResetCounts { reply, .. } => {
            resets.push("ordering");
            reply.send(()).ok();
        }
        OrderingInquiry::ResetObservers(reply) => {
            resets.push("observers");
            reply.send(()).ok();
        }
        OrderingInquiry::Metrics(reply) => {
            reply.send(Box::default()).ok();
        }
        OrderingInquiry::Quotas(_, reply) => {
            reply.send(QuotaPage::default()).ok();
        }
        OrderingInquiry::Sessions(_, from, reply) => {
            let entry = |expires_ms, id| SessionExpiry {
                expires_ms,
                session: SessionId(id),
                timeout_ms: 30_000,
            };
            // By their ids; the last expires first.
            let all = [entry(2000, 0xa0), entry(1000, 0xa1), entry(1000, 0xa2)];
            let mut rest = all.iter().filter(|entry| entry.session >= from);
            let page = SessionPage {
                sessions: rest.next().copied().into_iter().collect(),
                is_tracking: true,
                makes_local: false,
                next: rest.next().map(|entry| entry.session),
                mono_ms: 500,
                wall_ms: 1_795_240_947_500,
            };
            reply.send(page).ok();
        }
        OrderingInquiry::Ephemerals(_, reply) => {
            let report =
                EphemeralReport { session: SessionId(0xa1), paths: vec![b"/e"[..].into()] };
            reply.send(EphemeralPage { sessions: vec![report], next: None }).ok();
        }
        OrderingInquiry::Digests(reply) => {
            reply.send(vec![(Zxid(0x10), 7), (Zxid(0x20), u64::MAX)]).ok();
        }
    }
}

pub(super) fn facts_of(sources: &Sources) -> Facts {
    let throttle = Arc::new(ConnectThrottle::new(None, 1));
    Facts::of(&load(sources).unwrap().config, SocketAddr::from(([0; 4], 2181)), throttle)
}

/// A place at a gate of its own.
pub(super) fn seat() -> Seat {
    let gate = Arc::new(ConnectionGate::new(None, None, 1));
    gate.admit(SocketAddr::from(([127, 0, 0, 1], 40_000)), 0).unwrap()
}

pub(super) struct Fixture {
    pub(super) admin: Admin,
    loops: Vec<FakeLoop>,
    listener: TcpListener,
}

impl Fixture {
    pub(super) fn new(loop_count: i64, whitelist: &str, is_serving: bool) -> Self {
        let mut senders = Vec::new();
        let mut loops = Vec::new();
        for index in 0..loop_count {
            let waker = Arc::new(std::sync::OnceLock::<Thread>::new());
            let wakes = Arc::clone(&waker);
            let (sender, inbox) = channel(move || {
                if let Some(thread) = wakes.get() {
                    thread.unpark();
                }
            });
            let (fake, thread) = FakeLoop::start(index, inbox, is_serving);
            waker.set(thread).unwrap();
            senders.push(sender);
            loops.push(fake);
        }
        let roles = Roles { ordering: senders[0].clone(), shards: senders };
        let sets = vec![format!("4lw.commands.whitelist={whitelist}")];
        let sources = Sources { sets, ..Sources::default() };
        let mut facts = facts_of(&sources);
        facts.data_dir = "/nonexistent".into();
        facts.data_log_dir = "/nonexistent".into();
        let served = load(&sources).unwrap().config.admin;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { admin: start(facts, roles, &served, HttpPorts::default()).unwrap(), loops, listener }
    }

    /// A client, and the socket that its shard would hand over.
    pub(super) fn connect(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        (client, self.listener.accept().unwrap().0)
    }

    pub(super) fn hand_over(&self, word: FourLetterWord, rest: &[u8]) -> TcpStream {
        let (client, server) = self.connect();
        let (socket, rest, seat) = (server.into(), rest.to_vec(), seat());
        let request = WordRequest { socket, word, rest, seat };
        assert!(self.admin.words().hand_over(request));
        client
    }

    pub(super) fn word(&self, word: FourLetterWord) -> String {
        read(self.hand_over(word, b""))
    }

    pub(super) fn end(self) -> Vec<Vec<&'static str>> {
        self.admin.stop();
        self.loops.into_iter().map(FakeLoop::end).collect()
    }
}

pub(super) fn read(mut client: TcpStream) -> String {
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    text
}
