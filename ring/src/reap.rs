//! Completions: from the kernel's entries to what a caller receives.

use crate::buffers::ReceiveBuffers;
use crate::queue::{Core, DATA_SILENT, DATA_WAKE, Queue};
use crate::ring::Ring;
use crate::slots::{Op, OpId, Token};
use crate::{Errno, StableBuf};
use io_uring::cqueue;
use std::fmt;
use std::os::fd::{FromRawFd, OwnedFd};

/// The result of an operation.
pub enum Completion<'bytes> {
    /// A connection; the listener stays armed.
    Accepted {
        /// Of the accept.
        token: Token,
        /// The connection: blocking, closed on exec. Close it with [`Queue::close`].
        fd: OwnedFd,
    },
    /// The accept is over, by an error (`EMFILE`, `ECONNABORTED`, ..) or a cancel (`ECANCELED`);
    /// the caller may rearm it.
    AcceptEnded {
        /// Of the accept.
        token: Token,
        /// Why.
        errno: Errno,
    },
    /// The socket is connected, or will not be.
    Connected {
        /// Of the connect.
        token: Token,
        /// Whether it is, or why not.
        result: Result<(), Errno>,
    },
    /// Bytes, at least one; the receive stays armed. The buffer goes back after the closure.
    Received {
        /// Of the receive.
        token: Token,
        /// As received.
        bytes: &'bytes [u8],
    },
    /// The peer sends no more; the receive is over.
    ReceiveClosed {
        /// Of the receive.
        token: Token,
    },
    /// The connection is broken; the receive is over.
    ReceiveFailed {
        /// Of the receive.
        token: Token,
        /// How.
        errno: Errno,
    },
    /// The receive was cancelled (or its descriptor closed) and is over.
    ReceiveCancelled {
        /// Of the receive.
        token: Token,
    },
    /// All was handed to the socket, or nothing more will be.
    Sent {
        /// Of the send.
        token: Token,
        /// Empty, with its capacity.
        buffer: Vec<u8>,
        /// Bytes sent: all of them.
        result: Result<usize, Errno>,
    },
    /// All was written, or an error.
    Written {
        /// Of the write.
        token: Token,
        /// As it was given.
        buffer: Box<dyn StableBuf>,
        /// Bytes written: all of them.
        result: Result<usize, Errno>,
    },
    /// The flush has ended.
    Flushed {
        /// Of the flush.
        token: Token,
        /// Whether all that was written before is durable.
        result: Result<(), Errno>,
    },
    /// A [`Waker`](crate::Waker) woke this ring.
    Woken,
}

impl Completion<'_> {
    /// The token of the operation; none if a waker caused this.
    #[inline]
    pub fn token(&self) -> Option<Token> {
        match self {
            Self::Accepted { token, .. }
            | Self::AcceptEnded { token, .. }
            | Self::Connected { token, .. }
            | Self::Received { token, .. }
            | Self::ReceiveClosed { token }
            | Self::ReceiveFailed { token, .. }
            | Self::ReceiveCancelled { token }
            | Self::Sent { token, .. }
            | Self::Written { token, .. }
            | Self::Flushed { token, .. } => Some(*token),
            Self::Woken => None,
        }
    }
}

impl fmt::Debug for Completion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { token, fd } => write!(f, "Accepted({}, {fd:?})", token.0),
            Self::AcceptEnded { token, errno } => write!(f, "AcceptEnded({}, {errno})", token.0),
            Self::Connected { token, result } => write!(f, "Connected({}, {result:?})", token.0),
            Self::Received { token, bytes } => {
                write!(f, "Received({}, {} bytes)", token.0, bytes.len())
            }
            Self::ReceiveClosed { token } => write!(f, "ReceiveClosed({})", token.0),
            Self::ReceiveFailed { token, errno } => {
                write!(f, "ReceiveFailed({}, {errno})", token.0)
            }
            Self::ReceiveCancelled { token } => write!(f, "ReceiveCancelled({})", token.0),
            Self::Sent { token, result, .. } => write!(f, "Sent({}, {result:?})", token.0),
            Self::Written { token, result, .. } => write!(f, "Written({}, {result:?})", token.0),
            Self::Flushed { token, result } => write!(f, "Flushed({}, {result:?})", token.0),
            Self::Woken => f.write_str("Woken"),
        }
    }
}

impl Ring {
    /// Reports all that has completed so far, in order, without a system call; returns how many
    /// completions the kernel had posted. The closure may queue further operations.
    pub fn completions<F>(&mut self, mut report: F) -> usize
    where
        F: FnMut(&mut Queue<'_>, Completion<'_>),
    {
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        batch.extend(self.core.io.completion());
        for entry in &batch {
            match entry.user_data() {
                DATA_SILENT => {}
                DATA_WAKE => {
                    self.sleeper.armed = false;
                    report(&mut Queue::new(&mut self.core), Completion::Woken);
                }
                _ => {
                    Reaper {
                        core: &mut self.core,
                        buffers: &mut self.buffers,
                        report: &mut report,
                    }
                    .reap(entry);
                }
            }
        }
        let count = batch.len();
        self.batch = batch;
        count
    }
}

/// One entry on its way to the caller.
struct Reaper<'ring, F> {
    core: &'ring mut Core,
    buffers: &'ring mut ReceiveBuffers,
    report: &'ring mut F,
}

impl<F> Reaper<'_, F>
where
    F: FnMut(&mut Queue<'_>, Completion<'_>),
{
    fn report(&mut self, completion: Completion<'_>) {
        (self.report)(&mut Queue::new(self.core), completion);
    }

    #[inline]
    fn reap(&mut self, entry: &cqueue::Entry) {
        let id = OpId(entry.user_data());
        let result = match entry.result() {
            error if error < 0 => Err(Errno::from_raw(-error)),
            result => Ok(result as usize),
        };
        let slot = self.core.slots.find(id).expect("the kernel completes what was queued");
        let token = slot.token;
        match &mut slot.op {
            Op::Free { .. } => unreachable!("a found slot is not free"),
            Op::Receive => self.reap_receive(id, token, result, entry.flags()),
            Op::Send { buffer, done } => {
                let total = buffer.len();
                let moved = advance(done, total, result);
                self.reap_transfer(id, token, moved, total);
            }
            Op::Write { buffer, done, .. } => {
                let total = buffer.len();
                let moved = advance(done, total, result);
                self.reap_transfer(id, token, moved, total);
            }
            Op::Connect { .. } => {
                self.core.slots.remove(id);
                self.report(Completion::Connected { token, result: result.map(drop) });
            }
            Op::Flush => {
                self.core.slots.remove(id);
                self.report(Completion::Flushed { token, result: result.map(drop) });
            }
            Op::Accept => self.reap_accept(id, token, result, entry.flags()),
        }
    }

    fn reap_receive(&mut self, id: OpId, token: Token, result: Result<usize, Errno>, flags: u32) {
        let buffer = cqueue::buffer_select(flags);
        if let (Some(buffer), Ok(len @ 1..)) = (buffer, result) {
            let bytes = self.buffers.bytes(buffer, len);
            (self.report)(&mut Queue::new(self.core), Completion::Received { token, bytes });
        }
        if let Some(buffer) = buffer {
            self.buffers.give_back(buffer);
        }
        if cqueue::more(flags) {
            return;
        }
        let end = match result {
            Ok(0) => Completion::ReceiveClosed { token },
            Err(Errno::ECANCELED) => Completion::ReceiveCancelled { token },
            // Out of buffers: those read in this turn are given back before the next.
            Ok(_) | Err(Errno::ENOBUFS | Errno::EINTR) => {
                self.core.buffers_exhausted += u64::from(result == Err(Errno::ENOBUFS));
                if self.core.resume(id) {
                    return;
                }
                Completion::ReceiveCancelled { token }
            }
            Err(errno) => Completion::ReceiveFailed { token, errno },
        };
        self.core.slots.remove(id);
        self.report(end);
    }

    /// A send or a write progressed, to its end or not.
    fn reap_transfer(&mut self, id: OpId, token: Token, moved: Result<bool, Errno>, total: usize) {
        let result = match moved {
            Ok(true) => Ok(total),
            Ok(false) => {
                self.core.transfers_short += 1;
                if self.core.resume(id) {
                    return;
                }
                Err(Errno::ECANCELED)
            }
            Err(errno) => Err(errno),
        };
        match self.core.slots.remove(id) {
            Op::Send { mut buffer, .. } => {
                buffer.clear();
                self.report(Completion::Sent { token, buffer, result });
            }
            Op::Write { buffer, .. } => self.report(Completion::Written { token, buffer, result }),
            _ => unreachable!("only sends and writes progress"),
        }
    }

    fn reap_accept(&mut self, id: OpId, token: Token, result: Result<usize, Errno>, flags: u32) {
        let more = cqueue::more(flags);
        let errno = match result {
            Ok(fd) => {
                // SAFETY: the kernel has just made this descriptor for us, and reports it once.
                let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
                self.report(Completion::Accepted { token, fd });
                if more || self.core.resume(id) {
                    return;
                }
                Errno::ECANCELED
            }
            Err(_) if more => return,
            Err(errno) => errno,
        };
        self.core.slots.remove(id);
        self.report(Completion::AcceptEnded { token, errno });
    }
}

/// Counts what a transfer moved; says whether that was all.
fn advance(done: &mut usize, total: usize, result: Result<usize, Errno>) -> Result<bool, Errno> {
    match result {
        // Interrupted before the first byte: retry.
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno),
        // Nothing moved although bytes were left: the file or socket takes no more.
        Ok(0) if *done < total => Err(Errno::EIO),
        Ok(moved) => {
            *done += moved;
            assert!(*done <= total, "the kernel moves no more than it was given");
            Ok(*done == total)
        }
    }
}
