use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    Facts, Limit, Mount, Needs, Resource, Severity, check,
    facts::{chosen, mount_of},
    raise_soft_limit,
};

const UNLIMITED: Limit = Limit { soft: u64::MAX, hard: u64::MAX };

/// A machine with nothing to fix.
fn well_configured() -> Facts {
    Facts {
        open_files: UNLIMITED,
        locked_memory: UNLIMITED,
        kernel_release: "6.1.0-18-amd64".into(),
        huge_pages: Some("madvise".into()),
        governors: ["performance".to_owned()].into(),
        log_mount: Some(Mount {
            point: "/log".into(),
            kind: "ext4".into(),
            options: vec!["rw".into(), "lazytime".into()],
        }),
    }
}

fn needs() -> Needs {
    Needs { connections_max: Some(1_000), locked_bytes: 1 << 20, log_dir: PathBuf::from("/log") }
}

/// The one finding about these facts.
fn one(facts: &Facts) -> (Severity, String) {
    let mut findings = check(facts, &needs());
    assert_eq!(findings.len(), 1, "{findings:?}");
    let finding = findings.remove(0);
    (finding.severity, finding.to_string())
}

#[test]
fn a_well_configured_machine_has_no_findings() {
    assert_eq!(check(&well_configured(), &needs()), []);
}

#[test]
fn too_few_open_files_are_found() {
    let files = |soft| Facts { open_files: Limit { soft, hard: soft }, ..well_configured() };
    let (severity, line) = one(&files(1_024));
    assert_eq!(severity, Severity::Warning);
    assert_eq!(
        line,
        "1024 files may be open, 1256 are needed: a connection is an open file, and new ones are \
         refused when there are no more. To fix: LimitNOFILE=1256 in the systemd unit, or \
         ulimit -n 1256"
    );
    assert_eq!(one(&files(100)).0, Severity::Error);
    assert_eq!(check(&files(1_256), &needs()), []);
}

#[test]
fn too_little_locked_memory_is_found() {
    let facts =
        Facts { locked_memory: Limit { soft: 64 << 10, hard: 64 << 10 }, ..well_configured() };
    let (severity, line) = one(&facts);
    assert_eq!(severity, Severity::Warning);
    assert!(line.starts_with("64 KiB of memory may be locked, 1024 are needed"), "{line}");
}

#[test]
fn old_kernels_are_found() {
    let kernel = |release: &str| Facts { kernel_release: release.into(), ..well_configured() };
    assert_eq!(one(&kernel("5.10.0")).0, Severity::Error);
    assert_eq!(one(&kernel("5.19.7-arch")).0, Severity::Note);
    assert_eq!(one(&kernel("6.0.1")).0, Severity::Note);
    for fine in ["6.1", "6.18.44-x", "10.0.0", "", "strange"] {
        assert_eq!(check(&kernel(fine), &needs()), [], "{fine}");
    }
}

#[test]
fn huge_pages_and_governors_are_judged() {
    let off = Facts { huge_pages: Some("never".into()), ..well_configured() };
    assert_eq!(one(&off).0, Severity::Warning);
    let slow = Facts {
        governors: ["powersave".to_owned(), "performance".into()].into(),
        ..well_configured()
    };
    assert!(one(&slow).1.starts_with("the frequency governor is powersave"));
    let unknown = Facts { huge_pages: None, governors: BTreeSet::new(), ..well_configured() };
    assert_eq!(check(&unknown, &needs()), []);
}

#[test]
fn file_systems_are_judged() {
    let on = |kind: &str| {
        let log_mount = Mount { point: "/log".into(), kind: kind.into(), options: vec![] };
        Facts { log_mount: Some(log_mount), ..well_configured() }
    };
    for kind in ["tmpfs", "overlay", "nfs4", "fuse.sshfs", "cifs"] {
        assert_eq!(one(&on(kind)).0, Severity::Warning, "{kind}");
    }
    assert_eq!(one(&on("zfs")).0, Severity::Note);
    assert!(one(&on("ext4")).1.contains("remount,lazytime /log"));
    assert_eq!(check(&on("xfs"), &needs()), []);
}

#[test]
fn what_matters_most_comes_first() {
    let facts = Facts {
        open_files: Limit { soft: 10, hard: 10 },
        huge_pages: Some("never".into()),
        governors: ["powersave".to_owned()].into(),
        ..well_configured()
    };
    let severities: Vec<Severity> =
        check(&facts, &needs()).iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Error, Severity::Warning, Severity::Note]);
}

#[test]
fn the_nearest_mount_counts() {
    let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,lazytime\n\
        23 22 8:2 / /var\\040x rw - xfs /dev/sdb1 rw,attr2\n\
        24 22 0:9 / /var\\040x rw - tmpfs tmpfs rw\n\
        nonsense\n";
    let root = mount_of(Path::new("/var"), mounts).unwrap();
    assert_eq!((root.kind.as_str(), root.point.as_path()), ("ext4", Path::new("/")));
    assert!(root.options.contains(&"lazytime".to_owned()));
    assert_eq!(mount_of(Path::new("/var x/log"), mounts).unwrap().kind, "tmpfs");
    assert_eq!(mount_of(Path::new("/"), ""), None);
    assert_eq!(chosen("always [madvise] never\n"), Some("madvise".to_owned()));
}

#[test]
fn this_machine_can_be_read() {
    let facts = Facts::read(&std::env::temp_dir().join("ringkeeper-not-there/log"));
    assert!(!facts.kernel_release.is_empty());
    assert!(facts.open_files.soft <= facts.open_files.hard);
    for finding in check(&facts, &needs()) {
        assert!(!finding.fix.is_empty());
    }
}

#[test]
fn a_soft_limit_is_raised_no_further_than_the_hard_one() {
    let limit = raise_soft_limit(Resource::RLIMIT_NOFILE, u64::MAX).unwrap();
    assert_eq!(limit.soft, limit.hard);
    assert_eq!(raise_soft_limit(Resource::RLIMIT_NOFILE, 1).unwrap(), limit);
}
