//! A client: what it has asked for and seen, and whether what it is answered fits.

use super::WireId;
use super::chronicle::Chronicle;
use super::request::{Ask, PING_XID, WATCHES_XID};
use model::error::ErrorCode;
use model::jute::{JuteError, JuteReader, Strings};
use model::session::Password;
use model::zxid::Zxid;
use std::collections::{BTreeMap, VecDeque};

/// Its session.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The session.
    pub id: i64,
    /// As granted, in ms.
    pub timeout_ms: u64,
    /// As it was made with, in ms: what a later leader knows of it.
    pub made_ms: u64,
    /// How many leaders there had been when it was granted.
    pub leader_count: usize,
    /// For resuming it.
    pub password: Password,
    /// A read-only server made it: it is in no history.
    pub is_local: bool,
}

/// Its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It has none.
    None,
    /// It has asked for a session, at this time in us.
    Asked(WireId, u64),
    /// It is served.
    Open(WireId),
}

/// A request that is not answered.
#[derive(Clone, Debug)]
struct Pending {
    xid: i32,
    ask: Ask,
    sent_us: u64,
    /// The last write that any client had been acknowledged when it was sent.
    acknowledged: Zxid,
}

/// A watch that has not fired.
#[derive(Clone, Copy, Debug)]
struct Watch {
    since: Zxid,
    existed: bool,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    /// Its session, if it has one.
    pub session: Option<Granted>,
    /// Its connection.
    pub connection: Connection,
    /// The newest zxid that its session has seen.
    pub seen: Zxid,
    /// When it sent the last request that was answered, in us: the server knows that it was active
    /// then.
    pub active_us: u64,
    /// Since when it has been active without a long gap, in us.
    pub steady_since_us: u64,
    /// When it last received anything, in us.
    pub received_us: u64,
    /// When it last sent something, in us.
    pub sent_us: u64,
    /// It does nothing until then, in us.
    pub silent_until_us: u64,
    /// A read-only server will do.
    pub is_content: bool,
    /// The server that it is connected to is one.
    pub is_reading_only: bool,
    floor: Zxid,
    next_xid: i32,
    pending: VecDeque<Pending>,
    watches: BTreeMap<String, Watch>,
    is_rewatching: bool,
}

/// What is wrong with what a client got, and where in the history.
pub type Wrong = (&'static str, Zxid);

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing that concerns others.
    Nothing,
    /// This write is done.
    Done(Zxid),
    /// A watch has fired.
    Fired,
    /// A read-only server does not do this.
    Refused,
    /// The session has ended at the client's request.
    Ended,
}

impl Client {
    /// One that does nothing yet; a read-only server will do for it or not.
    pub fn new(is_content: bool) -> Self {
        Self {
            session: None,
            connection: Connection::None,
            seen: Zxid::ZERO,
            active_us: 0,
            steady_since_us: 0,
            received_us: 0,
            sent_us: 0,
            silent_until_us: 0,
            is_content,
            is_reading_only: false,
            floor: Zxid::ZERO,
            next_xid: 1,
            pending: VecDeque::new(),
            watches: BTreeMap::new(),
            is_rewatching: false,
        }
    }

    /// Requests that wait for an answer.
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Whether it has asked for its session's end.
    pub fn is_closing(&self) -> bool {
        self.pending.iter().any(|it| it.ask == Ask::Close)
    }

    /// Its connection has ended: what was asked over it has an unknown result.
    pub fn disconnected(&mut self) {
        let is_closing = self.is_closing();
        self.pending.clear();
        self.connection = Connection::None;
        if is_closing {
            self.forget_session();
        }
    }

    /// Its session has ended.
    pub fn forget_session(&mut self) {
        self.session = None;
        self.seen = Zxid::ZERO;
        self.floor = Zxid::ZERO;
        self.watches.clear();
    }

    /// The packet of a request.
    pub fn ask(&mut self, ask: Ask, now_us: u64, acknowledged: Zxid) -> Vec<u8> {
        let xid = match ask {
            Ask::Ping => PING_XID,
            Ask::SetWatches(..) => WATCHES_XID,
            _ => {
                self.next_xid += 1;
                self.next_xid
            }
        };
        let packet = ask.packet(xid);
        self.pending.push_back(Pending { xid, ask, sent_us: now_us, acknowledged });
        self.sent_us = now_us;
        packet
    }

    /// A request that it sends over a connection that it has left.
    pub fn ask_elsewhere(&mut self, ask: &Ask) -> Vec<u8> {
        self.next_xid += 1;
        ask.packet(self.next_xid)
    }

    /// The request to watch again what an earlier connection watched; `None` if that was nothing.
    pub fn watch_again(&mut self) -> Option<Ask> {
        let paths = |existed: bool| {
            let those = self.watches.iter().filter(move |(_, it)| it.existed == existed);
            those.map(|(path, _)| path.clone()).collect::<Vec<_>>()
        };
        let ask = Ask::SetWatches(self.seen, paths(true), paths(false));
        self.is_rewatching = !self.watches.is_empty();
        self.is_rewatching.then_some(ask)
    }

    /// A packet arrives behind the answer to the connect.
    pub fn receive(
        &mut self,
        packet: &[u8],
        now_us: u64,
        chronicle: &Chronicle,
    ) -> Result<Said, Wrong> {
        let malformed = |_: JuteError| ("a malformed packet", Zxid::ZERO);
        self.received_us = now_us;
        let mut reader = JuteReader::new(packet);
        let xid = reader.int().map_err(malformed)?;
        let zxid = Zxid(reader.long().map_err(malformed)?);
        let error = reader.int().map_err(malformed)?;
        if xid == -1 {
            reader.int().and_then(|_| reader.int()).map_err(malformed)?;
            let path = reader.text().map_err(malformed)?;
            return self.fired(&String::from_utf8_lossy(path), chronicle).map(|()| Said::Fired);
        }
        let pending = self.pending.pop_front().ok_or(("an answer without a request", zxid))?;
        if pending.xid != xid {
            return Err(("answers are not in the order of requests", zxid));
        }
        if !self.is_reading_only {
            // Only then does a leader learn of it.
            self.was_active(pending.sent_us);
        }
        self.sees(zxid, chronicle)?;
        let Pending { ask, acknowledged, .. } = pending;
        if self.is_reading_only && (ask.is_write() || ask == Ask::Sync) {
            return match (ask, ErrorCode::of(error)) {
                (Ask::Close, Some(ErrorCode::Ok)) => Ok(Said::Ended),
                (Ask::Close, _) | (_, Some(ErrorCode::Ok)) => {
                    Err(("a read-only server has written", zxid))
                }
                (_, Some(ErrorCode::NotReadOnly)) => Ok(Said::Refused),
                _ => Err(("a read-only server names another error", zxid)),
            };
        }
        if ask.is_write() {
            return self.written(&ask, xid, zxid, error, &mut reader, chronicle);
        }
        match &ask {
            Ask::Sync if error == 0 => self.floor = self.floor.max(acknowledged),
            Ask::SetWatches(..) => self.rewatched(zxid, chronicle)?,
            Ask::Get(path, is_watching) | Ask::Exists(path, is_watching) => {
                self.read(&ask, path, *is_watching, (zxid, error), &mut reader, chronicle)?;
            }
            Ask::Children(path) => {
                let names = reader.strings().ok();
                let mut names: Vec<_> = names.iter().flat_map(Strings::iter).collect();
                names.sort_unstable();
                if names != chronicle.children(path, zxid) {
                    return Err(("other children than there were", zxid));
                }
            }
            _ => (),
        }
        Ok(Said::Nothing)
    }

    /// It was active at this time, as a server knows by now.
    pub fn was_active(&mut self, at_us: u64) {
        let timeout_us = self.session.as_ref().map_or(0, |it| it.timeout_ms * 1_000);
        if at_us > self.active_us + timeout_us / 2 {
            self.steady_since_us = at_us;
        }
        self.active_us = self.active_us.max(at_us);
    }

    /// An answer shows the history through `zxid`.
    fn sees(&mut self, zxid: Zxid, chronicle: &Chronicle) -> Result<(), Wrong> {
        if zxid <= Zxid::ZERO {
            return Ok(());
        }
        if zxid < self.seen {
            return Err(("an answer is older than one before it", zxid));
        }
        if zxid < self.floor {
            return Err(("an answer behind a sync lacks what was acknowledged before it", zxid));
        }
        if zxid > chronicle.tail() && zxid.counter() > 0 {
            return Err(("an answer shows what is not committed", zxid));
        }
        let has_fired = |(path, watch): (&String, &Watch)| {
            chronicle.has_changed(path.as_bytes(), watch.since, zxid)
        };
        if !self.is_rewatching && self.watches.iter().any(has_fired) {
            return Err(("an answer shows a change before its watch has fired", zxid));
        }
        self.seen = zxid;
        Ok(())
    }

    fn written(
        &mut self,
        ask: &Ask,
        xid: i32,
        zxid: Zxid,
        error: i32,
        reader: &mut JuteReader<'_>,
        chronicle: &Chronicle,
    ) -> Result<Said, Wrong> {
        let id = self.session.as_ref().map_or(0, |it| it.id);
        if *ask == Ask::Close && chronicle.has_local && chronicle.session(id).is_none() {
            // A local session ends without a txn.
            return Ok(if error == 0 { Said::Ended } else { Said::Nothing });
        }
        let entry = chronicle.entry(zxid).ok_or(("an answer of no txn", zxid))?;
        if entry.session != id || entry.cxid != xid {
            return Err(("an answer of another request's txn", zxid));
        }
        if !matches!(ask, Ask::Multi(_)) && entry.error != error {
            return Err(("an answer that is not its txn's", zxid));
        }
        if matches!(ask, Ask::Create { .. })
            && error == 0
            && reader.text().ok() != entry.created.as_deref()
        {
            return Err(("the path of another node", zxid));
        }
        Ok(match ask {
            Ask::Close if error == 0 => Said::Ended,
            _ if error == 0 => Said::Done(zxid),
            _ => Said::Nothing,
        })
    }

    fn read(
        &mut self,
        ask: &Ask,
        path: &str,
        is_watching: bool,
        (zxid, error): (Zxid, i32),
        reader: &mut JuteReader<'_>,
        chronicle: &Chronicle,
    ) -> Result<(), Wrong> {
        let node = chronicle.at(path.as_bytes(), zxid);
        let existed = error == 0;
        let is_data = matches!(ask, Ask::Get(..));
        match (ErrorCode::of(error), node) {
            (Some(ErrorCode::NoNode), None) => (),
            (Some(ErrorCode::Ok), Some(node)) => {
                let data = if is_data { reader.buffer().ok().flatten() } else { None };
                let czxid = reader.long().unwrap_or(-1);
                let mzxid = reader.long().unwrap_or(-1);
                let is_same = !is_data || data == Some(&*node.data);
                if !is_same || (czxid, mzxid) != (node.czxid.0, node.mzxid.0) {
                    return Err(("another node than there was", zxid));
                }
            }
            _ => return Err(("a node that there was not, or none where one was", zxid)),
        }
        if is_watching && (existed || !is_data) {
            self.watches.insert(path.to_owned(), Watch { since: zxid, existed });
        }
        Ok(())
    }

    fn fired(&mut self, path: &str, chronicle: &Chronicle) -> Result<(), Wrong> {
        let watch = self.watches.remove(path).ok_or(("an event without a watch", self.seen))?;
        if chronicle.has_changed(path.as_bytes(), watch.since, chronicle.tail()) {
            Ok(())
        } else {
            Err(("an event without a change", watch.since))
        }
    }

    /// What was watched over an earlier connection is watched again, or has fired.
    fn rewatched(&mut self, zxid: Zxid, chronicle: &Chronicle) -> Result<(), Wrong> {
        self.is_rewatching = false;
        for (path, watch) in &mut self.watches {
            let node = chronicle.at(path.as_bytes(), zxid);
            let has_fired = if watch.existed {
                chronicle.has_changed(path.as_bytes(), watch.since, zxid)
            } else {
                node.is_some()
            };
            if has_fired {
                return Err(("a watch of an earlier connection has not fired", zxid));
            }
            watch.since = watch.since.max(zxid);
        }
        Ok(())
    }
}
