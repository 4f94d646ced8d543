//! Files that are named on the command line: none is read without end, none written twice.

use super::args::PlanArgs;
use super::error::PlanError;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Bytes of a file that is read: a report has less than one of these MiB.
const READ_MIB_MAX: u64 = 64;

/// The text of a file.
pub(super) fn read(path: &Path) -> Result<String, PlanError> {
    let mut text = String::new();
    let most = READ_MIB_MAX << 20;
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_string(&mut text));
    let fits = read.and_then(|bytes| {
        let why = format!("it has more than {READ_MIB_MAX} MiB, so it is none of what is read");
        if bytes as u64 <= most { Ok(()) } else { Err(io::Error::other(why)) }
    });
    fits.map_err(PlanError::file(path))?;
    Ok(text)
}

/// Fails if one file is written twice, or read and written, or if what is no stream would go to
/// standard output.
pub(super) fn check(args: &PlanArgs) -> Result<(), PlanError> {
    let pages = [("--html", &args.html), ("--svg", &args.svg), ("--costs-out", &args.costs.out)];
    let json = args.json.as_ref().filter(|it| it.as_path() != Path::new("-"));
    let costs = [("--probe", &args.costs.probe), ("--costs", &args.costs.file)];
    for (flag, path) in pages {
        if path.as_deref() == Some(Path::new("-")) {
            return Err(PlanError::NoStream(flag));
        }
    }
    let read = costs.into_iter().filter_map(|(flag, path)| Some((flag, path.as_deref()?)));
    let read = read.chain(args.reports.iter().map(|it| ("--report", it.path.as_path())));
    let mut known: Vec<(&str, PathBuf)> = read.map(|(flag, it)| (flag, real(it))).collect();
    let written = pages.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?)));
    let written = written.chain(json.map(|it| ("--json", it)));
    for (flag, path) in written.filter(|(_, path)| keeps(path)) {
        let at = real(path);
        if let Some((other, _)) = known.iter().find(|it| it.1 == at) {
            return Err(PlanError::WrittenTwice { path: path.clone(), flags: [other, flag] });
        }
        known.push((flag, at));
    }
    Ok(())
}

/// The same for every name of a file, as far as that can be known before it is there.
fn real(path: &Path) -> PathBuf {
    let real = fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    real.unwrap_or_else(|_| path.to_owned())
}

/// Whether it keeps what is written to it, which /dev/null does not.
fn keeps(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|it| it.is_file()) || !path.exists()
}
