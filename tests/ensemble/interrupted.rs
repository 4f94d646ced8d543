//! A change of the ensemble that ends between two of its steps: in a server's files, or before its
//! leader knows that it is committed.

use super::changing::{Change, changeable};
use super::{Ensemble, Seat};
use harness::{Client, Server, opcode};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The file in the data that says which lines the configuration file has had.
const MARK: &str = "data/ringkeeper-1/servers";

/// The configuration files of a server, and the mark.
type Files = BTreeMap<String, Vec<u8>>;

fn files(folder: &Path) -> Files {
    let beside = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
    let names = beside.map(|name| name.into_string().unwrap());
    let names = names.filter(|name| name.starts_with("zoo.cfg"));
    let names = names.chain([MARK.to_owned()]).filter(|name| folder.join(name).exists());
    names.map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

fn put(folder: &Path, state: &Files) {
    for name in files(folder).keys() {
        fs::remove_file(folder.join(name)).unwrap();
    }
    for (name, bytes) in state {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

fn started(ensemble: &mut Ensemble) -> String {
    ensemble.servers.iter_mut().for_each(Server::launch);
    ensemble.await_service();
    ensemble.assert_configured(3);
    ensemble.configuration(0).rsplit_once("version=").unwrap().1.to_owned()
}

/// What is on a server's disk after each step of taking a change over, from its files before and
/// after; `.next` is not in them.
fn steps(before: &Files, after: &Files, versions: [&str; 2]) -> Vec<Files> {
    let [old, new] = versions.map(|version| format!("zoo.cfg.dynamic.{version}"));
    let mut proposed = after[&new].clone();
    proposed.extend_from_slice(format!("\nversion={}", versions[1]).as_bytes());
    let whole = |name: &str| (name.to_owned(), after[name].clone());
    let half =
        |name: &str, bytes: &[u8]| (format!("{name}.tmp"), bytes[..bytes.len() / 2].to_vec());
    let next = "zoo.cfg.dynamic.next";
    let mut state = before.clone();
    assert!(state.contains_key(&old) && !state.contains_key(&new));
    let mut states = vec![state.clone()];
    for (unfinished, done) in [
        (half(next, &proposed), (next.to_owned(), proposed.clone())),
        (half(&new, &after[&new]), whole(&new)),
        (half("zoo.cfg", &after["zoo.cfg"]), whole("zoo.cfg")),
        (half(MARK, &after[MARK]), whole(MARK)),
    ] {
        let mut torn = state.clone();
        torn.extend([unfinished]);
        state.extend([done]);
        states.extend([torn, state.clone()]);
    }
    states
}

#[test]
fn a_server_comes_back_from_between_any_two_files_of_a_change() {
    let mut ensemble = Ensemble::prepare_some(&[Seat::Voter; 4], 3, |_, it| changeable(it));
    let old = started(&mut ensemble);
    let folder = ensemble.servers[0].folder().to_owned();
    let before = files(&folder);
    ensemble.change(1, &Change::adding(ensemble.line(3, Seat::Voter)));
    ensemble.assert_configured(4);
    let new = ensemble.configuration(0).rsplit_once("version=").unwrap().1.to_owned();
    ensemble.servers[0].kill();
    let after = files(&folder);
    for state in steps(&before, &after, [&old, &new]) {
        put(&folder, &state);
        ensemble.servers[0].launch();
        ensemble.servers[0].await_service();
        ensemble.assert_configured(4);
        ensemble.servers[0].kill();
        let expected: Vec<&String> = after.keys().collect();
        let found = files(&folder);
        let is_left = |name: &&String| Path::new(name).extension().is_none_or(|it| it != "tmp");
        assert_eq!(found.keys().filter(is_left).collect::<Vec<_>>(), expected);
        assert_eq!(found[MARK], after[MARK]);
    }
}

#[test]
fn a_change_that_others_have_counts_though_its_leader_has_gone() {
    let mut ensemble = Ensemble::prepare_some(&[Seat::Voter; 4], 3, |_, config| {
        changeable(config).set("syncLimit", "4")
    });
    started(&mut ensemble);
    let leader = ensemble.leader();
    let others: Vec<usize> = (0..3).filter(|at| *at != leader).collect();
    let mut client = Client::connect(ensemble.address(leader));
    others.iter().chain([&3]).for_each(|at| ensemble.servers[*at].pause());
    client.post(opcode::RECONFIG, &Change::adding(ensemble.line(3, Seat::Voter)).body());
    // It is proposed: on the leader's disk, and on its way to the others.
    let next = ensemble.servers[leader].folder().join("zoo.cfg.dynamic.next");
    ensemble.until(|| next.exists());
    ensemble.servers[leader].pause();
    others.iter().chain([&3]).for_each(|at| ensemble.servers[*at].resume());
    let other = others[0];
    ensemble
        .until(|| ensemble.servers[other].try_word("srvr").is_some_and(|it| it.contains("Mode: ")));
    ensemble.servers[leader].kill();
    ensemble.servers[leader].launch();
    ensemble.await_service();
    ensemble.assert_configured(4);
    ensemble.assert_equal();
}

#[test]
fn a_change_that_only_its_leader_has_never_was() {
    let mut ensemble = Ensemble::prepare_some(&[Seat::Voter; 4], 3, |_, it| changeable(it));
    let old = started(&mut ensemble);
    let leader = ensemble.leader();
    let mut client = Client::connect(ensemble.address(leader));
    let others = || (0..4).filter(|at| *at != leader);
    others().for_each(|at| ensemble.servers[at].pause());
    client.post(opcode::RECONFIG, &Change::adding(ensemble.line(3, Seat::Voter)).body());
    let next = ensemble.servers[leader].folder().join("zoo.cfg.dynamic.next");
    ensemble.until(|| next.exists());
    ensemble.servers[leader].kill();
    for at in others().filter(|at| *at != 3) {
        ensemble.servers[at].kill();
        ensemble.servers[at].launch();
    }
    ensemble.servers[3].resume();
    ensemble.await_service();
    // Nobody but the dead leader has it: it never was.
    ensemble.assert_configured(3);
    assert!(ensemble.configuration((leader + 1) % 3).ends_with(&old));
    ensemble.servers[leader].launch();
    ensemble.await_service();
    ensemble.assert_configured(3);
    assert!(!next.exists(), "it is forgotten");
    ensemble.change(leader, &Change::adding(ensemble.line(3, Seat::Voter)));
    ensemble.assert_configured(4);
    ensemble.assert_equal();
}
