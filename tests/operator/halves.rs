//! Snapshots in one directory and the log in another: no command mistakes one half for the whole,
//! and the halves find each other wherever they are moved.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::server::{copy_directory, our_binary};
use harness::{Acl, Client, Config, Server, is_reference};

use super::directories::files;
use super::{Folder, assert_says, failed_start};

const NODES: usize = 300;

/// A stopped server with its log elsewhere: the last writes are only there.
pub(super) struct Apart {
    pub(super) server: Server,
    pub(super) folder: Folder,
    pub(super) zxid: String,
}

impl Apart {
    pub(super) fn new() -> Self {
        let folder = Folder::new();
        let mut server = Self::config(&folder.path().join("log")).start();
        let mut client = Client::connect(server.address());
        for number in 0..NODES {
            client.create(&format!("/n{number}"), b"", &Acl::open(), 0).unwrap();
        }
        client.create("/last", b"", &Acl::open(), 0).unwrap();
        client.close();
        let zxid = server.word("srvr");
        let zxid = zxid.lines().find_map(|line| line.strip_prefix("Zxid: ")).unwrap().to_owned();
        server.stop();
        assert!(!files(&server.folder().join("data"), "snapshot.").is_empty());
        Self { server, folder, zxid }
    }

    fn config(log: &Path) -> Config {
        let config = Server::config().set("snapCount", "100").set("ring.log.segmentMb", "16");
        config.set("dataLogDir", &log.display().to_string())
    }

    pub(super) fn data(&self) -> PathBuf {
        self.server.folder().join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Exports with these arguments and returns the result.
    fn export(&self, words: &[&str]) -> (bool, String) {
        let to = self.folder.path().join("exported");
        fs::remove_dir_all(&to).ok();
        run(&[&["export", text(&self.data()), "--to", text(&to)], words].concat())
    }

    pub(super) fn assert_starts(&mut self) {
        self.server.start_again();
        assert!(Client::connect(self.server.address()).exists("/last", false).is_ok());
        self.server.stop();
    }
}

pub(super) fn run(words: &[&str]) -> (bool, String) {
    let output = Command::new(our_binary()).args(words).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(super) fn zoo_cfg(data: &Path, log: Option<&Path>) -> String {
    let log = log.map_or_else(String::new, |log| format!("dataLogDir={}\n", log.display()));
    format!("dataDir={}\n{log}clientPort=0\nclientPortAddress=127.0.0.1\n", data.display())
}

/// The files through which the halves refer to each other; without them the data is as an earlier
/// version left it.
fn remove_marks(apart: &Apart) {
    fs::remove_file(apart.data().join("ringkeeper-1/data-set")).unwrap();
    fs::remove_file(apart.log().join("ringkeeper-1/log-set")).unwrap();
}

#[test]
fn commands_find_the_log_by_themselves() {
    if is_reference() {
        return;
    }
    let mut apart = Apart::new();
    let (data, log) = (apart.data(), apart.log());
    let zxid = format!("zxid      {}\n", apart.zxid);
    for words in [&["--log-dir", text(&log)][..], &[]] {
        let (is_success, said) = apart.export(words);
        assert!(is_success, "{said}");
        assert_says(&said, &[&zxid]);
    }
    assert_says(&apart.export(&[]).1, &["the log is read from", "data-set says"]);
    let whole = format!("a server starts with this, at zxid {}: nothing is to repair", apart.zxid);
    for words in [&["--log-dir", text(&log)][..], &[]] {
        let (is_success, said) = run(&[&["repair", text(&data)], words].concat());
        assert!(is_success, "{said}");
        assert_says(&said, &[&whole, &format!("log {}/ringkeeper-1, segments", log.display())]);
    }
    apart.assert_starts();
}

#[test]
fn data_of_an_earlier_version_are_not_exported_without_a_log() {
    if is_reference() {
        return;
    }
    let mut apart = Apart::new();
    remove_marks(&apart);
    let (is_success, said) = apart.export(&[]);
    assert!(!is_success, "{said}");
    assert_says(&said, &["data holds no log", "--log-dir", "--without-log"]);
    let (is_success, said) = apart.export(&["--without-log"]);
    assert!(is_success, "{said}");
    let newest = files(&apart.data(), "snapshot.").pop().unwrap();
    let newest = newest.extension().unwrap().to_str().unwrap().to_owned();
    assert_says(&said, &[&format!("zxid      0x{newest}\n")]);
    let (_, said) = run(&["repair", text(&apart.data())]);
    assert_says(&said, &["in a log, and there is none here", "--log-dir"]);
    let (is_success, said) = apart.export(&["--log-dir", text(&apart.log())]);
    assert!(is_success, "{said}");
    assert_says(&said, &[&format!("zxid      {}\n", apart.zxid)]);
    // It starts as before, and is recorded from then on.
    apart.assert_starts();
    assert!(apart.export(&[]).0);
}

#[test]
fn a_forgotten_or_empty_directory_of_the_log_is_noticed() {
    if is_reference() {
        return;
    }
    let mut apart = Apart::new();
    let (data, log) = (apart.data(), apart.log());
    let elsewhere = format!("the log that belongs to {} is in {}", data.display(), log.display());
    let said = failed_start(&zoo_cfg(&data, None));
    assert_says(&said, &[&elsewhere, "dataLogDir in zoo.cfg"]);
    let other = apart.folder.path().join("other");
    let said = failed_start(&zoo_cfg(&data, Some(&other)));
    assert_says(&said, &[&elsewhere]);
    // Like a disk that is not mounted.
    let aside = apart.folder.path().join("aside");
    fs::rename(&log, &aside).unwrap();
    fs::create_dir(&log).unwrap();
    let missing =
        format!("{} should hold the log that belongs to {}", log.display(), data.display());
    for said in [
        failed_start(&zoo_cfg(&data, Some(&log))),
        apart.export(&[]).1,
        run(&["repair", text(&data)]).1,
    ] {
        assert_says(&said, &[&missing, "mount or put back"]);
    }
    fs::remove_dir_all(&log).unwrap();
    assert_says(&apart.export(&[]).1, &[&missing]);
    fs::rename(&aside, &log).unwrap();
    apart.assert_starts();
}

#[test]
fn the_log_of_other_snapshots_is_refused() {
    if is_reference() {
        return;
    }
    let (mut one, two) = (Apart::new(), Apart::new());
    let said = failed_start(&zoo_cfg(&one.data(), Some(&two.log())));
    let foreign = format!(
        "{} holds the log of the snapshots in {}, and not of those in {}",
        two.log().display(),
        two.data().display(),
        one.data().display()
    );
    assert_says(&said, &[&foreign]);
    let (is_success, said) = one.export(&["--log-dir", text(&two.log())]);
    assert!(!is_success);
    assert_says(&said, &[&foreign]);
    // A new data directory with an old log.
    let new = one.folder.path().join("new");
    let said = failed_start(&zoo_cfg(&new, Some(&one.log())));
    assert_says(&said, &["holds the log of the snapshots in", text(&one.data())]);
    // The directory of the log, given as if it were the whole.
    for command in [&["repair"][..], &["export", "--to", "/nonexistent/to"]] {
        let (is_success, said) = run(&[command, &[text(&one.log())]].concat());
        assert!(!is_success);
        assert_says(&said, &["holds the log of the snapshots in", text(&one.data())]);
    }
    one.assert_starts();
}

#[test]
fn halves_are_moved_together_and_put_together() {
    if is_reference() {
        return;
    }
    let mut apart = Apart::new();
    let (data, log) = (apart.data(), apart.log());
    // Both moved: they still refer to each other.
    let (data_copy, log_copy) =
        (apart.folder.path().join("data-copy"), apart.folder.path().join("log-copy"));
    copy_directory(&data, &data_copy);
    copy_directory(&log, &log_copy);
    let to = apart.folder.path().join("to");
    let words = ["export", text(&data_copy), "--log-dir", text(&log_copy), "--to", text(&to)];
    let (is_success, said) = run(&words);
    assert!(is_success, "{said}");
    assert_says(&said, &[&format!("zxid      {}\n", apart.zxid)]);
    // The log, all files of it.
    let moved = apart.folder.path().join("moved");
    fs::rename(&log, &moved).unwrap();
    apart.server.set("dataLogDir", text(&moved));
    apart.assert_starts();
    // Into the data directory, under the names that an earlier message asked for.
    for file in files(&moved, "log-0").into_iter().chain(files(&moved, "spare-")) {
        fs::rename(&file, data.join("ringkeeper-1").join(file.file_name().unwrap())).unwrap();
    }
    let (is_success, said) = apart.export(&[]);
    assert!(is_success, "{said}");
    apart.server.set("dataLogDir", text(&data));
    apart.assert_starts();
    apart.assert_starts();
    // And out again.
    fs::remove_dir_all(&moved).unwrap();
    fs::create_dir_all(moved.join("ringkeeper-1")).unwrap();
    for file in files(&data, "log-0").into_iter().chain(files(&data, "spare-")) {
        fs::rename(&file, moved.join("ringkeeper-1").join(file.file_name().unwrap())).unwrap();
    }
    apart.server.set("dataLogDir", text(&moved));
    apart.assert_starts();
    let (is_success, said) = apart.export(&[]);
    assert!(is_success, "{said}");
}

#[test]
fn the_log_of_before_an_import_is_refused() {
    if is_reference() {
        return;
    }
    let apart = Apart::new();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("convert/fixtures/plain");
    let to = apart.folder.path().join("imported");
    let (is_success, said) = run(&["import", text(&fixture), "--to", text(&to)]);
    assert!(is_success, "{said}");
    for _ in 0..2 {
        let said = failed_start(&zoo_cfg(&to, Some(&apart.log())));
        assert_says(&said, &["holds the log of other data than was imported", "move it away"]);
        // Nor where an earlier version left it.
        fs::remove_file(apart.log().join("ringkeeper-1/log-set")).ok();
    }
}

#[test]
fn marks_that_no_version_has_written_are_named() {
    if is_reference() {
        return;
    }
    let mut apart = Apart::new();
    let mark = apart.data().join("ringkeeper-1/data-set");
    let before = fs::read(&mark).unwrap();
    fs::write(&mark, "zookeeper=never\n").unwrap();
    let line = format!("{} has the line \"zookeeper=never\"", mark.display());
    let said = failed_start(&zoo_cfg(&apart.data(), Some(&apart.log())));
    assert_says(&said, &[&line, "or remove it"]);
    assert_says(&apart.export(&[]).1, &[&line]);
    fs::write(&mark, before).unwrap();
    apart.assert_starts();
}
