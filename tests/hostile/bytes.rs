//! Requests of every kind as bytes, and how a hostile client mutates them, from a seed.
//!
//! Shares no code with the server and needs only the standard library: the engine's tests include
//! this file as well.

/// Random numbers from a seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// True with a chance of one in this many.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// A random element.
    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// This many random bytes.
    pub(crate) fn noise(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

const OPS: &[i32] = &[
    1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 100, 101, 102, 103,
    104, 105, 106, 107, -11,
];
/// Numbers at the edges of ranges.
const INTS: &[i32] = &[
    0,
    1,
    -1,
    -2,
    2,
    4,
    7,
    8,
    16,
    31,
    127,
    128,
    255,
    256,
    4_095,
    65_535,
    1 << 20,
    1 << 24,
    1 << 28,
    i32::MAX,
    i32::MAX - 1,
    i32::MIN,
    i32::MIN + 1,
];
const LONGS: &[i64] = &[0, 1, -1, 1 << 32, 1 << 40, (1 << 40) - 1, i64::MAX, i64::MIN];
const PATHS: &[&str] = &[
    "/",
    "/a",
    "/b",
    "/a/a",
    "/a/b",
    "/a/a/a",
    "/c/d/e",
    "/e",
    "/zookeeper",
    "/zookeeper/quota",
    "/zookeeper/quota/a/zookeeper_limits",
    "/zookeeper/config",
    "",
    "a",
    "//",
    "/a/",
    "/a//b",
    "/.",
    "/a/../b",
    "/a\u{0}b",
    "/a\u{1f}",
    "/\u{e000}",
    "/\u{fffd}",
    "/n-",
    "/a/n-",
];
const SCHEMES: &[&str] = &["world", "auth", "digest", "ip", "x509", "super", "sasl", "", "nobody"];
const IDS: &[&str] = &[
    "anyone",
    "",
    "a:b",
    "super:secret",
    "127.0.0.1",
    "10.0.0.0/8",
    "::1",
    "fe80::/200",
    "1.2.3.4/",
    "a:b:c",
    ":",
    "256.1.1.1/99",
];

pub(crate) fn put_int(out: &mut Vec<u8>, value: i32) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn put_long(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn put_buffer(out: &mut Vec<u8>, bytes: &[u8]) {
    put_int(out, bytes.len() as i32);
    out.extend_from_slice(bytes);
}

/// A path: mostly an existing one, sometimes an invalid one, occasionally one as long as a request
/// may be.
pub(crate) fn path(dice: &mut Dice) -> Vec<u8> {
    match dice.below(200) {
        0 => {
            let mut path = vec![b'/'];
            let length = dice.of(&[5_000, 65_536, 1_048_000]);
            path.resize(length, b'p');
            path
        }
        1 => b"/d".repeat(dice.below(2_000) + 1),
        2 => [b"/".to_vec(), dice.noise(9)].concat(),
        3 => [&b"/\xff\xfe\xc0\x80"[..], &b"/\xed\xa0\x80"[..]][dice.below(2)].to_vec(),
        4..40 => dice.of(PATHS).as_bytes().to_vec(),
        _ => dice.of(&PATHS[..8]).as_bytes().to_vec(),
    }
}

fn put_path(out: &mut Vec<u8>, dice: &mut Dice) {
    put_buffer(out, &path(dice));
}

fn put_data(out: &mut Vec<u8>, dice: &mut Dice) {
    match dice.below(60) {
        0 => put_int(out, -1),
        1 => put_buffer(out, &vec![b'd'; dice.of(&[1_000, 1_025, 100_000])]),
        2 => put_buffer(out, b"count=3,bytes=100"),
        _ => {
            let count = dice.below(20);
            put_buffer(out, &dice.noise(count));
        }
    }
}

fn put_acls(out: &mut Vec<u8>, dice: &mut Dice) {
    let count = if dice.once_in(100) { 2_000 } else { dice.below(4) };
    if !dice.once_in(3) {
        put_int(out, 1);
        put_int(out, 31);
        put_buffer(out, b"world");
        return put_buffer(out, b"anyone");
    }
    put_int(out, count as i32);
    for _ in 0..count {
        put_int(out, dice.below(40) as i32);
        put_buffer(out, dice.of(SCHEMES).as_bytes());
        put_buffer(out, dice.of(IDS).as_bytes());
    }
}

fn version(dice: &mut Dice) -> i32 {
    if dice.once_in(4) { dice.of(INTS) } else { -1 }
}

fn put_paths(out: &mut Vec<u8>, dice: &mut Dice) {
    let count = if dice.once_in(50) { 3_000 } else { dice.below(4) };
    put_int(out, count as i32);
    for _ in 0..count {
        if count > 100 {
            put_buffer(out, b"/none");
        } else {
            put_path(out, dice);
        }
    }
}

/// A well-formed body of an operation.
fn put_body(out: &mut Vec<u8>, op: i32, dice: &mut Dice) {
    match op {
        1 | 15 | 19 | 21 => {
            put_path(out, dice);
            put_data(out, dice);
            put_acls(out, dice);
            let flags = match op {
                19 => 4,
                21 => dice.of(&[5, 6]),
                _ => dice.below(4) as i32,
            };
            put_int(out, if dice.once_in(20) { dice.of(INTS) } else { flags });
            if op == 21 {
                put_long(out, if dice.once_in(4) { dice.of(LONGS) } else { 1_000 });
            }
        }
        2 | 13 => {
            put_path(out, dice);
            put_int(out, version(dice));
        }
        3 | 4 | 8 | 12 => {
            put_path(out, dice);
            out.push(dice.below(2) as u8);
        }
        5 => {
            put_path(out, dice);
            put_data(out, dice);
            put_int(out, version(dice));
        }
        6 | 9 | 20 | 103 | 104 => put_path(out, dice),
        7 => {
            put_path(out, dice);
            put_acls(out, dice);
            put_int(out, version(dice));
        }
        14 | 22 => put_multi(out, op, dice),
        16 => {
            for _ in 0..3 {
                put_path(out, dice);
            }
            put_long(out, dice.of(LONGS));
        }
        17 | 18 | 106 => {
            put_path(out, dice);
            let kind = dice.below(6) as i32;
            put_int(out, if dice.once_in(10) { dice.of(INTS) } else { kind });
        }
        100 => {
            put_int(out, 0);
            put_buffer(out, dice.of(SCHEMES).as_bytes());
            put_buffer(out, dice.of(IDS).as_bytes());
        }
        101 | 105 => {
            put_long(out, dice.of(LONGS));
            for _ in 0..if op == 101 { 3 } else { 5 } {
                put_paths(out, dice);
            }
        }
        102 => put_data(out, dice),
        _ => (),
    }
}

fn put_multi(out: &mut Vec<u8>, op: i32, dice: &mut Dice) {
    let count = if dice.once_in(100) { 2_000 } else { dice.below(6) };
    for _ in 0..count {
        let part = if op == 22 { dice.of(&[4, 8]) } else { dice.of(&[1, 2, 5, 13, 15, 19, 21]) };
        let part = if dice.once_in(60) { dice.of(OPS) } else { part };
        put_int(out, part);
        out.push(0);
        put_int(out, -1);
        if part != 14 && part != 22 {
            put_body(out, part, dice);
        }
    }
    put_int(out, -1);
    out.push(1);
    put_int(out, -1);
}

/// A request, header and body, that is well formed.
pub(crate) fn request(dice: &mut Dice, xid: i32) -> Vec<u8> {
    let op = dice.of(OPS);
    // Sessions and connections end often enough in other ways.
    let op = if op == -11 && !dice.once_in(10) { 4 } else { op };
    request_of(dice, xid, op)
}

/// A request of that kind.
pub(crate) fn request_of(dice: &mut Dice, xid: i32, op: i32) -> Vec<u8> {
    let mut out = Vec::new();
    put_int(&mut out, xid);
    put_int(&mut out, op);
    put_body(&mut out, op, dice);
    out.truncate(1_048_575);
    out
}

/// A connect request for a session: 0 for a new one.
pub(crate) fn connect(timeout_ms: i32, session: i64, password: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_int(&mut out, 0);
    put_long(&mut out, 0);
    put_int(&mut out, timeout_ms);
    put_long(&mut out, session);
    put_buffer(&mut out, password);
    out.push(0);
    out
}

/// Applies one to four mutations to a packet.
pub(crate) fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    for _ in 0..=dice.below(4) {
        mutate_once(dice, bytes);
    }
}

fn mutate_once(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let length = bytes.len();
    if length == 0 {
        let count = dice.below(40);
        return *bytes = dice.noise(count);
    }
    let at = dice.below(length);
    match dice.below(12) {
        0 | 1 => bytes[at] ^= 1 << dice.below(8),
        2 => bytes[at] = dice.next() as u8,
        3..=5 => {
            // A length is where four bytes read as a small number.
            let start = (0..length.saturating_sub(3)).find(|i| {
                let word = [bytes[*i], bytes[i + 1], bytes[i + 2]];
                *i >= at.saturating_sub(30) && word == [0, 0, 0]
            });
            let start = start.unwrap_or(at).min(length.saturating_sub(4));
            let value = dice.of(INTS).to_be_bytes();
            let end = (start + 4).min(length);
            bytes[start..end].copy_from_slice(&value[..end - start]);
        }
        6 => bytes.truncate(at),
        7 => {
            let count = dice.of(&[1, 3, 4, 17, 300]);
            bytes.extend(dice.noise(count));
        }
        8 => {
            let end = (at + dice.below(64)).min(length);
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        9 => {
            let end = (at + dice.below(16)).min(length);
            bytes.drain(at..end);
        }
        10 => {
            bytes.splice(at..at, *b"\xff\xc0\x80\xf8\x88");
        }
        _ => bytes[at..(at + 8).min(length)].fill(dice.of(&[0, 0xff, 0x7f, 0x80])),
    }
}
