//! Connects without waiting: a server that does not answer delays no other connection.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{SockFlag, SockaddrStorage};

use crate::source;

/// Starts to connect, as number `number` of the connections. Sends and receives wait in the ring
/// until it succeeds or fails.
pub(super) fn connect(address: SocketAddr, number: usize) -> io::Result<TcpStream> {
    let socket = source::socket(address, number, SockFlag::SOCK_NONBLOCK)?;
    let to = SockaddrStorage::from(address);
    match nix::sys::socket::connect(socket.as_raw_fd(), &to) {
        Ok(()) | Err(Errno::EINPROGRESS) => {}
        Err(errno) => return Err(errno.into()),
    }
    // The ring waits by itself, but only on blocking descriptors.
    fcntl(&socket, FcntlArg::F_SETFL(OFlag::empty()))?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}
