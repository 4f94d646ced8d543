//! How long the data of nodes are, compared with what `ZooKeeper` accepts by default.

use crate::error::Fault;

/// The longest packet that servers and clients accept: the default of `jute.maxbuffer`.
pub const PACKET_BYTES: u64 = 0xf_ffff;
/// The longest field that a server reads from its files: the defaults of `jute.maxbuffer` and
/// `zookeeper.jute.maxbuffer.extrasize` together (source: `BinaryInputArchive`).
pub const FIELD_BYTES: u64 = 2 * PACKET_BYTES;
/// What a reply has besides a node's data: its header, the data's length, the Stat.
const REPLY_BYTES: u64 = 16 + 4 + 68;

/// The nodes that are longer than the defaults allow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lengths {
    /// Nodes that do not fit a packet.
    pub beyond_packet: u64,
    /// Of these, nodes that a server cannot read from its files.
    pub beyond_field: u64,
    /// The path of the longest, and the bytes of its data.
    pub longest: Option<(String, u64)>,
}

impl Lengths {
    /// Counts a node.
    pub fn see(&mut self, path: &[u8], data: Option<&[u8]>) {
        let bytes = data.map_or(0, |data| data.len() as u64);
        if bytes + REPLY_BYTES <= PACKET_BYTES {
            return;
        }
        self.beyond_packet += 1;
        self.beyond_field += u64::from(bytes > FIELD_BYTES);
        if self.longest.as_ref().is_none_or(|(_, longest)| bytes > *longest) {
            self.longest = Some((Fault::shown(path), bytes));
        }
    }

    /// The `jute.maxbuffer` with which all of them can be read.
    pub fn packet_bytes_needed(&self) -> u64 {
        self.longest.as_ref().map_or(PACKET_BYTES, |(_, bytes)| bytes + REPLY_BYTES)
    }
}
