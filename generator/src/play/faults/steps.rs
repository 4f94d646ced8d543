//! The life of a fault: the server is chosen, something is done to it, and it serves again.

use std::collections::VecDeque;
use std::process::Child;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::ensemble::Member;
use crate::error::BenchError;
use crate::limits::{FAULT_CHOICE_NS, RETURN_NS_MAX, SLOW_RUNS_NS, SLOW_STOPS_NS, TERM_NS_MAX};
use crate::play::stage::Stage;
use crate::results::IncidentKind;
use crate::servers::Role;
use crate::workload::Act;

/// A fault that is going on.
pub(super) struct Active {
    /// In the list of reports, once it has effects.
    pub(super) report: Option<usize>,
    act: Act,
    pub(super) state: State,
}

/// How far it is.
pub(super) enum State {
    /// What the servers are is being asked.
    Choosing { since_ns: u64, end_ns: u64 },
    /// The server was killed, and is started at that time.
    Down { server: usize, until_ns: u64 },
    /// The server is frozen until then.
    Stopped { server: usize, until_ns: u64 },
    /// The server is frozen and thawed in turn.
    Slow { server: usize, until_ns: u64, next_ns: u64, is_stopped: bool },
    /// The server was asked to end; those in `left` follow. It is killed if it takes too long.
    Ending { server: usize, left: VecDeque<usize>, kill_ns: u64 },
    /// The server is to serve again; then those in `left` follow.
    Returning { server: usize, left: VecDeque<usize>, since_ns: u64, end_ns: u64 },
    /// A command runs.
    Running { command: Running },
    /// Clients attach again.
    Attaching,
    /// Nothing is left of it.
    Over,
}

/// A command with what it has started; ends with the run.
pub(super) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = killpg(Pid::from_raw(self.0.id() as i32), Signal::SIGKILL);
            let _ = self.0.wait();
        }
    }
}

impl Active {
    pub(super) fn new(act: Act, now_ns: u64) -> Self {
        let state = State::Choosing { since_ns: now_ns, end_ns: now_ns + FAULT_CHOICE_NS };
        Self { report: None, act, state }
    }

    /// Whether the process of a server is expected to end.
    pub(super) fn ends(&self, of: usize) -> bool {
        match self.state {
            State::Down { server, .. } | State::Ending { server, .. } => server == of,
            _ => false,
        }
    }

    /// Whether something is being done to a server.
    pub(super) fn concerns(&self, of: usize) -> bool {
        match &self.state {
            State::Down { server, .. }
            | State::Stopped { server, .. }
            | State::Slow { server, .. } => *server == of,
            State::Ending { server, left, .. } | State::Returning { server, left, .. } => {
                *server == of || left.contains(&of)
            }
            State::Choosing { .. } | State::Running { .. } | State::Attaching | State::Over => {
                false
            }
        }
    }
}

impl Stage {
    fn member(&mut self, server: usize) -> &mut Member {
        let ensemble = self.faults.ensemble.as_mut();
        &mut ensemble.expect("faults of processes need servers of ours").members[server]
    }

    fn returning(&self, server: usize, left: VecDeque<usize>) -> State {
        let (since_ns, end_ns) = (self.now_ns, self.now_ns + RETURN_NS_MAX);
        State::Returning { server, left, since_ns, end_ns }
    }

    /// Continues a fault as far as possible now.
    pub(super) fn step(&mut self, fault: &mut Active) -> Result<(), BenchError> {
        let now_ns = self.now_ns;
        match &mut fault.state {
            State::Choosing { since_ns, end_ns } => {
                let Some(roles) = self.routes.roles.known_since(*since_ns) else { return Ok(()) };
                let roles = roles.to_vec();
                let is_late = now_ns > *end_ns;
                *since_ns = now_ns;
                if !self.perform(fault, &roles) && is_late {
                    self.failed(fault, None, "no server was what it is for");
                }
            }
            State::Down { server, until_ns } => {
                let (server, until_ns) = (*server, *until_ns);
                if now_ns >= until_ns && !self.member(server).is_running() {
                    self.member(server).start()?;
                    fault.state = self.returning(server, VecDeque::new());
                }
            }
            State::Stopped { server, until_ns } if now_ns >= *until_ns => {
                let server = *server;
                self.member(server).signal(Signal::SIGCONT);
                fault.state = self.returning(server, VecDeque::new());
            }
            State::Slow { .. } => self.step_slow(fault),
            State::Ending { .. } => self.step_ending(fault)?,
            State::Returning { .. } => self.step_returning(fault),
            State::Running { command } => {
                if let Ok(Some(status)) = command.0.try_wait() {
                    if !status.success() {
                        let why = format!("the command ended with {status}");
                        self.journal.add(IncidentKind::FaultFailed, None, now_ns, why);
                    }
                    fault.state = State::Over;
                }
            }
            State::Attaching if self.is_attached() => fault.state = State::Over,
            State::Stopped { .. } | State::Attaching | State::Over => {}
        }
        Ok(())
    }

    /// Does what the fault is for, if there is a server for it now.
    fn perform(&mut self, fault: &mut Active, roles: &[Option<Role>]) -> bool {
        let server = match fault.act.target() {
            None => None,
            Some(target) => {
                let found = self.choose(target, roles);
                if found.is_none() {
                    return false;
                }
                found
            }
        };
        fault.report = Some(self.begin_report(fault.act.to_string(), server));
        let now_ns = self.now_ns;
        fault.state = match (&fault.act, server) {
            (Act::Kill { down, .. }, Some(server)) => {
                self.member(server).signal(Signal::SIGKILL);
                State::Down { server, until_ns: now_ns + down.ns() }
            }
            (Act::Stop { lasts, .. }, Some(server)) => {
                self.member(server).signal(Signal::SIGSTOP);
                State::Stopped { server, until_ns: now_ns + lasts.ns() }
            }
            (Act::Slow { lasts, .. }, Some(server)) => {
                let until_ns = now_ns + lasts.ns();
                State::Slow { server, until_ns, next_ns: now_ns, is_stopped: false }
            }
            (Act::Restart, _) => {
                let mut left: VecDeque<_> = self.rolling_order(roles).into();
                left.pop_front().map_or(State::Over, |server| self.end_server(server, left))
            }
            (Act::Reconnect { percent }, _) => {
                let count = (self.connections as u64 * percent).div_ceil(100) as usize;
                (0..count).for_each(|index| self.reconnect(index));
                State::Attaching
            }
            (Act::Run { command }, _) => match self.spawn(command, roles) {
                Ok(child) => State::Running { command: Running(child) },
                Err(error) => {
                    let why = format!("{command}: {error}");
                    self.journal.add(IncidentKind::FaultFailed, None, now_ns, why);
                    State::Over
                }
            },
            (Act::Kill { .. } | Act::Stop { .. } | Act::Slow { .. }, None) => {
                unreachable!("these have a target")
            }
        };
        true
    }

    /// Asks a server to end.
    fn end_server(&mut self, server: usize, left: VecDeque<usize>) -> State {
        self.member(server).signal(Signal::SIGTERM);
        State::Ending { server, left, kill_ns: self.now_ns + TERM_NS_MAX }
    }

    fn step_slow(&mut self, fault: &mut Active) {
        let State::Slow { server, until_ns, next_ns, is_stopped } = &mut fault.state else {
            return;
        };
        let server = *server;
        if self.now_ns >= *until_ns {
            self.member(server).signal(Signal::SIGCONT);
            fault.state = self.returning(server, VecDeque::new());
        } else if self.now_ns >= *next_ns {
            *is_stopped = !*is_stopped;
            *next_ns = self.now_ns + if *is_stopped { SLOW_STOPS_NS } else { SLOW_RUNS_NS };
            let signal = if *is_stopped { Signal::SIGSTOP } else { Signal::SIGCONT };
            self.member(server).signal(signal);
        }
    }

    fn step_ending(&mut self, fault: &mut Active) -> Result<(), BenchError> {
        let State::Ending { server, left, kill_ns } = &mut fault.state else { return Ok(()) };
        let server = *server;
        if !self.member(server).is_running() {
            let left = std::mem::take(left);
            self.member(server).start()?;
            fault.state = self.returning(server, left);
        } else if self.now_ns > *kill_ns {
            *kill_ns = u64::MAX;
            self.member(server).signal(Signal::SIGKILL);
            let why = format!("it did not end within {} s of SIGTERM", TERM_NS_MAX / 1_000_000_000);
            self.journal.add(IncidentKind::FaultFailed, Some(server), self.now_ns, why);
        }
        Ok(())
    }

    fn step_returning(&mut self, fault: &mut Active) {
        let State::Returning { server, left, since_ns, end_ns } = &mut fault.state else { return };
        let (server, is_late) = (*server, self.now_ns > *end_ns);
        let roles = self.routes.roles.known_since(*since_ns);
        let is_back = roles.map(|roles| roles[server].is_some());
        if is_back == Some(true) {
            let mut left = std::mem::take(left);
            fault.state = match left.pop_front() {
                Some(next) => self.end_server(next, left),
                None => State::Over,
            };
            return;
        }
        if is_back == Some(false) {
            *since_ns = self.now_ns;
        }
        if is_late || !self.member(server).is_running() {
            self.failed(fault, Some(server), "it does not serve again");
        }
    }

    fn failed(&mut self, fault: &mut Active, server: Option<usize>, why: &str) {
        let detail = format!("{}: {why}", fault.act);
        self.journal.add(IncidentKind::FaultFailed, server, self.now_ns, detail);
        // Its report has no end.
        fault.report = None;
        fault.state = State::Over;
    }
}
