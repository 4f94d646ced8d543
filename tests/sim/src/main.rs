//! Runs seeds: `sim --seeds 1000 --first 0`, or one with all that is said in it,
//! `sim --seed 17 --log conversation`.

use clap::{Parser, ValueEnum};
use engine::zab::Plant;
use sim::world::{Kind, Report, Setup, run};
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
    /// What servers are; without it, that depends on the seed.
    #[arg(long, value_parser = kind_of)]
    kind: Option<Kind>,
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

fn kind_of(name: &str) -> Result<Kind, String> {
    let kinds = [Kind::Histories, Kind::Servers];
    let found = kinds.into_iter().find(|kind| kind.to_string() == name);
    found.ok_or_else(|| format!("the kinds are {} and {}", kinds[0], kinds[1]))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_logged = arguments.log == Some(Log::Conversation);
    let (first, count) = arguments.seed.map_or((arguments.first, arguments.seeds), |it| (it, 1));
    let mut total = Report::default();
    let mut out = io::stdout();
    for seed in first..first + count {
        let kind = arguments.kind.unwrap_or(Kind::of_seed(seed));
        match run(Setup { seed, kind, plant: arguments.plant, is_logged }) {
            Ok(report) => total.add(&report),
            Err(violation) => {
                let replay =
                    format!("replay it with --seed {seed} --kind {kind} --log conversation");
                let _ = writeln!(out, "seed {seed}: {violation}\n{replay}");
                return ExitCode::FAILURE;
            }
        }
    }
    let _ = writeln!(out, "{count} seeds without a violation: {total}");
    ExitCode::SUCCESS
}
