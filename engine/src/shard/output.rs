//! What waits to be sent: an output for each connection, with memory lent by the shard.
//!
//! Invariant: an output that was written to is among the dirty ones, once, until it is looked at
//! (guard: `tests::an_output_is_dirty_once`).
//!
//! Lives in: each shard; an output in each connection. Not here: how much may wait (`budget`).

use super::spare::SpareBuffers;

/// The output of one connection. An idle one holds no memory.
#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    is_dirty: bool,
}

impl Output {
    /// Bytes that wait.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Which outputs have something new, and spare memory.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    dirty: Vec<u32>,
    spare: SpareBuffers,
}

impl Outgoing {
    /// The output behind a slot, to be appended to.
    #[inline]
    pub(super) fn append<'a>(&mut self, slot: u32, output: &'a mut Output) -> &'a mut Vec<u8> {
        if !output.is_dirty {
            output.is_dirty = true;
            self.dirty.push(slot);
        }
        if output.bytes.capacity() == 0 {
            output.bytes = self.spare.take();
        }
        &mut output.bytes
    }

    /// Inserts a packet into the output behind a slot at the offset `at`.
    pub(super) fn insert(&mut self, slot: u32, output: &mut Output, at: usize, packet: Vec<u8>) {
        let bytes = self.append(slot, output);
        if bytes.is_empty() {
            self.spare.give(std::mem::replace(bytes, packet));
        } else {
            bytes.splice(at..at, packet);
        }
    }

    /// The slots of connections with something to send since the list was last taken.
    pub(super) fn dirty_mut(&mut self) -> &mut Vec<u32> {
        &mut self.dirty
    }

    /// A dirty output is looked at.
    #[inline]
    pub(super) fn clean(output: &mut Output) {
        output.is_dirty = false;
    }

    /// Takes what waits.
    #[inline]
    pub(super) fn take(output: &mut Output) -> Vec<u8> {
        std::mem::take(&mut output.bytes)
    }

    /// A buffer whose bytes have been sent, or never will be.
    #[inline]
    pub(super) fn recycle(&mut self, buffer: Vec<u8>) {
        self.spare.give(buffer);
    }

    /// Frees the memory that was not needed since the last time.
    pub(super) fn trim(&mut self) {
        self.spare.trim();
    }
}

#[cfg(test)]
mod tests {
    use super::{Outgoing, Output};

    #[test]
    fn an_output_is_dirty_once() {
        let (mut outgoing, mut output) = (Outgoing::default(), Output::default());
        outgoing.append(7, &mut output).extend_from_slice(b"one");
        outgoing.append(7, &mut output).extend_from_slice(b"two");
        assert_eq!(std::mem::take(outgoing.dirty_mut()), [7]);
        outgoing.append(7, &mut output).extend_from_slice(b"six");
        assert!(outgoing.dirty_mut().is_empty(), "it was not looked at yet");
        Outgoing::clean(&mut output);
        outgoing.append(7, &mut output);
        assert_eq!(*outgoing.dirty_mut(), [7]);
        assert_eq!((output.len(), Outgoing::take(&mut output)), (9, b"onetwosix".to_vec()));
    }

    #[test]
    fn a_packet_goes_to_its_place() {
        let (mut outgoing, mut output) = (Outgoing::default(), Output::default());
        outgoing.insert(7, &mut output, 0, b"two".to_vec());
        outgoing.append(7, &mut output).extend_from_slice(b"six");
        outgoing.insert(7, &mut output, 3, b"one".to_vec());
        assert_eq!(Outgoing::take(&mut output), b"twoonesix");
        assert_eq!(*outgoing.dirty_mut(), [7]);
    }
}
