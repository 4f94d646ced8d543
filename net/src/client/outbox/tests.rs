use super::{Outbox, SendBuffers};
use crate::limits::{SEND_BUFFER_KEPT_BYTES_MAX, SPARE_BYTES_MAX, UNSENT_BYTES_MAX};

#[test]
fn one_send_is_in_flight_and_the_next_one_fills() {
    let (mut outbox, mut buffers) = (Outbox::new(), SendBuffers::new());
    assert_eq!(outbox.take_for_send(), None);
    outbox.pending(&mut buffers).extend_from_slice(b"one");
    outbox.pending(&mut buffers).extend_from_slice(b"two");
    let mut first = outbox.take_for_send().unwrap();
    assert_eq!(first, b"onetwo");
    outbox.pending(&mut buffers).extend_from_slice(b"three");
    assert!(outbox.is_sending());
    assert_eq!((outbox.take_for_send(), outbox.unsent_bytes()), (None, 11));
    first.clear();
    outbox.sent_back(first, &mut buffers);
    assert_eq!(outbox.unsent_bytes(), 5);
    assert_eq!(outbox.take_for_send().unwrap(), b"three");
}

#[test]
fn a_drained_connection_holds_nothing_and_the_buffer_is_reused() {
    let mut buffers = SendBuffers::new();
    let mut pointer = None;
    for _ in 0..10 {
        let mut outbox = Outbox::new();
        outbox.pending(&mut buffers).extend_from_slice(b"reply");
        let sent = outbox.take_for_send().unwrap();
        assert_eq!(*pointer.get_or_insert(sent.as_ptr()), sent.as_ptr());
        outbox.sent_back(sent, &mut buffers);
        assert_eq!(outbox.pending.capacity(), 0);
    }
}

#[test]
fn spare_buffers_are_bounded() {
    let mut buffers = SendBuffers::new();
    buffers.give_back(Vec::with_capacity(SEND_BUFFER_KEPT_BYTES_MAX + 1));
    buffers.give_back(Vec::new());
    assert_eq!(buffers.spare_bytes(), 0);
    for _ in 0..100 {
        buffers.give_back(Vec::with_capacity(SEND_BUFFER_KEPT_BYTES_MAX));
    }
    assert_eq!(buffers.spare_bytes(), SPARE_BYTES_MAX);
    for _ in 0..16 {
        assert_eq!(buffers.take().capacity(), SEND_BUFFER_KEPT_BYTES_MAX);
    }
    assert_eq!(buffers.spare_bytes(), 0);
}

#[test]
fn too_much_unsent_is_said() {
    let (mut outbox, mut buffers) = (Outbox::new(), SendBuffers::new());
    outbox.pending(&mut buffers).resize(UNSENT_BYTES_MAX, 0);
    assert!(!outbox.is_full());
    let sending = outbox.take_for_send().unwrap();
    assert!(!outbox.is_full());
    outbox.pending(&mut buffers).push(0);
    assert!(outbox.is_full());
    outbox.sent_back(sending, &mut buffers);
    assert!(!outbox.is_full());
    outbox.discard(&mut buffers);
    assert_eq!(outbox.unsent_bytes(), 0);
}
