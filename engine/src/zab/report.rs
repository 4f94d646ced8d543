//! What a server's agreement tells its caller, and what it announces to other servers.

use super::effect::Notice;
use super::election::Elected;
use super::ensemble::{Ensemble, Pace};
use super::event::LinkId;
use super::history::History;
use super::learners::Learner;
use super::{Role, Zab};
use model::peer::notification::{ServerState, Vote};
use model::server::ServerId;
use model::zxid::{Epoch, Epochs, Zxid};

/// How far a server has come with a leader, be that another server or itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is none: it looks for one.
    Election,
    /// An epoch is being agreed on.
    Discovery,
    /// The epoch is promised; histories are being made equal.
    Synchronization,
    /// Clients are served.
    Broadcast,
}

impl Zab {
    /// How far this server has come.
    pub fn progress(&self) -> Progress {
        match &self.role {
            Role::Looking(_) | Role::Ending { .. } => Progress::Election,
            _ if self.is_serving() => Progress::Broadcast,
            Role::Leading(leading) if leading.is_synchronizing() => Progress::Synchronization,
            Role::Following(following) if following.has_promised() => Progress::Synchronization,
            Role::Leading(_) | Role::Following(_) => Progress::Discovery,
        }
    }

    /// The servers that have connected to this one to learn from it, while it leads, or serves
    /// observers.
    pub fn learners(&self) -> impl Iterator<Item = &Learner> {
        let led = match &self.role {
            Role::Leading(leading) => Some(leading.learners()),
            Role::Ending { .. } | Role::Looking(_) | Role::Following(_) => None,
        };
        let observers = self.observers();
        led.into_iter().flatten().chain(observers.into_iter().flatten())
    }

    /// The observers that learn from this server, while it follows and serves them.
    pub fn observers(&self) -> Option<impl Iterator<Item = &Learner>> {
        match &self.role {
            Role::Following(following) => following.observers(),
            Role::Ending { .. } | Role::Looking(_) | Role::Leading(_) => None,
        }
    }

    /// Whether an observer is at the other end of a link, and learns from this server.
    pub fn serves_observer(&self, link: LinkId) -> bool {
        match &self.role {
            Role::Following(following) => following.serves_observer(link),
            Role::Ending { .. } | Role::Looking(_) | Role::Leading(_) => false,
        }
    }

    /// The server that this one learns from: the leader, or an observer master.
    pub fn learns_from(&self) -> Option<ServerId> {
        match &self.role {
            Role::Following(following) => Some(following.master()),
            Role::Ending { .. } | Role::Looking(_) | Role::Leading(_) => None,
        }
    }

    /// What this server announces.
    pub fn notice(&self) -> Notice {
        let own = Elected { vote: self.own_vote(), round: self.round };
        let Elected { vote, round } = self.elected.unwrap_or(own);
        match &self.role {
            Role::Looking(election) => election.notice(),
            Role::Ending { .. } => Notice { state: ServerState::Looking, vote: own.vote, round },
            Role::Leading(leading) => {
                let epoch = i64::from(leading.epoch().0);
                let is_begun = leading.is_in_broadcast();
                let vote = if is_begun { Vote { epoch, ..vote } } else { vote };
                Notice { state: ServerState::Leading, vote, round }
            }
            Role::Following(following) => {
                let is_observer = following.is_observer();
                let state =
                    if is_observer { ServerState::Observing } else { ServerState::Following };
                let epoch = i64::from(following.epoch().0);
                let is_serving = following.is_serving();
                Notice {
                    state,
                    vote: if is_serving { Vote { epoch, ..vote } } else { vote },
                    round,
                }
            }
        }
    }

    /// When [`Event::TurnEnded`](super::Event) has something to do though nothing else has
    /// happened, in ms of the monotonic clock.
    pub fn deadline_ms(&self) -> u64 {
        match &self.role {
            Role::Ending { .. } => match self.rests_until_ms {
                0 => u64::MAX,
                until_ms => until_ms,
            },
            Role::Looking(election) => election.deadline_ms(&self.ensemble),
            Role::Leading(leading) => leading.deadline_ms(&self.ensemble),
            Role::Following(following) => following.deadline_ms(self.pace),
        }
    }

    /// Whether packets of this link are to be handed in now; if not, the link is not read.
    pub fn is_reading(&self, link: LinkId) -> bool {
        match &self.role {
            Role::Following(following) if following.link() == Some(link) => following.is_reading(),
            _ => !self.early.contains(&link),
        }
    }

    /// Through where this server's leader has called the history committed, which need not be
    /// durable here yet.
    pub fn named(&self) -> Zxid {
        match &self.role {
            Role::Following(following) => following.named(),
            Role::Ending { .. } | Role::Looking(_) | Role::Leading(_) => self.history.committed(),
        }
    }

    /// Whether a snapshot has taken the place of this server's history and is not accepted yet.
    pub fn is_replacing(&self) -> bool {
        match &self.role {
            Role::Following(following) | Role::Ending { following: Some(following), .. } => {
                following.is_replacing()
            }
            Role::Ending { .. } | Role::Looking(_) | Role::Leading(_) => false,
        }
    }

    /// How long this server waits for others.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// The configuration.
    pub fn ensemble(&self) -> &Ensemble {
        &self.ensemble
    }

    /// This server's history.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The epochs on disk.
    pub fn epochs(&self) -> Epochs {
        self.epochs
    }

    /// The learner at the other end of a link, while learners are served and once it has introduced
    /// itself.
    pub fn learner_at(&self, link: LinkId) -> Option<ServerId> {
        self.learners().find(|it| it.link == link)?.id
    }

    /// The epoch in which this server leads, once that has begun.
    pub fn leads(&self) -> Option<Epoch> {
        match &self.role {
            Role::Leading(leading) if leading.is_in_broadcast() => Some(leading.epoch()),
            _ => None,
        }
    }

    /// Whom this server follows, from the moment when it has chosen.
    pub fn follows(&self) -> Option<ServerId> {
        match &self.role {
            Role::Following(following) => Some(following.leader()),
            Role::Ending { .. } | Role::Looking(_) | Role::Leading(_) => None,
        }
    }

    /// How many txns this server may propose before its epoch ends; none unless it leads. An epoch
    /// whose txns are all committed ends at the end of a turn ([`Lost::EpochFull`](super::Lost)).
    pub fn room(&self) -> u32 {
        match &self.role {
            Role::Leading(leading) => leading.room(&self.history, &self.ensemble),
            Role::Ending { .. } | Role::Looking(_) | Role::Following(_) => 0,
        }
    }

    /// Whether clients are served.
    pub fn is_serving(&self) -> bool {
        match &self.role {
            Role::Leading(leading) => leading.is_in_broadcast(),
            Role::Following(following) => following.is_serving(),
            Role::Looking(_) | Role::Ending { .. } => false,
        }
    }
}
