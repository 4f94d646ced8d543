//! Servers with several addresses, the first of which is dead: nothing answers there, and they
//! cannot listen there either.
//!
//! Played by servers of ours here, and by some of `ZooKeeper`'s and some of ours in `tests/mixed`.

use super::{Ensemble, Seat};
use harness::{Client, Config};

/// An address that no machine has (RFC 3849): nothing answers, or it is known that nothing could.
const SILENT: &str = "[2001:db8::1]";

/// A multicast group's: no connection can be opened to it.
pub(crate) const UNREACHABLE: &str = "224.0.0.9";

impl Ensemble {
    /// Three servers at two addresses each, which do not run yet.
    pub(crate) fn at_two_addresses(
        dead: &str,
        configure: impl Fn(usize, Config) -> Config,
    ) -> Self {
        let mut ensemble = Self::prepare(&[Seat::Voter; 3], configure);
        for server in &mut ensemble.servers {
            server.set_property("zookeeper.multiAddress.enabled=true");
            server.set("multiAddress.reachabilityCheckTimeoutMs", "200");
            for (at, (quorum, election)) in ensemble.ports.iter().enumerate() {
                let line = format!("{dead}:{quorum}:{election}|127.0.0.2:{quorum}:{election}");
                server.set(&format!("server.{}", at + 1), &line);
            }
        }
        ensemble
    }
}

/// They elect, write, lose their leader, and elect again.
pub(crate) fn work_at_living_addresses(ensemble: &mut Ensemble) {
    for at in [2, 1, 0] {
        ensemble.servers[at].launch();
    }
    ensemble.await_service();
    let write = |ensemble: &Ensemble, name: &str, servers: &[usize]| {
        for at in servers {
            let mut client = Client::connect(ensemble.address(*at));
            client.make(&format!("/{name}-{at}"));
            client.close();
        }
    };
    write(ensemble, "all", &[0, 1, 2]);
    let mut client = Client::connect(ensemble.address(0));
    let (text, _) = client.get("/zookeeper/config", false).unwrap();
    let text = String::from_utf8(text.unwrap()).unwrap();
    for (quorum, election) in &ensemble.ports {
        // In the order of their names, as ZooKeeper writes them.
        assert!(text.contains(&format!("=127.0.0.2:{quorum}:{election}|")), "{text}");
    }
    client.close();
    let leader = ensemble.leader();
    ensemble.servers[leader].kill();
    let others: Vec<_> = (0..3).filter(|at| *at != leader).collect();
    assert_ne!(ensemble.leader(), leader);
    ensemble.await_service();
    write(ensemble, "two", &others);
    ensemble.servers[leader].launch();
    ensemble.await_service();
    write(ensemble, "again", &[0, 1, 2]);
    ensemble.assert_equal();
}

#[test]
fn servers_find_each_other_at_the_addresses_that_live() {
    let mut ensemble = Ensemble::at_two_addresses(SILENT, |_, config| config);
    work_at_living_addresses(&mut ensemble);
    let log = ensemble.servers[0].log();
    assert!(log.contains("other servers cannot connect to that address"), "{log}");
}

/// Several addresses are refused where they are not enabled, as by `ZooKeeper`.
#[test]
fn several_addresses_are_refused_without_the_property() {
    let mut config = harness::Server::config().set("initLimit", "5").set("syncLimit", "5");
    for number in 1..=3 {
        let line = format!("127.0.0.1:{0}:{1}|127.0.0.2:{0}:{1}", 2_000 + number, 3_000 + number);
        config = config.set(&format!("server.{number}"), &line);
    }
    // The line of the file alone does not count for this.
    let refused = config.set("multiAddress.enabled", "true").try_start().map(drop).unwrap_err();
    assert!(harness::is_reference() || refused.contains("a server has one address"), "{refused}");
}
