//! `ringkeeper migrate plan`: looks at a running ensemble of ZooKeeper, and says what stands in the
//! way of migrating it, and what to do in which order.
//!
//! Servers are asked by four-letter words: `srvr`, which ZooKeeper answers unless told otherwise,
//! and `conf`, which it answers if that is in its `4lw.commands.whitelist`.

mod obstacle;

use crate::asking::{self, Conf, Mode, Told};
use obstacle::Obstacle;
use std::io::{self, Write};

use super::args::PlanArgs;
use super::error::MigrateError;

/// A server, as it was asked.
struct Server {
    /// As it was given.
    address: String,
    told: io::Result<Told>,
}

/// `ringkeeper migrate plan`: asks the servers, and prints on `out` what to do.
///
/// # Errors
/// Something stands in the way.
pub fn plan(args: &PlanArgs, out: &mut impl Write) -> Result<(), MigrateError> {
    let ask = |address: &String| Server { address: address.clone(), told: asking::ask(address) };
    let servers: Vec<_> = args.servers.iter().map(ask).collect();
    let obstacles = obstacle::all(&servers);
    print(&servers, &obstacles, out).map_err(MigrateError::Output)?;
    match obstacles.iter().filter(|it| it.is_in_the_way()).count() {
        0 => Ok(()),
        count => Err(MigrateError::InTheWay(count)),
    }
}

fn print(servers: &[Server], obstacles: &[Obstacle<'_>], out: &mut impl Write) -> io::Result<()> {
    let widths = servers.iter().map(|server| server.address.len());
    let width = widths.max().unwrap_or(0).max("server".len());
    writeln!(
        out,
        "{:width$}  {:8}  {:10}  {:>14}  {:>10}  {:>8}",
        "server", "version", "mode", "zxid", "nodes", "clients"
    )?;
    for Server { address, told } in servers {
        match told {
            Ok(Told { version, is_ours, mode, zxid, nodes, clients, .. }) => {
                let made = if *is_ours { "ours" } else { version };
                writeln!(
                    out,
                    "{address:width$}  {made:8}  {mode:10}  {zxid:>14}  {nodes:>10}  {clients:>8}"
                )?;
            }
            Err(error) => writeln!(out, "{address:width$}  {error}")?,
        }
    }
    writeln!(out)?;
    for obstacle in obstacles {
        let kind = if obstacle.is_in_the_way() { "in the way" } else { "note" };
        writeln!(out, "{kind}: {obstacle}")?;
    }
    if obstacles.iter().any(Obstacle::is_in_the_way) {
        return writeln!(out, "\nMigrate when nothing is in the way any more: run this again.");
    }
    if !obstacles.is_empty() {
        writeln!(out)?;
    }
    steps(servers, out)
}

/// Those that lead nobody first, the leader last; those that have been exchanged not at all.
fn steps(servers: &[Server], out: &mut impl Write) -> io::Result<()> {
    let mut told: Vec<_> = servers
        .iter()
        .filter_map(|server| Some((&*server.address, server.told.as_ref().ok()?)))
        .filter(|(_, told)| !told.is_ours)
        .collect();
    if told.is_empty() {
        return writeln!(out, "All of these servers are Ringkeeper's: nothing is left to do.");
    }
    told.sort_by_key(|(_, told)| told.mode);
    writeln!(
        out,
        "On each server, in this order, and on the next only when the last line is true:"
    )?;
    for (number, (address, Told { mode, conf, .. })) in (1..).zip(told) {
        let data = conf.as_ref().and_then(|conf| conf.get("dataDir"));
        let logs = conf
            .as_ref()
            .and_then(|conf| conf.get("dataLogDir"))
            .filter(|it| Some(it) != data.as_ref());
        let id = conf.as_ref().and_then(Conf::server_id);
        let id = id.map_or_else(String::new, |id| format!("server {id}, "));
        writeln!(out, "\n{number}. {address} ({id}{mode})")?;
        writeln!(out, "   stop ZooKeeper")?;
        for directory in [Some(data.unwrap_or("dataDir/version-2")), logs].into_iter().flatten() {
            let directory = directory.trim_end_matches('/');
            writeln!(out, "   mv {directory} {directory}.zookeeper")?;
        }
        writeln!(out, "   ringkeeper serve zoo.cfg          # the same file, the same myid")?;
        let after = if *mode == Mode::Observer { "observer" } else { "follower or leader" };
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "2181"));
        writeln!(out, "   echo srvr | nc {host} {port}    # says Mode: {after}")?;
    }
    writeln!(
        out,
        "\nInstead of moving a large version-2 away, convert it in place: \
         ringkeeper import DATADIR --to DATADIR.\nClients reconnect when their server stops. While \
         the leader is exchanged no write is acknowledged for about half a second."
    )
}
