//! Configuration files found in practice start, or do not, as with `ZooKeeper`.
//!
//! The first line of each gives the expected result: `starts`; `refused`; `ensemble`, which is not
//! built here and is refused for that reason alone. Directories and ports are replaced.

use std::fs;
use std::path::Path;

use harness::{Client, Server, is_reference};

/// Keys whose values this test sets.
const REPLACED: [&str; 5] =
    ["dataDir", "dataLogDir", "clientPort", "clientPortAddress", "admin.serverPort"];
/// Fewer would prove little.
const FILES_MIN: usize = 30;

/// The key of a line, and its value.
fn split(line: &str) -> Option<(&str, &str)> {
    if line.starts_with('#') {
        return None;
    }
    let (key, value) = line.split_once(['=', ':'])?;
    Some((key.trim(), value.trim()))
}

/// The text without the lines whose value is replaced; a value in quotes stays, since it is wrong.
fn portable(text: &str) -> String {
    let is_kept = |line: &&str| {
        split(line).is_none_or(|(key, value)| !REPLACED.contains(&key) || value.starts_with('"'))
    };
    let kept: String = text.split_inclusive('\n').filter(is_kept).collect();
    kept + "\nadmin.serverPort=0\n"
}

#[test]
fn files_found_in_practice_start_as_with_zookeeper() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("keys/files");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= FILES_MIN, "{} files", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&file).unwrap();
        let first = text.trim_start_matches(['\u{feff}', '#', ' ']);
        let expected = first.split_once(':').unwrap().0;
        if expected == "ensemble" && is_reference() {
            continue;
        }
        match (Server::config().text(&portable(&text)).try_start(), expected) {
            (Ok(server), "starts") => Client::connect(server.address()).make("/served"),
            (Err(_), "refused") => {}
            (Err(log), "ensemble") if log.contains("there are several servers") => {}
            (Ok(_), _) => wrong.push(format!("{name}: it starts")),
            (Err(log), _) => wrong.push(format!("{name}: it does not start:\n{log}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
