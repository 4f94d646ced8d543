//! `ringkeeper balance`: leads clients from server to server, for programs that know nothing of it.
//!
//! - `args`, `error`, `stop`: the command line, why it fails, and what interrupts it;
//! - `fleet`, `http`: the servers, by their admin servers; `identity`: that they are of one ensemble;
//! - `status`, `even`, `drain`, `between`: what can be done; `report`: what is printed of it.
//!
//! The servers do it themselves, by the commands `shed_connections` and `admission`: they know
//! which client is busy. What this command closes is closed for seconds, and renewed while it runs,
//! so that nothing stays closed without it; only a drained server does, for a time that is said.

mod args;
mod between;
mod drain;
mod error;
mod even;
mod fleet;
mod http;
mod identity;
mod report;
mod status;
mod stop;

pub use args::{
    BalanceArgs, Balancing, DrainArgs, EvenArgs, MoveArgs, PaceArgs, ServersArgs, StatusArgs,
};
pub use error::BalanceError;

use std::io::Write;

/// `ringkeeper balance`.
///
/// # Errors
/// The command line is wrong, a server does not take part, or clients did not move.
pub fn balance(args: &BalanceArgs, out: &mut impl Write) -> Result<(), BalanceError> {
    match &args.what {
        Balancing::Status(args) => status::status(args, out),
        Balancing::Even(args) => even::even(args, out),
        Balancing::Drain(args) => drain::drain(args, out),
        Balancing::Move(args) => between::between(args, out),
    }
}
