//! Listening sockets, and the options of what they accept.

#[cfg(test)]
mod tests;

use crate::limits::LISTEN_BACKLOG_DEFAULT;
use crate::outgoing::stream_socket;
use nix::errno::Errno;
use nix::libc::linger;
use nix::sys::socket::{
    AddressFamily, Backlog, SockaddrLike, SockaddrStorage, bind, getpeername, getsockname, listen,
    setsockopt, sockopt,
};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A port of every address, IPv4 and IPv6.
    All(u16),
    /// One address, or all of IPv4 alone.
    One(SocketAddr),
}

impl Endpoint {
    /// Of an address of a machine that has both families. As with stock, an unspecified address of
    /// either family means all of both.
    pub fn of(address: SocketAddr) -> Self {
        if address.ip().to_canonical().is_unspecified() {
            Self::All(address.port())
        } else {
            Self::One(address)
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(port) => write!(f, "port {port} of all addresses"),
            Self::One(address) => write!(f, "{address}"),
        }
    }
}

/// Why a server cannot listen, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindError {
    /// Another process listens there (`EADDRINUSE`).
    InUse(Endpoint),
    /// A port below 1,024 without the right to it (`EACCES`).
    NotAllowed(Endpoint),
    /// Not an address of this machine (`EADDRNOTAVAIL`).
    NotAvailable(Endpoint),
    /// Anything else.
    Other(Endpoint, Errno),
}

impl BindError {
    fn of(endpoint: Endpoint, errno: Errno) -> Self {
        match errno {
            Errno::EADDRINUSE => Self::InUse(endpoint),
            Errno::EACCES | Errno::EPERM => Self::NotAllowed(endpoint),
            Errno::EADDRNOTAVAIL => Self::NotAvailable(endpoint),
            errno => Self::Other(endpoint, errno),
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(endpoint) => {
                write!(f, "cannot listen on {endpoint}: another process does (EADDRINUSE)")
            }
            Self::NotAllowed(endpoint) => write!(
                f,
                "cannot listen on {endpoint}: not permitted (EACCES); ports below 1024 need \
                 CAP_NET_BIND_SERVICE"
            ),
            Self::NotAvailable(endpoint) => write!(
                f,
                "cannot listen on {endpoint}: not an address of this machine (EADDRNOTAVAIL)"
            ),
            Self::Other(endpoint, errno) => write!(f, "cannot listen on {endpoint}: {errno}"),
        }
    }
}

impl std::error::Error for BindError {}

/// How to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    /// `clientPortListenBacklog`; the default where it is not positive.
    pub backlog: i32,
    /// Whether accepted connections probe a silent peer.
    pub keep_alive: bool,
    /// Whether they send at once, however little.
    pub no_delay: bool,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { backlog: LISTEN_BACKLOG_DEFAULT, keep_alive: false, no_delay: true }
    }
}

/// A listening socket. Blocking, as the ring wants it; closed when dropped.
///
/// What it accepts inherits its options: no linger, delay and keep-alive as configured.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    /// Bound here; the port is the real one where 0 was asked for.
    pub address: SocketAddr,
}

impl Listener {
    /// Listens on `endpoint`.
    pub fn bind(endpoint: Endpoint, options: ListenOptions) -> Result<Self, BindError> {
        let bound = match endpoint {
            Endpoint::One(address) => bind_one(address, false, options),
            Endpoint::All(port) => {
                let every = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0).into();
                match bind_one(every, true, options) {
                    // A machine without IPv6.
                    Err(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL) => {
                        let every = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into();
                        bind_one(every, false, options)
                    }
                    bound => bound,
                }
            }
        };
        bound.map_err(|errno| BindError::of(endpoint, errno))
    }
}

impl From<Listener> for OwnedFd {
    fn from(listener: Listener) -> Self {
        listener.fd
    }
}

impl From<Listener> for TcpListener {
    fn from(listener: Listener) -> Self {
        listener.fd.into()
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn bind_one(
    address: SocketAddr,
    both_families: bool,
    options: ListenOptions,
) -> Result<Listener, Errno> {
    let fd = stream_socket(address)?;
    // Connections of an earlier process in TIME_WAIT do not hold the port; a listener still does.
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &!both_families)?;
    }
    // On Linux an accepted socket begins with these of its listener, at no cost per connection.
    setsockopt(&fd, sockopt::TcpNoDelay, &options.no_delay)?;
    setsockopt(&fd, sockopt::Linger, &linger { l_onoff: 0, l_linger: 0 })?;
    setsockopt(&fd, sockopt::KeepAlive, &options.keep_alive)?;
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    let backlog = if options.backlog > 0 { options.backlog } else { LISTEN_BACKLOG_DEFAULT };
    // More than the constant is refused by the wrapper, and capped by the kernel's sysctl anyway.
    listen(&fd, Backlog::new(backlog).unwrap_or(Backlog::MAXCONN))?;
    let address = socket_address(&getsockname(fd.as_raw_fd())?).ok_or(Errno::EAFNOSUPPORT)?;
    Ok(Listener { fd, address })
}

/// The peer of a TCP connection; an IPv4 peer of an IPv6 socket as IPv4.
pub fn peer_address(connection: impl AsFd) -> Result<SocketAddr, Errno> {
    let peer: SockaddrStorage = getpeername(connection.as_fd().as_raw_fd())?;
    let peer = socket_address(&peer).ok_or(Errno::EAFNOSUPPORT)?;
    Ok(SocketAddr::new(peer.ip().to_canonical(), peer.port()))
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    match address.family()? {
        AddressFamily::Inet => Some(SocketAddrV4::from(*address.as_sockaddr_in()?).into()),
        AddressFamily::Inet6 => Some(SocketAddrV6::from(*address.as_sockaddr_in6()?).into()),
        _ => None,
    }
}
