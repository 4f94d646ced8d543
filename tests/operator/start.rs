//! Starts that must fail, and the orderly stop.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::Duration;

use harness::{Acl, Client, Server, is_reference};

use super::{Folder, assert_says, failed_start};

/// Port 0 is any free port.
fn zoo_cfg(data_dir: &str) -> String {
    format!("dataDir={data_dir}\nclientPort=0\nclientPortAddress=127.0.0.1\n")
}

#[test]
fn two_servers_on_one_directory() {
    if is_reference() {
        return;
    }
    let server = Server::config().start();
    let data = server.folder().join("data");
    let said = failed_start(&zoo_cfg(&data.display().to_string()));
    let holder = format!("is in use by the server with process id {}", server.pid());
    assert_says(&said, &[&data.display().to_string(), &holder]);
    assert!(server.word("srvr").contains("Mode: standalone"));
}

#[test]
fn an_impossible_data_directory() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let file = folder.path().join("file");
    fs::write(&file, b"in the way").unwrap();
    let file = file.display().to_string();
    assert_says(&failed_start(&zoo_cfg(&file)), &[&file, "is not a directory"]);
    let below = format!("{file}/data");
    assert_says(&failed_start(&zoo_cfg(&below)), &[&below, "cannot be created"]);
    // No user can make directories there, not even root.
    let read_only = "/proc/self/ringkeeper";
    assert_says(&failed_start(&zoo_cfg(read_only)), &[read_only, "cannot be created"]);
    let missing = folder.path().join("missing").display().to_string();
    let said = failed_start(&(zoo_cfg(&missing) + "datadir.autocreate=false\n"));
    assert_says(&said, &[&missing, "does not exist", "datadir.autocreate"]);
}

/// An empty directory may be the place where a disk is not mounted.
#[test]
fn data_that_must_exist_is_not_created_again() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let data = folder.path().display().to_string();
    let said = failed_start(&(zoo_cfg(&data) + "datadir.autocreate=false\n"));
    assert_says(&said, &[&data, "does not exist", "mount"]);
    let mut server = Server::config().start();
    Client::connect(server.address()).make("/kept");
    server.set("datadir.autocreate", "false");
    server.restart();
    Client::connect(server.address()).get("/kept", false).unwrap();
    server.kill();
    let data = server.folder().join("data");
    fs::remove_dir_all(data.join("ringkeeper-1")).unwrap();
    // As ZooKeeper administrators prepare it.
    fs::create_dir(data.join("version-2")).unwrap();
    server.start_again();
}

#[test]
fn a_port_in_use() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let data = folder.path().join("data").display().to_string();
    let zoo_cfg = format!("dataDir={data}\nclientPort={port}\nclientPortAddress=127.0.0.1\n");
    let said = failed_start(&zoo_cfg);
    assert_says(&said, &["cannot listen on", &format!("127.0.0.1:{port}")]);
}

#[test]
fn wrong_values_are_reported_with_file_line_and_bounds() {
    if is_reference() {
        return;
    }
    let said = failed_start(&(zoo_cfg("/nonexistent") + "tickTime=0\n\nmaxClientCnxns=many\n"));
    assert_says(
        &said,
        &[
            "zoo.cfg:4: tickTime=0: must be a whole number of at least 1",
            "zoo.cfg:6: maxClientCnxns=many: must be a whole number",
        ],
    );
}

#[test]
fn a_key_that_zookeeper_would_not_see_is_warned_of() {
    if is_reference() {
        return;
    }
    let server = Server::config()
        .set("zookeeper.skipACL", "yes")
        .set("jute.maxbuffer", "4194304")
        .set("enforceQuota", "on")
        .property("zookeeper.tickTime=1")
        .property("zookeeper.digest.enabled=\"false\"")
        .start();
    assert_says(
        &server.log(),
        &[
            "zookeeper.skipACL is ignored, as in ZooKeeper: in the configuration file the \
             key is skipACL",
            "jute.maxbuffer is ignored, as in ZooKeeper: it counts as -Djute.maxbuffer in \
             JVMFLAGS",
            "enforceQuota=on means false, as in ZooKeeper",
            "-Dzookeeper.tickTime is ignored, as in ZooKeeper",
            "zookeeper.digest.enabled: quotes and backslashes belong to the value",
        ],
    );
}

/// The start script passes the words of the variable to Java, which takes such a word for a
/// program.
#[test]
fn an_invalid_flag_ends_the_start() {
    for flags in ["zookeeper.skipACL=\"yes no\"", "a=1 program", "a=1 @flags"] {
        assert!(Server::config().property(flags).try_start().is_err(), "{flags}");
    }
    if !is_reference() {
        let said = Server::config().property("a=1 program").try_start().unwrap_err();
        assert_says(&said, &["JVMFLAGS: Java would take program for the program to run"]);
    }
}

#[test]
fn keys_of_our_own_are_checked() {
    if is_reference() {
        return;
    }
    for (line, said) in [
        ("ring.log.level=inof", "ring.log.level=inof: must be a level (error, warn, info, debug"),
        ("ring.log.level=info,sevrer=debug", "must be a level (error, warn, info, debug"),
        ("ring.log.format=xml", "ring.log.format=xml: must be one of text, json"),
        ("ring.log.durability=yes", "must be one of auto, dsync, flush, buffered"),
        ("ring.log.slots=9", "ring.log.slots=9: must be a whole number from 1 to 8"),
        ("ring.log.segmentMb=64MB", "must be a whole number from 16 to 8192"),
        ("ring.shards=0", "ring.shards=0: must be a whole number from 1 to 256"),
        ("ring.cpus=all", "ring.cpus=all: must be a list of processors"),
        ("ring.pin=no", "ring.pin=no: must be one of auto, never"),
        ("ring.spinUs=-1", "ring.spinUs=-1: must be a whole number from 0 to 1000"),
        ("ring.shard=1", "ring.shard: there is no such key: did you mean ring.shards?"),
    ] {
        let said_instead = failed_start(&format!("{}{line}\n", zoo_cfg("/nonexistent")));
        assert_says(&said_instead, &["zoo.cfg:4: ", said]);
    }
}

/// What `ZooKeeper`'s start script reads besides the file is not read, and may matter.
#[test]
fn flags_in_places_that_are_not_read_are_warned_of() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let flags = "SERVER_JVMFLAGS=-Dzookeeper.enforce.auth.enabled=true\n";
    fs::write(folder.path().join("java.env"), flags).unwrap();
    let file = folder.path().join("zoo.cfg");
    fs::write(&file, zoo_cfg("/nonexistent")).unwrap();
    let output = Command::new(harness::server::our_binary())
        .args(["config", "--check"])
        .arg(&file)
        .env("JAVA_TOOL_OPTIONS", "-Dzookeeper.skipACL=yes")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let java_env = folder.path().join("java.env").display().to_string();
    assert_says(&said, &["JAVA_TOOL_OPTIONS has flags -D and is not read", &java_env]);
}

/// Bytes that Java reads as ISO-8859-1 name the same directory as in ZooKeeper.
#[test]
fn a_directory_outside_ascii_is_the_one_of_zookeeper() {
    let folder = Folder::new();
    let written = folder.path().join("d\u{e4}").display().to_string();
    let server = Server::config().set("dataLogDir", &written).start();
    let made: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(made, ["d\u{c3}\u{a4}"]);
    if !is_reference() {
        assert_says(&server.log(), &["dataLogDir has characters outside ASCII"]);
    }
}

#[test]
fn an_unknown_key_only_warns() {
    if is_reference() {
        return;
    }
    let server = Server::config().set("snapcount", "7").set("mystery.key", "1").start();
    assert_says(
        &server.log(),
        &[
            "snapcount is unknown and ignored: did you mean snapCount?",
            "mystery.key is unknown and ignored",
        ],
    );
}

#[test]
fn a_connection_without_a_session_is_closed_after_its_time() {
    if is_reference() {
        return;
    }
    let server = Server::config().property("zookeeper.nio.sessionlessCnxnTimeout=300").start();
    let mut client = Client::connect(server.address());
    let mut silent = std::net::TcpStream::connect(server.address()).unwrap();
    silent.set_read_timeout(Some(super::END_MAX)).unwrap();
    let read = std::io::Read::read(&mut silent, &mut [0; 1]);
    assert_eq!(read.unwrap(), 0, "closed without a word");
    client.ping();
}

#[test]
fn sigterm_ends_with_0_and_keeps_everything() {
    if is_reference() {
        return;
    }
    let mut server = Server::config().start();
    let mut client = Client::connect(server.address());
    for i in 0..100 {
        client.create(&format!("/n{i}"), b"kept", &Acl::open(), 0).unwrap();
    }
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());
    server.start_again();
    let mut client = client.reconnect();
    assert_eq!(client.children("/", false).unwrap().len(), 101, "and /zookeeper");
    assert_eq!(client.get("/n99", false).unwrap().0.unwrap(), b"kept");
}

/// Sent when a terminal closes, and by tools that rotate logs; there is nothing to reload.
#[test]
fn sighup_ends_nothing() {
    if is_reference() {
        return;
    }
    let mut server = Server::config().start();
    let mut client = Client::connect(server.address());
    for _ in 0..2 {
        let said = server.log().matches("SIGHUP: ignored").count();
        server.hang_up();
        while server.log().matches("SIGHUP: ignored").count() == said {
            client.ping();
        }
    }
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());
}

#[test]
fn sigterm_ends_a_start_that_waits() {
    if is_reference() {
        return;
    }
    let begun = |server: &Server| server.log().matches("for clients of ZooKeeper").count();
    let mut server = Server::config().start();
    server.stop();
    assert_eq!(begun(&server), 1);
    // It has no writer: a reader waits forever, as for a hanging disk.
    let mark = server.folder().join("data/ringkeeper-1/data-set");
    fs::remove_file(&mark).unwrap();
    assert!(Command::new("mkfifo").arg(&mark).status().unwrap().success());
    server.launch();
    while begun(&server) < 2 {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(server.stop().code(), Some(0), "{}", server.log());
    assert!(server.log().contains("SIGTERM: ended while starting"), "{}", server.log());
}
