//! The servers' lines that the history went on from.
//!
//! An ensemble that changes while its servers run has its newest configuration in its tree, and
//! each server writes it to its own configuration file. Which of the two counts at the next start?
//! The tree's, as long as the file says what it said when it was last read or written: then it
//! could not be written since. The file's, if somebody else has changed it: a person, who wants
//! other servers than the ensemble has agreed on.

use super::text::{self, MarkError, Text};
use snapshot::directory::DIRECTORY;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

const NAME: &str = "servers";

/// Bytes of lines that are kept. A server's line is longer than what stands before each here, so
/// the file is no longer than such a file may be.
const LINES_BYTES_MAX: usize = text::BYTES_MAX as usize / 2 - 1_024;

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(DIRECTORY).join(NAME)
}

/// Whether the history went on from lines with this text.
///
/// # Errors
/// The file cannot be read.
pub fn goes_on_from(data_dir: &Path, lines: &[u8]) -> Result<bool, MarkError> {
    if lines.len() > LINES_BYTES_MAX {
        return Ok(false);
    }
    let Some(written) = text::read_lines(&path(data_dir))? else { return Ok(false) };
    let written: Vec<&[u8]> = written.iter().map(|line| line.value.as_bytes()).collect();
    Ok(written == lines.split(|byte| *byte == b'\n').collect::<Vec<_>>())
}

/// The history goes on from lines with this text. Of a list that is too long nothing is kept: then
/// the file counts.
///
/// # Errors
/// The file cannot be written.
pub fn go_on_from(data_dir: &Path, lines: &[u8]) -> Result<(), MarkError> {
    if lines.len() > LINES_BYTES_MAX {
        return text::remove(&path(data_dir));
    }
    let mut text = Text::new();
    for line in lines.split(|byte| *byte == b'\n') {
        text.line("line", std::ffi::OsStr::from_bytes(line))?;
    }
    text.write(&path(data_dir))
}

#[cfg(test)]
mod tests {
    use super::{go_on_from, goes_on_from};
    use std::fs;

    #[test]
    fn only_the_lines_that_were_written_go_on() {
        let folder = std::env::temp_dir().join(format!("ringkeeper-base-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (one, other) = (&b"server.1=a:1:2\nversion=0"[..], &b"server.1=b:1:2\nversion=0"[..]);
        assert!(!goes_on_from(&folder, one).unwrap(), "nothing is known yet");
        go_on_from(&folder, one).unwrap();
        assert!(goes_on_from(&folder, one).unwrap());
        assert!(!goes_on_from(&folder, other).unwrap());
        go_on_from(&folder, other).unwrap();
        assert!(goes_on_from(&folder, other).unwrap());
        fs::remove_dir_all(&folder).unwrap();
    }
}
