//! Batches: what one flush of the log carries, as the shards receive it.
//!
//! Published batches form one chain. Each shard holds a cursor on it; the ordering role never waits
//! for a shard. A batch is immutable once linked, and its memory is reused when every cursor has
//! passed it.
//!
//! Invariant: batches are linked in the order of their versions, and a shard handles a batch only
//! when the tree's `published` covers it (guard: `tests::batch`).

use model::error::ErrorCode;
use model::op::Op;
use model::response::EventKind;
use model::zxid::Zxid;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::acl::AclNumber;
use crate::limits::{SPARE_BATCHES_MAX, SPARE_BYTES_MAX};
use crate::meter::OpenTraffic;
use crate::tree::VersionNumber;

/// A range in one of a batch's buffers.
pub type Span = Range<u32>;

/// An earlier end of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    bodies: usize,
    events: usize,
    paths: usize,
}

/// A connection of some shard. The serial distinguishes successive users of one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// Which shard owns it.
    pub shard: u16,
    /// Its slot there.
    pub slot: u32,
    /// Counts the users of the slot.
    pub serial: u32,
}

/// The outcome of one request, or of one change that no client requested.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The zxid of the txn, or of the last one if there was none.
    pub zxid: Zxid,
    /// What it was.
    pub op: Op,
    /// The connection to answer, if any.
    pub to: Option<ConnectionId>,
    /// The client's number for the request.
    pub xid: i32,
    /// When the request was received, in ms of the monotonic clock.
    pub received_ms: u64,
    /// What the request counted as a large one, in bytes.
    pub large_bytes: u64,
    /// The error in the reply's header.
    pub error: ErrorCode,
    /// The reply's body in the batch's bodies; of a `CreateSession` the whole packet.
    pub body: Span,
    /// What watchers receive, in the batch's events.
    pub events: Range<u32>,
}

/// What watchers receive about one node.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The ACL that decides who may receive it.
    pub acl: AclNumber,
    /// Where the node's path begins in the batch's paths: the nodes removed with a session may
    /// exceed 4 GiB of paths.
    path_start: usize,
    path_bytes: u32,
}

/// What a batch counts of its writes.
#[derive(Debug, Default)]
pub struct OpenMeters {
    /// Bytes written, by the part of the tree.
    pub written: OpenTraffic,
    /// Writes that a quota refused, by the part of the tree.
    pub over_quota: OpenTraffic,
}

/// One batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// The version of the tree that it produces; none while it is open.
    pub version: Option<VersionNumber>,
    /// The outcome of each request, in order.
    pub outcomes: Vec<Outcome>,
    /// What watchers receive; each outcome has its range.
    pub events: Vec<Event>,
    /// Bodies of replies.
    pub bodies: Vec<u8>,
    /// Paths of events.
    pub paths: Vec<u8>,
    /// What it counts once it is published.
    pub counted: OpenMeters,
}

impl Mark {
    /// Where bodies ended.
    pub const fn bodies(&self) -> u32 {
        self.bodies as u32
    }

    /// Where events ended.
    pub const fn events(&self) -> u32 {
        self.events as u32
    }
}

impl Batch {
    /// The body of a reply.
    pub fn body(&self, outcome: &Outcome) -> &[u8] {
        &self.bodies[outcome.body.start as usize..outcome.body.end as usize]
    }

    /// The path of an event.
    pub fn path(&self, event: &Event) -> &[u8] {
        &self.paths[event.path_start..event.path_start + event.path_bytes as usize]
    }

    /// The current end of the batch, for a rollback.
    pub fn mark(&self) -> Mark {
        let (events, paths) = (self.events.len(), self.paths.len());
        Mark { bodies: self.bodies.len(), events, paths }
    }

    /// Undoes what was appended since; what was counted stays.
    pub fn roll_back(&mut self, mark: Mark) {
        self.bodies.truncate(mark.bodies);
        self.events.truncate(mark.events);
        self.paths.truncate(mark.paths);
    }

    /// Appends an event.
    pub fn put_event(&mut self, kind: EventKind, path: &[u8], acl: AclNumber) {
        let path_start = self.paths.len();
        self.paths.extend_from_slice(path);
        self.events.push(Event { kind, acl, path_start, path_bytes: path.len() as u32 });
    }

    /// Appends the event of a deleted node, and that of its parent, whose path is the beginning of
    /// the node's.
    pub fn put_deleted(&mut self, path: &[u8], acl: AclNumber, parent: (&[u8], AclNumber)) {
        let (parent_path, parent_acl) = parent;
        debug_assert!(path.starts_with(parent_path));
        self.put_event(EventKind::Deleted, path, acl);
        let path_start = self.paths.len() - path.len();
        let (kind, path_bytes) = (EventKind::ChildrenChanged, parent_path.len() as u32);
        self.events.push(Event { kind, acl: parent_acl, path_start, path_bytes });
    }

    /// Whether its memory is no more than what most batches need.
    fn is_of_usual_size(&self) -> bool {
        let events_bytes = self.events.capacity() * size_of::<Event>();
        let longest = self.bodies.capacity().max(self.paths.capacity()).max(events_bytes);
        longest <= SPARE_BYTES_MAX
    }

    /// Undoes everything, what was counted as well.
    pub(crate) fn clear(&mut self) {
        self.outcomes.clear();
        self.events.clear();
        self.bodies.clear();
        self.paths.clear();
        self.counted.written.clear();
        self.counted.over_quota.clear();
    }
}

#[derive(Debug, Default)]
struct Link {
    batch: Batch,
    next: OnceLock<Arc<Link>>,
}

/// The writer's end of the chain.
///
/// Lives in: the ordering role.
#[derive(Debug)]
pub struct Chain {
    /// The links that a cursor may still be on, oldest first; never empty.
    links: VecDeque<Arc<Link>>,
    spare: Vec<Batch>,
}

/// A reader's position in the chain: behind the batch that it handled last.
///
/// Lives in: each shard.
#[derive(Clone, Debug)]
pub struct Cursor {
    at: Arc<Link>,
}

impl Default for Chain {
    fn default() -> Self {
        Self { links: VecDeque::from([Arc::default()]), spare: Vec::new() }
    }
}

impl Chain {
    /// A cursor behind everything linked so far.
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.tail().clone() }
    }

    fn tail(&self) -> &Arc<Link> {
        self.links.back().expect("the chain holds its last link")
    }

    /// An empty batch, with the memory of an old one if there is one.
    pub fn empty_batch(&mut self) -> Batch {
        self.reclaim();
        self.spare.pop().unwrap_or_default()
    }

    /// Links a batch behind the last one.
    pub fn link(&mut self, batch: Batch) {
        let link = Arc::new(Link { batch, next: OnceLock::new() });
        let linked = self.tail().next.set(link.clone());
        assert!(linked.is_ok(), "the last link of the chain already had a successor");
        self.links.push_back(link);
    }

    /// Count of batches that some shard has not handled yet.
    pub fn backlog(&self) -> usize {
        self.links.len() - 1
    }

    /// Takes back the batches that every cursor has passed.
    pub fn reclaim(&mut self) {
        while self.links.len() > 1 {
            // The first link can only be reached through a cursor on it.
            let Some(link) = Arc::get_mut(&mut self.links[0]) else { return };
            let mut batch = std::mem::take(&mut link.batch);
            drop(self.links.pop_front());
            if self.spare.len() < SPARE_BATCHES_MAX && batch.is_of_usual_size() {
                batch.clear();
                self.spare.push(batch);
            }
        }
    }
}

impl Cursor {
    /// Steps to the next batch, if one is linked whose version is published.
    pub fn step(&mut self, published: VersionNumber) -> Option<&Batch> {
        let next = self.at.next.get().filter(|link| link.batch.version <= Some(published))?;
        self.at = next.clone();
        Some(&self.at.batch)
    }
}
