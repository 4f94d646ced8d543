//! The loop: all connections on one ring, whatever their workload.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use ring::{Completion, Errno, OpId, Queue, Ring, RingConfig, Token, Wait};

use super::client::Attachment;
use super::connect::connect;
use super::flow::World;
use super::routes::Routes;
use super::stage::{Feed, Stage};
use crate::Say;
use crate::error::{BenchError, LIMIT_HINT};
use crate::limits::{SLEEP_NS_MIN, TURN_WAIT};
use crate::results::IncidentKind;

/// When the loop is left; a fatal incident leaves it too.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    /// At a time.
    Time(u64),
    /// When every connection has its session.
    Attached,
    /// When no fault is left and every connection has its session, at the latest at that time.
    Settled(u64),
    /// When everything is answered, at the latest at that time.
    Quiet(u64),
}

/// What the ring has of a client's connection.
#[derive(Clone, Copy, Debug, Default)]
struct Submitted {
    receive: Option<OpId>,
    send: Option<OpId>,
}

/// Lives in: the generator's thread.
pub(super) struct Player {
    // Before the stage: the kernel's side ends first.
    ring: Ring,
    pub(super) stage: Stage,
    submitted: Vec<Submitted>,
    epoch: Instant,
}

impl Player {
    pub(super) fn new(
        world: World,
        routes: Routes,
        connections: usize,
        say: Say,
    ) -> Result<Self, BenchError> {
        let buffers = (2 * connections).next_power_of_two().clamp(256, 4_096);
        let ring = Ring::new(&RingConfig {
            receive_buffers: buffers as u16,
            receive_buffer_bytes: 16_384,
            ..RingConfig::default()
        })?;
        let stage = Stage::new(world, routes, connections, say);
        Ok(Self { ring, stage, submitted: Vec::new(), epoch: Instant::now() })
    }

    pub(super) fn now_ns(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// Turns until the time given, or until the journal holds something fatal.
    pub(super) fn run(&mut self, until: Until) -> Result<(), BenchError> {
        self.stage.until_ns = if let Until::Time(end_ns) = until { end_ns } else { u64::MAX };
        loop {
            self.stage.now_ns = self.now_ns();
            self.stage.advance()?;
            self.close_cut();
            self.connect();
            self.flush();
            if self.stage.journal.is_fatal || self.is_over(until) {
                return Ok(());
            }
            self.ring.turn(self.pause(until))?;
            self.stage.now_ns = self.now_ns();
            let Self { ring, stage, submitted, .. } = self;
            ring.completions(|_: &mut Queue<'_>, completion| {
                handle(stage, submitted, completion);
            });
            self.stage.tick();
        }
    }

    fn is_over(&self, until: Until) -> bool {
        let stage = &self.stage;
        match until {
            Until::Time(end_ns) => stage.now_ns >= end_ns,
            Until::Attached => stage.is_attached(),
            Until::Settled(end_ns) => {
                stage.now_ns >= end_ns || (stage.faults.is_over() && stage.is_attached())
            }
            Until::Quiet(end_ns) => {
                stage.now_ns >= end_ns || (stage.feed.is_over() && stage.is_quiet())
            }
        }
    }

    fn pause(&self, until: Until) -> Wait {
        let stage = &self.stage;
        let mut until_ns = stage.now_ns + TURN_WAIT.as_nanos() as u64;
        if let Until::Time(end_ns) | Until::Quiet(end_ns) | Until::Settled(end_ns) = until {
            until_ns = until_ns.min(end_ns);
        }
        until_ns = until_ns.min(stage.next_ns().unwrap_or(until_ns));
        let pause_ns = until_ns.saturating_sub(stage.now_ns);
        if pause_ns < SLEEP_NS_MIN { Wait::No } else { Wait::Until(Duration::from_nanos(pause_ns)) }
    }

    /// Closes the abandoned connections, before a client that opens another at once has operations
    /// on the new one.
    fn close_cut(&mut self) {
        let Self { ring, stage, submitted, .. } = self;
        let mut queue = ring.queue();
        for (index, stream) in stage.closing.drain(..) {
            let known = std::mem::take(&mut submitted[index]);
            queue.close_after(OwnedFd::from(stream), known.receive.into_iter().chain(known.send));
        }
    }

    /// Opens the connections that are due.
    fn connect(&mut self) {
        while let Some((index, address)) = self.stage.next_attach() {
            match connect(address, index) {
                Ok(stream) => {
                    self.submitted.resize(self.stage.clients.len(), Submitted::default());
                    let token = self.stage.attach(index);
                    let receive = self.ring.queue().recv_multishot(&stream, token);
                    self.submitted[index] = Submitted { receive: Some(receive), send: None };
                    self.stage.clients[index].stream = Some(stream);
                }
                Err(error) => self.stage.refused(index, error.to_string()),
            }
        }
    }

    /// Hands over what is to be sent.
    fn flush(&mut self) {
        let Self { ring, stage, submitted, .. } = self;
        let mut queue = ring.queue();
        for index in stage.sending.drain(..) {
            let client = &mut stage.clients[index];
            client.outgoing.unlisted();
            if let Some(stream) = &client.stream
                && let Some(buffer) = client.outgoing.take()
            {
                let token = token(index, client.generation);
                submitted[index].send = Some(queue.send(stream, buffer, token));
            }
        }
    }

    /// Ends all sessions, as far as the server answers within `patience`.
    pub(super) fn close(&mut self, patience: Duration) -> Result<(), BenchError> {
        self.stage.feed = Feed::None;
        self.stage.close_all();
        let end_ns = self.now_ns() + patience.as_nanos() as u64;
        self.run(Until::Quiet(end_ns))
    }
}

/// Identifies a connection of a client.
pub(super) fn token(index: usize, generation: u32) -> Token {
    Token(index as u64 | u64::from(generation) << 32)
}

fn handle(stage: &mut Stage, submitted: &mut [Submitted], completion: Completion<'_>) {
    let current = |stage: &Stage, token: Token| {
        let index = (token.0 & u64::from(u32::MAX)) as usize;
        (stage.clients[index].generation == (token.0 >> 32) as u32).then_some(index)
    };
    match completion {
        Completion::Received { token, bytes } => {
            if let Some(index) = current(stage, token) {
                stage.received(index, bytes);
            }
        }
        Completion::Sent { token, buffer, result } => {
            let Some(index) = current(stage, token) else { return };
            submitted[index].send = None;
            stage.clients[index].outgoing.sent(buffer);
            stage.list_sending(index);
            if let Err(errno) = result {
                failed(stage, index, errno);
            }
        }
        Completion::ReceiveClosed { token } => {
            if let Some(index) = current(stage, token) {
                submitted[index].receive = None;
                cut(stage, index, "closed by the server");
            }
        }
        Completion::ReceiveFailed { token, errno } => {
            if let Some(index) = current(stage, token) {
                submitted[index].receive = None;
                failed(stage, index, errno);
            }
        }
        _ => {}
    }
}

fn failed(stage: &mut Stage, index: usize, errno: Errno) {
    match errno {
        Errno::ECONNRESET | Errno::EPIPE => cut(stage, index, &errno.to_string()),
        _ => stage.lost(index, IncidentKind::Closed, &errno.to_string()),
    }
}

/// The server has closed a connection. Before a session there is usually one reason, unless a fault
/// is another.
fn cut(stage: &mut Stage, index: usize, why: &str) {
    let why = match stage.clients[index].attachment {
        Attachment::Attaching { .. } if stage.journal.is_excusing => {
            format!("{why} before it had a session")
        }
        Attachment::Attaching { .. } => format!("{why} before it had a session; {LIMIT_HINT}"),
        _ => why.to_owned(),
    };
    stage.lost(index, IncidentKind::Closed, &why);
}
