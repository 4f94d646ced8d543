//! The ensemble's configuration outside of agreement: in the configuration files, and at the ports.
//!
//! Agreement says which configuration is in force and which one is proposed. A thread of its own,
//! the *keeper*, writes them where ZooKeeper does, so that either server starts from these files,
//! and moves this server's ports if its line says so. Nothing waits for it: what counts after a
//! crash is in the log (and see [`goes_on_from`](crate::data_set::goes_on_from)).
//!
//! - [`files`] the dynamic file, its pointer in the configuration file
//! - [`moving`] the ports
//!
//! Not here: what a configuration means (`engine::zab`), its lines (`model::peer::membership`), the
//! links to other servers (`core_loop::peers`).

pub mod files;
pub mod moving;

use crate::data_set;
use crate::threads;
use engine::zab::Configuration;
use files::ConfigFiles;
use model::server::ServerId;
use moving::Ports;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, RwLock};
use tracing::{error, info};

/// The configurations that count.
#[derive(Clone, Debug)]
pub struct Configured {
    /// In force.
    pub current: Arc<Configuration>,
    /// Proposed.
    pub next: Option<Arc<Configuration>>,
}

/// The configuration in force, for reports.
#[derive(Clone, Debug)]
pub struct Shown(Arc<RwLock<Showing>>);

#[derive(Clone, Debug)]
struct Showing {
    current: Arc<Configuration>,
    /// Where this server's clients connect, if that has moved.
    clients: Option<SocketAddr>,
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Shown {}

impl Shown {
    /// This one at first.
    pub fn new(current: Arc<Configuration>) -> Self {
        Self(Arc::new(RwLock::new(Showing { current, clients: None })))
    }

    /// The one in force.
    pub fn get(&self) -> Arc<Configuration> {
        self.0.read().expect("no holder panics").current.clone()
    }

    /// Where this server's clients connect, if that has moved since its start.
    pub fn moved_to(&self) -> Option<SocketAddr> {
        self.0.read().expect("no holder panics").clients
    }

    fn set(&self, current: Arc<Configuration>) {
        self.0.write().expect("no holder panics").current = current;
    }

    fn set_moved(&self, clients: SocketAddr) {
        self.0.write().expect("no holder panics").clients = Some(clients);
    }
}

/// What a keeper works with.
pub struct KeeperParts {
    /// This server.
    pub me: ServerId,
    /// Where it is recorded which lines the history goes on from.
    pub data_dir: PathBuf,
    /// The configuration files, if there are any.
    pub files: Option<ConfigFiles>,
    /// The configuration that they have.
    pub written: i64,
    /// This server's ports.
    pub ports: Ports,
    /// For reports.
    pub shown: Shown,
}

/// The thread that keeps files and ports as agreement says.
#[derive(Debug)]
pub struct Keeper {
    sender: Sender<Configured>,
}

impl Keeper {
    /// Starts it. It ends when this value is dropped and everything is done.
    ///
    /// # Errors
    /// There can be no more threads.
    pub fn start(parts: KeeperParts) -> io::Result<Self> {
        let (sender, received) = channel();
        threads::spawn("rk-membership", move || {
            Keeping { announced: parts.written, parts }.run(&received);
        })?;
        Ok(Self { sender })
    }

    /// These count from now on.
    pub fn follow(&self, configured: Configured) {
        // Without a receiver the server stops.
        let _ = self.sender.send(configured);
    }
}

/// The thread's side.
struct Keeping {
    parts: KeeperParts,
    /// The version that the log has named last.
    announced: i64,
}

impl Keeping {
    fn run(mut self, received: &Receiver<Configured>) {
        while let Ok(mut configured) = received.recv() {
            // Of several that wait only the newest counts.
            while let Ok(newer) = received.try_recv() {
                configured = newer;
            }
            self.keep(&configured);
        }
    }

    fn keep(&mut self, configured: &Configured) {
        let Configured { current, next } = configured;
        self.parts.shown.set(current.clone());
        self.write_current(current);
        if let Some(files) = &self.parts.files
            && let Err(error) = files.write_next(next.as_deref())
        {
            error!("{error}: ZooKeeper's servers would look for the proposed servers there");
        }
        if let Some(clients) = self.parts.ports.follow(current, self.parts.me) {
            self.parts.shown.set_moved(clients);
        }
    }

    fn write_current(&mut self, current: &Configuration) {
        let version = current.version();
        if version > self.announced {
            let servers = current.membership().members().len();
            info!("the ensemble is of {servers} servers from version {version:x} on");
            self.announced = version;
        }
        let Some(files) = self.parts.files.as_ref().filter(|_| version > self.parts.written) else {
            return;
        };
        let has_own_client = current.member(self.parts.me).is_some_and(|it| it.client.is_some());
        let written = files.write_current(current, has_own_client);
        let recorded = written.and_then(|()| {
            self.parts.written = version;
            Ok(data_set::go_on_from(&self.parts.data_dir, current.text())?)
        });
        if let Err(error) = recorded {
            error!(
                "{error}: this server starts with its data's list of servers as long as nobody \
                 changes the file; make it writable to the server's user"
            );
        }
    }
}
