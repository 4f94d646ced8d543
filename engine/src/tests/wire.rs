//! Requests as bytes, and replies as text.

use crate::acl::scheme::{DigestAlgorithm, digest_id};
use model::acl::AclEntry;
use model::jute::{self, JuteReader};
use model::op::Op;
use model::response;

/// The base of session ids on a server that starts at the time 0.
pub(crate) const SESSION_BASE: i64 = 1 << 56;

/// An ACL as text: `perms scheme:id` joined by `,`, with perms of `rwcda`; `open` for everyone.
pub(crate) fn put_acl(out: &mut Vec<u8>, text: &str) {
    let text = if text == "open" { "rwcda:world:anyone" } else { text };
    let entries: Vec<_> = text.split(',').filter(|entry| !entry.is_empty()).collect();
    jute::put_length(out, entries.len());
    for entry in entries {
        let mut parts = entry.splitn(3, ':');
        let (perms, scheme) = (parts.next().unwrap(), parts.next().unwrap());
        let mut id = parts.next().unwrap().as_bytes().to_vec();
        if scheme == "password" {
            id = digest_id(&id, DigestAlgorithm::Sha1);
        }
        let scheme = if scheme == "password" { "digest" } else { scheme };
        let bits = "rwcda".chars().zip([1, 2, 4, 8, 16]);
        let perms = bits.filter(|(c, _)| perms.contains(*c)).map(|(_, bit)| bit).sum();
        AclEntry { perms, scheme: Some(scheme.as_bytes()), id: Some(&id) }.encode(out);
    }
}

/// Data as text: `null` is null, `*N` is N bytes.
pub(crate) fn put_data(out: &mut Vec<u8>, text: &str) {
    match text.strip_prefix('*') {
        Some(count) => jute::put_string(out, &vec![b'x'; count.parse().unwrap()]),
        None if text == "null" => jute::put_buffer(out, None),
        None => jute::put_string(out, text.trim_matches('"').as_bytes()),
    }
}

/// The value of `key=value` among the words.
fn named<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(key))
}

/// The body of a request written as words.
pub(crate) fn request(words: &[&str]) -> (Op, Vec<u8>) {
    let mut out = Vec::new();
    let word = |at: usize| words.get(at).copied();
    let number = |at: usize| word(at).map_or(-1, |word| word.parse::<i32>().unwrap());
    let op = match words[0] {
        "multi" | "mread" => return multi(words),
        "setwatches" => return set_watches(words),
        "auth" => {
            jute::put_int(&mut out, 0);
            Op::Auth
        }
        "create1" => Op::Create,
        "create" if named(words, "ttl=").is_some() => Op::CreateTtl,
        "create" if named(words, "flags=") == Some("4") => Op::CreateContainer,
        "create" => Op::Create2,
        "get" => Op::GetData,
        "exists" => Op::Exists,
        "ls" => Op::GetChildren,
        "ls2" => Op::GetChildren2,
        "set" => Op::SetData,
        "setacl" => Op::SetAcl,
        "delete" => Op::Delete,
        "check" => Op::Check,
        "addwatch" => Op::AddWatch,
        "checkwatches" => Op::CheckWatches,
        "removewatches" => Op::RemoveWatches,
        "sync" => Op::Sync,
        "getacl" => Op::GetAcl,
        "count" => Op::GetAllChildrenNumber,
        "ephemerals" => Op::GetEphemerals,
        "reap" => Op::DeleteContainer,
        "ping" => return (Op::Ping, out),
        "whoami" => return (Op::WhoAmI, out),
        "close" => return (Op::CloseSession, out),
        other => panic!("no request {other}"),
    };
    jute::put_string(&mut out, word(1).unwrap().as_bytes());
    match op {
        Op::Auth => jute::put_string(&mut out, word(2).unwrap().as_bytes()),
        Op::Create | Op::Create2 | Op::CreateContainer | Op::CreateTtl => {
            put_data(&mut out, word(2).unwrap());
            put_acl(&mut out, named(words, "acl=").unwrap_or("open"));
            jute::put_int(&mut out, named(words, "flags=").map_or(0, |f| f.parse().unwrap()));
            if let Some(ttl) = named(words, "ttl=") {
                jute::put_long(&mut out, ttl.parse().unwrap());
            }
        }
        Op::GetData | Op::Exists | Op::GetChildren | Op::GetChildren2 => {
            jute::put_bool(&mut out, word(2) == Some("watch"));
        }
        Op::SetData => {
            put_data(&mut out, word(2).unwrap());
            jute::put_int(&mut out, number(3));
        }
        Op::SetAcl => {
            put_acl(&mut out, word(2).unwrap());
            jute::put_int(&mut out, number(3));
        }
        Op::Delete | Op::Check | Op::AddWatch | Op::CheckWatches | Op::RemoveWatches => {
            jute::put_int(&mut out, number(2));
        }
        _ => (),
    }
    (op, out)
}

fn multi(words: &[&str]) -> (Op, Vec<u8>) {
    let mut out = Vec::new();
    for part in words[1..].split(|word| *word == "|").filter(|part| !part.is_empty()) {
        let (op, body) = request(part);
        response::put_multi_header(&mut out, op.code(), false, -1);
        out.extend_from_slice(&body);
    }
    response::put_multi_end(&mut out);
    (if words[0] == "multi" { Op::Multi } else { Op::MultiRead }, out)
}

fn set_watches(words: &[&str]) -> (Op, Vec<u8>) {
    let mut out = Vec::new();
    jute::put_long(&mut out, words[1].parse().unwrap());
    for key in ["data=", "exist=", "child=", "persistent=", "recursive="] {
        let paths: Vec<_> = named(words, key).into_iter().flat_map(|p| p.split(',')).collect();
        jute::put_length(&mut out, paths.len());
        for path in paths {
            jute::put_string(&mut out, path.as_bytes());
        }
    }
    (Op::SetWatches2, out)
}

fn text(reader: &mut JuteReader<'_>) -> String {
    match reader.buffer().unwrap() {
        None => "null".to_owned(),
        Some(bytes) if bytes.len() > 60 => format!("{} bytes", bytes.len()),
        Some(bytes) => format!("\"{}\"", String::from_utf8_lossy(bytes)),
    }
}

/// A session by its number among those of this server.
pub(crate) fn session(id: i64) -> String {
    if id < SESSION_BASE { format!("{id}") } else { format!("s{}", id - SESSION_BASE + 1) }
}

fn stat(reader: &mut JuteReader<'_>) -> String {
    let (czxid, mzxid) = (reader.long().unwrap(), reader.long().unwrap());
    let (ctime, mtime) = (reader.long().unwrap(), reader.long().unwrap());
    let versions = [(); 3].map(|()| reader.int().unwrap());
    let owner = session(reader.long().unwrap());
    let (length, children) = (reader.int().unwrap(), reader.int().unwrap());
    let pzxid = reader.long().unwrap();
    format!(
        "zxids {czxid} {mzxid} {pzxid} times {ctime} {mtime} versions {} {} {} owner {owner} \
         length {length} children {children}",
        versions[0], versions[1], versions[2],
    )
}

fn vector(
    reader: &mut JuteReader<'_>,
    mut each: impl FnMut(&mut JuteReader<'_>) -> String,
) -> String {
    let count = reader.count().unwrap().unwrap();
    let mut all: Vec<_> = (0..count).map(|_| each(reader)).collect();
    all.sort();
    if all.len() > 20 { format!("[{} of them]", all.len()) } else { format!("[{}]", all.join(" ")) }
}

/// The body of a successful reply.
pub(crate) fn body(op: Op, reader: &mut JuteReader<'_>) -> String {
    match op {
        Op::Create | Op::Sync => text(reader),
        Op::Create2 | Op::CreateContainer | Op::CreateTtl | Op::GetData => {
            format!("{} {}", text(reader), stat(reader))
        }
        Op::SetData | Op::SetAcl | Op::Exists => stat(reader),
        Op::GetChildren | Op::GetEphemerals => vector(reader, text),
        Op::GetChildren2 => format!("{} {}", vector(reader, text), stat(reader)),
        Op::GetAcl => {
            let list = vector(reader, |r| format!("{}:{}:{}", r.int().unwrap(), text(r), text(r)));
            format!("{list} {}", stat(reader))
        }
        Op::WhoAmI => vector(reader, |r| format!("{}:{}", text(r), text(r))),
        Op::GetAllChildrenNumber | Op::AddWatch => reader.int().unwrap().to_string(),
        Op::Multi | Op::MultiRead => results(reader),
        _ => String::new(),
    }
}

fn results(reader: &mut JuteReader<'_>) -> String {
    let mut parts = Vec::new();
    loop {
        let (op, done) = (reader.int().unwrap(), reader.bool().unwrap());
        let error = reader.int().unwrap();
        if done {
            assert_eq!((op, error), (-1, -1));
            return parts.join(" | ");
        }
        if op == -1 {
            assert_eq!(reader.int().unwrap(), error);
            parts.push(format!("error {error}"));
        } else {
            assert_eq!(error, 0);
            let op = Op::of(op).unwrap();
            parts.push(format!("{} {}", op.short_name(), body(op, reader)).trim_end().to_owned());
        }
    }
}
