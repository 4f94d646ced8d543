//! `ringkeeper import`, `export` and `inspect`: clock, threads and texts around `convert`; and
//! `migrate`, about servers that run.

mod args;
mod error;
mod export;
mod import;
mod inspect;
mod plan;
mod progress;
mod running;

pub use args::{ExportArgs, ImportArgs, InspectArgs, Inspected, MigrateArgs, Migrating, PlanArgs};
pub use error::MigrateError;
pub use export::export;
pub use import::import;
pub use inspect::inspect;
pub use plan::plan;
