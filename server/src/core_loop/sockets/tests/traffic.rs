//! Bytes in both directions, pauses, and lingering.

use super::{Told, drain, flood, turners, write};
use crate::core_loop::sockets::End;
use std::io::Read;
use std::net::Shutdown;
use std::thread;

#[test]
fn what_is_sent_arrives_and_the_buffer_comes_back() {
    for mut turner in turners() {
        let (place, theirs) = turner.open();
        write(&theirs, b"question");
        assert_eq!(turner.received(8), b"question");
        turner.send(place, b"answer".to_vec());
        assert_eq!(turner.sockets.sending_bytes(place), 6);
        assert_eq!(turner.told(1), [Told::Sent(place, 6, Ok(()))]);
        assert_eq!(turner.sockets.sending_bytes(place), 0);
        turner.close(place);
        turner.submit();
        assert_eq!(drain(theirs), b"answer");
        turner.assert_empty();
    }
}

#[test]
fn one_send_at_a_time() {
    for mut turner in turners() {
        let (place, theirs) = turner.open();
        turner.send(place, flood());
        turner.submit();
        assert!(turner.sockets.sender(place).is_none());
        let reader = thread::spawn(move || drain(theirs).len());
        assert_eq!(turner.told(1), [Told::Sent(place, flood().len(), Ok(()))]);
        turner.send(place, b"next".to_vec());
        assert_eq!(turner.told(1), [Told::Sent(place, 4, Ok(()))]);
        turner.close(place);
        turner.submit();
        assert_eq!(reader.join().unwrap(), flood().len() + 4);
        turner.assert_empty();
    }
}

/// A pause takes effect, and loses nothing.
#[test]
fn nothing_is_received_between_pause_and_resume() {
    for mut turner in turners() {
        let (place, theirs) = turner.open();
        turner.submit();
        turner.ask(|sockets, queue| sockets.pause(queue, place));
        turner.pause(place);
        write(&theirs, b"later");
        // A completion that comes behind whatever else there is.
        turner.send(place, b"now".to_vec());
        assert_eq!(turner.told(1), [Told::Sent(place, 3, Ok(()))]);
        assert!(turner.received.is_empty());
        assert!(turner.ask(|sockets, queue| sockets.resume(queue, place)));
        assert_eq!(turner.received(5), b"later");
        turner.close(place);
        turner.assert_empty();
    }
}

/// A pause that is taken back, and one that is asked for again, before the receive has ended.
#[test]
fn a_pause_is_taken_back_while_its_cancel_is_in_flight() {
    for mut turner in turners() {
        for is_paused_again in [false, true] {
            let (place, theirs) = turner.open();
            turner.submit();
            turner.ask(|sockets, queue| sockets.pause(queue, place));
            assert!(turner.ask(|sockets, queue| sockets.resume(queue, place)));
            if is_paused_again {
                turner.pause(place);
                assert!(turner.ask(|sockets, queue| sockets.resume(queue, place)));
            }
            write(&theirs, b"all");
            assert_eq!(turner.received(3), b"all");
            assert_eq!(turner.in_flight(), 1);
            turner.close(place);
            turner.assert_empty();
        }
    }
}

/// The peer has closed its side, and is still sent to.
#[test]
fn a_half_closed_socket_takes_what_it_is_sent() {
    for mut turner in turners() {
        let (place, theirs) = turner.open();
        write(&theirs, b"last");
        theirs.shutdown(Shutdown::Write).unwrap();
        assert_eq!(turner.told(1), [Told::Ended(place, End::Stream)]);
        assert_eq!(turner.received, b"last");
        assert!(!turner.ask(|sockets, queue| sockets.resume(queue, place)));
        turner.send(place, b"answer".to_vec());
        assert_eq!(turner.told(1), [Told::Sent(place, 6, Ok(()))]);
        turner.close(place);
        turner.submit();
        assert_eq!(drain(theirs), b"answer");
        turner.assert_empty();
    }
}

/// Whatever it still sends, the peer gets the last word and no reset.
#[test]
fn what_a_lingering_socket_receives_is_dropped() {
    for mut turner in turners() {
        let (place, mut theirs) = turner.open();
        write(&theirs, b"heard");
        assert_eq!(turner.received(5), b"heard");
        turner.sockets.linger(place, 4);
        turner.sockets.linger(place, 9);
        assert_eq!(turner.sockets.lingering_since_ms(place), Some(4));
        write(&theirs, b"not heard");
        theirs.shutdown(Shutdown::Write).unwrap();
        turner.send(place, b"last word".to_vec());
        let told = turner.told(2);
        assert!(told.contains(&Told::Sent(place, 9, Ok(()))), "{told:?}");
        assert!(told.contains(&Told::Ended(place, End::Stream)), "{told:?}");
        assert!(turner.received.is_empty());
        turner.close(place);
        turner.submit();
        let mut last = Vec::new();
        theirs.read_to_end(&mut last).expect("an end and no reset");
        assert_eq!(last, b"last word");
        turner.assert_empty();
    }
}
