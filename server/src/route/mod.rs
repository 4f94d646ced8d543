//! `ringkeeper route`: the order in which a client tries the servers, decided by its name.
//!
//! - `args`: the command line; `error`: why it fails;
//! - `address`: HOST:PORT, read;
//! - `servers`: which servers there are, with their weights and zones;
//! - `spread`: how many of a file's clients each server gets, and how many a change moves.
//!
//! The rule is [`assignment`]'s. Nothing is asked or changed: names are not looked up, and servers
//! are not contacted.

mod address;
mod args;
mod error;
mod servers;
mod spread;

pub use args::RouteArgs;
pub use error::RouteError;

use assignment::Assignment;
use serde_json::{Value, json};
use servers::Servers;
use std::io::Write;

/// `ringkeeper route`.
///
/// # Errors
/// Something on the command line is wrong, or a file cannot be read.
pub fn route(args: &RouteArgs, out: &mut impl Write) -> Result<(), RouteError> {
    let servers = Servers::read(args)?;
    let text = match &args.spread {
        Some(file) => spread::spread(&servers, file, args.json)?,
        None => routes(&servers, args)?,
    };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(RouteError::Output)
}

/// A line or an object for each client.
fn routes(servers: &Servers, args: &RouteArgs) -> Result<String, RouteError> {
    let chroot = chroot(args)?;
    let mut routes = Vec::new();
    for client in &args.clients {
        let order = servers.assignment.order(client, args.within.as_deref())?;
        let names = names(&servers.assignment, &order);
        routes.push((client, format!("{}{chroot}", names.join(",")), names));
    }
    if !args.json {
        return Ok(routes.iter().map(|(_, connect, _)| connect.clone() + "\n").collect());
    }
    let objects = routes.iter().map(|(client, connect, names)| {
        json!({ "client": client, "connect": connect, "servers": names })
    });
    let clients = objects.collect::<Vec<Value>>();
    Ok(format!("{:#}\n", json!({ "version": 1, "clients": clients })))
}

fn names<'a>(assignment: &'a Assignment, order: &[usize]) -> Vec<&'a str> {
    order.iter().map(|&index| &assignment.servers()[index].name[..]).collect()
}

/// What follows the servers; the root is nothing.
fn chroot(args: &RouteArgs) -> Result<&str, RouteError> {
    match args.chroot.as_deref() {
        None | Some("/") => Ok(""),
        Some(path) if model::path::validate(path.as_bytes()).is_ok() => Ok(path),
        Some(path) => Err(RouteError::Chroot(path.to_owned())),
    }
}
