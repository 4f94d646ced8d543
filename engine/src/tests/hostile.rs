//! Whole shards and the ordering role under packets that no well-behaved client sends.
//!
//! After each seed: every packet sent is well formed, healthy clients are answered, and what the
//! log was given replays onto a fresh tree to the same digest.
//!
//! `RINGKEEPER_FUZZ_SEEDS=first..end` runs other seeds than the few fixed ones.

#![allow(clippy::disallowed_methods, reason = "the environment selects the seeds to run")]

#[path = "../../../tests/hostile/bytes.rs"]
mod bytes;

use super::harness::{World, settings};
use crate::settings::Settings;
use bytes::Dice;
use model::op::Op;
use model::session::ExtendedTypes;
use std::io::Write as _;
use std::ops::Range;

const PACKETS: usize = 1_500;
const CLIENTS: usize = 8;

fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("RINGKEEPER_FUZZ_SEEDS") else { return 0..40 };
    let (first, end) = text.split_once("..").expect("first..end");
    first.parse().unwrap()..end.parse().unwrap()
}

struct Hostile {
    world: World,
    dice: Dice,
    /// The connections in use, and the session of each once it is known.
    open: Vec<(usize, i64, [u8; 16])>,
}

impl Hostile {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let extended_types = ExtendedTypes { enabled: true, emulate_353: false };
        let settings = Settings { extended_types, txn_digest: true, ..settings() };
        let world = World::new(settings, dice.of(&[1, 2]));
        Self { world, dice, open: Vec::new() }
    }

    /// A new connection; mostly with a session of its own, sometimes with another's.
    fn connect(&mut self) {
        let shard = self.dice.below(self.world.shards.len()) as u16;
        let connection = self.world.open(shard);
        let (mut session, mut password) = (0, [0; 16]);
        if self.dice.once_in(4)
            && let Some(&(_, id, of_id)) = self.open.first()
        {
            (session, password) = (id, of_id);
        }
        let mut packet = bytes::connect(4_000, session, &password);
        if self.dice.once_in(10) {
            bytes::mutate(&mut self.dice, &mut packet);
        }
        self.world.send_packet(connection, packet);
        self.world.run();
        if let Some(welcome) = self.world.receive(connection).first()
            && welcome.len() >= 36
        {
            session = i64::from_be_bytes(welcome[8..16].try_into().unwrap());
            password = welcome[20..36].try_into().unwrap();
        }
        self.open.push((connection, session, password));
    }

    fn step(&mut self, xid: i32) {
        self.open.retain(|(connection, ..)| self.world.connections[*connection].is_open);
        while self.open.len() < CLIENTS {
            self.connect();
        }
        let at = self.dice.below(CLIENTS);
        let connection = self.open[at].0;
        let mut packet = bytes::request(&mut self.dice, xid);
        if self.dice.once_in(2) {
            bytes::mutate(&mut self.dice, &mut packet);
        }
        for _ in 0..if self.dice.once_in(40) { 20 } else { 1 } {
            self.world.send_packet(connection, packet.clone());
        }
        match self.dice.below(60) {
            0 => self.world.drop_socket(connection),
            1 => self.world.pass(5_000),
            2 => self.world.is_held = !self.world.is_held,
            3..30 => (),
            _ => self.world.run(),
        }
        if self.dice.once_in(10) {
            for at in 0..self.open.len() {
                for packet in self.world.receive(self.open[at].0) {
                    assert!(packet.len() >= 16, "a packet without a header: {packet:?}");
                }
            }
        }
    }

    /// A well-behaved client is served, and the log is that of the tree.
    fn check(&mut self) {
        self.world.is_held = false;
        self.world.run();
        let healthy = self.world.open(0);
        self.world.connect(healthy, 9_000, 0, [0; 16], 0);
        self.world.run();
        assert_eq!(self.world.receive(healthy).len(), 1, "a healthy client was not accepted");
        self.world.send(healthy, 1, Op::WhoAmI, b"");
        self.world.run();
        let reply = self.world.receive(healthy).remove(0);
        assert_eq!(reply[12..16], [0; 4], "a healthy client was not answered: {reply:?}");
        let replayed = self.world.replayed();
        assert_eq!(replayed.tree.digest(), self.world.ordering().head.tree.digest());
    }
}

#[test]
fn hostile_packets_change_nothing_for_others() {
    for seed in seeds() {
        let mut hostile = Hostile::new(seed);
        for xid in 0..PACKETS {
            hostile.step(xid as i32);
        }
        hostile.check();
        if seed % 100 == 99 && std::env::var("RINGKEEPER_FUZZ_SEEDS").is_ok() {
            let count = (seed + 1 - seeds().start) * PACKETS as u64;
            writeln!(std::io::stderr(), "through seed {seed}, {count} steps").unwrap();
        }
    }
}
