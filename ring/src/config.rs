//! What is requested of a ring, and what the kernel granted.

use std::fmt;

/// The highest set of flags to try. Lower ones serve old kernels, and testing for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlagsMax {
    /// `COOP_TASKRUN`: Linux 5.19, the floor.
    CoopTaskrun,
    /// With `SINGLE_ISSUER`, and multishot receive: Linux 6.0.
    SingleIssuer,
    /// With `DEFER_TASKRUN`: Linux 6.1.
    DeferTaskrun,
}

impl FlagsMax {
    pub(crate) const DESCENDING: [Self; 3] =
        [Self::DeferTaskrun, Self::SingleIssuer, Self::CoopTaskrun];
}

/// What is requested of a ring.
#[derive(Clone, Debug)]
pub struct RingConfig {
    /// Submission entries; rounded up to a power of two by the kernel.
    pub entries: u32,
    /// Completion entries, at least `entries`. More than that at once overflow into the kernel's
    /// memory, which is slower but loses nothing.
    pub cq_entries: u32,
    /// Provided receive buffers; a power of two.
    pub receive_buffers: u16,
    /// Bytes of each.
    pub receive_buffer_bytes: u32,
    /// The highest set of flags to try.
    pub flags_max: FlagsMax,
    /// Whether multishot receive may be used where the kernel has it.
    pub multishot_receive: bool,
    /// Whether a turn polls the device for completions, in place of its interrupts. Such a ring
    /// takes only direct reads and writes of files on devices with queues for it, and cannot
    /// `sleep`; all else ends with `EOPNOTSUPP` or `EINVAL`.
    pub is_polled: bool,
}

impl Default for RingConfig {
    fn default() -> Self {
        Self {
            entries: 1_024,
            cq_entries: 8_192,
            receive_buffers: 1_024,
            receive_buffer_bytes: 4_096,
            flags_max: FlagsMax::DeferTaskrun,
            multishot_receive: true,
            is_polled: false,
        }
    }
}

/// What the kernel granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// The set of flags in force.
    pub flags: FlagsMax,
    /// Whether a receive stays armed in the kernel; otherwise the ring rearms it each time.
    pub multishot_receive: bool,
    /// Submission entries.
    pub entries: u32,
    /// Completion entries.
    pub cq_entries: u32,
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = match self.flags {
            FlagsMax::DeferTaskrun => "single_issuer defer_taskrun",
            FlagsMax::SingleIssuer => "single_issuer coop_taskrun",
            FlagsMax::CoopTaskrun => "coop_taskrun",
        };
        let receive = if self.multishot_receive { "multishot" } else { "single-shot" };
        write!(
            f,
            "io_uring: {flags}, {receive} receive, {} submission and {} completion entries",
            self.entries, self.cq_entries
        )
    }
}
