//! Batches between departure and durability, in order.

use std::collections::VecDeque;

use model::zxid::Zxid;

use super::Slot;
use crate::format::{SegmentNumber, SegmentOffset, Sequence};
use crate::limits::FLIGHT_COUNT_MAX;

/// One batch that has departed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    sequence: Sequence,
    pub(super) segment: SegmentNumber,
    pub(super) offset: SegmentOffset,
    last: Zxid,
    stage: Stage,
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    InTheAir(Slot),
    /// Written; keeps its slot until the caller has said whether that made it durable.
    Landed(Slot),
    /// Written before the flush that is in progress.
    Covered,
    Durable,
}

/// All of them, oldest first. Durability advances from the front only.
#[derive(Debug)]
pub(super) struct Flights {
    in_order: VecDeque<Flight>,
    /// One bit for each free slot.
    free_slots: u8,
    flushing: Option<SegmentNumber>,
    durable: Sequence,
    durable_through: Zxid,
    segment_durable: SegmentNumber,
}

impl Flight {
    pub(super) const fn new(
        sequence: Sequence,
        segment: SegmentNumber,
        offset: SegmentOffset,
        last: Zxid,
    ) -> Self {
        Self { sequence, segment, offset, last, stage: Stage::InTheAir(Slot(u8::MAX)) }
    }
}

impl Flights {
    /// Nothing has departed yet in the run whose first segment is `first`.
    pub(super) fn new(slot_count: usize, durable_through: Zxid, first: SegmentNumber) -> Self {
        Self {
            in_order: VecDeque::with_capacity(FLIGHT_COUNT_MAX),
            free_slots: u8::MAX >> (u8::BITS as usize - slot_count),
            flushing: None,
            durable: Sequence::ZERO,
            durable_through,
            segment_durable: first,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.free_slots != 0 && self.in_order.len() < FLIGHT_COUNT_MAX
    }

    pub(super) const fn durable(&self) -> Sequence {
        self.durable
    }

    pub(super) const fn durable_through(&self) -> Zxid {
        self.durable_through
    }

    pub(super) const fn segment_durable(&self) -> SegmentNumber {
        self.segment_durable
    }

    /// Takes a free slot for `flight`.
    pub(super) fn launch(&mut self, mut flight: Flight) -> Slot {
        assert!(self.has_room());
        let slot = Slot(self.free_slots.trailing_zeros() as u8);
        self.free_slots &= self.free_slots - 1;
        flight.stage = Stage::InTheAir(slot);
        self.in_order.push_back(flight);
        slot
    }

    /// The write in `slot` has ended; the slot is free.
    pub(super) fn land(&mut self, slot: Slot) -> Flight {
        let in_slot = |flight: &&mut Flight| flight.stage == Stage::InTheAir(slot);
        let flight = self.in_order.iter_mut().find(in_slot).expect("a write in this slot");
        flight.stage = Stage::Landed(slot);
        self.free_slots |= 1 << slot.0;
        *flight
    }

    /// The write that has just landed in `slot` was durable when it ended.
    pub(super) fn settle_landed(&mut self, slot: Slot) {
        for flight in &mut self.in_order {
            if flight.stage == Stage::Landed(slot) {
                flight.stage = Stage::Durable;
            }
        }
    }

    /// Begins a flush if one is due: of the oldest segment that has something written, once no
    /// other flush is in progress. Everything written there so far is covered, behind gaps too.
    pub(super) fn maybe_flush(&mut self) -> Option<SegmentNumber> {
        if self.flushing.is_some() {
            return None;
        }
        let front = self.in_order.front()?;
        if !matches!(front.stage, Stage::Landed(_)) {
            return None;
        }
        let segment = front.segment;
        for flight in self.in_order.iter_mut().filter(|flight| flight.segment == segment) {
            if matches!(flight.stage, Stage::Landed(_)) {
                flight.stage = Stage::Covered;
            }
        }
        self.flushing = Some(segment);
        Some(segment)
    }

    pub(super) fn flush_ended(&mut self) -> SegmentNumber {
        self.flushing.take().expect("a flush was requested")
    }

    pub(super) fn settle_covered(&mut self) {
        for flight in &mut self.in_order {
            if flight.stage == Stage::Covered {
                flight.stage = Stage::Durable;
            }
        }
    }

    /// Advances durability over what is durable at the front.
    pub(super) fn advance(&mut self) {
        while let Some(flight) = self.in_order.front()
            && flight.stage == Stage::Durable
        {
            assert_eq!(flight.sequence, self.durable.next());
            assert!(flight.last >= self.durable_through);
            self.durable = flight.sequence;
            self.durable_through = flight.last;
            self.segment_durable = flight.segment;
            self.in_order.pop_front();
        }
    }
}
