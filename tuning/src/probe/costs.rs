//! What the machine's own steps cost: a clock read, a system call, a wake of another thread.

use nix::sys::eventfd::{EfdFlags, EventFd};
use serde::Serialize;
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

/// Costs in nanoseconds, each the median of several rounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Costs {
    /// A read of the monotonic clock.
    pub clock_read_ns: u64,
    /// The cheapest system call.
    pub system_call_ns: u64,
    /// From a thread that writes to an eventfd to one that waited for it, and back, halved.
    pub wake_ns: u64,
}

const ROUNDS: usize = 9;
const STEPS: u32 = 2_000;

impl Costs {
    /// Measures them; takes about a tenth of a second.
    ///
    /// # Errors
    /// There can be no eventfd, or no thread.
    pub fn measure() -> io::Result<Self> {
        Ok(Self {
            clock_read_ns: median(|| {
                each(STEPS, || {
                    black_box(Instant::now());
                })
            }),
            system_call_ns: median(|| {
                each(STEPS, || {
                    black_box(nix::unistd::getppid());
                })
            }),
            wake_ns: wake()?,
        })
    }
}

fn each(steps: u32, mut step: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..steps {
        step();
    }
    start.elapsed() / steps
}

fn median(mut round: impl FnMut() -> Duration) -> u64 {
    let mut found: Vec<u64> = (0..ROUNDS).map(|_| round().as_nanos() as u64).collect();
    found.sort_unstable();
    found[ROUNDS / 2]
}

/// Two threads that wake each other in turn.
fn wake() -> io::Result<u64> {
    const TURNS: u32 = 200;
    const TOTAL: u32 = TURNS * ROUNDS as u32;
    let event = || EventFd::from_flags(EfdFlags::EFD_CLOEXEC).map_err(io::Error::from);
    let (ping, pong) = (event()?, event()?);
    std::thread::scope(|scope| {
        let answer = || -> nix::Result<()> {
            for _ in 0..TOTAL {
                ping.read()?;
                pong.write(1)?;
            }
            Ok(())
        };
        let answering = std::thread::Builder::new().spawn_scoped(scope, answer)?;
        let mut failure = None;
        let found = median(|| {
            each(TURNS, || {
                let turned = ping.write(1).and_then(|_| pong.read());
                failure = failure.or(turned.err());
            }) / 2
        });
        let answered = answering.join().expect("it does not panic");
        match failure.or(answered.err()) {
            Some(errno) => Err(errno.into()),
            None => Ok(found),
        }
    })
}
