//! What one request costs at each stage of a server, and what things occupy.
//!
//! All times are seconds, all sizes bytes. Costs are those of a busy server, where a turn handles
//! several requests: at low load a request costs more, and nobody waits.

use crate::error::{InputError, at_least};

/// Batches in flight: the time of an answer grows with them.
const SLOTS_MAX: usize = 4_096;

/// One measured point of a device: a batch of so many bytes is durable after so long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Bytes of one batch; above the point before.
    pub bytes: f64,
    /// Mean time until it is durable, with all slots of the log in use; positive.
    pub seconds: f64,
}

/// The time until a batch is durable, by its bytes. Invariant: bytes rise, seconds do not fall.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    points: Vec<CurvePoint>,
}

impl Curve {
    /// A curve through measured points, which are sorted by bytes.
    ///
    /// # Errors
    /// There are no points, one is not positive, or they do not rise.
    pub fn new(points: Vec<CurvePoint>) -> Result<Self, InputError> {
        if points.is_empty() {
            return Err(InputError::CurveEmpty);
        }
        for point in &points {
            at_least("device.curve.bytes", point.bytes, 0.0)?;
            at_least("device.curve.seconds", point.seconds, 1e-9)?;
        }
        let falls = |pair: &[CurvePoint]| {
            pair[1].bytes <= pair[0].bytes || pair[1].seconds < pair[0].seconds
        };
        match points.windows(2).position(falls) {
            Some(at) => Err(InputError::CurveOrder { index: at + 1 }),
            None => Ok(Self { points }),
        }
    }

    /// The points, by their bytes.
    pub fn points(&self) -> &[CurvePoint] {
        &self.points
    }

    /// The time of a batch: a straight line between points, the first point's time before it, and
    /// the last line continued behind the last.
    pub fn seconds_at(&self, bytes: f64) -> f64 {
        let points = &self.points;
        let at = points.partition_point(|point| point.bytes <= bytes);
        if at == 0 || points.len() == 1 {
            return points[0].seconds;
        }
        let after = at.min(points.len() - 1);
        let (left, right) = (points[after - 1], points[after]);
        let slope = (right.seconds - left.seconds) / (right.bytes - left.bytes);
        left.seconds + slope * (bytes - left.bytes)
    }

    /// The same device, with all its times multiplied.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let scale = |point: &CurvePoint| CurvePoint { seconds: point.seconds * factor, ..*point };
        Self { points: self.points.iter().map(scale).collect() }
    }
}

/// The log's device.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Time until a batch is durable.
    pub curve: Curve,
    /// How times vary around the curve: variance by squared mean. 0 is a clock, 1 exponential.
    pub scv: f64,
    /// Batches in flight at most.
    pub slots: usize,
    /// The largest batch.
    pub batch_bytes_max: f64,
    /// Of the log, in addition to the node's path and data.
    pub record_overhead_bytes: f64,
}

/// Time of a core for one request. A write visits its shard twice: each visit is half of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cores {
    /// A shard, for a read: from the frame to the reply.
    pub shard_read_s: f64,
    /// A shard, for a write: the frame and, later, the reply.
    pub shard_write_s: f64,
    /// A shard, for a ping of an idle session.
    pub shard_ping_s: f64,
    /// The leader's ordering core, for a write: decided, applied, encoded, in the batch.
    pub ordering_write_s: f64,
    /// The leader's ordering core, for each write and each other server: proposal, ack, commit.
    pub peer_write_s: f64,
    /// The ordering core of any other server, for a write of the ensemble.
    pub follow_write_s: f64,
    /// How these vary: variance by squared mean.
    pub scv: f64,
}

/// The network of a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Each direction of the server's interface.
    pub bytes_per_s: f64,
    /// Between two servers, there and back.
    pub server_round_trip_s: f64,
    /// Between a client and its server, there and back, with the client's own time.
    pub client_round_trip_s: f64,
    /// What a message has besides the node's path and data, headers of the network included.
    pub frame_bytes: f64,
}

/// What things occupy in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// The process without data.
    pub base_bytes: f64,
    /// A node, besides its path and data.
    pub node_overhead_bytes: f64,
    /// A session, which every server knows.
    pub session_bytes: f64,
    /// A connection, at its server.
    pub connection_bytes: f64,
    /// A watch, at the server of its session.
    pub watch_bytes: f64,
}

/// Everything that is measured about one kind of server.
#[derive(Clone, Debug, PartialEq)]
pub struct Costs {
    /// Of the cores.
    pub cores: Cores,
    /// Of the log.
    pub device: Device,
    /// Of the wire.
    pub network: Network,
    /// Of what is kept.
    pub memory: Memory,
}

impl Costs {
    /// A server of 2024 with protected flash and 10 Gbit/s: to try the model, not to plan with.
    ///
    /// # Panics
    /// Never: the curve is a constant.
    pub fn example() -> Self {
        let curve = [(4096.0, 30e-6), (16_384.0, 36e-6), (65_536.0, 60e-6), (1_048_576.0, 600e-6)];
        let points = curve.map(|(bytes, seconds)| CurvePoint { bytes, seconds }).to_vec();
        Self {
            cores: Cores {
                shard_read_s: 3e-6,
                shard_write_s: 4e-6,
                shard_ping_s: 2e-6,
                ordering_write_s: 4e-6,
                peer_write_s: 0.5e-6,
                follow_write_s: 2e-6,
                scv: 0.5,
            },
            device: Device {
                curve: Curve::new(points).expect("it rises"),
                scv: 0.1,
                slots: 4,
                batch_bytes_max: 1_048_576.0,
                record_overhead_bytes: 120.0,
            },
            network: Network {
                bytes_per_s: 1.25e9,
                server_round_trip_s: 100e-6,
                client_round_trip_s: 150e-6,
                frame_bytes: 120.0,
            },
            memory: Memory {
                base_bytes: 64e6,
                node_overhead_bytes: 150.0,
                session_bytes: 200.0,
                connection_bytes: 4096.0,
                watch_bytes: 100.0,
            },
        }
    }

    /// Checks that every number is finite and in its range.
    ///
    /// # Errors
    /// Names the first field that is not.
    pub fn check(&self) -> Result<(), InputError> {
        let (cores, device) = (&self.cores, &self.device);
        let (network, memory) = (&self.network, &self.memory);
        let least = [
            ("cores.shard_read_s", cores.shard_read_s, 1e-9),
            ("cores.shard_write_s", cores.shard_write_s, 1e-9),
            ("cores.shard_ping_s", cores.shard_ping_s, 0.0),
            ("cores.ordering_write_s", cores.ordering_write_s, 1e-9),
            ("cores.peer_write_s", cores.peer_write_s, 0.0),
            ("cores.follow_write_s", cores.follow_write_s, 1e-9),
            ("cores.scv", cores.scv, 0.0),
            ("device.scv", device.scv, 0.0),
            ("device.slots", device.slots as f64, 1.0),
            ("device.batch_bytes_max", device.batch_bytes_max, 1.0),
            ("device.record_overhead_bytes", device.record_overhead_bytes, 0.0),
            ("network.bytes_per_s", network.bytes_per_s, 1.0),
            ("network.server_round_trip_s", network.server_round_trip_s, 0.0),
            ("network.client_round_trip_s", network.client_round_trip_s, 0.0),
            ("network.frame_bytes", network.frame_bytes, 1.0),
            ("memory.base_bytes", memory.base_bytes, 0.0),
            ("memory.node_overhead_bytes", memory.node_overhead_bytes, 0.0),
            ("memory.session_bytes", memory.session_bytes, 0.0),
            ("memory.connection_bytes", memory.connection_bytes, 0.0),
            ("memory.watch_bytes", memory.watch_bytes, 0.0),
        ];
        least.into_iter().try_for_each(|(name, value, min)| at_least(name, value, min))?;
        if device.slots > SLOTS_MAX {
            let (name, value) = ("device.slots", device.slots as f64);
            return Err(InputError::TooMany { name, value, max: SLOTS_MAX as f64 });
        }
        Ok(())
    }
}
