//! `ringkeeper reconfig`: an ensemble is changed from a shell, and what would fail is said before.

use super::changing::changeable;
use super::{Ensemble, Seat};
use harness::Server;
use harness::server::our_binary;
use std::process::Command;

/// What the command prints, on both outputs, and its status.
pub(crate) fn reconfig(ensemble: &Ensemble, through: &[usize], words: &[&str]) -> (String, i32) {
    let addresses = through.iter().map(|at| ensemble.address(*at).to_string());
    let addresses: Vec<_> = addresses.collect();
    let done = Command::new(our_binary())
        .args(["reconfig", &addresses.join(",")])
        .args(words)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    (text.into_owned(), done.status.code().expect("it ended by itself"))
}

const SUPER: [&str; 2] = ["--auth", "digest:super:test"];

fn with_superuser(config: harness::Config) -> harness::Config {
    changeable(config).without("skipACL").property(
        // The password of super:test.
        "zookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
    )
}

#[test]
fn an_ensemble_is_changed_from_a_shell() {
    let mut ensemble = Ensemble::prepare_some(&[Seat::Voter; 4], 3, |_, it| with_superuser(it));
    ensemble.servers[..3].iter_mut().for_each(Server::launch);
    ensemble.await_service();
    ensemble.assert_configured(3);
    let before = ensemble.configuration(0);
    let absent = ensemble.line(3, Seat::Voter);
    let said = |words: &[&str], status: i32, expected: &[&str]| {
        let words = [&SUPER[..], words].concat();
        let (text, found) = reconfig(&ensemble, &[1, 0, 2], &words);
        assert_eq!(found, status, "{words:?}: {text}");
        for line in expected {
            assert!(text.contains(line), "{words:?}: {line:?} is not in\n{text}");
        }
    };
    // Without a change: how it is.
    said(&[], 0, &["server.1=", "(leader)", "(follower)"]);
    said(
        &["--add", &absent, "--dry-run"],
        0,
        &["+ server.4=", "note: server 4 could not be asked", "4 voters", "Nothing is in the way"],
    );
    let no_quorum = "in the way: no quorum of the new configuration follows the leader: start \
                     server 4 first";
    said(&["--remove", "1,2,3", "--add", &absent], 1, &[no_quorum, "NewConfigNoQuorum"]);
    said(&["--remove", "1,2,3"], 1, &["in the way: nobody would vote (BadArguments)"]);
    said(&["--remove", "x"], 1, &["\"x\" is not the number of a server"]);
    said(&["--add", "server.4=a:1:2"], 1, &["add ;clientPort"]);
    said(&["--from-version", "7", "--remove", "3"], 1, &["and not 7", "BadVersion"]);
    said(&["--from-version", "y", "--remove", "3"], 2, &["must be a hexadecimal number"]);
    let leader = (ensemble.leader() + 1).to_string();
    said(
        &["--remove", &leader, "--dry-run"],
        0,
        &["another one takes over", "2 of 2 voters run", "goes on, without a vote"],
    );
    let (text, status) = reconfig(&ensemble, &[0], &["--remove", "3"]);
    assert!(status == 1 && text.contains("in the way: this client may not write"), "{text}");
    assert_eq!(ensemble.configuration(0), before, "nothing has changed");
    ensemble.servers[3].launch();
    ensemble.servers[3].await_service();
    let words = [&SUPER[..], &["--add", &absent]].concat();
    let (text, status) = reconfig(&ensemble, &[0, 1, 2], &words);
    assert!(status == 0 && text.contains("The configuration is now:\nserver.1="), "{text}");
    ensemble.assert_configured(4);
    let file = ensemble.servers[0].folder().join("lines");
    std::fs::write(&file, before.rsplit_once('\n').unwrap().0).unwrap();
    let words = [&SUPER[..], &["--members", file.to_str().unwrap()]].concat();
    let (text, status) = reconfig(&ensemble, &[1, 2, 0], &words);
    assert_eq!(status, 0, "{text}");
    ensemble.assert_configured(3);
}

#[test]
fn servers_that_take_no_changes_say_so() {
    let mut ensemble = Ensemble::start(3, |config| config);
    let (text, status) = reconfig(&ensemble, &[0], &["--remove", "3", "--dry-run"]);
    assert!(status == 1 && text.contains("in the way: the leader takes no changes"), "{text}");
    ensemble.servers.iter_mut().for_each(Server::kill);
    let (text, status) = reconfig(&ensemble, &[0, 1], &[]);
    assert!(status == 1 && text.contains("gives this client a session"), "{text}");
    let alone = Server::config().start();
    let words = ["reconfig", &alone.address().to_string()];
    let done = Command::new(our_binary()).args(words).output().unwrap();
    let text = String::from_utf8_lossy(&done.stderr);
    assert!(text.contains("has no configuration in /zookeeper/config"), "{text}");
}
