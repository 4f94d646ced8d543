//! The codec: requests as clients send them and replies as they get them, both ways.
//!
//! `cargo bench -p ringkeeper-benches --bench jute`. The server decodes requests and encodes
//! replies; the other two directions are what a client pays, and show what the format costs.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use model::acl::AclList;
use model::error::ErrorCode;
use model::jute::{self, Reader};
use model::op::Op;
use model::request::{Request, RequestHeader};
use model::response;
use model::stat::STAT_BYTES;
use model::zxid::Zxid;
use std::hint::black_box;
use std::time::Duration;

const PATH: &[u8] = b"/services/payments/instances/instance-0000000042";
const DATA: [u8; 100] = [7; 100];
const STAT: [u8; STAT_BYTES] = [1; STAT_BYTES];
/// Operations in the multi.
const OPS: u32 = 4;

/// The kinds of requests, each with what encodes it and its reply's body.
const KINDS: [(&str, Op, Put, Put); 4] = [
    ("get", Op::GetData, put_get, put_get_reply),
    ("set", Op::SetData, put_set, put_set_reply),
    ("create", Op::Create, put_create, put_create_reply),
    ("multi", Op::Multi, put_multi, put_multi_reply),
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
    let start = response::begin_reply(out, 1, Zxid(0x1_0000_0001), ErrorCode::Ok);
    body(out);
    response::end_packet(out, start);
}

/// What a client reads of a reply before it looks at the body, and the body's fields.
fn read_reply(packet: &[u8], op: Op) -> usize {
    let mut reader = Reader::new(packet);
    let mut sum = reader.int().expect("a length") as usize;
    sum += reader.int().expect("an xid") as usize;
    sum += reader.long().expect("a zxid") as usize;
    sum += reader.int().expect("an error") as usize;
    match op {
        Op::GetData => sum += reader.buffer().expect("data").map_or(0, <[u8]>::len),
        Op::Create => sum += reader.text().expect("a path").len(),
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

fn codec(c: &mut Criterion) {
    let mut group = c.benchmark_group("jute");
    for (name, op, request, reply) in KINDS {
        let mut out = Vec::with_capacity(4096);
        group.bench_function(BenchmarkId::new("encode request", name), |b| {
            b.iter(|| {
                out.clear();
                put_request(&mut out, op, request);
                black_box(out.len())
            });
        });
        group.bench_function(BenchmarkId::new("decode request", name), |b| {
            b.iter(|| {
                let mut reader = Reader::new(black_box(&out));
                let header = RequestHeader::decode(&mut reader).expect("encoded above");
                let op = Op::of(header.op).expect("encoded above");
                black_box(Request::decode(op, reader.rest()).expect("encoded above"));
            });
        });
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
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    targets = codec
}
criterion_main!(benches);
