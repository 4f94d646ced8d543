//! Every guard that an invariant names exists.
//!
//! A guard is named in the documentation of the code, in parentheses that begin with this word, or
//! in the last column of the table of invariants in docs/ARCHITECTURE.md. What is in backticks
//! there is a reference: a path from the top or from the crate; a module, test or function, seen
//! from the crate or from the module; a type's method; or, if it contains blanks, a line of the
//! workspace's manifest. A module that is said to have "assertions" must have some.

use std::collections::BTreeMap;
use std::path::Path;

use crate::tidy::{files, workspace};

/// What the tests need to know of the sources.
struct Sources {
    texts: BTreeMap<String, String>,
}

/// A guard as it is written.
struct Guard {
    file: String,
    text: String,
}

/// The guards in the documentation of a file: its comments joined, so that line breaks do not
/// matter.
fn guards_of(file: &str, text: &str) -> Vec<Guard> {
    let comment = |line: &str| {
        let line = line.trim_start();
        let text = line.strip_prefix("//!").or_else(|| line.strip_prefix("///"))?;
        Some(text.trim().to_owned())
    };
    let joined = text.lines().filter_map(comment).collect::<Vec<_>>().join(" ");
    let mut guards = Vec::new();
    let mut rest = &joined[..];
    while let Some(at) = rest.find("(guard") {
        rest = &rest[at + 1..];
        let Some((word, said)) = rest.split_once(':') else { break };
        if word != "guard" && word != "guards" {
            continue;
        }
        let end = end_of(said);
        guards.push(Guard { file: file.to_owned(), text: said[..end].to_owned() });
        rest = &said[end..];
    }
    guards
}

/// Where the parenthesis that is open at the beginning closes.
fn end_of(text: &str) -> usize {
    let mut depth = 1;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// What is in backticks.
fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

impl Sources {
    fn read() -> Self {
        Self { texts: files(".rs").into_iter().collect() }
    }

    /// Whether the reference is to something that exists, seen from a file.
    fn has(&self, file: &str, reference: &str, must_assert: bool) -> bool {
        if reference.contains(' ') {
            let manifest = std::fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
            return manifest.contains(reference);
        }
        let top = file.split('/').next().unwrap_or_default();
        if reference.contains('/') || reference.contains('.') {
            let below = |folder: &str| workspace().join(folder).join(reference).exists();
            return below("") || below(top);
        }
        let names: Vec<_> =
            reference.split("::").filter(|name| !["crate", "super"].contains(name)).collect();
        let starts_with_crate = match names[0] {
            "txlog" => Some("log"),
            // It means the module of that name.
            "tests" => None,
            name if workspace().join(name).join("Cargo.toml").exists() => Some(name),
            _ => None,
        };
        if let Some(other) = starts_with_crate {
            return names.len() == 1 || self.is_below(&format!("{other}/src"), &names[1..], false);
        }
        let own = Path::new(file).with_extension("");
        let mut folder = Some(own.as_path());
        while let Some(base) = folder {
            if self.is_below(base.to_str().unwrap(), &names, must_assert) {
                return true;
            }
            folder = base.parent().filter(|parent| !parent.as_os_str().is_empty());
        }
        self.is_method(&names)
    }

    /// Whether these names are a module, or an item in one, below a folder.
    fn is_below(&self, folder: &str, names: &[&str], must_assert: bool) -> bool {
        let path = names.join("/");
        let is_sound = |text: &String| !must_assert || text.contains("assert");
        let here = self.texts.get(&format!("{folder}/{path}.rs"));
        let inner = self.texts.get(&format!("{folder}/{path}/mod.rs"));
        if here.or(inner).is_some_and(is_sound) {
            return true;
        }
        let (last, before) = names.split_last().unwrap();
        // A test that a macro makes is named on a line of its own.
        let is_named = |line: &str| {
            line.trim() == *last || is_function(line, last) || is_inner_module(line, last)
        };
        // The innermost modules may be in the file of their parent.
        (0..=before.len()).any(|at| {
            let (outer, inner) = before.split_at(at);
            let owner = [&[folder], outer].concat().join("/");
            ["", "/mod", "/lib"].iter().any(|end| {
                self.texts.get(&format!("{owner}{end}.rs")).is_some_and(|text| {
                    let has = |is: &dyn Fn(&str) -> bool| text.lines().any(is);
                    let is_inner = |name: &str| has(&|line| is_inner_module(line, name));
                    is_sound(text) && inner.iter().all(|name| is_inner(name)) && has(&is_named)
                })
            })
        })
    }

    /// Whether these names are a type of ours and its method.
    fn is_method(&self, names: &[&str]) -> bool {
        let [owner, method] = names else { return false };
        let is_type = |line: &str| {
            ["struct ", "enum "].iter().any(|kind| {
                let named = line.split_once(kind).and_then(|(_, rest)| rest.strip_prefix(owner));
                named.is_some_and(ends_a_name)
            })
        };
        let has = |is: &dyn Fn(&str) -> bool| self.texts.values().any(|text| text.lines().any(is));
        has(&is_type) && has(&|line| is_function(line, method))
    }
}

fn ends_a_name(rest: &str) -> bool {
    !rest.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_')
}

fn is_inner_module(line: &str, name: &str) -> bool {
    let named = line.trim().strip_prefix("mod ").and_then(|rest| rest.strip_prefix(name));
    named == Some(" {")
}

fn is_function(line: &str, name: &str) -> bool {
    let Some((_, rest)) = line.split_once("fn ") else { return false };
    rest.strip_prefix(name).is_some_and(ends_a_name)
}

fn wrong(sources: &Sources, guard: &Guard) -> Vec<String> {
    let must_assert = guard.text.contains("assertions");
    let mut wrong = Vec::new();
    if references(&guard.text).next().is_none() {
        wrong.push(format!("{}: ({}) names nothing", guard.file, guard.text.trim()));
    }
    for reference in references(&guard.text) {
        if !sources.has(&guard.file, reference, must_assert) {
            wrong.push(format!("{}: there is no {reference}", guard.file));
        }
    }
    wrong
}

#[test]
fn guards_in_the_code_exist() {
    let sources = Sources::read();
    let guards: Vec<_> =
        sources.texts.iter().flat_map(|(file, text)| guards_of(file, text)).collect();
    assert!(guards.len() > 50, "{} guards", guards.len());
    let wrong: Vec<_> = guards.iter().flat_map(|guard| wrong(&sources, guard)).collect();
    assert!(wrong.is_empty(), "guards that are none:\n  {}", wrong.join("\n  "));
}

#[test]
fn guards_in_the_table_exist() {
    let sources = Sources::read();
    let map = std::fs::read_to_string(workspace().join("docs/ARCHITECTURE.md")).unwrap();
    let (_, table) = map.split_once("| what always holds | guard |").unwrap();
    let rows: Vec<_> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    let guard = |row: &&str| {
        let text = row.trim_end_matches([' ', '|']).rsplit_once(" | ").unwrap().1.to_owned();
        Guard { file: "docs/ARCHITECTURE.md".to_owned(), text }
    };
    let wrong: Vec<_> = rows.iter().map(guard).flat_map(|it| wrong(&sources, &it)).collect();
    assert!(wrong.is_empty(), "guards that are none:\n  {}", wrong.join("\n  "));
}

#[test]
fn tests_of_the_scenarios_exist() {
    let sources = Sources::read();
    let page = std::fs::read_to_string(workspace().join("docs/ensemble_scenarios.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ")).skip(1);
    let named = rows.filter_map(|row| row.trim_end_matches([' ', '|']).rsplit_once(" | "));
    let names: Vec<_> = named.flat_map(|(_, tests)| references(tests)).collect();
    assert!(names.len() > 50, "{} names", names.len());
    let is_there = |name: &str| {
        sources.texts.values().any(|text| text.lines().any(|line| is_function(line, name)))
    };
    let missing: Vec<_> = names.iter().filter(|name| !is_there(name)).collect();
    assert!(missing.is_empty(), "tests that are none: {missing:?}");
}

#[test]
fn what_is_missing_is_found() {
    let sources = Sources::read();
    let text = "//! It holds (guard: `tests::there_is`,\n//! `no_such_module::nor_test`).\n";
    let guards = guards_of("engine/src/lib.rs", text);
    assert_eq!(guards.len(), 1);
    assert_eq!(wrong(&sources, &guards[0]).len(), 2);
    let nothing = guards_of("engine/src/lib.rs", "/// It holds (guard: the reader's goodwill).");
    assert_eq!(wrong(&sources, &nothing[0]).len(), 1);
    let found = guards_of("engine/src/lib.rs", "/// So (guards: the assertions in `replica`).");
    assert!(wrong(&sources, &found[0]).is_empty());
}
