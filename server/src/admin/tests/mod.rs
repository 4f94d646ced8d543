//! Words over real sockets; the roles are threads with prepared answers.

use super::inquiry::{
    ConnectionPage, ConnectionReport, EphemeralPage, EphemeralReport, Inquiry, InquiryInbox, Mode,
    OrderingInquiry, OrderingReport, QuotaPage, SessionExpiry, SessionPage, ShardInquiry,
    ShardReport, Spread, WatchCounts, WatchCursor, WatchPage, WatchReport, channel,
};
use super::{Admin, Facts, FourLetterWord, HttpPorts, Roles, WordRequest, Words, start};
use crate::config::{Sources, load};
use crate::gate::{ConnectThrottle, ConnectionGate, Seat};
use model::session::SessionId;
use model::zxid::Zxid;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, Thread};

mod making;

/// A core loop with a shard and, if it is the first, the ordering role.
struct FakeLoop {
    thread: JoinHandle<Vec<&'static str>>,
    stop: Arc<AtomicBool>,
}

impl FakeLoop {
    fn start(index: i64, mut inbox: InquiryInbox, is_serving: bool) -> (Self, Thread) {
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

    fn end(self) -> Vec<&'static str> {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        self.thread.join().unwrap()
    }
}

fn answer(index: i64, is_serving: bool, inquiry: Inquiry, resets: &mut Vec<&'static str>) {
    match inquiry {
        Inquiry::Shard(inquiry) => answer_shard(index, inquiry, resets),
        Inquiry::Ordering(inquiry) => answer_ordering(is_serving, inquiry, resets),
    }
}

fn answer_shard(index: i64, inquiry: ShardInquiry, resets: &mut Vec<&'static str>) {
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
    }
}

fn connection(index: i64, slot: u32) -> ConnectionReport {
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

fn answer_ordering(is_serving: bool, inquiry: OrderingInquiry, resets: &mut Vec<&'static str>) {
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
        OrderingInquiry::ResetCounts(reply) => {
            resets.push("ordering");
            reply.send(()).ok();
        }
        OrderingInquiry::Metrics(reply) => {
            reply.send(Box::default()).ok();
        }
        OrderingInquiry::Quotas(_, reply) => {
            reply.send(QuotaPage::default()).ok();
        }
        OrderingInquiry::Sessions(from, reply) => {
            let entry = |expires_ms, id| SessionExpiry { expires_ms, session: SessionId(id) };
            // By their ids; the last expires first.
            let all = [entry(2000, 0xa0), entry(1000, 0xa1), entry(1000, 0xa2)];
            let mut rest = all.iter().filter(|entry| entry.session >= from);
            let page = SessionPage {
                sessions: rest.next().copied().into_iter().collect(),
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

fn facts_of(sources: &Sources) -> Facts {
    let throttle = Arc::new(ConnectThrottle::new(None, 1));
    Facts::of(&load(sources).unwrap().config, 2181, 0, throttle)
}

/// A seat at a gate of its own.
fn seat() -> Seat {
    let gate = Arc::new(ConnectionGate::new(None, None, 1));
    gate.admit(SocketAddr::from(([127, 0, 0, 1], 40_000))).unwrap()
}

struct Fixture {
    admin: Admin,
    loops: Vec<FakeLoop>,
    listener: TcpListener,
}

impl Fixture {
    fn new(loop_count: i64, whitelist: &str, is_serving: bool) -> Self {
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
    fn connect(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        (client, self.listener.accept().unwrap().0)
    }

    fn hand_over(&self, word: FourLetterWord, rest: &[u8]) -> TcpStream {
        let (client, server) = self.connect();
        let (socket, rest, seat) = (server.into(), rest.to_vec(), seat());
        let request = WordRequest { socket, word, rest, seat };
        assert!(self.admin.words().hand_over(request));
        client
    }

    fn word(&self, word: FourLetterWord) -> String {
        read(self.hand_over(word, b""))
    }

    fn end(self) -> Vec<Vec<&'static str>> {
        self.admin.stop();
        self.loops.into_iter().map(FakeLoop::end).collect()
    }
}

fn read(mut client: TcpStream) -> String {
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn srvr_sums_the_reports_of_the_roles() {
    let fixture = Fixture::new(2, "*", true);
    let text = fixture.word(FourLetterWord::Srvr);
    assert!(
        text.ends_with(
            "UTC\nLatency min/avg/max: 1/2.5/4\nReceived: 21\nSent: 40\nConnections: 5\n\
             Outstanding: 0\nZxid: 0x1f\nMode: standalone\nNode count: 5\n"
        ),
        "{text}"
    );
    assert!(text.starts_with("Zookeeper version: 3.9.5-ringkeeper-"), "{text}");
    fixture.end();
}

#[test]
fn connections_come_in_pages_from_every_shard() {
    let fixture = Fixture::new(2, "*", true);
    let text = fixture.word(FourLetterWord::Cons);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert_eq!(lines[0], " /10.0.0.0:40000[1](queued=0,recved=1,sent=2)");
    assert_eq!(lines[3], " /10.0.1.7:40000[1](queued=0,recved=1,sent=2)");
    assert!(lines[4].ends_with("[0](queued=0,recved=1,sent=0)"), "{text}");
    assert!(text.ends_with(")\n\n"), "{text}");
    let stat = fixture.word(FourLetterWord::Stat);
    assert!(stat.contains("UTC\nClients:\n /10.0.0.0:40000[1]"), "{stat}");
    assert!(stat.contains("sent=0)\n\nLatency min/avg/max: "), "{stat}");
    fixture.end();
}

#[test]
fn watches_and_sessions_come_in_pages() {
    let fixture = Fixture::new(2, "*", true);
    assert_eq!(
        fixture.word(FourLetterWord::Wchc),
        "0xa0\n\t/a\n\t/b\n\t/c\n0xa1\n\t/a\n\t/b\n\t/d\n\n"
    );
    assert_eq!(
        fixture.word(FourLetterWord::Wchp),
        "/a\n\t0xa0\n\t0xa1\n/b\n\t0xa0\n\t0xa1\n/c\n\t0xa0\n/d\n\t0xa1\n\n"
    );
    assert_eq!(
        fixture.word(FourLetterWord::Wchs),
        "2 connections watching 4 paths\nTotal watches:6\n"
    );
    let dump = fixture.word(FourLetterWord::Dump);
    assert!(
        dump.starts_with(
            "SessionTracker dump:\nSession Sets (2)/(3):\n\
             2 expire at Sat Nov 21 06:02:28 UTC 2026:\n\t0xa1\n\t0xa2\n\
             1 expire at Sat Nov 21 06:02:29 UTC 2026:\n\t0xa0\nephemeral nodes dump:\n\
             Sessions with Ephemerals (1):\n0xa1:\n\t/e\nConnections dump:\nConnections Sets ("
        ),
        "{dump}"
    );
    fixture.end();
}

#[test]
fn resets_reach_every_role() {
    let fixture = Fixture::new(2, "*", true);
    assert_eq!(fixture.word(FourLetterWord::Srst), "Server stats reset.\n");
    assert_eq!(fixture.word(FourLetterWord::Crst), "Connection stats reset.\n");
    let srvr = fixture.word(FourLetterWord::Srvr);
    // The shards' numbers were not reset: they are prepared. Those of the words were.
    assert!(srvr.contains("\nReceived: 22\nSent: 42\n"), "{srvr}");
    assert_eq!(
        fixture.end(),
        [vec!["shard", "ordering", "connections"], vec!["shard", "connections"]]
    );
}

#[test]
fn words_without_roles() {
    let fixture = Fixture::new(1, "*", false);
    assert_eq!(fixture.word(FourLetterWord::Ruok), "imok");
    assert_eq!(fixture.word(FourLetterWord::Gtmk), "306");
    assert_eq!(read(fixture.hand_over(FourLetterWord::Stmk, &511_i64.to_be_bytes())), "511");
    assert_eq!(fixture.word(FourLetterWord::Gtmk), "511");
    let mut client = fixture.hand_over(FourLetterWord::Stmk, &[0xff; 3]);
    client.write_all(&[0xff; 5]).unwrap();
    assert_eq!(read(client), "-1");
    assert_eq!(fixture.word(FourLetterWord::TelnetClose), "");
    let envi = fixture.word(FourLetterWord::Envi);
    assert!(envi.starts_with("Environment:\nzookeeper.version=3.9.5-ringkeeper-"), "{envi}");
    assert!(envi.contains("\nos.name=Linux\n"), "{envi}");
    fixture.end();
}

#[test]
fn a_server_that_does_not_serve_says_so() {
    let fixture = Fixture::new(1, "*", false);
    let refusal = "This ZooKeeper instance is not currently serving requests";
    for word in [FourLetterWord::Srvr, FourLetterWord::Mntr, FourLetterWord::Conf] {
        assert_eq!(fixture.word(word), format!("{refusal}\n"));
    }
    assert_eq!(fixture.word(FourLetterWord::Hash), refusal);
    assert_eq!(fixture.word(FourLetterWord::Isro), "null");
    fixture.end();
}

#[test]
fn a_role_that_has_ended_is_no_server() {
    let (sender, inbox) = channel(|| {});
    drop(inbox);
    let facts = facts_of(&Sources::default());
    let served = load(&Sources::default()).unwrap().config.admin;
    let roles = Roles { shards: vec![sender.clone()], ordering: sender };
    let admin = start(facts, roles, &served, HttpPorts::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let socket = listener.accept().unwrap().0.into();
    let (word, rest) = (FourLetterWord::Srvr, Vec::new());
    let request = WordRequest { socket, word, rest, seat: seat() };
    assert!(admin.words().hand_over(request));
    assert!(read(client).starts_with("This ZooKeeper instance is not"));
    admin.stop();
}

#[test]
fn words_must_be_enabled() {
    let fixture = Fixture::new(1, "srvr, ruok", true);
    assert_eq!(
        fixture.word(FourLetterWord::Mntr),
        "mntr is not executed because it is not in the whitelist.\n"
    );
    assert_eq!(fixture.word(FourLetterWord::Ruok), "imok");
    fixture.end();
}

#[test]
fn the_remaining_words() {
    let fixture = Fixture::new(1, "*", true);
    assert_eq!(fixture.word(FourLetterWord::Isro), "rw");
    assert_eq!(fixture.word(FourLetterWord::Hash), "10: 7\n20: -1\n");
    assert_eq!(fixture.word(FourLetterWord::Dirs), "datadir_size: 0\nlogdir_size: 0\n");
    let conf = fixture.word(FourLetterWord::Conf);
    assert!(conf.starts_with("clientPort=2181\nsecureClientPort=-1\ndataDir=/"), "{conf}");
    let mntr = fixture.word(FourLetterWord::Mntr);
    assert!(mntr.lines().all(|line| line.starts_with("zk_") && line.contains('\t')), "{mntr}");
    fixture.end();
}

#[test]
fn bytes_behind_a_word_do_not_cost_the_answer() {
    let fixture = Fixture::new(1, "*", true);
    let mut client = fixture.hand_over(FourLetterWord::Ruok, b"\n");
    client.write_all(&[b'\n'; 1000]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read(client), "imok");
    fixture.end();
}

#[test]
fn too_many_words_are_closed() {
    let (sender, _receiver) = tokio::sync::mpsc::channel(1);
    let words = Words(sender);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let request = || {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = listener.accept().unwrap().0.into();
        let (word, rest) = (FourLetterWord::Ruok, Vec::new());
        (client, WordRequest { socket, word, rest, seat: seat() })
    };
    let (_waiting, first) = request();
    assert!(words.hand_over(first));
    let (refused, second) = request();
    assert!(!words.hand_over(second));
    assert_eq!(read(refused), "");
}

#[test]
fn a_requester_that_is_gone_is_no_error() {
    let (reply, answer) = tokio::sync::oneshot::channel();
    drop(answer);
    let mut resets = Vec::new();
    let inquiry = Inquiry::Ordering(OrderingInquiry::Digests(reply));
    self::answer(0, true, inquiry, &mut resets);
}

#[test]
fn directories_are_measured() {
    let directory = std::env::temp_dir().join(format!("rk-admin-sizes-{}", std::process::id()));
    std::fs::create_dir_all(directory.join("inner")).unwrap();
    std::fs::write(directory.join("a"), [0; 100]).unwrap();
    std::fs::write(directory.join("inner/b"), [0; 11]).unwrap();
    std::os::unix::fs::symlink(&directory, directory.join("inner/circle")).ok();
    assert_eq!(super::host::directory_bytes(&directory), 111);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_short_question_does_not_wait_behind_pages() {
    let (sender, mut inbox) = channel(|| {});
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let pages = (0..8).map(|_| {
            let sender = sender.clone();
            tokio::spawn(async move {
                sender.ask(|reply| Inquiry::Shard(ShardInquiry::Connections(0, reply))).await
            })
        });
        let pages: Vec<_> = pages.collect();
        tokio::task::yield_now().await;
        let short = tokio::spawn(async move {
            sender.ask(|reply| Inquiry::Ordering(OrderingInquiry::Counts(reply))).await
        });
        tokio::task::yield_now().await;
        let first = inbox.take_brief().expect("it is there, whatever came before");
        answer(0, true, first, &mut Vec::new());
        assert!(short.await.unwrap().is_ok());
        assert!(inbox.take_brief().is_none() && !inbox.is_empty());
        while let Some(page) = inbox.take_page() {
            answer(0, true, page, &mut Vec::new());
        }
        for page in pages {
            assert!(page.await.unwrap().is_ok());
        }
    });
}

#[test]
fn a_word_counts_as_a_connection_until_it_is_answered() {
    let gate = Arc::new(ConnectionGate::new(None, Some(1), 1));
    let address = SocketAddr::from(([127, 0, 0, 1], 40_000));
    let fixture = Fixture::new(1, "*", true);
    let (mut client, server) = fixture.connect();
    let seat = gate.admit(address).unwrap();
    // The argument of stmk is missing.
    let (socket, word, rest) = (server.into(), FourLetterWord::Stmk, vec![0; 3]);
    assert!(fixture.admin.words().hand_over(WordRequest { socket, word, rest, seat }));
    assert!(gate.admit(address).is_err());
    client.write_all(&[0; 5]).unwrap();
    assert_eq!(read(client), "0");
    while gate.admit(address).is_err() {
        thread::yield_now();
    }
    fixture.end();
}
