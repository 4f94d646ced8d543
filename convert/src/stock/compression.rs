//! How the bytes of a snapshot are packed: not at all, by gzip, or by snappy-java's blocks.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::GzDecoder;

/// The methods of `snapshot.compression.method`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// gzip, `.gz`.
    Gzip,
    /// snappy-java's stream, `.snappy`.
    Snappy,
}

/// The first bytes of a gzip file.
pub const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The first bytes of a stream of snappy-java.
pub const SNAPPY_MAGIC: [u8; 8] = *b"\x82SNAPPY\0";

impl Compression {
    /// By the end of the name, as `SnapStream.getStreamMode` decides.
    pub fn of_name(path: &Path) -> Self {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some(ending) if ending.eq_ignore_ascii_case("gz") => Self::Gzip,
            Some(ending) if ending.eq_ignore_ascii_case("snappy") => Self::Snappy,
            _ => Self::None,
        }
    }

    /// By the first bytes of the file.
    pub fn of_magic(bytes: &[u8]) -> Self {
        if bytes.starts_with(&SNAPPY_MAGIC) {
            Self::Snappy
        } else if bytes.starts_with(&GZIP_MAGIC) {
            Self::Gzip
        } else {
            Self::None
        }
    }

    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
        }
    }
}

/// The unpacked bytes of a snapshot.
pub enum Unpacked {
    /// As they are in the file.
    Plain(File),
    /// Through gzip.
    Gzip(Box<GzDecoder<io::BufReader<File>>>),
    /// Through snappy-java's blocks.
    Snappy(Box<SnappyReader<io::BufReader<File>>>),
}

/// How much of a packed file is read at once, in bytes.
const PACKED_READ_BYTES: usize = 1 << 18;

impl Unpacked {
    /// Unpacks `file`.
    pub fn new(file: File, compression: Compression) -> Self {
        let packed = |file| io::BufReader::with_capacity(PACKED_READ_BYTES, file);
        match compression {
            Compression::None => Self::Plain(file),
            Compression::Gzip => Self::Gzip(Box::new(GzDecoder::new(packed(file)))),
            Compression::Snappy => Self::Snappy(Box::new(SnappyReader::new(packed(file)))),
        }
    }
}

impl Read for Unpacked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(into),
            Self::Gzip(packed) => packed.read(into),
            Self::Snappy(packed) => packed.read(into),
        }
    }
}

/// A stream of snappy-java: a header of 16 bytes, then blocks, each after its length. The header
/// may be repeated where streams were concatenated.
pub struct SnappyReader<R> {
    packed: R,
    has_header: bool,
    decoder: snap::raw::Decoder,
    block: Vec<u8>,
    bytes: Vec<u8>,
    at: usize,
}

/// The most that one byte of a block can become, rounded up: a copy of 64 bytes takes 3.
const SNAPPY_RATIO_MAX: usize = 32;
/// Bytes after the magic: two versions.
const SNAPPY_VERSION_BYTES: usize = 8;

impl<R: Read> SnappyReader<R> {
    /// Unpacks `packed`.
    pub fn new(packed: R) -> Self {
        let decoder = snap::raw::Decoder::new();
        Self { packed, has_header: false, decoder, block: vec![], bytes: vec![], at: 0 }
    }

    /// The next four bytes, unless the stream has ended.
    fn word(&mut self) -> io::Result<Option<[u8; 4]>> {
        let mut word = [0; 4];
        let mut filled = 0;
        while filled < word.len() {
            match self.packed.read(&mut word[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => filled += count,
            }
        }
        Ok(Some(word))
    }

    /// Unpacks the next block; false at the end.
    fn refill(&mut self) -> io::Result<bool> {
        loop {
            let Some(word) = self.word()? else { return Ok(false) };
            if word == SNAPPY_MAGIC[..4] {
                let mut rest = [0; 4 + SNAPPY_VERSION_BYTES];
                self.packed.read_exact(&mut rest)?;
                if rest[..4] != SNAPPY_MAGIC[4..] {
                    return Err(invalid("the header of a snappy stream is damaged"));
                }
                self.has_header = true;
                continue;
            }
            if !self.has_header {
                return Err(invalid("a snappy stream begins with its header"));
            }
            let length = i32::from_be_bytes(word);
            let length = u64::try_from(length).map_err(|_| invalid("a block's length"))?;
            self.block.clear();
            // Memory follows what is there, not what is announced.
            let found = self.packed.by_ref().take(length).read_to_end(&mut self.block)?;
            if found as u64 != length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let unpacked = snap::raw::decompress_len(&self.block).map_err(io::Error::other)?;
            if unpacked > self.block.len() * SNAPPY_RATIO_MAX + SNAPPY_RATIO_MAX {
                return Err(invalid("a snappy block announces more than it can hold"));
            }
            self.bytes.resize(unpacked, 0);
            let filled = self.decoder.decompress(&self.block, &mut self.bytes);
            self.bytes.truncate(filled.map_err(io::Error::other)?);
            self.at = 0;
            return Ok(true);
        }
    }
}

impl<R: Read> Read for SnappyReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.bytes.len() {
            if !self.refill()? {
                return Ok(0);
            }
        }
        let count = into.len().min(self.bytes.len() - self.at);
        into[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
