use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::{Ensemble, Launch, configuration};
use crate::error::BenchError;
use crate::signals::Signals;

/// A folder of the test's own.
fn above(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("ringkeeper-{name}-{}", std::process::id()))
}

fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// A command that is given the path of a zoo.cfg as `$1`.
fn shell(script: &str) -> Launch {
    Launch { words: ["sh", "-c", script, "sh"].map(Into::into).into() }
}

fn start(launch: &Launch, above: &Path) -> Result<Ensemble, BenchError> {
    Ensemble::start(launch, 2, above, &Signals::hold().unwrap())
}

#[test]
fn every_server_knows_the_others() {
    let text = configuration(2, Path::new("/tmp/e/2"), &[11, 12, 13, 21, 22, 23]);
    assert!(text.contains("dataDir=/tmp/e/2/data\nclientPort=21\n"), "{text}");
    assert!(text.ends_with("server.1=127.0.0.1:12:13\nserver.2=127.0.0.1:22:23\n"), "{text}");
    let text = configuration(1, Path::new("/tmp/e/1"), &[11, 12, 13]);
    assert!(!text.contains("server."), "one server has no others: {text}");
}

#[test]
fn a_server_that_ends_is_reported_with_its_last_words() {
    let above = above("ends");
    let launch = shell("echo first; echo cannot read $1 >&2; exit 3");
    let said = start(&launch, &above).err().unwrap().to_string();
    assert!(said.contains("ended before it served (exit status 3): first | cannot read"), "{said}");
    assert!(said.contains("/zoo.cfg"), "{said}");
    assert!(!above.exists(), "a folder that was made for it is removed");
}

#[test]
fn a_command_that_is_not_there_is_reported() {
    let above = above("absent");
    let launch = Launch { words: vec!["/nonexistent/server".into()] };
    let said = start(&launch, &above).err().unwrap().to_string();
    assert!(said.starts_with("cannot start /nonexistent/server: No such file"), "{said}");
    assert!(!above.exists());
}

#[test]
fn nothing_is_left_of_an_ensemble() {
    let above = above("left");
    fs::create_dir(&above).unwrap();
    // The first has started a process of its own when the second one's end ends the ensemble.
    let script = "cd $(dirname $1); case $(cat data/myid) in \
        1) sleep 1000 & echo $! > ../../pid; wait ;; \
        *) until [ -s ../../pid ]; do sleep 0.01; done; exit 1 ;; esac";
    assert!(matches!(
        start(&shell(script), &above),
        Err(BenchError::ServerEnded { number: 2, .. })
    ));
    let pid = fs::read_to_string(above.join("pid")).unwrap();
    // It was sent its signal; the kernel ends it when it next looks.
    let end = Instant::now() + Duration::from_secs(60);
    while is_alive(pid.trim()) {
        assert!(Instant::now() < end, "{pid} goes on");
        thread::sleep(Duration::from_millis(1));
    }
    fs::remove_file(above.join("pid")).unwrap();
    fs::remove_dir(&above).expect("it was there before, and is empty");
}
