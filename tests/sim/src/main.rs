//! Runs seeds: `sim --seeds 1000 --first 0`, or one with all that is said in it,
//! `sim --seed 17 --log conversation`.

use clap::{Parser, ValueEnum};
use engine::zab::Plant;
use sim::world::{Report, Setup, run};
use std::io::{self, Write};
use std::process::ExitCode;

/// Ensembles in one thread, from seeds.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Only this seed.
    #[arg(long)]
    seed: Option<u64>,
    /// What to print of a run.
    #[arg(long, value_enum)]
    log: Option<Log>,
    /// Break this rule of agreement on purpose.
    #[arg(long, value_parser = plant_of)]
    plant: Option<Plant>,
}

/// What is printed of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Log {
    /// Everything that happens: packets, effects, faults.
    Conversation,
}

fn plant_of(name: &str) -> Result<Plant, String> {
    let found = Plant::ALL.into_iter().find(|plant| format!("{plant:?}") == name);
    found.ok_or_else(|| format!("the rules are {:?}", Plant::ALL))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_logged = arguments.log == Some(Log::Conversation);
    let (first, count) = arguments.seed.map_or((arguments.first, arguments.seeds), |it| (it, 1));
    let mut total = Report::default();
    let mut out = io::stdout();
    for seed in first..first + count {
        match run(Setup { seed, plant: arguments.plant, is_logged }) {
            Ok(report) => total.add(&report),
            Err(violation) => {
                let replay = format!("replay it with --seed {seed} --log conversation");
                let _ = writeln!(out, "seed {seed}: {violation}\n{replay}");
                return ExitCode::FAILURE;
            }
        }
    }
    let _ = writeln!(out, "{count} seeds without a violation: {total}");
    ExitCode::SUCCESS
}
