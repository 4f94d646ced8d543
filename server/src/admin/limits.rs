//! Limits of the admin thread, with their arithmetic.

use std::time::Duration;

/// Words that wait for the admin thread; beyond that, connections are closed unanswered.
pub const WORDS_WAITING_MAX: usize = 1024;

/// Words that the thread has accepted and not answered yet.
pub const WORDS_AT_ONCE_MAX: usize = 4096;

/// Words and commands of one class that wait for memory for their answer; more are refused.
pub const ANSWERS_WAITING_MAX: usize = 1024;

/// Connections that were answered and whose peers have not closed their side.
pub const LINGERING_MAX: usize = 512;

/// The longest answer; more is cut off, and the answer says so.
pub const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Memory of answers that grow with connections, sessions or watches, while they are made and until
/// they are sent, except those to `stat`.
pub const LARGE_ANSWERS_BYTES_MAX: usize = 4 * ANSWER_BYTES_MAX;

/// Memory of answers to `stat`: they do not wait behind the large ones.
pub const STAT_ANSWERS_BYTES_MAX: usize = 2 * ANSWER_BYTES_MAX;

/// The longest list of metrics: 4,000 times a part of the tree, whose name has at most 256 bytes,
/// five lines at most, and those of fixed names.
pub const METRICS_BYTES_MAX: usize = 8 << 20;

/// Memory of lists of metrics, while they are made and until they are sent.
pub const METRICS_ANSWERS_BYTES_MAX: usize = 8 * METRICS_BYTES_MAX;

/// What a path of an answer costs beside its bytes while the answer is made.
pub const PATH_BYTES: usize = 64;

/// What a connection costs as JSON.
pub const CONNECTION_BYTES: usize = 512;

/// Inquiries of each kind that wait in the inbox of one core loop.
pub const INQUIRIES_MAX: usize = 64;

/// Inquiries with a short answer that a core loop answers in one turn.
pub const BRIEF_PER_TURN_MAX: usize = 16;

/// What a core loop examines for one page of a report, and so in one turn.
pub const PAGE_ENTRIES_MAX: usize = 1024;

/// Quotas of one page: for each, two nodes are looked up and read.
pub const QUOTAS_PER_PAGE: usize = 128;

/// What counts as a packet of an answer: the length of the buffer in which stock prints it.
pub const PACKET_BYTES: usize = 8192;

/// How long a core loop may leave an inquiry unanswered.
pub const INQUIRY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a peer may read nothing of its answer, or withhold a word's argument.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a peer may read nothing of its answer while others wait for the memory that it holds.
pub const STALL_WANTED_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a peer may take to read its answer.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// How long it may take while others wait for the memory that the answer holds.
pub const SEND_WANTED_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a word may wait for memory for its answer.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a peer that was answered may leave its side open.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// HTTP connections on each port; for another one, the connection that has been silent longest is
/// closed.
pub const CONNECTIONS_MAX: usize = 256;

/// HTTP requests for large answers that wait on each port; more are asked to retry later.
pub const LARGE_REQUESTS_WAITING_MAX: usize = 64;

/// How long the answer to an HTTP request may take.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest form that is read from a request.
pub const FORM_BYTES_MAX: usize = 200_000;

/// The longest order that is read from a request.
pub const ORDER_BYTES_MAX: usize = 4096;

/// Connections that are shed in a second, unless an order says another number.
pub const SHED_PER_SECOND: u32 = 200;

/// The greatest number that it may say.
pub const SHED_PER_SECOND_MAX: u32 = 100_000;

/// How long a busy connection is waited for before it is left, unless an order says otherwise.
pub const SHED_PATIENCE_MS: u32 = 30_000;

/// The longest that it may say.
pub const SHED_PATIENCE_MS_MAX: u32 = 600_000;

/// How long the answers in progress may take when the server stops.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// How much is read and discarded from a peer that was answered.
pub const LINGER_BYTES_MAX: usize = 64 << 10;

/// Depth to which directories are measured.
pub const DIRECTORY_DEPTH_MAX: usize = 8;

const _: () = assert!(
    LARGE_ANSWERS_BYTES_MAX + STAT_ANSWERS_BYTES_MAX + METRICS_ANSWERS_BYTES_MAX <= 256 << 20,
    "answers hold at most 256 MiB, whatever their peers do"
);
const _: () = assert!(
    4 * engine::meter::PARTS_MAX * 5 * (engine::meter::PART_BYTES_MAX + 64) < METRICS_BYTES_MAX,
    "a list of metrics is never cut"
);
const _: () = assert!(2 * LARGE_REQUESTS_WAITING_MAX < CONNECTIONS_MAX, "others are answered");
const _: () = assert!(INQUIRY_TIMEOUT.as_secs() < SEND_TIMEOUT.as_secs());
