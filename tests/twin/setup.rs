//! How the servers of a seed are set up, and their start.

use harness::{Config, Server, own_command, reference_command};

use super::stream::SUPER_DIGEST;
use crate::ensemble::Seat;
use crate::mixed::{Make, Mixed};

/// Servers of an ensemble.
pub(super) const SERVERS: usize = 3;

/// What differs from seed to seed; identical for both sides, except for what only ours has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Fused,
    Shards,
    Quotas,
    SmallSnapshots,
}

/// The two sides' servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) kind: Kind,
    /// Whose servers are compared with an ensemble of stock's; `None` compares single servers.
    pub(super) ensemble: Option<[Make; SERVERS]>,
}

impl Setup {
    /// Consecutive seeds share servers, so a setup lasts for some of them.
    pub(super) fn of(seed: u64) -> Self {
        let kind = match seed / super::SEEDS_PER_PAIR % 4 {
            0 => Kind::Fused,
            1 => Kind::Shards,
            2 => Kind::Quotas,
            _ => Kind::SmallSnapshots,
        };
        Self { kind, ensemble: None }
    }

    /// The same with three servers. `mix` is `ours` for three of ours, `mixed` for two of ours and
    /// one of stock's, `stock` to see whether stock's own answers are deterministic.
    pub(super) fn of_ensemble(seed: u64, mix: &str) -> Self {
        let mut makes = [Make::Ours; SERVERS];
        match mix {
            "ours" => {}
            "stock" => makes = [Make::Stock; SERVERS],
            "mixed" => makes[(seed / super::SEEDS_PER_PAIR) as usize % SERVERS] = Make::Stock,
            other => panic!("TWIN_MIX={other} is none of ours, mixed, stock"),
        }
        Self { ensemble: Some(makes), ..Self::of(seed) }
    }

    /// Fresh servers of both sides, stock's first.
    pub(super) fn start(self) -> (Vec<Server>, Vec<Server>) {
        let Some(makes) = self.ensemble else {
            let stock = std::thread::spawn(move || {
                self.configure(Server::config()).command(reference_command()).start()
            });
            let ours = self.configure(Server::config()).command(own_command()).start();
            return (vec![stock.join().expect("the reference starts")], vec![ours]);
        };
        let stock = std::thread::spawn(move || self.start_ensemble([Make::Stock; SERVERS]));
        let ours = self.start_ensemble(makes);
        (stock.join().expect("the reference starts"), ours)
    }

    /// The last of the servers leads.
    fn start_ensemble(self, makes: [Make; SERVERS]) -> Vec<Server> {
        let parts = makes.map(|make| (make, Seat::Voter));
        let mut mixed = Mixed::prepare(&parts, |config| {
            self.configure(config).set("initLimit", "100").set("syncLimit", "50")
        });
        let from_last: Vec<_> = (0..SERVERS).rev().collect();
        mixed.launch(&from_last);
        mixed.ensemble.servers
    }

    fn configure(self, config: Config) -> Config {
        let config = config
            .set("tickTime", if self.ensemble.is_some() { "200" } else { "100" })
            .set("minSessionTimeout", "200")
            .set("maxSessionTimeout", "600000")
            .set("snapCount", if self.kind == Kind::SmallSnapshots { "60" } else { "100000" })
            // Stock ignores it.
            .set("ring.shards", if self.kind == Kind::Fused { "1" } else { "4" })
            .property("znode.container.checkIntervalMs=100000000")
            .property(&format!(
                "zookeeper.DigestAuthenticationProvider.superDigest={SUPER_DIGEST}"
            ));
        if self.ensemble.is_none() {
            return self.enforce(config.set("initLimit", "5"));
        }
        self.enforce(config)
    }

    fn enforce(self, config: Config) -> Config {
        if self.kind == Kind::Quotas {
            return config.property("zookeeper.enforceQuota=true");
        }
        config
    }
}
