//! Names of sequential nodes where the parent's counter ends: at 2,147,483,647, and below zero.
//!
//! A test cannot create two billion children, so the parents come from a snapshot made here, in
//! `ZooKeeper`'s format. `fixtures/overflow.txt` is what Apache `ZooKeeper` answered; it is
//! compared with ours, and with `ZooKeeper` again where that runs (`make reference`).

use std::fmt::{Debug, Write as _};
use std::fs;
use std::path::Path;

use harness::{Acl, Client, Op, OpResult, Server, Stat, is_reference};

use super::craft::{self, Node};
use super::fixtures::fixture;
use super::tree::config;
use super::{Folder, run, word};

/// The last txn of the snapshot.
const ZXID: i64 = 0x100;
/// Two creates before the last possible number.
const NEAR_TOP: i32 = i32::MAX - 2;
const EPHEMERAL: i32 = 1;
const SEQUENTIAL: i32 = 2;
const TTL_SEQUENTIAL: i32 = 6;

/// Parents with the numbers that their next sequential child gets.
const PARENTS: [(&str, i32); 9] = [
    ("/apart", NEAR_TOP),
    ("/below", -3),
    ("/bottom", i32::MIN),
    ("/both", NEAR_TOP),
    ("/deleted", NEAR_TOP),
    ("/kinds", NEAR_TOP),
    ("/multi", NEAR_TOP),
    ("/multi-below", -3),
    ("/top", i32::MAX),
];

/// Writes a data directory with such parents, as `ZooKeeper` would have it.
fn craft(data: &Path) {
    let nodes = PARENTS.map(|(path, cversion)| Node { cversion, ..Node::new(path, b"") });
    craft::snapshot(data, ZXID, &nodes);
}

/// Imports the snapshot, which has no log.
fn import_alone(from: &Path, to: &Path) {
    let said = run(&["import", word(from), "--to", word(to), "--without-log"]);
    assert!(said.is_success, "{said:?}");
}

/// What clients receive, one line per request: one request after another, so that timing has no
/// influence.
struct Play {
    client: Client,
    text: String,
}

impl Play {
    fn line(&mut self, what: &str, answer: &dyn Debug) {
        writeln!(self.text, "{what}: {answer:?}").unwrap();
    }

    fn create(&mut self, path: &str, flags: i32) {
        let answer = self.client.create(path, b"", &Acl::open(), flags);
        self.line(&format!("create {path} {flags}"), &answer);
        self.parent(path);
    }

    fn multi(&mut self, ops: &[Op<'_>]) {
        let answer = self.client.multi(ops).map(|results| {
            let shown = |result| match result {
                OpResult::Create2(path, stat) => format!("Create2({path}, {})", counts(&stat)),
                OpResult::Set(stat) => format!("Set({})", counts(&stat)),
                other => format!("{other:?}"),
            };
            results.into_iter().map(shown).collect::<Vec<_>>()
        });
        self.line("multi", &answer);
    }

    /// The Stat of the node above `path`, without its times.
    fn parent(&mut self, path: &str) {
        let parent = &path[..path.rfind('/').unwrap()];
        let stat = self.client.exists(parent, false).map(|stat| counts(&stat));
        self.line(&format!("  {parent}"), &stat);
    }

    fn all(&mut self) {
        for (parent, _) in PARENTS {
            let (names, stat) = self.client.children2(parent, false).unwrap();
            self.line(&format!("children of {parent}"), &(names, counts(&stat)));
        }
    }
}

fn counts(stat: &Stat) -> String {
    let Stat { czxid, mzxid, pzxid, version, cversion, aversion, num_children, .. } = stat;
    format!(
        "zxids {czxid:x} {mzxid:x} {pzxid:x} versions {version} {cversion} {aversion} \
         children {num_children}"
    )
}

/// Creates across every end of the number range, with every kind of create.
fn play(server: &mut Server) -> String {
    let client = Client::connect(server.address());
    let mut play = Play { client, text: String::new() };
    play.all();
    for parent in ["/apart", "/below", "/top", "/bottom"] {
        for _ in 0..5 {
            play.create(&format!("{parent}/n-"), SEQUENTIAL);
        }
        play.create(&format!("{parent}/plain"), 0);
        play.create(&format!("{parent}/plain"), 0);
        play.create(&format!("{parent}/other-"), SEQUENTIAL);
    }
    kinds(&mut play);
    deleted(&mut play);
    multis(&mut play);
    play.all();
    play.client.close();
    // The log replays to the same state.
    server.restart();
    play.client = Client::connect(server.address());
    play.all();
    for (parent, _) in PARENTS {
        play.create(&format!("{parent}/again-"), SEQUENTIAL);
    }
    play.client.close();
    play.text
}

fn kinds(play: &mut Play) {
    play.create("/kinds/e-", EPHEMERAL | SEQUENTIAL);
    let answer = play.client.create2("/kinds/c2-", b"", &Acl::open(), SEQUENTIAL);
    play.line("create2", &answer.map(|(path, stat)| (path, counts(&stat))));
    let answer = play.client.create_ttl("/kinds/ttl-", b"", TTL_SEQUENTIAL, 1 << 36);
    play.line("createTTL", &answer.map(|(path, stat)| (path, counts(&stat))));
    play.parent("/kinds/");
    let answer = play.client.create_container("/kinds/container", 4);
    play.line("createContainer", &answer.map(|(path, stat)| (path, counts(&stat))));
    play.create("/kinds/e-", EPHEMERAL | SEQUENTIAL);
}

fn deleted(play: &mut Play) {
    for round in 0..5 {
        play.create("/deleted/n-", SEQUENTIAL);
        let path = format!("/deleted/n-{:010}", NEAR_TOP.saturating_add(round));
        let answer = play.client.delete(&path, -1);
        play.line(&format!("delete {path}"), &answer);
        play.parent(&path);
    }
}

fn multis(play: &mut Play) {
    let create = |path| Op::create(path, b"", SEQUENTIAL);
    let create2 = |path| Op::Create2 { path, data: b"", acl: Acl::open(), flags: SEQUENTIAL };
    let failing = Op::Delete { path: "/none", version: -1 };
    for path in ["/multi/n-", "/multi-below/n-"] {
        play.multi(&[create(path), create(path), create(path), create(path), failing.clone()]);
        play.parent(path);
        play.multi(&[create(path), create2(path), create(path), create(path), create(path)]);
        play.parent(path);
        play.multi(&[create(path), create(path)]);
        play.parent(path);
        play.create(path, SEQUENTIAL);
    }
    // A multi that changes the parent between its creates, and one that deletes what it made.
    let set = Op::Set { path: "/both", data: b"x", version: -1 };
    let n = "/both/n-";
    play.multi(&[create(n), create(n), create(n), set, create(n), create(n)]);
    play.parent(n);
    let made = "/both/m-2147483647";
    let delete = Op::Delete { path: made, version: -1 };
    play.multi(&[create("/both/m-"), delete, create("/both/m-"), create("/both/m-")]);
    play.parent(n);
}

fn recorded() -> String {
    fs::read_to_string(fixture("overflow.txt")).unwrap_or_default()
}

/// Compares line by line, so that the first difference is what is shown.
fn assert_as_recorded(text: &str) {
    let recorded = recorded();
    for (at, (found, expected)) in text.lines().zip(recorded.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of overflow.txt", at + 1);
    }
    assert_eq!(text.lines().count(), recorded.lines().count());
}

#[test]
fn sequences_overflow_as_recorded() {
    let folder = Folder::new();
    craft(&folder.join("from"));
    import_alone(&folder.join("from"), &folder.join("to"));
    let mut ours = config().ours().data(&folder.join("to")).start();
    assert_as_recorded(&play(&mut ours));
}

#[test]
fn the_reference_answers_as_recorded() {
    if !is_reference() {
        return;
    }
    let folder = Folder::new();
    craft(&folder.join("from"));
    let mut stock = config().data(&folder.join("from")).start();
    let text = play(&mut stock);
    if let Some(to) = std::env::var_os("CONVERT_FIXTURES_TO") {
        fs::write(Path::new(&to).join("overflow.txt"), text).unwrap();
        return;
    }
    assert_as_recorded(&text);
}
