//! The server that a fault is done to, and the command that is run instead.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crate::play::stage::Stage;
use crate::servers::Role;
use crate::workload::Target;

impl Stage {
    /// A running server that fits, given what the servers are; none if there is none now.
    pub(super) fn choose(&mut self, target: Target, roles: &[Option<Role>]) -> Option<usize> {
        let is_one = |server: &usize| match target {
            Target::Leader => roles[*server] == Some(Role::Leader),
            Target::Follower => roles[*server] == Some(Role::Follower),
            Target::Any => roles[*server].is_some(),
            Target::Number(number) => *server + 1 == number,
        };
        let found: Vec<_> = self.free_servers().into_iter().filter(is_one).collect();
        let count = found.len() as u64;
        (count > 0).then(|| found[self.world.chance.below(count) as usize])
    }

    /// Servers that run and that no fault is being done to.
    fn free_servers(&self) -> Vec<usize> {
        let members = self.faults.ensemble.as_ref().map_or(&[][..], |it| &it.members);
        let is_free = |server: &usize| {
            let is_of_other = self.faults.active.iter().any(|it| it.concerns(*server));
            members[*server].is_running() && !is_of_other
        };
        (0..members.len()).filter(is_free).collect()
    }

    /// Followers first, the leader last.
    pub(super) fn rolling_order(&self, roles: &[Option<Role>]) -> Vec<usize> {
        let mut order = self.free_servers();
        order.sort_by_key(|server| roles[*server] == Some(Role::Leader));
        order
    }

    /// Starts a command of the workload, which is told what the servers are.
    pub(super) fn spawn(
        &self,
        command: &str,
        roles: &[Option<Role>],
    ) -> Result<Child, std::io::Error> {
        let of = |role: Role| {
            let servers = self.routes.servers.iter().zip(roles);
            let names = servers.filter(|(_, it)| **it == Some(role)).map(|it| &*it.0.name);
            names.collect::<Vec<_>>().join(" ")
        };
        let all: Vec<_> = self.routes.servers.iter().map(|server| &*server.name).collect();
        Command::new("sh")
            .args(["-c", command])
            .env("BENCH_SERVERS", all.join(" "))
            .env("BENCH_LEADER", of(Role::Leader))
            .env("BENCH_FOLLOWERS", of(Role::Follower))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
    }
}
