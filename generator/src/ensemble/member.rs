//! One server's process, and the signals that it is sent.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::Launch;
use crate::error::BenchError;
use crate::limits::{OUTPUT_BYTES_SHOWN, OUTPUT_LINES_SHOWN};

/// A server that has ended: how, and the last lines of its output.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Box<str>,
    pub(crate) last: Box<str>,
}

/// Lives in: the ensemble.
pub(crate) struct Member {
    /// From 1.
    pub(crate) number: usize,
    pub(crate) address: SocketAddr,
    launch: Launch,
    folder: PathBuf,
    child: Option<Child>,
}

impl Member {
    pub(super) fn new(
        number: usize,
        address: SocketAddr,
        launch: &Launch,
        folder: PathBuf,
    ) -> Self {
        Self { number, address, launch: launch.clone(), folder, child: None }
    }

    /// Starts it. It has a group of its own: a signal of the terminal is for the generator.
    ///
    /// # Panics
    /// It runs already.
    pub(crate) fn start(&mut self) -> Result<(), BenchError> {
        assert!(!self.is_running(), "a second process would never be ended");
        let words = &self.launch.words;
        let failed = |source| BenchError::Start { command: words[0].clone(), source };
        let output = self.folder.join("output");
        let output = OpenOptions::new().create(true).append(true).open(output).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(self.folder.join("zoo.cfg"));
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        self.child = Some(command.spawn().map_err(failed)?);
        Ok(())
    }

    /// Whether it was started, and has not ended as far as is known.
    pub(crate) fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Its process, and those that it has started.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            // It may have ended a moment ago, which `ended` will tell.
            let _ = killpg(Pid::from_raw(child.id() as i32), signal);
        }
    }

    /// Whether it has ended since the last call.
    pub(crate) fn ended(&mut self) -> Option<Ended> {
        let status = self.child.as_mut()?.try_wait().ok().flatten()?;
        self.child = None;
        Some(Ended { status: words(status).into(), last: self.last() })
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }

    /// The last lines of its output.
    pub(crate) fn last(&self) -> Box<str> {
        let read = || -> io::Result<String> {
            let mut file = File::open(self.folder.join("output"))?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(OUTPUT_BYTES_SHOWN)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let shown = lines[lines.len().saturating_sub(OUTPUT_LINES_SHOWN)..].join(" | ");
        if shown.is_empty() { "it printed nothing".into() } else { shown.into() }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no status".into(),
    }
}
