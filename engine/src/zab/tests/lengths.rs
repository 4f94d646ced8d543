//! A message has as many bytes as it says.

use crate::in_log::InLog;
use crate::zab::{Configuration, Ensemble, Message, Part};
use model::server::ServerId;
use model::zxid::{Epoch, Zxid};
use std::sync::Arc;

#[test]
fn a_message_has_as_many_bytes_as_it_says() {
    let ensemble = Ensemble::new(ServerId(3), Configuration::of_voters((1..=3).map(ServerId)));
    let (epoch, start) = (Epoch(7), Zxid::of_epoch(Epoch(7)));
    let mut txns = InLog::default();
    for (counter, length) in [(1, 0), (2, 5), (3, 1_000), (4, 7)] {
        txns.push(Zxid(start.0 + counter), &vec![1; length]);
    }
    let part = Part { txns: Arc::new(txns), range: 1..4 };
    let none = Part { range: 2..2, ..part.clone() };
    let messages = [
        Message::Register { is_observer: false, promised: epoch },
        Message::Register { is_observer: true, promised: epoch },
        Message::LeaderInfo(epoch),
        Message::AckEpoch { last: start, current: Some(epoch) },
        Message::AckEpoch { last: start, current: None },
        Message::Diff(start),
        Message::Trunc(start),
        Message::Snap(start),
        Message::Proposals(part.clone()),
        Message::Proposals(none.clone()),
        Message::Commits(part.clone()),
        Message::Commits(none),
        Message::Informs(part.clone()),
        Message::NewLeader(epoch, ensemble.current.clone()),
        Message::CommitAndActivate(start, ServerId(3)),
        Message::InformAndActivate(part.clone(), ServerId(3)),
        Message::UpToDate,
        Message::AckNewLeader(epoch),
        Message::Acks { first: start, last: Zxid(start.0 + 9) },
        Message::Acks { first: start, last: start },
        Message::Acks { first: start.next(), last: start },
        Message::Ping(start),
        Message::Pong(start),
    ];
    for message in messages {
        let mut bytes = Vec::new();
        message.encode(&ensemble, &mut bytes);
        assert_eq!(message.encoded_bytes(), bytes.len(), "{message:?}");
    }
}

/// Acknowledgements of more txns than memory holds are measured all the same.
#[test]
fn what_is_too_long_is_measured_without_being_built() {
    let all = Message::Acks { first: Zxid(0), last: Zxid(i64::MAX) };
    assert_eq!(all.encoded_bytes(), usize::MAX);
}
