//! Rules that reviewers would otherwise have to repeat, as tests over the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const WIDTH_MAX: usize = 100;
const CRATE_HEAD_LINES_MAX: usize = 60;

/// Functions longer than the limit: path, name, lines. Entries may shrink or be removed; none may
/// be added.
const LONG_FUNCTIONS: [(&str, &str, usize); 0] = [];

/// Allowed dependencies: a crate's folder, and the crates of ours that it may depend on.
const EDGES: [(&str, &[&str]); 12] = [
    ("model", &[]),
    ("ring", &[]),
    ("engine", &["model"]),
    ("net", &["model", "ring"]),
    ("disk", &["ring"]),
    ("log", &["model", "disk"]),
    ("snapshot", &["model", "disk"]),
    ("convert", &["model", "engine", "disk", "txlog", "snapshot"]),
    ("tuning", &["disk", "ring"]),
    ("generator", &["model", "ring"]),
    ("assignment", &[]),
    ("planning", &[]),
];

/// Nothing depends on these; they may depend on anything.
const ROOTS: [&str; 4] = ["server", "tests", "tests/sim", "benches"];

/// Heavy dependencies, and the only places that may name them.
const PLACES: [(&str, &[&str]); 9] = [
    ("io_uring", &["ring/"]),
    ("glommio", &["disk/", "server/"]),
    ("rkyv", &["model/src/record", "model/src/stat.rs", "snapshot/"]),
    ("hwlocality", &["tuning/"]),
    ("crc32c", &["log/", "snapshot/", "server/src/tune/"]),
    ("nix", &["ring/", "net/", "disk/", "tuning/", "generator/", "server/"]),
    ("hdrhistogram", &["generator/", "tuning/"]),
    ("rand", &["generator/"]),
    ("toml", &["generator/", "tuning/", "server/src/plan/"]),
];

/// What may read the clock and the environment: the binary, and for the clock also the parts that
/// measure time: the generator, and the probes of a device.
const CLOCK_PLACES: [&str; 4] = ["server/", "generator/", "disk/src/probe.rs", "tuning/src/probe/"];
const ENVIRONMENT_PLACES: [&str; 1] = ["server/"];

/// What may start a thread by itself: what runs before a core loop is pinned, the core loops,
/// commands that run none, and a stand-in of tests. All else would run on the processor of the loop
/// that starts it.
const THREAD_PLACES: [&str; 9] = [
    "server/src/threads.rs",
    "server/src/serve/signals.rs",
    "server/src/serve/wiring.rs",
    "server/src/balance/",
    "server/src/reconfig/",
    "disk/src/background/",
    "disk/src/huge.rs",
    "tuning/src/probe/",
    "generator/src/play/pretend/",
];

/// Where unsafe code is allowed.
const UNSAFE_PLACES: [&str; 5] =
    ["ring/src/", "disk/src/", "model/src/record", "engine/src/tree", "tuning/src/host/clock.rs"];

/// Names that are not ours to choose: those of a stand-in for a third-party crate.
const NAMES_OF_OTHERS: [&str; 1] = ["get_host_port"];

const VAGUE_NAMES: [&str; 5] = ["util", "utils", "common", "helpers", "misc"];

pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every file of this repository with this ending, as path from the top and text.
pub(crate) fn files(ending: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                let outside = ["target", "data", "out"].contains(&name) || name.starts_with('.');
                if !outside {
                    walk(&path, ending, found);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(workspace(), ending, &mut found);
    found.sort();
    let named = |path: PathBuf| {
        let name = path.strip_prefix(workspace()).unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(&path).unwrap())
    };
    found.into_iter().map(named).collect()
}

/// The folders of the workspace's members.
fn members() -> Vec<String> {
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let (_, list) = manifest.split_once("members = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The names on the left of a member's dependency tables.
fn dependencies(member: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(workspace().join(member).join("Cargo.toml")).unwrap();
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines() {
        if let Some(table) = line.strip_prefix('[') {
            inside = table.trim_end_matches(']').ends_with("dependencies");
        } else if inside && let Some((name, _)) = line.split_once('=') {
            names.insert(name.split('.').next().unwrap().trim().to_owned());
        }
    }
    names
}

/// The code of a line, without its comment. Good enough: a `//` in a string only hides what
/// follows.
fn code_of(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

fn assert_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

#[test]
fn crates_depend_only_on_what_they_may() {
    let ours: BTreeSet<_> = EDGES
        .iter()
        .map(|(name, _)| if *name == "log" { "txlog" } else { name })
        .chain(ROOTS)
        .collect();
    let mut found = Vec::new();
    for member in members() {
        if ROOTS.contains(&member.as_str()) {
            continue;
        }
        let edge = EDGES.iter().find(|(name, _)| *name == member);
        let (_, allowed) = edge.unwrap_or_else(|| panic!("{member} is not in the list of edges"));
        for name in dependencies(&member) {
            if ours.contains(name.as_str()) && !allowed.contains(&name.as_str()) {
                found.push(format!("{member} -> {name}"));
            }
        }
    }
    assert_none(&found, "edges between crates that the design does not have");
}

/// The raw client must not share code with what it tests.
#[test]
fn the_tests_depend_on_no_crate() {
    let names = dependencies("tests");
    let speakers = ["net", "generator", "server"];
    let ours: Vec<_> =
        names.iter().filter(|name| speakers.contains(&name.as_str())).cloned().collect();
    assert_none(&ours, "the tests speak the protocol by themselves");
}

#[test]
fn heavy_dependencies_stay_in_their_places() {
    let mut found = Vec::new();
    for (path, text) in files(".rs") {
        for (name, places) in PLACES {
            // `std::os::unix::` is not `nix::`.
            let path_of = format!("{name}::");
            let used = |line: &str| {
                code_of(line).match_indices(&path_of).any(|(at, _)| {
                    !code_of(line)[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                })
            };
            let allowed =
                places.iter().any(|place| path.starts_with(place)) || path.starts_with("benches/");
            if !allowed && path != "tests/tidy.rs" && text.lines().any(used) {
                found.push(format!("{path} names {name}"));
            }
        }
    }
    assert_none(&found, "dependencies out of their places");
}

/// All other code receives its times and settings, so that a test can choose them.
#[test]
fn clock_and_environment_are_read_in_their_places() {
    let mut found = Vec::new();
    let reads: [(&[&str], &[&str]); 2] = [
        (&["Instant::now(", "SystemTime::now("], &CLOCK_PLACES),
        (&["env::var(", "env::var_os(", "env::vars(", "env::args("], &ENVIRONMENT_PLACES),
    ];
    for (path, text) in files(".rs") {
        let is_test = path.ends_with("/tests.rs") || path.contains("/tests/");
        let is_outside = ["tests/", "benches/"].iter().any(|top| path.starts_with(top));
        if is_test || is_outside {
            continue;
        }
        for (words, places) in reads {
            let is_read = |line: &str| words.iter().any(|word| code_of(line).contains(word));
            if !places.iter().any(|place| path.starts_with(place)) && text.lines().any(is_read) {
                found.push(format!("{path} reads {}", words[0].trim_end_matches('(')));
            }
        }
    }
    assert_none(&found, "clock and environment read out of their places");
}

#[test]
fn threads_are_started_in_their_places() {
    const WORDS: [&str; 4] =
        ["thread::spawn", "thread::scope", "thread::Builder", "thread::{Builder"];
    let mut found = Vec::new();
    for (path, text) in files(".rs") {
        let is_test = path.ends_with("/tests.rs") || path.contains("/tests/");
        let is_outside = ["tests/", "benches/"].iter().any(|top| path.starts_with(top));
        let is_allowed = THREAD_PLACES.iter().any(|place| path.starts_with(place));
        let starts = |line: &str| WORDS.iter().any(|word| code_of(line).contains(word));
        if !is_test && !is_outside && !is_allowed && text.lines().any(starts) {
            found.push(path);
        }
    }
    assert_none(&found, "threads that would run on a core loop's processor");
}

#[test]
fn unsafe_code_stays_in_its_places() {
    let mut found = Vec::new();
    for (path, text) in files(".rs") {
        let block = |line: &str| {
            code_of(line).contains("unsafe {") || code_of(line).contains("unsafe impl")
        };
        if path != "tests/tidy.rs"
            && !UNSAFE_PLACES.iter().any(|place| path.starts_with(place))
            && text.lines().any(block)
        {
            found.push(path);
        }
    }
    assert_none(&found, "unsafe code out of its places");
}

#[test]
fn files_are_of_readable_size() {
    let mut found = Vec::new();
    for (path, text) in files(".rs") {
        let count = text.lines().count();
        if count > FILE_LINES_MAX {
            found.push(format!("{path}: {count} lines"));
        }
    }
    assert_none(&found, "files that want a wall");
}

#[test]
fn lines_fit_a_screen_and_are_ascii() {
    let mut found = Vec::new();
    for (path, text) in files(".rs") {
        for (number, line) in text.lines().enumerate() {
            let number = number + 1;
            if line.chars().count() > WIDTH_MAX && !line.contains("http") {
                found.push(format!("{path}:{number}: {} wide", line.chars().count()));
            }
            if !code_of(line).is_ascii() {
                found.push(format!("{path}:{number}: not ASCII"));
            }
            if line.ends_with(' ') || line.contains('\t') {
                found.push(format!("{path}:{number}: blanks at the end, or a tab"));
            }
        }
    }
    assert_none(&found, "lines");
}

/// Name and lines of each function, recognised by rustfmt's indentation.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (begin, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let last = format!("{indent}}}");
        let end = lines[begin..].iter().position(|line| {
            *line == last
                || line.starts_with(indent)
                    && line.ends_with(';')
                    && line.trim() != ";"
                    && !line[indent.len()..].starts_with(' ')
        });
        let body_on_line = line.ends_with('}');
        if let Some(end) = end
            && !body_on_line
        {
            found.push((name, end + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let (before, after) = line.split_once("fn ")?;
    let words = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe", "extern", "\"C\""];
    if !before.split_whitespace().all(|word| words.contains(&word) || word.starts_with("pub(in")) {
        return None;
    }
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0).then(|| after[..end].to_owned())
}

#[test]
fn functions_are_of_readable_size() {
    let mut found = Vec::new();
    let mut listed: Vec<_> = LONG_FUNCTIONS.to_vec();
    for (path, text) in files(".rs") {
        for (name, count) in functions(&text) {
            let entry = listed.iter().position(|(p, n, _)| *p == path && *n == name);
            match entry.map(|index| listed.remove(index)) {
                Some((_, _, allowed)) if count > allowed => {
                    found.push(format!("{path}: {name} has grown from {allowed} to {count} lines"));
                }
                Some((_, _, allowed)) if count < allowed => {
                    found.push(format!("{path}: {name} has {count} lines now; lower its entry"));
                }
                None if count > FUNCTION_LINES_MAX => {
                    found.push(format!("{path}: {name} has {count} lines"));
                }
                _ => {}
            }
        }
    }
    found.extend(
        listed.iter().map(|(path, name, _)| format!("{path}: {name} is no longer in the code")),
    );
    assert_none(&found, "functions longer than the limit, and stale entries of the list");
}

#[test]
fn names_say_something() {
    let mut found = Vec::new();
    for (path, text) in files(".rs") {
        let parts = path.trim_end_matches(".rs").split('/');
        if parts.clone().any(|part| VAGUE_NAMES.contains(&part)) {
            found.push(path.clone());
        }
        for line in text.lines() {
            let vague = ["get_", "do_", "process_"];
            if let Some(name) = function_name(line)
                && vague.iter().any(|prefix| name.starts_with(prefix))
                && !NAMES_OF_OTHERS.contains(&name.as_str())
            {
                found.push(format!("{path}: {name}"));
            }
        }
    }
    assert_none(&found, "names that mean nothing");
}

#[test]
fn sources_hold_no_notes_to_oneself() {
    let mut found = Vec::new();
    for (path, text) in files(".rs") {
        for (number, line) in text.lines().enumerate() {
            let words = ["TODO", "FIXME", "XXX"];
            if path != "tests/tidy.rs" && words.iter().any(|word| line.contains(word)) {
                found.push(format!("{path}:{}", number + 1));
            }
        }
    }
    assert_none(&found, "unfinished business");
}

#[test]
fn crate_heads_say_what_holds_and_what_is_absent() {
    let mut found = Vec::new();
    for member in members() {
        let folder = workspace().join(&member);
        let roots = ["src/lib.rs", "harness/lib.rs", "src/main.rs"].map(|name| folder.join(name));
        let root = roots.iter().find(|root| root.exists());
        let text = fs::read_to_string(root.expect("a crate has a root")).unwrap();
        let head: Vec<_> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        let has = |words: &str| head.iter().any(|line| line.contains(words));
        if head.len() > CRATE_HEAD_LINES_MAX {
            found.push(format!("{member}: its head has {} lines", head.len()));
        }
        for words in ["**Invariants**", "**What is deliberately not here**"] {
            if !has(words) {
                found.push(format!("{member}: its head lacks {words}"));
            }
        }
    }
    assert_none(&found, "crate heads");
}

/// Every file is a declared module: any other is never compiled.
#[test]
fn every_file_is_reachable() {
    let sources = files(".rs");
    let declared = |parent: &str, module: &str| {
        sources.iter().filter(|(path, _)| path == parent).any(|(_, text)| {
            text.lines().any(|line| line.trim_end().ends_with(&format!("mod {module};")))
        })
    };
    let mut found = Vec::new();
    for (path, _) in &sources {
        let file = Path::new(path);
        let folder = file.parent().unwrap();
        let stem = file.file_stem().unwrap().to_str().unwrap();
        let is_root = ["lib", "main", "build"].contains(&stem)
            || path == "tests/all.rs"
            || ["benches", "bin", "examples", "fuzz_targets"]
                .iter()
                .any(|name| folder.ends_with(name));
        let (module, inside) = if stem == "mod" {
            (folder.file_name().unwrap().to_str().unwrap(), folder.parent().unwrap())
        } else {
            (stem, folder)
        };
        let parents = ["mod.rs", "lib.rs", "main.rs", "all.rs"];
        let reached =
            parents.iter().any(|name| declared(&format!("{}/{name}", inside.display()), module));
        if !is_root && !reached {
            found.push(path.clone());
        }
    }
    assert_none(&found, "files that no module declares");
}

#[test]
fn the_map_shows_every_crate_and_no_other() {
    let path = workspace().join("docs/ARCHITECTURE.md");
    let map = fs::read_to_string(path).expect("docs/ARCHITECTURE.md is there");
    let mut found: Vec<_> = members()
        .into_iter()
        .filter(|member| {
            !map.contains(&format!("`{member}/`")) && !map.contains(&format!("\n{member}/"))
        })
        .map(|member| format!("{member} is not in docs/ARCHITECTURE.md"))
        .collect();
    // Everything that looks like a path in the documentation must exist.
    for (name, text) in files(".md") {
        for word in text.split('`').skip(1).step_by(2) {
            let is_path =
                word.contains('/') && [".rs", ".sh", ".md"].iter().any(|e| word.ends_with(e));
            let is_plain =
                !word.contains([' ', '*', '<', '$']) && !word.starts_with(['/', '.', '~']);
            let top = word.split('/').next().unwrap();
            if is_path
                && is_plain
                && workspace().join(top).is_dir()
                && !workspace().join(word).exists()
            {
                found.push(format!("{name} names {word}"));
            }
        }
    }
    assert_none(&found, "the documentation's map");
}

#[test]
fn no_text_names_paths_of_one_machine() {
    let mut found = Vec::new();
    for ending in [".rs", ".sh", ".md", ".toml", ".txt", ".py"] {
        for (path, text) in files(ending) {
            let private = ["/work/", "/root/", "/home/", "bash_jobs"];
            if path != "tests/tidy.rs" && private.iter().any(|word| text.contains(word)) {
                found.push(path);
            }
        }
    }
    assert_none(&found, "paths of one machine");
}

#[test]
fn the_scanner_finds_functions() {
    let text = "\
fn one() {
    two();
}

    pub(crate) const fn three<T>(
        a: T,
    ) -> T {
        a
    }
    fn four(&self);
    fn five() {}
";
    let expected = [("one".to_owned(), 3), ("three".to_owned(), 5), ("four".to_owned(), 1)];
    assert_eq!(functions(text), expected);
}
