//! `ringkeeper topology`: what it shows of this machine and of others, and what it refuses.

use super::Folder;
use harness::server::our_binary;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What it prints, and its status.
fn topology(folder: &Folder, words: &[&str]) -> (String, i32) {
    let done = Command::new(our_binary())
        .current_dir(&folder.0)
        .arg("topology")
        .args(words)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    (text.into_owned(), done.status.code().expect("it ended by itself"))
}

#[test]
fn this_machine_and_others_are_shown() {
    let folder = Folder::new();
    let (text, status) = topology(&folder, &["--svg", "this.svg"]);
    assert!(status == 0 && text.contains("The machine, as far as this process may"), "{text}");
    let drawn = fs::read_to_string(folder.0.join("this.svg")).unwrap();
    assert!(drawn.starts_with("<svg") && drawn.contains("package 0"), "{drawn}");
    let large = "Package:2 [NUMANode] L3:1 L2:8 Core:1 PU:2";
    let (text, status) = topology(&folder, &["--synthetic", large, "--set", "ring.shards=3"]);
    assert!(status == 0 && text.contains("beside 3 shards, as set by ring.shards"), "{text}");
    let (text, status) = topology(&folder, &["--synthetic", large, "--allowed", "0,2"]);
    assert!(status == 0 && text.contains("2 cores, 2 processors"), "{text}");
    let machines = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tuning/machines");
    let xml = machines.join("hybrid-desktop.xml");
    let (text, status) = topology(&folder, &["--xml", xml.to_str().unwrap()]);
    let expected = fs::read_to_string(machines.join("hybrid-desktop.txt")).unwrap();
    assert_eq!((text, status), (expected, 0));
    assert!(!folder.0.join("data").exists(), "nothing is created");
}

#[test]
fn what_it_cannot_do_is_said() {
    let folder = Folder::new();
    fs::write(folder.0.join("torn.xml"), "<?xml version=\"1.0\"?><topology").unwrap();
    for (words, status, expected) in [
        (&["--synthetic", "nonsense"][..], 2, "it must be what hwloc's lstopo reads or writes"),
        (&["--xml", "absent.xml"], 2, "No such file"),
        (&["--xml", "torn.xml"], 2, "it must be what hwloc's lstopo reads or writes"),
        (&["--allowed", "1"], 2, "--allowed is about another machine"),
        (&["--synthetic", "PU:2", "--allowed", "7"], 2, "none of the processors [7]"),
        (&["--svg", "absent/picture.svg"], 2, "absent/picture.svg cannot be written"),
        (&["absent.cfg"], 2, "absent.cfg"),
        (&["--set", "ring.shards=many"], 2, "ring.shards"),
    ] {
        let (text, found) = topology(&folder, words);
        assert!(found == status && text.contains(expected), "{words:?}: {found} {text}");
    }
}
