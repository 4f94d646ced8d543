//! Runs of the load generator in this process, each read back as a report.

use crate::plan::error::PlanError;
use crate::plan::report::{PATH_BYTES, Report, ReportArg};
use clap::{Args, Command, FromArgMatches};
use generator::{BenchArgs, BenchError};
use planning::Load;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process;

/// A server and what it is loaded with.
pub(super) struct Bench {
    server: String,
    workload: String,
    seconds: u32,
    /// Where each report is written before it is read.
    file: PathBuf,
}

impl Drop for Bench {
    fn drop(&mut self) {
        // It is absent if nothing was measured.
        let _ = fs::remove_file(&self.file);
    }
}

impl Bench {
    pub(super) fn new(server: &str, workload: &str, seconds: u32) -> Self {
        let name = format!("ringkeeper-plan-{}.json", process::id());
        let file = std::env::temp_dir().join(name);
        Self { server: server.to_owned(), workload: workload.to_owned(), seconds, file }
    }

    /// A short run, for what the workload asks and of how many nodes.
    pub(super) fn look(&self) -> Result<Report, PlanError> {
        self.report(&["--workload", &self.workload], "--seconds 1 --warmup 0")
    }

    /// A ramp of one operation, with the connections and nodes of a load.
    pub(super) fn ramp(&self, op: &str, load: &Load, p99_s: f64) -> Result<Report, PlanError> {
        let (connections, nodes) = (load.sessions, load.nodes.max(1.0));
        let bytes = (load.node_bytes - PATH_BYTES).max(0.0);
        let more = format!(
            "{} --connections {connections:.0} --nodes {nodes:.0} --size {bytes:.0}",
            self.ramp_flags(p99_s)
        );
        let report = self.report(&["--op", op], &more)?;
        Ok(Report { path: format!("the ramp of {op}").into(), ..report })
    }

    /// The highest rate of the workload that keeps the bound; `None` if none does.
    pub(super) fn highest(&self, p99_s: f64) -> Result<Option<f64>, PlanError> {
        let more = format!("{} --skip-prepare", self.ramp_flags(p99_s));
        let report = self.report(&["--workload", &self.workload], &more)?;
        Ok(report.kept_per_s.filter(|it| *it > 0.0))
    }

    /// The workload at a rate; `None` if the server did not carry it.
    pub(super) fn open_loop(&self, rate: f64) -> Result<Option<Report>, PlanError> {
        let seconds = self.seconds;
        let more = format!("--rate {rate:.0} --seconds {seconds} --warmup 1 --skip-prepare");
        match self.report(&["--workload", &self.workload], &more) {
            Ok(report) => Ok(Some(report)),
            Err(PlanError::Report { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The bench's bound is in whole milliseconds.
    fn ramp_flags(&self, p99_s: f64) -> String {
        let (ms, seconds) = ((p99_s * 1e3).ceil().max(1.0), self.seconds);
        format!("--ramp --ramp-p99-ms {ms:.0} --ramp-seconds {seconds} --warmup 1")
    }

    /// Runs the bench with words that may have blanks in them, and with more that have none.
    fn report(&self, words: &[&str], more: &str) -> Result<Report, PlanError> {
        let file = self.file.display().to_string();
        let fixed = ["bench", "--server", &self.server, "--json", &file];
        let command = BenchArgs::augment_args(Command::new("bench"));
        let all = fixed.iter().chain(words).copied().chain(more.split_whitespace());
        let found = command.get_matches_from(all);
        let args = BenchArgs::from_arg_matches(&found).expect("the words are those of the bench");
        // A report of an earlier run is none of this one.
        let _ = fs::remove_file(&self.file);
        match generator::run(&args, &mut io::sink(), |_| {}) {
            Ok(()) => {}
            // Its report says so, too.
            Err(BenchError::Errors { .. } | BenchError::Incidents { .. } | BenchError::Nothing)
                if self.file.exists() => {}
            Err(error) => return Err(error.into()),
        }
        Report::read(&ReportArg { n: None, path: self.file.clone() })
    }
}
