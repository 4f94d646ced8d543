//! `conf`, `dirs` and `envi`.

use super::{Version, put};
use crate::admin::inquiry::Mode;
use crate::config::Config;
use crate::membership::Shown;
use engine::zab::Configuration;
use model::peer::membership::{Member, PeerAddress, Role};
use model::server::ServerId;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What `conf` shows of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conf {
    /// The port for clients, unless it has moved.
    pub client_port: u16,
    /// Where stock would keep its snapshots.
    pub data_dir: PathBuf,
    /// Where stock would keep its log.
    pub data_log_dir: PathBuf,
    /// The length of a tick in ms.
    pub tick_ms: u32,
    /// Most connections from one address, as it was written; 0 and less for no limit.
    pub per_address_max: i64,
    /// The shortest timeout granted, in ms, as it was written.
    pub timeout_min_ms: i32,
    /// The longest timeout granted, in ms, as it was written.
    pub timeout_max_ms: i32,
    /// Connections that may wait to be accepted, as it was written.
    pub backlog: i64,
    /// What it shows of an ensemble.
    pub ensemble: Option<EnsembleConf>,
}

/// What `conf` shows of an ensemble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnsembleConf {
    /// The server's number.
    pub me: ServerId,
    /// All servers, as they are now.
    pub servers: Shown,
    /// Ticks that a server may take to catch up with its leader.
    pub init_limit: u32,
    /// Ticks that a server may be silent.
    pub sync_limit: u32,
    /// Where clients connect to this server, unless that has moved.
    pub client_address: SocketAddr,
}

impl EnsembleConf {
    /// This server's line.
    pub fn own(&self) -> Option<Member> {
        self.servers.get().member(self.me).cloned()
    }

    /// Where clients connect to this server now.
    pub fn client_address(&self) -> SocketAddr {
        self.servers.moved_to().unwrap_or(self.client_address)
    }
}

impl Conf {
    /// Of a configuration, with the bound address.
    pub fn of(config: &Config, client_address: SocketAddr) -> Self {
        // Readers of `conf` expect the directories of stock's layout.
        let absolute = |path: &Path| {
            let inner = path.join("version-2");
            std::path::absolute(&inner).unwrap_or(inner)
        };
        let ensemble = config.ensemble.as_ref().map(|ensemble| EnsembleConf {
            me: ensemble.me,
            servers: Shown::new(Arc::new(Configuration::new(ensemble.servers.clone()))),
            init_limit: ensemble.init_limit,
            sync_limit: ensemble.sync_limit,
            client_address,
        });
        Self {
            client_port: client_address.port(),
            data_dir: absolute(&config.storage.data_dir),
            data_log_dir: absolute(&config.storage.data_log_dir),
            tick_ms: config.sessions.tick_ms,
            per_address_max: config.connections.per_address_written,
            timeout_min_ms: config.sessions.timeout_min_written_ms,
            timeout_max_ms: config.sessions.timeout_max_written_ms,
            backlog: config.listen.backlog_written,
            ensemble,
        }
    }

    /// The port for clients now.
    pub fn client_port(&self) -> u16 {
        self.ensemble.as_ref().map_or(self.client_port, |it| it.client_address().port())
    }

    /// The server's number; 0 if it has no ensemble.
    pub fn server_id(&self) -> i64 {
        self.ensemble.as_ref().map_or(0, |ensemble| ensemble.me.0)
    }
}

/// Bytes of the files in the two directories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectorySizes {
    /// Of snapshots.
    pub data_bytes: u64,
    /// Of the log.
    pub log_bytes: u64,
}

/// `conf`; a read-only server does not show who is in its ensemble.
pub fn conf(out: &mut Vec<u8>, conf: &Conf, sizes: DirectorySizes, mode: Mode) {
    put!(out, "clientPort={}\nsecureClientPort=-1\ndataDir=", conf.client_port());
    out.extend_from_slice(conf.data_dir.as_os_str().as_bytes());
    put!(out, "\ndataDirSize={}\ndataLogDir=", sizes.data_bytes);
    out.extend_from_slice(conf.data_log_dir.as_os_str().as_bytes());
    put!(out, "\ndataLogSize={}\n", sizes.log_bytes);
    put!(out, "tickTime={}\n", conf.tick_ms);
    put!(out, "maxClientCnxns={}\n", conf.per_address_max);
    put!(out, "minSessionTimeout={}\n", conf.timeout_min_ms);
    put!(out, "maxSessionTimeout={}\n", conf.timeout_max_ms);
    put!(out, "clientPortListenBacklog={}\n", conf.backlog);
    put!(out, "serverId={}\n", conf.server_id());
    if let Some(ensemble) = &conf.ensemble {
        put_ensemble(out, ensemble);
        if mode != Mode::ReadOnly {
            // As on stock, no line ends behind the membership.
            put!(out, "membership: \n{}", ensemble.servers.get().membership());
        }
    }
}

fn put_ensemble(out: &mut Vec<u8>, ensemble: &EnsembleConf) {
    let ports = |port: fn(&PeerAddress) -> u16| {
        let own = ensemble.own();
        let ports = own.iter().flat_map(Member::addresses).map(|address| port(address).to_string());
        ports.collect::<Vec<_>>().join("|")
    };
    let is_observer = ensemble.own().is_some_and(|own| own.role == Role::Observer);
    put!(out, "initLimit={}\nsyncLimit={}\n", ensemble.init_limit, ensemble.sync_limit);
    put!(out, "electionAlg=3\nelectionPort={}\n", ports(|address| address.election_port));
    put!(out, "quorumPort={}\n", ports(|address| address.quorum_port));
    put!(out, "peerType={}\n", u8::from(is_observer));
}

/// `dirs`.
pub fn dirs(out: &mut Vec<u8>, sizes: DirectorySizes) {
    put!(out, "datadir_size: {}\nlogdir_size: {}\n", sizes.data_bytes, sizes.log_bytes);
}

/// What `envi` shows of the process and its machine: those of stock's keys that are not about a
/// Java machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The machine's name.
    pub host_name: String,
    /// The directory for temporary files.
    pub temporary_dir: PathBuf,
    /// The kernel's name.
    pub os_name: String,
    /// The processor's architecture, in Java's spelling.
    pub os_arch: String,
    /// The kernel's release.
    pub os_version: String,
    /// The user of the process.
    pub user_name: String,
    /// That user's home.
    pub user_home: PathBuf,
    /// The directory it runs in.
    pub user_dir: PathBuf,
    /// Available memory, in MiB.
    pub memory_free_mib: u64,
    /// Memory of the machine, in MiB.
    pub memory_max_mib: u64,
    /// Memory that the process holds, in MiB.
    pub memory_total_mib: u64,
}

/// The facts about the process and its machine, under stock's names. Those about a Java machine
/// have stock's value for what is absent.
pub fn lines(version: Version, environment: &Environment) -> Vec<(&'static str, String)> {
    const ABSENT: &str = "<NA>";
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let mut lines = vec![
        ("zookeeper.version", version.to_string()),
        ("host.name", environment.host_name.clone()),
        ("java.version", String::new()),
        ("java.vendor", String::new()),
        ("java.home", String::new()),
        ("java.class.path", String::new()),
        ("java.library.path", String::new()),
        ("java.io.tmpdir", path(&environment.temporary_dir)),
        ("java.compiler", String::new()),
        ("os.name", environment.os_name.clone()),
        ("os.arch", environment.os_arch.clone()),
        ("os.version", environment.os_version.clone()),
        ("user.name", environment.user_name.clone()),
        ("user.home", path(&environment.user_home)),
        ("user.dir", path(&environment.user_dir)),
        ("os.memory.free", format!("{}MB", environment.memory_free_mib)),
        ("os.memory.max", format!("{}MB", environment.memory_max_mib)),
        ("os.memory.total", format!("{}MB", environment.memory_total_mib)),
    ];
    for (_, value) in lines.iter_mut().filter(|(_, value)| value.is_empty()) {
        ABSENT.clone_into(value);
    }
    lines
}

/// `envi`.
pub fn environment(out: &mut Vec<u8>, version: Version, environment: &Environment) {
    put!(out, "Environment:\n");
    for (name, value) in lines(version, environment) {
        put!(out, "{name}={value}\n");
    }
}
