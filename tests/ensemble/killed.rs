//! Servers of an ensemble killed under load: nothing acknowledged is lost, no session, and all of
//! them hold the same tree afterwards.

use super::{Ensemble, number};
use crate::crash::load::Worker;
use fastrand::Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const WORKERS: usize = 6;

/// Which servers end together.
fn victims(rng: &mut Rng, leader: usize) -> Vec<usize> {
    let follower = (leader + 1 + rng.usize(0..2)) % 3;
    match rng.u32(0..4) {
        0 => vec![leader],
        1 => vec![follower],
        2 => vec![leader, follower],
        _ => vec![0, 1, 2],
    }
}

fn rounds(count: u32, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let mut ensemble = Ensemble::start(3, |config| config.set("snapCount", "3000"));
    let mut workers: Vec<_> =
        (0..WORKERS).map(|at| Worker::new(ensemble.address(at % 3), at)).collect();
    for round in 0..count {
        let stop = Arc::new(AtomicBool::new(false));
        let work = |worker: Worker| {
            let stop = stop.clone();
            thread::spawn(move || worker.work(&stop))
        };
        let running: Vec<_> = workers.into_iter().map(work).collect();
        thread::sleep(Duration::from_millis(rng.u64(100..700)));
        let victims = victims(&mut rng, ensemble.leader());
        for at in &victims {
            ensemble.servers[*at].kill();
        }
        thread::sleep(Duration::from_millis(rng.u64(0..300)));
        for at in &victims {
            ensemble.servers[*at].launch();
        }
        ensemble.await_service();
        stop.store(true, Ordering::Relaxed);
        workers = running.into_iter().map(|worker| worker.join().unwrap()).collect();
        for worker in &mut workers {
            worker.check_at(ensemble.address(rng.usize(0..3)));
        }
        ensemble.assert_digests();
        if (round + 1) % 10 == 0 {
            let acknowledged: u64 = workers.iter().map(Worker::acknowledged).sum();
            eprintln!("ensemble: {} rounds, {acknowledged} steps acknowledged", round + 1);
        }
    }
    let acknowledged: u64 = workers.iter().map(Worker::acknowledged).sum();
    workers.into_iter().for_each(Worker::leave);
    ensemble.assert_equal();
    assert!(acknowledged > 20 * u64::from(count), "hardly any work was done: {acknowledged}");
}

#[test]
fn nothing_acknowledged_is_lost_whichever_servers_are_killed() {
    let count = number("RINGKEEPER_ENSEMBLE_ROUNDS").unwrap_or(4);
    rounds(count as u32, number("RINGKEEPER_ENSEMBLE_SEED").unwrap_or(1));
}
