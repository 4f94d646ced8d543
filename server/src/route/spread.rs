//! How many of a file's clients each server gets first, and how many a change moves.

use super::error::RouteError;
use super::servers::Servers;
use assignment::Server;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// What the busiest of the others has when a row's server has left.
const LAST_HEAD: &str = "WITHOUT IT, MOST HAS";

/// Counts of clients. The sum of `first` is `clients`; that of `heirs` too, unless there is only
/// one server.
#[derive(Debug)]
struct Counts {
    clients: u64,
    /// By server: whose first it is.
    first: Vec<u64>,
    /// By two servers: whose first and second they are, so where they go if the first leaves.
    heirs: BTreeMap<(usize, usize), u64>,
    /// By server: whose first it is, but no more once the other one has joined.
    lost: Vec<u64>,
}

/// What is printed about the clients that the file names.
pub(super) fn spread(servers: &Servers, file: &Path, is_json: bool) -> Result<String, RouteError> {
    let counts = Counts::of(servers, file)?;
    if is_json { Ok(counts.json(servers)) } else { Ok(counts.text(servers)) }
}

/// Calls `each` with the name on every line that has one.
fn read_names(
    file: &Path,
    mut each: impl FnMut(&str) -> Result<(), RouteError>,
) -> Result<(), RouteError> {
    let failed = |error| RouteError::Read { path: file.to_owned(), error };
    let mut input: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(file).map_err(failed)?))
    };
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        if input.read_until(b'\n', &mut bytes).map_err(failed)? == 0 {
            break;
        }
        let text = str::from_utf8(&bytes);
        let text = text.map_err(|_| RouteError::NotText { path: file.to_owned(), line })?;
        // As programs that read lines do; a name that ends in one could not be told from these.
        let name = text.trim_end_matches(['\n', '\r']);
        if !name.is_empty() {
            each(name)?;
        }
    }
    Ok(())
}

impl Counts {
    fn of(servers: &Servers, file: &Path) -> Result<Self, RouteError> {
        let count = servers.assignment.servers().len();
        let mut counts = Self {
            clients: 0,
            first: vec![0; count],
            heirs: BTreeMap::new(),
            lost: vec![0; count],
        };
        read_names(file, |client| {
            // The order without the one that joins is the same order with that one left out.
            let joined = servers.joined.order(client, servers.zone.as_deref())?;
            let mut order = joined.iter().copied().filter(|&index| index < count);
            let first = order.next().expect("there is a server");
            counts.clients += 1;
            counts.first[first] += 1;
            if let Some(second) = order.next() {
                *counts.heirs.entry((first, second)).or_default() += 1;
            }
            counts.lost[first] += u64::from(joined[0] == count);
            Ok(())
        })?;
        if counts.clients == 0 {
            return Err(RouteError::NoClients(file.to_owned()));
        }
        Ok(counts)
    }

    /// How many clients each server has once this one has left.
    fn without(&self, leaving: usize) -> Vec<(usize, u64)> {
        let others = (0..self.first.len()).filter(|&other| other != leaving);
        let heirs = |other| self.heirs.get(&(leaving, other)).copied().unwrap_or_default();
        others.map(|other| (other, self.first[other] + heirs(other))).collect()
    }

    /// How many clients move if the other one joins.
    fn moved(&self) -> u64 {
        self.lost.iter().sum()
    }

    /// `count` of all clients.
    fn share(&self, count: u64) -> f64 {
        count as f64 / self.clients as f64
    }

    fn text(&self, servers: &Servers) -> String {
        let all = servers.assignment.servers();
        let heads = ["SERVER", "WEIGHT", "ZONE", "CLIENTS", "SHARE", "BY WEIGHT", LAST_HEAD];
        let mut rows = vec![heads.map(str::to_owned)];
        for (index, server) in all.iter().enumerate() {
            let most = self.without(index).into_iter().max_by_key(|&(_, count)| count);
            let most = most.map_or_else(
                || "nothing is left".to_owned(),
                |(other, count)| {
                    format!("{}: {count} ({})", all[other].name, percent(self.share(count)))
                },
            );
            rows.push([
                server.name.clone(),
                server.weight.number().to_string(),
                server.zone.clone().unwrap_or_else(|| "-".to_owned()),
                self.first[index].to_string(),
                percent(self.share(self.first[index])),
                percent(share_by_weight(all, server, servers.zone.as_deref())),
                most,
            ]);
        }
        table(&rows) + &self.changes(servers)
    }

    fn changes(&self, servers: &Servers) -> String {
        let most = self.first.iter().max().copied().unwrap_or_default();
        let Server { name, weight, zone } = &servers.joining;
        let place = zone.as_ref().map_or_else(String::new, |zone| format!(", zone {zone}"));
        let among = servers.joined.servers();
        let share = share_by_weight(among, &servers.joining, servers.zone.as_deref());
        format!(
            "\nOf {} clients:\n\
             - if a server leaves, its own move and no others: {most} ({}) at most;\n\
             - if {name} joins (weight {}{place}), {} ({}) move to it and no others; by weight \
             {}.\n",
            self.clients,
            percent(self.share(most)),
            weight.number(),
            self.moved(),
            percent(self.share(self.moved())),
            percent(share),
        )
    }

    fn json(&self, servers: &Servers) -> String {
        let all = servers.assignment.servers();
        let zone = servers.zone.as_deref();
        let each = |counts: Vec<(usize, u64)>| {
            let objects = counts
                .into_iter()
                .map(|(index, count)| json!({ "server": all[index].name, "clients": count }));
            objects.collect::<Vec<Value>>()
        };
        let object = |server: &Server, among: &[Server], clients: u64| {
            json!({
                "server": server.name,
                "weight": server.weight.number(),
                "zone": server.zone,
                "clients": clients,
                "share": self.share(clients),
                "share_by_weight": share_by_weight(among, server, zone),
            })
        };
        let objects = all.iter().enumerate().map(|(index, server)| {
            let mut object = object(server, all, self.first[index]);
            object["without_it"] = each(self.without(index)).into();
            object
        });
        let mut joining = object(&servers.joining, servers.joined.servers(), self.moved());
        joining["from"] = each(self.lost.iter().copied().enumerate().collect()).into();
        let report = json!({
            "version": 1,
            "clients": self.clients,
            "zone": zone,
            "servers": objects.collect::<Vec<_>>(),
            "joining": joining,
        });
        format!("{report:#}\n")
    }
}

/// The share of this zone's clients that a server's weight asks for: of all weights, or of those
/// in the zone, if there is one.
fn share_by_weight(all: &[Server], server: &Server, zone: Option<&str>) -> f64 {
    let is_near = |server: &Server| zone.is_none() || server.zone.as_deref() == zone;
    let weight = |server: &Server| f64::from(server.weight.number());
    let sum: f64 = all.iter().filter(|it| is_near(it)).map(weight).sum();
    if is_near(server) { weight(server) / sum } else { 0.0 }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Rows in columns: the first, the third and the last begin together, the others end together.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let letters = |text: &String| text.chars().count();
    let width = |column: usize| rows.iter().map(|row| letters(&row[column])).max().unwrap_or(0);
    let widths: Vec<_> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (word, &width)) in row.iter().zip(&widths).enumerate() {
            let is_left = [0, 2, 6].contains(&column);
            let _ = if is_left {
                write!(line, "{word:width$}  ")
            } else {
                write!(line, "{word:>width$}  ")
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}
