//! What all packets are written in.

use crate::jute::{self, JuteReader};
use crate::zxid::Zxid;

use super::{Identities, Measure, PacketError, PacketKind, PacketLimits, Progress};

/// A packet whose data is not yet read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope<'a> {
    pub(super) kind: i32,
    pub(super) zxid: Zxid,
    pub(super) data: Option<&'a [u8]>,
    pub(super) identities: Identities<'a>,
}

/// Why reading an envelope cannot fail.
pub(super) const MEASURED: &str = "the packet was measured";

impl<'a> Envelope<'a> {
    fn decode(bytes: &'a [u8], limits: PacketLimits) -> Result<Option<(Self, usize)>, PacketError> {
        let Progress::Whole(length) = Measure::new(limits).advance(bytes)? else {
            return Ok(None);
        };
        let mut reader = JuteReader::new(&bytes[..length]);
        let kind = reader.int().expect(MEASURED);
        let zxid = Zxid(reader.long().expect(MEASURED));
        let data = reader.buffer().expect(MEASURED);
        let identities = Identities::measured(&mut reader);
        Ok(Some((Self { kind, zxid, data, identities }, length)))
    }

    /// Reads a packet of one direction: `open` says what is in an envelope, `None` for a type that
    /// does not go there.
    pub(super) fn decode_as<P>(
        bytes: &'a [u8],
        limits: PacketLimits,
        open: impl FnOnce(PacketKind, &Self) -> Result<Option<P>, PacketError>,
    ) -> Result<Option<(P, usize)>, PacketError> {
        let Some((envelope, length)) = Self::decode(bytes, limits)? else { return Ok(None) };
        let opened = match PacketKind::of(envelope.kind) {
            None => None,
            Some(kind) => open(kind, &envelope)?,
        };
        let error = PacketError::Kind { found: envelope.kind, length };
        opened.map(|packet| Some((packet, length))).ok_or(error)
    }

    /// The data of a type that has `N` bytes of fields, and what follows them.
    pub(super) fn fields<const N: usize>(
        &self,
        kind: PacketKind,
    ) -> Result<(&'a [u8; N], &'a [u8]), PacketError> {
        let found = self.data.map(<[u8]>::len);
        let error = PacketError::Data { kind, needed: N, found };
        self.data.and_then(|data| data.split_first_chunk()).ok_or(error)
    }
}

/// Appends a packet whose data is written by `data`.
pub(super) fn put(
    out: &mut Vec<u8>,
    kind: PacketKind,
    zxid: Zxid,
    identities: Identities<'_>,
    data: impl FnOnce(&mut Vec<u8>),
) {
    jute::put_int(out, kind.code());
    jute::put_long(out, zxid.0);
    let at = out.len();
    jute::put_int(out, 0);
    data(out);
    let length = i32::try_from(out.len() - at - size_of::<i32>());
    jute::patch_int(out, at, length.expect("fields are shorter than 2 GiB"));
    identities.encode(out);
}

/// Appends a packet without identities, as all but one type are.
pub(super) fn put_data(
    out: &mut Vec<u8>,
    kind: PacketKind,
    zxid: Zxid,
    data: impl FnOnce(&mut Vec<u8>),
) {
    put(out, kind, zxid, Identities::NULL, data);
}

/// Appends a packet without data, as most are.
pub(super) fn put_bare(out: &mut Vec<u8>, kind: PacketKind, zxid: Zxid) {
    jute::put_int(out, kind.code());
    jute::put_long(out, zxid.0);
    jute::put_buffer(out, None);
    Identities::NULL.encode(out);
}
