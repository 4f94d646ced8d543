//! Connecting out.

use super::{Told, Turner, drain, name_of, turners};
use crate::core_loop::sockets::{End, Place};
use net::listener::{Endpoint, ListenOptions, Listener};
use net::outgoing::{SocketOptions, unconnected};
use ring::Errno;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

fn listener(backlog: i32) -> Listener {
    let endpoint = Endpoint::One(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    Listener::bind(endpoint, ListenOptions { backlog, ..ListenOptions::default() }).unwrap()
}

fn connect(turner: &mut Turner, address: SocketAddr) -> Place {
    let fd = unconnected(address, SocketOptions::default()).unwrap();
    turner.names.push(name_of(&fd));
    let kept = turner.kept.clone();
    turner.ask(|sockets, queue| sockets.connect(queue, fd, address, kept))
}

#[test]
fn a_socket_that_was_connected_is_like_any_other() {
    for mut turner in turners() {
        let listener = listener(8);
        let place = connect(&mut turner, listener.address);
        assert!(turner.sockets.find(place).is_some());
        assert!(turner.sockets.sender(place).is_none(), "it is not open yet");
        assert_eq!(turner.told(1), [Told::Opened(place)]);
        let mut theirs = TcpListener::from(listener).accept().unwrap().0;
        theirs.write_all(b"hello").unwrap();
        assert_eq!(turner.received(5), b"hello");
        turner.send(place, b"answer".to_vec());
        assert_eq!(turner.told(1), [Told::Sent(place, 6, Ok(()))]);
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(turner.told(1), [Told::Ended(place, End::Stream)]);
        turner.close(place);
        turner.submit();
        assert_eq!(drain(theirs), b"answer");
        turner.assert_empty();
    }
}

#[test]
fn a_refused_connect_leaves_nothing() {
    for mut turner in turners() {
        // Its port stays its own, and nothing listens there.
        let reserved =
            unconnected(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketOptions::default())
                .unwrap();
        let address = bound(&reserved);
        connect(&mut turner, address);
        assert_eq!(turner.told(1), [Told::NotConnected(Errno::ECONNREFUSED)]);
        turner.assert_empty();
    }
}

fn bound(fd: &OwnedFd) -> SocketAddr {
    use nix::sys::socket::{SockaddrIn, bind, getsockname};
    use std::os::fd::AsRawFd;
    bind(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    let address: SockaddrIn = getsockname(fd.as_raw_fd()).unwrap();
    std::net::SocketAddrV4::from(address).into()
}

/// What an owner does when a connect takes too long. Its place waits for the connect to end.
#[test]
fn a_connect_in_flight_is_closed() {
    for mut turner in turners() {
        // Room for two that are not accepted; the next connect waits.
        let listener = listener(1);
        let crowd: Vec<_> = (0..2).map(|_| connect(&mut turner, listener.address)).collect();
        assert_eq!(turner.told(2).len(), 2);
        let place = connect(&mut turner, listener.address);
        turner.submit();
        assert!(turner.told.is_empty());
        turner.ask(|sockets, queue| {
            sockets.pause(queue, place);
            sockets.end_receive(queue, place);
            assert!(!sockets.resume(queue, place));
            assert!(sockets.detach(queue, place).is_none());
        });
        assert!(turner.sockets.find(place).is_some(), "a connect is not detached");
        turner.close(place);
        assert!(turner.sockets.find(place).is_none());
        let (other, _theirs) = turner.open();
        assert_ne!(place, other);
        turner.close(other);
        for place in crowd {
            turner.close(place);
        }
        turner.assert_empty();
    }
}
