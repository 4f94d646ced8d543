//! Standard output and standard error whose readers may close them.

use std::io::{self, Write};

/// Passes on what is written until the reader has closed it; the rest is discarded, as there is no
/// reader any more. The command still does the rest of its work, and its exit status says how that
/// ended.
#[derive(Debug)]
pub struct Output<W> {
    to: Option<W>,
}

impl<W: Write> Output<W> {
    /// An output to `to`.
    pub fn new(to: W) -> Self {
        Self { to: Some(to) }
    }

    fn ended<T>(&mut self, result: io::Result<T>, instead: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.to = None;
                Ok(instead)
            }
            other => other,
        }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(to) = &mut self.to else { return Ok(bytes.len()) };
        let written = to.write(bytes);
        self.ended(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(to) = &mut self.to else { return Ok(()) };
        let flushed = to.flush();
        self.ended(flushed, ())
    }
}

/// Writes a line to standard error. If that is closed, the line is discarded.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
