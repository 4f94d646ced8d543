//! Runs seeds: `sim --seeds 1000 --first 0`, or one with its conversation, `sim --seed 17 --told`.

use clap::Parser;
use engine::zab::Plant;
use sim::world::{Report, Setup, run};
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
    /// Print everything that happens.
    #[arg(long)]
    told: bool,
    /// Break a rule on purpose, by its name.
    #[arg(long)]
    plant: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let plant = match &arguments.plant {
        None => None,
        Some(name) => match Plant::ALL.into_iter().find(|it| format!("{it:?}") == *name) {
            Some(plant) => Some(plant),
            None => {
                eprintln!("no plant is called {name}; there are {:?}", Plant::ALL);
                return ExitCode::from(2);
            }
        },
    };
    let (first, count) = arguments.seed.map_or((arguments.first, arguments.seeds), |it| (it, 1));
    let mut total = Report::default();
    for seed in first..first + count {
        let setup = Setup { seed, plant, is_told: arguments.told };
        match run(setup) {
            Ok(report) => {
                total.acknowledged += report.acknowledged;
                total.leaders += report.leaders;
                total.events += report.events;
                for (sum, more) in total.synchronized.iter_mut().zip(report.synchronized) {
                    *sum += more;
                }
            }
            Err(violation) => {
                println!("seed {seed}: {violation}");
                println!("replay it with --seed {seed} --told");
                return ExitCode::FAILURE;
            }
        }
    }
    let [diff, trunc, snap] = total.synchronized;
    println!(
        "{count} seeds without a violation: {} leaders, {} writes acknowledged, {} events; \
         learners synchronized by DIFF {diff}, TRUNC {trunc}, SNAP {snap}",
        total.leaders, total.acknowledged, total.events
    );
    ExitCode::SUCCESS
}
