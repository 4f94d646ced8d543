//! A running ensemble is replaced one server at a time while its clients go on: by ours, and back.
//!
//! A server comes with nothing and gets a copy from its leader, or with what it had, converted.
//! Clients whose server is stopped go to another one. Nothing acknowledged is lost, no session, no
//! ephemeral node.

use super::{Make, Mixed};
use crate::crash::load::Worker;
use crate::ensemble::Seat;
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

/// Converts what is in a data directory, or moves it away.
fn convert(data: &Path, to: Make, way: Way) {
    let (before, command) = match to {
        Make::Ours => ("version-2", "import"),
        Make::Stock => ("ringkeeper-1", "export"),
    };
    if to == Make::Stock && data.join("version-2").exists() {
        fs::rename(data.join("version-2"), data.join("version-2.before")).unwrap();
    }
    if way == Way::Converted {
        let done = Command::new(our_binary()).arg(command).arg(data).arg("--to").arg(data).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    } else {
        fs::rename(data.join(before), data.join(format!("{before}.before"))).unwrap();
    }
}

impl Mixed {
    /// A server is stopped, and one of the other make takes its place.
    fn replace(&mut self, at: usize, to: Make, way: Way) {
        let server = &mut self.ensemble.servers[at];
        let status = server.stop();
        assert!(to == Make::Stock || status.code().is_some_and(|code| code == 143), "{status}");
        convert(&server.folder().join("data"), to, way);
        fs::rename(server.folder().join("log"), server.folder().join("log.before")).unwrap();
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
    let stop = Arc::new(AtomicBool::new(false));
    let workers: Vec<JoinHandle<Worker>> = (0..WORKERS)
        .map(|number| {
            let worker = Worker::new(addresses[number % 3], number);
            let (stop, mut addresses) = (stop.clone(), addresses.clone());
            addresses.rotate_left(number % 3 + 1);
            thread::spawn(move || go_on(worker, &addresses, &stop))
        })
        .collect();
    let ways = [Way::Empty, Way::Converted, Way::Empty];
    for (to, ways) in [(Make::Ours, ways), (Make::Stock, [ways[1], ways[0], ways[1]])] {
        for (at, way) in ways.into_iter().enumerate() {
            thread::sleep(Duration::from_millis(500));
            mixed.replace(at, to, way);
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut workers: Vec<_> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
    for (at, worker) in workers.iter_mut().enumerate() {
        worker.check_at(addresses[at % 3]);
        assert!(worker.acknowledged() > 100, "hardly any work was done");
    }
    workers.into_iter().for_each(Worker::leave);
    mixed.assert_same();
}
