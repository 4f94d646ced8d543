//! Limits of the admin thread, with their arithmetic.

use std::time::Duration;

/// Words that wait for the admin thread; one more is closed unanswered.
pub const WORDS_WAITING_MAX: usize = 128;

/// Words that are answered at the same time.
pub const WORDS_AT_ONCE_MAX: usize = 128;

/// How many of those may hold an answer that grows with connections, sessions or watches.
pub const LARGE_AT_ONCE_MAX: usize = 4;

/// The longest answer; what goes beyond is cut off, and the answer says so.
pub const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Inquiries that wait in the inbox of one core loop.
pub const INQUIRIES_MAX: usize = 64;

/// Entries of one page of a report: what a core loop does for the admin thread at a time.
pub const PAGE_ENTRIES_MAX: usize = 1024;

/// What counts as a packet of an answer: the length of the buffer in which stock prints it.
pub const PACKET_BYTES: usize = 8192;

/// How long a core loop may leave an inquiry unanswered.
pub const INQUIRY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a peer may take none of its answer, or leave out a word's argument.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a word may take in all.
pub const WORD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a peer that was answered may leave its side open.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// How many HTTP connections are served at the same time, on each port.
pub const CONNECTIONS_MAX: usize = 32;

/// How long the answer to an HTTP request may take.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How long words that are being answered may take when the server stops.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// What is read, and thrown away, from a peer that was answered.
pub const LINGER_BYTES_MAX: usize = 64 << 10;

/// Depth to which directories are measured.
pub const DIRECTORY_DEPTH_MAX: usize = 8;

const _: () = assert!(
    LARGE_AT_ONCE_MAX * ANSWER_BYTES_MAX <= 128 << 20,
    "answers hold at most 128 MiB, whatever their peers do"
);
const _: () = assert!(INQUIRY_TIMEOUT.as_secs() < WORD_TIMEOUT.as_secs());
