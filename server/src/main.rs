//! The binary: reads the command line and the environment, and does what they say.

use clap::Parser;
use server::cli::{self, Cli, Command};
use server::serve::ServeError;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let done: Result<(), Box<dyn std::error::Error>> = match Cli::parse().command {
        Command::Serve(args) => args
            .sources(cli::environment)
            .map_err(|(path, error)| ServeError::File(path, error))
            .and_then(|sources| server::serve::serve(&sources))
            .map_err(Into::into),
        Command::Bench(args) => {
            server::bench::run(&args, &mut std::io::stdout()).map_err(Into::into)
        }
        Command::Repair(args) => {
            server::repair::run(&args, &mut std::io::stdout()).map_err(Into::into)
        }
        Command::Import(args) => {
            server::migrate::import(&args, &mut std::io::stdout()).map_err(Into::into)
        }
        Command::Export(args) => {
            server::migrate::export(&args, &mut std::io::stdout()).map_err(Into::into)
        }
        Command::Inspect(args) => {
            server::migrate::inspect(&args, &mut std::io::stdout()).map_err(Into::into)
        }
        Command::Config(args) => server::config::command(&args).map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; the exit code says it then.
            let _ = writeln!(std::io::stderr(), "ringkeeper: {error}");
            ExitCode::FAILURE
        }
    }
}
