//! Running servers, of ours or of `ZooKeeper`'s, as a load: what they count, sampled.
//!
//! - `names`: a page or the words of a server, whose names differ, as one table;
//! - `rates`: samples in sequence as a load, with what is missing.

mod names;
mod rates;

use super::args::PlanArgs;
use super::error::PlanError;
use super::question::Seen;
use crate::asking;
use crate::cli::named_twice;
use names::Table;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Bytes of a page.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// Of an unencrypted page without a port in its address.
const HTTP_PORT: u16 = 80;

/// What was observed.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    pub(super) seen: Seen,
    /// What was measured besides the load: name and value in words.
    pub(super) measured: Vec<(String, String)>,
    /// What no server said, and what is assumed instead.
    pub(super) missing: Vec<String>,
}

/// What all servers said, one table for each, when.
struct Sample {
    at_s: f64,
    tables: Vec<Table>,
}

/// Samples the servers that were named, if any were.
pub(super) fn observe(args: &PlanArgs) -> Result<Option<Observed>, PlanError> {
    let is_page = !args.metrics.is_empty();
    let servers = if is_page { &args.metrics } else { &args.server };
    let ask = if is_page { ask_page } else { ask_words };
    if servers.is_empty() {
        return Ok(None);
    }
    if let Some(twice) = named_twice(servers) {
        return Err(PlanError::Twice(twice.clone()));
    }
    let begin = Instant::now();
    let (mut samples, mut silent) = (Vec::new(), None);
    for number in 0..args.samples {
        if number > 0 {
            thread::sleep(Duration::from_secs(args.interval.into()));
        }
        let tables: Result<Vec<_>, _> = servers.iter().map(|server| ask(server)).collect();
        match tables {
            Ok(tables) => {
                if number == 0 {
                    refuse_strangers(servers, &tables)?;
                }
                samples.push(Sample { at_s: begin.elapsed().as_secs_f64(), tables });
            }
            // A server that does not answer at all is named; one that restarts is waited for.
            Err(error) if number == 0 => return Err(error),
            Err(error) => silent = Some(error),
        }
    }
    match rates::observed(&samples) {
        Err(PlanError::Unsteady) if samples.len() < 2 => Err(silent.unwrap_or(PlanError::Unsteady)),
        other => other.map(Some),
    }
}

/// Servers of two ensembles have two leaders, or one that is alone, as far as they say what they
/// are.
fn refuse_strangers(servers: &[String], tables: &[Table]) -> Result<(), PlanError> {
    let are = |state: &'static str| {
        let all = servers.iter().zip(tables);
        all.filter(move |it| it.1.state == state).map(|it| it.0)
    };
    let two = |one: &String, other: &String, why| {
        let (one, other) = (one.clone(), other.clone());
        Err(PlanError::Strangers { one, other, why })
    };
    if let (Some(one), Some(other)) = (are("leader").next(), are("leader").nth(1)) {
        return two(one, other, "each leads");
    }
    let alone = are("standalone").next();
    if let Some((one, other)) = alone.zip(servers.iter().find(|it| Some(*it) != alone)) {
        return two(one, other, "the first is in none");
    }
    Ok(())
}

fn refused(server: &str, why: String) -> PlanError {
    PlanError::Server { server: server.to_owned(), why }
}

/// Without an answer.
fn silent(server: &str, error: &io::Error, hint: &'static str) -> PlanError {
    if error.kind() == io::ErrorKind::InvalidInput {
        let (address, why) = (server.to_owned(), error.to_string());
        return PlanError::Address { address, why, hint };
    }
    refused(server, format!("it does not answer ({error}): {hint}"))
}

fn ask_words(server: &str) -> Result<Table, PlanError> {
    let hint = "name the port for clients of a server that runs";
    let answer = asking::word(server, "mntr").map_err(|error| silent(server, &error, hint))?;
    if answer.contains("not in the whitelist") {
        let why = "it does not execute mntr: add mntr to 4lw.commands.whitelist, or name its page \
                   of metrics by --metrics http://HOST:7000/metrics";
        return Err(refused(server, why.to_owned()));
    }
    if answer.contains("not currently serving requests") {
        let why = "it serves no clients now: wait until it does".to_owned();
        return Err(refused(server, why));
    }
    names::of_words(&answer).ok_or_else(|| {
        let why = "it does not answer mntr as ZooKeeper does: name the port for clients";
        refused(server, why.to_owned())
    })
}

fn ask_page(url: &str) -> Result<Table, PlanError> {
    let hint = "name its page as http://HOST:7000/metrics (metricsProvider.httpPort)";
    let answer = get(url).map_err(|error| silent(url, &error, hint))?;
    names::of_page(&answer).ok_or_else(|| {
        let why = "this is no page of ZooKeeper's metrics for Prometheus: name the port of \
                   metricsProvider.httpPort, and the path /metrics";
        refused(url, why.to_owned())
    })
}

/// The body of a page.
fn get(url: &str) -> io::Result<String> {
    let wrong = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    let rest = url.strip_prefix("http://").ok_or(wrong("an address begins with http://"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let address = if has_port { host.to_owned() } else { format!("{host}:{HTTP_PORT}") };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for resolved in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&resolved, ANSWER_MAX) {
            Ok(stream) => return exchange(stream, host, path),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn exchange(mut stream: TcpStream, host: &str, path: &str) -> io::Result<String> {
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    // HTTP/1.0: the answer is in one piece and ends with the connection.
    write!(stream, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let bad = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let (head, body) = text.split_once("\r\n\r\n").ok_or(bad("what it answers is not HTTP"))?;
    let is_found = head.lines().next().is_some_and(|line| line.contains(" 200"));
    if is_found { Ok(body.to_owned()) } else { Err(bad("it has no such page")) }
}
