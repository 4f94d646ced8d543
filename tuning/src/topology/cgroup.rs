//! The CPU time quota of a control group, of either version.

use std::{
    fs,
    path::{Path, PathBuf},
};

const MOUNT: &str = "/sys/fs/cgroup";

/// Processors' worth of time granted to this process; `None` if it is not limited.
pub(super) fn quota_of_this_process() -> Option<f64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    quota(Path::new(MOUNT), &groups)
}

/// The smallest quota from the group up to the root. `groups` is the text of `/proc/self/cgroup`.
pub(super) fn quota(mount: &Path, groups: &str) -> Option<f64> {
    let mut smallest: Option<f64> = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let unified = controllers.is_empty();
        if !unified && !controllers.split(',').any(|controller| controller == "cpu") {
            continue;
        }
        let roots: &[&str] =
            if unified { &["", "unified"] } else { &["cpu", "cpu,cpuacct", "cpuacct,cpu"] };
        for root in roots {
            let root = mount.join(root);
            for directory in upward(&root, group) {
                let found = if unified { quota_v2(&directory) } else { quota_v1(&directory) };
                smallest = match (smallest, found) {
                    (Some(known), Some(found)) => Some(known.min(found)),
                    (known, found) => known.or(found),
                };
            }
        }
    }
    smallest
}

/// The group's directory and all above it. Some may not exist: a container sees its own group as
/// the root, under the name it has outside.
fn upward(root: &Path, group: &str) -> Vec<PathBuf> {
    let group = group.trim_start_matches('/');
    let directories = Path::new(group).ancestors();
    directories.map(|ancestor| root.join(ancestor)).collect()
}

fn quota_v2(directory: &Path) -> Option<f64> {
    let text = fs::read_to_string(directory.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    ratio(quota, period)
}

fn quota_v1(directory: &Path) -> Option<f64> {
    let quota = fs::read_to_string(directory.join("cpu.cfs_quota_us")).ok()?;
    let period = fs::read_to_string(directory.join("cpu.cfs_period_us")).ok()?;
    ratio(&quota, &period)
}

/// `max` and -1 both mean no limit.
fn ratio(quota: &str, period: &str) -> Option<f64> {
    let quota: f64 = quota.trim().parse().ok()?;
    let period: f64 = period.trim().parse().ok()?;
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}
