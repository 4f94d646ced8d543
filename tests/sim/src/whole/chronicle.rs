//! What the ensemble has done, known from its txns alone: every node and session at every zxid.
//!
//! Txns are noted as servers hand them to their logs, and count once a server shows them. What
//! clients are answered is compared with this.

use crate::checks::State;
use model::jute::JuteReader;
use model::op::Op;
use model::txn::{NodeKind, Txn, TxnHeader};
use model::zxid::Zxid;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The txn that created it.
    pub czxid: Zxid,
    /// The txn that last changed its data.
    pub mzxid: Zxid,
    /// Changes of its data.
    pub version: i32,
    /// The session that owns it, or 0.
    pub owner: i64,
    /// Its data.
    pub data: Box<[u8]>,
}

/// A txn that was shown.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whose it was.
    pub session: i64,
    /// The client's number for it.
    pub cxid: i32,
    /// Its error, or 0.
    pub error: i32,
    /// The path of the node that it created.
    pub created: Option<Box<[u8]>>,
    /// The history through it.
    pub state: State,
}

/// A session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Whether it has ended.
    pub is_closed: bool,
    /// When a server first wrote to its log that it was made, in us.
    pub made_us: u64,
}

/// A session that has ended because it was silent.
#[derive(Clone, Copy, Debug)]
pub struct Expired {
    /// Which one.
    pub session: i64,
    /// When a server first wrote that to its log, in us.
    pub at_us: u64,
}

/// What a node was from a txn on.
type Change = (Zxid, Option<Node>);

struct Noted {
    hash: u64,
    txn: Arc<[u8]>,
    at_us: u64,
}

/// All that was done.
#[derive(Default)]
pub struct Chronicle {
    noted: BTreeMap<Zxid, Noted>,
    entries: BTreeMap<Zxid, Entry>,
    nodes: BTreeMap<Box<[u8]>, Vec<Change>>,
    sessions: BTreeMap<i64, Session>,
    /// Whether sessions may write that no txn has made.
    pub has_local: bool,
    /// The last write of each session.
    written: BTreeMap<i64, i32>,
    /// The trees' digests where servers have shown them.
    digests: BTreeMap<Zxid, u64>,
    tail: Zxid,
}

/// What is wrong with a txn.
type Wrong = &'static str;

impl Chronicle {
    /// A server hands a txn to its log. No two txns have one zxid, and none has two histories
    /// before it.
    pub fn note(&mut self, state: State, txn: &[u8], at_us: u64) -> Result<(), Wrong> {
        let fresh = || Noted { hash: state.hash, txn: txn.into(), at_us };
        let noted = self.noted.entry(state.zxid).or_insert_with(fresh);
        if noted.hash == state.hash { Ok(()) } else { Err("two histories have this zxid") }
    }

    /// A server shows its tree at this zxid, with this digest.
    pub fn shown(&mut self, zxid: Zxid, digest: u64) -> Result<(), Wrong> {
        let known = *self.digests.entry(zxid).or_insert(digest);
        if known == digest { Ok(()) } else { Err("two servers show different trees") }
    }

    /// One more txn counts.
    pub fn add(&mut self, state: State) -> Result<Option<Expired>, Wrong> {
        let zxid = state.zxid;
        let noted = self.noted.get(&zxid).ok_or("no server has logged this")?;
        let (bytes, at_us) = (noted.txn.clone(), noted.at_us);
        self.tail = zxid;
        let mut reader = JuteReader::new(&bytes);
        let header = TxnHeader::decode(&mut reader).map_err(|_| "it is no txn")?;
        let txn = Txn::decode(header.op, &mut reader).map_err(|_| "it is no txn")?;
        let (session, cxid) = (header.session.0, header.cxid);
        let mut entry = Entry { session, cxid, error: 0, created: None, state };
        self.apply(&header, &txn, &mut entry)?;
        if header.op == Op::CreateSession
            && let Some(session) = self.sessions.get_mut(&session)
        {
            session.made_us = at_us;
        }
        if entry.error == 0 && cxid != 0 {
            if !self.has_local && !self.sessions.contains_key(&session) {
                return Err("it is of no session");
            }
            let last = self.written.insert(session, cxid);
            if last.is_some_and(|last| cxid <= last) {
                return Err("a session's writes are not in its order");
            }
        }
        self.entries.insert(zxid, entry);
        if header.op == Op::CloseSession && self.has_local {
            // A leader takes what it does not know for local, as ZooKeeper's does: also what comes
            // late of a session that was global and has ended.
            self.written.remove(&session);
        }
        let has_expired = header.op == Op::CloseSession && cxid == 0;
        Ok(has_expired.then_some(Expired { session, at_us }))
    }

    fn apply(&mut self, header: &TxnHeader, txn: &Txn<'_>, entry: &mut Entry) -> Result<(), Wrong> {
        let zxid = header.zxid;
        match txn {
            Txn::Create(create) => {
                let is_ephemeral = create.kind == NodeKind::Ephemeral;
                let owner = if is_ephemeral { header.session.0 } else { 0 };
                if is_ephemeral && self.sessions.get(&owner).is_none_or(|it| it.is_closed) {
                    return Err("a session that has ended gets a node");
                }
                let data = create.data.unwrap_or_default().into();
                let node = Node { czxid: zxid, mzxid: zxid, version: 0, owner, data };
                self.put(create.path, zxid, Some(node));
                entry.created = Some(create.path.into());
            }
            Txn::Delete { path } => {
                self.at(path, zxid).ok_or("it deletes no node")?;
                self.put(path, zxid, None);
            }
            Txn::SetData { path, data, version } => {
                let node = self.at(path, zxid).ok_or("it changes no node")?.clone();
                let (mzxid, data) = (zxid, data.unwrap_or_default().into());
                self.put(path, zxid, Some(Node { mzxid, version: *version, data, ..node }));
            }
            Txn::CreateSession { .. } => {
                let session = Session { is_closed: false, made_us: 0 };
                if self.sessions.insert(header.session.0, session).is_some() {
                    return Err("two sessions have one id");
                }
            }
            Txn::CloseSession { paths } => {
                let session = self.sessions.get_mut(&header.session.0).ok_or("no such session")?;
                if std::mem::replace(&mut session.is_closed, true) {
                    return Err("a session ends twice");
                }
                let owned = self.owned(header.session.0);
                if let Some(paths) = paths
                    && paths.iter().collect::<std::collections::BTreeSet<_>>().len() != owned.len()
                {
                    return Err("a session's end lists other nodes than it had");
                }
                for path in &owned {
                    self.put(path, zxid, None);
                }
            }
            Txn::Error(error) => entry.error = *error,
            Txn::Multi(multi) => {
                for (_, txn) in multi.iter() {
                    self.apply(header, &txn, entry)?;
                }
            }
            Txn::SetAcl { .. } | Txn::Check { .. } => (),
        }
        Ok(())
    }

    fn put(&mut self, path: &[u8], zxid: Zxid, node: Option<Node>) {
        self.nodes.entry(path.into()).or_default().push((zxid, node));
    }

    fn owned(&self, session: i64) -> Vec<Box<[u8]>> {
        let is_its = |it: &&Change| it.1.as_ref().is_some_and(|it| it.owner == session);
        let owned =
            self.nodes.iter().filter(|(_, history)| history.last().as_ref().is_some_and(is_its));
        owned.map(|(path, _)| path.clone()).collect()
    }

    /// A node at a zxid.
    pub fn at(&self, path: &[u8], zxid: Zxid) -> Option<&Node> {
        let history = self.nodes.get(path)?;
        let count = history.partition_point(|(at, _)| *at <= zxid);
        history[..count].last()?.1.as_ref()
    }

    /// Whether a node was created, changed or deleted behind a zxid, through another one.
    pub fn has_changed(&self, path: &[u8], after: Zxid, through: Zxid) -> bool {
        let history = self.nodes.get(path).map_or(&[][..], Vec::as_slice);
        history.iter().any(|(at, _)| *at > after && *at <= through)
    }

    /// Names of a node's children at a zxid, in their order.
    pub fn children(&self, parent: &str, zxid: Zxid) -> Vec<&[u8]> {
        let prefix = format!("{}/", parent.trim_end_matches('/'));
        let below = self.nodes.range::<[u8], _>((
            std::ops::Bound::Included(prefix.as_bytes()),
            std::ops::Bound::Unbounded,
        ));
        let below = below.map(|(path, _)| &**path);
        let below = below.take_while(|path| path.starts_with(prefix.as_bytes()));
        let is_child = |path: &&[u8]| !path[prefix.len()..].contains(&b'/');
        let there = below.filter(is_child).filter(|path| self.at(path, zxid).is_some());
        there.map(|path| &path[prefix.len()..]).collect()
    }

    /// A txn that was shown.
    pub fn entry(&self, zxid: Zxid) -> Option<&Entry> {
        self.entries.get(&zxid)
    }

    /// A session that was made.
    pub fn session(&self, id: i64) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// The last txn that was shown.
    pub fn tail(&self) -> Zxid {
        self.tail
    }

    /// Every node there is now.
    pub fn paths(&self) -> impl Iterator<Item = &[u8]> {
        let now = |history: &[Change]| history.last().is_some_and(|it| it.1.is_some());
        self.nodes.iter().filter(move |(_, history)| now(history)).map(|(path, _)| &**path)
    }

    /// Every session that has not ended.
    pub fn open_sessions(&self) -> impl Iterator<Item = i64> {
        self.sessions.iter().filter(|(_, it)| !it.is_closed).map(|(id, _)| *id)
    }
}
