//! The programs in docs/balancing.md place clients as the server's own crate does.
//!
//! Each reads the questions of `assignment/src/tests/vectors.tsv`, whose answers that crate's tests
//! compare, and must print these answers. A language that the machine lacks is left out, which is
//! printed; Python is always there.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Folder;

/// The programs have records, which are part of Java since this version.
const JAVA_MIN: u32 = 16;

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Writes the page's program of this name, which its first line has, into the folder.
fn program(folder: &Folder, name: &str) -> PathBuf {
    let page = fs::read_to_string(workspace().join("docs/balancing.md")).unwrap();
    let blocks = page.split("\n```").skip(1).step_by(2);
    let named = |block: &&str| {
        let title = block.lines().nth(1).unwrap_or_default();
        title.trim_start_matches(['#', '/', ' ']).starts_with(name)
    };
    let block = blocks.into_iter().find(named).unwrap_or_else(|| panic!("no program {name}"));
    let path = folder.path().join(name);
    fs::write(&path, block.split_once('\n').unwrap().1).unwrap();
    path
}

/// Runs the program with all questions and compares its answers.
fn assert_places(command: &mut Command) {
    let vectors = workspace().join("assignment/src/tests/vectors.tsv");
    let text = fs::read_to_string(&vectors).unwrap();
    let output = command.stdin(File::open(vectors).unwrap()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut answers = printed.lines();
    for line in text.lines() {
        let (question, expected) = line.rsplit_once('\t').unwrap();
        assert_eq!(answers.next(), Some(expected), "{command:?}: {question}");
    }
    assert_eq!(answers.next(), None, "{command:?}");
}

/// What a tool says of its version; `None` after a line that says that it is missing.
fn version(tool: &str, word: &str) -> Option<String> {
    let done = Command::new(tool).arg(word).stderr(Stdio::null()).output();
    let text = done.ok().filter(|it| it.status.success());
    let text = text.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
    if text.is_none() {
        eprintln!("skipped: there is no {tool}");
    }
    text
}

/// Whether a compiler for these programs is there: `javac 17.0.15`.
fn has_java() -> bool {
    let Some(text) = version("javac", "--version") else { return false };
    let number = text.split([' ', '.', '\n']).find_map(|word| word.parse::<u32>().ok());
    let is_new = number.is_some_and(|it| it >= JAVA_MIN);
    if !is_new {
        eprintln!("skipped: {text} is older than {JAVA_MIN}");
    }
    is_new
}

#[test]
fn the_program_in_python_places_clients_as_we_do() {
    let folder = Folder::new();
    let mut command = Command::new("python3");
    command.env("PYTHONIOENCODING", "utf-8").arg("-I").arg("-X").arg("utf8");
    assert_places(command.arg(program(&folder, "route.py")));
}

#[test]
fn the_program_in_java_places_clients_as_we_do() {
    let folder = Folder::new();
    let path = program(&folder, "Route.java");
    if has_java() {
        assert_places(Command::new("java").arg(path));
    }
}

#[test]
fn the_program_in_go_places_clients_as_we_do() {
    let folder = Folder::new();
    let path = program(&folder, "route.go");
    if version("go", "version").is_some() {
        let mut command = Command::new("go");
        command.current_dir(folder.path()).env("GOTOOLCHAIN", "local").env("GO111MODULE", "off");
        assert_places(command.arg("run").arg(path));
    }
}

/// Against the jars that the suites have fetched, if they have.
#[test]
fn the_provider_in_java_is_one_of_zookeepers() {
    let folder = Folder::new();
    let path = program(&folder, "InOrder.java");
    let jars = env::var_os("SUITES").map(|suites| Path::new(&suites).join("stock/3.9.5/lib"));
    let Some(jars) = jars.filter(|it| it.is_dir()) else {
        eprintln!("skipped: SUITES has no jars of ZooKeeper 3.9.5");
        return;
    };
    if has_java() {
        let mut command = Command::new("javac");
        command.arg("-Werror").arg("-cp").arg(jars.join("*")).arg("-d").arg(folder.path());
        let output = command.arg(path).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
    }
}
