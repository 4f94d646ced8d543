//! Making a ring, degrading flag by flag.

use crate::config::{Features, FlagsMax, RingConfig};
use crate::limits::{
    CQ_ENTRIES_MAX, ENTRIES_MAX, ENTRIES_MIN, RECEIVE_BUFFER_BYTES_MAX, RECEIVE_BUFFERS_MAX,
};
use crate::{Errno, RingError};
use io_uring::IoUring;
use std::io;

pub(crate) fn errno_of(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32))
}

pub(crate) fn check(config: &RingConfig) -> Result<(), RingError> {
    let bad = |name, value: u64| Err(RingError::Config { name, value });
    if !(ENTRIES_MIN..=ENTRIES_MAX).contains(&config.entries) {
        return bad("entries", config.entries.into());
    }
    if !(config.entries..=CQ_ENTRIES_MAX).contains(&config.cq_entries) {
        return bad("cq_entries", config.cq_entries.into());
    }
    if !config.receive_buffers.is_power_of_two() || config.receive_buffers > RECEIVE_BUFFERS_MAX {
        return bad("receive_buffers", config.receive_buffers.into());
    }
    if !(1..=RECEIVE_BUFFER_BYTES_MAX).contains(&config.receive_buffer_bytes) {
        return bad("receive_buffer_bytes", config.receive_buffer_bytes.into());
    }
    Ok(())
}

/// A ring with the best flags that both `config` and the kernel allow.
pub(crate) fn build(config: &RingConfig) -> Result<(IoUring, Features), RingError> {
    check(config)?;
    for flags in FlagsMax::DESCENDING {
        if flags > config.flags_max {
            continue;
        }
        match build_with(config, flags) {
            Ok(io) => return finish(io, config, flags),
            // An unknown flag is answered this way; the bounds of the numbers were checked above.
            Err(Errno::EINVAL) => {}
            Err(errno) => return Err(RingError::of_setup(errno)),
        }
    }
    Err(RingError::KernelTooOld)
}

fn build_with(config: &RingConfig, flags: FlagsMax) -> Result<IoUring, Errno> {
    let mut builder = IoUring::builder();
    builder.dontfork().setup_cqsize(config.cq_entries).setup_submit_all().setup_taskrun_flag();
    if config.is_polled {
        builder.setup_iopoll();
    }
    match flags {
        FlagsMax::DeferTaskrun => builder.setup_single_issuer().setup_defer_taskrun(),
        FlagsMax::SingleIssuer => builder.setup_single_issuer().setup_coop_taskrun(),
        FlagsMax::CoopTaskrun => builder.setup_coop_taskrun(),
    };
    builder.build(config.entries).map_err(|error| errno_of(&error))
}

fn finish(
    io: IoUring,
    config: &RingConfig,
    flags: FlagsMax,
) -> Result<(IoUring, Features), RingError> {
    let params = io.params();
    // No lost completions, and a timeout in the wait: both older than the floor, both relied on.
    if !params.is_feature_nodrop() || !params.is_feature_ext_arg() {
        return Err(RingError::KernelTooOld);
    }
    let features = Features {
        flags,
        // Both came with Linux 6.0.
        multishot_receive: config.multishot_receive && flags >= FlagsMax::SingleIssuer,
        entries: params.sq_entries(),
        cq_entries: params.cq_entries(),
    };
    Ok((io, features))
}
