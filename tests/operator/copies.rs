//! Copies of a data set whose log is elsewhere, halves without their counterpart, and marks left by
//! a power loss: the log of another data directory is never touched.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use harness::server::{copy_directory, our_binary};
use harness::{Client, is_reference};

use super::directories::files;
use super::halves::{Apart, run, text, zoo_cfg};
use super::{assert_says, ended_start, failed_start};

/// Both directories, copied side by side below a new one.
fn copied(apart: &Apart) -> (PathBuf, PathBuf) {
    let below = apart.folder.path().join("copy");
    let (data, log) = (below.join("data"), below.join("log"));
    copy_directory(&apart.data(), &data);
    copy_directory(&apart.log(), &log);
    fs::remove_file(data.join("ringkeeper.lock")).ok();
    fs::remove_file(log.join("ringkeeper.lock")).ok();
    (data, log)
}

fn exit_of(words: &[&str]) -> Option<i32> {
    Command::new(our_binary()).args(words).output().unwrap().status.code()
}

fn contents(directory: &std::path::Path) -> Vec<(PathBuf, Vec<u8>)> {
    let all = files(directory, "").into_iter();
    all.map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

#[test]
fn the_log_of_the_original_is_never_taken_for_that_of_a_copy() {
    if is_reference() {
        return;
    }
    let mut apart = Apart::new();
    let (data, log) = copied(&apart);
    let before = contents(&apart.log());
    let to = apart.folder.path().join("to");
    for words in [
        &["repair", text(&data)][..],
        &["repair", text(&data), "--cut-log-at", "0x10"],
        &["export", text(&data), "--to", text(&to)],
    ] {
        let (is_success, said) = run(words);
        assert!(!is_success, "{said}");
        let found = format!(
            "{} names {} as its log, which is the log of the snapshots in {}",
            data.join("ringkeeper-1/data-set").display(),
            apart.log().display(),
            apart.data().display()
        );
        assert_says(&said, &[&found, "--log-dir", &format!("is in {}", log.display())]);
        assert_eq!(exit_of(words), Some(3));
    }
    assert!(contents(&apart.log()) == before, "the original's log is as it was");
    assert!(!to.exists());
    // Nor does serve ask for it.
    let said = failed_start(&zoo_cfg(&data, None));
    assert_says(&said, &["which is the log of the snapshots in", text(&log)]);
    // With --log-dir, the copy's own log is used, and the original is not touched.
    let words = ["repair", text(&data), "--log-dir", text(&log), "--cut-log-at", "0x10"];
    let (is_success, said) = run(&words);
    assert!(is_success, "{said}");
    assert!(contents(&apart.log()) == before, "the original's log is as it was");
    apart.assert_starts();
}

#[test]
fn a_pair_that_was_moved_is_used_where_it_is_named_and_served() {
    if is_reference() {
        return;
    }
    let mut apart = Apart::new();
    let (data, log) = copied(&apart);
    fs::remove_dir_all(apart.data()).unwrap();
    fs::remove_dir_all(apart.log()).unwrap();
    let (is_success, said) = run(&["repair", text(&data)]);
    assert!(!is_success, "{said}");
    assert_says(&said, &["--log-dir", &format!("is in {}", log.display())]);
    let whole = format!("a server starts with this, at zxid {}", apart.zxid);
    let (is_success, said) = run(&["repair", text(&data), "--log-dir", text(&log)]);
    assert!(is_success, "{said}");
    assert_says(&said, &[&whole]);
    apart.server.set("dataDir", text(&data));
    apart.server.set("dataLogDir", text(&log));
    apart.assert_starts();
    // From then on the halves find each other.
    let (is_success, said) = run(&["repair", text(&data)]);
    assert!(is_success, "{said}");
    assert_says(&said, &["a server starts with this"]);
}

#[test]
fn a_data_directory_that_has_moved_away_from_its_log_names_it() {
    if is_reference() {
        return;
    }
    let apart = Apart::new();
    let moved = apart.folder.path().join("moved");
    fs::rename(apart.data(), &moved).unwrap();
    let (is_success, said) = run(&["repair", text(&moved), "--cut-log-at", "0x10"]);
    assert!(!is_success, "{said}");
    assert_says(&said, &["which is the log of the snapshots in", text(&apart.data()), "--log-dir"]);
    let (is_success, said) = run(&["repair", text(&moved), "--log-dir", text(&apart.log())]);
    assert!(is_success, "{said}");
    // Another name of the same directory is not a move.
    fs::rename(&moved, apart.data()).unwrap();
    let other_name = apart.folder.path().join("other-name");
    std::os::unix::fs::symlink(apart.data(), &other_name).unwrap();
    let (is_success, said) = run(&["repair", text(&other_name)]);
    assert!(is_success, "{said}");
}

#[test]
fn marks_that_a_loss_of_power_has_left_are_refused() {
    if is_reference() {
        return;
    }
    let mut apart = Apart::new();
    let marks =
        [apart.data().join("ringkeeper-1/data-set"), apart.log().join("ringkeeper-1/log-set")];
    for mark in marks {
        let before = fs::read(&mark).unwrap();
        let half = before.iter().rposition(|&byte| byte == b'=').unwrap();
        let comment = before.iter().position(|&byte| byte == b'\n').unwrap();
        let zeros = vec![0; before.len()];
        for left in [
            &b""[..],
            &zeros,
            b"nonsense\n",
            b"later=1\n",
            &[0xff, 0xfe, b'\n'],
            &before[..half],
            &before[..=comment],
        ] {
            fs::write(&mark, left).unwrap();
            let (status, said) = ended_start(&zoo_cfg(&apart.data(), Some(&apart.log())), None);
            let shown = String::from_utf8_lossy(left).into_owned();
            assert_eq!(status, 3, "{shown:?}: {said}");
            assert_says(&said, &[text(&mark), "put the file back", "or remove it"]);
            for words in [
                &["repair", text(&apart.data()), "--log-dir", text(&apart.log())][..],
                &["export", text(&apart.data()), "--log-dir", text(&apart.log()), "--to", "/no/to"],
            ] {
                let (_, said) = run(words);
                assert_eq!(exit_of(words), Some(3), "{shown:?}: {said}");
                assert_says(&said, &[text(&mark), "or remove it"]);
            }
        }
        // The remedy.
        fs::remove_file(&mark).unwrap();
        apart.assert_starts();
        assert!(mark.exists());
    }
}

#[test]
fn a_log_whose_snapshots_are_lost_says_so() {
    if is_reference() {
        return;
    }
    let mut apart = Apart::new();
    let (data, log) = (apart.data(), apart.log());
    let aside = apart.folder.path().join("aside");
    fs::rename(&data, &aside).unwrap();
    let said = failed_start(&zoo_cfg(&data, Some(&log)));
    let missing = format!(
        "{} holds the log of the snapshots in {}, and they are not there",
        log.display(),
        data.display()
    );
    assert_says(&said, &[&missing, "put back", text(&log.join("ringkeeper-1/log-set"))]);
    assert!(!said.contains("and not of those in"), "{said}");
    // As the message says: a log that reaches back to the beginning is sufficient.
    fs::remove_file(log.join("ringkeeper-1/log-set")).unwrap();
    apart.server.start_again();
    assert!(Client::connect(apart.server.address()).exists("/last", false).is_ok());
    apart.server.stop();
}
