use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use clap::Parser;
use model::error::ErrorCode;
use model::jute::Reader;
use model::op::Op;
use model::request::Request;
use model::response::{ConnectResponse, put_reply};
use model::session::{SessionId, password};
use model::zxid::Zxid;

use super::keys::{Draws, Keys};
use super::tally::{Class, Tally, micros, thousands};
use super::wire::{Replies, Reply, Template, put_close, put_connect};
use super::{BenchArgs, BenchError, IncidentKind, process};

/// What the server of a test does with a request, given how many came before it.
pub(super) type Behaviour = fn(u32, i32, Op, &mut Vec<u8>) -> bool;

/// The least that there can be of a server: one thread a connection, no tree.
pub(super) fn serve(behaviour: Behaviour) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || converse(stream.unwrap(), behaviour));
        }
    });
    address
}

pub(super) fn converse(mut stream: TcpStream, behaviour: Behaviour) -> Option<()> {
    let id = SessionId(7);
    let response = ConnectResponse {
        timeout_ms: 1,
        session_id: id,
        password: password(id),
        has_read_only: true,
    };
    let mut out = Vec::new();
    frame(&mut stream)?;
    response.encode(&mut out);
    for count in 0.. {
        stream.write_all(&out).ok()?;
        out.clear();
        let request = frame(&mut stream)?;
        let mut reader = Reader::new(&request);
        let (xid, op) = (reader.int().ok()?, Op::of(reader.int().ok()?)?);
        if !behaviour(count, xid, op, &mut out) {
            return None;
        }
    }
    None
}

fn frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

pub(super) fn reply(xid: i32, error: ErrorCode, out: &mut Vec<u8>) {
    put_reply(out, xid, Zxid(1), error, &[0; 200]);
}

pub(super) fn well(_: u32, xid: i32, _: Op, out: &mut Vec<u8>) -> bool {
    reply(xid, ErrorCode::Ok, out);
    true
}

fn run(args: &BenchArgs) -> Result<(), BenchError> {
    super::run(args, &mut Vec::new())
}

/// The words of a command line.
#[derive(Parser)]
#[command(args_override_self = true)]
pub(super) struct Words {
    #[command(flatten)]
    pub(super) args: BenchArgs,
}

fn args(address: SocketAddr, words: &str) -> BenchArgs {
    let words = format!(
        "bench --server {address} --connections 3 --pipeline 4 --nodes 50 --seconds 0 --warmup 0 \
         {words}"
    );
    Words::parse_from(words.split_whitespace()).args
}

#[test]
fn every_operation_of_the_loop_runs() {
    let address = serve(well);
    for op in ["set", "create", "exists", "children", "mixed"] {
        // Without a second to measure nothing is answered, but everything was prepared and closed.
        let outcome = run(&args(address, &format!("--op {op}")));
        assert!(matches!(outcome, Ok(()) | Err(BenchError::Nothing)), "{op}: {outcome:?}");
    }
    run(&args(address, "--op session")).unwrap();
    run(&args(address, "--op ready --seconds 30")).unwrap();
    run(&args(address, "--prepare-only")).unwrap();
}

#[test]
fn watchers_are_told() {
    fn behaviour(_: u32, xid: i32, op: Op, out: &mut Vec<u8>) -> bool {
        // Each connection is told of its own set only; one connection, so all are told.
        if op == Op::SetData {
            let path = b"/bench/watched";
            let kind = model::response::EventKind::DataChanged;
            model::response::put_event(out, kind, Zxid(1), path);
        }
        well(0, xid, op, out)
    }
    run(&args(serve(behaviour), "--op watch").with_connections(1)).unwrap();
}

impl BenchArgs {
    fn with_connections(mut self, connections: u32) -> Self {
        self.connections = Some(connections);
        self
    }
}

#[test]
fn results_are_written() {
    let path = std::env::temp_dir().join(format!("ringkeeper-bench-{}.json", std::process::id()));
    let words = format!("--op session --pid {} --json {}", std::process::id(), path.display());
    run(&args(serve(well), &words)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(text.starts_with("{\n  \"op\": \"session\",\n") && text.ends_with("\n}\n"), "{text}");
    for key in ["ops_per_s", "open_us_p99", "server_cpu_us_per_op", "server_rss_bytes"] {
        assert!(text.contains(&format!("\n  \"{key}\": ")), "{key}: {text}");
    }
}

#[test]
fn wrong_answers_are_told() {
    let outcome = run(&args(serve(other_xid), "")).unwrap_err();
    assert!(matches!(outcome, BenchError::Xid { expected, found } if found == expected + 1));
    let outcome = run(&args(serve(too_short), "--seconds 9")).unwrap_err();
    assert!(matches!(outcome, BenchError::Incidents { kind: IncidentKind::Wrong, .. }));
    let outcome = run(&args(serve(no_length), "")).unwrap_err();
    assert!(matches!(outcome, BenchError::FrameLength { length: -1 }));
}

fn other_xid(count: u32, xid: i32, op: Op, out: &mut Vec<u8>) -> bool {
    well(count, xid + i32::from(count == 5), op, out)
}

fn too_short(_: u32, xid: i32, op: Op, out: &mut Vec<u8>) -> bool {
    let body = if op == Op::Create { &[0; 100][..] } else { b"" };
    put_reply(out, xid, Zxid(1), ErrorCode::Ok, body);
    true
}

fn no_length(_: u32, _: i32, _: Op, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(&[0xff; 20]);
    true
}

#[test]
fn errors_are_told() {
    fn no_auth(_: u32, xid: i32, _: Op, out: &mut Vec<u8>) -> bool {
        reply(xid, ErrorCode::NoAuth, out);
        true
    }
    let address = serve(no_auth);
    let outcome = run(&args(address, "")).unwrap_err();
    assert!(matches!(outcome, BenchError::Refused { code, .. } if code.0 == -102));
    assert_eq!(outcome.to_string(), "preparing: the server answered NoAuth (-102)");
    let outcome = run(&args(address, "--skip-prepare --seconds 1")).unwrap_err();
    assert!(matches!(outcome, BenchError::Errors { count } if count > 0));
}

#[test]
fn nodes_that_exist_are_set() {
    fn exists(_: u32, xid: i32, op: Op, out: &mut Vec<u8>) -> bool {
        let is_create = op == Op::Create;
        reply(xid, if is_create { ErrorCode::NodeExists } else { ErrorCode::Ok }, out);
        true
    }
    run(&args(serve(exists), "--prepare-only")).unwrap();
}

#[test]
fn a_server_that_dies_is_told() {
    let outcome = run(&args(serve(|count, xid, op, out| count < 9 && well(0, xid, op, out)), ""));
    assert!(
        matches!(outcome, Err(BenchError::Closed { .. } | BenchError::Broken(_))),
        "{outcome:?}"
    );
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = run(&args(address, ""));
    assert!(matches!(outcome, Err(BenchError::Connect { .. })));
    let outcome = run(&args(address, "--op ready"));
    assert!(matches!(outcome, Err(BenchError::NotReady { .. })));
}

#[test]
fn arguments_have_bounds() {
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    let outcome = run(&args(address, "").with_connections(0)).unwrap_err();
    assert_eq!(outcome.to_string(), "--connections 0 is out of bounds (1 to 60000)");
}

#[test]
fn templates_are_requests() {
    let keys = Keys::new("/a/b");
    let mut out = Vec::new();
    Template::set(&keys.node(0), b"xyz").put(&mut out, 9, |path| keys.write_node(1_234_567, path));
    assert_eq!(out.len() - 4, u32::from_be_bytes(*out.first_chunk().unwrap()) as usize);
    let mut reader = Reader::new(&out[4..]);
    assert_eq!((reader.int(), reader.int()), (Ok(9), Ok(Op::SetData.code())));
    let request = Request::decode(Op::SetData, reader.rest()).unwrap();
    let path = b"/a/b/p234/n1234567";
    assert_eq!(request, Request::SetData { path, data: Some(b"xyz"), version: -1 });

    out.clear();
    Template::create(&keys.parent(7), b"").put(&mut out, 1, |_| ());
    let Ok(Request::Create(create)) = Request::decode(Op::Create, &out[12..]) else { panic!() };
    assert_eq!((create.path, create.flags, create.acl.len()), (Some(&b"/a/b/p007"[..]), 0, 1));
    out.clear();
    put_connect(&mut out);
    put_close(&mut out, 3);
    assert_eq!(out.len(), 4 + 45 + 4 + 8);
}

#[test]
fn keys_stay_in_their_parents() {
    let keys = Keys::new("/bench");
    assert_eq!(keys.node(0), b"/bench/p000/n0000000");
    assert_eq!(keys.node(1_299_999), b"/bench/p299/n1299999");
    assert_eq!(keys.roots(), [b"/bench"]);
    assert_eq!(Keys::new("/a/bc").roots(), [&b"/a"[..], b"/a/bc"]);
    assert_eq!(Keys::new("").roots(), [b""; 0]);
    for nodes in [1, 999, 1_000, 1_001, 1_300_000] {
        let parents: Vec<_> = (0..Keys::parents(nodes)).map(|p| keys.parent(p)).collect();
        assert!(parents.iter().any(|parent| keys.node(nodes - 1).starts_with(parent)));
    }
    let mut name = *b"00000000";
    keys.write_number(12_345_678, &mut name);
    assert_eq!(&name, b"12345678");
}

#[test]
fn draws_reach_everything() {
    let mut draws = Draws::new();
    let mut counts = [0; 10];
    for _ in 0..10_000 {
        counts[draws.below(10) as usize] += 1;
    }
    assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
}

#[test]
fn replies_are_cut_wherever_they_are_torn() {
    let mut bytes = Vec::new();
    put_reply(&mut bytes, 1, Zxid(1), ErrorCode::Ok, b"some data");
    put_reply(&mut bytes, 2, Zxid(1), ErrorCode::NoNode, b"");
    put_reply(&mut bytes, 3, Zxid(1), ErrorCode::Ok, b"x");
    let expected = [(1, 0, 25), (2, -101, 16), (3, 0, 17)].map(|(xid, error, length)| Reply {
        xid,
        error,
        length,
    });
    for first in 0..=bytes.len() {
        for second in first..=bytes.len() {
            let mut replies = Replies::default();
            let mut found = Vec::new();
            for mut piece in [&bytes[..first], &bytes[first..second], &bytes[second..]] {
                while let Some(reply) = replies.next(&mut piece).unwrap() {
                    found.push(reply);
                }
                assert!(piece.is_empty());
            }
            assert_eq!(found, expected, "torn at {first} and {second}");
        }
    }
}

#[test]
fn tallies_count_wholes_and_parts() {
    let mut tally = Tally::new(&["a", "b"], "", 0);
    tally.record(Class(0), 1_000, 3);
    tally.record(Class(1), 2_000, 2);
    assert_eq!(tally.ops(), 5);
    tally.tick(1_000_000_000);
    tally.record(Class(1), 2_000, 1);
    let tally = tally.in_parts(1).excusing(ErrorCode::NodeExists);
    assert_eq!((tally.ops(), tally.surprise()), (3, None));
    let mut tally = tally;
    tally.record_error(-110);
    assert_eq!(tally.surprise(), None);
    tally.record_error(-101);
    tally.record_error(-101);
    assert_eq!(tally.surprise().unwrap().to_string(), "NoNode (-101)");
    assert_eq!(tally.errors(), [(-110, 1), (-101, 2)]);
}

#[test]
fn numbers_are_read_and_written() {
    assert_eq!(thousands(1_234_567), "1,234,567");
    assert_eq!(thousands(12), "12");
    assert_eq!((micros(1_550), micros(1_234_000)), ("1.6".into(), "1,234".into()));
    let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 100 23 0 0";
    assert_eq!(process::cpu_ticks(stat), 123);
    assert_eq!(process::field("VmHWM:\t  9 kB\nVmRSS:\t 12 kB\n", "VmRSS:"), 12);
    let machine = process::MachineTime::parse("cpu  100 1 50 900 30 2 3 4 77 0\ncpu0 1");
    assert_eq!(machine.busy_us * 1_090, machine.total_us * 160);
    assert_eq!(process::MachineTime::parse(""), process::MachineTime::default());
    assert_eq!(process::field("x", "VmRSS:"), 0);
    let table = "  sl  local_address rem_address   st tx rx tr tm->when retrnsmt uid inode\n\
                 0: 0100007F:0885 00000000:0000 01 0:0 00:0 0 0 0 11 1\n\
                 1: 0100007F:0885 00000000:0000 0A 0:0 00:0 0 0 0 12 1\n";
    assert_eq!(process::listener_inode(table, 2181), Some(12));
    assert_eq!(process::listener_inode(table, 2182), None);
}
