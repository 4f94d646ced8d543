//! What goes wrong, and when.

use crate::Place;
use fastrand::Rng;

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A server loses its power, and comes back after so many ms; an observer sometimes with an
    /// empty disk.
    Crash(Place, u64),
    /// All servers lose their power at once, and come back one after the other.
    PowerCut,
    /// A server stands still for so many ms.
    Pause(Place, u64),
    /// These servers are cut off from the others, for so many ms.
    CutOff(Vec<Place>, u64),
    /// Nothing arrives from the first server at the second one, for so many ms.
    Deaf(Place, Place, u64),
    /// One of the links that exist breaks.
    BreakLink,
    /// A disk is a hundred times slower, for so many ms.
    SlowDisk(Place, u64),
    /// A server loses its power in the middle of the next operation of its disk.
    CrashAtDisk(Place, u64),
    /// All servers lose their power the moment that a server has stored epochs: a promise, or that
    /// it has accepted a history.
    PowerCutAtEpochs(Place),
    /// A server is down for so many ms; when it comes back, with less than the others, a second one
    /// goes for as long; and when the first has stored epochs, all lose their power.
    Relay(Place, Place, u64),
    /// A follower acknowledges more than all others, whose disks are slow; it loses its link, comes
    /// back, and is cut. Some ms later all lose their power, and the leader and the follower that
    /// holds most stay away.
    Squeeze(Place, u64),
}

/// Draws the next fault.
pub fn draw(rng: &mut Rng, servers: usize) -> Fault {
    let place = rng.usize(0..servers);
    match rng.u32(0..100) {
        0..20 => Fault::Crash(place, rng.u64(10..3_000)),
        20..34 => Fault::CrashAtDisk(place, rng.u64(10..2_000)),
        34..36 => Fault::PowerCutAtEpochs(place),
        36..40 => Fault::Relay(place, rng.usize(0..servers), rng.u64(300..1_500)),
        40..44 => Fault::PowerCut,
        44..52 => Fault::Pause(place, rng.u64(50..2_500)),
        52..64 => {
            let count = rng.usize(1..=servers / 2);
            let mut places: Vec<_> = (0..servers).collect();
            rng.shuffle(&mut places);
            places.truncate(count);
            Fault::CutOff(places, rng.u64(50..4_000))
        }
        64..70 => Fault::Deaf(place, rng.usize(0..servers), rng.u64(50..3_000)),
        70..82 => Fault::BreakLink,
        82..88 => Fault::Squeeze(place, rng.u64(150..700)),
        _ => Fault::SlowDisk(place, rng.u64(100..3_000)),
    }
}
