//! The servers of a side: which of them run, and what they show of themselves.
//!
//! Each server of an ensemble has a probe, a client that stays with it. After every step all probes
//! ask until their servers show the same zxid: then every watch that the step fires has fired, on
//! every server, and the next step does not depend on timing.

use std::fmt::Write as _;
use std::time::Instant;

use harness::client::frame;
use harness::{Body, opcode};

use super::reply::Frame;
use super::request::{Call, Path, Sequentials};
use super::side::{CONDITION_MAX, Link, Side, wait_until};
use super::stream::SLOTS;

/// The slot of the first server's probe.
pub(super) const PROBES: usize = SLOTS + 1;

impl Side {
    /// The newest zxid of a server.
    pub(super) fn zxid(&self, at: usize) -> i64 {
        let text = self.servers[at].word("srvr");
        let (_, rest) = text.split_once("\nZxid: 0x").expect("srvr reports the zxid");
        i64::from_str_radix(rest.lines().next().expect("a line"), 16).expect("hexadecimal")
    }

    /// What each server that runs says of itself: its part, and its newest zxid. The one of a
    /// leader that has not had its first txn (`is_first_due`) is left out: stock's shows the last
    /// epoch's or, soon after it has begun to serve, the new epoch with the counter 0
    /// (`Leader.startZkServer`).
    pub(super) fn standing(&mut self, is_first_due: bool) -> Vec<String> {
        let mut lines = Vec::new();
        for at in self.running() {
            let mode = mode(&self.servers[at]);
            if mode == "leader" {
                self.leader = at;
            }
            let zxid = self.zxid(at);
            let zxid = match mode.as_str() {
                "leader" if is_first_due => "unknown".to_owned(),
                _ => self.names.zxid(zxid),
            };
            lines.push(format!("server {} {mode} zxid {zxid}", at + 1));
        }
        lines
    }

    pub(super) fn running(&self) -> Vec<usize> {
        (0..self.servers.len()).filter(|at| self.servers[*at].is_running()).collect()
    }

    /// The server that a client connects to: its own, or the next one that runs.
    pub(super) fn reachable(&self, slot: usize) -> usize {
        let own = self.clients[slot].at;
        let turns = (own..self.servers.len()).chain(0..own);
        turns.into_iter().find(|at| self.servers[*at].is_running()).expect("a server runs")
    }

    /// The probes of the servers that run.
    pub(super) fn probes(&self) -> Vec<usize> {
        self.running().into_iter().map(|at| PROBES + at).collect()
    }

    /// Waits until every server has applied what any of them has taken. `Err`: they never agree.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        if !self.is_ensemble() {
            return Ok(());
        }
        let probes = self.probes();
        // A sync follows what its server has sent to the leader, also for closed connections.
        self.ask_all(&probes, &sync());
        let end = Instant::now() + CONDITION_MAX;
        loop {
            self.ask_all(&probes, &Call::Bare { kind: opcode::PING });
            let seen: Vec<_> = probes.iter().map(|slot| self.clients[*slot].seen).collect();
            if seen.iter().all(|zxid| *zxid == seen[0]) {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("  the servers never agree: {seen:x?}\n"));
            }
        }
    }

    /// What the clients of followers receive until a sync is answered: all of the events of writes
    /// that were acknowledged before, wherever.
    pub(super) fn synced(&mut self) -> Vec<String> {
        let is_follower = |slot: &usize| {
            let link = self.clients[*slot].link.as_ref();
            link.is_some_and(|link| link.at != self.leader)
        };
        let slots: Vec<_> = (0..self.clients.len()).filter(is_follower).collect();
        self.received_until(&sync(), slots.into_iter())
    }

    fn ask_all(&mut self, probes: &[usize], call: &Call) {
        for slot in probes {
            self.send(*slot, std::slice::from_ref(call), &Sequentials::new());
        }
        for slot in probes {
            let lines = self.answers(*slot).lines;
            assert!(
                self.is_linked(*slot),
                "the probe in slot {slot} lost its connection: {lines:?}, {call:?}"
            );
        }
    }

    /// Kills or stops the servers and restarts them; every connection is lost.
    pub(super) fn restart(&mut self, kill: bool) {
        for slot in 0..self.clients.len() {
            self.hang_up(slot);
        }
        for server in &mut self.servers {
            if kill {
                server.kill();
            } else {
                server.stop();
            }
            server.start_again();
        }
    }

    /// Ends one server of an ensemble and waits until the others serve. If it led, what the other
    /// clients' connections still receive.
    pub(super) fn down(&mut self, at: usize, kill: bool) -> Vec<String> {
        let led = mode(&self.servers[at]) == "leader";
        for slot in 0..self.clients.len() {
            if self.clients[slot].link.as_ref().is_some_and(|link| link.at == at) {
                self.hang_up(slot);
            }
        }
        if kill {
            self.servers[at].kill();
        } else {
            self.servers[at].stop();
        }
        if !led {
            return self.standing(false);
        }
        let mut lines = Vec::new();
        for slot in 0..self.clients.len() {
            let Some(mut link) = self.clients[slot].link.take() else { continue };
            lines.push(format!("client {slot}: {:?}", link.read()));
        }
        assert!(wait_until(|| self.is_whole()), "no other server leads");
        lines.extend(self.standing(true));
        lines
    }

    /// Starts the server that does not run and waits until it serves.
    pub(super) fn up(&mut self, at: usize) -> Vec<String> {
        self.servers[at].start_again();
        assert!(wait_until(|| self.is_whole()), "the server never serves");
        self.standing(false)
    }

    /// Whether one server leads and the others that run follow.
    fn is_whole(&self) -> bool {
        let modes: Vec<_> = self.running().into_iter().map(|at| mode(&self.servers[at])).collect();
        modes.iter().all(|mode| ["leader", "follower"].contains(&mode.as_str()))
            && modes.iter().filter(|mode| *mode == "leader").count() == 1
    }

    /// Lines of `mntr` of each server.
    pub(super) fn monitored(&self, names: &[&str]) -> Vec<String> {
        let mut lines = Vec::new();
        for server in &self.servers {
            let text = server.word("mntr");
            for name in names {
                let found = text.lines().find(|line| line.split('\t').next() == Some(name));
                lines.push(found.unwrap_or(name).to_owned());
            }
        }
        lines
    }

    /// What the connection of a session still answers that has moved to another server: a read,
    /// then a write.
    pub(super) fn ask_stale(&mut self, mut old: Link) -> String {
        let mut line = String::new();
        let read = Body::new().string("/").boolean(false);
        let write = Body::new().string("/none").int(-1);
        for (kind, body) in [(opcode::EXISTS, read), (opcode::DELETE, write)] {
            let head = Body::new().int(old.next_xid).int(kind);
            old.write(&frame(&head.raw(&body.0).0));
            old.next_xid += 1;
            loop {
                let Ok(bytes) = old.read().map_err(|end| {
                    write!(line, ", the old connection {end:?}").expect("a string takes all");
                }) else {
                    return line;
                };
                let frame = Frame::decode(&bytes, Some(kind), &mut self.names);
                write!(line, ", the old connection {}", frame.text).expect("a string takes all");
                if !frame.is_event {
                    break;
                }
            }
        }
        line
    }
}

fn sync() -> Call {
    Call::Named { kind: opcode::SYNC, path: Path::Fixed("/".to_owned()) }
}

fn mode(server: &harness::Server) -> String {
    let text = server.try_word("srvr").unwrap_or_default();
    let (_, rest) = text.split_once("Mode: ").unwrap_or_default();
    rest.lines().next().unwrap_or_default().to_owned()
}
