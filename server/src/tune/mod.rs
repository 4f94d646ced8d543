//! `ringkeeper tune`: the machine's settings: shown, changed, and put back.
//!
//! - `args`, `error`: the command line, and why it fails;
//! - `table`: what was found and what is advised;
//! - `apply`, `record`: changes, and what was there before;
//! - `measure`: what each change is worth;
//! - `script`: the same without a program.
//!
//! What is advised is decided in [`tuning::tuner`].

mod apply;
mod args;
mod error;
mod measure;
mod record;
mod script;
mod table;

pub use args::{
    ApplyArgs, CheckArgs, MachineArgs, MeasureArgs, Roots, ScriptArgs, TuneArgs, Tuning, UndoArgs,
};
pub use error::{RecordError, TuneError};

use crate::cli::environment;
use crate::config::{self, Config, decided};
use crate::output::say;
use crate::profile;
use crate::serve::ServeError;
use std::io::Write;
use tuning::host::{self, Needs};
use tuning::profile::Profile;
use tuning::tuner::{Facts, Questions, Setting, TUNERS, Tuner, settings};
use tuning::{Source, Topology};

/// `ringkeeper tune`.
///
/// # Errors
/// The configuration, the machine or the record cannot be read, or something could not be changed.
pub fn tune(args: &TuneArgs, out: &mut impl Write) -> Result<(), TuneError> {
    let text = match &args.what {
        Tuning::Apply(args) => return apply::apply(args, out),
        Tuning::Undo(args) => return apply::undo(args, out),
        Tuning::Measure(args) => return measure::measure(args, out),
        Tuning::Check(CheckArgs { json: true, machine, .. }) => {
            format!("{:#}\n", table::json(&chosen(machine)?))
        }
        Tuning::Check(CheckArgs { long, machine, .. }) => table::text(&chosen(machine)?, *long),
        Tuning::Script(ScriptArgs { undo, machine }) => {
            script::script(&chosen(machine)?, &machine.roots.kernel(), *undo)
        }
    };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(TuneError::Output)
}

/// The settings that were asked for, judged for the configured server.
fn chosen(args: &MachineArgs) -> Result<Vec<Setting>, TuneError> {
    let only = args.only.iter().map(|name| tuner(name)).collect::<Result<Vec<Tuner>, _>>()?;
    let config = config::load(&sources_of(args)?).map_err(ServeError::Config)?.config;
    let topology = match &args.synthetic {
        Some(text) => Topology::described(&Source::Synthetic(text.clone()), None)?,
        None => Topology::discover()?,
    };
    let chosen = profile::choose(config.profile.as_deref(), &topology, None);
    let chosen = chosen.map_err(ServeError::Profile)?;
    if let Some(warning) = &chosen.warning {
        say(warning);
    }
    let questions = questions(&config, &chosen.profile);
    let mut settings = settings(&Facts::read(&args.roots.kernel(), &topology, questions));
    settings.retain(|it| only.is_empty() || only.contains(&it.tuner));
    Ok(settings)
}

fn sources_of(args: &MachineArgs) -> Result<config::Sources, ServeError> {
    let sources = args.serve.sources(environment);
    sources.map_err(|(path, error)| ServeError::File(path, error))
}

/// What decides about the settings of this server's machine.
pub(crate) fn questions(config: &Config, profile: &Profile) -> Questions {
    let backlog = net::limits::LISTEN_BACKLOG_DEFAULT.unsigned_abs();
    Questions {
        needs: Needs {
            connections_max: config.connections.total_max,
            locked_bytes: disk::limits::MEMLOCK_BYTES_MIN,
            log_dir: config.storage.data_log_dir.clone(),
        },
        options: profile::placement_options(config, profile),
        is_buffered: config.log.durability == decided::Durability::Buffered,
        listen_backlog: config.listen.backlog.unwrap_or(backlog),
        is_in_time: host::is_in_time(),
    }
}

fn tuner(name: &str) -> Result<Tuner, TuneError> {
    let found = TUNERS.iter().find(|(_, known)| *known == name).map(|(tuner, _)| *tuner);
    found.ok_or_else(|| TuneError::Name {
        name: name.to_owned(),
        known: TUNERS.map(|(_, known)| known).join(", "),
    })
}

/// A setting, and what it is of.
fn title(setting: &Setting) -> String {
    if setting.subject.is_empty() {
        setting.tuner.to_string()
    } else {
        format!("{} ({})", setting.tuner, setting.subject)
    }
}
