//! Durable writes, measured on a ring with the flags and the buffers of the log.

use super::file::{ProbeError, ProbeFile, buffer};
use disk::{AlignedBuf, Durability};
use hdrhistogram::Histogram;
use ring::{Completion, Ring, RingConfig, StableBuf, Token, Wait};
use serde::Serialize;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
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
/// A write that takes longer is counted as this long, in microseconds.
const LATENCY_MAX_US: u64 = 60_000_000;

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
        // 41 points of three rounds and a start, then 15 steps.
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
    /// Durable writes a second.
    pub per_second: f64,
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
    let of = ways.len() * SIZES.len() * SLOTS.len() + 3;
    let mut points = Vec::new();
    for &durability in ways {
        let opened = file.open(durability)?;
        for bytes in SIZES {
            for slots in SLOTS {
                progress(points.len(), of);
                let kind = Kind { durability, bytes, slots };
                points.push(kind.point(&mut ring, &opened, file.bytes(), effort)?);
            }
        }
    }
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

/// Writes of one kind.
#[derive(Clone, Copy)]
struct Kind {
    durability: Durability,
    bytes: usize,
    slots: usize,
}

impl Kind {
    fn name(self) -> &'static str {
        match self.durability {
            Durability::Dsync => "dsync",
            Durability::FlushAfter => "flush",
            Durability::BufferedFlush => "buffered",
        }
    }

    /// Rounds until their medians are close, or there were enough.
    fn point(
        self,
        ring: &mut Ring,
        file: &File,
        file_bytes: u64,
        effort: Effort,
    ) -> Result<Point, ProbeError> {
        let Effort { round, rounds_max, .. } = effort;
        let mut all = histogram();
        let (mut medians, mut spread) = (Vec::new(), f64::INFINITY);
        let mut took = Duration::ZERO;
        // The first one finds the device asleep.
        Writer::new(self, file, file_bytes).run(ring, round / 4)?;
        while medians.len() < ROUNDS_MIN.min(rounds_max)
            || medians.len() < rounds_max && spread > SPREAD_MAX
        {
            let mut writer = Writer::new(self, file, file_bytes);
            took += writer.run(ring, round)?;
            medians.push(writer.latencies.value_at_quantile(0.5));
            all.add(&writer.latencies).expect("both have the same bounds");
            spread = spread_of(&medians);
        }
        Ok(Point {
            durability: self.name(),
            bytes: self.bytes,
            slots: self.slots,
            count: all.len(),
            p50_us: all.value_at_quantile(0.5),
            p90_us: all.value_at_quantile(0.9),
            p99_us: all.value_at_quantile(0.99),
            max_us: all.max(),
            per_second: all.len() as f64 / took.as_secs_f64(),
            spread,
        })
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX_US, 3).expect("the bounds are constants")
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

/// Writes one after the other through a file, so many in flight.
struct Writer<'a> {
    kind: Kind,
    file: &'a File,
    file_bytes: u64,
    at: u64,
    buffers: Vec<Box<dyn StableBuf>>,
    latencies: Histogram<u64>,
    written: u64,
}

impl<'a> Writer<'a> {
    fn new(kind: Kind, file: &'a File, file_bytes: u64) -> Self {
        let buffers = (0..kind.slots).map(|_| Box::new(buffer(kind.bytes)) as Box<dyn StableBuf>);
        let buffers = buffers.collect();
        Self { kind, file, file_bytes, at: 0, buffers, latencies: histogram(), written: 0 }
    }

    /// Writes for so long; returns how long it took until the last one was durable.
    fn run(&mut self, ring: &mut Ring, time: Duration) -> Result<Duration, ProbeError> {
        let start = Instant::now();
        let is_over = || start.elapsed() >= time;
        match self.kind.durability {
            Durability::Dsync => self.run_each(ring, is_over)?,
            Durability::FlushAfter | Durability::BufferedFlush => self.run_waves(ring, is_over)?,
        }
        Ok(start.elapsed())
    }

    fn next_offset(&mut self) -> u64 {
        let at = self.at;
        self.at += self.kind.bytes as u64;
        if self.at + self.kind.bytes as u64 > self.file_bytes {
            self.at = 0;
        }
        at
    }

    fn count(&mut self, since: Instant) {
        let us = since.elapsed().as_micros().min(u128::from(LATENCY_MAX_US)) as u64;
        self.latencies.saturating_record(us.max(1));
        self.written += 1;
    }

    /// Each write is durable by itself, and followed by the next at once.
    fn run_each(&mut self, ring: &mut Ring, is_over: impl Fn() -> bool) -> Result<(), ProbeError> {
        let mut since = vec![Instant::now(); self.kind.slots];
        let mut in_flight = 0;
        for (slot, buffer) in std::mem::take(&mut self.buffers).into_iter().enumerate() {
            let at = self.next_offset();
            since[slot] = Instant::now();
            ring.queue().write_at(self.file, buffer, at, Token(slot as u64));
            in_flight += 1;
        }
        while in_flight > 0 {
            let mut ended = Vec::with_capacity(self.kind.slots);
            reap(ring, |completion| ended.push(completion))?;
            for Ended { token, buffer } in ended {
                let buffer = buffer.expect("only writes were queued");
                self.count(since[token]);
                if is_over() {
                    in_flight -= 1;
                    self.buffers.push(buffer);
                } else {
                    let at = self.next_offset();
                    since[token] = Instant::now();
                    ring.queue().write_at(self.file, buffer, at, Token(token as u64));
                }
            }
        }
        Ok(())
    }

    /// As many writes as there are slots, then a flush that covers them.
    fn run_waves(&mut self, ring: &mut Ring, is_over: impl Fn() -> bool) -> Result<(), ProbeError> {
        while !is_over() {
            let since = Instant::now();
            let mut left = self.kind.slots;
            for buffer in std::mem::take(&mut self.buffers) {
                let at = self.next_offset();
                ring.queue().write_at(self.file, buffer, at, Token(0));
            }
            let mut is_durable = false;
            while !is_durable {
                let mut ended = Vec::with_capacity(self.kind.slots);
                reap(ring, |completion| ended.push(completion))?;
                for Ended { buffer, .. } in ended {
                    match buffer {
                        Some(buffer) => {
                            self.buffers.push(buffer);
                            left -= 1;
                            if left == 0 {
                                ring.queue().flush(self.file, Token(1));
                            }
                        }
                        None => is_durable = true,
                    }
                }
            }
            (0..self.kind.slots).for_each(|_| self.count(since));
        }
        Ok(())
    }
}

/// A write that has ended, with its buffer, or a flush.
struct Ended {
    token: usize,
    buffer: Option<Box<dyn StableBuf>>,
}

/// Waits for something to end.
fn reap(ring: &mut Ring, mut ended: impl FnMut(Ended)) -> Result<(), ProbeError> {
    ring.turn(Wait::Forever)?;
    let mut failure = None;
    ring.completions(|_, completion| match completion {
        Completion::Written { token, buffer, result } => {
            failure = failure.or(result.err());
            ended(Ended { token: token.0 as usize, buffer: Some(buffer) });
        }
        Completion::Flushed { token, result } => {
            failure = failure.or(result.err());
            ended(Ended { token: token.0 as usize, buffer: None });
        }
        _ => (),
    });
    match failure {
        Some(errno) => Err(ProbeError::Io(errno.into())),
        None => Ok(()),
    }
}

/// Blocks of 4 KiB, one in flight, with the processor asking the device in place of its interrupt.
fn polled(file: &ProbeFile, durability: Durability, effort: Effort) -> Result<Point, ProbeError> {
    let config =
        RingConfig { entries: 8, cq_entries: 16, is_polled: true, ..RingConfig::default() };
    let mut ring = Ring::new(&config)?;
    let kind = Kind { durability, bytes: SIZES[0], slots: 1 };
    kind.point(&mut ring, &file.open(durability)?, file.bytes(), effort)
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
