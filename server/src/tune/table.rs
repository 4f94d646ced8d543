//! What was found and what is advised, for people and for programs.

use super::title;
use serde_json::{Value, json};
use std::fmt::Write as _;
use tuning::Severity;
use tuning::tuner::{Advice, Change, Setting};

/// Longer values are cut in the table, and whole below it.
const CELL_MAX: usize = 30;
const WIDTH: usize = 96;

/// Text as lines of at most this many characters, if its words allow; control characters are
/// blanks.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(|it: char| it.is_whitespace() || it.is_control()) {
        if word.is_empty() {
            continue;
        }
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn weight(severity: Option<Severity>) -> &'static str {
    match severity {
        None => "-",
        Some(Severity::Note) => "note",
        Some(Severity::Warning) => "warning",
        Some(Severity::Error) => "error",
    }
}

/// Whether and how it is changed.
fn way(setting: &Setting) -> &'static str {
    match &setting.advice {
        Advice::Keep => "as advised",
        Advice::Absent => "not here",
        Advice::ByHand { .. } => "by hand",
        Advice::Write { changes, .. } => {
            match changes.iter().filter(|it| it.blocked.is_some()).count() {
                0 => "apply",
                count if count == changes.len() => "blocked",
                _ => "apply in part",
            }
        }
    }
}

fn advised(setting: &Setting) -> &str {
    match &setting.advice {
        Advice::Keep | Advice::Absent => "-",
        Advice::Write { advised, .. } | Advice::ByHand { advised, .. } => advised,
    }
}

fn found(setting: &Setting) -> &str {
    setting.found.as_deref().unwrap_or("not known")
}

fn cell(text: &str) -> String {
    let text = wrapped(text, usize::MAX).join(" ");
    if text.chars().count() <= CELL_MAX {
        return if text.is_empty() { "-".to_owned() } else { text };
    }
    text.chars().take(CELL_MAX - 3).collect::<String>() + "..."
}

/// The table, and below it what to do and why.
pub(super) fn text(settings: &[Setting], is_long: bool) -> String {
    let is_open = |it: &&Setting| it.severity().is_some();
    let shown: Vec<&Setting> = settings.iter().filter(|it| is_long || is_open(it)).collect();
    let mut rows =
        vec![["SETTING", "OF", "FOUND", "ADVISED", "WEIGHT", "CHANGE"].map(String::from)];
    rows.extend(shown.iter().map(|it| {
        let tuner = it.tuner.to_string();
        let cells = [&tuner, &it.subject, found(it), advised(it), weight(it.severity()), way(it)];
        cells.map(cell)
    }));
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths = [0, 1, 2, 3, 4, 5].map(width);
    let mut text = String::new();
    if !shown.is_empty() {
        for row in &rows {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text.push('\n');
    }
    for setting in &shown {
        explain(setting, &mut text);
    }
    let kept = settings.iter().filter(|it| it.advice == Advice::Keep).count();
    let absent = settings.iter().filter(|it| it.advice == Advice::Absent).count();
    let more = if is_long { "" } else { "; --long shows them" };
    let _ = writeln!(text, "{kept} as advised, {absent} not here or not shown here{more}");
    text
}

fn explain(setting: &Setting, text: &mut String) {
    let _ = writeln!(text, "{}: {}", title(setting), heading(setting));
    paragraph("why: ", &setting.why, text);
    match &setting.advice {
        Advice::ByHand { how, .. } => paragraph("by hand: ", how, text),
        Advice::Write { changes, .. } => {
            paragraph("change: ", &change(setting, changes), text);
            if let Some(reason) = changes.iter().find_map(|it| it.blocked) {
                let count = changes.iter().filter(|it| it.blocked.is_some()).count();
                let all = changes.len();
                paragraph("not from here: ", &format!("{count} of {all} files: {reason}"), text);
            }
        }
        Advice::Keep | Advice::Absent => {}
    }
}

fn heading(setting: &Setting) -> String {
    match &setting.advice {
        Advice::Keep => format!("{}, as advised", found(setting)),
        Advice::Absent => "not here".to_owned(),
        _ => format!("{}, advised: {}", found(setting), advised(setting)),
    }
}

/// What `apply` would do.
fn change(setting: &Setting, changes: &[Change]) -> String {
    let file = match changes {
        [one] => one.name.clone(),
        [one, ..] => format!("{} and {} more files", one.name, changes.len() - 1),
        [] => String::new(),
    };
    format!("ringkeeper tune apply --only {} writes {file}", setting.tuner)
}

fn paragraph(begin: &str, said: &str, text: &mut String) {
    for (number, line) in wrapped(&format!("{begin}{said}"), WIDTH - 4).iter().enumerate() {
        let indent = if number == 0 { "  " } else { "    " };
        let _ = writeln!(text, "{indent}{line}");
    }
}

/// All of it, for programs.
pub(super) fn json(settings: &[Setting]) -> Value {
    let setting = |it: &Setting| {
        let mut value = json!({
            "setting": it.tuner.to_string(),
            "of": it.subject,
            "found": it.found,
            "advised": it.severity().map(|_| advised(it)),
            "weight": it.severity().map(|it| weight(Some(it))),
            "change": way(it),
            "why": it.why,
        });
        if let Advice::ByHand { how, .. } = &it.advice {
            value["how"] = json!(how);
        }
        let files = it.changes().iter().map(|change| {
            json!({
                "file": change.name,
                "found": change.found,
                "advised": change.advised,
                "blocked": change.blocked.map(|it| it.to_string()),
            })
        });
        value["files"] = files.collect();
        value
    };
    json!({ "version": 1, "settings": settings.iter().map(setting).collect::<Vec<_>>() })
}
