use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use clap::Parser;
use model::error::ErrorCode;
use model::jute::JuteReader;
use model::op::Op;
use model::request::ConnectRequest;
use model::response::{ConnectResponse, put_reply};
use model::session::{SessionId, password};
use model::zxid::Zxid;

use super::tally::{Class, Tally, micros, thousands};
use super::wire::{ReplyCutter, ReplyHead, SessionKey, put_close, put_connect};
use super::{BenchArgs, BenchError, IncidentKind, process};

/// What a test's server does with a request, given the number of earlier ones.
pub(super) type Behaviour = fn(u32, i32, Op, &mut Vec<u8>) -> bool;

/// A minimal server: one thread per connection, no tree.
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
        read_only: Some(false),
    };
    let mut out = Vec::new();
    frame(&mut stream)?;
    response.encode(&mut out);
    for count in 0.. {
        stream.write_all(&out).ok()?;
        out.clear();
        let request = frame(&mut stream)?;
        let mut reader = JuteReader::new(&request);
        let (xid, op) = (reader.int().ok()?, Op::of(reader.int().ok()?)?);
        if !behaviour(count, xid, op, &mut out) {
            // Closing with unread requests would reset the connection instead of ending it.
            stream.shutdown(Shutdown::Write).ok()?;
            io::copy(&mut stream, &mut io::sink()).ok()?;
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
    super::run(args, &mut Vec::new(), |_| ())
}

/// The words of a command line.
#[derive(Parser)]
#[command(args_override_self = true)]
pub(super) struct Words {
    #[command(flatten)]
    pub(super) args: BenchArgs,
}

pub(super) fn args(address: SocketAddr, words: &str) -> BenchArgs {
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
fn watchers_are_notified() {
    fn behaviour(_: u32, xid: i32, op: Op, out: &mut Vec<u8>) -> bool {
        // Each connection is notified of its own set only; there is one, so all are notified.
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
fn wrong_answers_are_reported() {
    let outcome = run(&args(serve(other_xid), "")).unwrap_err();
    let is_next = matches!(outcome, BenchError::Xid { expected, found } if found == expected + 1);
    assert!(is_next, "{outcome:?}");
    let outcome = run(&args(serve(too_short), "--seconds 9")).unwrap_err();
    let is_wrong = matches!(outcome, BenchError::Incidents { kind: IncidentKind::Wrong, .. });
    assert!(is_wrong, "{outcome:?}");
    let outcome = run(&args(serve(no_length), "")).unwrap_err();
    assert!(matches!(outcome, BenchError::FrameLength { length: -1 }), "{outcome:?}");
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
fn errors_are_reported() {
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
fn a_server_that_dies_is_reported() {
    let outcome = run(&args(serve(|count, xid, op, out| count < 9 && well(0, xid, op, out)), ""));
    assert!(
        matches!(outcome, Err(BenchError::Closed { .. } | BenchError::Broken(_))),
        "{outcome:?}"
    );
}

#[test]
fn a_server_that_is_absent_is_reported() {
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
fn sessions_are_requested_and_granted() {
    let mut out = Vec::new();
    let session = SessionKey { id: 7, password: password(SessionId(7)).to_vec() };
    put_connect(&mut out, 9, 30_000, &session);
    let request = ConnectRequest::decode(&out[4..]).unwrap();
    assert_eq!((request.session_id, request.password), (7, &session.password[..]));
    assert_eq!((request.last_zxid_seen, request.timeout_ms), (9, 30_000));
    let grant = |timeout_ms| {
        let mut out = Vec::new();
        let (session_id, password) = (SessionId(7), password(SessionId(7)));
        ConnectResponse { timeout_ms, session_id, password, read_only: Some(false) }
            .encode(&mut out);
        SessionKey::parse_grant(&out[4..])
    };
    assert_eq!(grant(1), Ok(Some(session)));
    assert_eq!(grant(0), Ok(None));
    assert!(SessionKey::parse_grant(&[0; 19]).is_err());
    out.clear();
    put_close(&mut out, 3);
    assert_eq!(out, [0, 0, 0, 8, 0, 0, 0, 3, 0xff, 0xff, 0xff, 0xf5]);
}

#[test]
fn replies_are_cut_wherever_they_are_torn() {
    let mut bytes = Vec::new();
    put_reply(&mut bytes, 1, Zxid(1), ErrorCode::Ok, b"some data");
    put_reply(&mut bytes, 2, Zxid(1), ErrorCode::NoNode, b"");
    put_reply(&mut bytes, 3, Zxid(1), ErrorCode::Ok, b"x");
    let expected = [(1, 0, 25), (2, -101, 16), (3, 0, 17)].map(|(xid, error, length)| ReplyHead {
        xid,
        error,
        length,
    });
    for first in 0..=bytes.len() {
        for second in first..=bytes.len() {
            let mut replies = ReplyCutter::default();
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
    let mut tally = Tally::new(&["a", "b"], 0);
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

/// The clock of a run ends a little before the last second does.
#[test]
fn the_last_second_is_one_of_the_seconds() {
    let ended = |end_ns| {
        let mut tally = Tally::new(&["a"], 0).saying("x", |_| {});
        tally.record(Class(0), 1_000, 3);
        tally.tick(1_000_100_000);
        tally.record(Class(0), 1_000, 2);
        tally.tick(end_ns);
        tally.end(end_ns);
        tally.tick(9_000_000_000);
        tally.seconds().iter().map(|it| it.count).collect::<Vec<_>>()
    };
    assert_eq!(ended(2_000_000_000), [3, 2]);
    assert_eq!(ended(2_000_200_000), [3, 2]);
    assert_eq!(ended(1_300_000_000), [3], "too short to show a rate");
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
