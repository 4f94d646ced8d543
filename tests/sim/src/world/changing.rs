//! Worlds whose ensemble changes while its servers run.
//!
//! Leaders propose configurations: servers become voters or observers, are removed, come back, or
//! are reached elsewhere, so that another one has to lead. Two places more than there are voters
//! at first begin outside of the configuration.
//!
//! Each server has a file with the configuration that is in force there. It is written behind
//! agreement, so a crash may have kept it from that: then what counts is in the history.

use super::{Happening, World, server_id};
use crate::Place;
use crate::checks::Violation;
use crate::disk::Stored;
use engine::in_log::InLog;
use engine::zab::{Configuration, Event, Standing};
use fastrand::Rng;
use model::op::Op;
use model::peer::membership::Role;
use model::server::ServerId;
use model::session::SessionId;
use model::txn::{Txn, TxnHeader};
use model::zxid::Zxid;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Places that begin outside of the configuration.
pub(super) const OUTSIDE: usize = 2;

/// There are changes until then, in us. A server without a vote that finds no leader asks ever more
/// rarely; it must have found one at the end.
const CHANGES_US: u64 = 38_000_000;

/// The port of servers at first.
const PORT: u16 = 2_000;

/// The configurations of a world.
#[derive(Debug, Default)]
pub(super) struct Changing {
    /// Whether there are changes at all.
    pub(super) is_on: bool,
    /// All that were proposed, by their txns.
    proposed: BTreeMap<Zxid, Arc<Configuration>>,
    /// What each server's file has.
    files: BTreeMap<Place, Arc<Configuration>>,
}

/// What a server starts with.
pub(super) struct Start {
    pub(super) current: Arc<Configuration>,
    pub(super) proposed: Vec<(Zxid, Arc<Configuration>)>,
}

/// A server's part: whether it observes, and its port.
type Part = (bool, u16);

impl Changing {
    /// None yet; there will be some or not.
    pub(super) fn new(is_on: bool) -> Self {
        Self { is_on, ..Self::default() }
    }

    /// From a server's file and its history, of which this much is known to be committed.
    pub(super) fn start(&self, place: Place, stored: &Stored, first: &Configuration) -> Start {
        let committed = stored.committed.min(stored.end().zxid);
        let of_file = self.files.get(&place).cloned().unwrap_or_else(|| Arc::new(first.clone()));
        let mut start = Start { current: of_file, proposed: Vec::new() };
        let changed = stored.at(committed).changed;
        if let Some(newer) = self.proposed.get(&changed)
            && newer.version() > start.current.version()
        {
            if changed <= committed {
                start.current = newer.clone();
            } else {
                start.proposed.push((changed, newer.clone()));
            }
        }
        let behind = stored.records.iter().map(|(state, _)| state.zxid);
        let behind = behind.filter(|zxid| *zxid > committed);
        start.proposed.extend(behind.filter_map(|it| Some((it, self.proposed.get(&it)?.clone()))));
        start
    }
}

impl World {
    /// A configuration is in force on a server.
    pub(super) fn configured(&mut self, place: Place, current: Arc<Configuration>) {
        if self.rng.u32(0..4) > 0 {
            self.changing.files.insert(place, current);
        }
    }

    /// A leader proposes another configuration, if it may.
    pub(super) fn change(&mut self) -> Result<(), Violation> {
        if self.now_us < CHANGES_US {
            let delay_us = self.rng.u64(100_000..3_000_000);
            self.at(delay_us, Happening::Change);
        }
        let count = self.servers.len() as i64;
        for place in 0..self.servers.len() {
            let now_us = self.now_us;
            let server = &mut self.servers[place];
            if server.paused_until_us > now_us {
                continue;
            }
            let Some(running) = &mut server.running else { continue };
            let Some((epoch, counter)) = running.leads else { continue };
            let zab = running.zab();
            if zab.ensemble().next.is_some() || zab.room() == 0 {
                continue;
            }
            let zxid = Zxid(Zxid::of_epoch(epoch).0 + i64::from(counter) + 1);
            let current = zab.ensemble().current.clone();
            let next = drawn(&mut self.rng, &current, count).with_version(zxid.0);
            let running = self.servers[place].running.as_mut().expect("it runs");
            let synced = running.zab().learners().filter(|it| !it.is_observer);
            let synced = synced.filter(|it| it.held().is_some()).filter_map(|it| it.id).collect();
            let standing = Standing { me: server_id(place), current, next: None, synced };
            if !standing.is_synced(&next) {
                continue;
            }
            running.leads = Some((epoch, counter + 1));
            running.asked.push_back(zxid);
            self.log(|| format!("{} proposes {next:?} as {zxid}", place + 1));
            let mut txns = InLog::default();
            txns.push(zxid, &txn(zxid, &next));
            self.changing.proposed.insert(zxid, Arc::new(next));
            self.report.changes += 1;
            self.event(place, Event::Sealed(Arc::new(txns)))?;
        }
        Ok(())
    }
}

fn txn(zxid: Zxid, next: &Configuration) -> Vec<u8> {
    let header = TxnHeader { session: SessionId(0), cxid: 0, zxid, time_ms: 0, op: Op::Reconfig };
    let mut bytes = Vec::new();
    header.encode(&mut bytes);
    let path = b"/zookeeper/config";
    Txn::SetData { path, data: Some(next.text()), version: -1 }.encode(&mut bytes);
    bytes
}

/// One server's part is another one, or those of many are.
fn drawn(rng: &mut Rng, current: &Configuration, servers: i64) -> Configuration {
    let members = current.membership().members().iter();
    let mut parts: BTreeMap<i64, Part> = members
        .map(|(id, it)| (id.0, (it.role == Role::Observer, it.addresses()[0].quorum_port)))
        .collect();
    // Quorums of configurations that differ by one server meet by themselves: often they differ by
    // more, and each server may get another part.
    let changes = if rng.bool() { 1 } else { servers };
    for at in 1..=changes {
        let id = if changes == 1 { rng.i64(1..=servers) } else { at };
        let (_, port) = parts.get(&id).copied().unwrap_or((false, PORT));
        match rng.u32(0..8) {
            // As before.
            7 if changes > 1 => (),
            0..4 if changes > 1 => drop(parts.remove(&id)),
            0..2 => drop(parts.remove(&id)),
            2 => drop(parts.insert(id, (true, port))),
            3 => drop(parts.insert(id, (false, port + 1))),
            _ => drop(parts.insert(id, (false, port))),
        }
    }
    if parts.values().all(|(is_observer, _)| *is_observer) {
        parts.insert(rng.i64(1..=servers), (false, PORT));
    }
    let line = |(id, (is_observer, port)): (&i64, &Part)| {
        let role = if *is_observer { "observer" } else { "participant" };
        format!("server.{id}=s{id}:{port}:1000:{role};2181\n")
    };
    let text: String = parts.iter().map(line).collect();
    Configuration::parse(text.as_bytes()).expect("well-formed")
}

/// The first configuration.
pub(super) fn first(voters: usize) -> Configuration {
    let line = |place| format!("server.{0}=s{0}:{PORT}:1000;2181\n", server_id(place).0);
    let text: String = (0..voters).map(line).collect();
    Configuration::parse(text.as_bytes()).expect("well-formed")
}

/// The servers that vote and observe when a world begins, where its configuration does not change.
pub(super) fn unchanged(voters: usize, observers: impl Iterator<Item = ServerId>) -> Configuration {
    let line =
        |(id, role): (ServerId, &str)| format!("server.{0}=s{0}:{PORT}:1000:{role};2181\n", id.0);
    let voters = (0..voters).map(|place| (server_id(place), "participant"));
    let text: String = voters.chain(observers.map(|id| (id, "observer"))).map(line).collect();
    Configuration::parse(text.as_bytes()).expect("well-formed")
}
