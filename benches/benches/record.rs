//! One node's record: written from its fields, summed for the digest, copied into a snapshot and
//! verified when loaded from one.
//!
//! `cargo bench -p ringkeeper-benches --bench record`. Times are per record, of a node with the
//! given bytes of data; everything is in the first-level cache, so this is the pure work. `encode`
//! sums path and data as a create and a set do, `encode with a known crc` is the cost of a changed
//! child in its parent's record; a child's `digest` is taken twice by a set.
//!
//! Target: none of its own, but a part of the set of 0.8 us and the create of 0.7 us of the tree. A
//! set writes one record and takes two digests: together they may cost a fifth of it.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion};
use criterion::{criterion_group, criterion_main};
use model::record::{Draft, DraftData, NodeRecord};
use model::stat::Stat;
use std::hint::black_box;

const PATH: &[u8] = b"/services/payments/instances/instance-0000000042";
/// Bytes of data: the usual, and the most that is in the record itself.
const SIZES: [usize; 2] = [100, 1024];
/// A possible birth; records of a snapshot have 0.
const BIRTH: u64 = 42;

fn draft(data: &[u8], crc: Option<u32>) -> Draft<'_> {
    let stat = Stat {
        czxid: 0x1_0000_0001,
        mzxid: 0x1_0000_0002,
        ctime: 1_700_000_000_000,
        mtime: 1_700_000_000_001,
        version: 5,
        num_children: 3,
        pzxid: 0x1_0000_0007,
        ..Stat::default()
    };
    let (stored_cversion, owner_raw, acl) = (10, 0, 1);
    let data = DraftData::Inline(data);
    Draft { stat, stored_cversion, owner_raw, acl, path: PATH, data, crc }
}

/// The record as a snapshot holds it.
fn archive_of(draft: &Draft<'_>) -> Vec<u8> {
    let mut archive = Vec::new();
    draft.append_block(&mut archive, 0);
    archive.resize(archive.len().next_multiple_of(8), 0);
    archive
}

fn writing(group: &mut BenchmarkGroup<'_, WallTime>, data: &[u8]) {
    let known = Some(Draft::record_crc(PATH, Some(data)));
    let mut out = Vec::with_capacity(2 * 1024);
    for (name, crc) in [("encode", None), ("encode with a known crc", known)] {
        group.bench_function(BenchmarkId::new(name, data.len()), |b| {
            b.iter(|| {
                out.clear();
                black_box(draft(black_box(data), crc)).append_block(&mut out, BIRTH);
                black_box(out.len())
            });
        });
    }
    group.bench_function(BenchmarkId::new("crc of path and data", data.len()), |b| {
        b.iter(|| black_box(Draft::record_crc(black_box(PATH), Some(black_box(data)))));
    });
}

fn reading(group: &mut BenchmarkGroup<'_, WallTime>, data: &[u8]) {
    let archive = archive_of(&draft(data, None));
    let record = NodeRecord::parse(&archive).expect("written above");
    let mut out = Vec::with_capacity(2 * 1024);
    group.bench_function(BenchmarkId::new("digest", data.len()), |b| {
        b.iter(|| black_box(black_box(record).digest()));
    });
    group.bench_function(BenchmarkId::new("into a snapshot", data.len()), |b| {
        b.iter(|| {
            out.clear();
            black_box(record).append_archive(&mut out);
            black_box(out.len())
        });
    });
    group.bench_function(BenchmarkId::new("check", data.len()), |b| {
        b.iter(|| black_box(NodeRecord::parse(black_box(&archive)).expect("written above")));
    });
    // The part that a getData reply uses.
    group.bench_function(BenchmarkId::new("data and Stat of a reply", data.len()), |b| {
        b.iter(|| {
            out.clear();
            let record = black_box(record);
            out.extend_from_slice(record.data().unwrap_or_default());
            out.extend_from_slice(record.stat_bytes());
            black_box(out.len())
        });
    });
    // The history of the node continues from its record, as in a set.
    let new_data = vec![8; data.len()];
    group.bench_function(BenchmarkId::new("set: write, both digests", data.len()), |b| {
        b.iter(|| {
            out.clear();
            let old = black_box(record);
            let mut draft = Draft::of(old);
            draft.stat.version += 1;
            draft.stat.mzxid += 1;
            draft.data = DraftData::Inline(black_box(&new_data));
            draft.crc = None;
            draft.append_block(&mut out, 0);
            out.resize(out.len().next_multiple_of(8), 0);
            let new = NodeRecord::parse(&out).expect("written just now");
            black_box(new.digest().wrapping_sub(old.digest()))
        });
    });
}

fn record(c: &mut Criterion) {
    let mut group = c.benchmark_group("record");
    for size in SIZES {
        let data = vec![7; size];
        writing(&mut group, &data);
        reading(&mut group, &data);
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = ringkeeper_benches::short_rounds();
    targets = record
}
criterion_main!(benches);
