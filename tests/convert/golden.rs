//! Round trips with Apache `ZooKeeper` itself: its directory imported, ours exported, and the tree
//! compared after each step. Needs `ZooKeeper` (`make reference`).

use std::env;
use std::fs;
use std::path::Path;

use harness::server::copy_directory;
use harness::{Acl, Client, is_reference};

use super::fixtures::fixture;
use super::tree::{config, dump, grow, plant};
use super::{Folder, files, import, only_file, run, word};

/// A directory of stock's after two starts, imported, served, exported, served by stock again.
fn round_trip(method: &str) {
    if !is_reference() {
        return;
    }
    let folder = Folder::new();
    let property = format!("zookeeper.snapshot.compression.method={method}");
    let mut stock = config().property(&property).start();
    plant(&stock);
    stock.stop();
    stock.start_again();
    grow(&stock);
    let expected = dump(&stock);
    stock.kill();
    let data = stock.folder().join("data");
    maybe_keep(&data, &expected, method);

    let ours_data = folder.join("ours");
    let said = import(&data, &ours_data);
    assert!(said.out.contains("as ZooKeeper wrote it"), "{said:?}");
    let mut ours = config().ours().data(&ours_data).start();
    assert_eq!(dump(&ours), expected);
    ours.stop();

    let exported = folder.join("exported");
    let said = run(&["export", word(&ours.folder().join("data")), "--to", word(&exported)]);
    assert!(said.is_success, "{said:?}");
    let mut again = config().data(&exported).start();
    assert_eq!(dump(&again), expected);

    // Stock's own digest of the tree it continues with, compared with ours.
    Client::connect(again.address()).make("/after");
    let expected = dump(&again);
    again.kill();
    let back = folder.join("back");
    let said = import(&again.folder().join("data"), &back);
    assert!(said.out.contains("as ZooKeeper wrote it"), "{said:?}");
    assert_eq!(dump(&config().ours().data(&back).start()), expected);
}

/// Files of version 3.3 that `ZooKeeper` has in its own tests: its newest snapshot is cut off.
#[test]
fn what_an_old_version_wrote() {
    if !is_reference() {
        return;
    }
    let old = fixture("old");
    let mut stock = config().data(&old).start();
    let tree = dump(&stock);
    stock.kill();
    if let Some(to) = env::var_os("CONVERT_FIXTURES_TO") {
        fs::create_dir_all(Path::new(&to).join("old")).unwrap();
        fs::write(Path::new(&to).join("old/expected.txt"), &tree).unwrap();
    }
    assert_eq!(tree, fs::read_to_string(old.join("expected.txt")).unwrap());
}

/// Keeps stock's directory as a fixture, if the environment names a place (see the fixtures'
/// README).
pub(crate) fn maybe_keep(data: &Path, expected: &str, method: &str) {
    let Some(to) = env::var_os("CONVERT_FIXTURES_TO") else { return };
    let name = if method.is_empty() { "plain" } else { method };
    let to = Path::new(&to).join(name);
    copy_directory(&data.join("version-2"), &to.join("version-2"));
    fs::write(to.join("expected.txt"), expected).unwrap();
}

#[test]
fn plain_snapshots() {
    round_trip("");
}

#[test]
fn snapshots_of_gzip() {
    round_trip("gz");
}

#[test]
fn snapshots_of_snappy() {
    round_trip("snappy");
}

/// Snapshots that stock writes while the tree changes, each with all later logs.
#[test]
fn fuzzy_snapshots() {
    if !is_reference() {
        return;
    }
    let mut stock = config().set("snapCount", "600").start();
    let address = stock.address();
    let work = |name: &'static str| {
        std::thread::spawn(move || {
            let mut client = Client::connect(address);
            client.make(&format!("/{name}"));
            for round in 0..400 {
                let path = format!("/{name}/{}", round % 40);
                // Created, changed, deleted and recreated continuously; some by sessions that end.
                let _ = client.create(&path, name.as_bytes(), &Acl::open(), 0);
                let _ = client.create(&format!("{path}/x"), b"", &Acl::open(), 0);
                let _ = client.set(&path, format!("{round}").as_bytes(), -1);
                let list = [Acl::new(31, "ip", &format!("10.0.0.{}", round % 50)), open()];
                let _ = client.set_acl(&path, &list, -1);
                if round % 3 == 0 {
                    let _ = client.delete(&format!("{path}/x"), -1);
                    let _ = client.delete(&path, -1);
                }
                let mut short = Client::connect(address);
                let _ = short.create(&format!("/{name}/e"), b"", &Acl::open(), 1);
                short.close();
            }
        })
    };
    for worker in ["a", "b", "c", "d"].map(work) {
        worker.join().unwrap();
    }
    let expected = dump(&stock);
    stock.kill();
    let data = stock.folder().join("data");
    let snapshots = files(&data.join("version-2"), "snapshot.");
    assert!(snapshots.len() > 2, "{snapshots:?}");
    // From every snapshot the logs lead to the same tree.
    for snapshot in &snapshots {
        let folder = Folder::new();
        let from = folder.join("from");
        copy_directory(&data, &from);
        for other in files(&from.join("version-2"), "snapshot.") {
            if other.file_name() != snapshot.file_name() {
                fs::remove_file(other).unwrap();
            }
        }
        let said = import(&from, &folder.join("to"));
        assert!(said.out.contains("as ZooKeeper wrote it"), "{snapshot:?}: {said:?}");
        only_file(&folder.join("to/ringkeeper-1"), "snapshot.");
        let ours = config().ours().data(&folder.join("to")).start();
        assert_eq!(dump(&ours), expected, "from {snapshot:?}");
    }
}

fn open() -> Acl {
    Acl::open().swap_remove(0)
}
