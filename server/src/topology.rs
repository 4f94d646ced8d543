//! `ringkeeper topology`: the machine, what each of its processors would be for, and why.

use crate::cli::{ServeArgs, environment};
use crate::config;
use crate::profile;
use crate::serve::ServeError;
use clap::Args;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use thiserror::Error;
use tuning::placement::placement;
use tuning::{Kernel, Source, Topology, TopologyError, drawing};

/// Which machine, and where to draw it.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(after_long_help = "The configuration counts as for `serve`: ring.shards, ring.cpus, \
    ring.pin and the disk of dataLogDir decide, too. Nothing is started or changed.\n\n\
    Other machines are described as hwloc's lstopo does it: on that machine, \
    `lstopo --of xml > FILE`.\n\n\
    Example: ringkeeper topology --svg machine.svg")]
pub struct TopologyArgs {
    /// Draw a picture into this file, too.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// Another machine: a file written by `lstopo --of xml`.
    #[arg(long, value_name = "FILE")]
    pub xml: Option<PathBuf>,

    /// Another machine, in hwloc's short form, such as `Package:2 L3:1 L2:16 Core:1 PU:2`.
    #[arg(long, value_name = "TEXT", conflicts_with = "xml")]
    pub synthetic: Option<String>,

    /// Of another machine, the processors that the server might use, as a container's: 0,2,4.
    #[arg(long, value_name = "CPU", value_delimiter = ',')]
    pub allowed: Option<Vec<u32>>,

    /// The configuration.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// Why the command failed.
#[derive(Debug, Error)]
pub enum DrawError {
    /// The configuration cannot be read.
    #[error(transparent)]
    Config(#[from] ServeError),
    /// The machine cannot be read.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// Processors of this machine are decided by the kernel.
    #[error(
        "--allowed is about another machine: give --xml or --synthetic, or start this command \
             with taskset"
    )]
    Allowed,
    /// The picture cannot be written.
    #[error("{path} cannot be written: {1}", path = .0.display())]
    File(PathBuf, #[source] io::Error),
    /// Its output.
    #[error("cannot write the output: {0}")]
    Output(#[source] io::Error),
}

/// `ringkeeper topology`.
///
/// # Errors
/// The configuration or the machine cannot be read, or the picture not be written.
pub fn topology(args: &TopologyArgs, out: &mut impl Write) -> Result<(), DrawError> {
    let sources = args.serve.sources(environment);
    let sources = sources.map_err(|(path, error)| ServeError::File(path, error))?;
    let config = config::load(&sources).map_err(ServeError::Config)?.config;
    let source = match (&args.xml, &args.synthetic) {
        (Some(path), _) => Some(Source::Xml(path.clone())),
        (None, Some(text)) => Some(Source::Synthetic(text.clone())),
        (None, None) => None,
    };
    let machine = match &source {
        Some(source) => Topology::described(source, args.allowed.as_deref())?,
        None if args.allowed.is_some() => return Err(DrawError::Allowed),
        None => Topology::discover()?,
    };
    let chosen = profile::choose(config.profile.as_deref(), &machine, None);
    let chosen = chosen.map_err(ServeError::Profile)?;
    let mut options = profile::placement_options(&config, &chosen.profile);
    if source.is_none() {
        options.log_disks = Kernel::default().disks_below(&config.storage.data_log_dir);
    }
    let placed = placement(&machine, &options);
    let mut text = drawing::text(&machine, &placed);
    if let Some(warning) = &chosen.warning {
        text = format!("# {warning}\n{text}");
    }
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(DrawError::Output)?;
    if let Some(path) = &args.svg {
        let written = fs::write(path, drawing::svg(&machine, &placed));
        written.map_err(|error| DrawError::File(path.clone(), error))?;
    }
    Ok(())
}
