//! What is refused: each message names the problem and the remedy, and nothing is written.

use std::fs;
use std::path::Path;

use harness::server::copy_directory;

use super::craft::adler32;
use super::fixtures::fixture;
use super::{Folder, Said, files, import, run, word};

fn assert_refused(said: &Said, parts: &[&str]) {
    assert!(!said.is_success, "{said:?}");
    for part in parts {
        assert!(said.err.contains(part), "no {part:?} in {said:?}");
    }
    assert_eq!(said.err.lines().filter(|line| line.starts_with("ringkeeper: ")).count(), 1);
}

/// A copy of a fixture without these files.
fn copy_without(folder: &Folder, unwanted: &[&Path]) -> std::path::PathBuf {
    let from = folder.join("from");
    copy_directory(&fixture("plain"), &from);
    for path in unwanted {
        fs::remove_file(from.join("version-2").join(path.file_name().unwrap())).unwrap();
    }
    from
}

fn try_import(from: &Path, folder: &Folder, flags: &[&str]) -> Said {
    let to = folder.join("to");
    let words = [&["import", word(from), "--to", word(&to)], flags].concat();
    let said = run(&words);
    if !said.is_success {
        assert!(!to.join("ringkeeper-1").exists(), "nothing is written");
    }
    said
}

#[test]
fn paths_that_are_no_data_directory() {
    let folder = Folder::new();
    let missing = folder.join("missing");
    assert_refused(&try_import(&missing, &folder, &[]), &["missing/version-2", "dataDir"]);
    fs::create_dir_all(folder.join("empty/version-2")).unwrap();
    let said = try_import(&folder.join("empty"), &folder, &[]);
    assert_refused(&said, &["empty/version-2", "no snapshot and no log", "--log-dir"]);
}

#[test]
fn a_target_that_has_data() {
    let folder = Folder::new();
    import(&fixture("plain"), &folder.join("to"));
    let said = run(&["import", word(&fixture("plain")), "--to", word(&folder.join("to"))]);
    assert_refused(&said, &["to/ringkeeper-1 holds data already", "another directory"]);
}

#[test]
fn logs_without_a_snapshot() {
    let folder = Folder::new();
    let snapshots = files(&fixture("plain").join("version-2"), "snapshot.");
    let snapshots: Vec<_> = snapshots.iter().map(AsRef::as_ref).collect();
    let from = copy_without(&folder, &snapshots);
    assert_refused(&try_import(&from, &folder, &[]), &["--trust-empty-snapshot"]);
    let said = try_import(&from, &folder, &["--trust-empty-snapshot"]);
    assert!(said.is_success, "{said:?}");
    assert!(said.out.contains("as ZooKeeper wrote it"), "{said:?}");
}

#[test]
fn a_hole_between_logs() {
    let folder = Folder::new();
    let files_of = |beginning| files(&fixture("plain").join("version-2"), beginning);
    let (snapshots, logs) = (files_of("snapshot."), files_of("log."));
    assert_eq!((snapshots.len(), logs.len()), (2, 2));
    // The newest snapshot and the log before it: what is left needs both.
    let from = copy_without(&folder, &[&snapshots[1], &logs[0]]);
    let name = logs[1].file_name().unwrap().to_str().unwrap();
    let next = i64::from_str_radix(name.strip_prefix("log.").unwrap(), 16).unwrap();
    let missing = format!("the txns 0x1 to {:#x} are missing", next - 1);
    let said = try_import(&from, &folder, &[]);
    assert_refused(&said, &[&missing, name, "--stop-at-damage"]);
    let said = try_import(&from, &folder, &["--stop-at-damage"]);
    assert!(said.is_success, "{said:?}");
    assert!(said.err.contains(&missing), "{said:?}");
    assert!(said.out.contains("zxid      0x0\n"), "{said:?}");
}

#[test]
fn a_damaged_log() {
    let folder = Folder::new();
    let from = copy_without(&folder, &[]);
    let log = files(&from.join("version-2"), "log.").pop().unwrap();
    let mut bytes = fs::read(&log).unwrap();
    // In the txn of the first entry, behind header, checksum and length.
    bytes[16 + 12 + 20] ^= 1;
    fs::write(&log, bytes).unwrap();
    let said = try_import(&from, &folder, &[]);
    assert_refused(&said, &[word(&log), "offset 16", "checksum", "--stop-at-damage"]);
    let said = run(&["inspect", "log", word(&log), "--json"]);
    assert_refused(&said, &["is damaged"]);
    let damage = said.out.lines().find(|line| line.contains(r#""kind":"damage""#)).unwrap();
    for part in [r#""offset":16"#, r#""expected":"0x"#, r#""found":"0x"#, r#""advice":"#] {
        assert!(damage.contains(part), "{damage}");
    }
    let said = try_import(&from, &folder, &["--stop-at-damage"]);
    assert!(said.is_success, "{said:?}");
}

#[test]
fn an_unfinished_last_entry_is_no_damage() {
    let folder = Folder::new();
    let from = copy_without(&folder, &[]);
    let log = files(&from.join("version-2"), "log.").pop().unwrap();
    let bytes = fs::read(&log).unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    fs::write(&log, &bytes[..end - 5]).unwrap();
    let said = try_import(&from, &folder, &[]);
    assert!(said.is_success, "{said:?}");
    assert!(said.err.contains("a crash interrupted"), "{said:?}");
    assert!(said.out.contains("as ZooKeeper wrote it"), "{said:?}");
}

/// A log that was just created, and a snapshot that was just begun.
#[test]
fn files_that_a_crash_left_empty_are_no_damage() {
    for length in [0, 1, 6, 15] {
        let folder = Folder::new();
        let from = copy_without(&folder, &[]);
        let head = b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0";
        fs::write(from.join("version-2/log.1000"), &head[..length]).unwrap();
        fs::write(from.join("version-2/snapshot.1001"), b"").unwrap();
        let said = try_import(&from, &folder, &[]);
        assert!(said.is_success, "{said:?}");
        assert!(said.err.contains("log.1000: empty"), "{said:?}");
        assert!(said.err.contains("snapshot.1001: at offset 0"), "{said:?}");
        assert!(said.out.contains("as ZooKeeper wrote it"), "{said:?}");
    }
}

#[test]
fn what_was_promised_is_not_guessed() {
    for (name, text) in [("acceptedEpoch", ""), ("currentEpoch", "-3"), ("currentEpoch", "2x")] {
        let folder = Folder::new();
        let from = copy_without(&folder, &[]);
        fs::write(from.join("version-2").join(name), text).unwrap();
        let said = try_import(&from, &folder, &[]);
        assert_refused(&said, &[name, "the number of an epoch", "another server", "empty dataDir"]);
    }
}

#[test]
fn a_digest_that_differs() {
    let folder = Folder::new();
    let from = copy_without(&folder, &[]);
    let log = files(&from.join("version-2"), "log.").pop().unwrap();
    let mut bytes = fs::read(&log).unwrap();
    // The digest is the last eight bytes of the last entry, before its mark. Its checksum is
    // recomputed, as only a faulty program would do.
    let mark = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    bytes[mark - 1] ^= 1;
    let begin = entries(&bytes).pop().unwrap();
    let sum = adler32(&bytes[begin + 12..mark]);
    bytes[begin..begin + 8].copy_from_slice(&u64::from(sum).to_be_bytes());
    fs::write(&log, bytes).unwrap();
    let said = try_import(&from, &folder, &[]);
    assert_refused(&said, &["digest should be", "--accept-mismatch"]);
    let said = try_import(&from, &folder, &["--accept-mismatch"]);
    assert!(said.is_success, "{said:?}");
    assert!(said.out.contains("not the one that ZooKeeper wrote"), "{said:?}");
}

/// Offsets of the entries of a log.
fn entries(bytes: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 16;
    while at + 12 < bytes.len() {
        let length = i32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap());
        if length == 0 {
            break;
        }
        found.push(at);
        at += 12 + usize::try_from(length).unwrap() + 1;
    }
    found
}
