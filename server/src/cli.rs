//! The command line.
//!
//! Only arguments are parsed here. `main` reads the file and the environment
//! ([`ServeArgs::sources`] combines them) and performs the command.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use clap::{Args, Parser, Subcommand};

use crate::config::Sources;

/// A coordination server that programs written for Apache ZooKeeper use unchanged.
#[derive(Clone, Debug, Parser)]
#[command(name = "ringkeeper", bin_name = "ringkeeper", version, propagate_version = true)]
#[command(after_help = "Without a configuration file, `ringkeeper serve` listens on \
    127.0.0.1:2181 and keeps its data in ./data.\n\n\
    Exit status:\n  \
    0  done; the server was stopped on request\n  \
    1  failed, or what was examined is damaged\n  \
    2  the command line or the configuration is wrong; nothing was started\n  \
    3  a data directory cannot be used\n  \
    4  the port of the admin server or of the metrics is not available\n\n\
    The reason is on standard error. Terminals get colours; NO_COLOR=1 switches them off.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the server until it receives SIGTERM or SIGINT.
    Serve(ServeArgs),
    /// Measure a running server of ZooKeeper's protocol.
    Bench(generator::BenchArgs),
    /// Report what can be kept of damaged data, and cut the log there if requested.
    Repair(crate::repair::RepairArgs),
    /// Convert ZooKeeper's data directory to Ringkeeper's format.
    Import(crate::migrate::ImportArgs),
    /// Convert Ringkeeper's data to ZooKeeper's format.
    Export(crate::migrate::ExportArgs),
    /// Plan the exchange of the servers of a running ensemble.
    Migrate(crate::migrate::MigrateArgs),
    /// Change the servers of a running ensemble, or say what would fail.
    Reconfig(crate::reconfig::ReconfigArgs),
    /// Print the order in which a client tries the servers, by its name.
    Route(crate::route::RouteArgs),
    /// Lead clients from server to server, and show how they are spread.
    Balance(crate::balance::BalanceArgs),
    /// Show what is in a log or a snapshot, ZooKeeper's or Ringkeeper's.
    Inspect(crate::migrate::InspectArgs),
    /// Show the machine, what each of its processors would be for, and why.
    Topology(crate::topology::TopologyArgs),
    /// Measure a disk as the log uses it, and say what that means.
    Probe(crate::probe::ProbeArgs),
    /// Show what is decided about this machine, and why.
    Profile(crate::profile::ProfileArgs),
    /// Show the machine's settings and what is advised on it, change them, put them back.
    Tune(crate::tune::TuneArgs),
    /// Say how many servers of what kind a load needs, and what breaks first.
    Plan(Box<crate::plan::PlanArgs>),
    /// Print every configuration key: its values, its default, how it is supported.
    Config(ConfigArgs),
}

/// Where a configuration comes from.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(after_long_help = "Values are looked for in this order, the first one found counts:\n  \
    1. --set key=value\n  \
    2. the configuration file\n  \
    3. -Dzookeeper.key=value in JVMFLAGS, then in SERVER_JVMFLAGS\n  \
    4. the default\n\n\
    `ringkeeper config` prints all keys, and how each is read. An unknown key is ignored \
    with a warning; a value that ZooKeeper refuses is an error; one that means something \
    else than it seems to is read as ZooKeeper reads it, with a warning.")]
pub struct ServeArgs {
    /// ZooKeeper's configuration file, usually zoo.cfg, as it is.
    #[arg(value_name = "zoo.cfg")]
    pub file: Option<PathBuf>,

    /// Set a key, overriding the file. May be given several times.
    #[arg(long = "set", value_name = "key=value")]
    pub sets: Vec<String>,
}

/// A server that is named more than once.
pub(crate) fn named_twice(servers: &[String]) -> Option<&String> {
    let mut all = servers.iter().enumerate();
    all.find(|(at, server)| servers[..*at].contains(server)).map(|it| it.1)
}

/// A variable of this process's environment. What is not Unicode in it is replaced: if it were
/// skipped, flags that secure a server could be lost.
pub fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

impl ServeArgs {
    /// Reads the file and combines it with the other sources. `environment` looks up
    /// `SERVER_JVMFLAGS` and `JVMFLAGS`.
    ///
    /// # Errors
    /// The file that cannot be read, and why.
    pub fn sources(
        &self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Sources, (PathBuf, io::Error)> {
        let file = match &self.file {
            Some(path) => match fs::read(path) {
                Ok(bytes) => Some((path.clone(), bytes)),
                Err(error) => return Err((path.clone(), error)),
            },
            None => None,
        };
        Ok(Sources {
            unread: self.unread(&environment),
            file,
            sets: self.sets.clone(),
            server_jvm_flags: environment("SERVER_JVMFLAGS").unwrap_or_default(),
            jvm_flags: environment("JVMFLAGS").unwrap_or_default(),
            read: read_small,
        })
    }
}

impl ServeArgs {
    /// Where flags for `ZooKeeper` may be written that its own start script would have read.
    fn unread(&self, environment: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let has_flags = |text: &str| text.contains("-D");
        let variables = ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"]
            .into_iter()
            .filter(|name| environment(name).is_some_and(|text| has_flags(&text)))
            .map(str::to_owned);
        let folder = self.file.as_deref().and_then(Path::parent);
        let files = ["java.env", "zookeeper-env.sh"]
            .into_iter()
            .filter_map(|name| Some(folder?.join(name)))
            .filter(|path| {
                fs::read(path).is_ok_and(|bytes| has_flags(&String::from_utf8_lossy(&bytes)))
            })
            .map(|path| path.display().to_string());
        variables.chain(files).collect()
    }
}

/// Reads a file that is written by hand, and so cannot be long.
fn read_small(path: &Path) -> io::Result<Option<Vec<u8>>> {
    const BYTES_MAX: u64 = 1 << 20;
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Ok(None),
        Ok(metadata) if metadata.len() > BYTES_MAX => {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(_) => {}
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
                _ => Err(error),
            };
        }
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// What to print about the configuration.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigArgs {
    /// Do not print the keys: read a configuration as `serve` would, print errors and warnings, and
    /// exit with 0 if `serve` would accept it. Directories, ports and names are not checked.
    #[arg(long)]
    pub check: bool,

    /// Do not print the keys: print the value of each one in a configuration, and where it was
    /// written.
    #[arg(long, conflicts_with = "check")]
    pub values: bool,

    /// Do not print the keys: print what differs from ZooKeeper, and the state of every operation,
    /// word, command, metric, key and property.
    #[arg(long, conflicts_with_all = ["check", "values"])]
    pub compatibility: bool,

    /// The configuration to check or to print.
    #[command(flatten)]
    pub serve: ServeArgs,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, Command, ServeArgs};

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_takes_a_file_and_settings() {
        let words = ["ringkeeper", "serve", "zoo.cfg", "--set", "a=b", "--set", "c=d=e"];
        let Command::Serve(args) = Cli::try_parse_from(words).unwrap().command else {
            panic!("another command");
        };
        assert_eq!(args.file.unwrap().to_str(), Some("zoo.cfg"));
        assert_eq!(args.sets, ["a=b", "c=d=e"]);
    }

    #[test]
    fn config_checks_what_serve_would_read() {
        let words = ["ringkeeper", "config", "--check", "zoo.cfg", "--set", "a=b"];
        let Command::Config(args) = Cli::try_parse_from(words).unwrap().command else {
            panic!("another command");
        };
        assert!(args.check);
        assert_eq!(args.serve.sets, ["a=b"]);
    }

    #[test]
    fn sources_hold_the_environment_and_name_a_missing_file() {
        let environment = |name: &str| (name == "JVMFLAGS").then(|| "-Da=1".to_owned());
        let args = ServeArgs { file: None, sets: vec!["b=2".into()] };
        let sources = args.sources(environment).unwrap();
        assert_eq!(sources.jvm_flags, "-Da=1");
        assert_eq!(sources.server_jvm_flags, "");
        assert_eq!(sources.sets, ["b=2"]);
        let missing = ServeArgs { file: Some("/nonexistent/zoo.cfg".into()), sets: vec![] };
        assert_eq!(
            missing.sources(environment).unwrap_err().0.to_str(),
            Some("/nonexistent/zoo.cfg")
        );
    }
}
