//! Received bytes to frames.
//!
//! A frame is a length of four bytes and that many bytes more. Most lie whole in what was received
//! and are handed out from there; only an incomplete end, or what a pause leaves, is copied.

#[cfg(test)]
mod tests;

use super::FourLetterWord;
use crate::limits::{FRAME_HEADER_BYTES, INBOX_KEPT_BYTES_MAX};
use std::fmt;

/// What to do after a frame was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Taken; continue.
    Continue,
    /// Taken; keep the rest until `resume`.
    PauseAfter,
    /// Not taken; keep it and the rest until `resume`, which hands it out again.
    PauseBefore,
}

/// What became of the bytes fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    /// Every complete frame was handed out.
    All,
    /// A pause: frames may be left. Everything fed from now on is kept as well.
    Paused,
    /// The connection opened with a word instead of a length. No frame will come; what follows
    /// the word is kept for `into_word`.
    FourLetterWord(FourLetterWord),
}

/// Why a connection cannot continue: close it. The decoder is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A length that is negative or above the limit.
    Length {
        /// As announced.
        len: i32,
        /// The limit (`jute.maxbuffer`).
        len_max: u32,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { len, len_max } => write!(
                f,
                "a message of length {len} is malformed or too large (jute.maxbuffer = {len_max})"
            ),
        }
    }
}

impl std::error::Error for FrameError {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DecoderPhase {
    /// The first four bytes may be a word.
    Opening,
    /// A frame was taken: only frames from here.
    Established,
    Paused {
        opening: bool,
    },
    Word(FourLetterWord),
}

/// The receiving half of a connection. Lives in: its shard.
///
/// Its life: opening, until the first frame (the connect request) is taken; then established. Or
/// a four-letter word, which is its end.
///
/// Invariant: unless paused or at a word, `kept[start..]` is the beginning of a single incomplete
/// frame, or empty.
#[derive(Debug)]
pub struct FrameDecoder {
    kept: Vec<u8>,
    start: usize,
    len_max: u32,
    phase: DecoderPhase,
}

impl FrameDecoder {
    /// For a new connection, whose frames are at most `len_max` bytes long (without the length).
    pub fn new(len_max: u32) -> Self {
        Self { kept: Vec::new(), start: 0, len_max, phase: DecoderPhase::Opening }
    }

    /// Hands out each frame that `received` completes, in order.
    pub fn feed(
        &mut self,
        received: &[u8],
        mut on_frame: impl FnMut(&[u8]) -> Flow,
    ) -> Result<Fed, FrameError> {
        match self.phase {
            DecoderPhase::Opening | DecoderPhase::Established => {}
            DecoderPhase::Paused { .. } => {
                self.kept.extend_from_slice(received);
                return Ok(Fed::Paused);
            }
            DecoderPhase::Word(word) => {
                self.kept.extend_from_slice(received);
                return Ok(Fed::FourLetterWord(word));
            }
        }
        let mut rest = received;
        if !self.kept.is_empty() {
            if !self.complete_kept(&mut rest)? {
                return Ok(Fed::All);
            }
            // The kept bytes are now one word or one frame exactly.
            self.hand_out_kept(&mut on_frame)?;
            if self.is_stopped() {
                self.kept.extend_from_slice(rest);
                return Ok(self.fed());
            }
        }
        let (phase, consumed) = advance(self.phase, self.len_max, rest, &mut on_frame)?;
        self.phase = phase;
        self.kept.extend_from_slice(&rest[consumed..]);
        Ok(self.fed())
    }

    /// Ends a pause: hands out the kept frames that are complete.
    pub fn resume(&mut self, mut on_frame: impl FnMut(&[u8]) -> Flow) -> Result<Fed, FrameError> {
        if let DecoderPhase::Paused { opening } = self.phase {
            self.phase = if opening { DecoderPhase::Opening } else { DecoderPhase::Established };
            self.hand_out_kept(&mut on_frame)?;
        }
        Ok(self.fed())
    }

    /// Whether it is paused: do not receive until `resume` has returned something else.
    pub fn is_paused(&self) -> bool {
        matches!(self.phase, DecoderPhase::Paused { .. })
    }

    /// Bytes received that no taken frame has covered yet.
    pub fn kept_bytes(&self) -> usize {
        self.kept.len() - self.start
    }

    /// The four-letter word that the connection opened with, if it did, and what was received
    /// behind it.
    pub fn into_word(mut self) -> Option<(FourLetterWord, Vec<u8>)> {
        let DecoderPhase::Word(word) = self.phase else { return None };
        self.compact();
        Some((word, self.kept))
    }

    fn is_stopped(&self) -> bool {
        matches!(self.phase, DecoderPhase::Paused { .. } | DecoderPhase::Word(_))
    }

    fn fed(&self) -> Fed {
        match self.phase {
            DecoderPhase::Opening | DecoderPhase::Established => Fed::All,
            DecoderPhase::Paused { .. } => Fed::Paused,
            DecoderPhase::Word(word) => Fed::FourLetterWord(word),
        }
    }

    /// Moves as many bytes from `rest` to the kept ones as complete their frame (or word); says
    /// whether it is complete.
    fn complete_kept(&mut self, rest: &mut &[u8]) -> Result<bool, FrameError> {
        // What follows is appended at the end, so the part handed out must be removed first.
        self.compact();
        if !self.keep_up_to(FRAME_HEADER_BYTES, rest) {
            return Ok(false);
        }
        match header(self.phase, self.len_max, &self.kept)? {
            Header::Word(_) => Ok(true),
            Header::Frame { len } => Ok(self.keep_up_to(FRAME_HEADER_BYTES + len, rest)),
        }
    }

    fn keep_up_to(&mut self, wanted: usize, rest: &mut &[u8]) -> bool {
        let missing = wanted.saturating_sub(self.kept.len());
        let (taken, left) = rest.split_at(missing.min(rest.len()));
        self.kept.extend_from_slice(taken);
        *rest = left;
        self.kept.len() >= wanted
    }

    fn hand_out_kept(
        &mut self,
        on_frame: &mut impl FnMut(&[u8]) -> Flow,
    ) -> Result<(), FrameError> {
        let (phase, consumed) =
            advance(self.phase, self.len_max, &self.kept[self.start..], on_frame)?;
        self.phase = phase;
        self.start += consumed;
        if self.start == self.kept.len() {
            self.start = 0;
            self.kept.clear();
            if self.kept.capacity() > INBOX_KEPT_BYTES_MAX {
                self.kept = Vec::new();
            }
        } else if self.start >= self.kept.len() / 2 {
            // At most as many bytes are moved as were handed out since the last time.
            self.compact();
        }
        Ok(())
    }

    fn compact(&mut self) {
        self.kept.drain(..self.start);
        self.start = 0;
    }
}

enum Header {
    Word(FourLetterWord),
    Frame { len: usize },
}

/// The first four of `bytes`: stock looks for a word before it looks at the length.
fn header(phase: DecoderPhase, len_max: u32, bytes: &[u8]) -> Result<Header, FrameError> {
    let first = *bytes.first_chunk::<FRAME_HEADER_BYTES>().expect("the caller has looked");
    if phase == DecoderPhase::Opening
        && let Some(word) = FourLetterWord::of(first)
    {
        return Ok(Header::Word(word));
    }
    let len = i32::from_be_bytes(first);
    match u32::try_from(len) {
        Ok(unsigned) if unsigned <= len_max => Ok(Header::Frame { len: unsigned as usize }),
        _ => Err(FrameError::Length { len, len_max }),
    }
}

/// Hands out the complete frames of `bytes` until asked to stop; returns how many bytes are done
/// with.
#[inline]
fn advance(
    mut phase: DecoderPhase,
    len_max: u32,
    bytes: &[u8],
    on_frame: &mut impl FnMut(&[u8]) -> Flow,
) -> Result<(DecoderPhase, usize), FrameError> {
    let mut consumed = 0;
    while bytes.len() - consumed >= FRAME_HEADER_BYTES {
        let len = match header(phase, len_max, &bytes[consumed..])? {
            Header::Word(word) => {
                return Ok((DecoderPhase::Word(word), consumed + FRAME_HEADER_BYTES));
            }
            Header::Frame { len } => len,
        };
        let start = consumed + FRAME_HEADER_BYTES;
        let Some(frame) = bytes.get(start..start + len) else { break };
        match on_frame(frame) {
            Flow::Continue => {}
            Flow::PauseAfter => return Ok((DecoderPhase::Paused { opening: false }, start + len)),
            Flow::PauseBefore => {
                return Ok((
                    DecoderPhase::Paused { opening: phase == DecoderPhase::Opening },
                    consumed,
                ));
            }
        }
        phase = DecoderPhase::Established;
        consumed = start + len;
    }
    Ok((phase, consumed))
}
