//! A request through the whole engine in one process: a shard and the replica fused on one thread,
//! over a log that is durable at once. The figures include neither sockets nor a disk.
//!
//! `cargo bench -p ringkeeper-benches --bench publish`. A turn takes one request from each
//! connection; figures are per turn, throughput per request. Allocations per request go to stderr
//! before the timings.
//!
//! Target: no allocation per get and two per set; and the CPU that the whole server may take at 64
//! connections with 16 in flight, 0.8 us per get and 2.5 us per set, including sockets and log. The
//! tree's 0.8 us are part of a set.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::batch::ConnectionId;
use engine::limits::RECLAIM_PER_TURN;
use engine::pipeline::Head;
use engine::replica::{Effect, Effects, Event, LogState, Replica, ReplicaParts, SnapshotPolicy};
use engine::settings::{Now, Settings};
use engine::shard::Shard;
use engine::tree::TreeSeed;
use model::acl::AclList;
use model::jute;
use model::op::Op;
use model::zxid::Zxid;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Requests of a turn, each from a connection of its own.
const BATCHES: [usize; 3] = [1, 16, 64];
/// Nodes of the tree besides what is created.
const NODES: usize = 10_000;
/// Nodes that are created before they are deleted again, outside the timing.
const FRESH: usize = 4_096;
/// Turns over which allocations are counted.
const COUNTED_TURNS: usize = 1_000;
const DATA: [u8; 100] = [7; 100];
/// Allocations that the design allows: per get, per set.
const BUDGET: [(&str, f64); 2] = [("get", 0.0), ("set", 2.0)];

struct Bench {
    replica: Replica,
    effects: Effects,
    shard: Shard,
    connections: Vec<ConnectionId>,
    now: Now,
    /// Bytes that would have been sent, and written to the log.
    sent_bytes: usize,
    log_bytes: usize,
}

impl Bench {
    fn new(connection_count: usize) -> Self {
        let settings = Arc::new(Settings::default());
        let now = Now { mono_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let mut head = Head::new(settings.clone(), TreeSeed([11, 13]));
        let version = head.seal();
        head.tree.publish(version);
        let parts = ReplicaParts {
            head,
            zxid: Zxid::ZERO,
            settings: settings.clone(),
            shards: 1,
            reserve_bytes: 0,
            snapshots: SnapshotPolicy { txn_count: u64::MAX, log_bytes_max: None },
            unsaved: (0, 0),
            member: None,
        };
        let (mut replica, mut effects) = (Replica::new(parts, now), Effects::default());
        replica.handle(now, Event::Log(LogState::Ready), &mut effects);
        let (reader, cursor) = replica.view();
        let shard = Shard::new(0, 1, settings, reader, cursor);
        let (sent_bytes, log_bytes) = (0, 0);
        let mut bench =
            Self { replica, effects, shard, connections: Vec::new(), now, sent_bytes, log_bytes };
        bench.shard.begin_turn(now);
        for _ in 0..connection_count {
            let peer = ([127, 0, 0, 1], 40_000).into();
            bench.connections.push(bench.shard.open(peer));
        }
        bench.turn(&vec![connect(); connection_count]);
        bench.turn(&[create(b"/load")]);
        for number in 0..NODES {
            bench.turn(&[create(&path_of(number))]);
        }
        bench
    }

    /// One turn of a fused core loop: requests in, replies out.
    fn turn(&mut self, packets: &[Vec<u8>]) {
        self.shard.begin_turn(self.now);
        for (at, packet) in packets.iter().enumerate() {
            let connection = self.connections[at % self.connections.len()];
            self.shard.frame(connection, packet).expect("the packet is well formed");
        }
        while self.serve() {}
        self.send();
        self.replica.reclaim(RECLAIM_PER_TURN);
    }

    /// Each role's part; true if that published something.
    fn serve(&mut self) -> bool {
        self.shard.drain();
        self.shard.serve(|_, why| panic!("refused: {why}"));
        for message in self.shard.take_messages() {
            self.replica.handle(self.now, Event::Shard(message), &mut self.effects);
        }
        self.replica.handle(self.now, Event::TurnEnded, &mut self.effects);
        let mut is_published = false;
        let mut durable = None;
        for effect in self.effects.take() {
            match effect {
                Effect::Append(in_log) => {
                    for (zxid, txn) in in_log.txns(0) {
                        self.log_bytes += black_box(txn).len();
                        durable = Some(zxid);
                    }
                    self.replica.recycle(in_log);
                }
                Effect::Deliver { message, .. } => self.shard.handle(message),
                Effect::Published(_) => is_published = true,
                other => unreachable!("no reason for {other:?}"),
            }
        }
        if let Some(zxid) = durable {
            self.replica.handle(self.now, Event::Durable(zxid), &mut self.effects);
            is_published |= self.effects.take().count() > 0;
        }
        is_published
    }

    fn send(&mut self) {
        let mut dirty = std::mem::take(self.shard.dirty_mut());
        for slot in dirty.drain(..) {
            let Some(connection) = self.shard.clean(slot) else { continue };
            if let Some(output) = self.shard.take_output(connection) {
                let bytes = black_box(&output).len();
                self.sent_bytes += bytes;
                self.shard.sent(output, bytes);
            }
        }
        *self.shard.dirty_mut() = dirty;
    }

    /// Time of all these requests, `batch` of them per turn.
    fn run(&mut self, packets: &[Vec<u8>], batch: usize) -> Duration {
        let start = Instant::now();
        for packets in packets.chunks(batch) {
            self.turn(packets);
        }
        start.elapsed()
    }

    /// Allocations per request: in the warm state, with reusable memory available.
    fn allocations(&mut self, packets: &[Vec<u8>], batch: usize) -> f64 {
        let needed = COUNTED_TURNS * batch;
        let mut turns = packets.chunks(batch).cycle();
        for _ in 0..COUNTED_TURNS {
            self.turn(turns.next().expect("there are packets"));
        }
        let region = Region::new(ALLOCATOR);
        for _ in 0..COUNTED_TURNS {
            self.turn(turns.next().expect("there are packets"));
        }
        let change = region.change();
        (change.allocations + change.reallocations) as f64 / needed as f64
    }
}

fn connect() -> Vec<u8> {
    let mut out = Vec::new();
    jute::put_int(&mut out, 0);
    jute::put_long(&mut out, 0);
    jute::put_int(&mut out, 10_000);
    jute::put_long(&mut out, 0);
    jute::put_string(&mut out, &[0; 16]);
    jute::put_bool(&mut out, false);
    out
}

fn request(op: Op, path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    jute::put_int(&mut out, 1);
    jute::put_int(&mut out, op.code());
    jute::put_string(&mut out, path);
    out
}

fn get(path: &[u8]) -> Vec<u8> {
    let mut out = request(Op::GetData, path);
    jute::put_bool(&mut out, false);
    out
}

fn set(path: &[u8]) -> Vec<u8> {
    let mut out = request(Op::SetData, path);
    jute::put_buffer(&mut out, Some(&DATA));
    jute::put_int(&mut out, -1);
    out
}

fn create(path: &[u8]) -> Vec<u8> {
    let mut out = request(Op::Create, path);
    jute::put_buffer(&mut out, Some(&DATA));
    AclList::OPEN.encode(&mut out);
    jute::put_int(&mut out, 0);
    out
}

fn delete(path: &[u8]) -> Vec<u8> {
    let mut out = request(Op::Delete, path);
    jute::put_int(&mut out, -1);
    out
}

fn path_of(number: usize) -> Vec<u8> {
    format!("/load/instance-{number:07}").into_bytes()
}

/// Requests for all nodes, neighbours far apart.
fn scattered(form: fn(&[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..NODES / 64 * 64).map(|n| form(&path_of(n * 7_919 % NODES))).collect()
}

/// Requests for as many missing nodes in between.
fn fresh(form: fn(&[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..FRESH).map(|n| form(&path_of(NODES + n))).collect()
}

fn report(bench: &mut Bench, batch: usize) {
    for (name, budget) in BUDGET {
        let packets = scattered(if name == "get" { get } else { set });
        let found = bench.allocations(&packets, batch);
        let verdict = if found <= budget { "within" } else { "OVER" };
        eprintln!("{name}, batches of {batch}: {found:.3} allocations, {verdict} {budget}");
    }
}

fn publish(c: &mut Criterion) {
    let (gets, sets) = (scattered(get), scattered(set));
    let (creates, deletes) = (fresh(create), fresh(delete));
    for batch in BATCHES {
        let mut bench = Bench::new(batch);
        report(&mut bench, batch);
        let mut group = c.benchmark_group("publish");
        group.throughput(Throughput::Elements(batch as u64));
        for (name, packets) in [("get", &gets), ("set", &sets)] {
            let mut turns = packets.chunks(batch).cycle();
            group.bench_function(BenchmarkId::new(name, batch), |b| {
                b.iter(|| bench.turn(turns.next().expect("there are packets")));
            });
        }
        group.bench_function(BenchmarkId::new("create", batch), |b| {
            b.iter_custom(|iterations| {
                let mut time = Duration::ZERO;
                let mut left = iterations as usize;
                while left > 0 {
                    let count = left.min(FRESH / batch) * batch;
                    time += bench.run(&creates[..count], batch);
                    bench.run(&deletes[..count], batch);
                    left -= count / batch;
                }
                time
            });
        });
        group.finish();
        assert!(bench.sent_bytes > 0 && bench.log_bytes > 0, "nothing was answered");
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1));
    targets = publish
}
criterion_main!(benches);
