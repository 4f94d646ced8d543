//! Servers that the generator starts itself: an ensemble on this machine, which ends with the run.
//!
//! `ports` finds free ones, `member` is one server's process, `guard` ends it with the generator.
//!
//! Invariant: no server outlives the generator, and no file the run. A run that ends, by itself,
//! with an error or by SIGINT or SIGTERM, drops the ensemble; if the generator is killed, the
//! kernel kills the servers, and their files stay (guards: `tests::nothing_is_left_of_an_ensemble`
//! and, from outside, `tests/operator/stress.rs`).

mod guard;
mod member;
mod ports;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

pub(crate) use self::guard::exec;
pub(crate) use self::member::{Ended, Member};
use crate::args::BenchArgs;
use crate::error::BenchError;
use crate::limits::{SERVING_PAUSE, SERVING_WAIT};
use crate::servers::{Roles, Server};
use crate::signals::Signals;

/// How many ensembles this process has started.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// How a server is started: these words, and its configuration file.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) words: Vec<OsString>,
}

impl Launch {
    /// As requested: `--server-cmd`, or `serve` of this executable.
    pub(crate) fn of(args: &BenchArgs) -> Result<Self, BenchError> {
        let own = std::env::current_exe().map_err(BenchError::Executable)?;
        let mut words: Vec<OsString> = vec![own.clone().into()];
        words.extend(["bench", "--guarded"].map(Into::into));
        words.push(std::process::id().to_string().into());
        match &args.server_cmd {
            // The shell splits the words, and is replaced by the command.
            Some(command) => {
                let script = format!("exec {command} \"$@\"");
                words.extend(["sh".into(), "-c".into(), script.into(), "sh".into()]);
            }
            None => words.extend([own.into(), "serve".into()]),
        }
        Ok(Self { words })
    }
}

/// A folder that is removed with everything in it.
struct Folder {
    path: PathBuf,
    /// The folder above it, if that was created for it.
    made_above: Option<PathBuf>,
}

impl Folder {
    fn create(above: &Path) -> Result<Self, BenchError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            |source: io::Error| BenchError::EnsembleFolder { path, source }
        };
        let made_above = (!above.exists()).then(|| above.to_owned());
        fs::create_dir_all(above).map_err(failed(above))?;
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        // Servers may have another working directory.
        let above = above.canonicalize().map_err(failed(above))?;
        let path = above.join(format!("ringkeeper-ensemble-{}-{number}", std::process::id()));
        fs::create_dir(&path).map_err(failed(&path))?;
        Ok(Self { path, made_above })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
        if let Some(above) = &self.made_above {
            let _ = fs::remove_dir(above);
        }
    }
}

/// Lives in: the generator's thread.
pub(crate) struct Ensemble {
    // Before the folder: no server writes when that is removed.
    pub(crate) members: Vec<Member>,
    _folder: Folder,
}

impl Ensemble {
    /// Starts so many servers below a folder, and waits until all of them serve.
    ///
    /// # Errors
    /// One of them ends or does not serve in time, or a signal arrives; none is left then.
    pub(crate) fn start(
        launch: &Launch,
        count: usize,
        above: &Path,
        signals: &Signals,
    ) -> Result<Self, BenchError> {
        let folder = Folder::create(above)?;
        let ports = ports::free(3 * count).ok_or(BenchError::NoPorts { count: 3 * count })?;
        let mut members = Vec::new();
        for number in 1..=count {
            let own = folder.path.join(number.to_string());
            let failed = |source| BenchError::EnsembleFolder { path: own.clone(), source };
            fs::create_dir_all(own.join("data")).map_err(failed)?;
            fs::write(own.join("data/myid"), format!("{number}\n")).map_err(failed)?;
            let text = configuration(number, &own, &ports);
            fs::write(own.join("zoo.cfg"), text).map_err(failed)?;
            let address = (Ipv4Addr::LOCALHOST, ports[3 * (number - 1)]).into();
            members.push(Member::new(number, address, launch, own));
        }
        let mut ensemble = Self { members, _folder: folder };
        for member in &mut ensemble.members {
            member.start()?;
        }
        ensemble.wait(signals)?;
        Ok(ensemble)
    }

    pub(crate) fn servers(&self) -> Vec<Server> {
        let server = |address: SocketAddr| Server { name: address.to_string().into(), address };
        self.members.iter().map(|member| server(member.address)).collect()
    }

    /// Waits until every server serves.
    fn wait(&mut self, signals: &Signals) -> Result<(), BenchError> {
        let mut roles = Roles::new(self.members.iter().map(|member| member.address).collect());
        let (begin, mut since_ns) = (Instant::now(), 0);
        loop {
            signals.check()?;
            for member in &mut self.members {
                if let Some(Ended { status, last }) = member.ended() {
                    let number = member.number;
                    return Err(BenchError::ServerEnded { number, status, last });
                }
            }
            let now_ns = begin.elapsed().as_nanos() as u64;
            let silent = match roles.known_since(since_ns) {
                None => None,
                Some(known) => match known.iter().position(Option::is_none) {
                    None => return Ok(()),
                    silent => silent,
                },
            };
            if let Some(silent) = silent {
                since_ns = now_ns;
                if begin.elapsed() > SERVING_WAIT {
                    let member = &self.members[silent];
                    let (number, seconds) = (member.number, SERVING_WAIT.as_secs());
                    return Err(BenchError::NotServing { number, seconds, last: member.last() });
                }
            }
            roles.advance(now_ns);
            thread::sleep(SERVING_PAUSE);
        }
    }
}

/// The `zoo.cfg` of one server. Each has three ports: for clients, for learners, for elections.
fn configuration(number: usize, folder: &Path, ports: &[u16]) -> String {
    let port = ports[3 * (number - 1)];
    let mut text = format!(
        "tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir={}\nclientPort={port}\n\
         clientPortAddress=127.0.0.1\n4lw.commands.whitelist=*\nadmin.enableServer=false\n\
         extendedTypesEnabled=true\n",
        folder.join("data").display()
    );
    if ports.len() > 3 {
        for (index, of) in ports.chunks(3).enumerate() {
            let line = format!("server.{}=127.0.0.1:{}:{}", index + 1, of[1], of[2]);
            writeln!(text, "{line}").expect("writing to a String does not fail");
        }
    }
    text
}
