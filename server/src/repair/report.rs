//! What the operator reads: what is there, and which cuts there are to choose from.

use std::io::{self, Write};

use model::zxid::Zxid;

use super::look::{Doubts, Look, Looked};
use crate::advice;
use crate::data_set::{HalvesError, HalvesFault};
use crate::directories::Directories;

/// Says what is there, and what can be done.
pub(super) fn report(
    look: &Look,
    doubts: &Doubts,
    directories: &Directories,
    cut: Option<Zxid>,
    out: &mut impl Write,
) -> io::Result<()> {
    for snapshot in &look.snapshots {
        let state = match &snapshot.fault {
            Some(fault) => format!("damaged: {fault}"),
            None if snapshot.zxid > look.common() => "whole, of another history".to_owned(),
            None => "whole".to_owned(),
        };
        writeln!(out, "snapshot {}, {state}", snapshot.file.display())?;
    }
    match look.log.segments {
        None => writeln!(out, "no log in {}", directories.log.display())?,
        Some((first, last)) => {
            writeln!(out, "log {}, segments {first} to {last}", directories.log.display())?;
        }
    }
    if let Some(complaint) = &look.log.complaint {
        writeln!(out, "{complaint}")?;
    }
    let reached = look.log.reached;
    if doubts.is_log_missing {
        writeln!(
            out,
            "what was written after the newest snapshot is in a log, and there is none here: if it \
             is in another directory, name that with --log-dir"
        )?;
    }
    if look.is_usable() {
        let nothing = if cut.is_none() { ": nothing is to repair" } else { "" };
        return match &doubts.histories {
            None => writeln!(out, "a server starts with this, at zxid {reached}{nothing}"),
            Some(newer) => {
                writeln!(out, "a server does not start with this, at zxid {reached}: {newer}")
            }
        };
    }
    if let Some(foreign) = look.foreign {
        let (data_dir, log_dir) = (directories.data_dir(), directories.log_dir());
        let fault = HalvesFault::OtherLog(foreign);
        writeln!(out, "{}", HalvesError::apart(data_dir, log_dir, fault))?;
    }
    if !look.has_beginning() {
        return writeln!(out, "{}", look.nothing());
    }
    writeln!(out, "a server does not start with this")?;
    if cut.is_some() {
        return Ok(());
    }
    writeln!(out, "what can be read without a gap ends with zxid {reached}")?;
    suggest(look, directories, out)
}

/// Prints the possible cuts, and what each would lose.
fn suggest(look: &Look, directories: &Directories, out: &mut impl Write) -> io::Result<()> {
    let reached = look.log.reached;
    let command = advice::repair_command(directories);
    if look.foreign.is_some() {
        writeln!(out, "to continue with this log: {command} --cut-log-at {reached}")?;
        let whole = look.snapshots.iter().find(|it| it.fault.is_none());
        return match whole.filter(|it| it.zxid > look.common()) {
            None => Ok(()),
            Some(Looked { zxid, .. }) => writeln!(
                out,
                "to continue with the snapshot at {zxid} and without a log: {command} --cut-log-at \
                 {zxid}"
            ),
        };
    }
    let newest = look.snapshots.first().map(|newest| newest.zxid);
    let known = look.log.complaint.as_ref().and_then(txlog::RecoverError::durable_through);
    if let Some(lost) = known.max(newest).filter(|lost| *lost > reached) {
        writeln!(out, "acknowledged and lost by a cut: what follows, at least through {lost}")?;
    }
    for number in look.log.aside() {
        writeln!(out, "a cut sets segment {number} aside")?;
    }
    writeln!(out, "to keep that and give up the rest: {command} --cut-log-at {reached}")
}
