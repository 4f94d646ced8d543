//! Observer masters, as an observer sees them: which server it learns from.
//!
//! Where followers serve observers (`observerMasterPort`), an observer asks the voters in turn, in
//! an order of its own, so that observers spread over them. Not the leader, which serves no
//! observers at that port; one that leads alone is asked as if there were none.
//!
//! The leader itself, at its own port, is asked when each of the voters was asked in vain: while a
//! configuration is proposed, no epoch may begin without the promises of its voters, who may be
//! observers yet, and no follower serves before that. One that knows that it votes in the proposed
//! configuration asks the leader at once.
//!
//! Source: ZooKeeper 3.9.5, `QuorumPeer.nextObserverMaster`, which shuffles, and tries the leader,
//! too. Lives in: [`Zab`](super::Zab).

use super::ensemble::Ensemble;
use model::server::ServerId;

/// Whose turn it is.
#[derive(Debug, Default)]
pub struct Masters {
    /// The voters of the configuration of this version, in this server's order.
    order: Vec<ServerId>,
    version: Option<i64>,
    next: usize,
    /// How many were asked since one has served this observer.
    asked: usize,
}

impl Masters {
    /// The next one to learn from, while `leader` leads; `None` for the leader itself.
    pub fn next(&mut self, ensemble: &Ensemble, leader: ServerId) -> Option<ServerId> {
        let is_needed = ensemble.is_known_voter(ensemble.me);
        if !ensemble.has_masters || !ensemble.is_observer() || is_needed {
            return None;
        }
        if self.version != Some(ensemble.current.version()) {
            self.version = Some(ensemble.current.version());
            self.order = ensemble.current.quorum().voters().collect();
            self.order.sort_by_key(|id| place_of(ensemble.me, *id));
            self.next = 0;
        }
        let others = self.order.iter().filter(|it| **it != leader).count();
        if self.asked >= others {
            self.asked = 0;
            return None;
        }
        self.asked += 1;
        loop {
            let master = self.order[self.next % self.order.len()];
            self.next = (self.next + 1) % self.order.len();
            if master != leader {
                return Some(master);
            }
        }
    }

    /// This server is up to date with the one that it learns from.
    pub fn served(&mut self) {
        self.asked = 0;
    }
}

/// Where a master comes in an observer's order: by a number that looks drawn, and is always the
/// same (splitmix64).
fn place_of(me: ServerId, master: ServerId) -> u64 {
    let mut it = (me.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ master.0 as u64;
    it = it.wrapping_add(0x9e37_79b9_7f4a_7c15);
    it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    it ^ (it >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zab::Configuration;

    fn observing(me: i64) -> Ensemble {
        let text = "server.1=a:1:2;3\nserver.2=b:1:2;3\nserver.3=c:1:2;3\n\
                    server.9=o:1:2:observer;3\nserver.0=o:2:3:observer;4\n";
        let current = Configuration::parse(text.as_bytes()).unwrap();
        Ensemble { has_masters: true, ..Ensemble::new(ServerId(me), current) }
    }

    #[test]
    fn every_voter_but_the_leader_has_its_turn() {
        for me in [0, 9] {
            let ensemble = observing(me);
            let mut masters = Masters::default();
            let mut turn = || {
                let asked = masters.next(&ensemble, ServerId(2)).map(|id| id.0);
                masters.served();
                asked
            };
            let mut turns = [turn(), turn(), turn(), turn()];
            assert_eq!(turns[..2], turns[2..]);
            turns.sort_unstable();
            assert_eq!(turns, [1, 1, 3, 3].map(Some));
        }
    }

    #[test]
    fn the_leader_has_its_turn_when_all_voters_were_asked_in_vain() {
        let ensemble = observing(9);
        let mut masters = Masters::default();
        let turns = [(); 6].map(|()| masters.next(&ensemble, ServerId(2)).is_some());
        assert_eq!(turns, [true, true, false, true, true, false]);
    }

    #[test]
    fn voters_and_those_without_masters_learn_from_the_leader() {
        let mut masters = Masters::default();
        let off = Ensemble { has_masters: false, ..observing(9) };
        assert_eq!(masters.next(&off, ServerId(2)), None);
        assert_eq!(masters.next(&observing(1), ServerId(2)), None);
        let alone = Configuration::parse(b"server.1=a:1:2;3\nserver.9=o:1:2:observer;3\n").unwrap();
        let alone = Ensemble { has_masters: true, ..Ensemble::new(ServerId(9), alone) };
        assert_eq!(masters.next(&alone, ServerId(1)), None);
    }
}
