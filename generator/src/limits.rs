//! Every bound of the load generator.

use std::time::Duration;

/// Connections in flight. Each takes a descriptor here and one on the server.
pub(super) const CONNECTIONS_MAX: u32 = 60_000;
/// Connections from one address to a server on this machine: ten fewer than ZooKeeper's default
/// of maxClientCnxns, for those that are about to close.
pub(super) const SOURCE_CONNECTIONS_MAX: usize = 50;
/// Connections if neither the command line nor the workload gives a number: from one address.
pub(super) const CONNECTIONS_DEFAULT: u32 = 50;
/// Requests in flight on one connection.
pub(super) const PIPELINE_MAX: u32 = 65_536;
/// Nodes of the keyspace: seven digits of a name.
pub(super) const NODES_MAX: u32 = 10_000_000;
/// Nodes below one parent before the next parent is used.
pub(super) const NODES_PER_PARENT: u32 = 1_000;
/// Parents: three digits of a name. After the last the first is used again.
pub(super) const PARENTS_MAX: u32 = 1_000;
/// Data of a node: what a server with the default `jute.maxbuffer` accepts with its path.
pub(super) const SIZE_MAX: u32 = 1_000_000;
/// The longest frame that is accepted.
pub(super) const REPLY_BYTES_MAX: u32 = 256 << 20;
/// The timeout requested for each session, in ms.
pub(super) const SESSION_TIMEOUT_MS: i32 = 30_000;
/// How long to wait for a connection or an answer outside the loop.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(20);
/// How long the loop runs without any answer before the server counts as stuck.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How long one wait for completions lasts: how often the clock is read when nothing happens.
pub(super) const TURN_WAIT: Duration = Duration::from_millis(50);
/// Pause between two attempts while a server is starting.
pub(super) const READY_PAUSE: Duration = Duration::from_millis(1);
/// Requests per second of an open loop.
pub(super) const RATE_MAX: u32 = 10_000_000;
/// The seed of the random numbers, which is fixed: the same requests in each run.
pub(super) const SEED: u64 = 0x5eed;
/// Seconds that the results list: a day.
pub(super) const SECONDS_MAX: usize = 86_400;
/// Operations that are due and wait in the generator; more are dropped and counted.
pub(super) const BACKLOG_MAX: usize = 1_000_000;
/// Operations of an open loop that become due in one turn. If more are due, they do so in the next
/// ones: a turn that took all of them would be the longer the later it is, and read no answers.
pub(super) const ARRIVALS_PER_TURN_MAX: usize = 1_024;
/// Operations of an open loop on one connection; others wait until one of these ends.
pub(super) const OPEN_LOOP_IN_FLIGHT_MAX: usize = 1_024;
/// Sessions with a connection of their own at once.
pub(super) const VISITS_MAX: usize = 10_000;
/// Connections that wait for their session at once in a storm.
pub(super) const ATTACHING_MAX: usize = 512;
/// The same before the run, outside of storms: ZooKeeper listens with a backlog of 50, and a client
/// that finds it full retries after a second.
pub(super) const OPENING_MAX: usize = 32;
/// Requests in flight while the tree is created, on each connection.
pub(super) const PREPARE_IN_FLIGHT: usize = 64;
/// Pause before a lost connection is reopened.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Pause before a client asks again which server leads.
pub(super) const PLACE_PAUSE: Duration = Duration::from_millis(20);
/// How long to wait for the last answers of an open loop.
pub(super) const DRAIN_WAIT: Duration = Duration::from_secs(5);
/// How long to wait for the ends of the sessions.
pub(super) const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// The player does not sleep for less than this, in ns: an arrival would be late.
pub(super) const SLEEP_NS_MIN: u64 = 20_000;
/// How long a server may take to say what it is, in ns: a frozen one never does.
pub(super) const INQUIRY_NS_MAX: u64 = 500_000_000;
/// Pause between two rounds of that question, in ns.
pub(super) const INQUIRY_PAUSE_NS: u64 = 50_000_000;
/// How often its answers are looked for, in ns.
pub(super) const INQUIRY_POLL_NS: u64 = 1_000_000;
/// Of such an answer: longer ones are cut.
pub(super) const INQUIRY_BYTES_MAX: usize = 16_384;
/// How often faults and servers that were started here are looked at, in ns.
pub(super) const FAULT_POLL_NS: u64 = 10_000_000;
/// How long a fault waits for a server that is what it is for, in ns: for the end of an election.
pub(super) const FAULT_CHOICE_NS: u64 = 30_000_000_000;
/// How long incidents are still excused after a fault, in ns: what it caused may show later.
pub(super) const FAULT_GRACE_NS: u64 = 3_000_000_000;
/// How long a server may take to serve again, in ns.
pub(super) const RETURN_NS_MAX: u64 = 60_000_000_000;
/// How long a server may take to end when asked to, in ns.
pub(super) const TERM_NS_MAX: u64 = 20_000_000_000;
/// How long a slow server is frozen, and how long it runs, in turn, in ns.
pub(super) const SLOW_STOPS_NS: u64 = 80_000_000;
pub(super) const SLOW_RUNS_NS: u64 = 20_000_000;
/// How long the servers of an ensemble may take to serve, and the pause between two looks.
pub(super) const SERVING_WAIT: Duration = Duration::from_secs(90);
pub(super) const SERVING_PAUSE: Duration = Duration::from_millis(10);
/// How long to wait after the end until no fault is left and every client has its session.
pub(super) const SETTLE_WAIT: Duration = Duration::from_secs(90);
/// How long to measure, if neither the command line nor the workload says.
pub(super) const SECONDS_DEFAULT: u64 = 10;
/// Servers of an ensemble.
pub(super) const ENSEMBLE_MAX: u32 = 9;
/// Of a server's output, what is shown when it has ended.
pub(super) const OUTPUT_BYTES_SHOWN: u64 = 4_096;
pub(super) const OUTPUT_LINES_SHOWN: usize = 5;
/// How often connections are checked for silence, in ns: the precision of the time of a stall.
pub(super) const SILENCE_CHECK_NS: u64 = 20_000_000;
/// The rate that a ramp tries first, by default.
pub(super) const RAMP_RATE_FIRST: u32 = 1_000;
/// Rates that a ramp tries after the first that failed, each halfway: the result is within a
/// sixteenth of the last doubling.
pub(super) const RAMP_HALVINGS: usize = 4;
/// Elements at the head of a queue that are tried before it is relisted.
pub(super) const QUEUE_HEAD_MAX: usize = 8;
/// Operations of one workload.
pub(super) const OPS_MAX: usize = 64;
/// Incidents that are listed.
pub(super) const INCIDENTS_MAX: usize = 1_000;
/// Incidents of a kind that are at most this far apart are merged, in ns.
pub(super) const INCIDENT_MERGED_NS: u64 = 1_000_000_000;
/// Violations that are listed.
pub(super) const VIOLATIONS_MAX: usize = 20;
/// Shortest and longest latency that are distinguished, in ns: 64 ns to 100 s, three digits.
pub(super) const LATENCY_NS_MIN: u64 = 64;
/// Longer ones count as this.
pub(super) const LATENCY_NS_MAX: u64 = 100_000_000_000;

const _: () = assert!(CONNECTIONS_DEFAULT as usize <= SOURCE_CONNECTIONS_MAX);
const _: () = assert!(NODES_MAX / NODES_PER_PARENT / PARENTS_MAX == 10);
const _: () = assert!(SILENCE_MAX.as_nanos() < LATENCY_NS_MAX as u128);
