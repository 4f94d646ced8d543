//! Sockets that this server connects, and their options.

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socket, sockopt};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

/// How a connection behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Whether it probes a silent peer.
    pub keep_alive: bool,
    /// Whether it sends at once, however little.
    pub no_delay: bool,
    /// How long what was sent may be unacknowledged before the connection counts as broken, in ms;
    /// `None` for as long as the system tries.
    pub unacknowledged_ms: Option<u32>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { keep_alive: false, no_delay: true, unacknowledged_ms: None }
    }
}

/// A socket that can be connected to `address`: blocking, as the ring wants it.
pub fn unconnected(address: SocketAddr, options: SocketOptions) -> Result<OwnedFd, Errno> {
    let fd = stream_socket(address)?;
    setsockopt(&fd, sockopt::TcpNoDelay, &options.no_delay)?;
    setsockopt(&fd, sockopt::KeepAlive, &options.keep_alive)?;
    if let Some(limit_ms) = options.unacknowledged_ms {
        bound_unacknowledged(&fd, limit_ms)?;
    }
    Ok(fd)
}

/// A connection counts as broken when what was sent has not been acknowledged for so long.
pub fn bound_unacknowledged(fd: &impl AsFd, limit_ms: u32) -> Result<(), Errno> {
    setsockopt(fd, sockopt::TcpUserTimeout, &limit_ms)
}

/// A TCP socket of an address's family.
pub(crate) fn stream_socket(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
    use nix::sys::socket::getsockopt;

    #[test]
    fn an_unconnected_socket_has_the_options() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            for (keep_alive, no_delay) in [(false, true), (true, false)] {
                let unacknowledged_ms = keep_alive.then_some(1_500);
                let options = SocketOptions { keep_alive, no_delay, unacknowledged_ms };
                let fd = match unconnected(address.parse().unwrap(), options) {
                    // A machine without IPv6.
                    Err(Errno::EAFNOSUPPORT) => continue,
                    fd => fd.unwrap(),
                };
                assert_eq!(getsockopt(&fd, sockopt::TcpNoDelay).unwrap(), no_delay);
                assert_eq!(getsockopt(&fd, sockopt::KeepAlive).unwrap(), keep_alive);
                let limit_ms = getsockopt(&fd, sockopt::TcpUserTimeout).unwrap();
                assert_eq!(limit_ms, unacknowledged_ms.unwrap_or(0));
                let flags = FdFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFD).unwrap());
                assert!(flags.contains(FdFlag::FD_CLOEXEC));
                let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL).unwrap());
                assert!(!flags.contains(OFlag::O_NONBLOCK));
            }
        }
    }
}
