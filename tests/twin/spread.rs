//! A stream for an ensemble: that of the seed, its clients spread over the servers and moved
//! between them, and a server that is down for a part of it.
//!
//! Restarts of all servers and the collection of containers are left to single servers.

use fastrand::Rng;
use harness::{Acl, opcode};

use super::draw::Draw;
use super::request::Call;
use super::setup::SERVERS;
use super::stream::{self, Return, SLOTS, Step};

/// The steps of a seed, with about so many requests.
pub(super) fn draw(seed: u64, requests: usize) -> Vec<Step> {
    let plain: Vec<_> = stream::draw(seed, requests)
        .into_iter()
        .filter(|step| !matches!(step, Step::Restart { .. } | Step::Reap))
        .collect();
    let mut draw = Draw { rng: Rng::with_seed(!seed), steps: Vec::new(), has_quotas: false };
    let downs = draw.rng.u32(0..100) < 60;
    let down_at = draw.rng.usize(0..plain.len());
    let up_at = down_at + draw.rng.usize(0..8);
    for slot in 0..SLOTS {
        draw.place(slot);
    }
    for (number, mut step) in plain.into_iter().enumerate() {
        if let Step::Requests { calls, .. } = &mut step {
            calls.iter_mut().for_each(keep_decodable);
        }
        if downs && number == down_at {
            let (at, kill) = (draw.rng.usize(0..SERVERS), draw.rng.bool());
            draw.steps.push(Step::Down { at, kill });
        }
        match &step {
            Step::Open { slot, .. } | Step::Return { slot, .. } | Step::HangUp { slot } => {
                draw.place(*slot);
            }
            _ if draw.one_in(8) => draw.move_one(),
            _ => {}
        }
        draw.steps.push(step);
        if downs && number == up_at {
            draw.steps.push(Step::Up);
        }
    }
    draw.steps
}

impl Draw {
    fn place(&mut self, slot: usize) {
        let at = self.rng.usize(0..SERVERS);
        self.steps.push(Step::Place { slot, at });
    }

    /// A client takes its session to another server, and its watches.
    fn move_one(&mut self) {
        let slot = self.slot();
        self.place(slot);
        let how = Return {
            hang_up: !self.one_in(3),
            wrong_password: false,
            read_only: Some(false),
            timeout_ms: 300_000,
        };
        self.steps.push(Step::Return { slot, how });
        if self.one_in(2) {
            let call = self.set_watches();
            self.steps.push(Step::Requests { slot, calls: vec![call] });
        }
    }
}

/// A write that stock's leader cannot decode is proposed under the zxid of the one before, which
/// has been committed or will be: nothing is committed any more (`PrepRequestProcessor`'s
/// `pRequestHelper`, where there is no header yet; `Leader.tryToCommit`). A multi that ends too
/// early has a zxid of its own, but not one whose create has no list of ACLs.
fn keep_decodable(call: &mut Call) {
    match call {
        Call::Cut { call: whole, .. } => {
            keep_decodable(whole);
            if whole.is_write() && whole.kind() != opcode::MULTI {
                *call = (**whole).clone();
            }
        }
        Call::Multi { calls, .. } => {
            for call in calls {
                if let Call::Create { acl: acl @ None, .. } = call {
                    *acl = Some(Acl::open());
                }
            }
        }
        _ => {}
    }
}
