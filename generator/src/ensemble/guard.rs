//! A server's first moment: it asks the kernel to be killed with the generator, and becomes the
//! server.
//!
//! The generator cannot do that for its children, and its own end may be one that it does not
//! notice. So it starts itself, with `--guarded` and the words of the command, which replaces it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

use crate::error::BenchError;

/// Becomes the command, whose words follow the number of the generator's process; returns only if
/// that fails.
pub(crate) fn exec(words: &[OsString]) -> BenchError {
    let [generator, words @ ..] = words else { return BenchError::Guarded };
    let generator = generator.to_str().and_then(|word| word.parse().ok());
    let (Some(generator), false) = (generator, words.is_empty()) else {
        return BenchError::Guarded;
    };
    let failed = |source| BenchError::Start { command: words[0].clone(), source };
    if let Err(errno) = set_pdeathsig(Signal::SIGKILL) {
        return failed(errno.into());
    }
    // The generator may have ended before the kernel knew.
    if getppid() != Pid::from_raw(generator) {
        return BenchError::Interrupted { signal: "the end of the generator" };
    }
    failed(Command::new(&words[0]).args(&words[1..]).exec())
}
