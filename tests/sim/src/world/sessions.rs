//! Clients of whole servers, and their connections.

use super::{CLIENTS_US, END_US, FAULTS_US, Happening, World};
use crate::Place;
use crate::checks::Violation;
use crate::whole::chronicle::{Chronicle, Expired};
use crate::whole::client::{Client, Connection, Granted, Said};
use crate::whole::image::Image;
use crate::whole::request::{Ask, connect};
use crate::whole::{ToClient, WireId};
use engine::settings::LocalSessions;
use model::jute::JuteReader;
use model::record::NodeRecord;
use model::session::SessionId;
use model::zxid::Zxid;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Which way something travels between a client and a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the server.
    Up,
    /// To the client.
    Down,
}

/// What travels: packets, or the end.
#[derive(Debug)]
enum Travelling {
    Packet(Vec<u8>),
    ForClient(ToClient),
    End,
}

/// A connection on its way.
#[derive(Debug)]
struct Wire {
    client: usize,
    place: Place,
    boot: u32,
    up: VecDeque<Travelling>,
    down: VecDeque<Travelling>,
    /// What is sent after its client has left it.
    late: Vec<Vec<u8>>,
    /// Nothing arrives before what was sent earlier.
    earliest_us: [u64; 2],
}

/// What clients have and know.
#[derive(Default)]
pub(super) struct Service {
    pub(super) clients: Vec<Client>,
    wires: BTreeMap<WireId, Wire>,
    next_wire: u64,
    pub(super) chronicle: Chronicle,
    /// Trees, by the hash of the history that leads to them.
    pub(super) images: BTreeMap<u64, Arc<Image>>,
    acknowledged: Zxid,
}

/// Requests that a client sends before it waits.
const WAITING_MAX: usize = 6;

impl World {
    pub(super) fn begin_clients(&mut self) {
        self.service.chronicle.has_local = self.setup.local_sessions() != LocalSessions::Off;
        for client in 0..self.rng.usize(3..7) {
            self.service.clients.push(Client::new(client % 2 == 1));
            let delay_us = self.rng.u64(500_000..2_000_000);
            self.at(delay_us, Happening::Client(client));
        }
    }

    /// A client does something, and waits for a while.
    pub(super) fn client_acts(&mut self, index: usize) {
        let delay_us = match self.rng.u32(0..20) {
            0 => self.rng.u64(50_000..800_000),
            _ => self.rng.u64(1_000..60_000),
        };
        self.at(delay_us, Happening::Client(index));
        let client = &self.service.clients[index];
        if client.silent_until_us > self.now_us {
            return;
        }
        let timeout_us = client.session.as_ref().map_or(6_000_000, |it| it.timeout_ms * 1_000);
        match client.connection {
            Connection::None => self.connect_client(index),
            Connection::Asked(wire, since_us) => {
                if self.now_us > since_us + 1_500_000 {
                    self.hang_up(index, wire);
                }
            }
            Connection::Open(wire) => {
                let is_waiting = client.waiting() > 0;
                let quiet_us = self.now_us - client.received_us.max(client.active_us);
                let idle_us = self.now_us - client.sent_us;
                if is_waiting && quiet_us > timeout_us * 2 / 3 {
                    self.hang_up(index, wire);
                } else if idle_us > timeout_us / 3 {
                    self.ask(index, wire, Ask::Ping);
                } else if self.now_us < CLIENTS_US {
                    self.client_works(index, wire);
                }
            }
        }
    }

    fn client_works(&mut self, index: usize, wire: WireId) {
        let client = &self.service.clients[index];
        if client.waiting() >= WAITING_MAX || client.is_closing() {
            return;
        }
        match self.rng.u32(0..400) {
            0..4 => self.move_client(index, wire),
            4..6 => self.hang_up(index, wire),
            6..8 => self.ask(index, wire, Ask::Close),
            8 if self.now_us < FAULTS_US => {
                let ms = self.rng.u64(1_000..14_000);
                self.service.clients[index].silent_until_us = self.now_us + ms * 1_000;
            }
            _ => {
                for _ in 0..self.rng.u32(0..4) {
                    let ask = self.draw_ask();
                    self.ask(index, wire, ask);
                }
            }
        }
    }

    fn draw_path(&mut self) -> String {
        let parent = self.rng.u32(0..4);
        if self.rng.bool() {
            format!("/p{parent}")
        } else {
            format!("/p{parent}/c{}", self.rng.u32(0..5))
        }
    }

    fn draw_write(&mut self) -> Ask {
        let path = self.draw_path();
        match self.rng.u32(0..20) {
            0..5 => Ask::Create { path, flags: 0 },
            5..8 => Ask::Create { path, flags: 1 },
            8 => Ask::Create { path: format!("/p0/s{}-", self.rng.u32(0..2)), flags: 3 },
            9..12 => Ask::Delete(path),
            _ => Ask::Set(path, self.rng.u64(..)),
        }
    }

    fn draw_ask(&mut self) -> Ask {
        let path = self.draw_path();
        match self.rng.u32(0..20) {
            0..7 => self.draw_write(),
            7..9 => Ask::Multi((0..self.rng.u32(1..4)).map(|_| self.draw_write()).collect()),
            9..11 => Ask::Sync,
            11..14 => Ask::Get(path, self.rng.bool()),
            14..17 => Ask::Exists(path, self.rng.bool()),
            17..19 => Ask::Children(path),
            _ => Ask::Ping,
        }
    }

    fn ask(&mut self, index: usize, wire: WireId, ask: Ask) {
        self.log(|| format!("client {index} asks {ask:?}"));
        let Service { clients, acknowledged, .. } = &mut self.service;
        let acknowledged = *acknowledged;
        let packet = clients[index].ask(ask, self.now_us, acknowledged);
        self.send_up(wire, Travelling::Packet(packet));
    }

    /// A client closes its connection.
    fn hang_up(&mut self, index: usize, wire: WireId) {
        self.log(|| format!("client {index} closes its connection"));
        self.service.clients[index].disconnected();
        self.send_up(wire, Travelling::End);
    }

    /// A client connects elsewhere while its connection is still open; what it has sent last over
    /// that may come too late.
    fn move_client(&mut self, index: usize, wire: WireId) {
        self.log(|| format!("client {index} moves"));
        let soon = self.rng.u32(0..3);
        for at in 0..soon + self.rng.u32(0..3) {
            let ask = self.draw_write();
            let packet = self.service.clients[index].ask_elsewhere(&ask);
            if at < soon {
                self.send_up(wire, Travelling::Packet(packet));
            } else if let Some(wire) = self.service.wires.get_mut(&wire) {
                wire.late.push(packet);
            }
        }
        self.service.clients[index].disconnected();
        self.connect_client(index);
        let delay_us = self.rng.u64(0..2_000_000);
        self.at(delay_us, Happening::Abandon(wire));
    }

    /// A connection that its client has left is closed.
    pub(super) fn abandon(&mut self, wire: WireId) {
        let late = self.service.wires.get_mut(&wire).map(|it| std::mem::take(&mut it.late));
        for packet in late.unwrap_or_default() {
            self.send_up(wire, Travelling::Packet(packet));
        }
        self.send_up(wire, Travelling::End);
    }

    fn connect_client(&mut self, index: usize) {
        let place = self.rng.usize(0..self.servers.len());
        let timeout_ms = self.rng.i32(3_000..9_000);
        let boot = self.servers[place].boot;
        let now = self.now_of(place);
        if self.servers[place].paused_until_us > self.now_us {
            return;
        }
        let wire = WireId(self.service.next_wire);
        let Some(whole) = self.whole(place) else { return };
        whole.open(wire, now);
        self.service.next_wire += 1;
        let (up, down, late) = (VecDeque::new(), VecDeque::new(), Vec::new());
        let earliest_us = [0; 2];
        let client = index;
        self.service.wires.insert(wire, Wire { client, place, boot, up, down, late, earliest_us });
        let client = &mut self.service.clients[index];
        client.connection = Connection::Asked(wire, self.now_us);
        let (session, password) =
            client.session.as_ref().map_or((0, [0; 16]), |it| (it.id, it.password));
        let packet =
            connect(client.seen, timeout_ms, SessionId(session), &password, client.is_content);
        self.log(|| format!("client {index} connects to {} with session {session:#x}", place + 1));
        self.send_up(wire, Travelling::Packet(packet));
    }

    fn send_up(&mut self, wire: WireId, what: Travelling) {
        self.travel(wire, Way::Up, what);
    }

    pub(super) fn send_to_client(&mut self, wire: WireId, what: ToClient) {
        self.travel(wire, Way::Down, Travelling::ForClient(what));
    }

    fn travel(&mut self, id: WireId, way: Way, what: Travelling) {
        let (delay_us, now_us) = (self.latency_us(), self.now_us);
        let Some(wire) = self.service.wires.get_mut(&id) else { return };
        let earliest_us = &mut wire.earliest_us[way as usize];
        let at_us = (now_us + delay_us).max(*earliest_us);
        *earliest_us = at_us;
        match way {
            Way::Up => wire.up.push_back(what),
            Way::Down => wire.down.push_back(what),
        }
        self.at(at_us - now_us, Happening::Travelled(id, way));
    }

    /// What was sent over a connection arrives.
    pub(super) fn travelled(&mut self, id: WireId, way: Way) -> Result<(), Violation> {
        let Some(wire) = self.service.wires.get_mut(&id) else { return Ok(()) };
        let (client, place, boot) = (wire.client, wire.place, wire.boot);
        match way {
            Way::Up => {
                let again = Happening::Travelled(id, way);
                if !self.is_there(place, boot, &again) {
                    return Ok(());
                }
                let Some(wire) = self.service.wires.get_mut(&id) else { return Ok(()) };
                let packet = match wire.up.pop_front() {
                    Some(Travelling::Packet(packet)) => Some(packet),
                    _ => None,
                };
                if let Some(whole) = self.whole(place) {
                    whole.arrive(id, packet);
                }
                self.begin_turn(place);
                Ok(())
            }
            Way::Down => {
                let first = wire.down.pop_front();
                if let Some(Travelling::ForClient(ToClient::Bytes(bytes))) = first {
                    return self.client_receives(client, id, &bytes);
                }
                self.service.wires.remove(&id);
                self.client_is_cut(client, id);
                Ok(())
            }
        }
    }

    fn client_is_cut(&mut self, index: usize, id: WireId) {
        let client = &mut self.service.clients[index];
        match client.connection {
            Connection::Open(wire) | Connection::Asked(wire, _) if wire == id => {
                client.disconnected();
                self.log(|| format!("client {index} has lost its connection"));
            }
            _ => (),
        }
    }

    /// A server has lost its power: its clients' connections break, each a while later.
    pub(super) fn cut_wires(&mut self, place: Place) {
        let of_place = self.service.wires.iter().filter(|(_, it)| it.place == place);
        let ids: Vec<_> = of_place.map(|(id, _)| *id).collect();
        for id in ids {
            self.travel(id, Way::Down, Travelling::End);
        }
    }

    fn client_receives(&mut self, index: usize, id: WireId, bytes: &[u8]) -> Result<(), Violation> {
        for packet in packets(bytes) {
            match self.service.clients[index].connection {
                Connection::Asked(wire, asked_us) if wire == id => {
                    self.connected(index, id, packet, asked_us)?;
                }
                Connection::Open(wire) if wire == id => {
                    let Service { clients, chronicle, .. } = &mut self.service;
                    let said = clients[index].receive(packet, self.now_us, chronicle);
                    let misled = |(what, zxid)| Violation::Misled { client: index, zxid, what };
                    let said = said.map_err(misled)?;
                    self.log(|| format!("client {index} receives {said:?}, {packet:?}"));
                    self.conclude(index, id, said);
                }
                // It has left this connection.
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    fn conclude(&mut self, index: usize, id: WireId, said: Said) {
        match said {
            Said::Nothing => (),
            Said::Fired => self.report.fired += 1,
            Said::Refused => self.report.refused += 1,
            Said::Done(zxid) => {
                let last = &mut self.service.acknowledged;
                *last = zxid.max(*last);
                if let Some(entry) = self.service.chronicle.entry(zxid) {
                    self.checks.acknowledged(entry.state);
                }
            }
            Said::Ended => {
                self.service.clients[index].disconnected();
                self.service.clients[index].forget_session();
                self.send_up(id, Travelling::End);
            }
        }
    }

    /// A server answers a client's connect, of this time.
    fn connected(
        &mut self,
        index: usize,
        id: WireId,
        packet: &[u8],
        asked_us: u64,
    ) -> Result<(), Violation> {
        let misled = |what| Violation::Misled { client: index, zxid: Zxid::ZERO, what };
        let mut reader = JuteReader::new(packet);
        let answer = reader.int().and_then(|_| Ok((reader.int()?, reader.long()?)));
        let (timeout_ms, session) = answer.map_err(|_| misled("a malformed answer"))?;
        let password = reader.buffer().ok().flatten().and_then(|it| it.try_into().ok());
        let password = password.ok_or(misled("a malformed answer"))?;
        let is_reading_only = reader.bool().map_err(|_| misled("a malformed answer"))?;
        self.log(|| format!("client {index} gets session {session:#x}"));
        let Service { clients, chronicle, .. } = &mut self.service;
        let client = &mut clients[index];
        if is_reading_only && !client.is_content {
            return Err(misled("it gets less than it asked for"));
        }
        client.is_reading_only = is_reading_only;
        let before = client.session.as_ref().map(|it| it.id);
        let was_local = client.session.as_ref().is_some_and(|it| it.is_local);
        if session == 0 {
            // A local one may have ended with its server's role, and what became global since the
            // client came here was local when it was asked for.
            let is_local = |made_us: u64| chronicle.has_local && made_us >= asked_us;
            let is_open = |id: &i64| {
                let known = chronicle.session(*id);
                known.map_or(!chronicle.has_local, |it| !it.is_closed && !is_local(it.made_us))
            };
            if let Some(session) = before.filter(is_open).filter(|_| !was_local) {
                // A leader refuses a session already when it has begun to close it.
                self.check_expiry(Expired { session, at_us: self.now_us })?;
            }
            let client = &mut self.service.clients[index];
            client.disconnected();
            client.forget_session();
            self.send_up(id, Travelling::End);
            return Ok(());
        }
        if before.is_some_and(|before| before != session) {
            return Err(misled("it gets another session than its own"));
        }
        let is_local = was_local || is_reading_only && before.is_none();
        if is_local && !is_reading_only {
            return Err(misled("it keeps a session of a read-only server"));
        }
        if !is_local && chronicle.session(session).is_none() && !chronicle.has_local {
            return Err(misled("it gets a session that is not committed"));
        }
        let timeout_ms = timeout_ms.max(0) as u64;
        let made_ms = client.session.as_ref().map_or(timeout_ms, |it| it.made_ms);
        let leader_count = self.checks.leader_count();
        let granted =
            Granted { id: session, timeout_ms, made_ms, leader_count, password, is_local };
        client.session = Some(granted);
        client.connection = Connection::Open(id);
        self.report.sessions[usize::from(before.is_some())] += 1;
        client.received_us = self.now_us;
        if before.is_none() && !is_local {
            client.was_active(self.now_us);
        }
        if let Some(ask) = client.watch_again() {
            self.ask(index, id, ask);
        }
        Ok(())
    }

    /// A session has expired: its client had not been active steadily, or not for long, allowing
    /// for how late a leader may learn of it.
    pub(super) fn check_expiry(&self, expired: Expired) -> Result<(), Violation> {
        let is_its = |it: &&Client| it.session.as_ref().is_some_and(|it| it.id == expired.session);
        let Some(client) = self.service.clients.iter().find(is_its) else { return Ok(()) };
        let Some(granted) = &client.session else { return Ok(()) };
        // A leader that came since learns nothing of the time asked for when it was resumed.
        let has_other_leader = self.checks.leader_count() > granted.leader_count;
        let known_ms = if has_other_leader { granted.made_ms } else { u64::MAX };
        let timeout_us = granted.timeout_ms.min(known_ms) * 1_000;
        let late_us = timeout_us / 3 + 1_500_000;
        let is_steady = client.steady_since_us + late_us < expired.at_us;
        if is_steady && client.active_us + timeout_us > expired.at_us + late_us {
            let session = expired.session;
            return Err(Violation::Expired { session });
        }
        Ok(())
    }

    /// Without faults every client is served, and every tree is what the txns have made of it.
    pub(super) fn check_service(&mut self) -> Result<(), Violation> {
        for (index, client) in self.service.clients.iter().enumerate() {
            let is_open = matches!(client.connection, Connection::Open(_));
            let is_recent = client.received_us + 5_000_000 > END_US;
            if !is_open || !is_recent {
                return Err(Violation::Unserved { client: index });
            }
        }
        let mut first = None;
        for place in 0..self.servers.len() {
            let Some(whole) = self.whole(place) else { continue };
            let tree = &whole.replica.ordering().head.tree;
            let zxid = tree.meta().zxid;
            // Each server shows the configuration by itself, as of when it began to serve.
            let has_common_stat = |it: &NodeRecord<'_>| it.path() != b"/zookeeper/config";
            let mut nodes: Vec<_> = tree
                .records()
                .map(|it| {
                    let stat = has_common_stat(&it).then(|| *it.stat_bytes());
                    (it.path().to_vec(), it.data().map(<[u8]>::to_vec), stat)
                })
                .collect();
            nodes.sort();
            let sessions: Vec<_> = tree.meta().sessions.keys().map(|id| id.0).collect();
            let found = (nodes, sessions);
            let of_system = |path: &&[u8]| path.starts_with(b"/zookeeper") || *path == b"/";
            let paths = found.0.iter().map(|it| &*it.0).filter(|it| !of_system(it));
            let chronicle = &self.service.chronicle;
            let is_known = paths.eq(chronicle.paths());
            let is_open = found.1.iter().copied().eq(chronicle.open_sessions());
            if !is_known || !is_open || first.as_ref().is_some_and(|it| *it != found) {
                return Err(Violation::Diverged { place, zxid });
            }
            first.get_or_insert(found);
        }
        Ok(())
    }
}

/// The packets of what a client was sent: servers send whole ones.
pub(super) fn packets(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (packet, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        bytes = rest;
        Some(packet)
    })
}
