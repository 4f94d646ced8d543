//! Files written by a newer version: they are named, distinguished from damage, and left alone.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{Acl, Client, Server, is_reference};

use super::{assert_says, failed_start};

/// The header of either kind of file is its first block: 8 bytes of magic, then the version, then
/// the CRC-32C of the block without the checksum's own four bytes.
const BLOCK: usize = 4096;

fn crc32c(parts: [&[u8]; 2]) -> u32 {
    let mut crc = u32::MAX;
    for byte in parts.into_iter().flatten() {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// Writes the version behind `current` into a header, with a matching checksum; returns the former
/// bytes.
fn make_newer(file: &Path, number: fn(u32) -> [u8; 4], current: u32) -> Vec<u8> {
    let before = fs::read(file).unwrap();
    let mut bytes = before.clone();
    assert_eq!(bytes[8..12], number(current), "{}", file.display());
    let crc = crc32c([&bytes[..12], &bytes[16..BLOCK]]);
    assert_eq!(bytes[12..16], number(crc), "{}", file.display());
    bytes[8..12].copy_from_slice(&number(current + 1));
    let crc = crc32c([&bytes[..12], &bytes[16..BLOCK]]);
    bytes[12..16].copy_from_slice(&number(crc));
    fs::write(file, &bytes).unwrap();
    before
}

/// The files of the server's data whose names have this prefix.
fn files(server: &Server, beginning: &str) -> Vec<PathBuf> {
    let names = fs::read_dir(server.folder().join("data/ringkeeper-1")).unwrap();
    let paths = names.map(|entry| entry.unwrap().path());
    let is_named = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(beginning) && path.extension().is_none_or(|it| it != "tmp")
    };
    paths.filter(is_named).collect()
}

/// Stops the server; it does not start while these files have the newer version, and does
/// afterwards.
fn assert_refused(
    server: &mut Server,
    beginning: &str,
    (number, current): (fn(u32) -> [u8; 4], u32),
    says: &str,
) {
    server.stop();
    let files = files(server, beginning);
    let before: Vec<_> = files.iter().map(|file| make_newer(file, number, current)).collect();
    let newer: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let data = server.folder().join("data").display().to_string();
    let said = failed_start(&format!("dataDir={data}\nclientPort=0\n"));
    assert_says(&said, &[&format!("{data}/ringkeeper-1/{beginning}"), says]);
    for ((file, before), newer) in files.iter().zip(before).zip(newer) {
        assert!(fs::read(file).unwrap() == newer, "{} was changed", file.display());
        fs::write(file, before).unwrap();
    }
    server.start_again();
    let mut client = Client::connect(server.address());
    assert_eq!(client.get("/kept", false).unwrap().0.unwrap(), b"data");
}

#[test]
fn a_log_of_a_newer_version() {
    if is_reference() {
        return;
    }
    let mut server = Server::config().start();
    let mut client = Client::connect(server.address());
    client.create("/kept", b"data", &Acl::open(), 0).unwrap();
    let says = "has format version 3, this server reads 2";
    assert_refused(&mut server, "log-", (u32::to_le_bytes, 2), says);
}

#[test]
fn a_snapshot_of_a_newer_version() {
    if is_reference() {
        return;
    }
    let mut server = Server::config().set("snapCount", "20").start();
    let mut client = Client::connect(server.address());
    client.create("/kept", b"data", &Acl::open(), 0).unwrap();
    client.wait_until("there is a snapshot", |client| {
        client.set("/kept", b"data", -1).unwrap();
        !files(&server, "snapshot.").is_empty()
    });
    let says = "has format 2, newer than 1";
    assert_refused(&mut server, "snapshot.", (u32::to_be_bytes, 1), says);
}
