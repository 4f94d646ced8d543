//! What the probe finds on each kind of disk, roughly: typical figures, none of them measured.
//! The pictures and the sentences in `docs/disks` follow from them.
//!
//! A durable write takes as long as the device needs for it, or longer if more are in flight than
//! the device works on at once, or than its rate allows.

use super::disk::{SIZES, SLOTS};
use super::{DiskReport, Point, Reads, Sustained};
use crate::profile::DiskClass;
use disk::probe::{DeviceCache, DirectIo, Probe};

/// A disk, typical of its kind. Lives in: tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Typical {
    pub(crate) class: DiskClass,
    pub(crate) file_system: &'static str,
    /// What the device says of its cache.
    cache: Option<DeviceCache>,
    /// What a write takes that is durable by itself, whatever its length.
    durable_us: f64,
    /// What a write takes that is not, and the flush behind it.
    write_us: f64,
    flush_us: f64,
    /// On how many writes it works at the same time.
    at_once: f64,
    mib_per_second: f64,
    /// How much longer the slowest of a hundred take.
    tail: f64,
    /// The share of its rate that it keeps under sustained writes.
    kept: f64,
    /// Reads alone, and beside the log.
    read_us: (u64, u64),
}

const THROUGH: Option<DeviceCache> = Some(DeviceCache { is_volatile: false, has_fua: false });
const BACK: Option<DeviceCache> = Some(DeviceCache { is_volatile: true, has_fua: false });
const BACK_WITH_FUA: Option<DeviceCache> = Some(DeviceCache { is_volatile: true, has_fua: true });

pub(crate) const TYPICAL: [Typical; 7] = [
    Typical {
        class: DiskClass::NvmeProtected,
        file_system: "xfs",
        cache: THROUGH,
        durable_us: 20.0,
        write_us: 20.0,
        flush_us: 15.0,
        at_once: 4.0,
        mib_per_second: 2_000.0,
        tail: 3.0,
        kept: 0.95,
        read_us: (80, 95),
    },
    Typical {
        class: DiskClass::NvmePlain,
        file_system: "xfs",
        cache: BACK_WITH_FUA,
        durable_us: 800.0,
        write_us: 15.0,
        flush_us: 1_500.0,
        at_once: 4.0,
        mib_per_second: 1_000.0,
        tail: 4.0,
        kept: 0.4,
        read_us: (70, 400),
    },
    Typical {
        class: DiskClass::SataSsd,
        file_system: "xfs",
        cache: BACK,
        durable_us: 600.0,
        write_us: 60.0,
        flush_us: 700.0,
        at_once: 4.0,
        mib_per_second: 500.0,
        tail: 4.0,
        kept: 0.8,
        read_us: (100, 350),
    },
    Typical {
        class: DiskClass::NetworkBlock,
        file_system: "xfs",
        cache: THROUGH,
        durable_us: 800.0,
        write_us: 800.0,
        flush_us: 20.0,
        at_once: 16.0,
        mib_per_second: 250.0,
        tail: 5.0,
        kept: 1.0,
        read_us: (500, 600),
    },
    Typical {
        class: DiskClass::VirtioVm,
        file_system: "ext4",
        cache: BACK,
        durable_us: 250.0,
        write_us: 60.0,
        flush_us: 250.0,
        at_once: 4.0,
        mib_per_second: 1_000.0,
        tail: 8.0,
        kept: 0.9,
        read_us: (120, 200),
    },
    Typical {
        class: DiskClass::Rotating,
        file_system: "xfs",
        cache: BACK,
        durable_us: 8_300.0,
        write_us: 100.0,
        flush_us: 8_300.0,
        at_once: 2.0,
        mib_per_second: 180.0,
        tail: 2.5,
        kept: 1.0,
        read_us: (9_000, 17_000),
    },
    Typical {
        class: DiskClass::RamDisk,
        file_system: "tmpfs",
        cache: None,
        durable_us: 10.0,
        write_us: 9.0,
        flush_us: 4.0,
        at_once: 1.0,
        mib_per_second: 4_000.0,
        tail: 3.0,
        kept: 1.0,
        read_us: (8, 15),
    },
];

impl Typical {
    /// What the probe would report.
    pub(crate) fn report(&self) -> DiskReport {
        let mut points = Vec::new();
        for durability in ["dsync", "flush"] {
            for bytes in SIZES {
                points.extend(SLOTS.map(|slots| self.point(durability, bytes, slots)));
            }
        }
        let share = |step: i32| 1.0 - (1.0 - self.kept) * f64::from(step) / 11.0;
        let steps = (0..12).map(|step| self.mib_per_second * share(step).max(self.kept));
        let (alone_p50_us, beside_p50_us) = self.read_us;
        let beside_p99_us = (beside_p50_us as f64 * self.tail) as u64;
        DiskReport {
            file_bytes: 128 << 20,
            points,
            polled: None,
            sustained: Sustained { mib_per_second: steps.collect() },
            reads: Some(Reads { alone_p50_us, beside_p50_us, beside_p99_us }),
        }
    }

    /// What its file system and the device would say.
    pub(crate) fn said(&self) -> Probe {
        Probe {
            file_system: self.file_system.to_owned(),
            is_memory: self.class == DiskClass::RamDisk,
            is_overlay: false,
            direct_io: DirectIo::Works,
            cache: self.cache,
            flush_time: None,
            free_bytes: 1 << 40,
        }
    }

    fn point(&self, durability: &'static str, bytes: usize, slots: usize) -> Point {
        let transfer = bytes as f64 / f64::from(1 << 20) / self.mib_per_second * 1e6;
        let in_flight = slots as f64;
        let us = if durability == "dsync" {
            let alone = self.durable_us + transfer;
            alone.max(in_flight * transfer.max(alone / self.at_once))
        } else {
            let written = self.write_us * (in_flight / self.at_once).max(1.0);
            written + in_flight * transfer + self.flush_us
        };
        let times = |factor: f64| (us * factor).round() as u64;
        Point {
            durability,
            bytes,
            slots,
            count: 1_000,
            p50_us: times(1.0),
            p90_us: times(f64::midpoint(1.0, self.tail)),
            p99_us: times(self.tail),
            max_us: times(2.0 * self.tail),
            per_second: in_flight * 1e6 / us,
            rounds: vec![in_flight * 1e6 / us; 3],
            spread: 0.0,
        }
    }
}
