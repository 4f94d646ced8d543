//! Why a ring could not be made or entered.

use crate::Errno;
use std::fmt;

/// Why a ring could not be made or entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingError {
    /// `io_uring` is disabled: by the sysctl, or by a container's seccomp profile.
    Forbidden(Errno),
    /// The kernel refused memory for the ring (`ENOMEM`).
    Memory,
    /// No file descriptor left (`EMFILE`, `ENFILE`).
    Descriptors(Errno),
    /// The kernel is older than 5.19.
    KernelTooOld,
    /// A number of the configuration is out of bounds.
    Config {
        /// Which one.
        name: &'static str,
        /// Its value.
        value: u64,
    },
    /// Anything else that `io_uring_setup` or a registration answered.
    Setup(Errno),
    /// `io_uring_enter` failed in a way that cannot be retried.
    Enter(Errno),
}

impl RingError {
    pub(crate) fn of_setup(errno: Errno) -> Self {
        match errno {
            Errno::ENOSYS | Errno::EPERM | Errno::EACCES => Self::Forbidden(errno),
            Errno::ENOMEM => Self::Memory,
            Errno::EMFILE | Errno::ENFILE => Self::Descriptors(errno),
            _ => Self::Setup(errno),
        }
    }
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden(errno) => write!(
                f,
                "io_uring is not allowed here ({errno}). On the host: `sysctl -w \
                 kernel.io_uring_disabled=0` (1 allows only members of kernel.io_uring_group and \
                 CAP_SYS_ADMIN). In a container: use a seccomp profile that allows io_uring_setup, \
                 io_uring_enter and io_uring_register, for example `--security-opt \
                 seccomp=unconfined`"
            ),
            Self::Memory => write!(
                f,
                "the kernel refused the memory of an io_uring (ENOMEM). Raise the limit on locked \
                 memory: `ulimit -l unlimited`, LimitMEMLOCK=infinity in a systemd unit, or \
                 `--ulimit memlock=-1` for a container; or ask for fewer entries"
            ),
            Self::Descriptors(errno) => {
                write!(f, "no file descriptor left for an io_uring ({errno}): raise `ulimit -n`")
            }
            Self::KernelTooOld => write!(
                f,
                "this kernel's io_uring is too old: Linux 5.19 is needed, 6.1 or newer recommended"
            ),
            Self::Config { name, value } => {
                write!(f, "{name} = {value} is out of bounds for an io_uring")
            }
            Self::Setup(errno) => write!(f, "io_uring could not be set up: {errno}"),
            Self::Enter(errno) => write!(f, "io_uring_enter failed: {errno}"),
        }
    }
}

impl std::error::Error for RingError {}
