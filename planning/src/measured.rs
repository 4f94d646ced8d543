//! Costs that were measured once, to plan with until there are own ones.

use crate::costs::{Cores, Costs, Curve, CurvePoint, Device, Memory, Network};

/// Fields of [`Costs::measured`] that are assumed, as one machine cannot measure them by itself.
pub const ASSUMED: [&str; 9] = [
    "cores.shard_ping_s",
    "cores.peer_write_s",
    "cores.follow_write_s",
    "cores.scv",
    "network.bytes_per_s",
    "network.server_round_trip_s",
    "network.frame_bytes",
    "memory.session_bytes",
    "memory.watch_bytes",
];

impl Costs {
    /// Costs measured on one machine: two threads of an AMD EPYC as a virtual machine, ext4 on a
    /// virtual disk with a volatile cache, the release's options without link-time optimisation,
    /// generator and server on the same machine, other processes beside them. Figures of repeated
    /// rounds differ by a tenth for cores and by a third for the device: own ones are better.
    ///
    /// - Cores: CPU time of the server per operation in a closed loop of 200 connections with one
    ///   request each, the median of five rounds: 6.6 us for a read (6.1 to
    ///   6.8), 11.1 us for a write (9.2 to 12.5). A write's part on the shard is taken for that of
    ///   a read; the rest of it is the ordering core's. Where clients have many requests in flight
    ///   (16 on each of 50 connections) a read costs 0.64 us and a write 2.3 us.
    /// - Device: `ringkeeper probe`, durability `flush`, four in flight: 4 KiB 205 us, 16 KiB
    ///   256 us, 64 KiB 329 us, 256 KiB 654 us, 1 MiB 2,402 us.
    /// - Network: the median of a lone read over loopback is 127 us, most of it the waking of both
    ///   sides; the way between machines comes on top.
    /// - Memory, resident: 21 MB when started; 251 bytes for each of 200,000 nodes of 120 bytes;
    ///   2,023 bytes for each of 4,000 idle connections with its session.
    ///
    /// What no measurement of one machine shows is listed in [`ASSUMED`].
    ///
    /// # Panics
    /// Never: the curve is a constant.
    pub fn measured() -> Self {
        let curve = [
            (4_096.0, 205e-6),
            (16_384.0, 256e-6),
            (65_536.0, 329e-6),
            (262_144.0, 654e-6),
            (1_048_576.0, 2_402e-6),
        ];
        let points = curve.map(|(bytes, seconds)| CurvePoint { bytes, seconds }).to_vec();
        Self {
            cores: Cores {
                shard_read_s: 6.6e-6,
                shard_write_s: 6.6e-6,
                shard_ping_s: 6.6e-6,
                ordering_write_s: 4.5e-6,
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
                client_round_trip_s: 120e-6,
                frame_bytes: 120.0,
            },
            memory: Memory {
                base_bytes: 21e6,
                node_overhead_bytes: 131.0,
                session_bytes: 200.0,
                connection_bytes: 1_823.0,
                watch_bytes: 100.0,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_sound() {
        Costs::measured().check().unwrap();
    }
}
