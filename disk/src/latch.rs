//! The latch: the first error is final.
//!
//! After a failed write or flush the kernel marks the pages clean, and a second flush that succeeds
//! says nothing about them. So nothing is retried: the reason is kept, every later call returns it,
//! and the server stops acknowledging.

use std::cell::OnceCell;

/// Open until the first error, then closed with its reason forever.
#[derive(Debug)]
pub struct Latch<E> {
    reason: OnceCell<E>,
}

impl<E: Clone> Latch<E> {
    /// An open latch.
    pub const fn new() -> Self {
        Self { reason: OnceCell::new() }
    }

    /// The first error, if there was one.
    pub fn check(&self) -> Result<(), E> {
        match self.reason.get() {
            None => Ok(()),
            Some(reason) => Err(reason.clone()),
        }
    }

    /// Closes the latch with `error` unless it is closed; returns the first reason.
    pub fn close(&self, error: E) -> E {
        self.reason.get_or_init(|| error).clone()
    }

    /// The reason it is closed for.
    pub fn reason(&self) -> Option<&E> {
        self.reason.get()
    }
}

impl<E: Clone> Default for Latch<E> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays() {
        let latch = Latch::new();
        assert_eq!(latch.check(), Ok(()));
        assert_eq!(latch.close("first"), "first");
        assert_eq!(latch.close("second"), "first");
        assert_eq!(latch.check(), Err("first"));
    }
}
