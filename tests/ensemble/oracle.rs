//! Two servers, of which an oracle lets one go on without the other.
//!
//! Played by servers of ours here, and by one of `ZooKeeper`'s and one of ours in `tests/mixed`.

use super::{Ensemble, PATIENCE, Seat};
use harness::client::create_body;
use harness::{Acl, Client, Config, opcode};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

impl Ensemble {
    /// Two servers with oracles, which do not run yet.
    pub(crate) fn with_oracles(configure: impl Fn(usize, Config) -> Config) -> Self {
        let mut ensemble = Self::prepare(&[Seat::Voter; 2], configure);
        for server in &mut ensemble.servers {
            let path = server.folder().join("oracle");
            server.set("oraclePath", path.to_str().expect("the temporary folder has a plain name"));
        }
        ensemble
    }

    /// A server's oracle says this from now on.
    pub(crate) fn oracle(&self, at: usize, text: &str) {
        let folder = self.servers[at].folder();
        fs::write(folder.join("oracle.new"), text).unwrap();
        fs::rename(folder.join("oracle.new"), folder.join("oracle")).unwrap();
    }

    /// Waits until a server that runs has no leader.
    fn await_end_of_service(&self, at: usize) {
        let end = Instant::now() + PATIENCE;
        let is_without = |text: &str| text.contains(NOT_SERVING);
        while !self.servers[at].try_word("srvr").is_some_and(|text| is_without(&text)) {
            assert!(Instant::now() < end, "server {at} still serves");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn await_log(&self, at: usize, part: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.servers[at].log().contains(part) {
            assert!(Instant::now() < end, "{part} is not in\n{}", self.servers[at].log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The second server goes on without the first, then the first without the second; each is joined
/// by the other one again, and has lost nothing.
pub(crate) fn each_goes_on_alone(ensemble: &mut Ensemble, says_no: Option<&str>) {
    ensemble.oracle(0, "0\n");
    ensemble.oracle(1, "1\n");
    for at in [1, 0] {
        ensemble.servers[at].launch();
    }
    ensemble.await_service();
    assert_eq!(ensemble.leader(), 1);
    let mut client = Client::connect(ensemble.address(1));
    client.make("/together");
    // The follower takes nothing any more, and is gone then.
    ensemble.servers[0].pause();
    let pending = client.post(opcode::CREATE, &create_body("/pending", b"", &Acl::open(), 0));
    ensemble.servers[0].kill();
    assert_eq!(client.reply(pending).err, 0, "the oracle permits it");
    client.make("/alone");
    client.sync("/").unwrap();
    ensemble.servers[0].launch();
    ensemble.await_service();
    client.make("/together-again");
    ensemble.assert_equal();
    client.hang_up();

    ensemble.servers[1].kill();
    ensemble.await_end_of_service(0);
    if let Some(says_no) = says_no {
        ensemble.await_log(0, says_no);
    }
    assert!(ensemble.servers[0].word("srvr").contains(NOT_SERVING), "its oracle says no");
    ensemble.oracle(0, "1");
    ensemble.await_service();
    assert_eq!(ensemble.leader(), 0);
    let mut client = Client::connect(ensemble.address(0));
    for path in ["/together", "/pending", "/alone", "/together-again"] {
        client.exists(path, false).unwrap();
    }
    client.make("/the-other-alone");
    ensemble.oracle(1, "0");
    ensemble.servers[1].launch();
    ensemble.await_service();
    client.make("/together-at-last");
    assert_eq!(ensemble.leader(), 0);
    ensemble.assert_equal();
    client.close();
}

#[test]
fn the_server_goes_on_whose_oracle_says_so() {
    let mut ensemble = Ensemble::with_oracles(|_, config| config);
    each_goes_on_alone(&mut ensemble, Some("does not let this server decide"));
}

/// A leader whose oracle says no, or nothing, gives up when its follower has left.
#[test]
fn a_leader_gives_up_whose_oracle_says_no() {
    let mut ensemble = Ensemble::with_oracles(|_, config| config);
    ensemble.oracle(1, "yes");
    ensemble.servers.iter_mut().for_each(harness::Server::launch);
    ensemble.await_service();
    let leader = ensemble.leader();
    let mut client = Client::connect(ensemble.address(leader));
    ensemble.servers[1 - leader].kill();
    client.assert_closed();
    ensemble.await_end_of_service(leader);
    let says = if leader == 1 { "begins with 'y'" } else { "cannot be read" };
    ensemble.await_log(leader, says);
    ensemble.servers[1 - leader].launch();
    ensemble.await_service();
    ensemble.assert_equal();
}
