use model::jute::JuteReader;
use model::op::Op;
use model::request::Request;

use super::driver::Requests;
use super::keyspace::Keyspace;
use super::requests::Random;
use crate::tests::args;
use crate::wire::Template;

#[test]
fn templates_hold_any_node() {
    let keyspace = Keyspace::new("/a/b");
    let mut out = Vec::new();
    let template = Template::set(&keyspace.node(0), b"xyz");
    template.put(&mut out, 9, |path| keyspace.write_node(1_234_567, path));
    assert_eq!(out.len() - 4, u32::from_be_bytes(*out.first_chunk().unwrap()) as usize);
    let mut reader = JuteReader::new(&out[4..]);
    assert_eq!((reader.int(), reader.int()), (Ok(9), Ok(Op::SetData.code())));
    let request = Request::decode(Op::SetData, reader.rest()).unwrap();
    let path = b"/a/b/p234/n1234567";
    assert_eq!(request, Request::SetData { path, data: Some(b"xyz"), version: -1 });

    out.clear();
    Template::create(&keyspace.parent(7), b"").put(&mut out, 1, |_| ());
    let Ok(Request::Create(create)) = Request::decode(Op::Create, &out[12..]) else { panic!() };
    assert_eq!((create.path, create.flags, create.acl.len()), (Some(&b"/a/b/p007"[..]), 0, 1));
}

#[test]
fn nodes_stay_in_their_parents() {
    let keyspace = Keyspace::new("/bench");
    assert_eq!(keyspace.node(0), b"/bench/p000/n0000000");
    assert_eq!(keyspace.node(1_299_999), b"/bench/p299/n1299999");
    for nodes in [1, 999, 1_000, 1_001, 1_300_000] {
        let parents: Vec<_> = (0..Keyspace::parents(nodes)).map(|p| keyspace.parent(p)).collect();
        assert!(parents.iter().any(|parent| keyspace.node(nodes - 1).starts_with(parent)));
    }
    let mut name = *b"00000000";
    keyspace.write_number(12_345_678, &mut name);
    assert_eq!(&name, b"12345678");
}

/// The path and the op of so many requests drawn at random.
fn drawn(words: &str, count: usize) -> Vec<(Op, Vec<u8>)> {
    let args = args(([127, 0, 0, 1], 1).into(), words);
    let keyspace = Keyspace::new(args.root());
    let mut requests = Random::new(&keyspace, &args);
    let request = |_| {
        let mut out = Vec::new();
        requests.next(0, 1, &mut out).expect("they never end");
        let mut reader = JuteReader::new(&out[8..]);
        let op = Op::of(reader.int().unwrap()).unwrap();
        (op, reader.text().unwrap().to_vec())
    };
    (0..count).map(request).collect()
}

#[test]
fn draws_reach_every_node_about_as_often() {
    let paths = drawn("--op get --nodes 10", 10_000);
    let keyspace = Keyspace::new("/bench");
    for node in 0..10 {
        let count = paths.iter().filter(|(_, path)| *path == keyspace.node(node)).count();
        assert!((800..1_200).contains(&count), "node {node}: {count}");
    }
}

#[test]
fn mixes_have_the_share_of_writes_and_every_run_the_same_requests() {
    let words = "--op mixed --write-percent 30 --nodes 100";
    let requests = drawn(words, 10_000);
    let count = requests.iter().filter(|(op, _)| *op == Op::SetData).count();
    assert!((2_700..3_300).contains(&count), "{count}");
    assert_eq!(requests, drawn(words, 10_000));
}
