//! Records the build time in the binary. A release records the commit time of its sources, so that
//! the same sources give the same binary, wherever and whenever it is built.
#![allow(clippy::print_stdout, reason = "cargo reads build scripts from standard output")]

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let said = env::var("SOURCE_DATE_EPOCH").ok();
    // In development, a commit must not trigger a rebuild.
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if let Some(seconds) = said.or_else(|| if is_release { committed() } else { None }) {
        println!("cargo::rustc-env=RINGKEEPER_SOURCE_SECONDS={seconds}");
    }
}

/// When the sources were committed, in seconds since 1970, if they are in a git repository.
fn committed() -> Option<String> {
    // Each commit, checkout and reset writes a line there.
    let log = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"])?;
    println!("cargo::rerun-if-changed={log}");
    git(&["log", "-1", "--format=%ct"])
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned()).filter(|said| !said.is_empty())
}
