//! The state of a server: its memory, its descriptors, and how soon it answers a well-behaved
//! client.

use harness::client::frame;
use harness::{Acl, Body, Client, Server, code, opcode};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::crowds::dial_session;
use super::is_full;

/// Descriptors that vary on their own: segments and snapshots.
const FILES: usize = 4;

/// How long a server may take to return to its former state.
const RECOVERY_MAX: Duration = Duration::from_secs(60);

/// Resident memory, in KiB.
pub(super) fn resident_kib(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it lives");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Count of open descriptors.
pub(super) fn descriptors(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("it lives").count()
}

/// Waits for a condition for as long as a loaded machine may need.
pub(super) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < RECOVERY_MAX, "not within {RECOVERY_MAX:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A server before a flood, to be compared with it afterwards.
pub(super) struct Rest {
    kib: u64,
    descriptors: usize,
}

impl Rest {
    /// The server's current state.
    pub(super) fn of(server: &Server) -> Self {
        Self { kib: resident_kib(server), descriptors: descriptors(server) }
    }

    /// How many KiB more the server has than it had.
    pub(super) fn grown_kib(&self, server: &Server) -> u64 {
        resident_kib(server).saturating_sub(self.kib)
    }

    /// Waits until the server has the descriptors that it had, and at most `slack_kib` more memory;
    /// returns how many KiB more it has.
    pub(super) fn assert_back(&self, server: &Server, slack_kib: u64) -> u64 {
        wait_for("descriptors are closed", || descriptors(server) <= self.descriptors + FILES);
        let begin = Instant::now();
        while self.grown_kib(server) > slack_kib {
            let (grown, had) = (self.grown_kib(server), self.kib);
            assert!(begin.elapsed() < RECOVERY_MAX, "{grown} KiB above {had} KiB stay");
            thread::sleep(Duration::from_millis(100));
        }
        self.grown_kib(server)
    }
}

/// A well-behaved client that sends requests continuously, and how long each answer took.
pub(super) struct Pulse {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<[Vec<Duration>; 2]>,
}

/// The measured pulse: for gets and sets, the median, the 99th percentile and the slowest answer.
pub(super) struct Beat {
    count: usize,
    p50: [Duration; 2],
    p99: [Duration; 2],
    max: [Duration; 2],
}

impl Pulse {
    /// Starts sending.
    pub(super) fn start(address: SocketAddr) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let mut client = Client::connect(address);
        let made = client.create("/pulse", b"x", &Acl::open(), 0);
        assert!(made.is_ok() || made == Err(code::NODE_EXISTS));
        let thread = thread::spawn(move || {
            let mut took = [Vec::new(), Vec::new()];
            while !over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                client.get("/pulse", false).expect("a client of good will is answered");
                took[0].push(begin.elapsed());
                let begin = Instant::now();
                client.set("/pulse", b"y", -1).expect("a client of good will is answered");
                took[1].push(begin.elapsed());
                thread::sleep(Duration::from_micros(500));
            }
            client.close();
            took
        });
        Self { is_over, thread }
    }

    /// Stops, and returns the measured pulse.
    pub(super) fn stop(self) -> Beat {
        self.is_over.store(true, Ordering::Relaxed);
        let mut took = self.thread.join().expect("a client of good will is answered");
        let count = took[0].len();
        for took in &mut took {
            took.sort_unstable();
        }
        let at = |part: f64| {
            [0, 1].map(|i| {
                let last = took[i].len().saturating_sub(1);
                took[i].get((last as f64 * part) as usize).copied().unwrap_or_default()
            })
        };
        Beat { count, p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

/// The pulse beside a busy but harmless client: gets of a small node, sent by one thread as fast as
/// they are accepted, and read by another, as floods do it. Floods are compared with this, because
/// on few cores every client first waits for a processor.
fn harmless(address: SocketAddr) -> Beat {
    let pulse = Pulse::start(address);
    let mut writing = dial_session(address, 40_000);
    let mut reading = writing.try_clone().expect("own socket");
    let body = Body::new().int(1).int(opcode::GET_DATA).string("/pulse").boolean(false);
    let requests = frame(&body.0).repeat(64);
    let reader = thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while reading.read(&mut buffer).is_ok_and(|count| count > 0) {}
    });
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        writing.write_all(&requests).expect("a client of good will is answered");
    }
    let beat = pulse.stop();
    writing.shutdown(Shutdown::Both).ok();
    reader.join().expect("it only reads");
    beat
}

/// Runs an attack beside a pulse; in full mode, reports the pulse and what it would have been
/// beside an equally busy, well-behaved client.
pub(super) fn beside<T>(name: &str, server: &Server, flood: impl FnOnce() -> T) -> T {
    if !is_full() {
        let pulse = Pulse::start(server.address());
        let done = flood();
        pulse.stop();
        return done;
    }
    let before = harmless(server.address());
    let begin = Instant::now();
    let pulse = Pulse::start(server.address());
    let done = flood();
    // Too few answers have no 99th percentile.
    while begin.elapsed() < Duration::from_secs(2) {
        thread::sleep(Duration::from_millis(10));
    }
    let during = pulse.stop();
    let mut line = format!("{:.1} s, {} gets", begin.elapsed().as_secs_f64(), during.count);
    for (at, op) in ["get", "set"].iter().enumerate() {
        let [was, is] = [&before, &during].map(|beat| beat.p99[at].as_secs_f64());
        let (p50, p99, max) = (during.p50[at], during.p99[at], during.max[at]);
        write!(
            line,
            "; {op} p50 {p50:.0?} p99 {p99:.0?} max {max:.0?}, beside harmless p99 {:.0?}: {:.2}x",
            before.p99[at],
            is / was.max(1e-9)
        )
        .unwrap();
    }
    report(name, &line);
    done
}

/// Prints a line of the campaign's report, if enabled.
pub(super) fn report(name: &str, line: &str) {
    if is_full() {
        writeln!(std::io::stderr(), "hostile: {name}: {line}").ok();
    }
}
