//! Bytes of a link that are not yet taken.
//!
//! Invariant: what is held are bytes that have come, whatever length they announce (guard:
//! `tests::strangers::what_is_announced_is_not_allocated`).

use super::limits::KEPT_BYTES_MAX;

/// What has come over a link and is not taken yet.
#[derive(Debug, Default)]
pub struct Inbox {
    kept: Vec<u8>,
}

impl Inbox {
    /// Adds what was received and offers what is there to `take`, which says how many bytes at the
    /// front it has taken: none if it wants to see more first, or later. What was received is
    /// copied only if it is not taken.
    ///
    /// # Errors
    /// The first one of `take`: the link is of no further use.
    pub fn feed<E>(
        &mut self,
        received: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<Option<usize>, E>,
    ) -> Result<(), E> {
        if self.kept.is_empty() {
            let mut rest = received;
            while !rest.is_empty()
                && let Some(taken) = take(rest)?
            {
                rest = &rest[taken..];
            }
            self.kept.extend_from_slice(rest);
            return Ok(());
        }
        self.kept.extend_from_slice(received);
        let mut at = 0;
        while at < self.kept.len()
            && let Some(taken) = take(&self.kept[at..])?
        {
            at += taken;
        }
        self.kept.drain(..at);
        if self.kept.len() <= KEPT_BYTES_MAX && self.kept.capacity() > 2 * KEPT_BYTES_MAX {
            self.kept.shrink_to(KEPT_BYTES_MAX);
        }
        Ok(())
    }

    /// Bytes that are held.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Gives up the bytes that are held.
    pub fn into_bytes(self) -> Vec<u8> {
        self.kept
    }

    /// Memory that is held, in bytes.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.kept.capacity()
    }
}

impl From<Vec<u8>> for Inbox {
    fn from(kept: Vec<u8>) -> Self {
        Self { kept }
    }
}
