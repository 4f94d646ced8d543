//! How learners catch up, for the operator: one line for each, once everything that it lacked has
//! been handed to its link.
//!
//! Counted where what agreement sends passes by; decided by [`engine::zab`].
//!
//! Lives in: the core loop of the ordering role.

use engine::zab::{Effect, LinkId, Message};
use model::zxid::{Epoch, Zxid};
use std::collections::BTreeMap;
use std::fmt;

/// How a learner's history is made the beginning of the leader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    /// It is, already.
    Diff,
    /// It is cut behind this txn.
    Trunc(Zxid),
    /// A snapshot of this txn takes its place.
    Snap(Zxid),
}

/// What a learner was sent before it was offered the leader's epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CaughtUp {
    opening: Opening,
    /// Txns sent behind it.
    txns: usize,
    /// Pieces of the leader's log that were read for it.
    log_reads: usize,
    /// The epoch that it was offered.
    epoch: Epoch,
}

impl fmt::Display for CaughtUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.opening {
            Opening::Diff => write!(f, "DIFF")?,
            Opening::Trunc(zxid) => write!(f, "TRUNC to {zxid}")?,
            Opening::Snap(zxid) => write!(f, "SNAP at {zxid}")?,
        }
        let Self { txns, log_reads, epoch, .. } = self;
        write!(f, " and {txns} txns, offered epoch {}", epoch.0)?;
        if *log_reads > 0 {
            write!(f, "; the log was read {log_reads} times")?;
        }
        Ok(())
    }
}

/// The learners that are catching up.
#[derive(Debug, Default)]
pub(super) struct CatchingUp {
    /// Pieces of the log read for each link.
    log_reads: BTreeMap<LinkId, usize>,
    /// How each began, and how many txns it has been sent.
    begun: BTreeMap<LinkId, (Opening, usize)>,
}

impl CatchingUp {
    /// Agreement asks for this. Returns what a learner was sent, once that is everything.
    pub(super) fn see(&mut self, effect: &Effect) -> Option<(LinkId, CaughtUp)> {
        match effect {
            Effect::ReadLog(link, _) => *self.log_reads.entry(*link).or_default() += 1,
            Effect::Close(link, _) => self.forget(*link),
            Effect::Send(link, message) => return self.sent(*link, message),
            _ => (),
        }
        None
    }

    /// Whether it is decided how the learner begins.
    pub(super) fn has_begun(&self, link: LinkId) -> bool {
        self.begun.contains_key(&link)
    }

    /// The link has ended.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.begun.remove(&link);
        self.log_reads.remove(&link);
    }

    fn sent(&mut self, link: LinkId, message: &Message) -> Option<(LinkId, CaughtUp)> {
        let opening = match message {
            Message::Diff(_) => Opening::Diff,
            Message::Trunc(zxid) => Opening::Trunc(*zxid),
            Message::Snap(zxid) => Opening::Snap(*zxid),
            Message::Proposals(part) => {
                if let Some((_, txns)) = self.begun.get_mut(&link) {
                    *txns += part.range.len();
                }
                return None;
            }
            Message::NewLeader(epoch, _) => {
                let (opening, txns) = self.begun.remove(&link)?;
                let log_reads = self.log_reads.remove(&link).unwrap_or(0);
                return Some((link, CaughtUp { opening, txns, log_reads, epoch: *epoch }));
            }
            _ => return None,
        };
        self.begun.insert(link, (opening, 0));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::zab::Configuration;
    use model::server::ServerId;
    use std::sync::Arc;

    fn configuration() -> Arc<Configuration> {
        Arc::new(Configuration::of_voters([ServerId(1)]))
    }

    const LINK: LinkId = LinkId(7);

    fn line(effects: &[Effect]) -> Vec<String> {
        let mut catching_up = CatchingUp::default();
        let seen = effects.iter().filter_map(|effect| catching_up.see(effect));
        seen.map(|(link, caught_up)| format!("{} {caught_up}", link.0)).collect()
    }

    #[test]
    fn one_line_names_how_a_learner_began_and_what_it_was_sent() {
        let new_leader = || Effect::Send(LINK, Message::NewLeader(Epoch(3), configuration()));
        let diff = [Effect::Send(LINK, Message::Diff(Zxid(9))), new_leader(), new_leader()];
        assert_eq!(line(&diff), ["7 DIFF and 0 txns, offered epoch 3"]);
        let read = || Effect::ReadLog(LINK, Zxid(5));
        let snap = [read(), Effect::Send(LINK, Message::Snap(Zxid(9))), read(), new_leader()];
        assert_eq!(
            line(&snap),
            ["7 SNAP at 0x9 and 0 txns, offered epoch 3; the log was read 2 times"]
        );
    }

    #[test]
    fn a_link_that_ends_is_forgotten() {
        let lost = engine::zab::CloseReason::Lost;
        let closed = [
            Effect::Send(LINK, Message::Diff(Zxid(9))),
            Effect::Close(LINK, lost),
            Effect::Send(LINK, Message::NewLeader(Epoch(3), configuration())),
        ];
        assert_eq!(line(&closed), [""; 0]);
    }
}
