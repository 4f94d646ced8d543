//! Mistakes with ensembles: one clear line in the log, with a way out, and what can go on goes on.

mod empty;
mod keys;
mod lines;
mod ports;
mod standalone;
mod strangers;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use harness::server::next_free_port;
use harness::{Config, Server};

/// A loaded machine elects slowly; that is not for a test to report.
const PATIENCE: Duration = Duration::from_secs(60);

/// The ports of an ensemble's servers, for learners and for elections.
#[derive(Clone)]
struct Ports(Vec<(u16, u16)>);

impl Ports {
    fn of(count: usize) -> Self {
        Self((0..count).map(|_| (next_free_port(), next_free_port())).collect())
    }

    fn line(&self, host: &str, at: usize) -> String {
        let (quorum, election) = self.0[at];
        format!("{host}:{quorum}:{election}")
    }

    /// The configuration of each server.
    fn config(&self) -> Config {
        let config = Server::config().set("initLimit", "20").set("syncLimit", "10");
        (0..self.0.len()).fold(config, |config, at| {
            config.set(&format!("server.{}", at + 1), &self.line("127.0.0.1", at))
        })
    }
}

/// A server with this number that does not run yet.
fn numbered(config: Config, number: usize) -> Server {
    let server = config.prepare();
    fs::write(server.folder().join("data/myid"), format!("{number}\n")).unwrap();
    server
}

/// Servers with the numbers from 1 on.
fn servers(count: usize, configure: impl Fn(usize, Config) -> Config) -> Vec<Server> {
    let config = Ports::of(count).config();
    (1..=count).map(|number| numbered(configure(number, config.clone()), number)).collect()
}

/// Starts servers and waits until they serve.
fn run(servers: &mut [Server]) {
    servers.iter_mut().for_each(Server::launch);
    servers.iter_mut().for_each(Server::await_service);
}

/// Waits until something has come to pass.
fn until(what: &str, is_done: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_done() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until a server has logged this.
fn until_says(server: &Server, part: &str) {
    let end = Instant::now() + PATIENCE;
    while !server.log().contains(part) {
        assert!(Instant::now() < end, "no \"{part}\" in:\n{}", server.log());
        thread::sleep(Duration::from_millis(20));
    }
}

/// How many lines of a server's log have this.
fn lines_with(server: &Server, part: &str) -> usize {
    server.log().lines().filter(|line| line.contains(part)).count()
}

/// Which of these servers leads, as its log says last.
fn leader(servers: &[Server]) -> usize {
    let leads = |server: &Server| {
        if !server.is_running() {
            return false;
        }
        let log = server.log();
        let last = log.lines().rfind(|line| {
            ["leading epoch", "following server", "looking for a leader", "ringkeeper 0"]
                .iter()
                .any(|part| line.contains(part))
        });
        last.is_some_and(|line| line.contains("leading epoch"))
    };
    until("one of them leads", || servers.iter().any(leads));
    servers.iter().position(leads).expect("one leads")
}

/// What a server is, if it serves clients.
fn mode(server: &Server) -> Option<String> {
    let text = server.try_word("srvr")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Mode: "));
    line.map(str::to_owned)
}
