use super::disk::spread_of;
use super::{Costs, Effort, ProbeError, Sustained, measure};
use std::fs;
use std::time::Duration;

/// Enough to see that it works.
const BRIEF: Effort =
    Effort { round: Duration::from_millis(2), rounds_max: 1, step: Duration::from_millis(2) };

#[test]
fn a_disk_is_measured_and_nothing_stays_behind() {
    let name = format!("ringkeeper-tuning-probe-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(&directory).unwrap();
    let mut steps = Vec::new();
    let report = measure(&directory, BRIEF, |done, of| steps.push((done, of))).unwrap();
    let last = steps.pop().unwrap();
    assert!(last.0 == last.1 && steps.is_sorted(), "{steps:?}");
    assert_eq!(report.points.len() + 3, last.1);
    for point in &report.points {
        assert!(point.count > 0 && point.p50_us <= point.p99_us && point.p99_us <= point.max_us);
    }
    let first = &report.points[0];
    assert_eq!(report.point(first.durability, first.bytes, first.slots), Some(first));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    fs::remove_dir(&directory).unwrap();
    let missing = measure(&directory, BRIEF, |_, _| ()).unwrap_err();
    assert!(matches!(missing, ProbeError::Disk(_)), "{missing}");
}

#[test]
fn the_machines_own_steps_cost_something() {
    let costs = Costs::measure().unwrap();
    assert!(costs.clock_read_ns > 0 && costs.wake_ns > 0, "{costs:?}");
}

#[test]
fn one_round_that_was_disturbed_does_not_count() {
    assert!(spread_of(&[100, 101, 103]) < 0.04);
    assert!(spread_of(&[100, 101, 200]) > 0.9);
    assert!(spread_of(&[100, 101, 200, 102]) < 0.04);
    assert!(spread_of(&[100, 10, 101, 102]) < 0.04);
    assert!(spread_of(&[0, 0, 0]) == 0.0);
}

#[test]
fn a_cache_that_fills_up_shows() {
    let sustained = |steps: &[f64]| Sustained { mib_per_second: steps.to_vec() }.kept();
    assert!(sustained(&[800.0, 820.0, 810.0, 790.0]) > 0.9);
    assert!(sustained(&[800.0, 820.0, 400.0, 90.0, 80.0]) < 0.2);
    assert!(sustained(&[]) > 0.9);
}
