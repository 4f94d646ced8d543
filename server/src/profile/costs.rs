//! What costs most on this host, in the order of what it costs.

use tuning::Severity;
use tuning::profile::{DiskClass, DiskFacts};
use tuning::tuner::{Advice, Setting, Tuner};

/// How many are named at the start.
const NAMED: usize = 3;
/// A durable write that takes longer is named.
const DURABLE_US: u64 = 200;

/// At most three sentences, the most costly first.
pub(crate) fn costs(disk: &DiskFacts, settings: &[Setting]) -> Vec<String> {
    let mut found: Vec<(Severity, usize, String)> = Vec::new();
    if let Some(us) = disk.durable_us.filter(|us| *us > DURABLE_US) {
        let severity = if us > 10 * DURABLE_US { Severity::Error } else { Severity::Warning };
        let way_out = match disk.class() {
            Some(DiskClass::NetworkBlock) => "a disk in the machine answers in a tenth of that",
            _ => "one with protection against power loss takes 20 to 50 us",
        };
        found.push((
            severity,
            0,
            format!("a durable write takes {us} us on {}; {way_out}", disk.shown()),
        ));
    }
    for setting in settings {
        let (severity, advised) = match &setting.advice {
            Advice::Write { severity, advised, .. } | Advice::ByHand { severity, advised, .. } => {
                (*severity, advised)
            }
            Advice::Keep | Advice::Absent => continue,
        };
        let of = if setting.subject.is_empty() {
            String::new()
        } else {
            format!(" of {}", setting.subject)
        };
        let is = setting.found.as_deref().unwrap_or("unknown");
        let why = &setting.why;
        let text = format!("{}{of} is {is}, advised is {advised}: {why}", setting.tuner);
        found.push((severity, 1 + rank(setting.tuner), text));
    }
    found.sort_by_key(|(severity, rank, _)| (std::cmp::Reverse(*severity), *rank));
    found.dedup_by(|next, one| next.1 == one.1);
    found.into_iter().take(NAMED).map(|(_, _, text)| text).collect()
}

/// Of two that matter as much, the first one costs more: what is paid by every request, then what
/// is paid by every write, then what is paid now and then.
const ORDER: [Tuner; 13] = [
    Tuner::ClockSource,
    Tuner::Governor,
    Tuner::CStates,
    Tuner::Interrupts,
    Tuner::HugePages,
    Tuner::NumaBalancing,
    Tuner::DiskScheduler,
    Tuner::WriteCache,
    Tuner::WritebackThrottling,
    Tuner::Lazytime,
    Tuner::Rps,
    Tuner::Swappiness,
    Tuner::Somaxconn,
];

fn rank(tuner: Tuner) -> usize {
    ORDER.iter().position(|it| *it == tuner).unwrap_or(ORDER.len() + tuner as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tuning::profile::Medium;

    fn disk(durable_us: u64) -> DiskFacts {
        DiskFacts {
            is_memory: false,
            file_system: "xfs".to_owned(),
            name: Some("nvme0n1".to_owned()),
            model: None,
            medium: Medium::Nvme,
            is_rotating: false,
            is_write_through: false,
            durable_us: Some(durable_us),
        }
    }

    fn setting(tuner: Tuner, severity: Severity) -> Setting {
        Setting {
            tuner,
            subject: String::new(),
            found: Some("a".to_owned()),
            advice: Advice::ByHand { severity, advised: "b".to_owned(), how: String::new() },
            why: "so".to_owned(),
        }
    }

    #[test]
    fn the_three_that_cost_most_are_named() {
        let settings = [
            setting(Tuner::Lazytime, Severity::Note),
            setting(Tuner::Swappiness, Severity::Warning),
            setting(Tuner::Swappiness, Severity::Warning),
            setting(Tuner::ClockSource, Severity::Warning),
            Setting { advice: Advice::Keep, ..setting(Tuner::Governor, Severity::Note) },
        ];
        let named = costs(&disk(900), &settings);
        assert_eq!(named.len(), 3, "{named:?}");
        assert!(named[0].starts_with("a durable write takes 900 us on nvme0n1"), "{named:?}");
        assert!(named[1].starts_with("clock-source is a, advised is b: so"), "{named:?}");
        assert!(named[2].starts_with("swappiness"), "{named:?}");
        assert_eq!(costs(&disk(30), &settings[..1]).len(), 1);
        assert!(costs(&disk(30), &[]).is_empty());
    }
}
