//! The tree in one process: reads one by one and in stages of 8, listings, and writes in published
//! batches of 64; all of them alone, and again beside a thread that reads concurrently.
//!
//! `cargo bench -p ringkeeper-benches --bench tree`. Times are per look-up, per stage of 8, per
//! listing of 10,000 children and per batch of 64; rates count operations. There are 10^4 and 10^6
//! nodes of 100 bytes, and 10^7 (3 GB) with `RINGKEEPER_BENCH_LARGE=1`. The memory of a node is
//! printed to stderr before the timings of each size, the other thread's rate after them.
//!
//! Target, at a million nodes and alone: a get 0.1 us among hot nodes and 0.18 us in stages, a set
//! 0.8 us, a create 0.7 us, a delete 0.8 us (a batch of 64: 51, 45 and 51 us), and 240 bytes per
//! node after each was written twice. Beside a reader nothing should change except for shared cache
//! and memory bandwidth: the threads share no line that either writes.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engine::tree::{NewNode, STAGED_MAX, Tree, TreeReader, TreeSeed};
use model::zxid::Zxid;
use std::env;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const SIZES: [usize; 2] = [10_000, 1_000_000];
/// A size for machines with enough memory, and the variable that enables it.
const LARGE: usize = 10_000_000;
const LARGE_WANTED: &str = "RINGKEEPER_BENCH_LARGE";
const CHILDREN: usize = 10_000;
const HOT: usize = 1_000;
const BATCH: usize = 64;
/// The most that a turn frees.
const RECLAIM: usize = 1024;
/// Paths to look up, one after another: more nodes than a cache holds.
const PICKS: usize = 1 << 18;
const DATA: [u8; 100] = [7; 100];

/// A tree of `size` nodes below parents of [`CHILDREN`] children each.
struct Bench {
    tree: Tree<u64>,
    reader: TreeReader<u64>,
    size: usize,
    random: u64,
    zxid: i64,
}

impl Bench {
    fn new(size: usize) -> Self {
        let mut tree = Tree::new(TreeSeed([11, 13]), 0);
        tree.insert_root(&NewNode { path: b"/", ..NewNode::default() });
        for parent in 0..size.div_ceil(CHILDREN) {
            let path = format!("/load/{parent:04}").into_bytes();
            if parent == 0 {
                tree.create(&NewNode { path: b"/load", ..NewNode::default() });
            }
            tree.create(&NewNode { path: &path, ..NewNode::default() });
        }
        let reader = tree.reader();
        let mut bench = Self { tree, reader, size, random: 1, zxid: 0 };
        for number in 0..size {
            bench.create(&path_of(number));
            if number % BATCH == 0 {
                bench.end_batch();
            }
        }
        for round in 0..2 {
            for number in 0..size {
                let number = if round == 0 { number } else { bench.below(size) };
                bench.set(&path_of(number));
                if number % BATCH == 0 {
                    bench.end_batch();
                }
            }
        }
        bench.end_batch();
        while bench.tree.reclaim(RECLAIM) > 0 {}
        bench.report();
        bench
    }

    fn report(&self) {
        let memory = self.tree.memory();
        let payload = path_of(0).len() + 88 + DATA.len();
        let per_node = |bytes: usize| bytes as f64 / self.size as f64;
        eprintln!(
            "{} nodes, each written twice: payload {payload} bytes a node, live {:.1}, in chunks \
             {:.1}",
            self.size,
            per_node(memory.live_bytes),
            per_node(memory.chunk_bytes),
        );
    }

    /// splitmix64.
    fn below(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % bound as u64) as usize
    }

    fn picks(&mut self, bound: usize) -> Vec<Vec<u8>> {
        (0..PICKS).map(|_| path_of(self.below(bound))).collect()
    }

    fn create(&mut self, path: &[u8]) {
        self.zxid += 1;
        let zxid = Zxid(self.zxid);
        self.tree.create(&NewNode { path, data: Some(&DATA), zxid, ..NewNode::default() });
    }

    fn set(&mut self, path: &[u8]) {
        self.zxid += 1;
        self.tree.set_data(path, Some(&DATA), 1, Zxid(self.zxid), 5);
    }

    fn delete(&mut self, path: &[u8]) {
        self.zxid += 1;
        self.tree.delete(path, Zxid(self.zxid));
    }

    fn end_batch(&mut self) -> usize {
        let sealed = self.tree.seal();
        self.tree.publish(sealed);
        self.reader.refresh();
        self.tree.reclaim(RECLAIM)
    }

    /// Time of `change` for all paths, in batches.
    fn run(&mut self, paths: &[Vec<u8>], change: impl Fn(&mut Self, &[u8])) -> Duration {
        let start = Instant::now();
        for batch in paths.chunks(BATCH) {
            for staged in batch.chunks(STAGED_MAX) {
                let mut warm: [&[u8]; STAGED_MAX] = [b"/"; STAGED_MAX];
                for (place, path) in warm.iter_mut().zip(staged) {
                    *place = path;
                }
                self.tree.warm(&warm[..staged.len()]);
                for path in staged {
                    change(self, path);
                }
            }
            self.end_batch();
        }
        start.elapsed()
    }

    fn new_paths(&mut self, count: usize) -> Vec<Vec<u8>> {
        let parents = self.size.div_ceil(CHILDREN);
        (0..count).map(|n| format!("/load/{:04}/new-{n:07}", n % parents).into_bytes()).collect()
    }
}

fn path_of(number: usize) -> Vec<u8> {
    format!("/load/{:04}/instance-{number:07}", number / CHILDREN).into_bytes()
}

/// Looks up 8 paths from `at` on together.
fn look_up_staged(reader: &TreeReader<u64>, paths: &[Vec<u8>], at: usize) -> u32 {
    let paths: [&[u8]; STAGED_MAX] = std::array::from_fn(|n| &paths[at + n][..]);
    let mut found = [None; STAGED_MAX];
    reader.view().lookup_staged(&paths, &mut found);
    found.iter().flatten().map(|record| u32::from(record.stat_bytes()[67])).sum()
}

fn reads(c: &mut Criterion, bench: &mut Bench, company: &str) {
    let size = bench.size;
    let all = bench.picks(size);
    let hot = bench.picks(HOT);
    let mut group = c.benchmark_group(format!("get/{size}{company}"));
    group.throughput(Throughput::Elements(1));
    for (name, paths) in [("uniform", &all), ("hot", &hot)] {
        let (mut at, view) = (0, bench.reader.view());
        group.bench_function(name, |b| {
            b.iter(|| {
                at = (at + 1) % PICKS;
                let record = view.lookup(&paths[at]).expect("created above");
                black_box((record.stat_bytes()[67], record.data().map(|data| data[0])))
            });
        });
    }
    group.throughput(Throughput::Elements(STAGED_MAX as u64));
    let (mut at, reader) = (0, &bench.reader);
    group.bench_function("staged by 8", |b| {
        b.iter(|| {
            at = (at + STAGED_MAX) % PICKS;
            black_box(look_up_staged(reader, &all, at))
        });
    });
    group.throughput(Throughput::Elements(CHILDREN as u64));
    let parents = size.div_ceil(CHILDREN);
    let (mut parent, view) = (0, reader.view());
    group.bench_function("children", |b| {
        b.iter(|| {
            parent = (parent + 37) % parents;
            let mut bytes = 0;
            view.children(format!("/load/{parent:04}").as_bytes(), |name| bytes += name.len());
            black_box(bytes)
        });
    });
    group.finish();
}

fn writes(c: &mut Criterion, bench: &mut Bench, company: &str) {
    let size = bench.size;
    let all = bench.picks(size);
    let mut group = c.benchmark_group(format!("batches of {BATCH}/{size}{company}"));
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut at = 0;
    group.bench_function("set", |b| {
        b.iter_custom(|iterations| {
            let mut time = Duration::ZERO;
            for _ in 0..iterations {
                time += bench.run(&all[at..at + BATCH], Bench::set);
                at = (at + BATCH) % PICKS;
            }
            time
        });
    });
    for is_create in [true, false] {
        group.bench_function(if is_create { "create" } else { "delete" }, |b| {
            b.iter_custom(|iterations| {
                // No more new nodes than old ones.
                let count = (iterations as usize * BATCH).min(size / BATCH * BATCH);
                let rounds = (iterations as usize * BATCH).div_ceil(count);
                let mut time = Duration::ZERO;
                for _ in 0..rounds {
                    let mut paths = bench.new_paths(count);
                    let create = bench.run(&paths, Bench::create);
                    for at in 0..paths.len() {
                        let other = bench.below(at + 1);
                        paths.swap(at, other);
                    }
                    let paths = paths;
                    let delete = bench.run(&paths, Bench::delete);
                    time += if is_create { create } else { delete };
                }
                time.mul_f64((iterations as usize * BATCH) as f64 / (count * rounds) as f64)
            });
        });
    }
    group.finish();
}

/// Stops the other thread, whatever happens to this one.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs all of it while another thread reads as a shard would: stages of 8, from the version that
/// was the newest when its turn of 64 began.
fn beside_a_reader(bench: &mut Bench, measured: impl FnOnce(&mut Bench)) {
    let paths = bench.picks(bench.size);
    let mut reader = bench.tree.reader();
    let is_over = AtomicBool::new(false);
    let look_up = || {
        let (mut at, mut count, start) = (0, 0, Instant::now());
        while !is_over.load(Ordering::Relaxed) {
            reader.refresh();
            for _ in 0..BATCH / STAGED_MAX {
                black_box(look_up_staged(&reader, &paths, at));
                at = (at + STAGED_MAX) % PICKS;
            }
            count += BATCH;
        }
        eprintln!("beside it: {:.1} million look-ups/s", millions_per_second(count, start));
    };
    thread::scope(|scope| {
        let _end = End(&is_over);
        scope.spawn(look_up);
        measured(bench);
    });
}

fn millions_per_second(count: usize, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64() / 1e6
}

fn tree(c: &mut Criterion) {
    let is_large_wanted = env::var_os(LARGE_WANTED).is_some_and(|value| value == "1");
    for size in SIZES.into_iter().chain(is_large_wanted.then_some(LARGE)) {
        let mut bench = Bench::new(size);
        reads(c, &mut bench, "");
        writes(c, &mut bench, "");
        beside_a_reader(&mut bench, |bench| {
            reads(c, bench, " beside a reader");
            writes(c, bench, " beside a reader");
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = tree
}
criterion_main!(benches);
