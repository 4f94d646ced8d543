//! What a connection sends.

use std::mem;

/// Requests to be sent to the server: those of a turn are sent together, and while that send is in
/// flight the next ones are collected. Two buffers alternate, so nothing is allocated in steady
/// state.
///
/// Invariant: at most one send is in flight. A loop keeps a list of the connections that have
/// something to send; `is_listed` says whether this one is on it.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// Requests that wait for the send in flight.
    pending: Vec<u8>,
    /// The buffer of the last send, to be used by the next but one.
    spare: Vec<u8>,
    is_sending: bool,
    is_listed: bool,
}

impl Outgoing {
    /// Where the next requests are appended.
    #[inline]
    pub(crate) fn pending(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    /// Whether the connection has to be put on the list now: it has something to send, and is not
    /// on it.
    #[inline]
    pub(crate) fn needs_listing(&mut self) -> bool {
        let is_new = !self.pending.is_empty() && !self.is_listed;
        self.is_listed |= is_new;
        is_new
    }

    /// The connection was taken off the list.
    #[inline]
    pub(crate) fn unlisted(&mut self) {
        self.is_listed = false;
    }

    /// What is to be sent now, if anything is and no send is in flight.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Vec<u8>> {
        if self.is_sending || self.pending.is_empty() {
            return None;
        }
        self.is_sending = true;
        Some(mem::replace(&mut self.pending, mem::take(&mut self.spare)))
    }

    /// A send has ended: returns its buffer, empty.
    #[inline]
    pub(crate) fn sent(&mut self, buffer: Vec<u8>) {
        self.is_sending = false;
        self.spare = buffer;
    }

    /// The connection has ended; what was to be sent on it is dropped.
    pub(crate) fn cut(&mut self) {
        self.pending.clear();
        self.is_sending = false;
    }
}

#[cfg(test)]
mod tests {
    use super::Outgoing;

    #[test]
    fn one_send_is_in_flight_and_the_rest_waits() {
        let mut outgoing = Outgoing::default();
        assert!(!outgoing.needs_listing() && outgoing.take().is_none());
        outgoing.pending().push(1);
        assert!(outgoing.needs_listing() && !outgoing.needs_listing());
        outgoing.unlisted();
        let mut buffer = outgoing.take().unwrap();
        let place = buffer.as_ptr();
        assert_eq!(buffer, [1]);
        outgoing.pending().push(2);
        assert!(outgoing.needs_listing() && outgoing.take().is_none());
        buffer.clear();
        outgoing.sent(buffer);
        assert_eq!(outgoing.take(), Some(vec![2]));
        outgoing.pending().push(3);
        assert_eq!(outgoing.pending().as_ptr(), place, "the buffers alternate");
        outgoing.cut();
        assert!(outgoing.take().is_none());
        outgoing.pending().push(4);
        assert_eq!(outgoing.take(), Some(vec![4]), "the next connection starts empty");
    }
}
