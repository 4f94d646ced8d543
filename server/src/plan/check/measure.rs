//! Runs of the load generator in this process, each read back as a report.

use crate::plan::error::PlanError;
use crate::plan::report::{Report, ReportArg};
use clap::{Args, Command, FromArgMatches};
use generator::{BenchArgs, BenchError};
use serde_json::Value;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process;

/// Later than anything: what counts is whether requests are answered.
const LATE_MS: u32 = 60_000;

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

    /// About the highest rate that the server answers, however late; at least 1.
    pub(super) fn highest(&self) -> Result<f64, PlanError> {
        let late_ms = LATE_MS.to_string();
        self.run(&[
            "--workload",
            &self.workload,
            "--ramp",
            "--ramp-p99-ms",
            &late_ms,
            "--ramp-seconds",
            "1",
            "--warmup",
            "1",
            "--skip-prepare",
        ])?;
        let steps = self.read()?.steps;
        Ok(steps.iter().map(|it| it.achieved_per_s).fold(1.0, f64::max))
    }

    /// How many requests are answered a second of more than the server carries.
    pub(super) fn answered(&self, rate: f64) -> Result<Option<f64>, PlanError> {
        self.run(&self.at(rate).each_ref().map(String::as_str))?;
        let text = fs::read_to_string(&self.file).map_err(PlanError::file(&self.file))?;
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        Ok(json["ops_per_s"].as_f64().filter(|it| *it > 0.0))
    }

    /// The workload at a rate; `None` if the server did not carry it.
    pub(super) fn open_loop(&self, rate: f64) -> Result<Option<Report>, PlanError> {
        self.run(&self.at(rate).each_ref().map(String::as_str))?;
        match self.read() {
            Ok(report) => Ok(Some(report)),
            Err(PlanError::Report { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn at(&self, rate: f64) -> [String; 9] {
        let (rate, seconds) = (format!("{rate:.0}"), self.seconds.to_string());
        [
            "--workload",
            &self.workload,
            "--rate",
            &rate,
            "--seconds",
            &seconds,
            "--warmup",
            "1",
            "--skip-prepare",
        ]
        .map(str::to_owned)
    }

    fn run(&self, words: &[&str]) -> Result<(), PlanError> {
        let file = self.file.display().to_string();
        let fixed = ["bench", "--server", &self.server, "--json", &file];
        let command = BenchArgs::augment_args(Command::new("bench"));
        let found = command.get_matches_from(fixed.iter().chain(words));
        let args = BenchArgs::from_arg_matches(&found).expect("the words are those of the bench");
        // A report of an earlier run is none of this one.
        let _ = fs::remove_file(&self.file);
        match generator::run(&args, &mut io::sink(), |_| {}) {
            Ok(()) => Ok(()),
            // Its report says so, too.
            Err(BenchError::Errors { .. } | BenchError::Incidents { .. } | BenchError::Nothing)
                if self.file.exists() =>
            {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self) -> Result<Report, PlanError> {
        Report::read(&ReportArg { n: None, path: self.file.clone() })
    }
}
