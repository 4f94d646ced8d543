//! The space that a data directory takes: however often and however a server is started, it grows
//! only by what is written.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{Acl, Client, Config, Server, is_reference};

use super::Folder;

const SEGMENT_BYTES: u64 = 16 << 20;
const STARTS: usize = 12;
const WRITES: usize = 10;

/// The segment in use and the next one, and the same for a run that begins.
const SEGMENTS_BYTES_MAX: u64 = 2 * SEGMENT_BYTES;

/// What a start with a session and [`WRITES`] small writes may add: a block for each of these, and
/// one for the segment's header; twice the sum, because half of a segment may stay unused.
const START_BYTES_MAX: u64 = 2 * 4096 * (WRITES as u64 + 8);

fn small() -> Config {
    Server::config().set("ring.log.segmentMb", "16")
}

/// How a server ends.
type End = fn(&mut Server);

fn kill(server: &mut Server) {
    server.kill();
}

fn stop(server: &mut Server) {
    server.stop();
}

/// Killed before it has started, then started and stopped in order.
fn interrupt(server: &mut Server) {
    server.kill();
    server.launch();
    server.kill();
    server.start_again();
    server.stop();
}

const ENDS: [End; 3] = [kill, stop, interrupt];

fn ours(data: &Path) -> PathBuf {
    data.join("ringkeeper-1")
}

/// Name and length of every file of a data directory; one that is removed meanwhile does not count.
fn files(data: &Path) -> Vec<(String, u64)> {
    let entries = fs::read_dir(ours(data)).unwrap().map(Result::unwrap);
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let bytes = entry.metadata().ok()?.len();
            Some((entry.file_name().into_string().unwrap(), bytes))
        })
        .collect();
    files.sort();
    files
}

fn assert_at_most(data: &Path, bytes_max: u64, context: &str) {
    let found: u64 = files(data).iter().map(|(_, bytes)| bytes).sum();
    assert!(found <= bytes_max, "{context}: {found} bytes, {bytes_max} may: {:?}", files(data));
}

fn names(data: &Path, beginning: &str) -> Vec<String> {
    let files = files(data).into_iter().map(|(name, _)| name);
    files
        .filter(|name| name.starts_with(beginning) && name.strip_suffix(".tmp").is_none())
        .collect()
}

fn path(life: usize, number: usize) -> String {
    format!("/n{life}-{number}")
}

/// A session that writes a little and leaves.
fn write(server: &Server, life: usize) {
    let mut client = Client::connect(server.address());
    for number in 0..WRITES {
        let path = path(life, number);
        client.create(&path, path.as_bytes(), &Acl::open(), 0).unwrap();
    }
    client.close();
}

/// Everything that these runs have written, and nothing else.
fn assert_has(server: &Server, lives: usize) {
    let mut client = Client::connect(server.address());
    for life in 0..lives {
        for number in 0..WRITES {
            let path = path(life, number);
            let found = client.get(&path, false).map(|found| found.0.unwrap());
            assert_eq!(found.as_deref(), Ok(path.as_bytes()), "{path}");
        }
    }
    assert!(client.exists(&path(lives, 0), false).is_err());
    client.close();
}

#[test]
fn starts_without_a_write_take_no_room() {
    if is_reference() {
        return;
    }
    let mut server = small().start();
    write(&server, 0);
    for start in 0..STARTS {
        ENDS[start % ENDS.len()](&mut server);
        let context = format!("after {start} starts");
        assert_at_most(
            &server.folder().join("data"),
            SEGMENTS_BYTES_MAX + START_BYTES_MAX,
            &context,
        );
        server.start_again();
    }
    assert_has(&server, 1);
    server.stop();
    let segments = names(&server.folder().join("data"), "log-");
    assert!(segments.len() <= 4, "runs that hold nothing are replaced: {segments:?}");
}

#[test]
fn starts_with_few_writes_take_what_these_take() {
    if is_reference() {
        return;
    }
    let mut server = small().start();
    for life in 0..STARTS {
        write(&server, life);
        ENDS[life % ENDS.len()](&mut server);
        // Three sessions per run, of which one writes.
        let bytes_max = SEGMENTS_BYTES_MAX + (life as u64 + 1) * START_BYTES_MAX;
        assert_at_most(&server.folder().join("data"), bytes_max, &format!("after {life} lives"));
        server.start_again();
        assert_has(&server, life + 1);
    }
    // `dirs` reports the actual sizes.
    let answer = server.word("dirs");
    server.kill();
    let log: u64 = answer
        .lines()
        .find_map(|line| line.strip_prefix("logdir_size: ")?.parse().ok())
        .unwrap_or_else(|| panic!("{answer}"));
    let data = server.folder().join("data");
    assert!(
        log <= SEGMENTS_BYTES_MAX + STARTS as u64 * START_BYTES_MAX,
        "{log}: {:?}",
        files(&data)
    );
}

#[test]
fn a_log_directory_of_its_own_stays_small_too() {
    if is_reference() {
        return;
    }
    let log = Folder::new();
    let mut server = small().set("dataLogDir", &log.path().display().to_string()).start();
    for life in 0..STARTS / 2 {
        write(&server, life);
        ENDS[life % ENDS.len()](&mut server);
        let bytes_max = SEGMENTS_BYTES_MAX + (life as u64 + 1) * START_BYTES_MAX;
        assert_at_most(log.path(), bytes_max, &format!("after {life} lives"));
        let snapshots = names(&server.folder().join("data"), "snapshot");
        assert!(snapshots.is_empty(), "none was due: {snapshots:?}");
        server.start_again();
    }
    assert_has(&server, STARTS / 2);
}

/// A server that was written to and has stopped, and its data directory.
fn stopped_with_a_write() -> (Server, PathBuf) {
    let mut server = small().start();
    let data = server.folder().join("data");
    write(&server, 0);
    server.stop();
    (server, data)
}

#[test]
fn segments_that_an_earlier_start_could_not_cut_to_size_are_cut_by_the_next() {
    if is_reference() {
        return;
    }
    let (mut server, data) = stopped_with_a_write();
    // The segment before it was cut to size, as a killed start leaves it.
    let first = ours(&data).join("log-0000000000000001");
    let whole = fs::read(&first).unwrap();
    server.start_again();
    server.kill();
    assert!(fs::metadata(&first).unwrap().len() < SEGMENT_BYTES / 2, "{:?}", files(&data));
    fs::write(&first, &whole).unwrap();
    server.start_again();
    assert_has(&server, 1);
    server.kill();
    assert!(fs::metadata(&first).unwrap().len() < SEGMENT_BYTES / 2, "{:?}", files(&data));
}

#[test]
fn a_start_clears_away_what_a_crash_has_left() {
    if is_reference() {
        return;
    }
    let (mut server, data) = stopped_with_a_write();
    let left = [
        "new-0000000000000009",
        "spare-0000000000000007",
        "snapshot.77.tmp",
        ".ringkeeper-unpolled-4194305",
        ".ringkeeper-probe-4194305",
        ".ringkeeper-flush-4194305",
    ];
    for name in left {
        fs::write(ours(&data).join(name), [7; 4096]).unwrap();
        fs::write(data.join(name), [7; 4096]).unwrap();
    }
    server.start_again();
    assert_has(&server, 1);
    let found = names(&data, "");
    assert!(left.iter().all(|name| !found.contains(&(*name).to_owned())), "{found:?}");
    // In the operator's part of the directory, only files with our names are touched.
    let exists: Vec<_> = left.iter().filter(|name| data.join(name).exists()).collect();
    assert_eq!(exists, [&left[0], &left[1], &left[2]]);
}

#[test]
fn snapshots_come_after_so_many_txns_however_many_starts_lie_between() {
    if is_reference() {
        return;
    }
    let mut server = small().set("snapCount", "40").start();
    let data = server.folder().join("data");
    for life in 0..6 {
        write(&server, life);
        ENDS[life % ENDS.len()](&mut server);
        server.start_again();
    }
    let mut client = Client::connect(server.address());
    client.wait_until("a snapshot is written", |_| !names(&data, "snapshot.").is_empty());
    assert_has(&server, 6);
}

#[test]
fn a_purge_takes_place_at_every_start() {
    if is_reference() {
        return;
    }
    let mut server = small().set("snapCount", "10").start();
    let data = server.folder().join("data");
    for life in 0..8 {
        write(&server, life);
        let mut client = Client::connect(server.address());
        // One more for each run.
        client.wait_until("a snapshot is written", |_| names(&data, "snapshot.").len() > life);
        drop(client);
        ENDS[life % ENDS.len()](&mut server);
        server.start_again();
    }
    let segments = names(&data, "log-");
    assert!(names(&data, "snapshot.").len() >= 8 && segments.len() >= 8, "{:?}", files(&data));
    server.set("autopurge.purgeInterval", "1");
    server.set("autopurge.snapRetainCount", "3");
    server.restart();
    let mut client = Client::connect(server.address());
    // Those that are kept, and one that was due at the start.
    client.wait_until("old snapshots are purged", |_| names(&data, "snapshot.").len() <= 4);
    client.wait_until("old segments are purged", |_| {
        let left = names(&data, "log-");
        left.len() < segments.len() && left[0] > segments[2]
    });
    assert_has(&server, 8);
    // What remains starts on its own.
    server.restart();
    assert_has(&server, 8);
    server.stop();
    assert_at_most(&data, SEGMENTS_BYTES_MAX + 12 * START_BYTES_MAX, "after the purge");
}
