//! Who may do what with a node.

use crate::jute::{self, JuteError, JuteReader};

/// Permission bits.
pub mod perms {
    /// Data, children, and events about both.
    pub const READ: i32 = 1;
    /// New data.
    pub const WRITE: i32 = 2;
    /// New children.
    pub const CREATE: i32 = 4;
    /// Fewer children.
    pub const DELETE: i32 = 8;
    /// A new ACL.
    pub const ADMIN: i32 = 16;
    /// All of them.
    pub const ALL: i32 = 31;
}

/// A scheme and an id in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// `world`, `digest`, `ip`, ...
    pub scheme: Vec<u8>,
    /// The scheme's own form.
    pub id: Vec<u8>,
}

/// One line of an ACL, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclEntry<'a> {
    /// Bits of [`perms`].
    pub perms: i32,
    /// The scheme; `None` was null on the wire.
    pub scheme: Option<&'a [u8]>,
    /// The id; `None` was null on the wire.
    pub id: Option<&'a [u8]>,
}

impl AclEntry<'_> {
    /// Appends it as jute has it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        jute::put_int(out, self.perms);
        jute::put_buffer(out, self.scheme);
        jute::put_buffer(out, self.id);
    }

    /// Whether it applies to everyone.
    pub fn is_world(&self) -> bool {
        self.scheme == Some(b"world") && self.id == Some(b"anyone")
    }
}

/// An ACL where it lies: checked once, read in place. Equal lists have equal bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AclList<'a> {
    count: u32,
    is_null: bool,
    bytes: &'a [u8],
}

/// The list that lets everyone do everything, without its count.
const OPEN: &[u8] = b"\0\0\0\x1f\0\0\0\x05world\0\0\0\x06anyone";
const READ_ONLY: &[u8] = b"\0\0\0\x01\0\0\0\x05world\0\0\0\x06anyone";

impl AclList<'static> {
    /// Everyone may do everything.
    pub const OPEN: Self = Self { count: 1, is_null: false, bytes: OPEN };
    /// Everyone may read.
    pub const READ_ONLY: Self = Self { count: 1, is_null: false, bytes: READ_ONLY };
}

impl<'a> AclList<'a> {
    /// Whether it was null on the wire, which counts as empty except for [`JuteError::NullAcl`].
    pub const fn is_null(&self) -> bool {
        self.is_null
    }

    /// Reads a list; null is empty.
    pub fn decode(reader: &mut JuteReader<'a>) -> Result<Self, JuteError> {
        let found = reader.count()?;
        let (is_null, count) = (found.is_none(), found.unwrap_or(0));
        let start = reader.offset();
        for _ in 0..count {
            Self::entry(reader)?;
        }
        Ok(Self { count, is_null, bytes: reader.since(start) })
    }

    fn entry(reader: &mut JuteReader<'a>) -> Result<AclEntry<'a>, JuteError> {
        let perms = reader.int()?;
        Ok(AclEntry { perms, scheme: reader.string()?, id: reader.string()? })
    }

    /// Appends it as jute has it, a null one as null.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if self.is_null {
            return jute::put_int(out, -1);
        }
        jute::put_length(out, self.count as usize);
        out.extend_from_slice(self.bytes);
    }

    /// Count of entries.
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The entries in their order.
    pub fn iter(&self) -> impl Iterator<Item = AclEntry<'a>> + use<'a> {
        let mut reader = JuteReader::new(self.bytes);
        (0..self.count).map(move |_| Self::entry(&mut reader).expect("checked when it was read"))
    }
}
