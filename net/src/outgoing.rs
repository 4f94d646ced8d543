//! Sockets that this server connects, and their options.

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socket, sockopt};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// A socket that can be connected to `address`: blocking, as the ring wants it, without delay, and
/// probing a silent peer if `keep_alive`.
pub fn unconnected(address: SocketAddr, keep_alive: bool) -> Result<OwnedFd, Errno> {
    let fd = stream_socket(address)?;
    setsockopt(&fd, sockopt::TcpNoDelay, &true)?;
    setsockopt(&fd, sockopt::KeepAlive, &keep_alive)?;
    Ok(fd)
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
            for keep_alive in [false, true] {
                let fd = match unconnected(address.parse().unwrap(), keep_alive) {
                    // A machine without IPv6.
                    Err(Errno::EAFNOSUPPORT) => continue,
                    fd => fd.unwrap(),
                };
                assert!(getsockopt(&fd, sockopt::TcpNoDelay).unwrap());
                assert_eq!(getsockopt(&fd, sockopt::KeepAlive).unwrap(), keep_alive);
                let flags = FdFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFD).unwrap());
                assert!(flags.contains(FdFlag::FD_CLOEXEC));
                let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL).unwrap());
                assert!(!flags.contains(OFlag::O_NONBLOCK));
            }
        }
    }
}
