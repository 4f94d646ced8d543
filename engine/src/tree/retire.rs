//! Freeing what no version in use sees any more, a bounded amount per turn.

use super::entry::{Kind, TrieEntry};
use super::head::Tree;
use super::version::{PINS_MAX, POSITION_GONE};
use std::sync::atomic::Ordering;

/// Replaced entries, in blocks so that a long list never moves.
#[derive(Default)]
pub(super) struct DeadList {
    full: Vec<Vec<TrieEntry>>,
    last: Vec<TrieEntry>,
}

const BLOCK_ENTRIES: usize = 1024;

impl DeadList {
    pub(super) fn push(&mut self, entry: TrieEntry) {
        if self.last.len() == BLOCK_ENTRIES {
            let full = std::mem::replace(&mut self.last, Vec::with_capacity(BLOCK_ENTRIES));
            self.full.push(full);
        }
        self.last.push(entry);
    }

    pub(super) fn pop(&mut self) -> Option<TrieEntry> {
        if self.last.is_empty() {
            self.last = self.full.pop()?;
        }
        self.last.pop()
    }

    pub(super) fn len(&self) -> usize {
        self.full.len() * BLOCK_ENTRIES + self.last.len()
    }

    fn is_empty(&self) -> bool {
        self.last.is_empty() && self.full.is_empty()
    }
}

impl<M> Tree<M> {
    /// What the newest sealed version is the last to see.
    pub(super) fn newest_dead(&mut self) -> &mut DeadList {
        &mut self.memory.versions.back_mut().expect("there is always a version").dead
    }

    /// Notes that the head no longer reaches `entry`.
    pub(super) fn retire(&mut self, entry: TrieEntry) {
        let birth = entry.birth();
        if birth > self.floor {
            return self.free_block(entry);
        }
        if let Some(multi) = &mut self.multi {
            let newest = self.memory.versions.back().expect("there is always a version");
            if birth > newest.version().number {
                return multi.dead.push(entry);
            }
        }
        self.retired_bytes += entry.block_bytes();
        self.newest_dead().push(entry);
    }

    /// Frees an unreachable block.
    pub(super) fn free_block(&mut self, entry: TrieEntry) {
        let bytes = entry.block_bytes();
        if entry.kind() == Kind::Record && entry.birth() == 0 {
            self.memory.images.release(entry.as_record());
        } else {
            // SAFETY: allocated with this size by this tree, as everything that has a birth.
            unsafe { self.memory.slab.free(entry.address(), bytes) };
        }
    }

    /// Frees what no reader can see any more, at most `budget` entries, and copies survivors out of
    /// images that are mostly dead. Returns how many entries it processed; 0 if nothing is left to
    /// do until a reader moves or a batch is published.
    ///
    /// # Panics
    /// Inside a multi.
    pub fn reclaim(&mut self, budget: usize) -> usize {
        assert!(self.multi.is_none(), "memory is reclaimed outside of multis");
        let keep_from = self.slowest_reader();
        // After the positions: a reader pins its version before it moves on.
        let mut pinned = [0; PINS_MAX];
        let mut pinned_count = 0;
        for pin in &self.shared.pins {
            let number = pin.load(Ordering::Acquire);
            if number != 0 {
                pinned[pinned_count] = number;
                pinned_count += 1;
            }
        }
        let pinned = &pinned[..pinned_count];
        let mut done = 0;
        let (mut at, mut older) = (0, None);
        while done < budget {
            let number = self.memory.versions[at].version().number;
            if number >= keep_from {
                break;
            }
            if pinned.contains(&number) {
                older = Some(at);
                at += 1;
                continue;
            }
            done += self.drain(at, older, budget - done);
            if self.memory.versions[at].dead.is_empty() {
                let kept = self.memory.versions.remove(at).expect("just looked at");
                // SAFETY: older than every reader and not pinned; no reader can reach it any more.
                unsafe { self.memory.discard(kept) };
                done += 1;
            }
        }
        if done < budget {
            done += self.evacuate(budget - done);
        }
        done
    }

    /// Processes entries on the list of an unused version: frees them, or hands them to the next
    /// older version in use.
    fn drain(&mut self, at: usize, older: Option<usize>, budget: usize) -> usize {
        for done in 0..budget {
            let Some(entry) = self.memory.versions[at].dead.pop() else { return done };
            if let Some(older) = older {
                let older = &mut self.memory.versions[older];
                if older.version().number >= entry.birth() {
                    older.dead.push(entry);
                    continue;
                }
            }
            self.retired_bytes -= entry.block_bytes();
            self.free_block(entry);
        }
        budget
    }

    /// The oldest version that a reader may be at or reach.
    fn slowest_reader(&mut self) -> u64 {
        let mut slowest = self.published;
        self.positions.retain(|position| {
            // Acquire: the reader's use of older versions is over.
            let number = position.0.load(Ordering::Acquire);
            slowest = slowest.min(number);
            number != POSITION_GONE
        });
        slowest
    }
}
