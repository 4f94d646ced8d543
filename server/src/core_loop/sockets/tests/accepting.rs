//! Listeners.

use super::{Told, drain, turners};
use crate::core_loop::sockets::Sockets;
use crate::core_loop::sockets::listeners::ACCEPTED_PER_TURN_MAX;
use net::listener::{Endpoint, ListenOptions, Listener};
use nix::sys::socket::{Backlog, Shutdown, listen, shutdown};
use ring::Errno;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};

fn listener() -> Listener {
    let endpoint = Endpoint::One(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    Listener::bind(endpoint, ListenOptions::default()).unwrap()
}

#[test]
fn what_is_accepted_is_the_owners() {
    for mut turner in turners() {
        let listeners = [listener(), listener()];
        let addresses = listeners.each_ref().map(|listener| listener.address);
        for listener in listeners {
            turner.ask(|sockets, queue| sockets.listen(queue, listener));
        }
        let clients = addresses.map(|address| TcpStream::connect(address).unwrap());
        assert_eq!(turner.told(2), [Told::Accepted, Told::Accepted]);
        for fd in std::mem::take(&mut turner.fds) {
            let place = turner.take_over(fd);
            turner.send(place, b"welcome".to_vec());
            assert_eq!(turner.told(1), [Told::Sent(place, 7, Ok(()))]);
            turner.close(place);
        }
        turner.submit();
        for client in clients {
            assert_eq!(drain(client), b"welcome");
        }
        turner.ask(Sockets::stop_listening);
        turner.until(|it| it.in_flight() == 0);
        turner.assert_empty();
        for address in addresses {
            assert!(TcpStream::connect(address).is_err());
        }
    }
}

/// However many come at once, and however often, a listener accepts once.
#[test]
fn a_burst_leaves_one_accept_in_flight() {
    for mut turner in turners() {
        let listener = listener();
        let address = listener.address;
        turner.ask(|sockets, queue| sockets.listen(queue, listener));
        for _ in 0..3 {
            let count = ACCEPTED_PER_TURN_MAX as usize + 1;
            let clients: Vec<_> =
                (0..count).map(|_| TcpStream::connect(address).unwrap()).collect();
            let mut accepted = 0;
            while accepted < count {
                accepted += turner.told(1).len();
                turner.ask(Sockets::accept_more);
            }
            assert_eq!(accepted, count);
            turner.fds.clear();
            drop(clients);
        }
        turner.until(|it| it.in_flight() <= 1);
        turner.ask(Sockets::accept_more);
        assert_eq!(turner.in_flight(), 1);
        turner.ask(Sockets::stop_listening);
        turner.ask(Sockets::accept_more);
        turner.until(|it| it.in_flight() == 0);
        turner.assert_empty();
    }
}

#[test]
fn accepting_that_failed_is_taken_up_again() {
    for mut turner in turners() {
        let listener = listener();
        let fd = listener.as_fd().try_clone_to_owned().unwrap();
        turner.ask(|sockets, queue| sockets.listen(queue, listener));
        turner.submit();
        shutdown(fd.as_raw_fd(), Shutdown::Both).unwrap();
        assert_eq!(turner.told(1), [Told::AcceptFailed(Errno::EINVAL)]);
        assert_eq!(turner.in_flight(), 0);
        listen(&fd, Backlog::new(8).unwrap()).unwrap();
        turner.ask(Sockets::accept_more);
        // Its port may be another one now.
        let address = TcpListener::from(fd).local_addr().unwrap();
        let _client = TcpStream::connect(address).unwrap();
        assert_eq!(turner.told(1), [Told::Accepted]);
        turner.ask(Sockets::stop_listening);
        turner.until(|it| it.in_flight() == 0);
        turner.assert_empty();
    }
}
