//! Ringkeeper's data and `ZooKeeper`'s in one directory, in every order in which an operator may
//! switch between them (docs/migrating.md has the table): the newer data is never ignored, and
//! correct use produces no message.

use std::fs;
use std::path::{Path, PathBuf};

use harness::server::copy_directory;
use harness::{Client, Server, is_reference};

use super::fixtures::fixture;
use super::tree::config;
use super::{Folder, Said, craft, files, import, run, word};

/// Later than every txn of the fixture and of what a test writes.
const LATER: i64 = 0x1000;
const REFUSAL: [&str; 3] = ["ZooKeeper has written since", "ringkeeper import", "away"];

/// `ZooKeeper` is started on this directory, a client writes, and it is stopped: a real one with
/// `make reference`, otherwise crafted files in its place.
fn zookeeper_continues(data: &Path, zxid: i64) {
    if !is_reference() {
        return craft::log(&data.join("version-2"), zxid);
    }
    let mut stock = config().set("dataDir", word(data)).start();
    // More than Ringkeeper wrote after the same beginning, so its zxids are later too.
    let mut client = Client::connect(stock.address());
    client.make(&format!("/zookeeper-{zxid:x}"));
    (0..40).for_each(|number| client.make(&format!("/zookeeper-{zxid:x}/{number}")));
    client.close();
    stock.stop();
}

/// `ZooKeeper` is started and stopped.
fn zookeeper_looks_only(data: &Path) {
    if is_reference() {
        config().set("dataDir", word(data)).start().stop();
    }
}

/// Our server on a directory into which the fixture was imported in place; a client has written.
fn imported_in_place() -> Server {
    let folder = Folder::new();
    let data = folder.join("data");
    copy_directory(&fixture("plain"), &data);
    import(&data, &data);
    let mut ours = config().ours().data(&data).start();
    Client::connect(ours.address()).make("/ours");
    ours.stop();
    ours
}

fn data(server: &Server) -> PathBuf {
    server.folder().join("data")
}

fn has(server: &Server, path: &str) -> bool {
    Client::connect(server.address()).exists(path, false).is_ok()
}

/// Starts a server that must exit because of its directory; returns what it printed.
fn refused(server: &mut Server) -> String {
    let before = server.log().len();
    server.launch();
    assert_eq!(server.wait_end().code(), Some(3), "{}", server.log());
    server.log().split_off(before)
}

/// Starts a server and stops it; it must not mention `ZooKeeper`'s data.
fn serves_quietly(server: &mut Server) {
    let before = server.log().len();
    server.start_again();
    assert!(has(server, "/ours"));
    server.stop();
    let said = server.log().split_off(before);
    assert!(!said.contains("version-2") && !said.contains("ZooKeeper has"), "{said}");
}

fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
}

fn export(from: &Path, to: &Path) -> Said {
    run(&["export", word(from), "--to", word(to)])
}

#[test]
fn old_data_of_zookeeper_stay_where_they_are_for_years() {
    let mut ours = imported_in_place();
    serves_quietly(&mut ours);
    serves_quietly(&mut ours);
    // Old logs are removed, as its own purge does; finally everything.
    let stock = data(&ours).join("version-2");
    fs::remove_file(files(&stock, "snapshot.0").remove(0)).unwrap();
    serves_quietly(&mut ours);
    fs::remove_dir_all(&stock).unwrap();
    serves_quietly(&mut ours);
}

#[test]
fn the_first_start_after_an_import_gives_no_alarm() {
    let folder = Folder::new();
    let (data, log) = (folder.join("data"), folder.join("log"));
    for is_apart in [false, true] {
        fs::remove_dir_all(&data).ok();
        import(&fixture("plain"), &data);
        let mut config = config().ours().data(&data);
        if is_apart {
            config = config.set("dataLogDir", word(&log));
        }
        let mut ours = config.start();
        Client::connect(ours.address()).make("/ours");
        ours.stop();
        assert!(!ours.log().contains("no log in"), "{}", ours.log());
    }
}

#[test]
fn writes_of_zookeeper_after_an_export_are_not_ignored() {
    let mut ours = imported_in_place();
    let data = data(&ours);
    fs::rename(data.join("version-2"), data.join("before")).unwrap();
    let said = export(&data, &data);
    assert!(said.is_success, "{said:?}");
    // The return was abandoned before ZooKeeper wrote anything.
    serves_quietly(&mut ours);
    zookeeper_looks_only(&data);
    serves_quietly(&mut ours);
    zookeeper_continues(&data, LATER);
    let said = refused(&mut ours);
    assert_says(&said, &REFUSAL);
    assert_says(&said, &[&format!("{}/version-2", data.display())]);
    // One resolution: keep ZooKeeper's data.
    fs::rename(data.join("ringkeeper-1"), data.join("ringkeeper-before")).unwrap();
    import_all(&data);
    ours.start_again();
    assert_eq!(has(&ours, &format!("/zookeeper-{LATER:x}")), is_reference());
    ours.stop();
    // The other: keep Ringkeeper's.
    fs::remove_dir_all(data.join("ringkeeper-1")).unwrap();
    fs::rename(data.join("ringkeeper-before"), data.join("ringkeeper-1")).unwrap();
    assert_says(&refused(&mut ours), &REFUSAL);
    fs::rename(data.join("version-2"), data.join("aside")).unwrap();
    serves_quietly(&mut ours);
}

/// Imports in place what [`zookeeper_continues`] has left: a crafted log does not follow closely.
fn import_all(data: &Path) {
    let flag = if is_reference() { "--accept-mismatch" } else { "--stop-at-damage" };
    let said = run(&["import", word(data), "--to", word(data), flag]);
    assert!(said.is_success, "{said:?}");
}

#[test]
fn writes_of_zookeeper_after_an_import_are_not_ignored() {
    let mut ours = imported_in_place();
    let data = data(&ours);
    zookeeper_continues(&data, LATER);
    assert_says(&refused(&mut ours), &REFUSAL);
    // An export, which would be of the older data, does not either; repair reports what serve
    // would.
    let folder = Folder::new();
    let said = export(&data, &folder.join("to"));
    assert!(!said.is_success && !folder.join("to").exists(), "{said:?}");
    assert_says(&said.err, &REFUSAL);
    let said = run(&["repair", word(&data)]);
    assert_says(&said.out, &["a server does not start with this"]);
    assert_says(&said.out, &REFUSAL);
    // Importing it elsewhere does not mention Ringkeeper's data next to it.
    fs::rename(data.join("version-2"), data.join("aside")).unwrap();
    serves_quietly(&mut ours);
}

#[test]
fn zookeepers_data_beside_data_that_never_saw_it_is_not_ignored() {
    let mut ours = config().ours().start();
    Client::connect(ours.address()).make("/ours");
    ours.stop();
    let data = data(&ours);
    serves_quietly(&mut ours);
    zookeeper_continues(&data, 1);
    assert_says(&refused(&mut ours), &REFUSAL);
    fs::remove_dir_all(data.join("version-2")).unwrap();
    serves_quietly(&mut ours);
}

#[test]
fn data_of_an_earlier_version_are_judged_by_their_last_txns() {
    let mut ours = imported_in_place();
    let data = data(&ours);
    let mark = data.join("ringkeeper-1/data-set");
    fs::remove_file(&mark).unwrap();
    serves_quietly(&mut ours);
    assert!(mark.exists());
    fs::remove_file(&mark).unwrap();
    zookeeper_continues(&data, LATER);
    assert_says(&refused(&mut ours), &REFUSAL);
    assert!(!mark.exists(), "nothing was changed");
}

#[test]
fn changes_in_another_directory_are_reported() {
    let folder = Folder::new();
    let (source, to) = (folder.join("source"), folder.join("to"));
    copy_directory(&fixture("plain"), &source);
    import(&source, &to);
    let mut ours = config().ours().data(&to).start();
    Client::connect(ours.address()).make("/ours");
    ours.stop();
    serves_quietly(&mut ours);
    zookeeper_continues(&source, LATER);
    ours.start_again();
    let source_text = source.canonicalize().unwrap().display().to_string();
    assert_says(&ours.log(), &["ZooKeeper has written in", &source_text]);
    ours.stop();
    // From here on, the export counts.
    let exported = folder.join("exported");
    assert!(export(&data(&ours), &exported).is_success);
    serves_quietly(&mut ours);
    zookeeper_continues(&exported, LATER);
    let before = ours.log().len();
    ours.start_again();
    let exported_text = exported.canonicalize().unwrap().display().to_string();
    assert_says(&ours.log().split_off(before), &["ZooKeeper has written in", &exported_text]);
}

#[test]
fn an_import_beside_newer_data_of_zookeeper_is_refused() {
    let folder = Folder::new();
    let (copy, live) = (folder.join("copy"), folder.join("live"));
    for directory in [&copy, &live] {
        copy_directory(&fixture("plain"), directory);
    }
    zookeeper_continues(&live, LATER);
    let said = run(&["import", word(&copy), "--to", word(&live)]);
    assert!(!said.is_success, "{said:?}");
    assert_says(&said.err, &["live/version-2 end with 0x", "or move", "away"]);
    assert!(!live.join("ringkeeper-1").exists(), "nothing is written");
    // Next to the data that was copied there is no danger.
    fs::remove_dir_all(&live).unwrap();
    copy_directory(&fixture("plain"), &live);
    import(&copy, &live);
}

#[test]
fn an_export_under_the_logs_of_before_is_refused() {
    let folder = Folder::new();
    let (data, log, stock) = (folder.join("data"), folder.join("log"), folder.join("stock"));
    let inside = log.join("version-2");
    fs::create_dir_all(&inside).unwrap();
    let mut ours = config().ours().set("dataLogDir", word(&log)).start();
    Client::connect(ours.address()).make("/ours");
    ours.stop();
    copy_directory(&ours.folder().join("data"), &data);
    fs::write(inside.join("log.1"), b"").unwrap();
    let words = ["export", word(&data), "--log-dir", word(&log), "--to", word(&data)];
    let said = run(&words);
    assert!(!said.is_success, "{said:?}");
    assert_says(&said.err, &["log/version-2 holds data already"]);
    fs::rename(&inside, &stock).unwrap();
    let said = run(&words);
    assert!(said.is_success, "{said:?}");
}

#[test]
fn a_directory_that_is_written_is_not_imported() {
    let folder = Folder::new();
    let from = folder.join("from");
    copy_directory(&fixture("plain"), &from);
    let log = files(&from.join("version-2"), "log.").pop().unwrap();
    // A reader does not matter; this process writes, as ZooKeeper would.
    let reading = fs::File::open(&log).unwrap();
    let writing = fs::OpenOptions::new().append(true).open(&log).unwrap();
    let said = run(&["import", word(&from), "--to", word(&folder.join("to"))]);
    assert!(!said.is_success, "{said:?}");
    let process = format!("process {} has ", std::process::id());
    assert_says(&said.err, &[&process, word(&log), "stop it"]);
    assert!(!folder.join("to").exists());
    drop(writing);
    import(&from, &folder.join("to"));
    drop(reading);
    // Our own server holds a lock, which is checked before the data.
    let mut ours = config().ours().start();
    let data = data(&ours);
    copy_directory(&fixture("plain"), &data);
    let said = run(&["import", word(&data), "--to", word(&data)]);
    assert!(!said.is_success, "{said:?}");
    assert_says(&said.err, &["in use by the server with process id"]);
    ours.stop();
    let said = run(&["import", word(&data), "--to", word(&data)]);
    assert_says(&said.err, &["holds data already"]);
}
