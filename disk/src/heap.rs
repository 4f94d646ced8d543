//! Memory that was freed and lies unused in the heap.
//!
//! Freed memory lies between memory still in use, and the allocator keeps it: a server would stay
//! as large as its highest load has made it.

/// Returns whole free pages of the heap to the kernel. Takes milliseconds where there are many,
/// during which other threads' allocations may wait: not for a core loop.
pub fn give_back() {
    // SAFETY: callable by any thread at any time; it touches nothing but free memory, under the
    // allocator's own locks.
    #[cfg(target_env = "gnu")]
    unsafe {
        nix::libc::malloc_trim(0);
    }
}
