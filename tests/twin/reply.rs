//! What a server sent, as text that is the same for two servers that behave the same.
//!
//! Ids of sessions are replaced by their order of appearance, times by the zxid they belong to (a
//! node's ctime to its czxid, its mtime to its mzxid), so a time that is not its txn's own is
//! visible. Lists of names, whose order the protocol leaves open, are sorted. Everything else is
//! exact; bytes that cannot be decoded, or are surplus, are shown verbatim.
//!
//! The zxids of an ensemble are shown as the epoch's place among those seen and the exact counter:
//! how many elections fail, and take an epoch each, depends on timing.

use std::collections::HashMap;
use std::fmt::Write as _;

use harness::opcode;

/// One server's names for what is named at random. Lives as long as its data.
#[derive(Debug, Default)]
pub(super) struct Names {
    sessions: HashMap<i64, usize>,
    times: HashMap<i64, i64>,
    /// Those of an ensemble, in order of appearance.
    epochs: Option<Vec<i64>>,
}

impl Names {
    /// A session's name, assigned at first sight.
    pub(super) fn session(&mut self, id: i64) -> usize {
        let next = self.sessions.len();
        *self.sessions.entry(id).or_insert(next)
    }

    /// From now on zxids are shown by epoch and counter.
    pub(super) fn count_epochs(&mut self) {
        self.epochs = Some(vec![0]);
    }

    pub(super) fn zxid(&mut self, zxid: i64) -> String {
        let Some(epochs) = &mut self.epochs else { return format!("{zxid:x}") };
        let epoch = zxid >> 32;
        let place = epochs.iter().position(|known| *known == epoch).unwrap_or_else(|| {
            epochs.push(epoch);
            epochs.len() - 1
        });
        format!("{place}:{:x}", zxid & 0xffff_ffff)
    }

    /// The text of an ensemble's configuration, with ports that are random, and the version, which
    /// is a zxid.
    fn configuration(&mut self, text: String) -> String {
        if !text.contains(":participant") {
            return text;
        }
        let mut shown = String::new();
        for (i, word) in text.split(':').enumerate() {
            let digits = word.bytes().take_while(u8::is_ascii_digit).count();
            let separator = if i == 0 { "" } else { ":" };
            let port = if digits == 5 { "port" } else { &word[..digits] };
            write!(shown, "{separator}{port}{}", &word[digits..]).expect("a string takes all");
        }
        let Some((front, version)) = shown.split_once("version=") else { return shown };
        let digits = version.trim_end_matches('"');
        match i64::from_str_radix(digits, 16) {
            Ok(zxid) => format!("{front}version={}\"", self.zxid(zxid)),
            Err(_) => shown,
        }
    }

    fn owner(&self, id: i64) -> String {
        self.sessions.get(&id).map_or_else(|| format!("{id:#x}"), |name| format!("session {name}"))
    }

    fn time(&mut self, zxid: i64, time: i64) -> String {
        // Each server of an ensemble writes the configuration at its own time.
        if self.epochs.is_some() && zxid.trailing_zeros() >= 32 {
            return "own".to_owned();
        }
        match *self.times.entry(zxid).or_insert(time) {
            known if known == time => "ok".to_owned(),
            known => format!("{:+} ms from its txn", time - known),
        }
    }
}

/// Bytes to decode, from front to back; `None` if they end too early or are invalid.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    fn boolean(&mut self) -> Option<bool> {
        match self.take(1)?[0] {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn int(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn long(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    fn buffer(&mut self) -> Option<String> {
        match self.int()? {
            -1 => Some("null".to_owned()),
            count => {
                let bytes = self.take(usize::try_from(count).ok()?)?;
                if bytes.len() > 200 {
                    let sum =
                        bytes.iter().fold(7_u64, |sum, b| sum.wrapping_mul(31) + u64::from(*b));
                    return Some(format!("{} bytes, sum {sum:x}", bytes.len()));
                }
                Some(format!("\"{}\"", bytes.escape_ascii()))
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        let count = usize::try_from(self.int()?).ok()?;
        let bytes = self.take(count)?;
        String::from_utf8(bytes.to_vec()).ok().or_else(|| of_halves(bytes))
    }

    fn list<T>(&mut self, mut element: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = usize::try_from(self.int()?).ok()?;
        (0..count).map(|_| element(self)).collect()
    }

    fn sorted(&mut self) -> Option<String> {
        let mut names = self.list(Self::string)?;
        names.sort();
        Some(format!("{names:?}"))
    }

    fn acls(&mut self) -> Option<String> {
        let entries = self.list(|b| {
            let permissions = b.int()?;
            Some(format!("{permissions:#x} {}:{}", b.string()?, b.string()?))
        })?;
        Some(format!("{entries:?}"))
    }

    fn stat(&mut self, names: &mut Names) -> Option<String> {
        let (czxid, mzxid, ctime, mtime) = (self.long()?, self.long()?, self.long()?, self.long()?);
        let (version, cversion, aversion) = (self.int()?, self.int()?, self.int()?);
        let owner = self.long()?;
        let (length, children, pzxid) = (self.int()?, self.int()?, self.long()?);
        Some(format!(
            "{{czxid {} mzxid {} pzxid {} ctime {} mtime {} versions \
             {version} {cversion} {aversion} owner {} length {length} children {children}}}",
            names.zxid(czxid),
            names.zxid(mzxid),
            names.zxid(pzxid),
            names.time(czxid, ctime),
            names.time(mzxid, mtime),
            names.owner(owner),
        ))
    }
}

/// A frame received on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) is_event: bool,
    pub(super) err: i32,
    pub(super) zxid: i64,
    pub(super) text: String,
}

impl Frame {
    /// Decodes a frame; `kind` is that of the oldest request without an answer.
    pub(super) fn decode(bytes: &[u8], kind: Option<i32>, names: &mut Names) -> Self {
        let mut b = Bytes(bytes);
        let Some((xid, zxid, err)) = (|| Some((b.int()?, b.long()?, b.int()?)))() else {
            let text = format!("a frame of {} bytes: {bytes:x?}", bytes.len());
            return Self { is_event: false, err: 0, zxid: 0, text };
        };
        let is_event = xid == -1;
        let body = b.0;
        let decoded = if is_event {
            event(&mut b)
        } else if err != 0 && !matches!(kind, Some(opcode::MULTI | opcode::MULTI_READ)) {
            Some("error".to_owned())
        } else if b.0.is_empty() {
            Some("empty".to_owned())
        } else {
            kind.and_then(|kind| reply(kind, &mut b, names))
        };
        let mut text = format!("xid {xid} zxid {} err {err}: ", names.zxid(zxid));
        match decoded {
            Some(decoded) => {
                text += &decoded;
                if !b.0.is_empty() {
                    write!(text, " and {:x?}", b.0).expect("a string takes all");
                }
            }
            None => write!(text, "undecodable {body:x?}").expect("a string takes all"),
        }
        Self { is_event, err, zxid, text }
    }
}

fn event(b: &mut Bytes<'_>) -> Option<String> {
    let (kind, state) = (b.int()?, b.int()?);
    Some(format!("event kind {kind} state {state} {}", b.string()?))
}

fn reply(kind: i32, b: &mut Bytes<'_>, names: &mut Names) -> Option<String> {
    Some(match kind {
        opcode::CREATE | opcode::SYNC => b.string()?,
        opcode::CREATE2 | opcode::CREATE_CONTAINER | opcode::CREATE_TTL => {
            format!("{} {}", b.string()?, b.stat(names)?)
        }
        opcode::EXISTS | opcode::SET_DATA | opcode::SET_ACL => b.stat(names)?,
        opcode::GET_DATA => {
            format!("{} {}", names.configuration(b.buffer()?), b.stat(names)?)
        }
        opcode::GET_ACL => format!("{} {}", b.acls()?, b.stat(names)?),
        opcode::GET_CHILDREN | opcode::GET_EPHEMERALS => b.sorted()?,
        opcode::GET_CHILDREN2 => format!("{} {}", b.sorted()?, b.stat(names)?),
        opcode::GET_ALL_CHILDREN_NUMBER | opcode::ADD_WATCH => b.int()?.to_string(),
        opcode::WHO_AM_I => {
            let list = b.list(|b| Some(format!("{}:{}", b.string()?, b.string()?)))?;
            format!("{list:?}")
        }
        opcode::MULTI | opcode::MULTI_READ => results(b, names)?,
        _ => return None,
    })
}

fn results(b: &mut Bytes<'_>, names: &mut Names) -> Option<String> {
    let mut text = String::new();
    loop {
        let (kind, done, err) = (b.int()?, b.boolean()?, b.int()?);
        write!(text, "[{kind} {done} {err} ").ok()?;
        if done {
            text.push(']');
            return Some(text);
        }
        text += &match kind {
            opcode::DELETE | opcode::CHECK => String::new(),
            opcode::ERROR => b.int()?.to_string(),
            other => reply(other, b, names)?,
        };
        text += "]\n      ";
    }
}

/// The path that a successful create answers with.
pub(super) fn created_path(kind: i32, bytes: &[u8]) -> Option<String> {
    let mut b = Bytes(bytes);
    let (_, _, err) = (b.int()?, b.long()?, b.int()?);
    let creates = [opcode::CREATE, opcode::CREATE2, opcode::CREATE_CONTAINER, opcode::CREATE_TTL];
    if err == 0 && creates.contains(&kind) { b.string() } else { None }
}

/// The names that getChildren and getChildren2 answer with, sorted.
pub(super) fn listed_names(kind: i32, bytes: &[u8]) -> Option<Vec<String>> {
    let mut b = Bytes(bytes);
    let (_, _, err) = (b.int()?, b.long()?, b.int()?);
    if err != 0 || !matches!(kind, opcode::GET_CHILDREN | opcode::GET_CHILDREN2) {
        return None;
    }
    let mut names = b.list(Bytes::string)?;
    names.sort();
    Some(names)
}

/// Stock writes a character above U+FFFF as two halves of three bytes each, which no decoder of
/// UTF-8 takes: an intended difference.
fn of_halves(bytes: &[u8]) -> Option<String> {
    let mut units = Vec::new();
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let length = match first {
            0..=0x7f => 1,
            0xc0..=0xdf => 2,
            _ => 3,
        };
        let (unit, after) = rest.split_at_checked(length)?;
        let bits = |i: usize| u16::from(unit[i] & 0x3f);
        units.push(match length {
            1 => u16::from(unit[0]),
            2 => u16::from(unit[0] & 0x1f) << 6 | bits(1),
            _ => u16::from(unit[0] & 0xf) << 12 | bits(1) << 6 | bits(2),
        });
        rest = after;
    }
    String::from_utf16(&units).ok()
}
