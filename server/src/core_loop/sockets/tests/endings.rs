//! Every order in which a socket can end: nothing is left of it, and what was in flight comes back.

use super::{Told, Turner, drain, flood, reset, turners, write};
use crate::core_loop::sockets::{End, Place};
use ring::{Errno, Wait};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

/// What is in flight when the end comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Receive,
    ReceiveAndSend,
    /// A receive that is being cancelled.
    Pausing,
    Nothing,
    SendWhilePaused,
    /// A receive that is cancelled for good.
    Ending,
    SendAfterTheEnd,
}

const ALL: [Before; 7] = [
    Before::Receive,
    Before::ReceiveAndSend,
    Before::Pausing,
    Before::Nothing,
    Before::SendWhilePaused,
    Before::Ending,
    Before::SendAfterTheEnd,
];

impl Before {
    fn has_send(self) -> bool {
        matches!(self, Self::ReceiveAndSend | Self::SendWhilePaused | Self::SendAfterTheEnd)
    }

    /// A socket in this condition, and its peer.
    fn reached(self, turner: &mut Turner) -> (Place, UnixStream) {
        let (place, theirs) = turner.open();
        turner.submit();
        match self {
            Self::Receive => (),
            Self::ReceiveAndSend => turner.send(place, flood()),
            Self::Pausing => turner.ask(|sockets, queue| sockets.pause(queue, place)),
            Self::Nothing | Self::SendWhilePaused => turner.pause(place),
            Self::Ending => turner.ask(|sockets, queue| sockets.end_receive(queue, place)),
            Self::SendAfterTheEnd => {
                theirs.shutdown(std::net::Shutdown::Write).unwrap();
                assert_eq!(turner.told(1), [Told::Ended(place, End::Stream)]);
            }
        }
        if matches!(self, Self::SendWhilePaused | Self::SendAfterTheEnd) {
            turner.send(place, flood());
        }
        if self.has_send() {
            turner.settle();
        }
        (place, theirs)
    }
}

#[test]
fn we_close_first() {
    for mut turner in turners() {
        for before in ALL {
            let (place, theirs) = before.reached(&mut turner);
            turner.close(place);
            assert!(turner.sockets.find(place).is_none(), "{before:?}");
            assert!(turner.sockets.sender(place).is_none(), "{before:?}");
            turner.close(place);
            if before.has_send() {
                assert_eq!(turner.told(1), [Told::Returned(flood().len())], "{before:?}");
            }
            turner.assert_empty();
            assert!(drain(theirs).len() < flood().len(), "{before:?}");
        }
    }
}

/// The peer goes in an orderly way. A send in flight fails then; the receive says so, if there is
/// one, and the socket is ours until we close it.
#[test]
fn the_peer_closes_first() {
    for mut turner in turners() {
        for before in [Before::Receive, Before::Nothing] {
            let (place, theirs) = before.reached(&mut turner);
            drop(theirs);
            if before == Before::Nothing {
                assert!(turner.ask(|sockets, queue| sockets.resume(queue, place)));
            }
            assert_eq!(turner.told(1), [Told::Ended(place, End::Stream)], "{before:?}");
            turner.send(place, b"to nobody".to_vec());
            assert_eq!(turner.told(1), [Told::Sent(place, 9, Err(Errno::EPIPE))], "{before:?}");
            turner.close(place);
            turner.assert_empty();
        }
    }
}

#[test]
fn the_peer_goes_while_a_send_is_in_flight() {
    for mut turner in turners() {
        for before in [Before::ReceiveAndSend, Before::SendWhilePaused, Before::SendAfterTheEnd] {
            let (place, theirs) = before.reached(&mut turner);
            drop(theirs);
            let count = if before == Before::ReceiveAndSend { 2 } else { 1 };
            let told = turner.told(count);
            let is_failed_send = |told: &Told| match told {
                Told::Sent(at, bytes, Err(_)) => *at == place && *bytes == flood().len(),
                _ => false,
            };
            assert_eq!(told.iter().filter(|told| is_failed_send(told)).count(), 1, "{told:?}");
            let is_end = |told: &Told| matches!(told, Told::Ended(at, _) if *at == place);
            assert_eq!(told.iter().filter(|told| is_end(told)).count(), count - 1, "{told:?}");
            turner.close(place);
            turner.assert_empty();
        }
    }
}

#[test]
fn the_peer_resets() {
    for mut turner in turners() {
        for before in [Before::Receive, Before::Nothing] {
            let (place, theirs) = before.reached(&mut turner);
            reset(&mut turner, place, theirs);
            if before == Before::Nothing {
                assert!(turner.ask(|sockets, queue| sockets.resume(queue, place)));
            }
            let end = End::Failed(Errno::ECONNRESET);
            assert_eq!(turner.told(1), [Told::Ended(place, end)], "{before:?}");
            assert!(!turner.ask(|sockets, queue| sockets.resume(queue, place)));
            turner.close(place);
            turner.assert_empty();
        }
    }
}

/// Whatever a socket was received from before, both ends see the close of one whose peer has gone
/// and that was closed here before that was known.
#[test]
fn both_close_at_once() {
    for mut turner in turners() {
        for before in ALL {
            let (place, theirs) = before.reached(&mut turner);
            drop(theirs);
            turner.close(place);
            if before.has_send() {
                assert_eq!(turner.told(1), [Told::Returned(flood().len())], "{before:?}");
            }
            turner.assert_empty();
        }
    }
}

/// Nothing is received any more, and what is sent still arrives; an end that the peer made before
/// is not lost.
#[test]
fn the_receive_is_ended_from_this_side() {
    for mut turner in turners() {
        for before in [Before::Receive, Before::Pausing, Before::Nothing] {
            let (place, theirs) = before.reached(&mut turner);
            turner.ask(|sockets, queue| sockets.end_receive(queue, place));
            write(&theirs, b"not heard");
            assert!(!turner.ask(|sockets, queue| sockets.resume(queue, place)), "{before:?}");
            turner.until(|it| it.in_flight() == 0);
            turner.send(place, b"answer".to_vec());
            assert_eq!(turner.told(1), [Told::Sent(place, 6, Ok(()))]);
            assert!(turner.received.is_empty(), "{before:?}");
            turner.close(place);
            turner.assert_empty();
        }
        let (place, theirs) = turner.open();
        turner.submit();
        drop(theirs);
        // The end is there, and not taken in yet.
        turner.ring.turn(Wait::Until(Duration::from_secs(10))).unwrap();
        turner.ask(|sockets, queue| sockets.end_receive(queue, place));
        assert_eq!(turner.told(1), [Told::Ended(place, End::Stream)]);
        turner.close(place);
        turner.assert_empty();
    }
}

/// The descriptor of a detached socket, which its peer has to read from if a send is in flight.
fn handed_out(turner: &mut Turner, before: Before, theirs: &UnixStream) -> OwnedFd {
    let reader = before.has_send().then(|| {
        let mut theirs = theirs.try_clone().unwrap();
        let mut bytes = flood();
        thread::spawn(move || theirs.read_exact(&mut bytes).unwrap())
    });
    turner.until(|it| it.sockets.is_empty());
    if let Some(reader) = reader {
        reader.join().unwrap();
    }
    turner.fds.pop().unwrap()
}

/// A socket to be served elsewhere comes back once, open, when nothing is in flight for it.
#[test]
fn a_detached_socket_is_handed_out_at_last() {
    for mut turner in turners() {
        for before in ALL {
            let (place, theirs) = before.reached(&mut turner);
            let at_once = turner.ask(|sockets, queue| sockets.detach(queue, place));
            assert_eq!(at_once.is_some(), before == Before::Nothing, "{before:?}");
            assert!(turner.sockets.find(place).is_none(), "{before:?}");
            // Too late for that.
            turner.close(place);
            let fd = at_once.map_or_else(|| handed_out(&mut turner, before, &theirs), |it| it.fd);
            let sent: usize = turner.told.drain(..).map(Told::returned_bytes).sum();
            assert_eq!(sent, if before.has_send() { flood().len() } else { 0 }, "{before:?}");
            assert_eq!(turner.in_flight(), 0, "{before:?}");
            let mut ours = UnixStream::from(fd);
            ours.write_all(b"elsewhere").unwrap();
            drop(ours);
            assert_eq!(drain(theirs), b"elsewhere", "{before:?}");
            turner.assert_empty();
        }
    }
}

/// What follows a detach does not reach its owner.
#[test]
fn a_detached_socket_whose_peer_goes_is_handed_out_too() {
    for mut turner in turners() {
        let (place, theirs) = turner.open();
        turner.submit();
        drop(theirs);
        assert!(turner.ask(|sockets, queue| sockets.detach(queue, place)).is_none());
        assert_eq!(turner.told(1), [Told::Detached(None)]);
        turner.fds.clear();
        turner.assert_empty();
    }
}
