//! What an observer master takes from observers, and in which order it passes things on.

use super::lone::{LINK, Lone, PACE, zxid};
use crate::zab::wire::KIN;
use crate::zab::{CloseReason, Effect, Event, LinkId, Message, Part, Violation};
use model::peer::packet::{FromLeader, FromLearner, LearnerInfo, PROTOCOL_VERSION};
use model::server::ServerId;
use model::session::SessionId;
use model::zxid::{Epoch, Zxid};

const OBSERVER: LinkId = LinkId(20);

impl Lone {
    /// Server 9 comes to the port for observers, with this history.
    fn is_observed(&mut self, last: Zxid, trailing: &[u8]) -> Vec<Effect> {
        self.handle(Event::ObserverAccepted(OBSERVER));
        let (server, protocol) = (ServerId(9), PROTOCOL_VERSION);
        let learner = LearnerInfo::Config { server, protocol, version: 0, trailing };
        let asked =
            self.answers(OBSERVER, FromLearner::ObserverInfo { accepted: zxid(1, 0), learner });
        let [Effect::Send(OBSERVER, Message::LeaderInfo(Epoch(2)))] = asked[..] else {
            panic!("{asked:?}");
        };
        self.answers(OBSERVER, FromLearner::AckEpoch { logged: last, epoch: 1 })
    }

    /// It has accepted the history.
    fn is_joined_by_observer(&mut self) {
        self.is_observed(zxid(1, 1), KIN);
        let done = self.answers(OBSERVER, FromLearner::Ack { zxid: zxid(2, 0) });
        assert!(matches!(done[..], [Effect::Send(OBSERVER, Message::UpToDate)]), "{done:?}");
    }

    fn commits(&mut self, counter: i64) {
        let zxid = zxid(2, counter);
        self.hears(FromLeader::Proposal { zxid, txn: b"txn" });
        self.hears(FromLeader::Commit { zxid });
    }
}

/// The zxids that an observer is informed of, and what else is sent to it.
fn to_observer(effects: &[Effect]) -> Vec<String> {
    let zxids = |part: &Part| part.records().map(|it| it.0.counter()).collect::<Vec<_>>();
    let sent = effects.iter().filter_map(|it| match it {
        Effect::Send(OBSERVER, Message::Informs(part)) => Some(format!("{:?}", zxids(part))),
        Effect::Send(OBSERVER, Message::Diff(zxid)) => Some(format!("diff {}", zxid.counter())),
        Effect::Send(OBSERVER, Message::NewLeader(..)) => Some("newleader".to_owned()),
        Effect::Send(OBSERVER, other) => Some(format!("{other:?}")),
        _ => None,
    });
    sent.collect()
}

fn closed(effects: &[Effect]) -> Option<CloseReason> {
    effects.iter().find_map(|it| match it {
        Effect::Close(OBSERVER, why) => Some(*why),
        _ => None,
    })
}

#[test]
fn observers_are_informed_of_what_is_committed_before_it_is_durable_here() {
    let mut lone = Lone::master();
    lone.is_joined_by_observer();
    lone.hears(FromLeader::Proposal { zxid: zxid(2, 1), txn: b"txn" });
    assert!(to_observer(&lone.handle(Event::TurnEnded)).is_empty(), "it is only proposed");
    lone.hears(FromLeader::Commit { zxid: zxid(2, 1) });
    lone.commits(2);
    let ended = lone.handle(Event::TurnEnded);
    assert_eq!(to_observer(&ended), ["[1]", "[2]"]);
    assert_eq!(lone.zab.history().durable(), zxid(1, 1));
}

#[test]
fn what_the_leader_answers_keeps_its_place_among_what_it_commits() {
    let mut lone = Lone::master();
    lone.is_joined_by_observer();
    // All in one turn.
    lone.commits(1);
    let before = lone.hears(FromLeader::Sync { zxid: Zxid::ZERO });
    assert_eq!(to_observer(&before), ["[1]"], "the sync is answered behind it");
    lone.commits(2);
    let session = SessionId(1);
    let before = lone.hears(FromLeader::Revalidate { session, is_valid: true });
    assert_eq!(to_observer(&before), ["[2]"]);
    lone.commits(3);
    assert_eq!(to_observer(&lone.handle(Event::TurnEnded)), ["[3]"]);
}

#[test]
fn an_observer_that_knows_more_waits_whoever_made_it() {
    for trailing in [KIN, &[]] {
        let mut lone = Lone::master();
        lone.hears(FromLeader::Proposal { zxid: zxid(2, 1), txn: b"txn" });
        let told = lone.is_observed(zxid(2, 1), trailing);
        assert!(told.is_empty(), "{told:?}");
        assert!(to_observer(&lone.handle(Event::TurnEnded)).is_empty());
        lone.hears(FromLeader::Commit { zxid: zxid(2, 1) });
        let ended = lone.handle(Event::TurnEnded);
        assert_eq!(to_observer(&ended), ["diff 1", "newleader"]);
    }
}

#[test]
fn only_observers_that_keep_to_the_order_are_served() {
    let learner = LearnerInfo::Config {
        server: ServerId(2),
        protocol: PROTOCOL_VERSION,
        version: 0,
        trailing: &[],
    };
    let mut lone = Lone::master();
    lone.handle(Event::ObserverAccepted(OBSERVER));
    let introduced = FromLearner::FollowerInfo { accepted: zxid(1, 0), learner };
    assert_eq!(closed(&lone.answers(OBSERVER, introduced)), Some(CloseReason::NotObserver));

    let out_of_place = Some(CloseReason::Protocol(Violation::OutOfPlace));
    let revalidate = FromLearner::Revalidate { session: SessionId(1), timeout_ms: 1 };
    lone.is_observed(zxid(1, 1), KIN);
    assert_eq!(closed(&lone.answers(OBSERVER, revalidate)), out_of_place, "before its ACK");
    lone.handle(Event::ObserverAccepted(OBSERVER));
    let early = lone.answers(OBSERVER, FromLearner::Ack { zxid: zxid(2, 0) });
    assert_eq!(closed(&early), out_of_place, "before NEWLEADER");

    lone.is_joined_by_observer();
    let again = lone.answers(OBSERVER, FromLearner::Ack { zxid: zxid(2, 0) });
    assert!(again.is_empty(), "stock's observers acknowledge UPTODATE: {again:?}");
    let acked = lone.answers(OBSERVER, FromLearner::Ack { zxid: zxid(2, 1) });
    let why = CloseReason::Protocol(Violation::NotProposed(zxid(2, 1)));
    assert_eq!(closed(&acked), Some(why), "observers hold nothing that counts");
}

#[test]
fn a_silent_observer_is_left_and_all_are_with_the_leader() {
    let mut lone = Lone::master();
    lone.is_joined_by_observer();
    for _ in 0..PACE.sync_limit {
        lone.now_ms += PACE.tick_ms / 2;
        lone.hears(FromLeader::Ping { zxid: Zxid::ZERO });
        let ended = lone.handle(Event::TurnEnded);
        assert_eq!(to_observer(&ended).len(), 1, "it is pinged: {ended:?}");
    }
    lone.now_ms += PACE.sync_ms();
    lone.hears(FromLeader::Ping { zxid: Zxid::ZERO });
    assert_eq!(closed(&lone.handle(Event::TurnEnded)), Some(CloseReason::Silent));

    lone.is_joined_by_observer();
    let lost = lone.handle(Event::Closed(LINK));
    assert_eq!(closed(&lost), Some(CloseReason::Lost));
    assert!(lost.iter().any(|it| matches!(it, Effect::OpenToObservers(false))), "{lost:?}");
    lone.handle(Event::ObserverAccepted(OBSERVER));
    assert!(!lone.zab.serves_observer(OBSERVER));
}
