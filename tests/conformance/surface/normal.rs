//! Normalises what varies between runs: times, latencies, addresses, the order of hash tables.

use serde_json::Value;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use crate::conformance::sharp;

/// Replaces sessions, folders, ports, dates and versions by names.
pub(super) fn names(
    text: &str,
    sessions: &[(i64, &str)],
    folder: &Path,
    port: u16,
    http: SocketAddr,
) -> String {
    let mut text = text.replace(folder.to_str().unwrap(), "FOLDER");
    for (session, name) in sessions {
        text = text.replace(&format!("0x{session:x}"), name);
    }
    text = text.replace(&format!("clientPort={port}"), "clientPort=PORT");
    text = text.replace(&http.port().to_string(), "HTTP");
    let line = |line: &str| {
        let line = match line.split_once("version: ") {
            Some((head, _)) => format!("{head}version: VERSION"),
            None => line.to_owned(),
        };
        let line = match line.split_once(" expire at ") {
            Some(_) => "# expire at DATE:".to_owned(),
            None => line,
        };
        addresses(&line)
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Ports of clients.
fn addresses(line: &str) -> String {
    let Some((head, rest)) = line.split_once("/127.0.0.1:") else { return line.to_owned() };
    format!("{head}/127.0.0.1:#{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// `srvr`: latencies, and connections, of which those of words may still be closing.
pub(super) fn numbers(text: &str) -> String {
    let varies = |line: &str| line.starts_with("Latency") || line.starts_with("Connections:");
    text.split('\n')
        .map(|line| if varies(line) { sharp(&line.replace('.', "")) } else { line.to_owned() })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The lines of clients sorted, with times and latencies normalised. A word's connection that is
/// just being closed may be listed beside the current one.
pub(super) fn clients(text: &str) -> String {
    let timed = ["est=", "lresp=", "llat=", "minlat=", "avglat=", "maxlat="];
    let mut clients = BTreeSet::new();
    let mut others = Vec::new();
    for line in text.split('\n') {
        if !line.starts_with(" /") {
            others.push(line.to_owned());
            continue;
        }
        let part = |part: &str| match timed.iter().find(|key| part.starts_with(**key)) {
            Some(key) => format!("{key}#{}", if part.ends_with(')') { ")" } else { "" }),
            None => part.to_owned(),
        };
        clients.insert(line.split(',').map(part).collect::<Vec<_>>().join(","));
    }
    let clients: Vec<_> = clients.into_iter().collect();
    format!("{}\n--\n{}", clients.join("\n"), others.join("\n"))
}

/// The list of commands, without those that stock's release has not.
pub(super) fn index(page: &str) -> String {
    let newer = [">admission<", ">shed_connections<"];
    let entries = page.split_inclusive("<br/>\n");
    entries.filter(|entry| !newer.iter().any(|name| entry.contains(name))).collect()
}

/// Parts of the names of metrics that measure time, or stages that only stock has.
const VARYING: [&str; 30] = [
    "zk_version",
    "latency",
    "uptime",
    "file_descriptor_count",
    "num_alive_connections",
    "connection_drop_count",
    "response_packet_cache",
    "response_packet_get_children_cache",
    "outstanding_changes",
    "queue_size",
    "prep_process_time",
    "proposal_process_time",
    "sync_process_time",
    "batch_size",
    "fsynctime",
    "queue_time_ms",
    "flush_time_ms",
    "close_session_prep_time",
    "snapshottime",
    "startup_",
    "dbinittime",
    "jvm_pause",
    "request_throttle_queue",
    "propagation_latency",
    "read_final_proc",
    "write_final_proc",
    "election_time",
    "socket_closing_time",
    "unavailable_time",
    "memory",
];

/// Counts of timed events, which are the same in every run.
const COUNTED: [&str; 3] =
    ["zk_cnt_readlatency", "zk_cnt_updatelatency", "zk_cnt_propagation_latency"];

/// The same in an ensemble, where links and stages work at their own pace.
const VARYING_IN_ENSEMBLES: [&str; 19] = [
    "zk_packets_",
    // A new session's proposal has a digest here.
    "zk_min_proposal_size",
    // Reads of the leader's clients count on stock only.
    "prep_processor_request_queued",
    "zk_bytes_received_count",
    "snap_count",
    "diff_count",
    "session_queue",
    "commit_proc",
    "commitproc",
    "sync_time",
    "write_batch_time",
    "write_committed_time",
    "sync_processor_queue",
    "learner_handler_qp",
    "data_size",
    "large_requests",
    "learner_request",
    "response_size",
    "readlatency",
];

/// Counts of timed events in an ensemble, which are the same in every run.
const COUNTED_IN_ENSEMBLES: [&str; 9] = [
    "zk_cnt_updatelatency",
    "zk_cnt_election_time",
    "zk_cnt_unavailable_time",
    "zk_cnt_leader_unavailable_time",
    "zk_cnt_follower_sync_time",
    "zk_cnt_quorum_ack_latency",
    "zk_cnt_proposal_latency",
    "zk_cnt_proposal_ack_creation_latency",
    "zk_cnt_commit_propagation_latency",
];

/// `mntr` of a server of an ensemble: as [`metrics`]. Where one server has a node that the other
/// has not, `/zookeeper/config`, is omitted.
pub(super) fn metrics_of_ensemble(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.contains("_zookeeper_write_per_namespace"));
    let line = |line: &str| match line.split_once('\t') {
        Some((name, _))
            if VARYING_IN_ENSEMBLES.iter().any(|part| name.contains(part))
                && !COUNTED_IN_ENSEMBLES.contains(&name) =>
        {
            format!("{name}\t#\n")
        }
        _ => format!("{line}\n"),
    };
    metrics_but(&lines.map(line).collect::<String>(), &COUNTED_IN_ENSEMBLES)
}

/// `srvr`: packets received and sent, which words add to, and the sizes of proposals, which `mntr`
/// has too.
pub(super) fn packets(text: &str) -> String {
    let varying = ["Received: ", "Sent: ", "Proposal sizes "];
    let varies = |line: &str| varying.iter().any(|start| line.starts_with(start));
    let line = |line: &str| if varies(line) { sharp(line) } else { line.to_owned() };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// `mntr`: every name; the values that do not depend on time. The parts of the tree are sorted;
/// what only we have is omitted.
pub(super) fn metrics(text: &str) -> String {
    metrics_but(text, &COUNTED)
}

/// Whether it is the name of a number that stock does not have.
pub(super) fn is_ours(name: &str) -> bool {
    ["writes_refused", "shard_"].iter().any(|ours| name.starts_with(ours))
}

fn metrics_but(text: &str, counted: &[&str]) -> String {
    let mut lines = Vec::new();
    let mut parts = Vec::new();
    for line in text.lines().filter(|line| !is_ours(line.trim_start_matches("zk_"))) {
        let (name, value) = line.split_once('\t').expect("a tab");
        let varies = VARYING.iter().any(|part| name.contains(part)) && !counted.contains(&name);
        let line = format!("{name}\t{}", if varies { "#" } else { value });
        if name.ends_with("_per_namespace") && !name.contains("_quota_") {
            parts.push(line);
        } else {
            lines.push(line);
        }
    }
    parts.sort_unstable();
    lines.extend(parts);
    lines.join("\n") + "\n"
}

/// `dump`: each section's lines sorted, whatever buckets of expiry they fall into; counts of sets
/// and of closing words normalised.
pub(super) fn dump(text: &str) -> String {
    let mut out = Vec::<String>::new();
    let mut section = BTreeSet::new();
    let mut has_expiry = false;
    for line in text.lines() {
        if line.starts_with('\t') {
            section.insert(line.to_owned());
        } else if line == "# expire at DATE:" {
            if !std::mem::replace(&mut has_expiry, true) {
                out.push(line.to_owned());
            }
        } else {
            has_expiry = false;
            out.extend(std::mem::take(&mut section));
            let is_count = line.contains(" Sets (");
            out.push(if is_count { sharp(line) } else { line.to_owned() });
        }
    }
    out.extend(section);
    out.join("\n") + "\n"
}

/// Heads, each with its lines below it, sorted.
pub(super) fn blocks(text: &str) -> String {
    let mut blocks = Vec::<Vec<&str>>::new();
    for line in text.lines() {
        match blocks.last_mut() {
            Some(block) if line.starts_with('\t') => block.push(line),
            _ => blocks.push(vec![line]),
        }
    }
    for block in &mut blocks {
        block[1..].sort_unstable();
    }
    blocks.sort_unstable();
    let lines: Vec<_> = blocks.concat();
    format!("{}\n-- ends with {:?}\n", lines.join("\n"), &text[text.len().saturating_sub(2)..])
}

/// Sizes of directories.
pub(super) fn sizes(text: &str) -> String {
    let varies = |line: &str| line.contains("Size=") || line.contains("_size: ");
    text.split('\n')
        .map(|line| if varies(line) { sharp(line) } else { line.to_owned() })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Names before `=`.
pub(super) fn keys(text: &str) -> String {
    let key = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
    text.split('\n').map(key).collect::<Vec<_>>().join("\n")
}

/// Digests depend on the times of nodes.
pub(super) fn digests(text: &str) -> String {
    let line = |line: &str| match line.split_once(": ") {
        Some((zxid, digest)) => {
            assert!(digest.parse::<i64>().is_ok(), "{line}");
            format!("{zxid}: #")
        }
        None => line.to_owned(),
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// JSON as a sorted list of paths with the kind of value at each; keys that are data are `*`.
pub(super) fn shape(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e} in {text}"));
    let mut lines = BTreeSet::new();
    walk(&value, "", &mut lines);
    lines.into_iter().map(|line| line + "\n").collect()
}

fn walk(value: &Value, at: &str, lines: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                let is_data = key.starts_with('/') || key.bytes().all(|b| b.is_ascii_digit());
                if !is_ours(key) {
                    let key = if is_data { "*" } else { key };
                    walk(member, &format!("{at}.{key}"), lines);
                }
            }
        }
        Value::Array(members) if !members.is_empty() => {
            for member in members {
                walk(member, &format!("{at}[]"), lines);
            }
        }
        other => {
            let kind = match other {
                Value::Null => "null".to_owned(),
                Value::Bool(flag) => flag.to_string(),
                Value::Number(_) => "number".to_owned(),
                Value::String(text) if at == ".error" || at == ".command" => text.clone(),
                Value::String(_) => "text".to_owned(),
                Value::Array(_) => "[]".to_owned(),
                Value::Object(_) => "{}".to_owned(),
            };
            // An empty bucket of expiry.
            if at != ".expiry_time_to_session_ids.*" {
                lines.insert(format!("{at} {kind}"));
            }
        }
    }
}
