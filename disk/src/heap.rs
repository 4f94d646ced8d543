//! Memory that was freed and lies idle in the heap.
//!
//! What is freed lies between what is still in use, and the allocator keeps it: a server would stay
//! as large as its largest crowd has made it.

/// Gives whole free pages of the heap back to the kernel. Milliseconds where there are many, during
/// which other threads' allocations may wait: not for a core loop.
pub fn give_back() {
    // SAFETY: callable by any thread at any time; it touches nothing but free memory, under the
    // allocator's own locks.
    #[cfg(target_env = "gnu")]
    unsafe {
        nix::libc::malloc_trim(0);
    }
}
