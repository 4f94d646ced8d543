//! The codec: requests as clients send them and replies as they receive them, in both directions.
//!
//! `cargo bench -p ringkeeper-benches --bench jute`. Times are per request, reply or event, bytes
//! per second those of the packet. The server decodes requests and encodes replies; the other two
//! directions are the client's cost, and show the cost of the format. `children` is a listing of
//! 1,000 names, `watches` a setWatches2 of 1,000 paths, which has no body in its reply.
//!
//! Target: none of its own, but a part of the CPU that a whole request may take at 64 connections
//! with 16 in flight: 0.8 us per get, 2.5 us per set. Both directions of a get or a set together
//! should stay below a tenth of that.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use criterion::{criterion_group, criterion_main};
use model::acl::AclList;
use model::error::ErrorCode;
use model::jute::{self, JuteReader};
use model::op::Op;
use model::request::{ConnectRequest, Request, RequestHeader};
use model::response::{self, ConnectResponse, EventKind};
use model::session::{SessionId, password};
use model::stat::STAT_BYTES;
use model::zxid::Zxid;
use std::hint::black_box;

const PATH: &[u8] = b"/services/payments/instances/instance-0000000042";
const DATA: [u8; 100] = [7; 100];
const STAT: [u8; STAT_BYTES] = [1; STAT_BYTES];
/// Operations in the multi.
const OPS: u32 = 4;
/// Names of the listing, and paths of the setWatches2.
const NAMES: usize = 1_000;
const ZXID: Zxid = Zxid(0x1_0000_0001);

/// The kinds of requests, each with what encodes it and its reply's body.
const KINDS: [(&str, Op, Put, Put); 8] = [
    ("get", Op::GetData, put_get, put_get_reply),
    ("exists", Op::Exists, put_get, put_set_reply),
    ("set", Op::SetData, put_set, put_set_reply),
    ("create", Op::Create, put_create, put_create_reply),
    ("delete", Op::Delete, put_delete, put_nothing),
    ("children", Op::GetChildren2, put_get, put_children_reply),
    ("multi", Op::Multi, put_multi, put_multi_reply),
    ("watches", Op::SetWatches2, put_watches, put_nothing),
];

type Put = fn(&mut Vec<u8>);

fn put_get(out: &mut Vec<u8>) {
    jute::put_string(out, PATH);
    jute::put_bool(out, false);
}

fn put_set(out: &mut Vec<u8>) {
    jute::put_string(out, PATH);
    jute::put_buffer(out, Some(&DATA));
    jute::put_int(out, -1);
}

fn put_create(out: &mut Vec<u8>) {
    jute::put_string(out, PATH);
    jute::put_buffer(out, Some(&DATA));
    AclList::OPEN.encode(out);
    jute::put_int(out, 0);
}

fn put_delete(out: &mut Vec<u8>) {
    jute::put_string(out, PATH);
    jute::put_int(out, -1);
}

/// A client's watches: of data, of missing nodes, of children, and persistent ones.
fn put_watches(out: &mut Vec<u8>) {
    jute::put_long(out, ZXID.0);
    for count in [NAMES / 2, 0, NAMES / 2, 0, 0] {
        jute::put_length(out, count);
        (0..count).for_each(|_| jute::put_string(out, PATH));
    }
}

fn put_multi(out: &mut Vec<u8>) {
    for _ in 0..OPS {
        response::put_multi_header(out, Op::SetData.code(), false, -1);
        put_set(out);
    }
    response::put_multi_end(out);
}

fn put_get_reply(out: &mut Vec<u8>) {
    jute::put_buffer(out, Some(&DATA));
    out.extend_from_slice(&STAT);
}

fn put_set_reply(out: &mut Vec<u8>) {
    out.extend_from_slice(&STAT);
}

fn put_create_reply(out: &mut Vec<u8>) {
    jute::put_string(out, PATH);
}

fn put_nothing(_: &mut Vec<u8>) {}

fn put_children_reply(out: &mut Vec<u8>) {
    jute::put_length(out, NAMES);
    (0..NAMES).for_each(|_| jute::put_string(out, &PATH[PATH.len() - 19..]));
    out.extend_from_slice(&STAT);
}

fn put_multi_reply(out: &mut Vec<u8>) {
    for _ in 0..OPS {
        response::put_multi_header(out, Op::SetData.code(), false, 0);
        out.extend_from_slice(&STAT);
    }
    response::put_multi_end(out);
}

fn put_request(out: &mut Vec<u8>, op: Op, body: Put) {
    jute::put_int(out, 1);
    jute::put_int(out, op.code());
    body(out);
}

fn put_reply(out: &mut Vec<u8>, body: Put) {
    let start = response::begin_reply(out, 1, ZXID, ErrorCode::Ok);
    body(out);
    response::end_packet(out, start);
}

/// What a client reads of a reply before the body, and the body's fields.
fn read_reply(packet: &[u8], op: Op) -> usize {
    let mut reader = JuteReader::new(packet);
    let mut sum = reader.int().expect("a length") as usize;
    sum += reader.int().expect("an xid") as usize;
    sum += reader.long().expect("a zxid") as usize;
    sum += reader.int().expect("an error") as usize;
    match op {
        Op::GetData => sum += reader.buffer().expect("data").map_or(0, <[u8]>::len),
        Op::Create => sum += reader.text().expect("a path").len(),
        Op::GetChildren2 => {
            let names = reader.strings().expect("names");
            sum += names.iter().map(<[u8]>::len).sum::<usize>();
        }
        Op::Multi => {
            while reader.int().expect("an operation") != -1 {
                reader.take(5).expect("the rest of the header");
                reader.take(STAT_BYTES).expect("a Stat");
                sum += 1;
            }
        }
        _ => (),
    }
    sum + reader.rest().len()
}

/// The handshake of a connection, and unsolicited events.
fn packets_of_no_operation(group: &mut BenchmarkGroup<'_, WallTime>) {
    type Packet<'a> = (&'a str, &'a dyn Fn(&mut Vec<u8>));
    let session_id = SessionId(0x0100_0000_0000_0001);
    let password = password(session_id);
    let mut out = Vec::with_capacity(4096);
    jute::put_int(&mut out, 0);
    jute::put_long(&mut out, ZXID.0);
    jute::put_int(&mut out, 30_000);
    jute::put_long(&mut out, session_id.0);
    jute::put_string(&mut out, &password);
    jute::put_bool(&mut out, false);
    group.throughput(Throughput::Bytes(out.len() as u64));
    group.bench_function(BenchmarkId::new("decode request", "connect"), |b| {
        b.iter(|| black_box(ConnectRequest::decode(black_box(&out)).expect("encoded above")));
    });
    let reply =
        ConnectResponse { timeout_ms: 30_000, session_id, password, read_only: Some(false) };
    let packets: [Packet<'_>; 2] = [
        ("connect", &|out| black_box(reply).encode(out)),
        ("event", &|out| {
            response::put_event(out, EventKind::DataChanged, ZXID, black_box(PATH));
        }),
    ];
    for (name, put) in packets {
        out.clear();
        put(&mut out);
        group.throughput(Throughput::Bytes(out.len() as u64));
        group.bench_function(BenchmarkId::new("encode reply", name), |b| {
            b.iter(|| {
                out.clear();
                put(&mut out);
                black_box(out.len())
            });
        });
    }
}

fn codec(c: &mut Criterion) {
    let mut group = c.benchmark_group("jute");
    packets_of_no_operation(&mut group);
    for (name, op, request, reply) in KINDS {
        let mut out = Vec::with_capacity(128 << 10);
        put_request(&mut out, op, request);
        group.throughput(Throughput::Bytes(out.len() as u64));
        group.bench_function(BenchmarkId::new("encode request", name), |b| {
            b.iter(|| {
                out.clear();
                put_request(&mut out, op, request);
                black_box(out.len())
            });
        });
        group.bench_function(BenchmarkId::new("decode request", name), |b| {
            b.iter(|| {
                let mut reader = JuteReader::new(black_box(&out));
                let header = RequestHeader::decode(&mut reader).expect("encoded above");
                let op = Op::of(header.op).expect("encoded above");
                black_box(Request::decode(op, reader.rest()).expect("encoded above"));
            });
        });
        out.clear();
        put_reply(&mut out, reply);
        group.throughput(Throughput::Bytes(out.len() as u64));
        group.bench_function(BenchmarkId::new("encode reply", name), |b| {
            b.iter(|| {
                out.clear();
                put_reply(&mut out, reply);
                black_box(out.len())
            });
        });
        group.bench_function(BenchmarkId::new("decode reply", name), |b| {
            b.iter(|| black_box(read_reply(black_box(&out), op)));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = ringkeeper_benches::short_rounds();
    targets = codec
}
criterion_main!(benches);
