//! Packets in.

use super::super::complaints::Complaint;
use super::super::limits::HELD_BYTES_MAX;
use super::link::Side;
use super::{Kept, Learners, Traffic};
use crate::core_loop::peers::Agreement;
use crate::core_loop::sockets::Place;
use engine::zab::{self, LinkId};
use model::peer::packet::{
    FromLeader, FromLearner, LearnerInfo, Measure, PacketError, PacketLimits, Progress,
};
use model::server::ServerId;
use ring::Queue;

impl Learners {
    pub(super) fn received(
        &mut self,
        queue: &mut Queue<'_>,
        place: Place,
        bytes: &[u8],
        agreement: &mut impl Agreement,
    ) {
        match self.sockets.find(place) {
            Some(Kept::Stranger(..)) => self.introducing(queue, place, bytes, agreement),
            Some(Kept::Link(_)) => self.take_packets(queue, place, bytes, agreement),
            Some(Kept::Connecting(_)) | None => (),
        }
    }

    /// Hands in the packets that are whole with `bytes`, until agreement does not read the link any
    /// more.
    pub(super) fn take_packets(
        &mut self,
        queue: &mut Queue<'_>,
        place: Place,
        bytes: &[u8],
        agreement: &mut impl Agreement,
    ) {
        let Some(Kept::Link(link)) = self.sockets.find_mut(place) else { return };
        let (id, side, from, limits) = (link.id, link.side, link.from, self.packets);
        let (mut is_stopped, mut passed_over, mut unlisted) = (false, None, None);
        let others = &self.others;
        let measure = &mut link.measure;
        let mut traffic = self.traffic.get_mut(&id);
        let is_lent = link.is_wanted_elsewhere;
        let fed = link.inbox.feed(bytes, |front| {
            if is_lent || !agreement.is_reading(id) {
                is_stopped = true;
                return Ok(None);
            }
            let Progress::Whole(length) = measure.advance(front)? else { return Ok(None) };
            *measure = Measure::new(limits);
            let note = |server: ServerId| {
                unlisted = Some(server).filter(|it| !others.contains_key(it)).or(unlisted);
            };
            let traffic = traffic.as_deref_mut();
            match hand_in(id, side, &front[..length], limits, (agreement, note, traffic)) {
                Err(error @ PacketError::Kind { .. }) => passed_over = Some(error),
                handed => handed?,
            }
            Ok::<_, PacketError>(Some(length))
        });
        let byte_count = link.inbox.len();
        let was_held = std::mem::replace(&mut link.is_held, is_stopped);
        if let Some(error) = passed_over {
            self.complain(&from, Complaint::PassedOver(error));
        }
        if let Some(server) = unlisted {
            self.complain(&from, Complaint::Unlisted(server));
        }
        if let Err(error) = fed {
            self.complain(&from, error.into());
            self.drop_link(queue, id);
            return agreement.handle(zab::Event::Closed(id));
        }
        match (was_held, is_stopped) {
            (false, true) => self.held.push(id),
            (true, false) => {
                // If the other side has closed it meanwhile, that was reported.
                self.sockets.resume(queue, place);
            }
            (true, true) | (false, false) => (),
        }
        if is_stopped && byte_count > HELD_BYTES_MAX {
            self.sockets.pause(queue, place);
        }
    }

    /// Hands in what was held back, of the links that are read again.
    pub(super) fn resume(&mut self, queue: &mut Queue<'_>, agreement: &mut impl Agreement) {
        for id in std::mem::take(&mut self.held) {
            let Some(place) = self.place_of(id) else { continue };
            if !self.is_resumable(id, agreement) {
                self.held.push(id);
                continue;
            }
            if let Some(link) = self.link_mut(id) {
                link.is_held = false;
            }
            self.sockets.resume(queue, place);
            self.take_packets(queue, place, &[], agreement);
        }
    }

    /// Whether a link that was held back is read again.
    pub(super) fn is_resumable(&self, id: LinkId, agreement: &impl Agreement) -> bool {
        let kept = self.place_of(id).and_then(|place| self.sockets.find(place));
        matches!(kept, Some(Kept::Link(link)) if !link.is_wanted_elsewhere)
            && agreement.is_reading(id)
    }
}

/// Hands in one packet, and counts it. `note` gets the number that a follower introduces itself
/// with.
fn hand_in(
    id: LinkId,
    side: Side,
    packet: &[u8],
    limits: PacketLimits,
    (agreement, mut note, traffic): (
        &mut impl Agreement,
        impl FnMut(ServerId),
        Option<&mut Traffic>,
    ),
) -> Result<(), PacketError> {
    let measured = "the packet was measured";
    match side {
        Side::Leader => {
            let (packet, _) = FromLearner::decode(packet, limits)?.expect(measured);
            if let FromLearner::FollowerInfo {
                learner: LearnerInfo::Config { server, .. }, ..
            } = packet
            {
                note(server);
            }
            if let Some(traffic) = traffic {
                traffic.heard(&packet);
            }
            agreement.handle(zab::Event::FromLearner(id, packet));
        }
        Side::Learner => {
            let (packet, _) = FromLeader::decode(packet, limits)?.expect(measured);
            agreement.handle(zab::Event::FromLeader(id, packet));
        }
    }
    Ok(())
}
