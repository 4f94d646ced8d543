//! Runs of the load generator in this process, each read back as a report.

use crate::plan::error::PlanError;
use crate::plan::report::{Report, ReportArg};
use clap::{Args, Command, FromArgMatches};
use generator::{BenchArgs, BenchError};
use nix::unistd::mkdtemp;
use serde_json::Value;
use std::fs;
use std::io;
use std::path::PathBuf;

/// A server and what it is loaded with.
pub(super) struct Bench {
    server: String,
    workload: String,
    seconds: u32,
    /// A folder of its own, so that nobody else can have put a file or a link there.
    folder: PathBuf,
    /// Where each report is written before it is read.
    file: PathBuf,
}

/// What a workload asks.
pub(super) struct Looked {
    /// Clients.
    pub(super) sessions: f64,
    /// Requests that all of them send before they wait.
    pub(super) under_way: f64,
}

impl Drop for Bench {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans that place.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Bench {
    pub(super) fn new(server: &str, workload: &str, seconds: u32) -> Result<Self, PlanError> {
        // The call replaces the last six letters.
        let folder = std::env::temp_dir().join("ringkeeper-plan-".to_owned() + &"X".repeat(6));
        let folder = mkdtemp(&folder).map_err(|errno| PlanError::file(&folder)(errno.into()))?;
        let file = folder.join("report.json");
        Ok(Self { server: server.to_owned(), workload: workload.to_owned(), seconds, folder, file })
    }

    /// A short run, for what the workload asks.
    pub(super) fn look(&self) -> Result<Looked, PlanError> {
        self.run("--seconds 1 --warmup 0")?;
        let json = self.json()?;
        if json["rate"].is_number() {
            return Err(PlanError::Contradiction(
                "the workload has a rate of its own, and --check asks for rates: take one without",
            ));
        }
        let sessions = self.read()?.load.sessions;
        Ok(Looked { sessions, under_way: sessions * json["pipeline"].as_f64().unwrap_or(1.0) })
    }

    /// How many requests are answered a second when each client sends the next one at once; `None`
    /// if none is. An open loop above that would measure the generator, which is late by then.
    pub(super) fn highest(&self) -> Result<Option<f64>, PlanError> {
        self.run(&format!("--seconds {} --warmup 1 --skip-prepare", self.seconds))?;
        Ok(self.json()?["ops_per_s"].as_f64().filter(|it| *it > 0.0))
    }

    /// The workload at a rate; `None` if the server did not carry it.
    pub(super) fn open_loop(&self, rate: f64) -> Result<Option<Report>, PlanError> {
        let seconds = self.seconds;
        self.run(&format!("--rate {rate:.0} --seconds {seconds} --warmup 1 --skip-prepare"))?;
        match self.read() {
            Ok(report) => Ok(Some(report)),
            Err(PlanError::Report { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn run(&self, words: &str) -> Result<(), PlanError> {
        let file = self.file.display().to_string();
        let fixed = ["bench", "--server", &self.server, "--json", &file, "--workload"];
        let words = fixed.into_iter().chain([&self.workload[..]]).chain(words.split_whitespace());
        let found = BenchArgs::augment_args(Command::new("bench")).get_matches_from(words);
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

    fn json(&self) -> Result<Value, PlanError> {
        let text = fs::read_to_string(&self.file).map_err(PlanError::file(&self.file))?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    fn read(&self) -> Result<Report, PlanError> {
        Report::read(&ReportArg { n: None, path: self.file.clone() })
    }
}
