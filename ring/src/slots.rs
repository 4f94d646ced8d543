//! What is in flight: one slot per operation, reused.

use crate::StableBuf;
use crate::limits::OPERATIONS_MAX;
use nix::sys::socket::SockaddrStorage;
use std::os::fd::RawFd;

/// A caller's own name for an operation; comes back with each of its completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// The ring's name for one operation in flight, for cancelling it. Stale ones do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpId(pub(crate) u64);

/// What the kernel works on, with the memory that it may touch.
pub(crate) enum Op {
    Free {
        next: u32,
    },
    Accept,
    /// Boxed: slots move when there are more of them.
    Connect {
        address: Box<SockaddrStorage>,
    },
    Receive,
    Send {
        buffer: Vec<u8>,
        done: usize,
    },
    Write {
        buffer: Box<dyn StableBuf>,
        offset: u64,
        done: usize,
    },
    Flush,
}

pub(crate) struct Slot {
    pub(crate) token: Token,
    pub(crate) fd: RawFd,
    /// How often this descriptor number had been closed when the operation began.
    pub(crate) fd_epoch: u32,
    generation: u32,
    /// Not to be rearmed or continued.
    pub(crate) cancelled: bool,
    pub(crate) op: Op,
}

const NONE: u32 = u32::MAX;

/// Lives in: the ring's thread. Invariant: `live` = slots whose op is not `Free`.
pub(crate) struct Slots {
    entries: Vec<Slot>,
    free: u32,
    live: usize,
}

impl Slots {
    pub(crate) fn new() -> Self {
        Self { entries: Vec::new(), free: NONE, live: 0 }
    }

    pub(crate) fn live(&self) -> usize {
        self.live
    }

    pub(crate) fn insert(&mut self, token: Token, fd: RawFd, fd_epoch: u32, op: Op) -> OpId {
        self.live += 1;
        if self.free == NONE {
            let index = self.entries.len();
            assert!(index < OPERATIONS_MAX, "too many operations in flight");
            let generation = 0;
            self.entries.push(Slot { token, fd, fd_epoch, generation, cancelled: false, op });
            return OpId(index as u64);
        }
        let index = self.free;
        let slot = &mut self.entries[index as usize];
        let Op::Free { next } = slot.op else { unreachable!("a slot of the free list is free") };
        self.free = next;
        *slot = Slot { token, fd, fd_epoch, generation: slot.generation, cancelled: false, op };
        OpId(u64::from(slot.generation) << 32 | u64::from(index))
    }

    pub(crate) fn find(&mut self, id: OpId) -> Option<&mut Slot> {
        let slot = self.entries.get_mut(id.0 as u32 as usize)?;
        let is_same = slot.generation == (id.0 >> 32) as u32 && !matches!(slot.op, Op::Free { .. });
        is_same.then_some(slot)
    }

    /// Frees the slot and returns what it held. The kernel must be done with the operation.
    ///
    /// # Panics
    /// If the operation is not in flight.
    pub(crate) fn remove(&mut self, id: OpId) -> Op {
        let next = self.free;
        let slot = self.find(id).expect("only an operation in flight completes");
        slot.generation = slot.generation.wrapping_add(1);
        let op = std::mem::replace(&mut slot.op, Op::Free { next });
        self.free = id.0 as u32;
        self.live -= 1;
        op
    }
}
