//! Durable writes, measured on a ring with the flags and the buffers of the log.

use super::file::{ProbeError, ProbeFile};
use super::writer::{Kind, LATENCY_MAX_US, Writer, histogram, name};
use disk::{AlignedBuf, Durability};
use hdrhistogram::Histogram;
use ring::{Ring, RingConfig};
use serde::Serialize;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::slice;
use std::time::{Duration, Instant};

/// Bytes of a durable write.
pub(super) const SIZES: [usize; 5] = [4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
/// Writes in flight.
pub(super) const SLOTS: [usize; 4] = [1, 2, 4, 8];
/// How far the medians of a steady point are apart, of the middle one.
const SPREAD_MAX: f64 = 0.15;
/// Steps of sustained writes.
const SUSTAINED_STEPS: u32 = 12;
/// Measurements of a point: at least so many, and more while they differ.
const ROUNDS_MIN: usize = 3;

/// How much time is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// How long a point is measured at a time.
    pub round: Duration,
    /// How often at most.
    pub rounds_max: usize,
    /// How long writes are sustained for each figure of that, and reads beside them.
    pub step: Duration,
}

impl Effort {
    /// About so many seconds, if the disk is steady enough; half as many more if it is not.
    pub fn of_seconds(seconds: u32) -> Self {
        // 41 points of three rounds, a start for each length, then 15 steps.
        let round = Duration::from_secs(u64::from(seconds)) / 200;
        Self { round, rounds_max: 5, step: round * 4 }
    }
}

/// Durable writes of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// How they become durable: `dsync`, `flush` or `buffered`.
    pub durability: &'static str,
    /// Bytes of each.
    pub bytes: usize,
    /// In flight at a time.
    pub slots: usize,
    /// How many were measured.
    pub count: u64,
    /// Half of them took no longer, in microseconds.
    pub p50_us: u64,
    /// Nine of ten.
    pub p90_us: u64,
    /// 99 of 100.
    pub p99_us: u64,
    /// All.
    pub max_us: u64,
    /// Durable writes a second, in the middle one of the rounds.
    pub per_second: f64,
    /// The same by round: rounds of one number were measured one after the other for all kinds of
    /// one length, so that they compare.
    pub rounds: Vec<f64>,
    /// How far the medians of the rounds were apart, as a share of the middle one.
    pub spread: f64,
}

impl Point {
    /// Whether measuring it again would give about the same.
    pub fn is_steady(&self) -> bool {
        self.spread <= SPREAD_MAX
    }

    /// MiB a second.
    pub fn mib_per_second(&self) -> f64 {
        self.per_second * self.bytes as f64 / f64::from(1 << 20)
    }
}

/// Large writes without a pause: what a cache in the device takes, and what is left without it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sustained {
    /// MiB a second, by half seconds.
    pub mib_per_second: Vec<f64>,
}

impl Sustained {
    /// The share of the first second that the last second still reaches.
    pub fn kept(&self) -> f64 {
        let steps = self.mib_per_second.len();
        if steps < 4 {
            return 1.0;
        }
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (first, last) =
            (mean(&self.mib_per_second[..2]), mean(&self.mib_per_second[steps - 2..]));
        if first > 0.0 { last / first } else { 1.0 }
    }
}

/// Reads of 4 KiB while nothing is written, and while the log writes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reads {
    /// The median of reads alone, in microseconds.
    pub alone_p50_us: u64,
    /// The median beside writes of 16 KiB.
    pub beside_p50_us: u64,
    /// 99 of 100 beside them.
    pub beside_p99_us: u64,
}

/// What was measured of a disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DiskReport {
    /// Bytes of the file that was written.
    pub file_bytes: u64,
    /// Durable writes.
    pub points: Vec<Point>,
    /// Blocks of 4 KiB, one in flight, whose completion is polled for; unset where the device has
    /// no queues for that, or the kernel refuses.
    pub polled: Option<Point>,
    /// Without a pause.
    pub sustained: Sustained,
    /// Beside writes; unset where reads come from the page cache.
    pub reads: Option<Reads>,
}

impl DiskReport {
    /// The writes of one kind, by size and writes in flight.
    pub fn point(&self, durability: &str, bytes: usize, slots: usize) -> Option<&Point> {
        let is = |it: &&Point| (it.durability, it.bytes, it.slots) == (durability, bytes, slots);
        self.points.iter().find(is)
    }
}

/// Measures a disk, through a file in `directory`. `progress` is told how much is done, of how
/// much, in points.
///
/// # Errors
/// There is no room, or the disk or the kernel fails.
pub fn measure(
    directory: &Path,
    effort: Effort,
    mut progress: impl FnMut(usize, usize),
) -> Result<DiskReport, ProbeError> {
    let is_direct = disk::probe::direct_io(directory)? == disk::probe::DirectIo::Works;
    let ways: &[Durability] = if is_direct {
        &[Durability::Dsync, Durability::FlushAfter]
    } else {
        &[Durability::BufferedFlush]
    };
    let file = ProbeFile::new(directory)?;
    let mut ring =
        Ring::new(&RingConfig { entries: 64, cq_entries: 128, ..RingConfig::default() })?;
    let of_size = ways.len() * SLOTS.len();
    let of = SIZES.len() * of_size + 3;
    let opened = ways.iter().map(|&way| Ok((way, file.open(way)?)));
    let opened = opened.collect::<Result<Vec<_>, ProbeError>>()?;
    let mut points = Vec::new();
    for bytes in SIZES {
        progress(points.len(), of);
        let kinds = SLOTS.into_iter().flat_map(|slots| {
            opened.iter().map(move |&(durability, ref file)| (durability, slots, file))
        });
        let mut series: Vec<_> = kinds
            .map(|(durability, slots, file)| Series::new(Kind { durability, bytes, slots }, file))
            .collect();
        in_turns(&mut ring, &mut series, file.bytes(), effort, |rounds| {
            progress(points.len() + of_size * rounds.min(ROUNDS_MIN) / ROUNDS_MIN, of);
        })?;
        points.extend(series.into_iter().map(Series::into_point));
    }
    // By durability first, as it is read; what was sorted before stays so.
    points.sort_by_key(|point| ways.iter().position(|way| name(*way) == point.durability));
    progress(of - 3, of);
    let is_pollable = is_direct && disk::probe::has_polled_queues(directory);
    let polled = if is_pollable { polled(&file, ways[0], effort).ok() } else { None };
    progress(of - 2, of);
    let sustained = sustain(&mut ring, &file, ways[0], effort.step)?;
    progress(of - 1, of);
    let reads = if is_direct { Some(read(&mut ring, &file, ways[0], effort.step)?) } else { None };
    progress(of, of);
    Ok(DiskReport { file_bytes: file.bytes(), points, polled, sustained, reads })
}

/// One kind of write while it is measured, round by round.
struct Series<'a> {
    kind: Kind,
    file: &'a File,
    all: Histogram<u64>,
    medians: Vec<u64>,
    rates: Vec<f64>,
}

impl<'a> Series<'a> {
    fn new(kind: Kind, file: &'a File) -> Self {
        Self { kind, file, all: histogram(), medians: Vec::new(), rates: Vec::new() }
    }

    fn round(
        &mut self,
        ring: &mut Ring,
        file_bytes: u64,
        time: Duration,
    ) -> Result<(), ProbeError> {
        let mut writer = Writer::new(self.kind, self.file, file_bytes);
        let took = writer.run(ring, time)?;
        self.medians.push(writer.latencies.value_at_quantile(0.5));
        self.rates.push(writer.latencies.len() as f64 / took.as_secs_f64());
        self.all.add(&writer.latencies).expect("both have the same bounds");
        Ok(())
    }

    fn is_steady(&self) -> bool {
        spread_of(&self.medians) <= SPREAD_MAX
    }

    fn into_point(self) -> Point {
        let Self { kind, all, medians, rates, .. } = self;
        let mut sorted = rates.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        Point {
            durability: kind.name(),
            bytes: kind.bytes,
            slots: kind.slots,
            count: all.len(),
            p50_us: all.value_at_quantile(0.5),
            p90_us: all.value_at_quantile(0.9),
            p99_us: all.value_at_quantile(0.99),
            max_us: all.max(),
            per_second: sorted[sorted.len() / 2],
            rounds: rates,
            spread: spread_of(&medians),
        }
    }
}

/// Measures kinds in turns, so that what changes in between changes them all: rounds of each until
/// their medians are close, or there were enough. `progress` is told how many rounds have ended.
fn in_turns(
    ring: &mut Ring,
    series: &mut [Series<'_>],
    file_bytes: u64,
    effort: Effort,
    mut progress: impl FnMut(usize),
) -> Result<(), ProbeError> {
    let Effort { round, rounds_max, .. } = effort;
    let rounds_min = ROUNDS_MIN.min(rounds_max);
    // The first one finds the device asleep.
    if let Some(first) = series.first() {
        Writer::new(first.kind, first.file, file_bytes).run(ring, round)?;
    }
    for count in 0..rounds_max {
        if count >= rounds_min && series.iter().all(Series::is_steady) {
            break;
        }
        for series in &mut *series {
            series.round(ring, file_bytes, round)?;
        }
        progress(count + 1);
    }
    Ok(())
}

/// How far medians are apart, of the middle one; the farthest is passed over where there are four
/// or more, as something else may have used the machine.
pub(super) fn spread_of(medians: &[u64]) -> f64 {
    let mut sorted = medians.to_vec();
    sorted.sort_unstable();
    let middle = sorted[sorted.len() / 2].max(1);
    if sorted.len() > 3 {
        let (low, high) = (middle - sorted[0].min(middle), sorted[sorted.len() - 1] - middle);
        sorted.remove(if high >= low { sorted.len() - 1 } else { 0 });
    }
    (sorted[sorted.len() - 1] - sorted[0]) as f64 / middle as f64
}

/// Blocks of 4 KiB, one in flight, with the processor asking the device in place of its interrupt.
fn polled(file: &ProbeFile, durability: Durability, effort: Effort) -> Result<Point, ProbeError> {
    let config =
        RingConfig { entries: 8, cq_entries: 16, is_polled: true, ..RingConfig::default() };
    let mut ring = Ring::new(&config)?;
    let kind = Kind { durability, bytes: SIZES[0], slots: 1 };
    let opened = file.open(durability)?;
    let mut series = Series::new(kind, &opened);
    in_turns(&mut ring, slice::from_mut(&mut series), file.bytes(), effort, |_| ())?;
    Ok(series.into_point())
}

fn sustain(
    ring: &mut Ring,
    file: &ProbeFile,
    durability: Durability,
    step: Duration,
) -> Result<Sustained, ProbeError> {
    let opened = file.open(durability)?;
    let kind = Kind { durability, bytes: 1 << 20, slots: 4 };
    let mut writer = Writer::new(kind, &opened, file.bytes());
    let mut mib_per_second = Vec::new();
    for _ in 0..SUSTAINED_STEPS {
        let before = writer.written;
        let took = writer.run(ring, step)?;
        mib_per_second.push((writer.written - before) as f64 / took.as_secs_f64());
    }
    Ok(Sustained { mib_per_second })
}

/// Reads of one block, all over the file, alone and beside a thread that writes like the log.
fn read(
    ring: &mut Ring,
    file: &ProbeFile,
    durability: Durability,
    time: Duration,
) -> Result<Reads, ProbeError> {
    let to_read = file.open_to_read(true)?;
    let alone = reads_for(&to_read, file.bytes(), time)?;
    let opened = file.open(durability)?;
    let kind = Kind { durability, bytes: 16 << 10, slots: 2 };
    let beside = std::thread::scope(|scope| {
        let reader = scope.spawn(|| reads_for(&to_read, file.bytes(), time));
        let written = Writer::new(kind, &opened, file.bytes()).run(ring, time);
        let read = reader.join().expect("the reader does not panic");
        written.and(read)
    })?;
    Ok(Reads {
        alone_p50_us: alone.value_at_quantile(0.5),
        beside_p50_us: beside.value_at_quantile(0.5),
        beside_p99_us: beside.value_at_quantile(0.99),
    })
}

fn reads_for(file: &File, bytes: u64, time: Duration) -> Result<Histogram<u64>, ProbeError> {
    const BLOCK: u64 = 4_096;
    let mut latencies = histogram();
    let mut into = AlignedBuf::zeroed(BLOCK as usize);
    let start = Instant::now();
    // All blocks, in an order without neighbours: the step has no divisor of a power of two.
    let (mut block, blocks) = (0, bytes / BLOCK);
    while start.elapsed() < time {
        let since = Instant::now();
        into.clear();
        file.read_exact_at(into.extend_by(BLOCK as usize), block * BLOCK)?;
        let us = since.elapsed().as_micros().min(u128::from(LATENCY_MAX_US)) as u64;
        latencies.saturating_record(us.max(1));
        block = (block + 7_919) % blocks;
    }
    Ok(latencies)
}
