//! `ringkeeper profile`: what is decided about this machine, and why.

use super::{Chosen, choose, named};
use crate::cli::{ServeArgs, environment};
use crate::config;
use crate::serve::ServeError;
use clap::Args;
use disk::DiskError;
use disk::probe::Probe;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;
use tuning::profile::{DiskFacts, Profile, ProfileError, SHIPPED};
use tuning::{Kernel, Topology, TopologyError};

/// Which profile.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(
    after_long_help = "Without arguments: what `serve` would run by on this machine, in the form \
    of a file, each number with its reason. To change some of it, keep these in a file, and set \
    ring.profile to it.\n\n\
    It measures how long one durable write takes, and changes nothing.\n\n\
    Example: ringkeeper profile zoo.cfg"
)]
pub struct ProfileArgs {
    /// Print the names of the profiles that the program has.
    #[arg(long)]
    pub list: bool,

    /// Print one of them, or read a file and print it.
    #[arg(long, value_name = "PROFILE", conflicts_with = "list")]
    pub show: Option<PathBuf>,

    /// The configuration.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// Why the command failed.
#[derive(Debug, Error)]
pub enum ProfileFailed {
    /// The configuration cannot be read.
    #[error(transparent)]
    Config(#[from] ServeError),
    /// The machine cannot be read.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The profile cannot be read.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The disk cannot be looked at.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Its output.
    #[error("cannot write the output: {0}")]
    Output(#[source] io::Error),
}

/// `ringkeeper profile`.
///
/// # Errors
/// The configuration, the machine or the profile cannot be read.
pub fn profile(args: &ProfileArgs, out: &mut impl Write) -> Result<(), ProfileFailed> {
    let text = match &args.show {
        Some(path) => named(path)?.text(),
        None if args.list => list(),
        None => decided(&args.serve)?,
    };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(ProfileFailed::Output)
}

fn list() -> String {
    let mut text = String::new();
    for (name, _) in SHIPPED {
        let _ = writeln!(text, "{name:15} {}", tuning::profile::shipped(name).about);
    }
    text
}

fn decided(args: &ServeArgs) -> Result<String, ProfileFailed> {
    let sources = args.sources(environment);
    let sources = sources.map_err(|(path, error)| ServeError::File(path, error))?;
    let config = config::load(&sources).map_err(ServeError::Config)?.config;
    let topology = Topology::discover()?;
    // The nearest directory that there is: the server creates the rest.
    let ancestors = config.storage.data_log_dir.ancestors();
    let there = ancestors.into_iter().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let said = Probe::of(there)?;
    let durable_us = disk::probe::durable_us(there)?;
    let disk = DiskFacts::of(&Kernel::default(), there, &said, durable_us);
    let chosen = choose(config.profile.as_deref(), &topology, Some(&disk))?;
    Ok(shown(chosen, &disk))
}

fn shown(chosen: Chosen, disk: &DiskFacts) -> String {
    let mut text = format!("# {chosen}\n# The log's disk: {}", disk.shown());
    if let Some(us) = disk.durable_us {
        let _ = write!(text, "; a durable block takes {us} us");
    }
    text.push('\n');
    if let Some(warning) = &chosen.warning {
        let _ = writeln!(text, "# {warning}");
    }
    let about = format!("What is decided about this machine: {chosen}.");
    let mut all = Profile::new("this-machine", &about);
    all.decisions = chosen.profile.decisions;
    for decision in all.decisions.values_mut() {
        decision.why = format!("{} ({})", decision.why, decision.by);
    }
    text + &all.text()
}
