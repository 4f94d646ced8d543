//! A profile made of measurements: the probe's, on the machine that it is for.

use super::{Knob, Machine, Profile, Value};
use crate::probe::{Costs, DiskReport, Point, Verdict};

/// A batch takes at most so many times as long as a block.
const BATCH_PATIENCE: u64 = 8;
/// A loop polls for at most so long.
const SPIN_US_MAX: u64 = 50;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// The disk.
    pub report: &'a DiskReport,
    /// What that means for the log.
    pub verdict: &'a Verdict,
    /// The machine's own steps.
    pub costs: &'a Costs,
    /// Whether loops have cores to themselves.
    pub is_pinned: bool,
}

/// A profile of this machine. It decides what was measured, and leaves the rest to what is shipped
/// for the kind of machine.
pub fn made(name: &str, machine: Machine, measured: Made<'_>) -> Profile {
    let Made { report, verdict, costs, is_pinned } = measured;
    let mut profile = Profile::new(name, &format!("Measured on {machine}."));
    profile.machine = Some(machine);
    let points = |durability: &'static str| {
        report.points.iter().filter(move |point| point.durability == durability)
    };
    let chosen = verdict.durability;
    let lone: Vec<_> = ["dsync", "flush", "buffered"]
        .iter()
        .filter_map(|way| points(way).find(|point| point.slots == 1))
        .map(|point| format!("{}: {} us", point.durability, point.p50_us))
        .collect();
    profile.decide(
        Knob::LogDurability,
        Value::Word(chosen),
        "Each write is durable by itself, unless a flush for several brings half as many again."
            .to_owned(),
        Some(format!("a block of 4 KiB, {}", lone.join(", "))),
    );
    let rates: Vec<_> = points(chosen)
        .filter(|point| point.bytes == 16 << 10)
        .map(|point| format!("{}: {:.0}/s", point.slots, point.per_second))
        .collect();
    profile.decide(
        Knob::LogSlots,
        Value::Number(verdict.slots as u32),
        "The fewest in flight of which twice as many bring less than a tenth more.".to_owned(),
        Some(format!("16 KiB, {}", rates.join(", "))),
    );
    let at: Vec<&Point> = points(chosen).filter(|point| point.slots == 1).collect();
    if let Some(batch) = batch(&at) {
        let times: Vec<_> = at
            .iter()
            .map(|point| format!("{} KiB: {} us", point.bytes >> 10, point.p50_us))
            .collect();
        profile.decide(
            Knob::LogBatchKib,
            Value::Number((batch.bytes >> 10) as u32),
            format!(
                "The longest write that takes at most {BATCH_PATIENCE} times as long as a block, \
                 so that who comes behind it waits no longer."
            ),
            Some(times.join(", ")),
        );
    }
    let spin_us = if is_pinned { costs.wake_ns.div_ceil(1_000).min(SPIN_US_MAX) } else { 0 };
    let why = if is_pinned {
        "As long as waking a thread takes: what comes sooner is answered sooner, and what comes \
         later loses no more than that."
    } else {
        "No loop has a core to itself: who polls takes it from those that have work."
    };
    let took = format!("waking a thread: {} ns", costs.wake_ns);
    profile.decide(Knob::LoopSpinUs, Value::Number(spin_us as u32), why.to_owned(), Some(took));
    profile
}

/// The longest write for which it pays to wait.
fn batch<'a>(points: &[&'a Point]) -> Option<&'a Point> {
    let block = points.first()?.p50_us.max(1);
    let patient = points.iter().filter(|point| point.p50_us <= BATCH_PATIENCE * block);
    // Below this a batch would hold few txns, and each would cost the kernel's part of a write.
    let least = points.iter().find(|point| point.bytes >= 64 << 10);
    patient.copied().chain(least.copied()).max_by_key(|point| point.bytes)
}
