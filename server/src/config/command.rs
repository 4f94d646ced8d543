//! `ringkeeper config`: the key table, or what `serve` would say about a configuration.

use super::{Notice, explain, load};
use crate::cli::{ConfigArgs, environment};
use crate::serve::ServeError;
use std::io::Write;

/// Prints what was requested on `out`.
pub fn command(args: &ConfigArgs, out: &mut impl Write) -> Result<(), ServeError> {
    let decided = || {
        let sources = args.serve.sources(environment);
        let sources = sources.map_err(|(path, error)| ServeError::File(path, error))?;
        load(&sources).map_err(ServeError::Config)
    };
    let text = if args.check {
        let decided = decided()?;
        let lines = decided.notices.iter().map(|notice| match notice {
            Notice::Warning(text) => format!("warning: {text}\n"),
            Notice::Note(text) => format!("note: {text}\n"),
        });
        lines.chain(["the server would start with this configuration\n".to_owned()]).collect()
    } else if args.values {
        let lines: Vec<_> = decided()?.settings.iter().map(ToString::to_string).collect();
        lines.join("\n") + "\n"
    } else if args.compatibility {
        super::compatibility::page()
    } else {
        explain()
    };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(ServeError::Output)
}
