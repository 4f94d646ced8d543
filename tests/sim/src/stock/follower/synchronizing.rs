//! How a stock server takes over its leader's history (`Learner.syncWithLeader`).

use super::{Act, Context, End, Follower, Mode, Step};
use crate::disk::Operation;
use crate::stock::files::Snapshot;
use engine::in_log::InLog;
use engine::zab::Message;
use model::peer::packet::FromLeader;
use model::zxid::Zxid;
use std::mem;
use std::sync::Arc;

impl Follower {
    pub(super) fn choose(
        &mut self,
        packet: &FromLeader<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), End> {
        match packet {
            FromLeader::Diff { .. } => {
                self.mode = Mode::Diff;
                self.step = Step::CatchingUp;
            }
            FromLeader::Trunc { zxid } => {
                self.mode = Mode::Trunc;
                self.step = Step::Cutting;
                context.acts.push(Act::Begin(Operation::Cut(*zxid)));
            }
            FromLeader::Snap { zxid } => {
                self.mode = Mode::Snap;
                self.step = Step::Receiving;
                context.acts.push(Act::Receive(*zxid));
            }
            _ => return Err(End::Wronged("neither DIFF nor TRUNC nor SNAP")),
        }
        Ok(())
    }

    /// Memory is what a cut has left, or what a snapshot holds.
    pub fn loaded(&mut self, context: &Context<'_>) -> Result<(), End> {
        self.heard_ms = context.now_ms;
        self.step = Step::CatchingUp;
        if self.is_broken { Err(End::Lost) } else { Ok(()) }
    }

    /// Between the choice and UPTODATE. A PING is passed over.
    pub(super) fn synchronize(
        &mut self,
        packet: &FromLeader<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), End> {
        match packet {
            FromLeader::Proposal { zxid, txn } => {
                let before = self.last_queued;
                let is_later = *zxid == before.next() || zxid.epoch() > before.epoch();
                if before != Zxid::ZERO && !is_later {
                    return Err(End::Wronged("a proposal does not continue the one before"));
                }
                self.last_queued = *zxid;
                self.not_logged.push_back((*zxid, (*txn).into()));
            }
            FromLeader::Commit { zxid } => {
                let Some((first, _)) = self.not_logged.front() else {
                    return Err(End::Wronged("a COMMIT without a proposal"));
                };
                if self.step == Step::Accepted || self.mode == Mode::Diff {
                    self.committed.push_back(*zxid);
                } else if first == zxid {
                    let (zxid, txn) = self.not_logged.pop_front().expect("the first one");
                    context.apply(zxid, &txn);
                }
            }
            FromLeader::NewLeader { .. } if self.step == Step::CatchingUp => {
                self.new_leader(context);
            }
            FromLeader::UpToDate { .. } if self.step == Step::Accepted => {
                return self.up_to_date(context);
            }
            FromLeader::NewLeader { .. } | FromLeader::UpToDate { .. } => {
                return Err(End::Wronged("UPTODATE before, or NEWLEADER behind NEWLEADER"));
            }
            _ => (),
        }
        Ok(())
    }

    fn new_leader(&mut self, context: &mut Context<'_>) {
        let state = context.states.back().copied().unwrap_or_default();
        let is_synced = self.mode == Mode::Snap;
        let snapshot = Snapshot { label: *context.last, state, is_synced };
        match self.mode {
            Mode::Snap => {
                self.step = Step::Saving;
                context.acts.push(Act::Begin(Operation::Save(snapshot)));
            }
            Mode::Trunc => {
                context.acts.push(Act::Save(snapshot));
                self.accept(context);
            }
            Mode::Diff => {
                let mut txns = InLog::default();
                for zxid in mem::take(&mut self.committed) {
                    if self.not_logged.front().is_some_and(|(first, _)| *first == zxid) {
                        let (zxid, txn) = self.not_logged.pop_front().expect("the first one");
                        txns.push(zxid, &txn);
                    }
                }
                if txns.is_empty() {
                    self.accept(context);
                } else {
                    self.step = Step::Flushing;
                    context.acts.push(Act::Begin(Operation::Append(Arc::new(txns), Zxid::ZERO)));
                }
            }
        }
    }

    pub(super) fn accept(&mut self, context: &mut Context<'_>) {
        self.epochs = self.epochs.accept();
        self.step = Step::Accepting;
        context.acts.push(Act::Begin(Operation::Epochs(self.epochs)));
    }

    fn up_to_date(&mut self, context: &mut Context<'_>) -> Result<(), End> {
        context.acts.push(Act::Send(Message::AckNewLeader(self.start.epoch())));
        self.step = Step::Broadcast;
        self.notice.vote.epoch = i64::from(self.start.epoch().0);
        for (zxid, txn) in mem::take(&mut self.not_logged) {
            self.log(zxid, &txn)?;
        }
        context.acts.push(Act::Show);
        for zxid in mem::take(&mut self.committed) {
            self.commit(zxid, context)?;
        }
        Ok(())
    }
}
