//! Messages as packets of ZooKeeper's protocol.

use super::effect::{Message, Notice};
use super::ensemble::Ensemble;
use model::peer::notification::Notification;
use model::peer::packet::{FromLeader, FromLearner, LearnerInfo, PROTOCOL_VERSION, Touched};
use model::zxid::Zxid;

/// The zxid of UPTODATE, which means nothing.
const NO_ZXID: Zxid = Zxid(-1);

/// The epoch of a promise that does not count.
const NO_EPOCH: i32 = -1;

/// What a server of this project adds to its introduction, where stock's servers do not look. A
/// learner: its log can be cut at any txn of its history, and all that is committed goes to its
/// log. A leader: its snapshots are exact.
pub(super) const KIN: &[u8] = b"ringkeeper";

impl Notice {
    /// Appends the notification.
    pub fn encode(&self, ensemble: &Ensemble, out: &mut Vec<u8>) {
        let Self { state, vote, round } = *self;
        Notification { state, vote, round, config: Some(ensemble.current.text()) }.encode(out);
    }
}

impl From<&Notification<'_>> for Notice {
    fn from(said: &Notification<'_>) -> Self {
        let Notification { state, vote, round, .. } = *said;
        Self { state, vote, round }
    }
}

/// Bytes of a packet without data.
const BARE_BYTES: usize = 20;

/// Bytes of the server that is to lead.
const DESIGNATED_BYTES: usize = 8;

impl Message {
    /// Bytes that [`Self::encode`] appends. The acknowledgements of a long range, and a large part
    /// of the history, are not built in order to see that they are too much.
    pub fn encoded_bytes(&self) -> usize {
        match self {
            Self::Register { .. } => BARE_BYTES + 20 + KIN.len(),
            Self::LeaderInfo(_) => BARE_BYTES + 4 + KIN.len(),
            Self::AckEpoch { .. } => BARE_BYTES + 4,
            Self::Proposals(part) | Self::Informs(part) => {
                part.records().map(|(_, txn)| BARE_BYTES + txn.len()).sum()
            }
            Self::Commits(part) => part.range.len() * BARE_BYTES,
            Self::NewLeader(_, configuration) => BARE_BYTES + configuration.text().len(),
            Self::CommitAndActivate(..) => BARE_BYTES + DESIGNATED_BYTES,
            Self::InformAndActivate(part, _) => {
                part.records().map(|(_, txn)| BARE_BYTES + DESIGNATED_BYTES + txn.len()).sum()
            }
            Self::Acks { first, last } => {
                let count = usize::try_from(last.0.saturating_sub(first.0).saturating_add(1));
                count.unwrap_or(0).saturating_mul(BARE_BYTES)
            }
            Self::OfClients(packets) => packets.len(),
            Self::Diff(_)
            | Self::Trunc(_)
            | Self::Snap(_)
            | Self::UpToDate
            | Self::AckNewLeader(_)
            | Self::Ping(_)
            | Self::Pong(_) => BARE_BYTES,
        }
    }

    /// Appends the packets: one, or one for each txn.
    pub fn encode(&self, ensemble: &Ensemble, out: &mut Vec<u8>) {
        match self {
            Self::Register { is_observer, promised } => {
                let learner = LearnerInfo::Config {
                    server: ensemble.me,
                    protocol: PROTOCOL_VERSION,
                    version: ensemble.current.version(),
                    trailing: KIN,
                };
                let accepted = Zxid::of_epoch(*promised);
                if *is_observer {
                    FromLearner::ObserverInfo { accepted, learner }.encode(out);
                } else {
                    FromLearner::FollowerInfo { accepted, learner }.encode(out);
                }
            }
            Self::LeaderInfo(epoch) => {
                let zxid = Zxid::of_epoch(*epoch);
                let protocol = PROTOCOL_VERSION;
                FromLeader::LeaderInfo { zxid, protocol, trailing: KIN }.encode(out);
            }
            Self::AckEpoch { last, current } => {
                let epoch = current.map_or(NO_EPOCH, |epoch| epoch.0 as i32);
                FromLearner::AckEpoch { logged: *last, epoch }.encode(out);
            }
            Self::Diff(zxid) => FromLeader::Diff { zxid: *zxid }.encode(out),
            Self::Trunc(zxid) => FromLeader::Trunc { zxid: *zxid }.encode(out),
            Self::Snap(zxid) => FromLeader::Snap { zxid: *zxid }.encode(out),
            Self::Proposals(part) => {
                part.records()
                    .for_each(|(zxid, txn)| FromLeader::Proposal { zxid, txn }.encode(out));
            }
            Self::Commits(part) => {
                part.records().for_each(|(zxid, _)| FromLeader::Commit { zxid }.encode(out));
            }
            Self::Informs(part) => {
                part.records().for_each(|(zxid, txn)| FromLeader::Inform { zxid, txn }.encode(out));
            }
            Self::CommitAndActivate(zxid, designated) => {
                let (zxid, designated) = (*zxid, *designated);
                FromLeader::CommitAndActivate { zxid, designated }.encode(out);
            }
            Self::InformAndActivate(part, designated) => {
                let designated = *designated;
                part.records().for_each(|(zxid, txn)| {
                    FromLeader::InformAndActivate { zxid, designated, txn }.encode(out);
                });
            }
            Self::NewLeader(epoch, configuration) => {
                let config = Some(&**configuration.text());
                FromLeader::NewLeader { zxid: Zxid::of_epoch(*epoch), config }.encode(out);
            }
            Self::UpToDate => FromLeader::UpToDate { zxid: NO_ZXID }.encode(out),
            Self::AckNewLeader(epoch) => {
                FromLearner::Ack { zxid: Zxid::of_epoch(*epoch) }.encode(out);
            }
            Self::Acks { first, last } => {
                for zxid in (first.0..=last.0).map(Zxid) {
                    FromLearner::Ack { zxid }.encode(out);
                }
            }
            Self::Ping(zxid) => FromLeader::Ping { zxid: *zxid }.encode(out),
            Self::OfClients(packets) => out.extend_from_slice(packets),
            Self::Pong(zxid) => {
                FromLearner::Ping { zxid: *zxid, touched: Touched::default() }.encode(out);
            }
        }
    }
}
