//! Both directions of a learner's link: a packet ends at the same place in whatever pieces it
//! comes, and what decodes is encoded again to bytes that decode to the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use model::peer::packet::{FromLeader, FromLearner, Measure, PacketLimits, Progress};

const LIMITS: PacketLimits = PacketLimits::new(1024, 1024);

/// Feeds a packet in two pieces.
fn measured(bytes: &[u8], cut: usize) -> Option<usize> {
    let mut measure = Measure::new(LIMITS);
    let mut last = None;
    for end in [cut.min(bytes.len()), bytes.len()] {
        match measure.advance(&bytes[..end]).ok()? {
            Progress::Whole(length) => last = Some(length),
            Progress::Needs(least) => assert!(least > end && last.is_none()),
        }
    }
    last
}

fuzz_target!(|input: &[u8]| {
    let Some((&cut, bytes)) = input.split_first() else { return };
    let whole = measured(bytes, bytes.len());
    assert_eq!(measured(bytes, usize::from(cut)), whole);
    if let Ok(Some((packet, length))) = FromLearner::decode(bytes, LIMITS) {
        assert_eq!(whole, Some(length));
        let mut again = Vec::new();
        packet.encode(&mut again);
        assert_eq!(FromLearner::decode(&again, LIMITS), Ok(Some((packet, again.len()))));
    }
    if let Ok(Some((packet, length))) = FromLeader::decode(bytes, LIMITS) {
        assert_eq!(whole, Some(length));
        let mut again = Vec::new();
        packet.encode(&mut again);
        assert_eq!(FromLeader::decode(&again, LIMITS), Ok(Some((packet, again.len()))));
    }
});
