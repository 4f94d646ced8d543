//! Which profile the server runs by: one's own, then those that the program has for such a disk
//! and such a machine.

mod command;
mod costs;

pub use command::{ProfileArgs, ProfileFailed, profile};
pub(crate) use costs::costs;

use crate::config::{Config, decided};
use disk::Durability;
use disk::probe::{DirectIo, Probe};
use ring::RingConfig;
use std::fmt;
use std::path::Path;
use tuning::placement::PlacementOptions;
use tuning::profile::{
    DiskClass, DiskFacts, Knob, Machine, MachineClass, Profile, ProfileError, SHIPPED, shipped,
};
use tuning::{Kernel, Topology};

/// What was chosen, and from what.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// All that is decided.
    pub profile: Profile,
    /// The profile that is configured, if it is used.
    pub own: Option<String>,
    /// The kind of disk, where it was recognised.
    pub disk: Option<DiskClass>,
    /// The kind of machine.
    pub machine: MachineClass,
    /// Why a configured profile is not used.
    pub warning: Option<String>,
}

/// Chooses for a machine of this topology; `disk` is of the log.
///
/// # Errors
/// The configured profile cannot be read.
pub fn choose(
    configured: Option<&Path>,
    topology: &Topology,
    disk: Option<&DiskFacts>,
) -> Result<Chosen, ProfileError> {
    let machine = MachineClass::of(topology, std::env::consts::ARCH);
    let class = disk.and_then(DiskFacts::class);
    let (mut own, mut warning) = (configured.map(named).transpose()?, None);
    if let Some(Profile { machine: Some(of), name, .. }) = &own {
        let mut this = Machine::of(&Kernel::default(), topology, disk);
        if disk.is_none() {
            // The rest is compared.
            (this.disk, this.file_system) = (of.disk.clone(), of.file_system.clone());
        }
        if this != *of {
            warning = Some(format!(
                "the profile {name} was made on another machine ({of}), this is {this}: it is not \
                 used; `ringkeeper probe DIR --profile FILE` makes one here, and without its table \
                 [machine] it is used anywhere"
            ));
            own = None;
        }
    }
    let name = own.as_ref().map(|profile| profile.name.clone());
    let mut profile = own.unwrap_or_else(|| Profile::new("none", "Nothing was configured."));
    if let Some(class) = class {
        profile = profile.over(shipped(class.name()));
    }
    let profile = profile.over(shipped(machine.name()));
    Ok(Chosen { profile, own: name, disk: class, machine, warning })
}

/// A profile by its name, or in a file.
fn named(configured: &Path) -> Result<Profile, ProfileError> {
    let name = configured.to_str().unwrap_or_default();
    if SHIPPED.iter().any(|it| it.0 == name) {
        Ok(shipped(name))
    } else {
        Profile::read(configured)
    }
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(own) = &self.own {
            write!(f, "{own}; then ")?;
        }
        match self.disk {
            Some(disk) => write!(f, "{} for the disk, ", disk.name())?,
            None => write!(f, "none for the disk, ")?,
        }
        write!(f, "{} for the machine", self.machine.name())
    }
}

/// How writes of the log become durable.
pub fn durability(config: &Config, profile: &Profile, said: &Probe) -> Durability {
    let decided = match config.log.durability {
        decided::Durability::Dsync => return Durability::Dsync,
        decided::Durability::Flush => return Durability::FlushAfter,
        decided::Durability::Buffered => return Durability::BufferedFlush,
        decided::Durability::Auto => profile.word(Knob::LogDurability),
    };
    match decided {
        // No profile makes a file system take direct writes.
        _ if said.direct_io != DirectIo::Works => said.durability(),
        Some("dsync") => Durability::Dsync,
        Some("flush") => Durability::FlushAfter,
        Some("buffered") => Durability::BufferedFlush,
        _ => said.durability(),
    }
}

/// How many writes of the log are in flight, where the profile decides that for this durability.
pub fn slots(config: &Config, profile: &Profile, durability: Durability) -> Option<usize> {
    if let Some(slots) = config.log.slots {
        return Some(slots.into());
    }
    let word = match durability {
        Durability::Dsync => "dsync",
        Durability::FlushAfter => "flush",
        Durability::BufferedFlush => "buffered",
    };
    let is_meant = profile.word(Knob::LogDurability).is_none_or(|decided| decided == word);
    // Those of a disk's profile are meant for its own durability, not for what another one decides.
    let by = |knob| profile.decisions.get(&knob).map(|it| it.by.as_str());
    let is_own = by(Knob::LogSlots) == Some(profile.name.as_str());
    let goes_along = is_own || by(Knob::LogSlots) == by(Knob::LogDurability);
    let slots = profile.number(Knob::LogSlots).filter(|_| is_meant && goes_along);
    slots.map(|slots| slots as usize)
}

/// While one run of the log ends and the next begins there are four segments; that many take half
/// of what is free.
const SEGMENT_FREE_DIVISOR: u64 = 8;
const MIB: u64 = 1 << 20;

/// The length of a segment of the log: what is configured, or what the profile decides, if there is
/// room on the disk, and if that holds what clients may write.
pub fn segment_bytes(config: &Config, profile: &Profile, said: &Probe) -> u64 {
    let log = &config.log;
    if log.is_segment_configured {
        return log.segment_bytes;
    }
    let decided = profile.number(Knob::LogSegmentMib).map(|mib| u64::from(mib) * MIB);
    let room = said.free_bytes / SEGMENT_FREE_DIVISOR / MIB * MIB;
    decided.unwrap_or(log.segment_bytes).min(room).max(log.segment_bytes_min)
}

/// What is decided about a loop's ring.
pub fn ring(profile: &Profile) -> RingConfig {
    let usual = RingConfig::default();
    let number = |knob, usual: u32| profile.number(knob).unwrap_or(usual);
    let entries = number(Knob::RingEntries, usual.entries);
    let buffers = number(Knob::RingBuffers, usual.receive_buffers.into());
    RingConfig {
        entries,
        cq_entries: number(Knob::RingCompletions, usual.cq_entries).max(entries),
        receive_buffers: u16::try_from(buffers).unwrap_or(usual.receive_buffers),
        receive_buffer_bytes: number(Knob::RingBufferBytes, usual.receive_buffer_bytes),
        ..usual
    }
}

/// What the configuration and the profile say about where roles run. The disks of the log are not
/// in it.
pub fn placement_options(config: &Config, profile: &Profile) -> PlacementOptions {
    let decided::Placement { shards, cpus, unpinned, spin_us } = config.placement.clone();
    PlacementOptions {
        shards,
        cpus,
        unpinned,
        spin_us,
        profile_spin_us: profile.number(Knob::LoopSpinUs),
        profile_unpinned: profile.flag(Knob::LoopPin) == Some(false),
        log_disks: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;
    use tuning::profile::Value;

    fn said() -> Probe {
        Probe {
            file_system: "xfs".to_owned(),
            is_memory: false,
            is_overlay: false,
            direct_io: DirectIo::Works,
            cache: None,
            flush_time: None,
            free_bytes: 1 << 40,
        }
    }

    #[test]
    fn a_profile_decides_the_length_of_segments_that_are_not_configured() {
        let mut own = Profile::new("own", "Mine.");
        let on = |free_mib: u64, set: &str, profile: &Profile| {
            let sets = Some(set.to_owned()).filter(|set| !set.is_empty()).into_iter().collect();
            let sources = Sources { sets, ..Sources::default() };
            let said = Probe { free_bytes: free_mib << 20, ..said() };
            segment_bytes(&crate::config::load(&sources).unwrap().config, profile, &said) >> 20
        };
        let with = |set: &str, profile: &Profile| on(100_000, set, profile);
        assert_eq!(with("", &own), 64);
        own.decide(Knob::LogSegmentMib, Value::Number(32), String::new(), None);
        assert_eq!(with("", &own), 32);
        assert_eq!(with("preAllocSize=65536", &own), 64);
        assert_eq!(with("ring.log.segmentMb=128", &own), 128);
        assert_eq!(with("jute.maxbuffer=52428800", &own), 200);
        // A small disk has small segments, unless they are configured.
        own.decide(Knob::LogSegmentMib, Value::Number(256), String::new(), None);
        assert_eq!([10_000, 2_000, 1_000, 100].map(|free| on(free, "", &own)), [256, 250, 125, 16]);
        assert_eq!(on(300, "", &Profile::new("own", "Mine.")), 37);
        assert_eq!(on(100, "ring.log.segmentMb=128", &own), 128);
        assert_eq!(on(100, "jute.maxbuffer=52428800", &own), 200);
    }

    #[test]
    fn writes_in_flight_go_with_the_durability_that_they_were_decided_for() {
        let config = crate::config::load(&Sources::default()).unwrap().config;
        let disk = || shipped("virtio-vm");
        assert_eq!(slots(&config, &disk(), Durability::Dsync), Some(4));
        assert_eq!(slots(&config, &disk(), Durability::FlushAfter), None);
        let mut own = Profile::new("own", "Mine.");
        own.decide(Knob::LogDurability, Value::Word("flush"), String::new(), None);
        assert_eq!(slots(&config, &own.clone().over(disk()), Durability::FlushAfter), None);
        own.decide(Knob::LogSlots, Value::Number(3), String::new(), None);
        assert_eq!(slots(&config, &own.clone().over(disk()), Durability::FlushAfter), Some(3));
        own.decisions.remove(&Knob::LogDurability);
        assert_eq!(slots(&config, &own.over(disk()), Durability::Dsync), Some(3));
    }
}
