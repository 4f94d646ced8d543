//! The binary: reads the command line and the environment, and runs the command.

use clap::Parser;
use server::cli::{self, Cli, Command};
use server::exit::{Exit, Failure};
use server::migrate::{MigrateArgs, Migrating};
use server::output::{Output, say};
use server::serve::ServeError;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    let out = &mut Output::new(io::stdout());
    let done: Result<(), Box<dyn Failure>> = match Cli::parse().command {
        Command::Serve(args) => args
            .sources(cli::environment)
            .map_err(|(path, error)| ServeError::File(path, error))
            .and_then(|sources| server::serve::serve(&sources))
            .map_err(Into::into),
        Command::Bench(args) => generator::run(&args, out, say).map_err(Into::into),
        Command::Repair(args) => server::repair::run(&args, out).map_err(Into::into),
        Command::Import(args) => server::migrate::import(&args, out).map_err(Into::into),
        Command::Export(args) => server::migrate::export(&args, out).map_err(Into::into),
        Command::Migrate(MigrateArgs { what: Migrating::Plan(args) }) => {
            server::migrate::plan(&args, out).map_err(Into::into)
        }
        Command::Reconfig(args) => server::reconfig::reconfig(&args, out).map_err(Into::into),
        Command::Route(args) => server::route::route(&args, out).map_err(Into::into),
        Command::Balance(args) => server::balance::balance(&args, out).map_err(Into::into),
        Command::Topology(args) => server::topology::topology(&args, out).map_err(Into::into),
        Command::Probe(args) => server::probe::probe(&args, out).map_err(Into::into),
        Command::Profile(args) => server::profile::profile(&args, out).map_err(Into::into),
        Command::Tune(args) => server::tune::tune(&args, out).map_err(Into::into),
        Command::Plan(args) => server::plan::plan(&args, out).map_err(Into::into),
        // It only produces output, and ends when its reader has closed it.
        Command::Inspect(args) => {
            server::migrate::inspect(&args, &mut io::stdout()).map_err(Into::into)
        }
        Command::Config(args) => server::config::command(&args, out).map_err(Into::into),
    };
    match done {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            say(&format!("ringkeeper: {error}"));
            error.exit().into()
        }
    }
}
