//! A false ensemble for tests: servers of one history, each of which has applied a part of it, with
//! bugs on request.
//!
//! A write is applied at once where it was requested. Elsewhere it is applied when that server has
//! a write itself, is asked for a sync, or gets a client that has seen it: reads are as stale as
//! `ZooKeeper` allows, and no staler.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use model::error::ErrorCode;
use model::jute::{self, JuteReader};
use model::op::Op;
use model::request::ConnectRequest;
use model::response::{ConnectResponse, put_reply};
use model::session::{SessionId, password};
use model::zxid::Zxid;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    None,
    /// A server that a session comes to has not applied what that has seen, and never does.
    AcceptsTheFuture,
    /// A server claims to have applied everything, and reads from its own old state.
    ClaimsTheNewest,
    /// A sync is answered and nothing is applied.
    IgnoresSync,
    /// Every hundredth write is acknowledged and lost.
    LosesWrites,
    /// The newest state of every key is lost when the last check begins: at the first sync that is
    /// neither an operation nor the beginning of a session.
    LosesTheEnd,
    /// No session can be resumed.
    Expires,
}

/// A change of a node.
#[derive(Clone)]
struct Change {
    data: Vec<u8>,
    version: i32,
}

struct History {
    bug: Bug,
    zxid: i64,
    nodes: HashMap<Vec<u8>, BTreeMap<i64, Change>>,
    /// How much of it each server has applied.
    applied: Vec<i64>,
    /// Where a server is stuck.
    stuck: Vec<Option<i64>>,
    /// Servers that close every connection.
    is_down: Vec<bool>,
    /// The server that goes down, after so many requests to it.
    fails: Option<(usize, u32)>,
    request_count: Vec<u32>,
    /// Syncs of no key: at the beginning of each session, and of the last check.
    opening_count: i64,
    session_count: i64,
    resumed_count: u32,
}

/// The addresses of its servers, and what has happened.
pub(super) struct Pretend {
    pub(super) addresses: Vec<SocketAddr>,
    history: Arc<Mutex<History>>,
}

impl Pretend {
    /// Three servers, of which the first leads.
    pub(super) fn start(bug: Bug, fails: Option<(usize, u32)>) -> Self {
        let count = 3;
        let history = Arc::new(Mutex::new(History {
            bug,
            zxid: 0,
            nodes: HashMap::new(),
            applied: vec![0; count],
            stuck: vec![None; count],
            is_down: vec![false; count],
            fails,
            request_count: vec![0; count],
            opening_count: 0,
            session_count: 0,
            resumed_count: 0,
        }));
        let addresses = (0..count).map(|server| listen(server, &history)).collect();
        Self { addresses, history }
    }

    /// As a connect string.
    pub(super) fn names(&self) -> String {
        let names: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        names.join(",")
    }

    /// Requests that each server was sent, sessions opened, and sessions resumed.
    pub(super) fn counts(&self) -> (Vec<u32>, i64, u32) {
        let history = self.history.lock().unwrap();
        (history.request_count.clone(), history.session_count, history.resumed_count)
    }
}

fn listen(server: usize, history: &Arc<Mutex<History>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, history) = (listener.local_addr().unwrap(), Arc::clone(history));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let history = Arc::clone(&history);
            thread::spawn(move || converse(stream, server, &history));
        }
    });
    address
}

fn converse(mut stream: TcpStream, server: usize, history: &Mutex<History>) -> Option<()> {
    let mut first = [0; 4];
    stream.read_exact(&mut first).ok()?;
    if &first == b"srvr" {
        let mode = if server == 0 { "leader" } else { "follower" };
        return stream.write_all(format!("Mode: {mode}\n").as_bytes()).ok();
    }
    let mut out = Vec::new();
    let mut request = vec![0; u32::from_be_bytes(first) as usize];
    stream.read_exact(&mut request).ok()?;
    let granted = history.lock().unwrap().connected(server, &request)?;
    granted.encode(&mut out);
    loop {
        stream.write_all(&out).ok()?;
        out.clear();
        stream.read_exact(&mut first).ok()?;
        request.resize(u32::from_be_bytes(first) as usize, 0);
        stream.read_exact(&mut request).ok()?;
        history.lock().unwrap().answer(server, &request, &mut out)?;
    }
}

impl History {
    fn connected(&mut self, server: usize, request: &[u8]) -> Option<ConnectResponse> {
        let request = ConnectRequest::decode(request).ok()?;
        if self.is_down[server] {
            return None;
        }
        if self.bug == Bug::AcceptsTheFuture && request.session_id != 0 {
            self.stuck[server] = Some(request.last_zxid_seen - 1);
        } else if self.bug != Bug::ClaimsTheNewest {
            self.applied[server] = self.applied[server].max(request.last_zxid_seen);
        }
        let (mut id, mut timeout_ms) = (request.session_id, 10_000);
        if id == 0 {
            self.session_count += 1;
            id = self.session_count;
        } else if self.bug == Bug::Expires {
            (id, timeout_ms) = (0, 0);
        } else {
            self.resumed_count += 1;
        }
        let session_id = SessionId(id);
        let password = password(session_id);
        Some(ConnectResponse { timeout_ms, session_id, password, read_only: Some(false) })
    }

    fn answer(&mut self, server: usize, request: &[u8], out: &mut Vec<u8>) -> Option<()> {
        self.request_count[server] += 1;
        self.is_down[server] |= self.fails == Some((server, self.request_count[server]));
        if self.is_down[server] {
            return None;
        }
        let mut reader = JuteReader::new(request);
        let (xid, op) = (reader.int().ok()?, Op::of(reader.int().ok()?)?);
        let (code, body) = match op {
            Op::Create => self.create(server, &mut reader)?,
            Op::SetData => self.set(server, &mut reader)?,
            Op::GetData => self.get(server, &mut reader)?,
            Op::Sync => {
                self.lose_the_end(&mut reader);
                if self.bug != Bug::IgnoresSync {
                    self.applied[server] = self.zxid;
                }
                (ErrorCode::Ok, vec![0; 8])
            }
            _ => (ErrorCode::Ok, vec![0; 100]),
        };
        let shows_all = self.bug == Bug::ClaimsTheNewest;
        let applied = self.stuck[server].unwrap_or(self.applied[server]);
        let zxid = if shows_all { self.zxid } else { applied };
        put_reply(out, xid, Zxid(zxid), code, &body);
        Some(())
    }

    fn lose_the_end(&mut self, reader: &mut JuteReader<'_>) {
        let is_of_key = reader.text().is_ok_and(|path| path.windows(2).any(|part| part == b"/k"));
        self.opening_count += i64::from(!is_of_key);
        if self.bug == Bug::LosesTheEnd && self.opening_count == self.session_count + 1 {
            for changes in self.nodes.values_mut().filter(|changes| changes.len() > 1) {
                changes.pop_last();
            }
        }
    }

    fn create(
        &mut self,
        server: usize,
        reader: &mut JuteReader<'_>,
    ) -> Option<(ErrorCode, Vec<u8>)> {
        let path = reader.text().ok()?.to_vec();
        let data = reader.buffer().ok()?.unwrap_or_default().to_vec();
        self.zxid += 1;
        self.applied[server] = self.zxid;
        if self.nodes.contains_key(&path) {
            return Some((ErrorCode::NodeExists, Vec::new()));
        }
        let mut body = Vec::new();
        jute::put_string(&mut body, &path);
        let first = Change { data, version: 0 };
        self.nodes.insert(path, BTreeMap::from([(self.zxid, first)]));
        Some((ErrorCode::Ok, body))
    }

    fn set(&mut self, server: usize, reader: &mut JuteReader<'_>) -> Option<(ErrorCode, Vec<u8>)> {
        let path = reader.text().ok()?.to_vec();
        let data = reader.buffer().ok()?.unwrap_or_default().to_vec();
        self.zxid += 1;
        self.applied[server] = self.zxid;
        let changes = self.nodes.get_mut(&path)?;
        let version = changes.last_key_value()?.1.version + 1;
        let is_lost = self.bug == Bug::LosesWrites && self.zxid % 100 == 0;
        if !is_lost {
            changes.insert(self.zxid, Change { data, version });
        }
        Some((ErrorCode::Ok, stat(self.zxid, version)))
    }

    fn get(&mut self, server: usize, reader: &mut JuteReader<'_>) -> Option<(ErrorCode, Vec<u8>)> {
        let path = reader.text().ok()?;
        let applied = self.stuck[server].unwrap_or(self.applied[server]);
        let changes = self.nodes.get(path);
        let Some((zxid, change)) = changes.and_then(|it| it.range(..=applied).next_back()) else {
            return Some((ErrorCode::NoNode, Vec::new()));
        };
        let mut body = Vec::new();
        jute::put_string(&mut body, &change.data);
        body.extend(stat(*zxid, change.version));
        Some((ErrorCode::Ok, body))
    }
}

fn stat(mzxid: i64, version: i32) -> Vec<u8> {
    let mut out = Vec::new();
    for field in [0, mzxid, 0, 0] {
        jute::put_long(&mut out, field);
    }
    jute::put_int(&mut out, version);
    out.resize(model::stat::STAT_BYTES, 0);
    out
}
