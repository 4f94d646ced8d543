//! What an import and an export report about trees that the other server treats differently: long
//! nodes, the servers of an ensemble, nodes whose ACL is lost, snapshots without a log.

use std::fs;
use std::path::{Path, PathBuf};

use harness::server::copy_directory;
use harness::{Acl, Client, code, is_reference};

use super::craft::{self, Node};
use super::fixtures::fixture;
use super::tree::{config, superuser};
use super::{Folder, Said, run, word};

const CONFIG: &[u8] = b"server.1=10.0.0.1:2888:3888:participant;0.0.0.0:2181\n\
    server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181\nversion=100000000";
/// What a server accepts by default, and what it reads from its files.
const PACKET: usize = 0xf_ffff;
const FIELD: usize = 2 * PACKET;

fn import_with(from: &Path, to: &Path, flags: &[&str]) -> Said {
    run(&[&["import", word(from), "--to", word(to)], flags].concat())
}

fn crafted(folder: &Folder, nodes: &[Node<'_>]) -> PathBuf {
    let from = folder.join("from");
    craft::snapshot(&from, 0x100, nodes);
    from
}

fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
}

/// A node refers to an ACL that no file has. `ZooKeeper` starts and answers every request about
/// that node with an error, a superuser's too.
#[test]
fn a_node_whose_acl_is_lost_is_closed_and_all_others_are_there() {
    let folder = Folder::new();
    let lost = Node { acl: 7, ..Node::new("/lost", b"secret") };
    let nodes = [lost, Node::new("/lost/child", b"c"), Node::new("/fine", b"f")];
    let from = crafted(&folder, &nodes);
    if is_reference() {
        let stock = config().data(&from).start();
        let mut client = superuser(&stock);
        assert_eq!(client.get("/lost", false).unwrap_err(), code::MARSHALLING_ERROR);
        assert_eq!(client.delete("/lost/child", -1).unwrap_err(), code::MARSHALLING_ERROR);
        assert_eq!(client.get("/lost/child", false).unwrap().0.unwrap(), b"c");
    }
    let said = import_with(&from, &folder.join("to"), &["--without-log"]);
    assert!(said.is_success, "{said:?}");
    assert_says(&said.err, &["the ACL of 1 nodes is in no file", "CLOSED", ": /lost\n"]);
    let mut ours = config().ours().data(&folder.join("to")).start();
    for _ in 0..2 {
        let mut client = Client::connect(ours.address());
        assert_eq!(client.get("/fine", false).unwrap().0.unwrap(), b"f");
        assert_eq!(client.get("/lost/child", false).unwrap().0.unwrap(), b"c");
        assert_eq!(client.get("/lost", false).unwrap_err(), code::NO_AUTH);
        assert_eq!(client.children("/lost", false).unwrap_err(), code::NO_AUTH);
        assert_eq!(client.set("/lost", b"", -1).unwrap_err(), code::NO_AUTH);
        assert_eq!(client.set_acl("/lost", &Acl::open(), -1).unwrap_err(), code::NO_AUTH);
        assert_eq!(client.create("/lost/n", b"", &Acl::open(), 0).unwrap_err(), code::NO_AUTH);
        assert_eq!(client.delete("/lost/child", -1).unwrap_err(), code::NO_AUTH);
        ours.restart();
    }
    // The remedy that the note names.
    let mut admin = superuser(&ours);
    assert_eq!(admin.get("/lost", false).unwrap().0.unwrap(), b"secret");
    admin.set_acl("/lost", &Acl::open(), -1).unwrap();
    assert!(Client::connect(ours.address()).get("/lost", false).is_ok());
}

#[test]
fn nodes_that_need_a_larger_buffer_are_named_both_ways() {
    let folder = Folder::new();
    let (fits, packet, field) = (vec![b'x'; 1_000_000], vec![b'x'; PACKET], vec![b'x'; FIELD + 1]);
    let nodes = [Node::new("/fits", &fits), Node::new("/long", &packet)];
    let from = crafted(&folder, &nodes);
    let said = import_with(&from, &folder.join("to"), &["--without-log"]);
    assert!(said.is_success, "{said:?}");
    let longest = format!("the longest /long with {PACKET} bytes");
    let advice = ["1 nodes are longer", &longest, "jute.maxbuffer=1048663", "java.env is not read"];
    assert_says(&said.err, &advice);
    let said = run(&["export", word(&folder.join("to")), "--to", word(&folder.join("back"))]);
    assert!(said.is_success, "{said:?}");
    assert_says(&said.err, &["1 nodes are longer", &longest, "ZooKeeper starts, but clients"]);
    if is_reference() {
        let mut stock = config().data(&folder.join("back")).start();
        let read = Client::connect(stock.address()).get("/long", false);
        assert_eq!(read.map(|found| found.0.map(|data| data.len())), Ok(Some(PACKET)));
        stock.stop();
    }
    let folder = Folder::new();
    let from = crafted(&folder, &[Node::new("/longer", &field)]);
    assert!(import_with(&from, &folder.join("to"), &["--without-log"]).is_success);
    let said = run(&["export", word(&folder.join("to")), "--to", word(&folder.join("back"))]);
    assert!(said.is_success, "{said:?}");
    assert_says(&said.err, &["/longer", "DOES NOT START on 1 of them", "jute.maxbuffer=2097239"]);
}

#[test]
fn the_servers_of_an_ensemble_are_named_and_can_be_taken_out() {
    let folder = Folder::new();
    let from = crafted(&folder, &[Node::new("/zookeeper/config", CONFIG)]);
    let config_of = |to: &Path| {
        let ours = config().ours().data(to).start();
        Client::connect(ours.address()).get("/zookeeper/config", false).unwrap()
    };
    let said = import_with(&from, &folder.join("kept"), &["--without-log"]);
    assert!(said.is_success, "{said:?}");
    let servers = "server.2=10.0.0.2:2888:3888:participant;0.0.0.0:2181";
    assert_says(&said.err, &["names the servers of the ensemble", servers, "--clear-ensemble"]);
    let kept = config_of(&folder.join("kept"));
    assert_eq!(kept.0.unwrap(), CONFIG);
    let flags = ["--without-log", "--clear-ensemble"];
    let said = import_with(&from, &folder.join("cleared"), &flags);
    assert!(said.is_success, "{said:?}");
    assert_says(&said.err, &["/zookeeper/config was emptied", servers]);
    let cleared = config_of(&folder.join("cleared"));
    assert_eq!(cleared.0.unwrap_or_default(), b"");
    assert_eq!((cleared.1.mzxid, cleared.1.version), (kept.1.mzxid, kept.1.version));
    // Without an ensemble there is no message.
    let said = import_with(&fixture("plain"), &folder.join("plain"), &["--clear-ensemble"]);
    assert!(said.is_success && !said.err.contains("/zookeeper/config"), "{said:?}");
}

/// The dataLogDir of zoo.cfg was not given: what is only in the log would be lost.
#[test]
fn a_snapshot_without_any_log_is_half_of_the_data() {
    let folder = Folder::new();
    let (data, log) = (folder.join("data"), folder.join("log"));
    let said_of = |flags: &[&str]| {
        let to = folder.join("to");
        let said = import_with(&data, &to, flags);
        fs::remove_dir_all(&to).ok();
        said
    };
    copy_directory(&fixture("plain"), &data);
    let whole = said_of(&[]);
    fs::create_dir_all(log.join("version-2")).unwrap();
    for file in super::files(&data.join("version-2"), "log.") {
        fs::rename(&file, log.join("version-2").join(file.file_name().unwrap())).unwrap();
    }
    let said = said_of(&[]);
    assert!(!said.is_success, "{said:?}");
    assert_says(&said.err, &["data/version-2 holds no log", "--log-dir", "--without-log"]);
    let zxid =
        |said: &Said| said.out.lines().find(|line| line.starts_with("zxid")).map(str::to_owned);
    let said = said_of(&["--log-dir", word(&log)]);
    assert_eq!(zxid(&said), zxid(&whole), "{said:?}");
    let said = said_of(&["--without-log"]);
    assert!(said.is_success, "{said:?}");
    assert_says(&said.err, &["there is no log, and the snapshot is imported as it is"]);
    assert_ne!(zxid(&said), zxid(&whole));
    // The two directories in the other order.
    let said = import_with(&log, &folder.join("to"), &["--log-dir", word(&data)]);
    assert!(!said.is_success);
    assert_says(&said.err, &["name the dataDir first"]);
    // Logs in both, of which ZooKeeper would read none.
    craft::log(&data.join("version-2"), 1);
    let said = said_of(&["--log-dir", word(&log)]);
    assert!(!said.is_success);
    assert_says(&said.err, &["is a log in the dataDir"]);
}
