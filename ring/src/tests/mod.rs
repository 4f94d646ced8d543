//! A ring against real sockets and files, at every level of flags.

mod connecting;
mod dropping;
mod files;
mod sockets;
mod waking;

use crate::{Completion, FlagsMax, Ring, RingConfig, Wait};
use std::time::Duration;

/// Every variant that an older kernel would grant.
pub(super) fn variants() -> Vec<RingConfig> {
    let mut variants = Vec::new();
    for flags_max in FlagsMax::DESCENDING {
        for multishot_receive in [true, false] {
            variants.push(RingConfig {
                flags_max,
                multishot_receive,
                receive_buffers: 16,
                ..RingConfig::default()
            });
        }
    }
    variants
}

/// Turns until `done` returns true; 10 s without a completion fail the test.
pub(super) fn until(
    ring: &mut Ring,
    mut report: impl FnMut(&mut crate::Queue<'_>, Completion<'_>) -> bool,
) {
    let mut done = false;
    while !done {
        ring.turn(Wait::Until(Duration::from_secs(10))).unwrap();
        let count = ring.completions(|queue, completion| done |= report(queue, completion));
        assert!(count > 0, "nothing happened");
    }
}

/// Bytes that encode their position.
pub(super) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 31 + index / 251) as u8).collect()
}

#[test]
fn levels_are_as_requested() {
    for config in variants() {
        let ring = Ring::new(&config).unwrap();
        let features = ring.features();
        assert_eq!(features.flags, config.flags_max);
        let has_it = config.multishot_receive && config.flags_max >= FlagsMax::SingleIssuer;
        assert_eq!(features.multishot_receive, has_it);
        assert!(features.to_string().starts_with("io_uring: "));
    }
}

#[test]
fn numbers_out_of_bounds_are_refused() {
    let good = RingConfig::default();
    for bad in [
        RingConfig { entries: 0, ..good.clone() },
        RingConfig { cq_entries: 16, ..good.clone() },
        RingConfig { receive_buffers: 1_000, ..good.clone() },
        RingConfig { receive_buffer_bytes: 0, ..good.clone() },
    ] {
        assert!(matches!(Ring::new(&bad), Err(crate::RingError::Config { .. })), "{bad:?}");
    }
}

#[test]
fn errors_say_how_to_allow_it() {
    use crate::{Errno, RingError};
    let forbidden = RingError::of_setup(Errno::EPERM).to_string();
    assert!(forbidden.contains("io_uring_disabled") && forbidden.contains("seccomp"));
    assert!(RingError::of_setup(Errno::ENOMEM).to_string().contains("ulimit -l"));
    assert!(RingError::KernelTooOld.to_string().contains("5.19"));
}

#[test]
fn an_idle_turn_makes_no_system_call() {
    for config in variants() {
        let mut ring = Ring::new(&config).unwrap();
        for _ in 0..10 {
            ring.turn(Wait::No).unwrap();
            assert_eq!(ring.completions(|_, _| {}), 0);
        }
        assert_eq!(ring.counters().enters, 0);
        ring.turn(Wait::Until(Duration::from_millis(1))).unwrap();
        assert_eq!(ring.counters().enters, 1);
    }
}
