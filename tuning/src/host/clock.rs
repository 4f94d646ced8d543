//! The kernel's clock.

use nix::libc;

/// Whether something keeps the kernel's clock right; `None` if the kernel does not say so.
pub fn is_in_time() -> Option<bool> {
    // SAFETY: numbers only, of which none has to be anything but zero.
    let mut asked: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills in what this function owns; with no modes set it changes nothing.
    let state = unsafe { libc::adjtimex(&raw mut asked) };
    (state != -1).then_some(state != libc::TIME_ERROR)
}
