//! The table of watches: setting a million, changes with no watcher, one and a thousand, watches of
//! whole subtrees above deep paths, and closing connections.
//!
//! `cargo bench -p ringkeeper-benches --bench watch`. `set` is per million watches, on an empty
//! table; `fire` per change of one path; `recursive` per change at that depth; `forget` per
//! connection, or per turn where it says so. Except in `set`, a thousand connections also have a
//! million watches in the table. Firing means finding the watchers: events are encoded by the
//! shard.
//!
//! Target: 1,000 watchers of one node are all notified in 2 ms with 4 us of CPU per event, a
//! quarter and an eighth of what ZooKeeper 3.9.5 takes. Most of that is encoding and sending, so
//! the table may take a tenth: 0.4 us per watcher. An unwatched change is part of a set of 2.5 us
//! of CPU. A turn that forgets is bounded to half a millisecond, because all other work waits for
//! it.

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
use criterion::{criterion_group, criterion_main};
use engine::limits::FORGOTTEN_PER_TURN;
use engine::shard::{Notified, WatchMode, WatchTable};
use std::hint::black_box;
use std::time::{Duration, Instant};

const WATCHES: usize = 1_000_000;
const CONNECTIONS: usize = 1_000;
/// Paths that are fired before their watches are set again, outside the timing: more than a cache
/// holds.
const FIRED: usize = 1 << 16;
/// Paths of a thousand watchers each.
const CROWDED: usize = 64;
/// The connection that has no watches before its bench begins.
const GUEST: u32 = CONNECTIONS as u32;
const SEED: [u64; 2] = [11, 13];

fn paths_below(top: &str, count: usize) -> Vec<Vec<u8>> {
    // Neighbours in the list are far apart in the table in any case: it hashes them.
    (0..count).map(|n| format!("/{top}/{:04}/node-{n:07}", n / 1_000).into_bytes()).collect()
}

/// A path with this many levels.
fn deep_path(levels: usize) -> Vec<u8> {
    (0..levels).flat_map(|level| format!("/level-{level:02}").into_bytes()).collect()
}

/// A table in which each path has one watcher, the connections in turn.
fn spread(paths: &[Vec<u8>], connection_count: usize) -> WatchTable {
    let mut table = WatchTable::new(SEED);
    for (number, path) in paths.iter().enumerate() {
        table.add(path, (number % connection_count) as u32, WatchMode::STANDARD);
    }
    table
}

/// Every connection watches every one of these.
fn crowd(table: &mut WatchTable, paths: &[Vec<u8>], mode: WatchMode) {
    for slot in 0..CONNECTIONS as u32 {
        for path in paths {
            table.add(path, slot, mode);
        }
    }
}

/// Removes watches until closed connections have none left. Returns the number of turns.
fn forget_all(table: &mut WatchTable) -> usize {
    let mut turns = 0;
    while table.is_forgetting() {
        table.forget_some(FORGOTTEN_PER_TURN);
        turns += 1;
    }
    turns
}

fn set(group: &mut BenchmarkGroup<'_, WallTime>, paths: &[Vec<u8>]) {
    type Fill<'a> = (&'a str, &'a dyn Fn() -> WatchTable);
    let few = &paths[..WATCHES / CONNECTIONS];
    let fills: [Fill<'_>; 3] = [
        ("1,000 connections, 1,000 paths each", &|| spread(paths, CONNECTIONS)),
        ("1 connection, 1,000,000 paths", &|| spread(paths, 1)),
        ("1,000 connections, the same 1,000 paths", &|| {
            let mut table = WatchTable::new(SEED);
            crowd(&mut table, few, WatchMode::STANDARD);
            table
        }),
    ];
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(WATCHES as u64));
    for (name, fill) in fills {
        group.bench_function(BenchmarkId::new("set", name), |b| {
            b.iter_batched(|| (), |()| fill(), BatchSize::PerIteration);
        });
    }
}

/// Time of `iterations` changes, each of the next of `paths`, whose watches are set again with
/// `again` after each round.
fn fire_and_set_again(
    table: &mut WatchTable,
    paths: &[Vec<u8>],
    iterations: u64,
    watcher_count: usize,
    again: impl Fn(&mut WatchTable, &[Vec<u8>]),
) -> Duration {
    let (mut time, mut notified, mut left) =
        (Duration::ZERO, Notified::default(), iterations as usize);
    while left > 0 {
        let paths = &paths[..left.min(paths.len())];
        let start = Instant::now();
        for path in paths {
            notified.clear();
            table.trigger(path, &mut notified);
            assert_eq!(notified.slots().len(), watcher_count);
        }
        time += start.elapsed();
        again(table, paths);
        left -= paths.len();
    }
    time
}

fn fire(group: &mut BenchmarkGroup<'_, WallTime>, table: &mut WatchTable, paths: &[Vec<u8>]) {
    let (strangers, crowded) = (paths_below("strange", FIRED), paths_below("crowd", CROWDED));
    let faithful = paths_below("faithful", CROWDED);
    let mut notified = Notified::default();
    let mut at = 0;
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("fire", "unwatched"), |b| {
        b.iter(|| {
            at = (at + 1) % FIRED;
            notified.clear();
            table.trigger(&strangers[at], &mut notified);
            black_box(notified.slots().len())
        });
    });
    let few: Vec<_> = paths.iter().step_by(WATCHES / FIRED).take(FIRED).cloned().collect();
    let slot_of = |n: usize| (n * (WATCHES / FIRED) % CONNECTIONS) as u32;
    group.bench_function(BenchmarkId::new("fire", "1 watcher"), |b| {
        b.iter_custom(|iterations| {
            fire_and_set_again(table, &few, iterations, 1, |table, paths| {
                for (number, path) in paths.iter().enumerate() {
                    table.add(path, slot_of(number), WatchMode::STANDARD);
                }
            })
        });
    });
    group.throughput(Throughput::Elements(CONNECTIONS as u64));
    crowd(table, &crowded, WatchMode::STANDARD);
    group.bench_function(BenchmarkId::new("fire", "1,000 watchers"), |b| {
        b.iter_custom(|iterations| {
            fire_and_set_again(table, &crowded, iterations, CONNECTIONS, |table, paths| {
                crowd(table, paths, WatchMode::STANDARD);
            })
        });
    });
    crowd(table, &faithful, WatchMode::PERSISTENT);
    group.bench_function(BenchmarkId::new("fire", "1,000 persistent watchers"), |b| {
        b.iter(|| {
            at = (at + 1) % CROWDED;
            notified.clear();
            table.trigger(&faithful[at], &mut notified);
            black_box(notified.slots().len())
        });
    });
}

fn recursive(group: &mut BenchmarkGroup<'_, WallTime>, table: &mut WatchTable) {
    let top = deep_path(1);
    let mut notified = Notified::default();
    for watcher_count in [1, CONNECTIONS] {
        for slot in 0..watcher_count as u32 {
            table.add(&top, slot, WatchMode::RECURSIVE);
        }
        group.throughput(Throughput::Elements(watcher_count as u64));
        for levels in [2, 8, 32] {
            let path = deep_path(levels);
            let id = BenchmarkId::new(format!("recursive/{watcher_count} at the top"), levels);
            group.bench_function(id, |b| {
                b.iter(|| {
                    notified.clear();
                    table.trigger(black_box(&path), &mut notified);
                    assert_eq!(notified.slots().len(), watcher_count);
                });
            });
        }
    }
    // The cost of these to all others: their ancestors are looked up too.
    let other = [b"/other".to_vec(), deep_path(7)].concat();
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("recursive/unwatched", 8), |b| {
        b.iter(|| {
            notified.clear();
            table.trigger(black_box(&other), &mut notified);
            assert!(notified.slots().is_empty());
        });
    });
    for slot in 0..CONNECTIONS as u32 {
        table.remove(&top, slot, WatchMode::RECURSIVE);
    }
}

fn forget(group: &mut BenchmarkGroup<'_, WallTime>, table: &mut WatchTable) {
    let own = paths_below("own", WATCHES / CONNECTIONS);
    let crowded = paths_below("crowd", CROWDED);
    let (alone, shared) = ("watched by no other", "watched by 1,000 others");
    for (paths, whose) in [(&own[..64], alone), (&own[..], alone), (&crowded[..], shared)] {
        group.throughput(Throughput::Elements(paths.len() as u64));
        let id = BenchmarkId::new("forget", format!("{} paths {whose}", paths.len()));
        group.bench_function(id, |b| {
            b.iter_custom(|iterations| {
                let mut time = Duration::ZERO;
                for _ in 0..iterations {
                    for path in paths {
                        table.add(path, GUEST, WatchMode::STANDARD);
                    }
                    let start = Instant::now();
                    table.forget(GUEST);
                    forget_all(table);
                    time += start.elapsed();
                }
                time
            });
        });
    }
}

/// Turns that forget the one connection that had a million watches: the mean, and on stderr the
/// longest.
fn forget_million(group: &mut BenchmarkGroup<'_, WallTime>, paths: &[Vec<u8>]) {
    let mut table = WatchTable::new(SEED);
    let mut longest = Duration::ZERO;
    group.throughput(Throughput::Elements(FORGOTTEN_PER_TURN as u64));
    group.bench_function(BenchmarkId::new("forget", "a turn of 1,000,000 paths"), |b| {
        b.iter_custom(|iterations| {
            let mut time = Duration::ZERO;
            for _ in 0..iterations {
                if !table.is_forgetting() {
                    table = spread(paths, 1);
                    table.forget(0);
                }
                let start = Instant::now();
                table.forget_some(FORGOTTEN_PER_TURN);
                let turn = start.elapsed();
                longest = longest.max(turn);
                time += turn;
            }
            time
        });
    });
    eprintln!("the longest turn: {longest:?}");
}

fn watch(c: &mut Criterion) {
    let paths = paths_below("watched", WATCHES);
    let mut group = c.benchmark_group("watch");
    set(&mut group, &paths);
    group.sampling_mode(SamplingMode::Auto);
    let mut table = spread(&paths, CONNECTIONS);
    fire(&mut group, &mut table, &paths);
    recursive(&mut group, &mut table);
    forget(&mut group, &mut table);
    drop(table);
    forget_million(&mut group, &paths);
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1));
    targets = watch
}
criterion_main!(benches);
