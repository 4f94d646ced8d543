//! Reads the machine's settings.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    sys::resource::{Resource, getrlimit, setrlimit},
};

/// A limit of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The limit in effect.
    pub soft: u64,
    /// Up to where the process may raise it.
    pub hard: u64,
}

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The mount point.
    pub point: PathBuf,
    /// Its type: `ext4`, `xfs`.
    pub kind: String,
    /// The options of the mount and of the file system.
    pub options: Vec<String>,
}

/// What is known about the machine's settings. What cannot be read is left out, and not judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Open files of this process.
    pub open_files: Limit,
    /// Memory locked by this process, in bytes.
    pub locked_memory: Limit,
    /// The kernel's release, such as `6.1.0-18-amd64`; empty if unknown.
    pub kernel_release: String,
    /// The setting of transparent huge pages: `always`, `madvise` or `never`.
    pub huge_pages: Option<String>,
    /// The frequency governors in use.
    pub governors: BTreeSet<String>,
    /// The file system of the log.
    pub log_mount: Option<Mount>,
}

impl Facts {
    /// Reads the settings. The directory of the log need not exist yet.
    pub fn read(log_dir: &Path) -> Facts {
        let huge_pages = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Facts {
            open_files: limit(Resource::RLIMIT_NOFILE),
            locked_memory: limit(Resource::RLIMIT_MEMLOCK),
            kernel_release: release.trim().to_owned(),
            huge_pages: huge_pages.ok().and_then(|text| chosen(&text)),
            governors: governors(),
            log_mount: mount_of(&existing(log_dir), &mounts),
        }
    }
}

/// Raises this process's soft limit as far as the hard one allows, if it is below `wanted`. Returns
/// the limit in effect.
///
/// # Errors
/// The kernel's error; the limit is then as before.
pub fn raise_soft_limit(resource: Resource, wanted: u64) -> Result<Limit, Errno> {
    let (soft, hard) = getrlimit(resource)?;
    if soft >= wanted {
        return Ok(Limit { soft, hard });
    }
    // To the hard limit: it costs nothing, and `wanted` is an estimate.
    setrlimit(resource, hard, hard)?;
    Ok(Limit { soft: hard, hard })
}

/// Without an answer from the kernel nothing is limited.
pub(crate) fn limit(resource: Resource) -> Limit {
    let (soft, hard) = getrlimit(resource).unwrap_or((u64::MAX, u64::MAX));
    Limit { soft, hard }
}

/// The word in brackets: `always [madvise] never`.
pub(crate) fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    let (word, _) = rest.split_once(']')?;
    Some(word.to_owned())
}

fn governors() -> BTreeSet<String> {
    let Ok(policies) = fs::read_dir("/sys/devices/system/cpu/cpufreq") else {
        return BTreeSet::new();
    };
    policies
        .filter_map(Result::ok)
        .filter_map(|policy| fs::read_to_string(policy.path().join("scaling_governor")).ok())
        .map(|governor| governor.trim().to_owned())
        .collect()
}

/// The nearest directory upward that exists, without links.
pub(crate) fn existing(directory: &Path) -> PathBuf {
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    absolute
        .ancestors()
        .find_map(|ancestor| ancestor.canonicalize().ok())
        .unwrap_or_else(|| PathBuf::from("/"))
}

/// The file system that a directory is in. `mounts` is the text of `/proc/self/mountinfo`.
pub(crate) fn mount_of(directory: &Path, mounts: &str) -> Option<Mount> {
    let mut nearest: Option<Mount> = None;
    for mount in mounts.lines().filter_map(mount) {
        let depth = |mount: &Mount| mount.point.components().count();
        // Of two mounts on the same point the later one hides the earlier.
        let nearer = nearest.as_ref().is_none_or(|known| depth(&mount) >= depth(known));
        if directory.starts_with(&mount.point) && nearer {
            nearest = Some(mount);
        }
    }
    nearest
}

/// One line: `id parent device root point options [tags] - kind source options`.
fn mount(line: &str) -> Option<Mount> {
    let (mounted, file_system) = line.split_once(" - ")?;
    let mut mounted = mounted.split(' ').skip(4);
    let point = PathBuf::from(unescape(mounted.next()?));
    let mut options: Vec<String> = mounted.next()?.split(',').map(str::to_owned).collect();
    let mut file_system = file_system.split(' ');
    let kind = file_system.next()?.to_owned();
    options.extend(file_system.nth(1)?.split(',').map(str::to_owned));
    Some(Mount { point, kind, options })
}

/// White space and backslashes are written as three octal digits.
fn unescape(text: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(text.to_owned(), |text, (code, character)| text.replace(code, character))
}
