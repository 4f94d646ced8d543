//! Snapshots, and a log that was restored from an older copy or has diverged: no server mistakes
//! one history for another.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use harness::server::{copy_directory, our_binary};
use harness::{Acl, Client, Server, is_reference};

use super::directories::files;
use super::{Folder, assert_says, ended_start};

/// A server with its log elsewhere, and copies of that log.
struct Apart {
    server: Server,
    folder: Folder,
}

impl Apart {
    fn new(snap_count: &str, digest: &str) -> Self {
        let folder = Folder::new();
        let log = folder.path().join("log").display().to_string();
        let config = Server::config().set("snapCount", snap_count).set("ring.log.segmentMb", "16");
        let config = config.property(&format!("zookeeper.digest.enabled={digest}"));
        let server = config.set("dataLogDir", &log).start();
        Self { server, folder }
    }

    fn data(&self) -> PathBuf {
        self.server.folder().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Creates these nodes and stops the running server.
    fn write(&mut self, prefix: &str, count: usize) {
        write(&self.server, prefix, count);
        self.server.stop();
    }

    fn keep_log(&self, name: &str) {
        copy_directory(&self.log(), &self.folder.path().join(name));
    }

    /// Replaces the log with a copy.
    fn put_back(&self, name: &str) {
        fs::remove_dir_all(self.log()).unwrap();
        copy_directory(&self.folder.path().join(name), &self.log());
    }

    /// What a start prints, which must exit with this status.
    fn refused(&self) -> String {
        let text = format!(
            "dataDir={}\ndataLogDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\n",
            self.data().display(),
            self.log().display()
        );
        let (status, said) = ended_start(&text, None);
        assert_eq!(status, 3, "{said}");
        said
    }

    fn repair(&self, words: &[&str]) -> (bool, String) {
        repair(&self.data(), &[&["--log-dir", self.log().to_str().unwrap()], words].concat())
    }

    /// Cuts the log where the report suggests it: the report, and what was done.
    fn cut_as_suggested(&self) -> (String, String) {
        let (_, report) = self.repair(&[]);
        let (is_success, done) =
            self.repair(&["--cut-log-at", word_behind(&report, "--cut-log-at ")]);
        assert!(is_success, "{done}");
        (report, done)
    }

    fn has(&mut self, path: &str) -> bool {
        self.server.start_again();
        let found = Client::connect(self.server.address()).exists(path, false).is_ok();
        self.server.stop();
        found
    }
}

fn repair(data: &Path, words: &[&str]) -> (bool, String) {
    let output = Command::new(our_binary()).arg("repair").arg(data).args(words).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

fn write(server: &Server, prefix: &str, count: usize) {
    let mut client = Client::connect(server.address());
    for number in 0..count {
        client.create(&format!("/{prefix}{number}"), b"", &Acl::open(), 0).unwrap();
    }
    client.close();
}

/// The word that follows these.
fn word_behind<'a>(said: &'a str, words: &str) -> &'a str {
    let rest = &said[said.find(words).unwrap_or_else(|| panic!("no {words:?} in {said}"))..];
    rest[words.len()..].split_whitespace().next().unwrap()
}

#[test]
fn an_older_copy_of_the_log_is_refused() {
    if is_reference() {
        return;
    }
    for snap_count in ["100000", "20"] {
        let mut apart = Apart::new(snap_count, "true");
        apart.write("a", 30);
        apart.keep_log("older");
        apart.server.start_again();
        apart.write("b", 50);
        apart.keep_log("newer");
        apart.put_back("older");
        let said = apart.refused();
        let (data, log) = (apart.data().display().to_string(), apart.log().display().to_string());
        assert_says(&said, &[&data, &log, "put back", "ringkeeper repair"]);
        let (_, said) = apart.repair(&[]);
        assert_says(&said, &["a server does not start with this", "--cut-log-at"]);
        assert!(!said.contains("nothing is to repair"), "{said}");
        // The right one is back: nothing has been changed.
        apart.put_back("newer");
        assert!(apart.has("/b49"));
    }
}

#[test]
fn an_older_copy_of_the_log_is_used_if_requested() {
    if is_reference() {
        return;
    }
    let mut apart = Apart::new("20", "false");
    apart.write("a", 30);
    apart.keep_log("older");
    apart.server.start_again();
    apart.write("b", 50);
    apart.put_back("older");
    let (report, done) = apart.cut_as_suggested();
    let named = word_behind(&report, "to continue with this log: ringkeeper repair");
    assert_eq!(named, apart.data().to_str().unwrap());
    // Snapshots of the abandoned history are set aside.
    assert_says(&done, &["damaged.snapshot.", "a server starts with this"]);
    assert!(apart.has("/a29"));
    assert!(!apart.has("/b0"));
    assert!(apart.repair(&[]).1.contains("nothing is to repair"));
}

#[test]
fn two_logs_that_diverged_are_not_mixed() {
    if is_reference() {
        return;
    }
    let mut apart = Apart::new("20", "false");
    apart.write("a", 30);
    apart.keep_log("one");
    apart.server.start_again();
    apart.write("b", 10);
    apart.keep_log("other");
    // The older one, as an operator forces it; then it diverges.
    apart.put_back("one");
    apart.cut_as_suggested();
    for life in 0..3 {
        apart.server.start_again();
        apart.write(&format!("m{life}-"), 30);
    }
    apart.keep_log("one");
    apart.put_back("other");
    let said = apart.refused();
    assert_says(&said, &["put back", "ringkeeper repair"]);
    // Chosen explicitly, it starts without a trace of the other history.
    let (report, _) = apart.cut_as_suggested();
    assert_eq!(word_behind(&report, "to continue with this log: "), "ringkeeper");
    apart.server.start_again();
    let mut client = Client::connect(apart.server.address());
    let mut found = client.children("/", false).unwrap();
    found.retain(|name| name != "zookeeper");
    let numbered = |prefix: &'static str, count| (0..count).map(move |n| format!("{prefix}{n}"));
    let mut expected: Vec<_> = numbered("a", 30).chain(numbered("b", 10)).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    client.close();
    apart.server.stop();
}

#[test]
fn a_log_that_was_cut_without_its_snapshots_is_refused() {
    if is_reference() {
        return;
    }
    let mut apart = Apart::new("20", "true");
    apart.write("a", 50);
    let copy = apart.folder.path().join("data-copy");
    copy_directory(&apart.data(), &copy);
    let log = apart.log();
    let words = ["--log-dir", log.to_str().unwrap(), "--cut-log-at", "0x10"];
    let (is_success, said) = repair(&copy, &words);
    assert!(is_success, "{said}");
    let said = apart.refused();
    assert_says(&said, &["put back", "ringkeeper repair"]);
}

#[test]
fn an_older_copy_of_the_snapshots_is_served_with_the_whole_log() {
    if is_reference() {
        return;
    }
    let mut apart = Apart::new("20", "true");
    apart.write("a", 30);
    let copy = apart.folder.path().join("data-copy");
    copy_directory(&apart.data(), &copy);
    for life in 0..3 {
        apart.server.start_again();
        apart.write(&format!("b{life}-"), 30);
    }
    fs::remove_dir_all(apart.data()).unwrap();
    copy_directory(&copy, &apart.data());
    assert!(apart.has("/b2-29"));
    assert!(apart.has("/b0-0"));
}

#[test]
fn a_kill_at_any_moment_of_a_start_leaves_data_that_start() {
    if is_reference() {
        return;
    }
    let mut apart = Apart::new("20", "true");
    apart.write("a", 30);
    let mut kept = 0;
    for kill in 0..60_u64 {
        apart.server.launch();
        if kill % 10 == 9 {
            // Under full load, repeatedly, and then again at its start.
            apart.server.kill();
            apart.server.start_again();
            write(&apart.server, &format!("k{kill}-"), 3);
            kept += 3;
            apart.server.kill();
            continue;
        }
        thread::sleep(Duration::from_millis(kill * 3));
        apart.server.kill();
    }
    apart.server.start_again();
    let mut client = Client::connect(apart.server.address());
    let found = client.children("/", false).unwrap();
    assert_eq!(found.iter().filter(|name| name.starts_with('k')).count(), kept);
    assert_eq!(found.iter().filter(|name| name.starts_with('a')).count(), 30);
    client.close();
    apart.server.stop();
    assert!(apart.repair(&[]).1.contains("nothing is to repair"));
}

#[test]
fn data_without_any_file_where_there_were_some_are_refused() {
    if is_reference() {
        return;
    }
    let mut server = Server::config().set("ring.log.segmentMb", "16").start();
    write(&server, "a", 10);
    server.stop();
    let data = server.folder().join("data");
    let aside = server.folder().join("aside");
    let segments = files(&data, "log-0");
    fs::create_dir(&aside).unwrap();
    for segment in &segments {
        fs::rename(segment, aside.join(segment.file_name().unwrap())).unwrap();
    }
    let text = format!("dataDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\n", data.display());
    let (status, said) = ended_start(&text, None);
    assert_eq!(status, 3, "{said}");
    assert_says(&said, &["put back", "data-set"]);
    // Nor if the log should be elsewhere now.
    let elsewhere = format!("{text}dataLogDir={}\n", server.folder().join("elsewhere").display());
    let (status, said) = ended_start(&elsewhere, None);
    assert_eq!(status, 3, "{said}");
    assert_says(&said, &["put back", "data-set"]);
    for segment in &segments {
        fs::rename(aside.join(segment.file_name().unwrap()), segment).unwrap();
    }
    server.start_again();
    assert!(Client::connect(server.address()).exists("/a9", false).is_ok());
}

#[test]
fn a_log_elsewhere_whose_segments_are_missing_is_refused() {
    if is_reference() {
        return;
    }
    let mut apart = Apart::new("20", "true");
    apart.write("a", 30);
    apart.keep_log("whole");
    for segment in files(&apart.log(), "log-0") {
        fs::remove_file(segment).unwrap();
    }
    let missing = format!("{} should hold the log that belongs to", apart.log().display());
    assert_says(&apart.refused(), &[&missing, "put back"]);
    apart.put_back("whole");
    assert!(apart.has("/a29"));
}
