//! Paths that lead to something other than a command needs: each message names the path, what is
//! there, and what to use instead; nothing is left behind.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use harness::server::{copy_directory, our_binary};
use harness::{Client, Server, is_reference};

use super::{Folder, assert_says};

const NOBODY: u32 = 65_534;

/// Runs our binary, which must refuse; returns its message.
fn refused(words: &[&str]) -> String {
    refused_as(words, None)
}

fn refused_as(words: &[&str], user: Option<u32>) -> String {
    let mut command = Command::new(our_binary());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let output = command.args(words).output().unwrap();
    // It failed, or a directory cannot be used: `exits` distinguishes the two.
    assert!(matches!(output.status.code(), Some(1 | 3)), "{words:?}: {}", output.status);
    assert!(output.stdout.is_empty(), "{words:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn fixture() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("convert/fixtures/plain")
}

/// Something of each kind, none of it Ringkeeper's data.
struct Stage(Folder);

impl Stage {
    fn new() -> Self {
        let stage = Self(Folder::new());
        fs::write(stage.at("file"), b"text").unwrap();
        fs::create_dir(stage.at("empty")).unwrap();
        copy_directory(&fixture(), &stage.at("stock"));
        stage
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// Whether nothing was created in the directories that are not ours.
    fn is_clean(&self) -> bool {
        fs::read_dir(self.at("empty")).unwrap().next().is_none()
            && !self.at("stock/ringkeeper.lock").exists()
            && !self.at("none").exists()
            && !self.at("to").exists()
    }
}

#[test]
fn repair_and_export_of_what_is_no_data_directory() {
    let stage = Stage::new();
    let to = stage.at("to");
    let cases = [
        ("none", "none does not exist: name the dataDir that serve has"),
        ("file", "file is not a directory"),
        ("file/below", "file/below is not a directory"),
        ("empty", "empty holds no data of Ringkeeper: name the dataDir"),
        ("stock", "version-2 holds data of ZooKeeper that was not imported: `ringkeeper import"),
    ];
    for (name, says) in cases {
        let path = stage.at(name);
        assert_says(&refused(&["repair", text(&path)]), &[says]);
        assert_says(&refused(&["export", text(&path), "--to", text(&to)]), &[says]);
    }
    assert!(stage.is_clean());
}

#[test]
fn the_other_paths_of_repair_and_export() {
    if is_reference() {
        return;
    }
    let stage = Stage::new();
    let to = stage.at("to");
    let mut server = Server::config().start();
    let data = server.folder().join("data");
    Client::connect(server.address()).make("/node");
    let held = "in use by the server with process id";
    assert_says(&refused(&["repair", text(&data)]), &[held]);
    assert_says(&refused(&["export", text(&data), "--to", text(&to)]), &[held]);
    let inspected = refused(&["inspect", "log", text(&data)]);
    assert_says(
        &inspected,
        &["data is a directory: name a file in it, such as", "ringkeeper-1/log-0"],
    );
    server.stop();
    for name in ["none", "file"] {
        let log = stage.at(name);
        let says = [text(&log), "is not a directory: name the dataLogDir", "--log-dir"];
        assert_says(&refused(&["repair", text(&data), "--log-dir", text(&log)]), &says);
        let words = ["export", text(&data), "--log-dir", text(&log), "--to", text(&to)];
        assert_says(&refused(&words), &says);
    }
    for (name, says) in [
        ("file", "file is not a directory: move it away, or name another directory with --to"),
        ("stock", "stock/version-2 holds data already"),
    ] {
        assert_says(&refused(&["export", text(&data), "--to", text(&stage.at(name))]), &[says]);
    }
    // The same directory by another name is the same directory.
    let link = stage.at("link");
    std::os::unix::fs::symlink(&data, &link).unwrap();
    let words = ["export", text(&data), "--log-dir", text(&link), "--to", text(&to)];
    let output = Command::new(our_binary()).args(words).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    server.set("dataLogDir", text(&link));
    server.start_again();
    assert!(Client::connect(server.address()).exists("/node", false).is_ok());
}

#[test]
fn import_of_what_is_no_data_directory() {
    let stage = Stage::new();
    let to = stage.at("to");
    let import = |from: &str, words: &[&str]| {
        let from = stage.at(from);
        refused(&[&["import", text(&from), "--to", text(&to)], words].concat())
    };
    assert_says(&import("none", &[]), &["none/version-2 does not exist", "name the dataDir"]);
    assert_says(&import("file", &[]), &["file is not a directory: name the dataDir"]);
    assert_says(&import("empty", &[]), &["empty/version-2 does not exist"]);
    let file = stage.at("file");
    let says = ["file is not a directory", "--log-dir"];
    assert_says(&import("stock", &["--log-dir", text(&file)]), &says);
    let none = stage.at("none");
    let says = ["none/version-2 does not exist", "--log-dir"];
    assert_says(&import("stock", &["--log-dir", text(&none)]), &says);
    let stock = stage.at("stock");
    let words = ["import", text(&stock), "--to", text(&file)];
    assert_says(&refused(&words), &["file is not a directory: name another with --to"]);
    fs::create_dir(stage.at("odd")).unwrap();
    fs::write(stage.at("odd/version-2"), b"").unwrap();
    assert_says(&import("odd", &[]), &["odd/version-2 is not a directory"]);
    // Ours, and nothing of ZooKeeper's.
    fs::create_dir_all(stage.at("ours/ringkeeper-1")).unwrap();
    fs::write(stage.at("ours/ringkeeper-1/snapshot.5"), b"").unwrap();
    let says = ["ours holds data of Ringkeeper and none of ZooKeeper", "ringkeeper export"];
    assert_says(&import("ours", &[]), &says);
    assert!(stage.is_clean());
}

#[test]
fn inspect_of_what_is_no_file_of_either_server() {
    let stage = Stage::new();
    fs::write(stage.at("nothing"), b"").unwrap();
    let stock = stage.at("stock");
    let inspect = |kind: &str, name: &str| refused(&["inspect", kind, text(&stage.at(name))]);
    let example = format!("name a file in it, such as {}/version-2/log.5d", stock.display());
    assert_says(&inspect("log", "stock"), &["stock is a directory: ", &example]);
    assert_says(&inspect("snapshot", "stock/version-2"), &["such as", "version-2/snapshot.5c"]);
    assert_says(&inspect("log", "empty"), &["empty is a directory: name a file in it\n"]);
    assert_says(&inspect("log", "none"), &["none does not exist: name a file"]);
    let says = ["file is neither a log nor a snapshot", "it begins with [74, 65, 78, 74]"];
    assert_says(&inspect("snapshot", "file"), &says);
    assert_says(&inspect("snapshot", "nothing"), &["it is empty", "snapshot.* of version-2"]);
    assert_says(&inspect("snapshot", "stock/version-2/log.5d"), &["ringkeeper inspect log"]);
}

/// Only root can become another user.
#[test]
fn what_another_user_may_not_read() {
    let stage = Stage::new();
    let log = stage.at("stock/version-2/log.5d");
    fs::set_permissions(&log, fs::Permissions::from_mode(0o600)).unwrap();
    if chown(&log, Some(0), None).is_err() {
        return;
    }
    let inspected = refused_as(&["inspect", "log", text(&log)], Some(NOBODY));
    assert_says(&inspected, &[text(&log), "Permission denied", "as the user"]);
    fs::set_permissions(stage.at("stock/version-2"), fs::Permissions::from_mode(0o700)).unwrap();
    let (stock, to) = (stage.at("stock"), stage.at("to"));
    let words = ["import", text(&stock), "--to", text(&to)];
    let says = ["stock/version-2 cannot be read: Permission denied", "as the user"];
    assert_says(&refused_as(&words, Some(NOBODY)), &says);
}
