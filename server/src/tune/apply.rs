//! Changes the machine, and restores it.

use super::args::{ApplyArgs, RECORD, UndoArgs};
use super::error::{RecordError, TuneError};
use super::record::{self, Entry, Place, Record, boot_id};
use super::{chosen, title};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use tuning::Kernel;
use tuning::tuner::{Advice, Change, Setting, WriteError};

type Done = Result<(), TuneError>;

/// `tune apply`.
pub(super) fn apply(args: &ApplyArgs, out: &mut impl Write) -> Done {
    let kernel = args.machine.roots.kernel();
    let settings = chosen(&args.machine)?;
    let changes: Vec<(&Setting, &Change)> = settings
        .iter()
        .flat_map(|it| it.changes().iter().map(move |change| (it, change)))
        .collect();
    if args.dry_run {
        record::read(&args.record)?;
        return dry_run(&changes, &settings, out);
    }
    if changes.is_empty() {
        say(out, "nothing to change: what can be written is as advised")?;
        return by_hand(&settings, out);
    }
    if changes.iter().all(|(_, change)| change.blocked.is_some()) {
        // There is nothing to record, and perhaps no right to.
        for (setting, Change { name, found, blocked, .. }) in &changes {
            let why = blocked.map(|it| it.to_string()).unwrap_or_default();
            say(out, &format!("{}: {name} is still {found}: {why}", title(setting)))?;
        }
        by_hand(&settings, out)?;
        return Err(TuneError::Refused(changes.len()));
    }
    create_parent(&args.record)?;
    let place = Place::take(&args.record)?;
    let mut record = record::read(&args.record)?.unwrap_or_default();
    let now = boot_id(&kernel);
    if record.is_before(now.as_ref()) {
        say(out, "the record is of an earlier start of this machine, and is replaced")?;
        record = Record::default();
    }
    record.boot_id = now;
    let before = record.clone();
    for (setting, change) in &changes {
        add(&mut record, setting, change);
    }
    // First, so that after a crash it is known what was there.
    place.write(&record)?;
    let failed = write_all(&kernel, &settings, &before, &mut record, out)?;
    place.write(&record)?;
    let written = changes.len() - failed;
    if written > 0 {
        let (files, path) = (files(written), args.record.display());
        let undo = if args.record == Path::new(RECORD) {
            "ringkeeper tune undo".to_owned()
        } else {
            format!("ringkeeper tune undo --record {path}")
        };
        say(out, &format!("{files} changed, what was there is in {path}; back: `{undo}`"))?;
    }
    by_hand(&settings, out)?;
    if failed == 0 { Ok(()) } else { Err(TuneError::Refused(failed)) }
}

fn create_parent(path: &Path) -> Result<(), RecordError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    fs::create_dir_all(parent).map_err(|source| RecordError::File {
        path: path.to_owned(),
        what: "written",
        source,
    })
}

/// Of what was changed before, the first old value stays.
fn add(record: &mut Record, setting: &Setting, change: &Change) {
    let new = change.advised.clone();
    match record.entries.iter_mut().find(|it| it.name == change.name) {
        Some(entry) => entry.new = new,
        None => record.entries.push(Entry {
            tuner: setting.tuner.to_string(),
            name: change.name.clone(),
            old: change.found.clone(),
            new,
        }),
    }
}

/// Writes every change; what fails is as in the record before. Returns how many failed.
fn write_all(
    kernel: &Kernel,
    settings: &[Setting],
    before: &Record,
    record: &mut Record,
    out: &mut impl Write,
) -> Result<usize, TuneError> {
    let mut failed = 0;
    for setting in settings {
        let Advice::Write { advised, changes, .. } = &setting.advice else { continue };
        let refused: Vec<(&Change, Refusal)> =
            changes.iter().filter_map(|change| Some((change, write(kernel, change)?))).collect();
        let (title, found) = (title(setting), setting.found.as_deref().unwrap_or("-"));
        let written = changes.len() - refused.len();
        if written > 0 {
            let files = files(written);
            say(out, &format!("{title}: {found} -> {advised}, {files}"))?;
        }
        for (Change { name, found, advised, .. }, refusal) in &refused {
            match refusal {
                Refusal::AsBefore(why) => {
                    say(out, &format!("{title}: {name} is still {found}: {why}"))?;
                    restore(record, before, name);
                }
                Refusal::Stuck { now } => {
                    say(
                        out,
                        &format!(
                            "{title}: {name}: the kernel made {now} of {advised}, and \
                                       does not take {found} back; it stays in the record"
                        ),
                    )?;
                    let mut entries = record.entries.iter_mut();
                    if let Some(entry) = entries.find(|it| it.name == *name) {
                        entry.new.clone_from(now);
                    }
                }
            }
        }
        failed += refused.len();
    }
    Ok(failed)
}

/// Why a change could not be made.
enum Refusal {
    /// The old value is still there.
    AsBefore(String),
    /// Something else is there now, and the old value is not taken back.
    Stuck { now: String },
}

/// Writes one change.
fn write(kernel: &Kernel, change: &Change) -> Option<Refusal> {
    match kernel.write(&change.name, &change.advised) {
        Ok(()) => None,
        Err(WriteError::Other { now }) if now != change.found => {
            // Neither the old value nor the new one: not what anybody wanted.
            if kernel.write(&change.name, &change.found).is_err() {
                return Some(Refusal::Stuck { now });
            }
            let why = format!("the kernel made {now} of {}", change.advised);
            Some(Refusal::AsBefore(why))
        }
        Err(error) => Some(Refusal::AsBefore(error.to_string())),
    }
}

/// The entry as it was before.
fn restore(record: &mut Record, before: &Record, name: &str) {
    let known = before.entries.iter().find(|it| it.name == name);
    match known {
        Some(known) => {
            let mut entries = record.entries.iter_mut();
            if let Some(entry) = entries.find(|it| it.name == name) {
                entry.clone_from(known);
            }
        }
        None => record.entries.retain(|it| it.name != name),
    }
}

fn dry_run(changes: &[(&Setting, &Change)], settings: &[Setting], out: &mut impl Write) -> Done {
    for (setting, change) in changes {
        let Change { name, found, advised, blocked } = change;
        let blocked = blocked.map(|it| format!(" (not from here: {it})")).unwrap_or_default();
        say(out, &format!("{}: {name}: {found} -> {advised}{blocked}", title(setting)))?;
    }
    say(out, &format!("{} would be changed", files(changes.len())))?;
    by_hand(settings, out)
}

/// What is left to the operator.
fn by_hand(settings: &[Setting], out: &mut impl Write) -> Done {
    let hand = settings.iter().filter(|it| matches!(it.advice, Advice::ByHand { .. }));
    let hand: Vec<String> = hand.map(title).collect();
    if hand.is_empty() {
        return Ok(());
    }
    say(out, &format!("by hand, as `ringkeeper tune check` says: {}", hand.join("; ")))
}

/// `tune undo`.
pub(super) fn undo(args: &UndoArgs, out: &mut impl Write) -> Done {
    let kernel = args.roots.kernel();
    let nothing = format!("nothing to undo: there is no record {}", args.record.display());
    if !args.record.exists() {
        return say(out, &nothing);
    }
    let place = Place::take(&args.record)?;
    let Some(record) = record::read(&args.record)? else { return say(out, &nothing) };
    let is_before = record.is_before(boot_id(&kernel).as_ref());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut left = Vec::new();
    // The other way round, should one setting have been put on top of another.
    for entry in record.entries.iter().rev() {
        let (outcome, detail) = restored(&kernel, entry, is_before);
        *counts.entry(outcome).or_default() += 1;
        say(out, &format!("{}: {}: {outcome}{detail}", entry.tuner, entry.name))?;
        if outcome == REFUSED {
            left.insert(0, entry.clone());
        }
    }
    if is_before && !counts.contains_key(RESTORED) {
        say(out, "the machine has been started again since: nothing is left to undo")?;
    } else {
        let restored = counts.get(RESTORED).copied().unwrap_or(0);
        say(out, &format!("{} restored", files(restored)))?;
    }
    let failed = left.len();
    place.write(&Record { entries: left, ..record })?;
    if failed == 0 { Ok(()) } else { Err(TuneError::Refused(failed)) }
}

const RESTORED: &str = "restored";
const ALREADY: &str = "is as before already";
const CHANGED: &str = "left, something else has set it since";
const REFUSED: &str = "not restored";

/// Restores one file if it still has the value that was written.
fn restored(kernel: &Kernel, entry: &Entry, is_before: bool) -> (&'static str, String) {
    let Entry { name, old, new, .. } = entry;
    let now = match kernel.read(name) {
        Ok(file) => file.value,
        // After a new start a device may have another name.
        Err(error) if is_before => return (ALREADY, format!(", it is gone: {error}")),
        Err(error) => return (REFUSED, format!(": {error}")),
    };
    if now == *old {
        return (ALREADY, format!(": {now}"));
    }
    // After a new start nothing is left of what was written: who wrote this now meant it.
    if now != *new || is_before {
        return (CHANGED, format!(": {now}, was {old} before and {new} after `apply`"));
    }
    match kernel.write(name, old) {
        Ok(()) => (RESTORED, format!(": {new} -> {old}")),
        Err(error) => (REFUSED, format!(", is still {now}: {error}")),
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

fn say(out: &mut impl Write, line: &str) -> Done {
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(TuneError::Output)
}
