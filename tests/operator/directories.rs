//! Data directories that are not as the server left them: it starts with everything acknowledged,
//! or reports exactly what is missing and what can be done.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use harness::{Acl, Client, Server, is_reference};

use super::full_disk::Disk;
use super::{assert_says, failed_start, failed_start_as};

const NODES: usize = 60;

/// The user id of nobody, on every Linux.
const NOBODY: u32 = 65_534;

/// A stopped server that has run `lives` times: nodes in each run, and snapshots.
fn worked(config: harness::Config, lives: usize) -> Server {
    let mut server = config.start();
    for life in 0..lives {
        if life > 0 {
            server.start_again();
        }
        let mut client = Client::connect(server.address());
        for number in 0..NODES {
            let path = format!("/n{life}-{number}");
            client.create(&path, path.as_bytes(), &Acl::open(), 0).unwrap();
        }
        client.close();
        server.stop();
    }
    server
}

fn snapshots_often() -> harness::Config {
    Server::config().set("snapCount", "25").set("ring.log.segmentMb", "16")
}

fn no_snapshots() -> harness::Config {
    Server::config().set("ring.log.segmentMb", "16")
}

fn data(server: &Server) -> PathBuf {
    server.folder().join("data")
}

/// The files whose names have this prefix, in order of their names.
pub(super) fn files(data: &Path, beginning: &str) -> Vec<PathBuf> {
    let names = fs::read_dir(data.join("ringkeeper-1")).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let is_unfinished = |name: &String| name.strip_suffix(".tmp").is_some();
    names.retain(|name| name.starts_with(beginning) && !is_unfinished(name));
    // Hexadecimal without leading zeros: the longer is the later.
    names.sort_by_key(|name| (name.len(), name.clone()));
    names.into_iter().map(|name| data.join("ringkeeper-1").join(name)).collect()
}

fn zoo_cfg(data: &Path) -> String {
    format!("dataDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\n", data.display())
}

/// The server starts, and has every node of these runs.
fn assert_has(server: &mut Server, lives: std::ops::Range<usize>) {
    server.start_again();
    let mut client = Client::connect(server.address());
    for life in lives {
        for number in 0..NODES {
            let path = format!("/n{life}-{number}");
            let found = client.get(&path, false).map(|found| found.0.unwrap());
            assert_eq!(found.as_deref(), Ok(path.as_bytes()), "{path}");
        }
    }
    client.close();
    server.stop();
}

#[test]
fn without_its_newest_snapshots_the_log_is_enough() {
    if is_reference() {
        return;
    }
    // One is removed, two are damaged, one remains.
    let mut server = worked(snapshots_often(), 5);
    let snapshots = files(&data(&server), "snapshot.");
    assert!(snapshots.len() > 3, "{snapshots:?}");
    fs::remove_file(snapshots.last().unwrap()).unwrap();
    assert_has(&mut server, 0..2);
    // Damaged, not missing: an older one is used, and the damaged ones are set aside.
    let snapshots = files(&data(&server), "snapshot.");
    let [.., second, first] = &snapshots[..] else { panic!("{snapshots:?}") };
    fs::write(first, b"").unwrap();
    let mut bytes = fs::read(second).unwrap();
    bytes[5000] ^= 1;
    fs::write(second, &bytes).unwrap();
    assert_has(&mut server, 0..2);
    assert_says(&server.log(), &["a snapshot is damaged, an older one and the log are used"]);
    let aside = files(&data(&server), "damaged.snapshot.");
    assert_eq!(aside.len(), 2, "{aside:?}");
    assert_eq!(fs::read(&aside[0]).unwrap().len().min(fs::read(&aside[1]).unwrap().len()), 0);
    // With none at all, the log reaches back to the beginning.
    for snapshot in files(&data(&server), "snapshot.") {
        fs::remove_file(snapshot).unwrap();
    }
    assert_has(&mut server, 0..2);
}

#[test]
fn a_snapshot_alone_starts_and_says_what_may_be_missing() {
    if is_reference() {
        return;
    }
    let mut server = worked(snapshots_often(), 1);
    for segment in files(&data(&server), "log-") {
        fs::remove_file(segment).unwrap();
    }
    server.start_again();
    assert_says(&server.log(), &["there is a snapshot and no log in", "check dataLogDir"]);
    let mut client = Client::connect(server.address());
    assert!(client.exists("/n0-0", false).is_ok());
    assert!(client.create("/after", b"", &Acl::open(), 0).is_ok());
}

#[test]
fn a_hole_in_the_log_is_named_with_both_its_ends() {
    if is_reference() {
        return;
    }
    let mut server = worked(no_snapshots(), 3);
    let data = data(&server);
    let segments = files(&data, "log-");
    assert!(segments.len() >= 3, "{segments:?}");
    let repair = format!("ringkeeper repair {}", data.display());
    let aside = data.join("aside");
    // The middle one.
    fs::rename(&segments[1], &aside).unwrap();
    let said = failed_start(&zoo_cfg(&data));
    let missing = format!("the segment {} is missing", segments[1].display());
    assert_says(&said, &[&missing, "put the file back", &repair]);
    fs::rename(&aside, &segments[1]).unwrap();
    // The first one, without a snapshot: what the log continues from is missing.
    fs::rename(&segments[0], &aside).unwrap();
    let said = failed_start(&zoo_cfg(&data));
    let hole = format!("the log has a hole before {}: it reaches 0x0 and", segments[1].display());
    assert_says(
        &said,
        &[&hole, "put back the segments, or the snapshot", "from 0x0 to 0x", &repair],
    );
    fs::rename(&aside, &segments[0]).unwrap();
    // Two with swapped names.
    fs::rename(&segments[0], &aside).unwrap();
    fs::rename(&segments[1], &segments[0]).unwrap();
    fs::rename(&aside, &segments[1]).unwrap();
    let said = failed_start(&zoo_cfg(&data));
    assert_says(&said, &["is segment 2, its name says 1"]);
    fs::rename(&segments[0], &aside).unwrap();
    fs::rename(&segments[1], &segments[0]).unwrap();
    fs::rename(&aside, &segments[1]).unwrap();
    assert_has(&mut server, 0..3);
}

#[test]
fn leftovers_of_a_crash_are_removed() {
    if is_reference() {
        return;
    }
    let mut server = worked(snapshots_often(), 1);
    let ours = data(&server).join("ringkeeper-1");
    let leftovers = ["snapshot.ffff.tmp", "new-00000000000000ff"];
    for name in leftovers {
        fs::write(ours.join(name), b"half").unwrap();
    }
    fs::write(ours.join("notes.txt"), b"an operator's").unwrap();
    assert_has(&mut server, 0..1);
    assert!(leftovers.iter().all(|name| !ours.join(name).exists()));
    assert_eq!(fs::read(ours.join("notes.txt")).unwrap(), b"an operator's");
}

#[test]
fn what_is_no_file_of_its_own_is_refused() {
    if is_reference() {
        return;
    }
    let mut server = worked(snapshots_often(), 2);
    let data = data(&server);
    for beginning in ["log-", "snapshot."] {
        let file = files(&data, beginning).pop().unwrap();
        let (name, aside) = (file.display().to_string(), data.join("aside"));
        fs::rename(&file, &aside).unwrap();
        fs::create_dir(&file).unwrap();
        let said = failed_start(&zoo_cfg(&data));
        assert_says(&said, &[&format!("{name} is a directory, and should be a regular file")]);
        fs::remove_dir(&file).unwrap();
        symlink(&aside, &file).unwrap();
        let said = failed_start(&zoo_cfg(&data));
        assert_says(&said, &[&format!("{name} is a symbolic link, and should be a regular file")]);
        fs::remove_file(&file).unwrap();
        fs::rename(&aside, &file).unwrap();
    }
    let segment = files(&data, "log-").remove(0);
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, b"").unwrap();
    let said = failed_start(&zoo_cfg(&data));
    assert_says(&said, &[&format!("{} is 0 bytes long, it should be 4096", segment.display())]);
    fs::write(&segment, &bytes[..bytes.len() / 2]).unwrap();
    let said = failed_start(&zoo_cfg(&data));
    let lengths = format!("is {} bytes long, it should be {}", bytes.len() / 2, bytes.len());
    assert_says(&said, &[&lengths, "ringkeeper repair"]);
    fs::write(&segment, &bytes).unwrap();
    // Something else in place of the whole directory.
    let (ours, aside) = (data.join("ringkeeper-1"), data.join("aside"));
    fs::rename(&ours, &aside).unwrap();
    fs::write(&ours, b"").unwrap();
    let said = failed_start(&zoo_cfg(&data));
    assert_says(&said, &[&format!("{} is not a directory", ours.display())]);
    fs::remove_file(&ours).unwrap();
    fs::rename(&aside, &ours).unwrap();
    assert_has(&mut server, 0..2);
}

#[test]
fn files_of_another_user_are_named() {
    if is_reference() {
        return;
    }
    let mut server = worked(snapshots_often(), 1);
    let data = data(&server);
    let file = files(&data, "snapshot.").pop().unwrap();
    let user = fs::write(data.join("probe"), b"").ok().and_then(|()| {
        // Only root can become another user, and only root can read everything.
        chown(data.join("probe"), Some(NOBODY), None).ok().map(|()| NOBODY)
    });
    if user.is_some() {
        for path in [server.folder(), &data, &data.join("ringkeeper-1")] {
            chown(path, Some(NOBODY), None).unwrap();
        }
        chown(data.join("ringkeeper.lock"), Some(NOBODY), None).unwrap();
        for file in [files(&data, "log-"), files(&data, "snapshot.")].concat() {
            chown(file, Some(NOBODY), None).unwrap();
        }
        chown(&file, Some(0), None).unwrap();
    }
    let mode = if user.is_some() { 0o600 } else { 0 };
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    let said = failed_start_as(&zoo_cfg(&data), user);
    let unreadable = format!("{} cannot be read (Permission denied", file.display());
    assert_says(&said, &[&unreadable, "must belong to the user", "chown -R"]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_has(&mut server, 0..1);
}

#[test]
fn a_changed_directory_of_the_log_is_noticed() {
    if is_reference() {
        return;
    }
    let mut server = worked(snapshots_often(), 1);
    let data = data(&server);
    let elsewhere = server.folder().join("elsewhere");
    let moved = zoo_cfg(&data) + &format!("dataLogDir={}\n", elsewhere.display());
    let said = failed_start(&moved);
    let segment = files(&data, "log-").remove(0);
    let belongs = format!("{} belongs to a log, and dataLogDir=", segment.display());
    assert_says(&said, &[&belongs, "move all log-* and spare-* there"]);
    let swapped = format!("dataLogDir={}\n", data.display()) + &zoo_cfg(&elsewhere);
    let said = failed_start(&swapped);
    assert_says(&said, &["is a snapshot, and dataDir=", "move all snapshot.* there"]);
    assert_has(&mut server, 0..1);
    // As the message asks.
    fs::create_dir_all(elsewhere.join("ringkeeper-1")).unwrap();
    for segment in files(&data, "log-").into_iter().chain(files(&data, "spare-")) {
        fs::rename(&segment, elsewhere.join("ringkeeper-1").join(segment.file_name().unwrap()))
            .unwrap();
    }
    server.set("dataLogDir", &elsewhere.display().to_string());
    assert_has(&mut server, 0..1);
}

#[test]
fn zookeepers_own_data_is_not_ignored() {
    if is_reference() {
        return;
    }
    let folder = super::Folder::new();
    let data = folder.path().join("data");
    let stock = data.join("version-2");
    fs::create_dir_all(&stock).unwrap();
    fs::write(stock.join("log.1"), b"ZKLG").unwrap();
    let said = failed_start(&zoo_cfg(&data));
    let import = format!("ringkeeper import {0} --to {0}", data.display());
    assert_says(&said, &[&stock.display().to_string(), &import, "move version-2 away"]);
    assert!(!data.join("ringkeeper-1").exists(), "nothing was made");
}

#[test]
fn a_read_only_file_system_is_reported() {
    if is_reference() {
        return;
    }
    let Some(disk) = Disk::mount() else { return };
    let data = disk.path().join("data");
    let mut server = worked(no_snapshots().set("dataDir", &data.display().to_string()), 1);
    disk.mount_again("loop,ro");
    let said = failed_start(&zoo_cfg(&data));
    assert_says(&said, &[&data.display().to_string(), "mounted read-only"]);
    disk.mount_again("loop");
    assert_has(&mut server, 0..1);
}
