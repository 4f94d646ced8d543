//! Paths: which are valid, and their parts.

/// Why a path is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPath;

/// Checks a path as ZooKeeper 3.9.5 does (`PathUtils.validatePath`): starts with a slash, ends
/// with none unless it is the root, has no empty, `.` or `..` component, no control characters,
/// nothing outside the basic plane and nothing of the private use area. Bytes that are not UTF-8
/// read as U+FFFD there, which is not allowed either.
pub fn validate(path: &[u8]) -> Result<(), BadPath> {
    match path {
        [b'/'] => return Ok(()),
        [b'/', ..] => (),
        _ => return Err(BadPath),
    }
    if path.ends_with(b"/") {
        return Err(BadPath);
    }
    // Most paths are plain: one pass decides, and only dots and slashes need a closer look.
    let mut previous = b'/';
    let mut is_ascii = true;
    for (at, &byte) in path.iter().enumerate().skip(1) {
        match byte {
            b'/' if previous == b'/' => return Err(BadPath),
            b'.' if previous == b'/' => {
                let component = path[at..].split(|&b| b == b'/').next().unwrap_or_default();
                if component == b"." || component == b".." {
                    return Err(BadPath);
                }
            }
            0..=0x1f | 0x7f => return Err(BadPath),
            0x80.. => is_ascii = false,
            _ => (),
        }
        previous = byte;
    }
    if is_ascii {
        return Ok(());
    }
    let text = str::from_utf8(path).map_err(|_| BadPath)?;
    let is_bad = |c: char| matches!(c as u32, 0x7f..=0x9f | 0xd800..=0xf8ff | 0xfff0..);
    if text.chars().any(is_bad) { Err(BadPath) } else { Ok(()) }
}

/// The parent's path and the last component; the root's own parent is the root with an empty
/// name.
///
/// # Panics
/// If the path holds no slash.
#[inline]
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let slash = path.iter().rposition(|&b| b == b'/').expect("a path holds a slash");
    let parent = if slash == 0 { &path[..1] } else { &path[..slash] };
    (parent, &path[slash + 1..])
}

/// Whether no client may delete the node.
pub fn is_special(path: &[u8]) -> bool {
    matches!(path, b"/" | b"/zookeeper" | b"/zookeeper/quota" | b"/zookeeper/config")
}
