//! Whose request a packet carries.

use crate::jute::{self, JuteReader};

use super::envelope::MEASURED;

/// A scheme and who the client is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The scheme; `None` is null on the wire.
    pub scheme: Option<&'a [u8]>,
    /// The id; `None` is null on the wire.
    pub id: Option<&'a [u8]>,
}

/// The identities of a client where they lie: checked once, read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identities<'a> {
    is_null: bool,
    count: u32,
    bytes: &'a [u8],
}

/// Identities as they are written, kept by whoever forwards a client's requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityList {
    count: u32,
    bytes: Vec<u8>,
}

impl Identities<'_> {
    /// None, as ZooKeeper says it of requests that no client made.
    pub const NULL: Identities<'static> = Identities { is_null: true, count: 0, bytes: &[] };
}

impl<'a> Identities<'a> {
    /// Reads them off a packet that was measured.
    pub(super) fn measured(reader: &mut JuteReader<'a>) -> Self {
        let count = reader.count().expect(MEASURED);
        let (is_null, count) = (count.is_none(), count.unwrap_or(0));
        let begin = reader.offset();
        for _ in 0..count {
            identity(reader);
        }
        Self { is_null, count, bytes: reader.since(begin) }
    }

    /// Appends them as jute has them.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        if self.is_null {
            return jute::put_int(out, -1);
        }
        jute::put_length(out, self.count as usize);
        out.extend_from_slice(self.bytes);
    }

    /// Whether they are null on the wire, which means the same as an empty list.
    pub const fn is_null(&self) -> bool {
        self.is_null
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The identities in their order.
    pub fn iter(&self) -> impl Iterator<Item = Identity<'a>> + use<'a> {
        let mut reader = JuteReader::new(self.bytes);
        (0..self.count).map(move |_| identity(&mut reader))
    }
}

impl IdentityList {
    /// Appends one.
    pub fn push(&mut self, identity: Identity<'_>) {
        self.count += 1;
        jute::put_buffer(&mut self.bytes, identity.scheme);
        jute::put_buffer(&mut self.bytes, identity.id);
    }

    /// The list as a packet has it.
    pub fn identities(&self) -> Identities<'_> {
        Identities { is_null: false, count: self.count, bytes: &self.bytes }
    }
}

fn identity<'a>(reader: &mut JuteReader<'a>) -> Identity<'a> {
    Identity { scheme: reader.string().expect(MEASURED), id: reader.string().expect(MEASURED) }
}
