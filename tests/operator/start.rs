//! Starts that cannot be, and the end that an operator asks for.

use std::fs;
use std::net::TcpListener;

use harness::{Acl, Client, Server, is_reference};

use super::{Folder, assert_says, failed_start};

/// Port 0 is any that is free.
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
fn a_data_directory_that_cannot_be() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let file = folder.path().join("file");
    fs::write(&file, b"in the way").unwrap();
    let file = file.display().to_string();
    assert_says(&failed_start(&zoo_cfg(&file)), &[&file, "is not a directory"]);
    let below = format!("{file}/data");
    assert_says(&failed_start(&zoo_cfg(&below)), &[&below, "cannot be made"]);
    // No user can make directories there, not even root.
    let read_only = "/proc/self/ringkeeper";
    assert_says(&failed_start(&zoo_cfg(read_only)), &[read_only, "cannot be made"]);
    let missing = folder.path().join("missing").display().to_string();
    let said = failed_start(&(zoo_cfg(&missing) + "datadir.autocreate=false\n"));
    assert_says(&said, &[&missing, "does not exist", "datadir.autocreate"]);
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
fn wrong_values_are_told_with_file_line_and_bounds() {
    if is_reference() {
        return;
    }
    let said = failed_start(&(zoo_cfg("/nonexistent") + "tickTime=0\n\nmaxCnxns=many\n"));
    assert_says(
        &said,
        &[
            "zoo.cfg:4: tickTime=0: must be a whole number from 1 to 3600000",
            "zoo.cfg:6: maxCnxns=many: must be a whole number from 0 to 2147483647",
        ],
    );
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
            "snapcount is not known and passed over: did you mean snapCount?",
            "mystery.key is not known and passed over",
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
