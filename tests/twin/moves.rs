//! Servers of both ensembles that end and return, and the clients that this moves.

use super::play::Pair;
use super::request::{Call, Path};
use super::side::Side;

impl Pair {
    /// Waits until the servers of each side agree.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        self.stock.settle().map_err(|text| format!("  stock\n{text}"))?;
        self.ours.settle().map_err(|text| format!("  ours\n{text}"))
    }

    /// Each server of an ensemble that runs has a client that stays with it.
    pub(super) fn link_probes(&mut self) -> Result<(), String> {
        if !self.stock.is_ensemble() {
            return Ok(());
        }
        for side in [&mut self.stock, &mut self.ours] {
            side.standing(true);
        }
        for slot in self.stock.probes() {
            self.link(slot)?;
        }
        // An epoch's first txn, after which all servers show the same zxid again.
        let path = Path::Fixed("/none".to_owned());
        let first = self.stock.probes()[0];
        self.ask(first, &[Call::Delete { path, version: -1 }])?;
        self.both(|side| side.standing(false))
    }

    /// One server of each ensemble ends, the same one; one at a time is down.
    pub(super) fn down(&mut self, at: usize, kill: bool) -> Result<(), String> {
        if self.stock.running().len() < self.stock.servers.len() {
            return Ok(());
        }
        self.at_once(|side| side.down(at, kill))?;
        self.link_probes()
    }

    /// The server that is down returns.
    pub(super) fn up(&mut self) -> Result<(), String> {
        let Some(at) = self.stock.servers.iter().position(|server| !server.is_running()) else {
            return Ok(());
        };
        self.at_once(|side| side.up(at))?;
        self.link_probes()
    }

    /// As `both`, for what takes long.
    fn at_once(&mut self, act: impl Fn(&mut Side) -> Vec<String> + Sync) -> Result<(), String> {
        let (stock, ours) = (&mut self.stock, &mut self.ours);
        let (stock, ours) = std::thread::scope(|scope| {
            let stock = scope.spawn(|| act(stock));
            let ours = act(ours);
            (stock.join().expect("the reference serves"), ours)
        });
        super::play::compare(&stock, &ours)
    }
}
