//! Profiles: what is decided about this machine, files of one's own, and what is refused.

use super::Folder;
use harness::Server;
use harness::server::our_binary;
use std::fs;
use std::process::Command;

/// What it prints, and its status.
fn run(folder: &Folder, words: &[&str]) -> (String, i32) {
    let done = Command::new(our_binary()).current_dir(&folder.0).args(words).output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    (text.into_owned(), done.status.code().expect("it ended by itself"))
}

#[test]
fn what_is_decided_here_is_a_file_that_can_be_used() {
    let folder = Folder::new();
    let (text, status) = run(&folder, &["profile"]);
    assert_eq!(status, 0, "{text}");
    for part in ["for the machine", "[loops.spin-us]", "why = \""] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0, "nothing is left");
    fs::write(folder.0.join("mine.toml"), &text).unwrap();
    let (again, status) = run(&folder, &["profile", "--set", "ring.profile=mine.toml"]);
    assert_eq!(status, 0, "{again}");
    assert!(again.starts_with("# this-machine; then "), "{again}");
    let (shown, status) = run(&folder, &["profile", "--show", "mine.toml"]);
    assert!(status == 0 && text.ends_with(&shown), "{shown}\n{text}");
}

#[test]
fn those_of_the_program_are_listed_and_shown() {
    let folder = Folder::new();
    let (list, status) = run(&folder, &["profile", "--list"]);
    assert!(status == 0 && list.lines().count() == 11, "{list}");
    for line in list.lines() {
        let name = line.split(' ').next().unwrap();
        let (text, status) = run(&folder, &["profile", "--show", name]);
        assert!(status == 0 && text.contains(&format!("name = \"{name}\"")), "{text}");
    }
}

#[test]
fn a_profile_decides_how_the_server_runs() {
    let folder = Folder::new();
    let file = folder.0.join("mine.toml");
    let mine = "version = 1\nname = \"mine\"\n[log.durability]\nvalue = \"flush\"\n\
                [ring.entries]\nvalue = 256\n[ring.completions]\nvalue = 512\n";
    fs::write(&file, mine).unwrap();
    let path = file.to_str().unwrap();
    let mut server = Server::config().ours().set("ring.profile", path).start();
    let log = server.log();
    assert!(log.contains("profile: mine; then "), "{log}");
    assert!(log.contains("256 submission and 512 completion entries"), "{log}");
    assert!(log.contains("writes of the log share flushes"), "{log}");
    server.stop();
    // What is configured goes before it.
    server.set("ring.log.durability", "dsync");
    server.start_again();
    assert!(
        server.log().contains("each write of the log is durable by itself"),
        "{}",
        server.log()
    );
    server.stop();
    // One that was made on another machine is not used.
    let other = "[machine]\nprocessor = \"Z80\"\nprocessors = 1\ndisk = \"tape\"\n\
                 file-system = \"cpm\"\n";
    fs::write(&file, format!("{mine}{other}")).unwrap();
    server.start_again();
    let log = server.log();
    assert!(log.contains("was made on another machine (1 x Z80, cpm on tape)"), "{log}");
    assert!(log.contains("1024 submission"), "{log}");
    let set = format!("ring.profile={}", file.display());
    let (said, _) = run(&folder, &["topology", "--set", &set]);
    assert!(said.starts_with("# the profile mine was made on another machine"), "{said}");
    let (said, _) = run(&folder, &["tune", "check", "--set", &set]);
    assert!(said.contains("the profile mine was made on another machine"), "{said}");
}

#[test]
fn what_is_no_profile_is_refused_with_its_line() {
    let folder = Folder::new();
    for (text, line, expected) in [
        ("version = 1\nname = \"x\"\n[log.slot]\nvalue = 3\n", 3, "there is no slot"),
        ("version = 1\nname = \"x\"\n[log.slots]\nvalue = 99\n", 4, "from 1 to 8"),
        ("version = 7\n", 1, "of a later program"),
        ("version = 1\nname = \"x\"\nlog.slots.value = \n", 3, ""),
    ] {
        fs::write(folder.0.join("bad.toml"), text).unwrap();
        for words in [
            &["profile", "--show", "bad.toml"][..],
            &["profile", "--set", "ring.profile=bad.toml"],
            &["topology", "--set", "ring.profile=bad.toml"],
            &["tune", "check", "--set", "ring.profile=bad.toml"],
            &["serve", "--set", "ring.profile=bad.toml", "--set", "clientPort=0"],
        ] {
            let (said, status) = run(&folder, words);
            let place = format!("the profile bad.toml, line {line}: ");
            assert!(status == 2 && said.contains(&place) && said.contains(expected), "{said}");
        }
    }
    let (said, status) = run(&folder, &["profile", "--set", "ring.profile=a.toml,b.toml"]);
    assert!(status == 2 && said.contains("the profile a.toml,b.toml cannot be read"), "{said}");
}

#[test]
fn a_probe_makes_one_that_this_machine_uses() {
    let folder = Folder::new();
    let words = ["probe", ".", "--seconds", "1", "--profile", "measured.toml"];
    let (said, status) = run(&folder, &words);
    assert_eq!(status, 0, "{said}");
    let text = fs::read_to_string(folder.0.join("measured.toml")).unwrap();
    for part in ["[machine]", "[log.slots]", "[log.batch-kib]", "measured = \""] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    let words = ["profile", "--set", "ring.profile=measured.toml", "--set", "dataDir=."];
    let (shown, status) = run(&folder, &words);
    assert!(status == 0 && shown.starts_with("# measured; then "), "{shown}");
}
