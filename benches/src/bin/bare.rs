//! The limits that our server is compared with: a bare `io_uring` server without a tree.
//!
//! `bare get PORT [SIZE]` frames requests and answers with bytes of the same form and length as a
//! server with nodes of SIZE bytes would. `bare set PORT FILE` writes each request, and each
//! connect, into a preallocated file first (direct, `O_DSYNC`, two batches in flight) and answers
//! when its batch is durable; a read is answered at once, or behind the write of its own session
//! that it follows, and a set notifies every client that read with a watch, whatever it read. Both
//! have one thread with one ring; use them with the generator `ringkeeper bench`. `PIN=K` pins the
//! thread.

use std::collections::VecDeque;
use std::env;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::ExitCode;

use disk::{AlignedBuf, BLOCK_BYTES};
use model::error::ErrorCode;
use model::jute;
use model::op::Op;
use model::response::{ConnectResponse, EventKind, begin_reply, end_packet, put_event};
use model::session::{SessionId, password};
use model::stat::STAT_BYTES;
use model::zxid::Zxid;
use nix::libc::{O_DIRECT, O_DSYNC};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use ring::{Completion, Queue, Ring, RingConfig, Token, Wait};

const LISTENER: Token = Token(u64::MAX);
/// Tokens of writes: this and the batch's number.
const WRITE: u64 = 1 << 63;
const WRITES_MAX: usize = 2;
const BATCH_BYTES_MAX: usize = 1 << 20;
/// The file is written round and round.
const FILE_BYTES: u64 = 256 << 20;
const FRAME_BYTES_MAX: usize = 2 << 20;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Outcome<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let usage = "usage: bare get PORT [SIZE] | bare set PORT FILE";
    let (mode, port) = words.first().zip(words.get(1)).ok_or(usage)?;
    if let Ok(cpu) = env::var("PIN") {
        let mut cpus = CpuSet::new();
        cpus.set(cpu.parse()?)?;
        sched_setaffinity(Pid::from_raw(0), &cpus)?;
    }
    let mut server = match mode.as_str() {
        "get" => Server::new(words.get(2).map_or(Ok(100), |size| size.parse())?, None),
        "set" => Server::new(100, Some(Log::open(words.get(2).ok_or(usage)?)?)),
        _ => return Err(usage.into()),
    };
    let listener = TcpListener::bind(("127.0.0.1", port.parse()?))?;
    let mut ring = Ring::new(&RingConfig::default())?;
    ring.queue().accept_multishot(&listener, LISTENER);
    loop {
        ring.turn(Wait::Forever)?;
        let mut outcome = Ok(());
        ring.completions(|queue, completion| {
            if outcome.is_ok() {
                outcome = server.handle(queue, completion);
            }
        });
        outcome?;
        server.end_turn(&mut ring.queue());
    }
}

struct Server {
    connections: Vec<Option<Connection>>,
    dirty: Vec<usize>,
    data: Vec<u8>,
    log: Option<Log>,
    /// Connections that read with a watch since the last set.
    watchers: Vec<usize>,
}

struct Connection {
    fd: OwnedFd,
    has_session: bool,
    /// The number of the batch that its last write is in.
    last_write: Option<u64>,
    partial: Vec<u8>,
    /// Replies that may be sent.
    pending: Vec<u8>,
    spare: Vec<u8>,
    is_sending: bool,
    is_dirty: bool,
}

impl Server {
    fn new(size: usize, log: Option<Log>) -> Self {
        Self {
            connections: Vec::new(),
            dirty: Vec::new(),
            data: vec![b'x'; size],
            log,
            watchers: Vec::new(),
        }
    }

    fn handle(&mut self, queue: &mut Queue<'_>, completion: Completion<'_>) -> Outcome<()> {
        match completion {
            Completion::Accepted { fd, .. } => self.accepted(queue, fd)?,
            Completion::Received { token, bytes } => self.received(token.0 as usize, bytes)?,
            Completion::Sent { token, buffer, .. } => {
                if let Some(connection) = &mut self.connections[token.0 as usize] {
                    connection.is_sending = false;
                    connection.spare = buffer;
                    mark(connection, token.0 as usize, &mut self.dirty);
                }
            }
            Completion::ReceiveClosed { token } | Completion::ReceiveFailed { token, .. } => {
                if let Some(connection) = self.connections[token.0 as usize].take() {
                    queue.close(connection.fd);
                }
            }
            Completion::Written { token, buffer, result } => {
                result?;
                let log = self.log.as_mut().ok_or("a write without a log")?;
                let buffer = buffer.downcast::<AlignedBuf>().map_err(|_| "another buffer")?;
                log.written(token.0 & !WRITE, buffer);
                while let Some(mut batch) = log.take_durable() {
                    release(&batch, &mut self.connections, &mut self.dirty);
                    batch.clear();
                    log.spare.push(batch);
                }
            }
            Completion::AcceptEnded { errno, .. } => return Err(errno.into()),
            _ => {}
        }
        Ok(())
    }

    fn accepted(&mut self, queue: &mut Queue<'_>, fd: OwnedFd) -> Outcome<()> {
        TcpStream::from(fd.try_clone()?).set_nodelay(true)?;
        let index = self.connections.len();
        queue.recv_multishot(&fd, Token(index as u64));
        self.connections.push(Some(Connection {
            fd,
            has_session: false,
            last_write: None,
            partial: Vec::new(),
            pending: Vec::new(),
            spare: Vec::new(),
            is_sending: false,
            is_dirty: false,
        }));
        Ok(())
    }

    fn received(&mut self, index: usize, bytes: &[u8]) -> Outcome<()> {
        let Some(mut connection) = self.connections[index].take() else { return Ok(()) };
        let mut partial = std::mem::take(&mut connection.partial);
        let used = if partial.is_empty() {
            self.frames(index, &mut connection, bytes)?
        } else {
            partial.extend_from_slice(bytes);
            self.frames(index, &mut connection, &partial)?
        };
        if partial.is_empty() {
            partial.extend_from_slice(&bytes[used..]);
        } else {
            partial.drain(..used);
        }
        connection.partial = partial;
        mark(&mut connection, index, &mut self.dirty);
        self.connections[index] = Some(connection);
        Ok(())
    }

    /// Answers every complete frame; returns how many bytes those were.
    fn frames(
        &mut self,
        index: usize,
        connection: &mut Connection,
        bytes: &[u8],
    ) -> Outcome<usize> {
        let mut used = 0;
        while let Some(head) = bytes[used..].first_chunk::<4>() {
            let length = u32::from_be_bytes(*head) as usize;
            if length > FRAME_BYTES_MAX {
                return Err("a frame is too long".into());
            }
            let Some(frame) = bytes.get(used + 4..used + 4 + length) else { break };
            used += 4 + length;
            if connection.has_session {
                self.answer(index, connection, frame);
            } else {
                connection.has_session = true;
                match &mut self.log {
                    Some(log) => {
                        log.append(index, frame, |out| connect(index, out));
                    }
                    None => connect(index, &mut connection.pending),
                }
            }
        }
        Ok(used)
    }

    #[inline]
    fn answer(&mut self, index: usize, connection: &mut Connection, frame: &[u8]) {
        let int = |at: usize| frame.get(at..).and_then(<[u8]>::first_chunk).copied();
        let xid = int(0).map_or(0, i32::from_be_bytes);
        let op = int(4).map_or(Op::Error, |op| Op::of(i32::from_be_bytes(op)).unwrap_or(Op::Error));
        let put = |out: &mut Vec<u8>| put_reply(out, xid, op, frame, &self.data);
        let Some(log) = &mut self.log else { return put(&mut connection.pending) };
        if op.is_ordered() {
            connection.last_write = Some(log.append(index, frame, put));
            if op == Op::SetData && !self.watchers.is_empty() {
                let path = jute::JuteReader::new(&frame[8..]).text().unwrap_or_default();
                log.filling.path = path.to_vec();
                log.filling.notified.append(&mut self.watchers);
            }
            return;
        }
        if op == Op::GetData && frame.last() == Some(&1) {
            self.watchers.push(index);
        }
        match connection.last_write.and_then(|number| log.batch(number)) {
            Some(batch) => batch.put(index, put),
            None => put(&mut connection.pending),
        }
    }

    fn end_turn(&mut self, queue: &mut Queue<'_>) {
        if let Some(log) = &mut self.log {
            log.depart(queue);
        }
        for index in self.dirty.drain(..) {
            let Some(connection) = &mut self.connections[index] else { continue };
            connection.is_dirty = false;
            if connection.is_sending || connection.pending.is_empty() {
                continue;
            }
            connection.is_sending = true;
            let spare = std::mem::take(&mut connection.spare);
            let buffer = std::mem::replace(&mut connection.pending, spare);
            queue.send(&connection.fd, buffer, Token(index as u64));
        }
    }
}

fn mark(connection: &mut Connection, index: usize, dirty: &mut Vec<usize>) {
    if !connection.is_dirty && !connection.is_sending && !connection.pending.is_empty() {
        connection.is_dirty = true;
        dirty.push(index);
    }
}

fn connect(index: usize, out: &mut Vec<u8>) {
    let session_id = SessionId(index as i64 + 1);
    let password = password(session_id);
    ConnectResponse { timeout_ms: 30_000, session_id, password, read_only: Some(false) }
        .encode(out);
}

#[inline]
fn put_reply(out: &mut Vec<u8>, xid: i32, op: Op, frame: &[u8], data: &[u8]) {
    let start = begin_reply(out, xid, Zxid(1), ErrorCode::Ok);
    let stat = [0; STAT_BYTES];
    match op {
        Op::GetData => {
            jute::put_string(out, data);
            out.extend_from_slice(&stat);
        }
        Op::Create => {
            let path = jute::JuteReader::new(&frame[8..]).text().unwrap_or_default();
            jute::put_string(out, path);
        }
        Op::GetChildren => jute::put_int(out, 0),
        Op::SetData | Op::Exists => out.extend_from_slice(&stat),
        _ => {}
    }
    end_packet(out, start);
}

/// The content of one write.
#[derive(Default)]
struct Batch {
    number: u64,
    replies: Vec<u8>,
    /// Connections with replies, and where these end.
    ends: Vec<(usize, usize)>,
    /// Connections to notify that the node at `path` has changed.
    notified: Vec<usize>,
    path: Vec<u8>,
    is_durable: bool,
}

impl Batch {
    #[inline]
    fn put(&mut self, index: usize, put: impl FnOnce(&mut Vec<u8>)) {
        put(&mut self.replies);
        let end = self.replies.len();
        match self.ends.last_mut() {
            Some(last) if last.0 == index => last.1 = end,
            _ => self.ends.push((index, end)),
        }
    }

    fn clear(&mut self) {
        self.replies.clear();
        self.ends.clear();
        self.notified.clear();
    }
}

/// Minimal group commit. Invariant: batches in `departed` have consecutive numbers.
struct Log {
    file: File,
    offset: u64,
    filling: Batch,
    bytes: Option<Box<AlignedBuf>>,
    departed: VecDeque<Batch>,
    departed_count: u64,
    #[allow(clippy::vec_box, reason = "the ring takes and gives boxes")]
    buffers: Vec<Box<AlignedBuf>>,
    spare: Vec<Batch>,
}

impl Log {
    fn open(path: &str) -> Outcome<Self> {
        let zeros = AlignedBuf::zeroed(BATCH_BYTES_MAX);
        let mut options = OpenOptions::new();
        options.write(true).create(true);
        let file = options.open(path)?;
        for offset in (0..FILE_BYTES).step_by(BATCH_BYTES_MAX) {
            std::os::unix::fs::FileExt::write_all_at(&file, &zeros, offset)?;
        }
        file.sync_all()?;
        let buffer = || Box::new(AlignedBuf::with_capacity(BATCH_BYTES_MAX + FRAME_BYTES_MAX));
        Ok(Self {
            file: options.custom_flags(O_DIRECT | O_DSYNC).open(path)?,
            offset: 0,
            filling: Batch::default(),
            bytes: None,
            departed: VecDeque::new(),
            departed_count: 0,
            buffers: (0..=WRITES_MAX).map(|_| buffer()).collect(),
            spare: Vec::new(),
        })
    }

    /// Returns the number of its batch.
    #[inline]
    fn append(&mut self, index: usize, frame: &[u8], put: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let buffers = &mut self.buffers;
        let bytes = self.bytes.get_or_insert_with(|| buffers.pop().expect("one a write and one"));
        // A batch that is full while both writes are in flight stands for a longer one.
        if bytes.len() + frame.len() <= BATCH_BYTES_MAX {
            bytes.extend_from_slice(frame);
        }
        self.filling.put(index, put);
        self.departed_count
    }

    /// The batch of this number, unless it is durable.
    fn batch(&mut self, number: u64) -> Option<&mut Batch> {
        if number == self.departed_count {
            return Some(&mut self.filling);
        }
        let first = self.departed.front()?.number;
        self.departed.get_mut(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    fn depart(&mut self, queue: &mut Queue<'_>) {
        if self.departed.len() == WRITES_MAX {
            return;
        }
        let Some(mut bytes) = self.bytes.take() else { return };
        bytes.pad();
        let length = bytes.len() as u64;
        assert!(length.is_multiple_of(BLOCK_BYTES as u64));
        if self.offset + length > FILE_BYTES {
            self.offset = 0;
        }
        let next = self.spare.pop().unwrap_or_default();
        let mut batch = std::mem::replace(&mut self.filling, next);
        (batch.number, batch.is_durable) = (self.departed_count, false);
        self.departed_count += 1;
        queue.write_at(&self.file, bytes, self.offset, Token(WRITE | batch.number));
        self.departed.push_back(batch);
        self.offset += length;
    }

    fn written(&mut self, number: u64, mut buffer: Box<AlignedBuf>) {
        buffer.clear();
        self.buffers.push(buffer);
        if let Some(batch) = self.departed.iter_mut().find(|batch| batch.number == number) {
            batch.is_durable = true;
        }
    }

    /// The oldest batch, if it is durable: a later one waits for it.
    fn take_durable(&mut self) -> Option<Batch> {
        if self.departed.front()?.is_durable { self.departed.pop_front() } else { None }
    }
}

/// Releases the replies of a batch, and its events.
fn release(batch: &Batch, connections: &mut [Option<Connection>], dirty: &mut Vec<usize>) {
    let mut start = 0;
    for &(index, end) in &batch.ends {
        if let Some(connection) = &mut connections[index] {
            connection.pending.extend_from_slice(&batch.replies[start..end]);
            mark(connection, index, dirty);
        }
        start = end;
    }
    for &index in &batch.notified {
        if let Some(connection) = &mut connections[index] {
            put_event(&mut connection.pending, EventKind::DataChanged, Zxid(1), &batch.path);
            mark(connection, index, dirty);
        }
    }
}
