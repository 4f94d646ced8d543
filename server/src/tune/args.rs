//! The command line.

use crate::cli::ServeArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use tuning::Kernel;

/// Where `apply` records what was there before.
pub(super) const RECORD: &str = "/var/lib/ringkeeper/tuning.json";

/// What to do about the machine's settings.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct TuneArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: Tuning,
}

/// What to do about the machine's settings.
#[derive(Clone, Debug, Subcommand, PartialEq, Eq)]
pub enum Tuning {
    /// Show what was found, what is advised and why. Changes nothing.
    Check(CheckArgs),
    /// Change what is not as advised, after recording what was there.
    Apply(ApplyArgs),
    /// Restore what `apply` has changed.
    Undo(UndoArgs),
    /// Measure what each change is worth, before and after, in turn; keep what helps if asked to.
    Measure(MeasureArgs),
    /// Print what `apply` would do as a shell script.
    Script(ScriptArgs),
}

/// Which settings, for which server.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(after_long_help = "The configuration counts as for `serve`: the disk of dataLogDir, \
    ring.shards, ring.cpus, ring.pin and ring.log.durability decide what is advised.")]
pub struct MachineArgs {
    /// Only these settings, by the names in the first column: governor,swappiness.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub only: Vec<String>,

    /// In place of the processors of this machine, in hwloc's short form.
    #[arg(long, value_name = "TEXT", hide = true)]
    pub synthetic: Option<String>,

    /// Where the kernel shows the machine.
    #[command(flatten)]
    pub roots: Roots,

    /// The configuration.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// Where the kernel shows the machine; elsewhere in tests.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// In place of `/sys`.
    #[arg(long, value_name = "DIR", hide = true)]
    pub sys: Option<PathBuf>,

    /// In place of `/proc`.
    #[arg(long, value_name = "DIR", hide = true)]
    pub proc: Option<PathBuf>,
}

impl Roots {
    pub(super) fn kernel(&self) -> Kernel {
        let usual = Kernel::default();
        Kernel {
            sys: self.sys.clone().unwrap_or(usual.sys),
            proc: self.proc.clone().unwrap_or(usual.proc),
        }
    }
}

/// `tune check`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckArgs {
    /// Print JSON: every setting, with the files behind it.
    #[arg(long)]
    pub json: bool,

    /// Show the settings that are as advised, too, and those that are not there.
    #[arg(long, conflicts_with = "json")]
    pub long: bool,

    /// Which settings.
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// `tune apply`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplyArgs {
    /// Say what would be changed, and change nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// Where to record what was there before.
    #[arg(long, value_name = "FILE", default_value = RECORD)]
    pub record: PathBuf,

    /// Which settings.
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// `tune undo`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct UndoArgs {
    /// Where `apply` has recorded what was there before.
    #[arg(long, value_name = "FILE", default_value = RECORD)]
    pub record: PathBuf,

    /// Where the kernel shows the machine.
    #[command(flatten)]
    pub roots: Roots,
}

/// `tune measure`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(
    after_long_help = "A server of its own runs on the disk of dataLogDir, in a folder that is \
    removed at the end, with one load after the other: sets one at a time, many sets, many gets. \
    It is measured as the machine is, with each change alone, and with all of them.\n\n\
    If it is interrupted, `ringkeeper tune undo` puts back what was changed at that moment."
)]
pub struct MeasureArgs {
    /// How often each state is measured.
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=100))]
    pub rounds: u32,

    /// How long each load runs, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,

    /// Apply what was better in every round.
    #[arg(long)]
    pub keep: bool,

    /// Where to record what was there before.
    #[arg(long, value_name = "FILE", default_value = RECORD)]
    pub record: PathBuf,

    /// Which settings.
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// `tune script`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptArgs {
    /// Print the script that restores what is there now: to be kept before the other one is run.
    #[arg(long)]
    pub undo: bool,

    /// Which settings.
    #[command(flatten)]
    pub machine: MachineArgs,
}
