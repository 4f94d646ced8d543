//! What a leader counts, and when its epoch ends.

use super::lone::{LINK, Lone, why_looking, zxid};
use crate::zab::wire::KIN;
use crate::zab::{Effect, Event, LinkId, Lost, Message};
use model::peer::packet::FromLearner;
use model::zxid::Epoch;

#[test]
fn what_a_voter_acknowledged_on_one_link_does_not_count_on_the_next() {
    let mut lone = Lone::leading_of(5);
    let (second, third, again) = (LinkId(2), LinkId(3), LinkId(4));
    for (link, id) in [(second, 2), (third, 3)] {
        lone.registers(link, id, 1);
    }
    lone.handle(Event::EpochsStored);
    for link in [second, third] {
        lone.answers(link, FromLearner::AckEpoch { logged: zxid(1, 1), epoch: 1 });
    }
    lone.handle(Event::EpochsStored);
    for link in [second, third] {
        lone.answers(link, FromLearner::Ack { zxid: zxid(2, 0) });
    }
    lone.seals([zxid(2, 1)]);
    lone.handle(Event::Durable(zxid(2, 1)));
    lone.answers(second, FromLearner::Ack { zxid: zxid(2, 1) });
    lone.handle(Event::TurnEnded);
    assert_eq!(lone.zab.history().committed(), zxid(1, 1), "two of five");

    // It comes back, and is cut to the commit point: it holds the txn no more.
    lone.registers(again, 2, 2);
    let cut = lone.answers(again, FromLearner::AckEpoch { logged: zxid(2, 1), epoch: -1 });
    let is_cut =
        |it: &Effect| matches!(it, Effect::Send(_, Message::Trunc(to)) if *to == zxid(1, 1));
    assert!(cut.iter().any(is_cut), "{cut:?}");
    lone.answers(again, FromLearner::Ack { zxid: zxid(2, 0) });
    lone.answers(third, FromLearner::Ack { zxid: zxid(2, 1) });
    lone.handle(Event::TurnEnded);
    assert_eq!(lone.zab.history().committed(), zxid(1, 1), "still two of five");
    lone.answers(again, FromLearner::Ack { zxid: zxid(2, 1) });
    lone.handle(Event::TurnEnded);
    assert_eq!(lone.zab.history().committed(), zxid(2, 1));
}

/// What a learner with a tail is sent, by a leader whose history it is not part of.
fn sent_to_a_tail(trailing: &[u8]) -> Vec<Effect> {
    let mut lone = Lone::leading();
    lone.registers_as(LINK, 2, 1, trailing);
    lone.handle(Event::EpochsStored);
    lone.answers(LINK, FromLearner::AckEpoch { logged: zxid(1, 3), epoch: 0 });
    lone.handle(Event::EpochsStored)
}

#[test]
fn a_stock_learner_is_not_cut_since_its_log_may_lack_the_place() {
    let is_cut =
        |it: &Effect| matches!(it, Effect::Send(_, Message::Trunc(to)) if *to == zxid(1, 1));
    let is_replaced =
        |it: &Effect| matches!(it, Effect::Send(_, Message::Snap(to)) if *to == zxid(2, 0));
    let (kin, stock) = (sent_to_a_tail(KIN), sent_to_a_tail(&[]));
    assert!(kin.iter().any(is_cut) && !kin.iter().any(is_replaced), "{kin:?}");
    assert!(stock.iter().any(is_replaced) && !stock.iter().any(is_cut), "{stock:?}");
}

#[test]
fn a_stock_learner_that_comes_back_waits_until_all_it_holds_is_committed() {
    let (first, second) = (LinkId(2), LinkId(3));
    let mut lone = Lone::leading();
    lone.is_joined_by(first, 3);
    lone.seals([zxid(2, 1), zxid(2, 2)]);
    lone.handle(Event::Durable(zxid(2, 2)));
    lone.registers_as(second, 2, 2, &[]);
    let sent = lone.answers(second, FromLearner::AckEpoch { logged: zxid(2, 2), epoch: -1 });
    assert!(sent.is_empty(), "neither a cut nor a snapshot from before: {sent:?}");
    lone.answers(first, FromLearner::Ack { zxid: zxid(2, 1) });
    let sent = lone.handle(Event::TurnEnded);
    assert!(!sent.iter().any(|it| matches!(it, Effect::Send(link, _) if *link == second)));
    lone.answers(first, FromLearner::Ack { zxid: zxid(2, 2) });
    let sent = lone.handle(Event::TurnEnded);
    let to_it = sent.iter().filter_map(|it| match it {
        Effect::Send(link, message) if *link == second => Some(message),
        _ => None,
    });
    let to_it: Vec<_> = to_it.collect();
    assert!(
        matches!(
            to_it[..],
            [Message::Diff(to), Message::NewLeader(Epoch(2), _)] if *to == zxid(2, 2)
        ),
        "{to_it:?}"
    );
}

#[test]
fn an_epoch_ends_once_its_last_txn_is_committed() {
    let mut lone = Lone::leading_for(3);
    assert_eq!(lone.zab.room(), 0, "the epoch has not begun");
    lone.is_joined_by(LINK, 2);
    assert_eq!((lone.zab.leads(), lone.zab.room()), (Some(Epoch(2)), 3));
    lone.seals([zxid(2, 1)]);
    lone.handle(Event::Durable(zxid(2, 1)));
    lone.answers(LINK, FromLearner::Ack { zxid: zxid(2, 1) });
    lone.handle(Event::TurnEnded);
    assert_eq!((lone.zab.history().committed(), lone.zab.room()), (zxid(2, 1), 2));
    lone.seals([zxid(2, 2), zxid(2, 3)]);
    assert_eq!(lone.zab.room(), 0);
    lone.answers(LINK, FromLearner::Ack { zxid: zxid(2, 3) });
    lone.handle(Event::TurnEnded);
    assert_eq!(lone.zab.leads(), Some(Epoch(2)), "its own log has yet to end");
    lone.handle(Event::Durable(zxid(2, 3)));
    let ended = lone.handle(Event::TurnEnded);
    assert_eq!(why_looking(&ended), Lost::EpochFull);
    // Before its link closes, the follower is told what is committed.
    let position = |is: fn(&Effect) -> bool| ended.iter().position(is);
    let committed = position(|it| matches!(it, Effect::Send(LINK, Message::Commits(_))));
    let closed = position(|it| matches!(it, Effect::Close(LINK, _)));
    assert!(committed.is_some() && committed < closed, "{ended:?}");
}

#[test]
#[should_panic(expected = "behind the end of the epoch")]
fn no_txn_comes_behind_the_last_one_of_an_epoch() {
    let mut lone = Lone::leading_for(1);
    lone.is_joined_by(LINK, 2);
    lone.seals([zxid(2, 1), zxid(2, 2)]);
}

#[test]
fn a_leader_whose_epoch_has_not_begun_is_not_at_its_end() {
    let mut lone = Lone::leading_of(5);
    for (link, id) in [(LinkId(2), 2), (LinkId(3), 3)] {
        lone.registers(link, id, 1);
    }
    lone.handle(Event::EpochsStored);
    for link in [LinkId(2), LinkId(3)] {
        lone.answers(link, FromLearner::AckEpoch { logged: zxid(1, 1), epoch: 1 });
    }
    lone.handle(Event::EpochsStored);
    // One follower of the two that are needed accepts, and acknowledges once more.
    for _ in 0..2 {
        lone.answers(LinkId(2), FromLearner::Ack { zxid: zxid(2, 0) });
    }
    let quiet = lone.handle(Event::TurnEnded);
    assert!(quiet.is_empty(), "{quiet:?}");
    lone.answers(LinkId(3), FromLearner::Ack { zxid: zxid(2, 0) });
    assert_eq!(lone.zab.leads(), Some(Epoch(2)));
}

#[test]
fn a_learner_may_acknowledge_uptodate() {
    let mut lone = Lone::leading();
    lone.is_joined_by(LINK, 2);
    let effects = lone.answers(LINK, FromLearner::Ack { zxid: zxid(2, 0) });
    assert!(effects.is_empty(), "{effects:?}");
    lone.handle(Event::TurnEnded);
    assert_eq!(lone.zab.leads(), Some(Epoch(2)));
}
