//! The append half of the log: the cost of group commit to the ordering role, and its gain.
//!
//! `cargo bench -p ringkeeper-benches --bench log_append`. Times are per group of txns, rates per
//! txn. `append` copies txns into the open batch; `commit` also lets the batch depart and completes
//! its write at once, so the figure includes header, checksum and positions but not the device; `in
//! the air` completes each write two groups later, as a busy device does. `device` writes to a file
//! where the system keeps temporary ones, one group after another, each waiting until it is
//! durable; it is skipped where that place has no direct I/O.
//!
//! Target: one set after another at 80 % of the rate of a server that only writes, so all of a lone
//! `commit` may cost a few us of the device's 130 to 260; and a set of 2.5 us of CPU at 64
//! connections with 16 in flight, of which a txn's share of a group of 64 should be below a tenth.

use std::collections::VecDeque;
use std::env;
use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use criterion::{criterion_group, criterion_main};
use disk::{AlignedBuf, Durability, append_file};
use model::zxid::Zxid;
use ring::{Completion, Ring, RingConfig, Token, Wait};
use txlog::{
    Appender, AppenderConfig, Departure, FormatVersion, SegmentHeader, SegmentNumber, Slot, Start,
    Write,
};

/// Txns of a group.
const GROUPS: [usize; 3] = [1, 16, 64];
/// Bytes of a txn: a small one, that of a set of 100 bytes, and of one of 1 KiB.
const TXNS: [usize; 3] = [100, 220, 1_144];
/// Groups appended to one batch before it departs, outside the timing.
const APPENDED: usize = 64;
/// Zeros are written in pieces of this size.
const ZEROED_BYTES: usize = 1 << 20;
const WAYS: [(&str, Durability); 2] =
    [("dsync", Durability::Dsync), ("flush", Durability::FlushAfter)];

struct Bench {
    appender: Appender,
    config: AppenderConfig,
    zxid: i64,
    /// Writes that have departed and not completed.
    in_flight: VecDeque<Write>,
}

impl Bench {
    fn new(durability: Durability) -> Self {
        let config = AppenderConfig::new(durability);
        let (continues_from, committed_through) = (Zxid::ZERO, Zxid::ZERO);
        let start = Start::Restart { continues_from, committed_through, counts_from: None };
        let appender = Appender::new(config, segment(&config, SegmentNumber::FIRST, start));
        Self { appender, config, zxid: 0, in_flight: VecDeque::new() }
    }

    fn append(&mut self, txn: &[u8], count: usize) {
        if let Some(number) = self.appender.maybe_ask_segment() {
            self.appender.segment_prepared(segment(&self.config, number, Start::Follows));
        }
        for _ in 0..count {
            self.zxid += 1;
            self.appender.append(Zxid(self.zxid), txn).expect("there is room");
        }
    }

    fn land(&mut self, write: Write) {
        self.appender.written(write.slot, Ok(()), write.buffer);
    }

    /// Appends a group and makes it durable. Returns the bytes that would have been written.
    fn commit(&mut self, txn: &[u8], count: usize) -> usize {
        self.append(txn, count);
        self.settle()
    }

    /// Makes everything appended durable.
    fn settle(&mut self) -> usize {
        let mut bytes = 0;
        while let Some(effect) = self.appender.depart() {
            match effect {
                Departure::Write(write) => {
                    bytes += write.buffer.len();
                    self.land(write);
                }
                Departure::Flush(_) => self.appender.flushed(Ok(())),
            }
        }
        assert_eq!(self.appender.durable_through(), Zxid(self.zxid));
        bytes
    }

    /// Appends a group while two are in flight, of which the older completes.
    fn commit_behind(&mut self, txn: &[u8], count: usize) -> usize {
        self.append(txn, count);
        if self.in_flight.len() == self.config.slot_count {
            let oldest = self.in_flight.pop_front().expect("the length is not 0");
            self.land(oldest);
        }
        let mut bytes = 0;
        while let Some(effect) = self.appender.depart() {
            match effect {
                Departure::Write(write) => {
                    bytes += write.buffer.len();
                    self.in_flight.push_back(write);
                }
                Departure::Flush(_) => self.appender.flushed(Ok(())),
            }
        }
        bytes
    }

    /// Time of appending only: `iterations` groups.
    fn time_of_appending(&mut self, txn: &[u8], count: usize, iterations: u64) -> Duration {
        let (mut time, mut left) = (Duration::ZERO, iterations as usize);
        while left > 0 {
            let groups = left.min(APPENDED);
            let start = Instant::now();
            for _ in 0..groups {
                self.append(black_box(txn), count);
            }
            time += start.elapsed();
            self.settle();
            left -= groups;
        }
        time
    }
}

fn segment(config: &AppenderConfig, number: SegmentNumber, start: Start) -> SegmentHeader {
    let (version, segment_bytes) = (FormatVersion::CURRENT, config.segment_bytes);
    SegmentHeader { version, number, segment_bytes, seed: 7, start }
}

/// One file that stands for every segment, and the ring that writes it.
struct Device {
    ring: Ring,
    file: File,
    path: PathBuf,
}

impl Device {
    /// `None` if there is no direct I/O.
    fn open(durability: Durability) -> Option<Self> {
        let path = env::temp_dir().join(format!("ringkeeper-bench-log-{}", std::process::id()));
        let made = File::create(&path).expect("a file of our own");
        let segment_bytes = AppenderConfig::new(durability).segment_bytes;
        let zeros = vec![0; ZEROED_BYTES];
        for offset in (0..segment_bytes).step_by(ZEROED_BYTES) {
            made.write_all_at(&zeros, offset).expect("there is room");
        }
        made.sync_all().expect("the disk works");
        let Ok(file) = append_file::open(&path, durability) else {
            fs::remove_file(&path).expect("our own file");
            return None;
        };
        let ring = Ring::new(&RingConfig::default()).expect("io_uring is allowed");
        Some(Self { ring, file, path })
    }

    /// Appends a group and waits until it is durable.
    fn commit(&mut self, bench: &mut Bench, txn: &[u8], count: usize) {
        bench.append(txn, count);
        loop {
            while let Some(effect) = bench.appender.depart() {
                let mut queue = self.ring.queue();
                match effect {
                    Departure::Write(Write { slot, offset, buffer, .. }) => {
                        queue.write_at(&self.file, buffer, offset.0, Token(u64::from(slot.0)));
                    }
                    Departure::Flush(_) => {
                        queue.flush(&self.file, Token(0));
                    }
                }
            }
            if bench.appender.durable_through() == Zxid(bench.zxid) {
                return;
            }
            self.ring.turn(Wait::Forever).expect("the ring turns");
            self.ring.completions(|_, completion| handle(&mut bench.appender, completion));
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        fs::remove_file(&self.path).expect("our own file");
    }
}

fn handle(appender: &mut Appender, completion: Completion<'_>) {
    match completion {
        Completion::Written { token, buffer, result } => {
            result.expect("the disk works");
            let Ok(buffer) = buffer.downcast::<AlignedBuf>() else { panic!("another buffer") };
            appender.written(Slot(token.0 as u8), Ok(()), buffer);
        }
        Completion::Flushed { result, .. } => {
            result.expect("the disk works");
            appender.flushed(Ok(()));
        }
        other => panic!("unexpected completion: {other:?}"),
    }
}

fn without_device(group: &mut BenchmarkGroup<'_, WallTime>, durability: Durability) {
    for txn_bytes in TXNS {
        let txn = vec![7; txn_bytes];
        for count in GROUPS {
            let mut bench = Bench::new(durability);
            group.throughput(Throughput::Elements(count as u64));
            let id = |what| BenchmarkId::new(format!("{what}/{txn_bytes} bytes"), count);
            group.bench_function(id("append"), |b| {
                b.iter_custom(|iterations| bench.time_of_appending(&txn, count, iterations));
            });
            group.bench_function(id("commit"), |b| {
                b.iter(|| black_box(bench.commit(black_box(&txn), count)));
            });
            group.bench_function(id("in flight"), |b| {
                b.iter(|| black_box(bench.commit_behind(black_box(&txn), count)));
            });
        }
    }
}

fn append(c: &mut Criterion) {
    for (name, durability) in WAYS {
        let mut group = c.benchmark_group(format!("log append/{name}"));
        without_device(&mut group, durability);
        let Some(mut device) = Device::open(durability) else {
            eprintln!("no direct I/O in {}", env::temp_dir().display());
            continue;
        };
        let txn = vec![7; TXNS[0]];
        for count in GROUPS {
            let mut bench = Bench::new(durability);
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(BenchmarkId::new("device/100 bytes", count), |b| {
                b.iter(|| device.commit(&mut bench, black_box(&txn), count));
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = ringkeeper_benches::short_rounds();
    targets = append
}
criterion_main!(benches);
