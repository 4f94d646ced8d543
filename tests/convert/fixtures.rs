//! Directories that `ZooKeeper` 3.9.5 has written, imported without it (see the README beside
//! them).

use std::fs;
use std::path::{Path, PathBuf};

use harness::server::copy_directory;

use super::tree::{config, dump};
use super::{Folder, Said, files, import, only_file, run, word};

const ALL: [&str; 4] = ["plain", "gz", "snappy", "ensemble"];

pub(super) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("convert/fixtures").join(name)
}

fn expected(name: &str) -> String {
    fs::read_to_string(fixture(name).join("expected.txt")).unwrap()
}

#[test]
fn every_compression_gives_the_tree_that_clients_saw() {
    for name in ALL {
        let folder = Folder::new();
        let said = import(&fixture(name), &folder.join("to"));
        assert!(said.out.contains("as ZooKeeper wrote it"), "{name}: {said:?}");
        let ours = config().ours().data(&folder.join("to")).start();
        assert_eq!(dump(&ours), expected(name), "{name}");
    }
}

#[test]
fn a_damaged_snapshot_is_skipped() {
    for name in ALL {
        let folder = Folder::new();
        let from = folder.join("from");
        copy_directory(&fixture(name), &from);
        let newest = files(&from.join("version-2"), "snapshot.").pop().unwrap();
        let mut bytes = fs::read(&newest).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        fs::write(&newest, bytes).unwrap();
        let said = import(&from, &folder.join("to"));
        assert!(said.err.contains(word(&newest)), "{name}: {said:?}");
        assert!(said.out.contains("as ZooKeeper wrote it"), "{name}: {said:?}");
        let ours = config().ours().data(&folder.join("to")).start();
        assert_eq!(dump(&ours), expected(name), "{name}");
    }
}

/// A snapshot that ends in the middle, the one before it, and logs of which one ends in a write;
/// creates without the parent's counter, and no digests.
#[test]
fn what_an_old_version_wrote_is_imported() {
    let folder = Folder::new();
    let said = import(&fixture("old"), &folder.join("to"));
    for note in ["snapshot.83f: at offset 4815", "log.63b: ends at offset", "no digest was written"]
    {
        assert!(said.err.contains(note), "{said:?}");
    }
    assert_eq!(dump(&config().ours().data(&folder.join("to")).start()), expected("old"));
}

#[test]
fn an_export_is_imported_as_the_same_tree() {
    let folder = Folder::new();
    let (to, exported, again) = (folder.join("to"), folder.join("exported"), folder.join("again"));
    let first = import(&fixture("plain"), &to);
    let said = run(&["export", word(&to), "--to", word(&exported)]);
    assert!(said.is_success, "{said:?}");
    let second = import(&exported, &again);
    for line in ["zxid ", "tree ", "digest "] {
        let of = |said: &Said| said.out.lines().find(|it| it.starts_with(line)).map(str::to_owned);
        assert_eq!(of(&first), of(&second));
    }
    let said = run(&["export", word(&to), "--to", word(&exported)]);
    assert!(!said.is_success);
    assert!(said.err.contains("version-2 holds data already"), "{said:?}");
    assert_eq!(dump(&config().ours().data(&again).start()), expected("plain"));
}

#[test]
fn inspect_shows_every_file_whole() {
    for name in ALL {
        for path in files(&fixture(name).join("version-2"), "snapshot.") {
            let said = run(&["inspect", "snapshot", word(&path), "--json", "--nodes"]);
            assert!(said.is_success, "{said:?}");
            let end = said.out.lines().last().unwrap();
            assert!(end.contains(r#""kind":"end""#), "{end}");
        }
        for path in files(&fixture(name).join("version-2"), "log.") {
            let said = run(&["inspect", "log", word(&path)]);
            assert!(said.is_success, "{said:?}");
            assert!(said.out.lines().last().unwrap().contains("ended=\"before zeros\""));
        }
    }
}

#[test]
fn both_tools_report_the_same_of_a_snapshot() {
    let folder = Folder::new();
    let to = folder.join("to");
    import(&fixture("plain"), &to);
    let ours = only_file(&to.join("ringkeeper-1"), "snapshot.");
    let copy = folder.join("renamed");
    fs::copy(&ours, &copy).unwrap();
    for path in [&ours, &copy] {
        let said = run(&["inspect", "snapshot", word(path), "--nodes"]);
        assert!(said.is_success, "{said:?}");
        assert!(said.out.contains("node path=/plain/data "), "{said:?}");
    }
    let said = run(&["inspect", "log", word(&ours)]);
    assert!(said.err.contains("ringkeeper inspect snapshot"), "{said:?}");
}
