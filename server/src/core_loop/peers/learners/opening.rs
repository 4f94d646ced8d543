//! Who connects: this server to a leader, and others to this one.

use super::super::complaints::Complaint;
use super::super::inbox::Inbox;
use super::super::limits::INTRODUCTION;
use super::super::resolver::{Found, Resolver, Sought};
use super::super::strangers::{self, Stranger};
use super::super::tries::{Try, tries};
use super::link::{Link, Side};
use super::{Door, Kept, Learners, News, Opening, Step, Traffic, Whereabouts};
use crate::core_loop::peers::Agreement;
use crate::core_loop::sockets::Place;
use engine::zab::{self, Attempt, LinkId};
use model::peer::packet::{Measure, PacketKind, Progress};
use model::server::ServerId;
use net::outgoing::{SocketOptions, unconnected};
use ring::{Errno, Queue};
use std::fmt::Display;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::vec::IntoIter;
use tracing::{debug, info};

impl Learners {
    /// Begins an attempt to connect to a server's port for learners, or for observers, in place of
    /// one that is under way.
    pub(in super::super) fn connect(
        &mut self,
        queue: &mut Queue<'_>,
        resolver: &mut Resolver,
        (attempt, to): (Attempt, ServerId),
        door: Door,
    ) {
        self.give_up(queue);
        let Some(reach) = self.others.get(&to) else {
            self.log_failure(to, &"it is not in the configuration");
            return self.news.push(News::Failed(attempt));
        };
        let until_ms = self.now_ms + self.leader_ms;
        let mut addresses = reach.quorum.clone();
        if let (Door::Observers, Some(port)) = (door, self.observers_port) {
            for address in &mut addresses {
                address.port = port;
            }
        }
        let found = resolver.look_up(Sought::Learner(to), addresses);
        self.opening = Some(Opening { attempt, to, step: Step::Resolving, until_ms });
        if let Some(found) = found {
            self.resolved(queue, to, found);
        }
    }

    /// Ends the attempt that is under way, which has failed.
    pub(super) fn give_up(&mut self, queue: &mut Queue<'_>) {
        let Some(opening) = self.opening.take() else { return };
        if let Step::Connecting { place, .. } = opening.step {
            self.sockets.close(queue, place);
        }
        self.news.push(News::Failed(opening.attempt));
    }

    /// The addresses of a leader are known, or not.
    pub(in super::super) fn resolved(&mut self, queue: &mut Queue<'_>, id: ServerId, found: Found) {
        let Some(opening) = &mut self.opening else { return };
        if opening.to == id && matches!(opening.step, Step::Resolving) {
            match found {
                Ok(addresses) => {
                    let share_ms = self.leader_ms / addresses.len() as u64;
                    let tries = tries(&addresses, self.check_ms, share_ms);
                    self.try_next(queue, tries.into_iter(), &"no address");
                }
                Err(error) => self.fail(&error),
            }
        }
    }

    /// Connects to the next address; `failure` is why the one before did not do.
    fn try_next(&mut self, queue: &mut Queue<'_>, mut rest: IntoIter<Try>, failure: &dyn Display) {
        let Some(Try { address, limit_ms }) = rest.next() else { return self.fail(failure) };
        let options = SocketOptions { no_delay: self.no_delay, ..SocketOptions::default() };
        match unconnected(address, options) {
            Ok(fd) => {
                let kept = Kept::Connecting(address);
                let place = self.sockets.connect(queue, fd, address, kept);
                if let Some(opening) = &mut self.opening {
                    opening.until_ms = self.now_ms + limit_ms;
                    opening.step = Step::Connecting { place, rest };
                }
            }
            Err(errno) => self.try_next(queue, rest, &errno),
        }
    }

    /// The attempt has taken too long: the next address is tried, if there is one.
    pub(super) fn time_out(&mut self, queue: &mut Queue<'_>) {
        match self.opening.as_mut().map(|opening| &mut opening.step) {
            Some(Step::Connecting { place, rest }) => {
                let (place, rest) = (*place, std::mem::take(rest));
                self.sockets.close(queue, place);
                self.try_next(queue, rest, &Errno::ETIMEDOUT);
            }
            Some(Step::Resolving) => self.fail(&"its name was not resolved in time"),
            None => (),
        }
    }

    fn fail(&mut self, why: &dyn Display) {
        if let Some(Opening { attempt, to, .. }) = self.opening.take() {
            self.log_failure(to, why);
            self.news.push(News::Failed(attempt));
        }
    }

    fn log_failure(&mut self, to: ServerId, why: &dyn Display) {
        if let Some(suppressed) = self.failures.admits(self.now_ms) {
            info!(
                suppressed,
                "server {to}, which this one is to learn from, cannot be reached: {why}"
            );
        }
    }

    /// The leader was not reached at one of its addresses.
    pub(super) fn not_connected(
        &mut self,
        queue: &mut Queue<'_>,
        why: &dyn Display,
        agreement: &mut impl Agreement,
    ) {
        if let Some(Opening { step: Step::Connecting { rest, .. }, .. }) = &mut self.opening {
            let rest = std::mem::take(rest);
            self.try_next(queue, rest, why);
        }
        self.report_failures(agreement);
    }

    /// Notifies agreement of attempts that have failed.
    fn report_failures(&mut self, agreement: &mut impl Agreement) {
        for news in self.news.extract_if(.., |news| matches!(news, News::Failed(_))) {
            if let News::Failed(attempt) = news {
                agreement.handle(zab::Event::ConnectFailed(attempt));
            }
        }
    }

    /// A connection to the leader is open.
    pub(super) fn opened(&mut self, place: Place, agreement: &mut impl Agreement) {
        let Some(&Kept::Connecting(address)) = self.sockets.find(place) else { return };
        let Some(Opening { attempt, .. }) = self.opening.take() else { return };
        let id = self.link(place, Side::Learner, address, Inbox::default());
        agreement.handle(zab::Event::Connected(attempt, id));
    }

    /// The socket in a place is a link from now on.
    fn link(&mut self, place: Place, side: Side, from: SocketAddr, inbox: Inbox) -> LinkId {
        let id = LinkId(self.next_link);
        self.next_link += 1;
        if let Some(kept) = self.sockets.find_mut(place) {
            *kept = Kept::Link(Box::new(Link::new(id, side, from, inbox, self.packets)));
        }
        self.links.insert(id, Whereabouts::Here(place));
        if side == Side::Leader {
            self.traffic.insert(id, Traffic::new(from, self.now_ms));
        }
        id
    }

    /// A connection was accepted: its first packet is awaited.
    pub(in super::super) fn accepted(&mut self, queue: &mut Queue<'_>, fd: OwnedFd, door: Door) {
        if self.is_stopping {
            return queue.close_after(fd, None);
        }
        let times_ms = (self.now_ms, self.now_ms + self.introduction_ms);
        let kept = |stranger| Kept::Stranger(stranger, door);
        strangers::admit(&mut self.sockets, queue, (fd, kept), times_ms, &mut self.complaints);
    }

    /// A connection could not be accepted.
    pub(in super::super) fn accept_failed(&mut self, errno: Errno) {
        self.complain(&"listener", Complaint::Accept(errno));
    }

    /// A stranger has sent something: it is a learner once its first packet is whole.
    pub(super) fn introducing(
        &mut self,
        queue: &mut Queue<'_>,
        place: Place,
        bytes: &[u8],
        agreement: &mut impl Agreement,
    ) {
        let Some(Kept::Stranger(Stranger { from, inbox, .. }, door)) = self.sockets.find_mut(place)
        else {
            return;
        };
        let (from, door, mut is_whole) = (*from, *door, false);
        let fed = inbox.feed(bytes, |front| {
            is_whole = is_introduction(front)?;
            Ok::<_, Complaint>(None)
        });
        match fed {
            Ok(()) if is_whole => {
                let inbox = std::mem::take(inbox);
                let id = self.link(place, Side::Leader, from, inbox);
                debug!(%from, "a learner has connected");
                agreement.handle(match door {
                    Door::Quorum => zab::Event::Accepted(id),
                    Door::Observers => zab::Event::ObserverAccepted(id),
                });
                self.take_packets(queue, place, &[], agreement);
            }
            Ok(()) => (),
            Err(complaint) => {
                self.complain(&from, complaint);
                self.sockets.close(queue, place);
            }
        }
    }
}

/// Whether what has come begins with a whole introduction.
///
/// # Errors
/// It never will.
fn is_introduction(front: &[u8]) -> Result<bool, Complaint> {
    let Some(kind) = front.first_chunk() else { return Ok(false) };
    let is_right = [PacketKind::FollowerInfo, PacketKind::ObserverInfo]
        .iter()
        .any(|it| it.code() == i32::from_be_bytes(*kind));
    if !is_right {
        return Err(Complaint::Introduction);
    }
    match Measure::new(INTRODUCTION).advance(front) {
        Ok(progress) => Ok(matches!(progress, Progress::Whole(_))),
        Err(_) => Err(Complaint::Introduction),
    }
}
