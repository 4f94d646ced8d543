//! The costs by name: for files, for tables, and to say where each is from.

use planning::Costs;

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Of a count, or a ratio.
    Plain,
}

/// One number among the costs.
pub(super) struct Field {
    /// `table.key`, as in files.
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    /// What it is, for a person.
    pub(super) about: &'static str,
    pub(super) read: fn(&Costs) -> f64,
    pub(super) write: fn(&mut Costs, f64),
}

/// The device's curve, which is no single number.
pub(super) const CURVE: &str = "device.curve";

macro_rules! fields {
    ($($table:ident.$key:ident $unit:ident $about:literal)*) => {
        /// All of them, table by table.
        pub(super) static FIELDS: &[Field] = &[$(Field {
            name: concat!(stringify!($table), ".", stringify!($key)),
            unit: Unit::$unit,
            about: $about,
            read: |costs| costs.$table.$key,
            write: |costs, value| costs.$table.$key = value,
        },)* Field {
            name: "device.slots",
            unit: Unit::Plain,
            about: "batches in flight at most",
            read: |costs| costs.device.slots as f64,
            write: |costs, value| costs.device.slots = value.max(0.0) as usize,
        }];
    };
}

fields! {
    cores.shard_read_s Seconds "a shard, for a read"
    cores.shard_write_s Seconds "a shard, for a write"
    cores.shard_ping_s Seconds "a shard, for a ping of an idle session"
    cores.ordering_write_s Seconds "the leader's ordering core, for a write"
    cores.peer_write_s Seconds "the leader's ordering core, for a write and each other server"
    cores.follow_write_s Seconds "the ordering core of any other server, for a write"
    cores.scv Plain "how these times vary: variance by squared mean"
    network.bytes_per_s BytesPerSecond "each direction of a server's interface"
    network.server_round_trip_s Seconds "between two servers, there and back"
    network.client_round_trip_s Seconds "between a client and its server, there and back"
    network.frame_bytes Bytes "of a message, besides path and data"
    memory.base_bytes Bytes "the process without data"
    memory.node_overhead_bytes Bytes "a node, besides its path and data"
    memory.session_bytes Bytes "a session, at every server"
    memory.connection_bytes Bytes "a connection, at its server"
    memory.watch_bytes Bytes "a watch, at its server"
    device.scv Plain "how its times vary: variance by squared mean"
    device.batch_bytes_max Bytes "the largest batch"
    device.record_overhead_bytes Bytes "of the log for a write, besides path and data"
}

/// A field by its name.
pub(super) fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|it| it.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_written_where_it_is_read() {
        for field in FIELDS {
            let mut costs = Costs::example();
            (field.write)(&mut costs, 7.0);
            assert_eq!((field.read)(&costs).to_bits(), 7.0_f64.to_bits(), "{}", field.name);
            let changed = FIELDS
                .iter()
                .filter(|it| (it.read)(&costs).to_bits() != (it.read)(&Costs::example()).to_bits());
            assert_eq!(changed.map(|it| it.name).collect::<Vec<_>>(), [field.name]);
        }
    }
}
