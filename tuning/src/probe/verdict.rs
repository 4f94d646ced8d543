//! What a measured disk means for the log.

use super::disk::{DiskReport, Point};
use disk::probe::Probe;
use serde::Serialize;

/// The batch of a log that is busy, in bytes: what is advised is best for it.
const BATCH_BYTES: usize = 16 << 10;
/// More writes in flight must bring this much, or fewer are advised: each waits for the others.
const GAIN_MIN: f64 = 1.10;
/// Flushes for several writes must bring this much more of them, or each is durable by itself.
const FLUSH_GAIN_MIN: f64 = 1.5;
/// A device that answers sooner does not write to its medium before.
pub(crate) const PROTECTED_US: u64 = 150;
/// One that answers later does.
const UNPROTECTED_US: u64 = 400;

/// What is advised, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// `ring.log.durability`.
    pub durability: &'static str,
    /// `ring.log.slots`.
    pub slots: usize,
    /// Sentences.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// What follows from a report and from what the file system and the device say themselves.
    pub fn of(report: &DiskReport, said: &Probe) -> Self {
        let mut reasons = Vec::new();
        let lone = |durability: &str| report.point(durability, BATCH_BYTES, 1);
        let durability = if let (Some(dsync), Some(flush)) = (lone("dsync"), lone("flush")) {
            reasons.push(format!(
                "A write of 16 KiB that is durable by itself takes {}, one with a flush behind it \
                 {}; at most {:.0} and {:.0} a second.",
                took(dsync),
                took(flush),
                best(report, "dsync", |point| Some(point.per_second)),
                best(report, "flush", |point| Some(point.per_second)),
            ));
            // Clearly, so that a second measurement says the same.
            let is_flush = flush_gain(report).is_some_and(|gain| gain >= FLUSH_GAIN_MIN)
                && 4 * flush.p50_us <= 5 * dsync.p50_us;
            if is_flush { "flush" } else { "dsync" }
        } else {
            reasons.push("The file system refuses direct I/O.".to_owned());
            "buffered"
        };
        let slots = slots(report, durability, &mut reasons);
        reasons.push(protection(report, said));
        let kept = report.sustained.kept();
        if kept < 0.7 {
            reasons.push(format!(
                "Writing without a pause falls to {:.0} % of its first second: a cache in the \
                 device fills up; snapshots and the log share what is left.",
                kept * 100.0
            ));
        }
        if let Some(reads) = &report.reads
            && reads.beside_p50_us > 3 * reads.alone_p50_us
        {
            reasons.push(format!(
                "Reads take {} us alone and {} us beside the log's writes.",
                reads.alone_p50_us, reads.beside_p50_us
            ));
        }
        reasons.extend(polling(report));
        let unsteady = report.points.iter().filter(|point| !point.is_steady()).count();
        if unsteady > 0 {
            reasons.push(format!(
                "{unsteady} of {} points would not come out the same again: something else uses \
                 the disk or the machine.",
                report.points.len()
            ));
        }
        Self { durability, slots, reasons }
    }
}

/// The best rate of the log's batches.
fn best(report: &DiskReport, durability: &str, rate: impl Fn(&Point) -> Option<f64>) -> f64 {
    let points = report.points.iter();
    let at = points.filter(|it| it.durability == durability && it.bytes == BATCH_BYTES);
    at.filter_map(rate).reduce(f64::max).unwrap_or(0.0)
}

/// How many times as many writes become durable if they share flushes: the least of the rounds, as
/// only those of one round were measured on the same disk, so to speak.
fn flush_gain(report: &DiskReport) -> Option<f64> {
    let rounds = report.points.iter().map(|point| point.rounds.len()).min()?;
    let of = |durability, round| best(report, durability, |point| point.rounds.get(round).copied());
    (0..rounds).map(|round| of("flush", round) / of("dsync", round)).reduce(f64::min)
}

fn took(point: &Point) -> String {
    format!("{} us (99 of 100: {} us)", point.p50_us, point.p99_us)
}

/// The fewest writes in flight of which twice as many bring hardly more.
fn slots(report: &DiskReport, durability: &str, reasons: &mut Vec<String>) -> usize {
    let points = report.points.iter();
    let points = points.filter(|it| it.durability == durability && it.bytes == BATCH_BYTES);
    let points: Vec<&Point> = points.collect();
    let Some(mut chosen) = points.first() else { return 1 };
    for point in &points[1..] {
        if point.per_second > chosen.per_second * GAIN_MIN {
            chosen = point;
        }
    }
    let rates = points.iter().map(|it| format!("{} in flight: {:.0}/s", it.slots, it.per_second));
    reasons.push(format!("{}.", rates.collect::<Vec<_>>().join(", ")));
    chosen.slots
}

/// What polling would bring, where it was measured.
fn polling(report: &DiskReport) -> Option<String> {
    let (polled, usual) = (report.polled.as_ref()?, report.points.first()?);
    Some(format!(
        "A durable block takes {} us if the processor asks the device for its completion, and {} \
         us if the device interrupts it: the log is written by loops that wait for clients, too, \
         and does not ask.",
        polled.p50_us, usual.p50_us
    ))
}

fn protection(report: &DiskReport, said: &Probe) -> String {
    let first = report.points.first();
    let us = first.map_or(0, |point| point.p50_us);
    if said.is_memory {
        return "It is in memory: nothing is durable.".to_owned();
    }
    match said.cache {
        Some(cache) if !cache.is_volatile => format!(
            "The device says that no power loss loses what it has answered (its cache is \
             write-through, or protected); a durable block takes {us} us."
        ),
        Some(_) if us < PROTECTED_US => format!(
            "The device says that its cache is volatile, and makes a block durable in {us} us: it \
             has protection against power loss, or does not keep its word. See its data sheet."
        ),
        Some(_) if us > UNPROTECTED_US => format!(
            "A durable block takes {us} us: the device writes it to its medium each time, without \
             protection against power loss."
        ),
        Some(_) => format!("A durable block takes {us} us, on a device with a volatile cache."),
        None => format!(
            "There is no block device to ask (a network, a container, a volume): a durable block \
             takes {us} us, and what that means is for its provider to say."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::{Reads, Sustained};
    use super::*;
    use disk::probe::{DeviceCache, DirectIo};

    fn point(durability: &'static str, slots: usize, p50_us: u64, per_second: f64) -> Point {
        Point {
            durability,
            bytes: BATCH_BYTES,
            slots,
            count: 1_000,
            p50_us,
            p90_us: p50_us,
            p99_us: 2 * p50_us,
            max_us: 3 * p50_us,
            per_second,
            rounds: vec![per_second; 3],
            spread: 0.01,
        }
    }

    fn report(points: Vec<Point>) -> DiskReport {
        let reads = Some(Reads { alone_p50_us: 80, beside_p50_us: 90, beside_p99_us: 200 });
        let sustained = Sustained { mib_per_second: vec![500.0; 12] };
        DiskReport { file_bytes: 1 << 27, points, polled: None, sustained, reads }
    }

    fn said(cache: Option<DeviceCache>) -> Probe {
        let file_system = "xfs".to_owned();
        Probe {
            file_system,
            is_memory: false,
            is_overlay: false,
            direct_io: DirectIo::Works,
            cache,
            flush_time: None,
            free_bytes: 1 << 40,
        }
    }

    const VOLATILE: Option<DeviceCache> = Some(DeviceCache { is_volatile: true, has_fua: true });

    #[test]
    fn a_protected_disk_is_written_through_with_several_in_flight() {
        let fast = report(vec![
            point("dsync", 1, 25, 38_000.0),
            point("dsync", 2, 27, 70_000.0),
            point("dsync", 4, 40, 95_000.0),
            point("dsync", 8, 80, 97_000.0),
            point("flush", 1, 40, 25_000.0),
            point("flush", 8, 90, 88_000.0),
        ]);
        let verdict = Verdict::of(&fast, &said(VOLATILE));
        assert_eq!((verdict.durability, verdict.slots), ("dsync", 4));
        assert!(verdict.reasons.join("\n").contains("protection against power loss, or does not"));
    }

    #[test]
    fn a_disk_without_protection_shares_its_flushes() {
        let slow = report(vec![
            point("dsync", 1, 2_000, 500.0),
            point("dsync", 8, 16_000, 505.0),
            point("flush", 1, 2_000, 500.0),
            point("flush", 8, 2_600, 3_000.0),
        ]);
        let verdict = Verdict::of(&slow, &said(VOLATILE));
        assert_eq!((verdict.durability, verdict.slots), ("flush", 8));
        assert!(verdict.reasons.join("\n").contains("writes it to its medium each time"));
    }

    #[test]
    fn flushes_are_shared_only_if_every_round_says_so() {
        let mut slow = report(vec![
            point("dsync", 1, 2_000, 500.0),
            point("dsync", 8, 16_000, 505.0),
            point("flush", 1, 2_000, 500.0),
            point("flush", 8, 2_600, 3_000.0),
        ]);
        // For a while the disk was twice as fast, whichever way it was written.
        slow.points[1].rounds[1] *= 2.0;
        slow.points[3].rounds[1] *= 2.0;
        assert_eq!(Verdict::of(&slow, &said(VOLATILE)).durability, "flush");
        slow.points[1].rounds[2] = 2_900.0;
        assert_eq!(Verdict::of(&slow, &said(VOLATILE)).durability, "dsync");
    }

    #[test]
    fn what_disturbs_is_said() {
        let mut disturbed = report(vec![point("buffered", 1, 900, 1_000.0)]);
        disturbed.points[0].spread = 0.8;
        disturbed.sustained.mib_per_second[10..].fill(100.0);
        disturbed.reads.as_mut().unwrap().beside_p50_us = 900;
        disturbed.polled = Some(point("buffered", 1, 850, 1_100.0));
        let verdict = Verdict::of(&disturbed, &said(None));
        let text = verdict.reasons.join("\n");
        assert_eq!(verdict.durability, "buffered");
        for expected in [
            "refuses direct I/O",
            "falls to 20 %",
            "900 us beside",
            "takes 850 us if the processor asks",
            "1 of 1 points",
            "provider",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}
