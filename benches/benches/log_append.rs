//! The append half of the log without a disk: what group commit costs the ordering role.
//!
//! `cargo bench -p ringkeeper-benches --bench log_append`. Each iteration appends a group of txns,
//! lets their batch depart and lands the write at once: copying, header, checksum and positions
//! are in the figure, the device is not.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use disk::Durability;
use model::zxid::Zxid;
use std::hint::black_box;
use std::time::Duration;
use txlog::{Appender, AppenderConfig, Effect, SegmentHeader, SegmentNumber, Start};

/// Txns of a group.
const GROUPS: [usize; 3] = [1, 16, 64];
/// Bytes of a txn: that of a set of 100 bytes, and of one of 1 KiB.
const TXNS: [usize; 2] = [220, 1_144];

struct Bench {
    appender: Appender,
    config: AppenderConfig,
    zxid: i64,
}

impl Bench {
    fn new(durability: Durability) -> Self {
        let config = AppenderConfig::new(durability);
        let start = Start::Restart { continues_from: Zxid::ZERO };
        let appender = Appender::new(config, segment(&config, SegmentNumber::FIRST, start));
        Self { appender, config, zxid: 0 }
    }

    /// Appends a group and makes it durable. Gives the bytes that would have been written.
    fn commit(&mut self, txn: &[u8], count: usize) -> usize {
        if let Some(number) = self.appender.maybe_ask_segment() {
            self.appender.segment_prepared(segment(&self.config, number, Start::Follows));
        }
        for _ in 0..count {
            self.zxid += 1;
            self.appender.append(Zxid(self.zxid), txn).expect("there is room");
        }
        let mut bytes = 0;
        while let Some(effect) = self.appender.depart() {
            match effect {
                Effect::Write(write) => {
                    bytes += write.buffer.len();
                    self.appender.written(write.slot, Ok(()), write.buffer);
                }
                Effect::Flush(_) => self.appender.flushed(Ok(())),
            }
        }
        assert_eq!(self.appender.durable_through(), Zxid(self.zxid));
        bytes
    }
}

fn segment(config: &AppenderConfig, number: SegmentNumber, start: Start) -> SegmentHeader {
    SegmentHeader { number, segment_bytes: config.segment_bytes, seed: 7, start }
}

fn append(c: &mut Criterion) {
    let ways = [("dsync", Durability::Dsync), ("flush", Durability::FlushAfter)];
    for (name, durability) in ways {
        let mut group = c.benchmark_group(format!("log append/{name}"));
        for txn_bytes in TXNS {
            let txn = vec![7; txn_bytes];
            for count in GROUPS {
                let mut bench = Bench::new(durability);
                group.throughput(Throughput::Elements(count as u64));
                let id = BenchmarkId::new(format!("{txn_bytes} bytes"), count);
                group.bench_function(id, |b| {
                    b.iter(|| black_box(bench.commit(black_box(&txn), count)));
                });
            }
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = append
}
criterion_main!(benches);
