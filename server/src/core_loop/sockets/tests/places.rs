//! Places: which of them are in use, and when they are used again.

use super::{Told, flood, turners, write};

/// The place of a closed socket is kept for the completions that can still name it.
#[test]
fn a_place_is_reused_after_the_last_completion() {
    for mut turner in turners() {
        let (first, _theirs) = turner.open();
        turner.send(first, flood());
        turner.submit();
        turner.close(first);
        let (second, theirs) = turner.open();
        assert_ne!(first, second);
        assert_eq!(turner.told(1), [Told::Returned(flood().len())]);
        turner.until(|it| it.sockets.len() == 1);
        let (third, _theirs) = turner.open();
        assert_eq!(first, third);
        // None of the first socket's ends has touched the others.
        write(&theirs, b"still here");
        assert_eq!(turner.received(10), b"still here");
        turner.close(second);
        turner.close(third);
        turner.assert_empty();
    }
}

#[test]
fn a_place_with_nothing_in_flight_is_free_at_once() {
    for mut turner in turners() {
        let (first, _theirs) = turner.open();
        turner.submit();
        turner.pause(first);
        turner.close(first);
        assert!(turner.sockets.is_empty());
        assert_eq!(turner.open().0, first);
        turner.close(first);
        turner.assert_empty();
    }
}

#[test]
fn only_sockets_that_are_not_closed_are_listed() {
    for mut turner in turners() {
        let pairs: Vec<_> = (0..5).map(|_| turner.open()).collect();
        let places: Vec<_> = pairs.iter().map(|(place, _)| *place).collect();
        turner.send(places[4], b"bytes".to_vec());
        turner.submit();
        turner.close(places[1]);
        turner.ask(|sockets, queue| sockets.detach(queue, places[3]));
        let listed: Vec<_> = turner.sockets.iter().map(|(place, ..)| place).collect();
        assert_eq!(listed, [places[0], places[2], places[4]]);
        let count = turner.sockets.place_count();
        let at: Vec<_> = (0..=count).filter_map(|index| turner.sockets.at(index)).collect();
        assert_eq!(at, listed);
        turner.until(|it| it.told.len() == 2);
        turner.told.clear();
        turner.fds.clear();
        for place in listed {
            turner.close(place);
        }
        turner.assert_empty();
    }
}

#[test]
fn room_that_is_not_needed_is_given_back() {
    let [mut turner, _] = turners();
    let pairs: Vec<_> = (0..64).map(|_| turner.open()).collect();
    assert!(turner.sockets.place_count() >= 64);
    turner.sockets.trim(8);
    assert!(turner.sockets.place_count() >= 64, "all are in use");
    for (place, _) in &pairs[8..] {
        turner.close(*place);
    }
    turner.until(|it| it.sockets.len() == 8);
    turner.sockets.trim(64);
    assert!(turner.sockets.place_count() >= 64, "no more than may be kept");
    turner.sockets.trim(8);
    assert!(turner.sockets.place_count() < 64);
    for (place, theirs) in &pairs[..8] {
        write(theirs, b"x");
        turner.close(*place);
    }
    turner.assert_empty();
}
