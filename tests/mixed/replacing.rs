//! A running ensemble is replaced one server at a time while its clients go on: by ours, and back.
//!
//! A server comes with nothing and gets a copy from its leader, or with what it had, converted.
//! Clients whose server is stopped go to another one. Nothing acknowledged is lost, no session, no
//! ephemeral node.

use super::{Make, Mixed};
use crate::crash::load::Worker;
use crate::ensemble::{Seat, number};
use fastrand::Rng;
use harness::server::our_binary;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const STOCK: (Make, Seat) = (Make::Stock, Seat::Voter);
const WORKERS: usize = 4;

/// How a server comes to its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It has none, and gets a copy.
    Empty,
    /// They are converted.
    Converted,
}

/// Moves a directory away, if it is there, under a name of its own.
fn move_away(data: &Path, name: &str) {
    let mut names = (1..).map(|number| data.join(format!("{name}.before-{number}")));
    if data.join(name).exists() {
        let free = names.find(|path| !path.exists()).unwrap();
        fs::rename(data.join(name), free).unwrap();
    }
}

/// Converts what is in a data directory, or moves it away.
fn convert(data: &Path, to: Make, way: Way) {
    let (before, after, command) = match to {
        Make::Ours => ("version-2", "ringkeeper-1", "import"),
        Make::Stock => ("ringkeeper-1", "version-2", "export"),
    };
    move_away(data, after);
    if way == Way::Empty {
        return move_away(data, before);
    }
    let done = Command::new(our_binary()).arg(command).arg(data).arg("--to").arg(data).output();
    let done = done.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

impl Mixed {
    /// A server is stopped, and one of the other make takes its place.
    fn replace(&mut self, at: usize, to: Make, way: Way) {
        let server = &mut self.ensemble.servers[at];
        let status = server.stop();
        assert!(to == Make::Stock || status.code().is_some_and(|code| code == 143), "{status}");
        convert(&server.folder().join("data"), to, way);
        server.set_command(to.command());
        server.launch();
        self.makes[at] = to;
        self.ensemble.await_service();
    }
}

/// Works until it is asked to stop, at whatever server there is.
fn go_on(mut worker: Worker, addresses: &[SocketAddr], stop: &AtomicBool) -> Worker {
    loop {
        worker = worker.work(stop);
        if stop.load(Ordering::Relaxed) {
            return worker;
        }
        worker.check_at_any(addresses);
    }
}

/// What `ringkeeper migrate plan` prints about these servers, and whether nothing is in the way.
fn planned(addresses: &[SocketAddr]) -> (String, bool) {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let words = ["migrate", "plan", &addresses.join(",")];
    let done = Command::new(our_binary()).args(words).output().unwrap();
    (String::from_utf8_lossy(&done.stdout).into_owned(), done.status.success())
}

/// Clients that go on until they are stopped, each with a session of its own.
struct Load {
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<Worker>>,
    addresses: Vec<SocketAddr>,
}

impl Load {
    /// Their numbers begin with `first`.
    fn begin(mixed: &Mixed, first: usize) -> Self {
        let addresses: Vec<_> = (0..3).map(|at| mixed.ensemble.address(at)).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let begin = |number: usize| {
            let worker = Worker::new(addresses[number % 3], number);
            let (stop, mut addresses) = (stop.clone(), addresses.clone());
            addresses.rotate_left(number % 3 + 1);
            thread::spawn(move || go_on(worker, &addresses, &stop))
        };
        let workers = (first..first + WORKERS).map(begin).collect();
        Self { stop, workers, addresses }
    }

    /// Everything acknowledged is there, on every server.
    fn end(self, mixed: &Mixed) {
        self.stop.store(true, Ordering::Relaxed);
        let workers = self.workers.into_iter().map(|worker| worker.join().unwrap());
        for (at, mut worker) in workers.enumerate() {
            worker.check_at(self.addresses[at % 3]);
            assert!(worker.acknowledged() > 100, "hardly any work was done");
            worker.leave();
        }
        mixed.assert_same();
    }
}

#[test]
fn a_running_ensemble_is_replaced_and_back() {
    let mut mixed = Mixed::prepare(&[STOCK; 3], |config| config);
    mixed.launch(&[2, 1, 0]);
    let addresses: Vec<_> = (0..3).map(|at| mixed.ensemble.address(at)).collect();
    let (plan, is_possible) = planned(&addresses);
    assert!(is_possible, "{plan}");
    let last = format!("\n3. {} (server 3, leader)\n", addresses[2]);
    assert!(plan.contains(&last) && !plan.contains("dataDir/"), "{plan}");
    let (plan, is_possible) = planned(&addresses[..2]);
    assert!(
        !is_possible && plan.contains("the ensemble has 3 servers, and 2 were named"),
        "{plan}"
    );
    let load = Load::begin(&mixed, 0);
    let ways = [Way::Empty, Way::Converted, Way::Empty];
    for (to, ways) in [(Make::Ours, ways), (Make::Stock, [ways[1], ways[0], ways[1]])] {
        for (at, way) in ways.into_iter().enumerate() {
            thread::sleep(Duration::from_millis(500));
            mixed.replace(at, to, way);
        }
        if to == Make::Ours {
            let (plan, is_possible) = planned(&addresses);
            assert!(is_possible && plan.contains("nothing is left to do"), "{plan}");
        }
    }
    load.end(&mixed);
}

/// A campaign: `make mixed ROUNDS=n SEED=n`.
#[test]
#[ignore = "takes minutes"]
fn servers_are_exchanged_and_killed_at_random() {
    let rounds = number("RINGKEEPER_MIXED_ROUNDS").unwrap_or(10);
    let mut rng = Rng::with_seed(number("RINGKEEPER_MIXED_SEED").unwrap_or(1));
    let mut mixed = Mixed::prepare(&[STOCK; 3], |config| config.set("snapCount", "3000"));
    mixed.launch(&[2, 1, 0]);
    let mut load = None;
    for round in 1..=rounds {
        let begun = load.take().unwrap_or_else(|| Load::begin(&mixed, round as usize * WORKERS));
        thread::sleep(Duration::from_millis(rng.u64(500..3_000)));
        let at = rng.usize(0..3);
        if rng.u8(0..3) == 0 {
            mixed.ensemble.servers[at].kill();
            thread::sleep(Duration::from_millis(rng.u64(0..500)));
            mixed.ensemble.servers[at].launch();
            mixed.ensemble.await_service();
        } else {
            let to = if mixed.makes[at] == Make::Ours { Make::Stock } else { Make::Ours };
            let way = if rng.bool() { Way::Empty } else { Way::Converted };
            mixed.replace(at, to, way);
        }
        if round % 10 == 0 || round == rounds {
            begun.end(&mixed);
            eprintln!("mixed: {round} rounds, now {:?}", mixed.makes);
        } else {
            load = Some(begun);
        }
    }
}
