//! A ring dropped with operations in flight.

use super::{pattern, variants};
use crate::{Ring, Token, Wait};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

#[test]
fn everything_in_flight_ends_with_the_ring() {
    for config in variants() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut ring = Ring::new(&config).unwrap();
        ring.queue().accept_multishot(&listener, Token(1));
        ring.queue().recv_multishot(&ours, Token(2));
        ring.queue().send(&ours, pattern(3 << 20), Token(3));
        ring.sleep(Wait::Until(std::time::Duration::from_millis(1)), || false).unwrap();
        // Completed in the kernel, never reaped: the accepted descriptor must not leak.
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        theirs.write_all(b"never read!").unwrap();
        ring.turn(Wait::Until(std::time::Duration::from_secs(10))).unwrap();
        drop(ring);
        drop(listener);
        // An end or a reset, but not an open connection.
        assert!(!matches!(client.read(&mut [0; 1]), Ok(1..)));
        drop(ours);
        let mut rest = Vec::new();
        // Unread bytes on the other side may make the end a reset.
        let _ = theirs.read_to_end(&mut rest);
        assert!(rest.len() < 3 << 20);
    }
}

#[test]
fn what_was_only_queued_ends_too() {
    for config in variants() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut ring = Ring::new(&config).unwrap();
        ring.queue().recv_multishot(&ours, Token(1));
        ring.queue().close(ours.into());
        drop(ring);
        assert_eq!(theirs.read(&mut [0; 8]).unwrap(), 0);
    }
}
