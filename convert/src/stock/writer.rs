//! Writes a snapshot as version 3.9 does: header, sessions, ACLs, nodes, checksum, digest and last
//! zxid, each of the last two followed by a checksum.

use std::io::{self, Write};

use model::jute;
use model::peer::packet::put_snapshot_end;
use model::stat::Stat;
use model::txn::DIGEST_VERSION;
use model::zxid::Zxid;
use simd_adler32::Adler32;

use super::snapshot::Preamble;
use super::{END, SNAPSHOT_MAGIC, VERSION};

/// How much is written at once, in bytes.
const WRITE_BYTES: usize = 1 << 20;

/// A snapshot that is being written.
pub struct SnapshotWriter<W> {
    to: W,
    pending: Vec<u8>,
    checksum: Adler32,
    bytes: u64,
}

impl<W: Write> SnapshotWriter<W> {
    /// Writes everything before the nodes.
    pub fn begin(to: W, preamble: &Preamble) -> io::Result<Self> {
        let pending = Vec::with_capacity(2 * WRITE_BYTES);
        let mut writer = Self { to, pending, checksum: Adler32::new(), bytes: 0 };
        let out = &mut writer.pending;
        out.extend_from_slice(&SNAPSHOT_MAGIC);
        jute::put_int(out, VERSION);
        jute::put_long(out, preamble.database);
        writer.preamble(preamble)?;
        Ok(writer)
    }

    /// The same in the form that leaders send.
    pub fn begin_sent(to: W, preamble: &Preamble) -> io::Result<Self> {
        let pending = Vec::with_capacity(2 * WRITE_BYTES);
        let mut writer = Self { to, pending, checksum: Adler32::new(), bytes: 0 };
        writer.preamble(preamble)?;
        Ok(writer)
    }

    fn preamble(&mut self, preamble: &Preamble) -> io::Result<()> {
        let out = &mut self.pending;
        jute::put_length(out, preamble.sessions.len());
        for (id, timeout_ms) in &preamble.sessions {
            jute::put_long(out, id.0);
            jute::put_int(out, *timeout_ms);
        }
        jute::put_length(out, preamble.acls.len());
        for (number, list) in &preamble.acls {
            jute::put_long(out, *number);
            out.extend_from_slice(list);
        }
        self.maybe_flush()
    }

    /// Appends a node. Parents come before children, the root, whose path is empty, first. Of the
    /// Stat, `cversion` is the stored counter and `ephemeral_owner` the raw owner.
    pub fn node(
        &mut self,
        path: &[u8],
        data: Option<&[u8]>,
        acl: i64,
        stat: &Stat,
    ) -> io::Result<()> {
        let out = &mut self.pending;
        jute::put_string(out, path);
        jute::put_buffer(out, data);
        jute::put_long(out, acl);
        for long in [stat.czxid, stat.mzxid, stat.ctime, stat.mtime] {
            jute::put_long(out, long);
        }
        for int in [stat.version, stat.cversion, stat.aversion] {
            jute::put_int(out, int);
        }
        jute::put_long(out, stat.ephemeral_owner);
        jute::put_long(out, stat.pzxid);
        self.maybe_flush()
    }

    /// Writes what follows the nodes; returns the length of the file, and what it was written to.
    pub fn finish(mut self, zxid: Zxid, digest: u64) -> io::Result<(u64, W)> {
        jute::put_string(&mut self.pending, END);
        self.seal()?;
        jute::put_long(&mut self.pending, zxid.0);
        jute::put_int(&mut self.pending, DIGEST_VERSION);
        jute::put_long(&mut self.pending, digest as i64);
        self.seal()?;
        jute::put_long(&mut self.pending, zxid.0);
        self.seal()?;
        self.flush()?;
        self.to.flush()?;
        Ok((self.bytes, self.to))
    }

    /// Writes what leaders send behind the nodes; returns how many bytes were written in all.
    pub fn finish_sent(mut self) -> io::Result<u64> {
        jute::put_string(&mut self.pending, END);
        put_snapshot_end(&mut self.pending);
        self.flush()?;
        self.to.flush()?;
        Ok(self.bytes)
    }

    fn seal(&mut self) -> io::Result<()> {
        self.flush()?;
        jute::put_long(&mut self.pending, self.checksum.finish().into());
        jute::put_string(&mut self.pending, END);
        Ok(())
    }

    fn maybe_flush(&mut self) -> io::Result<()> {
        if self.pending.len() < WRITE_BYTES { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.checksum.write(&self.pending);
        self.bytes += self.pending.len() as u64;
        self.to.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }
}
