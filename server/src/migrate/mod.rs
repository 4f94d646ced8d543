//! `ringkeeper import`, `export` and `inspect`: clock, threads and texts around `convert`.

mod args;
mod error;
mod export;
mod import;
mod inspect;
mod progress;
mod running;

pub use args::{ExportArgs, ImportArgs, InspectArgs, Inspected};
pub use error::MigrateError;
pub use export::export;
pub use import::import;
pub use inspect::inspect;
