//! Connections: accept, receive, send, cancel, close.

use super::{pattern, until, variants};
use crate::{Completion, Errno, Ring, RingConfig, Token, Wait};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;

#[test]
fn echo_over_a_socketpair() {
    for config in variants() {
        let mut ring = Ring::new(&config).unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ring.queue().recv_multishot(&ours, Token(1));
        let peer = thread::spawn(move || {
            for round in 0..100u32 {
                theirs.write_all(&round.to_be_bytes()).unwrap();
                let mut answer = [0; 4];
                theirs.read_exact(&mut answer).unwrap();
                assert_eq!(answer, round.to_be_bytes());
            }
        });
        until(&mut ring, |queue, completion| match completion {
            Completion::Received { token: Token(1), bytes } => {
                queue.send(&ours, bytes.to_vec(), Token(2));
                false
            }
            Completion::Sent { token: Token(2), buffer, result } => {
                assert!(result.is_ok() && buffer.is_empty() && buffer.capacity() > 0);
                false
            }
            Completion::ReceiveClosed { token: Token(1) } => true,
            other => panic!("{other:?}"),
        });
        peer.join().unwrap();
        assert_eq!(ring.queue().in_flight(), 0);
    }
}

/// An echo server of many connections, some opened and closed along the way.
#[test]
fn echo_over_tcp_with_multishot_accept() {
    const CLIENTS: usize = 20;
    for config in variants() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut ring = Ring::new(&config).unwrap();
        let accept = ring.queue().accept_multishot(&listener, Token(u64::MAX));
        let clients = thread::spawn(move || {
            let message = pattern(10_000);
            let talk = |mut stream: TcpStream| {
                stream.write_all(&message).unwrap();
                let mut answer = vec![0; message.len()];
                stream.read_exact(&mut answer).unwrap();
                assert!(answer == message);
            };
            let streams: Vec<_> =
                (0..CLIENTS / 2).map(|_| TcpStream::connect(address).unwrap()).collect();
            streams.into_iter().for_each(talk);
            (0..CLIENTS / 2).for_each(|_| talk(TcpStream::connect(address).unwrap()));
        });
        let mut connections: Vec<Option<(OwnedFd, Vec<u8>, bool)>> = Vec::new();
        let mut closed = 0;
        until(&mut ring, |queue, completion| {
            match completion {
                Completion::Accepted { fd, .. } => {
                    queue.recv_multishot(&fd, Token(connections.len() as u64));
                    connections.push(Some((fd, Vec::new(), false)));
                }
                Completion::Received { token, bytes } => {
                    let (fd, pending, sending) = connections[token.0 as usize].as_mut().unwrap();
                    pending.extend_from_slice(bytes);
                    if !*sending {
                        *sending = true;
                        queue.send(&*fd, std::mem::take(pending), token);
                    }
                }
                Completion::Sent { token, result, .. } => {
                    let (fd, pending, sending) = connections[token.0 as usize].as_mut().unwrap();
                    result.unwrap();
                    *sending = !pending.is_empty();
                    if *sending {
                        queue.send(&*fd, std::mem::take(pending), token);
                    }
                }
                Completion::ReceiveClosed { token } => {
                    queue.close(connections[token.0 as usize].take().unwrap().0);
                    closed += 1;
                }
                other => panic!("{other:?}"),
            }
            closed == CLIENTS
        });
        clients.join().unwrap();
        ring.queue().cancel(accept);
        until(&mut ring, |_, completion| match completion {
            Completion::AcceptEnded { token: Token(u64::MAX), errno } => errno == Errno::ECANCELED,
            other => panic!("{other:?}"),
        });
        assert_eq!(ring.queue().in_flight(), 0);
    }
}

/// More bytes than all buffers hold at once: the receive runs out of them and continues by itself.
#[test]
fn a_flood_exhausts_the_buffers_and_loses_nothing() {
    for config in variants() {
        let config = RingConfig { receive_buffers: 2, receive_buffer_bytes: 512, ..config };
        let mut ring = Ring::new(&config).unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let sent = pattern(1 << 20);
        let copy = sent.clone();
        let peer = thread::spawn(move || theirs.write_all(&copy).unwrap());
        ring.queue().recv_multishot(&ours, Token(1));
        let mut received = Vec::new();
        until(&mut ring, |_, completion| match completion {
            Completion::Received { bytes, .. } => {
                assert!((1..=512).contains(&bytes.len()));
                received.extend_from_slice(bytes);
                false
            }
            Completion::ReceiveClosed { .. } => true,
            other => panic!("{other:?}"),
        });
        peer.join().unwrap();
        assert!(received == sent);
        if ring.features().multishot_receive {
            assert!(ring.counters().buffers_exhausted > 0);
        }
    }
}

/// Fewer completion entries than completions: the kernel keeps the rest.
#[test]
fn an_overflow_of_completions_loses_nothing() {
    for config in variants() {
        let config = RingConfig { entries: 8, cq_entries: 8, ..config };
        let mut ring = Ring::new(&config).unwrap();
        let pairs: Vec<_> = (0..200).map(|_| UnixStream::pair().unwrap()).collect();
        for (index, (ours, theirs)) in pairs.iter().enumerate() {
            ring.queue().recv_multishot(ours, Token(index as u64));
            ring.queue().send(theirs, vec![index as u8; 10], Token(1_000));
        }
        let (mut received, mut sent) = (vec![0; pairs.len()], 0);
        until(&mut ring, |_, completion| {
            match completion {
                Completion::Received { token, bytes } => {
                    assert!(bytes.iter().all(|byte| *byte == token.0 as u8));
                    received[token.0 as usize] += bytes.len();
                }
                Completion::Sent { result, .. } => sent += result.unwrap() / 10,
                other => panic!("{other:?}"),
            }
            sent == pairs.len() && received.iter().all(|count| *count == 10)
        });
    }
}

#[test]
fn a_large_send_to_a_slow_reader_arrives_whole() {
    for config in variants() {
        let mut ring = Ring::new(&config).unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let message = pattern(3 << 20);
        ring.queue().send(&ours, message.clone(), Token(7));
        ring.turn(Wait::No).unwrap();
        let peer = thread::spawn(move || {
            let (mut received, mut piece) = (Vec::new(), [0; 10_000]);
            while received.len() < 3 << 20 {
                let len = theirs.read(&mut piece).unwrap();
                received.extend_from_slice(&piece[..len]);
                thread::yield_now();
            }
            received
        });
        until(&mut ring, |_, completion| match completion {
            Completion::Sent { token: Token(7), buffer, result } => {
                assert_eq!(result, Ok(3 << 20));
                assert!(buffer.is_empty() && buffer.capacity() >= 3 << 20);
                true
            }
            other => panic!("{other:?}"),
        });
        assert!(peer.join().unwrap() == message);
        assert!(ring.counters().transfers_short > 0);
    }
}

#[test]
fn a_cancelled_receive_ends_and_may_be_armed_again() {
    for config in variants() {
        let mut ring = Ring::new(&config).unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        for round in 0..3u8 {
            let id = ring.queue().recv_multishot(&ours, Token(1));
            ring.turn(Wait::No).unwrap();
            ring.queue().cancel(id);
            until(&mut ring, |_, completion| {
                matches!(completion, Completion::ReceiveCancelled { token: Token(1) })
            });
            ring.queue().cancel(id);
            theirs.write_all(&[round; 3]).unwrap();
            let again = ring.queue().recv_multishot(&ours, Token(2));
            until(&mut ring, |_, completion| match completion {
                Completion::Received { token: Token(2), bytes } => bytes == [round; 3],
                other => panic!("{other:?}"),
            });
            ring.queue().cancel(again);
            until(&mut ring, |_, completion| {
                matches!(completion, Completion::ReceiveCancelled { token: Token(2) })
            });
        }
        assert_eq!(ring.queue().in_flight(), 0);
    }
}

#[test]
fn closing_cancels_what_is_in_flight() {
    for (config, is_listed) in variants().into_iter().flat_map(|c| [(c.clone(), false), (c, true)])
    {
        let mut ring = Ring::new(&config).unwrap();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (other, _theirs) = UnixStream::pair().unwrap();
        ring.queue().recv_multishot(&other, Token(3));
        let receive = ring.queue().recv_multishot(&ours, Token(1));
        let send = ring.queue().send(&ours, pattern(3 << 20), Token(2));
        ring.turn(Wait::No).unwrap();
        if is_listed {
            ring.queue().close_after(ours.into(), [receive, send]);
        } else {
            ring.queue().close(ours.into());
        }
        let mut ended = 0;
        until(&mut ring, |_, completion| {
            match completion {
                Completion::ReceiveCancelled { token: Token(1) } => ended += 1,
                Completion::Sent { token: Token(2), result, .. } => {
                    assert_eq!(result, Err(Errno::ECANCELED));
                    ended += 1;
                }
                other => panic!("{other:?}"),
            }
            ended == 2
        });
        let mut rest = Vec::new();
        theirs.read_to_end(&mut rest).unwrap();
        assert!(rest.len() < 3 << 20);
    }
}

#[test]
fn a_send_to_a_closed_peer_fails_and_gives_the_buffer_back() {
    for config in variants() {
        let mut ring = Ring::new(&config).unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        ring.queue().send(&ours, vec![1; 100], Token(1));
        until(&mut ring, |_, completion| match completion {
            Completion::Sent { buffer, result, .. } => {
                assert!(result == Err(Errno::EPIPE) && buffer.capacity() == 100);
                true
            }
            other => panic!("{other:?}"),
        });
    }
}
