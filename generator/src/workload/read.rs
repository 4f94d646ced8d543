//! Reads and checks a workload; errors are reported with file, line and key.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use thiserror::Error;

use crate::limits::OPS_MAX;

use super::{OpKind, OpSpec, StormKind, Workload, shipped};

/// Why a workload cannot be used.
#[derive(Debug, Error)]
pub enum WorkloadError {
    /// Neither a shipped workload nor a file.
    #[error(
        "there is no workload {name} (`ringkeeper bench --list`), and it cannot be read as a \
         file: {source}"
    )]
    Missing {
        /// As given.
        name: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Something in the file is wrong.
    #[error("{file}:{line}: {key}: {cause}")]
    Wrong {
        /// The file, or the shipped workload's name.
        file: Box<str>,
        /// From 1.
        line: usize,
        /// The key of that line, or what is there instead.
        key: Box<str>,
        /// What is wrong.
        cause: Box<str>,
    },
}

/// Opens the shipped workload of a name, or else the file.
pub(crate) fn open(name: &str) -> Result<Workload, WorkloadError> {
    if let Some(text) = shipped::text(name) {
        return parse(name, text);
    }
    let missing = |source| WorkloadError::Missing { name: name.into(), source };
    let text = fs::read_to_string(name).map_err(missing)?;
    parse(name, &text)
}

pub(super) fn parse(file: &str, text: &str) -> Result<Workload, WorkloadError> {
    let wrong = |line: usize, key: &str, cause: &str| WorkloadError::Wrong {
        file: file.into(),
        line,
        key: key.into(),
        cause: cause.into(),
    };
    let mut workload: Workload = toml::from_str(text).map_err(|error| {
        let (line, key) = place(text, error.span().map_or(0, |span| span.start));
        wrong(line, key, &error.message().replace('\n', ", "))
    })?;
    file.clone_into(&mut workload.name);
    if workload.ops.iter().all(|op| op.get_ref().weight.value() == 0) && workload.storms.is_empty()
    {
        return Err(wrong(1, "op", "there is none with a weight, nor a storm"));
    }
    if let Some(op) = workload.ops.get(OPS_MAX) {
        let (line, key) = place(text, op.span().start);
        return Err(wrong(line, key, &format!("there are more than {OPS_MAX}")));
    }
    for op in &workload.ops {
        if let Some((key, cause)) = objection(op.get_ref()) {
            let (line, key) = place_of_key(text, op.span(), key);
            return Err(wrong(line, key, &cause));
        }
    }
    for fault in &workload.faults {
        if let Err((key, cause)) = fault.get_ref().act() {
            let (line, key) = place_of_key(text, fault.span(), key);
            return Err(wrong(line, key, &cause));
        }
    }
    for storm in &workload.storms {
        if storm.get_ref().kind == StormKind::Watch && workload.watches.is_none() {
            let (line, key) = place_of_key(text, storm.span(), "kind");
            return Err(wrong(line, key, "a storm of watches needs [watches]"));
        }
    }
    Ok(workload)
}

/// A key that has no meaning for an operation, or is missing, and why.
fn objection(op: &OpSpec) -> Option<(&'static str, String)> {
    use OpKind::{
        Churn, Create, Create2, CreateContainer, CreateTtl, Delete, Ephemeral, Lock, Multi,
        MultiRead, QueuePut, QueueTake, Sequential, Session, Set,
    };
    let writes =
        [Set, Create, Create2, CreateContainer, CreateTtl, Sequential, Delete, Churn, Ephemeral];
    let given: [(&str, bool, &[OpKind]); 9] = [
        ("sets", op.sets.is_some(), &[Multi]),
        ("creates", op.creates.is_some(), &[Multi]),
        ("checks", op.checks.is_some(), &[Multi]),
        ("reads", op.reads.is_some(), &[MultiRead]),
        ("count", op.count.is_some(), &[Lock, QueuePut, QueueTake]),
        ("hold_ms", op.hold_ms.is_some(), &[Lock]),
        ("ephemerals", op.ephemerals.is_some(), &[Session]),
        ("gets", op.gets.is_some(), &[Session]),
        ("bytes", op.bytes.is_some() && !writes.contains(&op.kind), &[Multi, QueuePut]),
    ];
    for (key, is_given, kinds) in given {
        if is_given && !kinds.contains(&op.kind) {
            return Some((key, format!("means nothing for an operation {}", op.kind.name())));
        }
    }
    let parts = [op.sets, op.creates, op.checks];
    if op.kind == Multi && parts.iter().all(|part| part.is_none_or(|count| count.value() == 0)) {
        return Some(("kind", "a multi needs sets, creates or checks".into()));
    }
    None
}

/// The line of an offset, from 1, and the key on it.
fn place(text: &str, offset: usize) -> (usize, &str) {
    let offset = offset.min(text.len());
    let line = text[..offset].matches('\n').count();
    let words = text.lines().nth(line).unwrap_or_default();
    let key = words.split(['=', '#']).next().unwrap_or_default().trim();
    (line + 1, if key.is_empty() { "syntax" } else { key })
}

/// The line on which a table, whose span is known, has a key; its first line if it does not have
/// it.
fn place_of_key<'a>(text: &'a str, span: Range<usize>, key: &'a str) -> (usize, &'a str) {
    let (first, _) = place(text, span.start);
    let lines = text.lines().enumerate().skip(first - 1);
    let is_of_key = |line: &str| {
        line.split('=').next().is_some_and(|word| word.trim() == key) && line.contains('=')
    };
    for (index, line) in lines {
        if index + 1 > first && line.trim_start().starts_with('[') {
            break;
        }
        if is_of_key(line) {
            return (index + 1, key);
        }
    }
    (first, key)
}
