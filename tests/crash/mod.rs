//! A server killed under load: nothing acknowledged is lost, nothing is applied partially.

pub(crate) mod campaign;
mod endings;
pub(crate) mod load;

use std::thread;
use std::time::Duration;

use harness::Server;

use load::Worker;

const WORKERS: usize = 4;
const ROUNDS: u32 = 6;

/// Rounds of work, each ended by `end` and followed by a check of what survived.
fn rounds(server: &mut Server, end: fn(&mut Server)) {
    let mut workers: Vec<_> = (0..WORKERS).map(|i| Worker::new(server.address(), i)).collect();
    for round in 0..ROUNDS {
        let running: Vec<_> = workers
            .into_iter()
            .map(|worker| thread::spawn(move || worker.work_until_cut()))
            .collect();
        // Another moment each round: early, under full load, during a snapshot or a full batch.
        thread::sleep(Duration::from_millis(150 + u64::from(round) * 90));
        end(server);
        workers = running.into_iter().map(|worker| worker.join().unwrap()).collect();
        server.start_again();
        for worker in &mut workers {
            worker.check();
        }
    }
    let acknowledged: u64 = workers.iter().map(Worker::acknowledged).sum();
    assert!(acknowledged > 100, "hardly any work was done: {acknowledged}");
}

fn config(shards: &str) -> harness::Config {
    // A snapshot every few thousand writes, so that some kills interrupt one.
    Server::config().set("ring.shards", shards).set("snapCount", "3000")
}

fn kill(server: &mut Server) {
    server.kill();
}

fn stop(server: &mut Server) {
    server.stop();
}

#[test]
fn killed_with_one_shard() {
    rounds(&mut config("1").start(), kill);
}

#[test]
fn killed_with_four_shards() {
    rounds(&mut config("4").start(), kill);
}

#[test]
fn stopped_with_one_shard() {
    rounds(&mut config("1").start(), stop);
}

#[test]
fn stopped_with_four_shards() {
    rounds(&mut config("4").start(), stop);
}
