//! Operations: what a caller queues, and how it reaches the kernel.

use crate::buffers::GROUP;
use crate::config::Features;
use crate::limits::TRANSFER_BYTES_MAX;
use crate::setup::errno_of;
use crate::slots::{Op, OpId, Slots, Token};
use crate::{Errno, StableBuf};
use io_uring::squeue::{Entry, Flags};
use io_uring::types::{CancelBuilder, Fd, FsyncFlags, SubmitArgs, Timespec};
use io_uring::{IoUring, opcode};
use nix::libc;
use nix::sys::socket::SockaddrLike;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Completions of operations that report to no one: cancel, close.
pub(crate) const DATA_SILENT: u64 = u64::MAX;
/// The completion of the eventfd's read.
pub(crate) const DATA_WAKE: u64 = u64::MAX - 1;

const ENTER_GETEVENTS: u32 = 1 << 0;
const ENTER_EXT_ARG: u32 = 1 << 3;

/// What the queue, the turn and the reaping share. Lives in: the ring.
pub(crate) struct Core {
    // Before `slots`: the kernel's side ends first.
    pub(crate) io: IoUring,
    pub(crate) slots: Slots,
    /// Entries that found the submission queue full even after submitting; in order.
    backlog: VecDeque<Entry>,
    /// How often each descriptor number was closed here: nothing is armed or continued on a number
    /// that now names another file.
    fd_epochs: Vec<u32>,
    pub(crate) features: Features,
    receive_buffer_bytes: u32,
    pub(crate) enters: u64,
    pub(crate) transfers_short: u64,
    pub(crate) buffers_exhausted: u64,
}

impl Core {
    pub(crate) fn new(io: IoUring, features: Features, receive_buffer_bytes: u32) -> Self {
        Self {
            io,
            slots: Slots::new(),
            backlog: VecDeque::new(),
            fd_epochs: Vec::new(),
            features,
            receive_buffer_bytes,
            enters: 0,
            transfers_short: 0,
            buffers_exhausted: 0,
        }
    }

    fn fd_epoch(&self, fd: RawFd) -> u32 {
        self.fd_epochs.get(fd as usize).copied().unwrap_or(0)
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        if self.backlog.is_empty() {
            if self.try_push(&entry) {
                return;
            }
            // What this returns, the turn's own entering returns again.
            let _ = self.enter(0, None);
            if self.try_push(&entry) {
                return;
            }
        }
        self.backlog.push_back(entry);
    }

    fn try_push(&mut self, entry: &Entry) -> bool {
        // SAFETY: all memory that an entry names is owned by its slot (or by the ring: receive
        // buffers, the eventfd's count) until its last completion, or leaked.
        unsafe { self.io.submission().push(entry) }.is_ok()
    }

    pub(crate) fn push_backlog(&mut self) {
        while let Some(entry) = self.backlog.pop_front() {
            if self.try_push(&entry) {
                continue;
            }
            let entered = self.enter(0, None);
            if entered.is_err() || !self.try_push(&entry) {
                self.backlog.push_front(entry);
                return;
            }
        }
    }

    pub(crate) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// One `io_uring_enter`: submits all, waits for `want` completions at most for `timeout`.
    pub(crate) fn enter(&mut self, want: u32, timeout: Option<Duration>) -> Result<(), Errno> {
        self.enters += 1;
        let to_submit = self.io.submission().len() as u32;
        let submitter = self.io.submitter();
        // Deferred work and an overflowed queue are only handled with this flag.
        let flags = ENTER_GETEVENTS;
        let entered = match timeout {
            // SAFETY: no argument; the entries are sound as said at `try_push`.
            None => unsafe { submitter.enter::<libc::sigset_t>(to_submit, want, flags, None) },
            Some(timeout) => {
                let timespec = Timespec::from(timeout);
                let args = SubmitArgs::new().timespec(&timespec);
                let flags = flags | ENTER_EXT_ARG;
                // SAFETY: the argument is what the flag announces, and outlives the call.
                unsafe { submitter.enter(to_submit, want, flags, Some(&args)) }
            }
        };
        match entered.map_err(|error| errno_of(&error)) {
            // Woken by a signal or the timeout, or asked to reap first: the caller handles all of
            // them.
            Ok(_) | Err(Errno::EINTR | Errno::ETIME | Errno::EBUSY | Errno::EAGAIN) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    fn begin(&mut self, fd: RawFd, token: Token, op: Op) -> OpId {
        let id = self.slots.insert(token, fd, self.fd_epoch(fd), op);
        self.submit(id);
        id
    }

    /// Arms or continues an operation, unless it was cancelled or its descriptor closed.
    pub(crate) fn resume(&mut self, id: OpId) -> bool {
        let Some(slot) = self.slots.find(id) else { return false };
        let (fd, fd_epoch, cancelled) = (slot.fd, slot.fd_epoch, slot.cancelled);
        if cancelled || fd_epoch != self.fd_epoch(fd) {
            return false;
        }
        self.submit(id);
        true
    }

    fn submit(&mut self, id: OpId) {
        let slot = self.slots.find(id).expect("an operation in flight has a slot");
        let fd = Fd(slot.fd);
        let entry = match &slot.op {
            Op::Free { .. } => unreachable!("a found slot is not free"),
            Op::Accept => opcode::AcceptMulti::new(fd).flags(libc::SOCK_CLOEXEC).build(),
            Op::Connect { address } => {
                opcode::Connect::new(fd, address.as_ptr(), address.len()).build()
            }
            Op::Receive if self.features.multishot_receive => {
                opcode::RecvMulti::new(fd, GROUP).build()
            }
            Op::Receive => opcode::Recv::new(fd, std::ptr::null_mut(), self.receive_buffer_bytes)
                .buf_group(GROUP)
                .build()
                .flags(Flags::BUFFER_SELECT),
            Op::Send { buffer, done } => {
                let rest = &buffer[*done..];
                let len = rest.len().min(TRANSFER_BYTES_MAX) as u32;
                opcode::Send::new(fd, rest.as_ptr(), len).flags(libc::MSG_NOSIGNAL).build()
            }
            Op::Write { buffer, offset, done } => {
                let len = (buffer.len() - done).min(TRANSFER_BYTES_MAX) as u32;
                let start = buffer.as_ptr().wrapping_add(*done);
                opcode::Write::new(fd, start, len).offset(offset + *done as u64).build()
            }
            Op::Flush => opcode::Fsync::new(fd).flags(FsyncFlags::DATASYNC).build(),
        };
        self.push(entry.user_data(id.0));
    }

    fn push_silent(&mut self, entry: Entry) {
        // A success posts no completion at all.
        self.push(entry.flags(Flags::SKIP_SUCCESS).user_data(DATA_SILENT));
    }

    pub(crate) fn cancel_everything(&mut self) {
        self.push_silent(opcode::AsyncCancel2::new(CancelBuilder::any()).build());
    }
}

/// The operations of a ring. Each is queued at once and reaches the kernel with the next turn (or
/// before, when the submission queue is full); its completions carry the caller's token.
///
/// The descriptor must stay open until then: [`Queue::close`] is the way to close it.
pub struct Queue<'ring> {
    core: &'ring mut Core,
}

impl<'ring> Queue<'ring> {
    pub(crate) fn new(core: &'ring mut Core) -> Self {
        Self { core }
    }

    /// Accepts connections until cancelled or failed: `Accepted` each, `AcceptEnded` at last.
    pub fn accept_multishot(&mut self, listener: impl AsFd, token: Token) -> OpId {
        self.core.begin(listener.as_fd().as_raw_fd(), token, Op::Accept)
    }

    /// Connects a socket that is not connected yet; `Connected` says whether it is. After an error
    /// the socket is of no further use: close it. How long that may take is the kernel's decision,
    /// unless the caller cancels. One allocation, for the address.
    pub fn connect(&mut self, socket: impl AsFd, address: SocketAddr, token: Token) -> OpId {
        let address = Box::new(address.into());
        self.core.begin(socket.as_fd().as_raw_fd(), token, Op::Connect { address })
    }

    /// Receives until the peer ends, an error, or a cancel: `Received` each, then one of
    /// `ReceiveClosed`, `ReceiveFailed`, `ReceiveCancelled`. A lack of buffers does not end it: the
    /// ring rearms the receive. One at a time for a connection.
    pub fn recv_multishot(&mut self, connection: impl AsFd, token: Token) -> OpId {
        self.core.begin(connection.as_fd().as_raw_fd(), token, Op::Receive)
    }

    /// Sends all of `buffer`, continuing short sends; `Sent` gives it back empty, with its
    /// capacity. One at a time for a connection, or a short send mixes with the next.
    pub fn send(&mut self, connection: impl AsFd, buffer: Vec<u8>, token: Token) -> OpId {
        self.core.begin(connection.as_fd().as_raw_fd(), token, Op::Send { buffer, done: 0 })
    }

    /// Writes all of `buffer` at `offset` of a file; `Written` gives it back. With direct I/O the
    /// caller keeps address, length and offset aligned.
    pub fn write_at(
        &mut self,
        file: impl AsFd,
        buffer: Box<dyn StableBuf>,
        offset: u64,
        token: Token,
    ) -> OpId {
        let op = Op::Write { buffer, offset, done: 0 };
        self.core.begin(file.as_fd().as_raw_fd(), token, op)
    }

    /// Makes what has been *written* durable (`fdatasync`): queue it after `Written`, not before.
    pub fn flush(&mut self, file: impl AsFd, token: Token) -> OpId {
        self.core.begin(file.as_fd().as_raw_fd(), token, Op::Flush)
    }

    /// Requests an early end of an operation. Its own last completion says what became of it, and
    /// what happened before is still reported first. Does nothing if it has completed already.
    pub fn cancel(&mut self, id: OpId) {
        let Some(slot) = self.core.slots.find(id) else { return };
        slot.cancelled = true;
        self.core.push_silent(opcode::AsyncCancel::new(id.0).build());
    }

    /// Cancels all operations on `fd` and closes it; bytes still unsent are dropped. Each operation
    /// has its last completion as after a cancel; the close itself reports nothing.
    ///
    /// The kernel looks at every operation in flight for that: where there are thousands of
    /// connections, [`Self::close_after`] is the way.
    pub fn close(&mut self, fd: OwnedFd) {
        let fd = self.end_epoch(fd);
        let cancel = CancelBuilder::fd(Fd(fd)).all();
        // In this order in the submission queue, and executed so.
        self.core.push_silent(opcode::AsyncCancel2::new(cancel).build());
        self.core.push_silent(opcode::Close::new(Fd(fd)).build());
    }

    /// As [`Self::close`], where the caller knows the operations that are in flight on `fd`: these,
    /// which may have completed meanwhile, and no others. The cost does not depend on how many
    /// there are on other descriptors.
    pub fn close_after(&mut self, fd: OwnedFd, operations: impl IntoIterator<Item = OpId>) {
        let fd = self.end_epoch(fd);
        for id in operations {
            self.cancel(id);
        }
        self.core.push_silent(opcode::Close::new(Fd(fd)).build());
    }

    /// The descriptor's number, on which nothing is armed or continued any more.
    fn end_epoch(&mut self, fd: OwnedFd) -> RawFd {
        let fd = fd.into_raw_fd();
        let index = fd as usize;
        if self.core.fd_epochs.len() <= index {
            self.core.fd_epochs.resize(index + 1, 0);
        }
        self.core.fd_epochs[index] = self.core.fd_epochs[index].wrapping_add(1);
        fd
    }

    /// How many operations are in flight (a multishot one counts once).
    pub fn in_flight(&self) -> usize {
        self.core.slots.live()
    }
}
