//! The addresses that connections come from.
//!
//! Servers limit the connections of one address (maxClientCnxns, 60 unless configured), as no
//! program opens many. A generator stands for many programs, and this machine has many loopback
//! addresses, so connections to one of those come from several.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    self, AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrStorage, setsockopt, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use super::limits::{ANSWER_WAIT, SOURCE_CONNECTIONS_MAX};

/// The source address of connection `number` to `server`, if that is not left to the kernel.
fn source(server: SocketAddr, number: usize) -> Option<Ipv4Addr> {
    let IpAddr::V4(address) = server.ip() else { return None };
    let step = u32::try_from(number / SOURCE_CONNECTIONS_MAX).unwrap_or(0);
    let source = Ipv4Addr::from(Ipv4Addr::LOCALHOST.to_bits() + step);
    (address.is_loopback() && step > 0).then_some(source)
}

/// A socket for connection `number`.
pub(super) fn socket(server: SocketAddr, number: usize, flags: SockFlag) -> io::Result<OwnedFd> {
    let family = if server.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket::socket(family, SockType::Stream, flags | SockFlag::SOCK_CLOEXEC, None)?;
    if let Some(source) = source(server, number) {
        // The port is chosen when connecting, as without an address.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        let [a, b, c, d] = source.octets();
        socket::bind(socket.as_raw_fd(), &SockaddrIn::new(a, b, c, d, 0))?;
    }
    Ok(socket)
}

/// Connects, and waits until it is connected.
pub(super) fn connect(server: SocketAddr, number: usize) -> io::Result<TcpStream> {
    let socket = socket(server, number, SockFlag::empty())?;
    let wait = TimeVal::milliseconds(ANSWER_WAIT.as_millis() as i64);
    setsockopt(&socket, sockopt::SendTimeout, &wait)?;
    socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(server))?;
    setsockopt(&socket, sockopt::SendTimeout, &TimeVal::zero())?;
    Ok(TcpStream::from(socket))
}

#[cfg(test)]
mod tests {
    use super::source;

    #[test]
    fn connections_to_this_machine_come_from_many_addresses() {
        let of = |server: &str, number| source(server.parse().unwrap(), number);
        assert_eq!(of("127.0.0.1:2181", 49), None);
        assert_eq!(of("127.0.0.1:2181", 50), Some([127, 0, 0, 2].into()));
        assert_eq!(of("127.0.0.1:2181", 59_999), Some([127, 0, 4, 176].into()));
        assert_eq!(of("192.0.2.1:2181", 59_999), None);
        assert_eq!(of("[::1]:2181", 59_999), None);
    }
}
