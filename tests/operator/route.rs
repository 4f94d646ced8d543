//! `ringkeeper route`: the orders it prints, the counts of `--spread`, and what it refuses.

use super::Folder;
use harness::server::our_binary;
use serde_json::Value;
use std::fs::{self, File};
use std::process::{Command, Output, Stdio};

const SERVERS: &str = "zk1:2181,zk2:2181,zk3:2181";

fn command(folder: &Folder, words: &[&str]) -> Command {
    let mut command = Command::new(our_binary());
    command.current_dir(folder.path()).arg("route").args(words).stdin(Stdio::null());
    command
}

/// What it prints, and its status.
fn route(folder: &Folder, words: &[&str]) -> (String, i32) {
    let Output { stdout, stderr, status } = command(folder, words).output().unwrap();
    let text = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    (text.into_owned(), status.code().expect("it ended by itself"))
}

/// What it prints, successfully.
fn printed(folder: &Folder, words: &[&str]) -> String {
    let (text, status) = route(folder, words);
    assert_eq!(status, 0, "{words:?}: {text}");
    text
}

#[test]
fn an_order_is_a_connect_string() {
    let folder = Folder::new();
    let all = printed(&folder, &["--servers", SERVERS, "web-1", "web-2", "client-7"]);
    let one = "zk2:2181,zk3:2181,zk1:2181";
    assert_eq!(all, format!("{one}\nzk3:2181,zk1:2181,zk2:2181\nzk3:2181,zk2:2181,zk1:2181\n"));
    let other = ["--servers", "zk3:2181", "--servers", "zk1:2181,zk2:2181", "web-1"];
    assert_eq!(printed(&folder, &other), format!("{one}\n"), "whatever their sequence");
    let below = printed(&folder, &["--servers", SERVERS, "--chroot", "/app/one", "web-1"]);
    assert_eq!(below, format!("{one}/app/one\n"));
    let root = printed(&folder, &["--servers", SERVERS, "--chroot", "/", "web-1"]);
    assert_eq!(root, format!("{one}\n"));
    let ipv6 = ["--servers", "[2001:db8::1]:2181", "--chroot", "/app", "--", "-web"];
    assert_eq!(printed(&folder, &ipv6), "[2001:db8::1]:2181/app\n");
    let json = printed(&folder, &["--servers", SERVERS, "--chroot", "/app", "--json", "web-1"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["clients"][0]["client"], "web-1");
    assert_eq!(json["clients"][0]["connect"], format!("{one}/app"));
    assert_eq!(json["clients"][0]["servers"][2], "zk1:2181");
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing is created");
}

#[test]
fn zones_and_weights_count() {
    let folder = Folder::new();
    let zones = "zk1:2181=east,zk2:2181=east,zk3:2181=west";
    let west = ["--servers", SERVERS, "--zone", zones, "--in", "west", "web-1"];
    assert_eq!(printed(&folder, &west), "zk3:2181,zk2:2181,zk1:2181\n");
    let heavy = ["--servers", SERVERS, "--weight", "zk1:2181=1000000", "web-1"];
    assert_eq!(printed(&folder, &heavy), "zk1:2181,zk2:2181,zk3:2181\n");
}

#[test]
fn clients_are_counted_before_and_after_a_change() {
    let folder = Folder::new();
    let names: String = (0..3_000).map(|it| ["web-", &it.to_string(), "\n"].concat()).collect();
    fs::write(folder.path().join("names"), &names).unwrap();
    // Lines that another system has ended, one that is empty, and a last one without an end.
    let others = names.replace('\n', "\r\n") + "\r\n\n";
    fs::write(folder.path().join("others"), others.trim_end()).unwrap();
    let counted = |servers: &str, more: &[&str]| -> Value {
        let words = [&["--servers", servers, "--json"], more].concat();
        serde_json::from_str(&printed(&folder, &words)).unwrap()
    };
    let before = counted(SERVERS, &["--spread", "names", "--joining", "zk4:2181"]);
    assert_eq!(before, counted(SERVERS, &["--spread", "others", "--joining", "zk4:2181"]));
    assert_eq!(before["clients"], 3_000);
    let clients = |of: &Value| of["clients"].as_u64().unwrap();
    let servers = |of: &Value| of["servers"].as_array().unwrap().clone();
    assert_eq!(servers(&before).iter().map(clients).sum::<u64>(), 3_000);
    // What was said of a change is what is counted after it.
    let after = counted(&format!("{SERVERS},zk4:2181"), &["--spread", "names"]);
    assert_eq!(clients(&servers(&after)[3]), clients(&before["joining"]));
    for (index, from) in before["joining"]["from"].as_array().unwrap().iter().enumerate() {
        let lost = clients(&servers(&before)[index]) - clients(&servers(&after)[index]);
        assert_eq!(clients(from), lost, "{from}");
    }
    let after = counted("zk1:2181,zk3:2181", &["--spread", "names"]);
    let said = servers(&before)[1]["without_it"].as_array().unwrap().clone();
    assert_eq!(
        said.iter().map(clients).collect::<Vec<_>>(),
        servers(&after).iter().map(clients).collect::<Vec<_>>()
    );
    let input = File::open(folder.path().join("names")).unwrap();
    let words = ["--servers", SERVERS, "--spread", "-"];
    let output = command(&folder, &words).stdin(input).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("Of 3000 clients:"), "{text}");
    assert!(text.contains("- if another:2181 joins (weight 1), "), "{text}");
    let alone = printed(&folder, &["--servers", "zk1:2181", "--spread", "names"]);
    assert!(alone.contains("nothing is left"), "{alone}");
}

#[test]
fn a_reader_that_leaves_ends_nothing() {
    let folder = Folder::new();
    let mut words = vec!["--servers", SERVERS];
    words.resize(20_000, "client");
    let mut child = command(&folder, &words).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_it_cannot_do_is_said() {
    let folder = Folder::new();
    fs::write(folder.path().join("empty"), "\n\r\n").unwrap();
    fs::write(folder.path().join("bytes"), b"web-1\n\xff\n").unwrap();
    let of = |words: &[&'static str]| [&["--servers", SERVERS], words].concat();
    for (words, expected) in [
        (vec!["web-1"], "--servers <HOST:PORT>"),
        (of(&[]), "<CLIENT>..."),
        (of(&["--spread", "names", "web-1"]), "cannot be used with"),
        (of(&["--joining", "zk4:2181", "web-1"]), "cannot be used with"),
        (of(&["--joining", "zk4:2181"]), "--spread <FILE>"),
        (of(&[""]), "the name of a client is empty: give each client a name of its own"),
        (vec!["--servers", "zk1", "a"], "server 'zk1': it has no port: write HOST:PORT"),
        (vec!["--servers", "zk1:2181,", "a"], "server '': a server is missing"),
        (vec!["--servers", "zk1:2181/app", "a"], "the path belongs into --chroot"),
        (vec!["--servers", "2001:db8::1:2181", "a"], "in brackets, with the port behind them"),
        (vec!["--servers", "zk1:0", "a"], "its port is not a number from 1 to 65535"),
        (vec!["--servers", "a:1,b:1,A:1", "a"], "a:1 and A:1 are the same server"),
        (of(&["--spread", "x", "--joining", "zk1:2181"]), "zk1:2181 and zk1:2181 are the same"),
        (of(&["--weight", "zk1:2181", "a"]), "write it as HOST:PORT=NUMBER"),
        (of(&["--weight", "zk9:2181=1", "a"]), "zk9:2181 is not among the servers: zk1:2181, zk2"),
        (of(&["--weight", "zk1:2181=1,zk1:2181=2", "a"]), "already has a weight: give it once"),
        (of(&["--weight", "zk1:2181=0", "a"]), "leave the server out, or give it at least 1"),
        (of(&["--weight", "zk1:2181=-1", "a"]), "a weight is a whole number from 1"),
        (of(&["--weight", "zk1:2181=0.5", "a"]), "instead of 0.5 and 1, give 1 and 2"),
        (of(&["--weight", "zk1:2181=NaN", "a"]), "a weight is a whole number from 1"),
        (of(&["--weight", "zk1:2181=1000001", "a"]), "a weight is at most 1000000"),
        (of(&["--zone", "zk1:2181=", "a"]), "write it as HOST:PORT=NAME"),
        (of(&["--in", "east", "a"]), "no server is in that zone; give each server's by --zone"),
        (of(&["--zone", "zk1:2181=east", "--in", "West", "a"]), "in that zone; there are east"),
        (of(&["--chroot", "app", "a"]), "--chroot app: it is not a path: begin with a slash"),
        (of(&["--chroot", "/app/", "a"]), "begin with a slash, and end without one"),
        (of(&["--spread", "absent"]), "cannot be read from absent: No such file"),
        (of(&["--spread", "."]), "cannot be read from .: Is a directory"),
        (of(&["--spread", "empty"]), "empty has no names of clients: write one on each line"),
        (of(&["--spread", "-"]), "standard input has no names of clients"),
        (of(&["--spread", "bytes"]), "line 2 of bytes is not UTF-8"),
    ] {
        let (text, status) = route(&folder, &words);
        assert!(status == 2 && text.contains(expected), "{words:?}: {status} {text}");
    }
}
