//! Connecting out.

use super::{until, variants};
use crate::{Completion, Errno, Ring, Token, Wait};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrIn};
use nix::sys::socket::{bind, getsockname, listen, socket};
use std::io::{Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};

fn unconnected(family: AddressFamily) -> OwnedFd {
    socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap()
}

/// An address that is reserved, and on which no server listens.
fn reserved() -> (OwnedFd, SocketAddr) {
    let fd = unconnected(AddressFamily::Inet);
    bind(fd.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    let address: SockaddrIn = getsockname(fd.as_raw_fd()).unwrap();
    (fd, SocketAddrV4::from(address).into())
}

/// As [`reserved`], with a listener that accepts nothing and has no room for a further connection:
/// a connect stays in flight. The connections that take the room come with it.
fn crowded(ring: &mut Ring) -> (OwnedFd, SocketAddr, Vec<OwnedFd>) {
    let (listener, address) = reserved();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let takes_room = unconnected(AddressFamily::Inet);
    ring.queue().connect(&takes_room, address, Token(0));
    until(ring, |_, completion| {
        matches!(completion, Completion::Connected { token: Token(0), result: Ok(()) })
    });
    (listener, address, vec![takes_room])
}

#[test]
fn a_connected_socket_sends_and_receives() {
    for config in variants() {
        for (family, host) in [(AddressFamily::Inet, "127.0.0.1"), (AddressFamily::Inet6, "::1")] {
            // A machine without IPv6.
            let Ok(listener) = TcpListener::bind((host, 0)) else { continue };
            let mut ring = Ring::new(&config).unwrap();
            let ours = unconnected(family);
            ring.queue().connect(&ours, listener.local_addr().unwrap(), Token(1));
            until(&mut ring, |queue, completion| match completion {
                Completion::Connected { token: Token(1), result } => {
                    result.unwrap();
                    queue.recv_multishot(&ours, Token(2));
                    queue.send(&ours, b"ask".to_vec(), Token(3));
                    true
                }
                other => panic!("{other:?}"),
            });
            let mut theirs = listener.accept().unwrap().0;
            ring.turn(Wait::No).unwrap();
            let mut asked = [0; 3];
            theirs.read_exact(&mut asked).unwrap();
            assert_eq!(&asked, b"ask");
            theirs.write_all(b"answer").unwrap();
            drop(theirs);
            let mut answer = Vec::new();
            until(&mut ring, |_, completion| match completion {
                Completion::Received { token: Token(2), bytes } => {
                    answer.extend_from_slice(bytes);
                    false
                }
                Completion::ReceiveClosed { token: Token(2) } => true,
                Completion::Sent { token: Token(3), result, .. } => {
                    assert_eq!(result, Ok(3));
                    false
                }
                other => panic!("{other:?}"),
            });
            assert_eq!(answer, b"answer");
            assert_eq!(ring.queue().in_flight(), 0);
        }
    }
}

#[test]
fn a_refused_connect_says_so() {
    for config in variants() {
        let mut ring = Ring::new(&config).unwrap();
        let (_reserved, address) = reserved();
        let ours = unconnected(AddressFamily::Inet);
        ring.queue().connect(&ours, address, Token(1));
        until(&mut ring, |_, completion| match completion {
            Completion::Connected { token: Token(1), result } => {
                assert_eq!(result, Err(Errno::ECONNREFUSED));
                true
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(ring.queue().in_flight(), 0);
    }
}

/// Each connect has one last completion, and the addresses of all live until then, wherever the
/// slots of their operations have moved.
#[test]
fn many_connects_end_once_each() {
    const COUNT: usize = 200;
    for config in variants() {
        let mut ring = Ring::new(&config).unwrap();
        let (_reserved, address) = reserved();
        let sockets: Vec<_> = (0..COUNT).map(|_| unconnected(AddressFamily::Inet)).collect();
        for (index, socket) in sockets.iter().enumerate() {
            ring.queue().connect(socket, address, Token(index as u64));
        }
        let (mut ended, mut count) = ([false; COUNT], 0);
        until(&mut ring, |_, completion| match completion {
            Completion::Connected { token: Token(index), result } => {
                assert_eq!(result, Err(Errno::ECONNREFUSED));
                assert!(!std::mem::replace(&mut ended[index as usize], true));
                count += 1;
                count == COUNT
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(ring.queue().in_flight(), 0);
    }
}

#[test]
fn a_connect_in_flight_is_cancelled_or_closed() {
    for (config, is_closed) in variants().into_iter().flat_map(|c| [(c.clone(), false), (c, true)])
    {
        let mut ring = Ring::new(&config).unwrap();
        let (_listener, address, _crowd) = crowded(&mut ring);
        let ours = unconnected(AddressFamily::Inet);
        let connect = ring.queue().connect(&ours, address, Token(1));
        ring.turn(Wait::No).unwrap();
        assert_eq!(ring.completions(|_, completion| panic!("{completion:?}")), 0);
        if is_closed {
            ring.queue().close_after(ours, [connect]);
        } else {
            ring.queue().cancel(connect);
        }
        until(&mut ring, |_, completion| match completion {
            Completion::Connected { token: Token(1), result } => {
                assert_eq!(result, Err(Errno::ECANCELED));
                true
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(ring.queue().in_flight(), 0);
    }
}
