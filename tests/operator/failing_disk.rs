//! A disk that begins to fail under load: the server reports it, exits, and acknowledges nothing
//! more; on the repaired disk everything acknowledged is there.

use std::process::Command;
use std::thread;
use std::time::Duration;

use harness::{Client, Server, is_reference};

use super::assert_says;
use super::full_disk::Disk;
use crate::crash::campaign::{SHARED, Worker};

const WORKERS: usize = 3;

/// Works while `fail` happens, until the server has exited by itself; after `heal`, everything
/// acknowledged is there.
fn fails_and_heals(server: &mut Server, fail: impl FnOnce(&Server), heal: impl FnOnce()) {
    Client::connect(server.address()).make(SHARED);
    let workers: Vec<_> = (0..WORKERS).map(|i| Worker::new(server.address(), i)).collect();
    let running: Vec<_> =
        workers.into_iter().map(|worker| thread::spawn(move || worker.work_until_cut())).collect();
    thread::sleep(Duration::from_millis(300));
    fail(server);
    assert_eq!(server.wait_end().code(), Some(1), "{}", server.log());
    assert_says(&server.log(), &["writing the log failed in segment ", " at offset "]);
    let mut workers: Vec<_> = running.into_iter().map(|worker| worker.join().unwrap()).collect();
    heal();
    server.start_again();
    let newest = workers.iter().map(|worker| worker.shared).max().unwrap();
    workers[0].check();
    workers[0].check_shared(newest);
    workers[1..].iter_mut().for_each(Worker::check);
    let acknowledged: u64 = workers.iter().map(|worker| worker.acknowledged_count).sum();
    assert!(acknowledged > 20, "{acknowledged}");
}

fn fails_with(durability: &str, shards: &str) {
    let Some(disk) = Disk::mount().filter(Disk::can_fail) else { return };
    let data = disk.path().join("data").display().to_string();
    let config = Server::config()
        .set("dataDir", &data)
        .set("ring.log.segmentMb", "16")
        .set("ring.log.durability", durability)
        .set("ring.shards", shards)
        .set("snapCount", "500");
    let mut server = config.start();
    fails_and_heals(
        &mut server,
        |_| assert!(disk.fail(), "the file system can be shut down"),
        || disk.mount_again("loop"),
    );
    assert_says(&server.log(), &["Input/output error"]);
    drop(server);
}

#[test]
fn a_device_that_fails_writes_with_dsync() {
    if !is_reference() {
        fails_with("dsync", "1");
    }
}

#[test]
fn a_device_that_fails_flushes() {
    if !is_reference() {
        fails_with("flush", "4");
    }
}

#[test]
fn a_device_that_fails_behind_the_page_cache() {
    if !is_reference() {
        fails_with("buffered", "1");
    }
}

#[test]
fn a_file_that_may_not_grow_is_an_error_and_no_signal() {
    if is_reference() {
        return;
    }
    let mut server = Server::config().set("ring.log.segmentMb", "16").start();
    let limit = |server: &Server| {
        let (pid, bytes) = (server.pid().to_string(), (2 << 20).to_string());
        let mut command = Command::new("prlimit");
        let set = command.args(["--pid", &pid, &format!("--fsize={bytes}")]).status().unwrap();
        assert!(set.success());
    };
    fails_and_heals(&mut server, limit, || ());
    assert_says(&server.log(), &["File too large"]);
}
