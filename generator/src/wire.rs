//! Requests encoded once and copied, replies cut by their length only.

use model::acl::AclList;
use model::jute::{self, JuteError, JuteReader};
use model::op::Op;
use model::response::end_packet;

use super::error::BenchError;
use super::limits::REPLY_BYTES_MAX;

/// Length, xid, zxid, error: what precedes the body of a reply.
const HEAD_BYTES: usize = 20;
/// The shortest reply: its header alone, the length's own four bytes not counted.
pub(super) const REPLY_BYTES_MIN: u32 = 16;
/// Where a request carries its xid, and where its path starts if that is its first field.
const XID_AT: usize = 4;
const PATH_AT: usize = 16;

/// A session as its client knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionKey {
    /// 0 if there is none yet.
    pub(super) id: i64,
    pub(super) password: Vec<u8>,
}

impl SessionKey {
    /// Requests a new session.
    pub(super) fn none() -> Self {
        Self { id: 0, password: vec![0; 16] }
    }

    /// Reads the body of a connect response (its length cut off); `None` if it grants no session.
    pub(super) fn parse_grant(body: &[u8]) -> Result<Option<Self>, JuteError> {
        let mut reader = JuteReader::new(body);
        let (_, timeout_ms, id) = (reader.int()?, reader.int()?, reader.long()?);
        let password = reader.buffer()?.unwrap_or_default().to_vec();
        Ok((timeout_ms > 0 && id != 0).then_some(Self { id, password }))
    }
}

/// Appends a connect request for a session, or for a new one.
pub(super) fn put_connect(
    out: &mut Vec<u8>,
    last_zxid: i64,
    timeout_ms: i32,
    session: &SessionKey,
) {
    let start = out.len();
    jute::put_int(out, 0);
    jute::put_int(out, 0);
    jute::put_long(out, last_zxid);
    jute::put_int(out, timeout_ms);
    jute::put_long(out, session.id);
    jute::put_string(out, &session.password);
    jute::put_bool(out, false);
    end_packet(out, start);
}

/// A request, complete except for its xid and the part of its path that differs.
pub(super) struct Template {
    bytes: Box<[u8]>,
    path_bytes: usize,
}

impl Template {
    fn new(op: Op, path: &[u8], rest: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = Vec::new();
        jute::put_int(&mut bytes, 0);
        jute::put_int(&mut bytes, 0);
        jute::put_int(&mut bytes, op.code());
        jute::put_string(&mut bytes, path);
        rest(&mut bytes);
        end_packet(&mut bytes, 0);
        Self { bytes: bytes.into(), path_bytes: path.len() }
    }

    pub(super) fn get(path: &[u8], watch: bool) -> Self {
        Self::new(Op::GetData, path, |out| jute::put_bool(out, watch))
    }

    pub(super) fn exists(path: &[u8]) -> Self {
        Self::new(Op::Exists, path, |out| jute::put_bool(out, false))
    }

    pub(super) fn children(path: &[u8]) -> Self {
        Self::new(Op::GetChildren, path, |out| jute::put_bool(out, false))
    }

    pub(super) fn set(path: &[u8], data: &[u8]) -> Self {
        Self::new(Op::SetData, path, |out| {
            jute::put_string(out, data);
            jute::put_int(out, -1);
        })
    }

    pub(super) fn create(path: &[u8], data: &[u8]) -> Self {
        Self::new(Op::Create, path, |out| {
            jute::put_string(out, data);
            AclList::OPEN.encode(out);
            jute::put_int(out, 0);
        })
    }

    /// Appends the request; `write_path` changes the path of the template.
    #[inline]
    pub(super) fn put(&self, out: &mut Vec<u8>, xid: i32, write_path: impl FnOnce(&mut [u8])) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let copy = &mut out[start..];
        copy[XID_AT..XID_AT + 4].copy_from_slice(&xid.to_be_bytes());
        write_path(&mut copy[PATH_AT..PATH_AT + self.path_bytes]);
    }
}

/// Appends the request that ends a session.
pub(super) fn put_close(out: &mut Vec<u8>, xid: i32) {
    jute::put_int(out, 8);
    jute::put_int(out, xid);
    jute::put_int(out, Op::CloseSession.code());
}

/// Data of nodes: not one byte repeated, so that compressing it gains nothing.
pub(super) fn payload(size: u32) -> Vec<u8> {
    (0..size).map(|at| (at.wrapping_mul(at ^ 0x5b) >> 3) as u8).collect()
}

/// The header of a reply whose body does not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReplyHead {
    pub(super) xid: i32,
    pub(super) error: i32,
    /// Of the frame, its own four bytes not counted.
    pub(super) length: u32,
}

/// Cuts received bytes into replies; a body is skipped, never copied or kept.
#[derive(Debug, Default)]
pub(super) struct ReplyCutter {
    head: [u8; HEAD_BYTES],
    head_count: usize,
    /// Bytes of the body of the reply in `head` that have not arrived yet.
    missing: usize,
}

impl ReplyCutter {
    /// Takes the next whole reply off `bytes`; `None` when they contain no other one and are used
    /// up.
    #[inline]
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<ReplyHead>, BenchError> {
        if self.head_count == 0 && bytes.len() >= HEAD_BYTES {
            let reply = parse(bytes.first_chunk().expect("the length was just checked"))?;
            let total = 4 + reply.length as usize;
            if bytes.len() >= total {
                *bytes = &bytes[total..];
                return Ok(Some(reply));
            }
        }
        self.next_in_pieces(bytes)
    }

    fn next_in_pieces(&mut self, bytes: &mut &[u8]) -> Result<Option<ReplyHead>, BenchError> {
        if self.head_count < HEAD_BYTES {
            let count = bytes.len().min(HEAD_BYTES - self.head_count);
            self.head[self.head_count..self.head_count + count].copy_from_slice(&bytes[..count]);
            self.head_count += count;
            *bytes = &bytes[count..];
            if self.head_count < HEAD_BYTES {
                return Ok(None);
            }
            self.missing = parse(&self.head)?.length as usize + 4 - HEAD_BYTES;
        }
        let count = bytes.len().min(self.missing);
        self.missing -= count;
        *bytes = &bytes[count..];
        if self.missing > 0 {
            return Ok(None);
        }
        self.head_count = 0;
        parse(&self.head).map(Some)
    }
}

#[inline]
fn parse(head: &[u8; HEAD_BYTES]) -> Result<ReplyHead, BenchError> {
    let int = |at: usize| {
        i32::from_be_bytes(*head[at..].first_chunk().expect("the offsets are in the head"))
    };
    let length = int(0);
    if !(REPLY_BYTES_MIN as i32..=REPLY_BYTES_MAX as i32).contains(&length) {
        return Err(BenchError::FrameLength { length });
    }
    Ok(ReplyHead { xid: int(4), error: int(16), length: length as u32 })
}
