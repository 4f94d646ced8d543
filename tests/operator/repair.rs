//! Damage in the log and in snapshots, on the real server: detected and named, or without effect;
//! and the explicit repair.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::server::server_command;
use harness::{Acl, Client, Server, code, is_reference};

use super::directories::files;
use super::{assert_says, failed_start};

const NODES: usize = 40;
const BLOCK: usize = 4096;

fn zoo_cfg(data: &Path) -> String {
    format!("dataDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\n", data.display())
}

fn path(number: usize) -> String {
    format!("/node-{number:04}")
}

/// A stopped server with one node per batch.
fn worked(snap_count: &str) -> Server {
    let mut server =
        Server::config().set("snapCount", snap_count).set("ring.log.segmentMb", "16").start();
    let mut client = Client::connect(server.address());
    for number in 0..NODES {
        client.create(&path(number), path(number).as_bytes(), &Acl::open(), 0).unwrap();
    }
    client.close();
    server.stop();
    server
}

/// How many of the nodes exist: a prefix of them, and no others.
fn nodes(server: &mut Server) -> usize {
    let mut client = Client::connect(server.address());
    let found: Vec<_> = (0..NODES).map(|number| client.get(&path(number), false)).collect();
    let count = found.iter().filter(|found| found.is_ok()).count();
    for (number, found) in found.into_iter().enumerate() {
        if number < count {
            assert_eq!(found.unwrap().0.unwrap(), path(number).as_bytes());
        } else {
            assert_eq!(found.unwrap_err(), code::NO_NODE);
        }
    }
    count
}

/// `ringkeeper repair` with these arguments: its exit code, and its output.
fn repair(arguments: &[&str]) -> (Option<i32>, String) {
    let words = server_command();
    let output = Command::new(&words[0]).arg("repair").args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

/// All files of the data directory except the lock.
fn contents(data: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let all = files(data, "");
    all.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

/// Offsets of the non-empty blocks of the log, except the last one (a statement).
fn used_blocks(segment: &Path) -> Vec<usize> {
    let bytes = fs::read(segment).unwrap();
    let blocks = (1..bytes.len() / BLOCK).map(|block| block * BLOCK);
    let mut used: Vec<_> = blocks.filter(|at| bytes[*at + 4..*at + 8] == *b"RKBT").collect();
    used.pop();
    used
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 0x40;
    fs::write(file, bytes).unwrap();
}

#[test]
fn changed_bytes_are_named_by_the_real_server_or_have_no_effect() {
    if is_reference() {
        return;
    }
    let mut server = worked("100000");
    let data = server.folder().join("data");
    let segment = files(&data, "log-").remove(0);
    let name = segment.display().to_string();
    let used = used_blocks(&segment);
    assert!(used.len() >= NODES, "{used:?}");
    for (index, at) in used.iter().enumerate().step_by(7) {
        // A byte of the checksum, of the header, of the records.
        let byte = at + [0, 20, 83, 95][index % 4];
        flip(&segment, byte);
        let said = failed_start(&zoo_cfg(&data));
        let place = format!("the log is corrupt: {name} at offset {at}: ");
        assert_says(&said, &[&place, "acknowledged data was there", "ringkeeper repair"]);
        flip(&segment, byte);
    }
    let irrelevant = [used[3] + BLOCK - 1, used.last().unwrap() + 64 * BLOCK];
    for byte in irrelevant {
        flip(&segment, byte);
    }
    server.start_again();
    assert_eq!(nodes(&mut server), NODES);
}

#[test]
fn a_damaged_log_is_cut_only_where_requested_and_nothing_is_removed() {
    if is_reference() {
        return;
    }
    let mut server = worked("100000");
    let data = server.folder().join("data");
    let data_text = data.display().to_string();
    let (end, said) = repair(&[&data_text]);
    assert_eq!(end, Some(0), "{said}");
    assert_says(&said, &["a server starts with this, at zxid 0x2a: nothing is to repair"]);

    let segment = files(&data, "log-").remove(0);
    // The session, then one node per batch: number 20 is damaged.
    let at = used_blocks(&segment)[21];
    flip(&segment, at + 90);
    let before = contents(&data);
    failed_start(&zoo_cfg(&data));
    let (end, said) = repair(&[&data_text]);
    assert_eq!(end, Some(0), "{said}");
    let offset = format!("{} at offset {at}: ", segment.display());
    let command = format!("ringkeeper repair {data_text} --cut-log-at 0x15");
    let lost = "acknowledged and lost by a cut: what follows, at least through 0x";
    assert_says(&said, &[&offset, "ends with zxid 0x15", lost, &command]);
    let (end, said) = repair(&[&data_text, "--cut-log-at", "0x16"]);
    assert_eq!(end, Some(1), "{said}");
    assert_says(&said, &["cannot be cut at 0x16: it can be read without a gap through 0x15 only"]);
    assert!(contents(&data) == before, "nothing was changed so far");

    // Only root can change an owner, and only then would the files belong to the wrong user.
    if let (mine, Ok(())) = (fs::metadata(&data).unwrap().uid(), chown(&data, Some(65_534), None)) {
        let (end, said) = repair(&[&data_text, "--cut-log-at", "0x15"]);
        assert_eq!(end, Some(3), "{said}");
        assert_says(
            &said,
            &["belongs to the user with number 65534", "run the command as that user"],
        );
        chown(&data, Some(mine), None).unwrap();
    }

    let (end, said) = repair(&[&data_text, "--cut-log-at", "0x15"]);
    assert_eq!(end, Some(0), "{said}");
    assert_says(&said, &["set aside: ", "at zxid 0x15: nothing is to repair"]);
    let after: Vec<_> = contents(&data).into_iter().map(|(_, bytes)| bytes).collect();
    for (file, bytes) in before {
        assert!(after.contains(&bytes), "{} is missing", file.display());
    }
    server.start_again();
    assert_eq!(nodes(&mut server), 20);
    let (end, said) = repair(&[&data_text]);
    assert_eq!(end, Some(3), "{said}");
    assert_says(&said, &["in use by the server with process id"]);
}

#[test]
fn what_a_cut_gives_up_of_a_whole_log_is_kept_under_another_name() {
    if is_reference() {
        return;
    }
    let mut server = worked("100000");
    let data = server.folder().join("data");
    let data_text = data.display().to_string();
    let (before, segments) = (contents(&data), files(&data, "log-"));
    let (end, said) = repair(&[&data_text, "--cut-log-at", "0x2a"]);
    assert_eq!(end, Some(0), "{said}");
    assert_says(&said, &["the log is whole and ends at 0x2a"]);
    assert_eq!(files(&data, "log-"), segments);
    let (end, said) = repair(&[&data_text, "--cut-log-at", "0x10"]);
    assert_eq!(end, Some(0), "{said}");
    let cut = said.find("the log is cut at 0x10").expect("it is cut");
    assert!(!said[..cut].contains("nothing is to repair"), "{said}");
    assert_says(&said[cut..], &["at zxid 0x10: nothing is to repair"]);
    assert_eq!(files(&data, "cut-").len(), 1, "{said}");
    // A start cuts the log to size: what was abandoned still exists.
    for _ in 0..2 {
        server.start_again();
        assert_eq!(nodes(&mut server), 15);
        server.stop();
    }
    let segment = &before.iter().find(|(file, _)| *file == segments[0]).unwrap().1;
    assert!(fs::read(files(&data, "cut-").remove(0)).unwrap() == *segment);
}

#[test]
fn a_cut_behind_the_end_of_an_empty_log_names_its_end() {
    if is_reference() {
        return;
    }
    let mut server = Server::config().set("ring.log.segmentMb", "16").start();
    server.stop();
    let data = server.folder().join("data").display().to_string();
    let (end, said) = repair(&[&data, "--cut-log-at", "0x99"]);
    assert_eq!(end, Some(1), "{said}");
    assert_says(&said, &["cannot be cut at 0x99: it can be read without a gap through 0x0 only"]);
    assert!(!said.contains("no snapshot is whole"), "{said}");
}

#[test]
fn without_a_whole_snapshot_the_log_from_its_beginning_is_kept() {
    if is_reference() {
        return;
    }
    let mut server = worked("15");
    let data = server.folder().join("data");
    let data_text = data.display().to_string();
    for snapshot in files(&data, "snapshot.") {
        flip(&snapshot, 4200);
    }
    let said = failed_start(&zoo_cfg(&data));
    assert_says(&said, &["every snapshot is damaged", "at offset 4096", "ringkeeper repair"]);
    let (_, said) = repair(&[&data_text]);
    assert_says(&said, &["damaged: chunk 0 at offset", "--cut-log-at 0x2a"]);
    assert!(!said.contains("lost by a cut"), "{said}");
    let (end, said) = repair(&[&data_text, "--cut-log-at", "0x2a"]);
    assert_eq!(end, Some(0), "{said}");
    server.start_again();
    assert_eq!(nodes(&mut server), NODES);
    // With the log's beginning missing too, nothing can be kept, and nothing is tried.
    server.stop();
    for file in
        files(&data, "snapshot.").into_iter().chain(files(&data, "log-").into_iter().take(1))
    {
        fs::remove_file(file).unwrap();
    }
    let (_, said) = repair(&[&data_text]);
    assert_says(&said, &["the log does not reach back to the beginning: restore a backup"]);
    let (end, said) = repair(&[&data_text, "--cut-log-at", "0x1"]);
    assert_eq!(end, Some(1), "{said}");
}
