//! A server process of the test's own: its folder, its port, its lifetime.
//!
//! Which server: `RINGKEEPER_TEST_SERVER_CMD` (a command; the path of zoo.cfg is appended) if it is
//! set, else the binary that `RINGKEEPER_BIN` names, else `target/ci/ringkeeper` as the Makefile
//! builds it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A loaded machine starts a server slowly; that is not for a test to report.
const START_MAX: Duration = Duration::from_secs(60);
const STOP_MAX: Duration = Duration::from_secs(30);
const ANSWER_MAX: Duration = Duration::from_secs(30);

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Whether a server other than ours is under test (`RINGKEEPER_TEST_SERVER_CMD`).
pub fn is_reference() -> bool {
    env::var_os("RINGKEEPER_TEST_SERVER_CMD").is_some()
}

/// A server about to be started.
#[derive(Debug, Clone)]
pub struct Config {
    lines: Vec<(String, String)>,
    text: String,
    flags: Vec<String>,
    log: bool,
    command: Option<Vec<OsString>>,
    data: Option<PathBuf>,
}

impl Config {
    /// Adds or replaces a line of zoo.cfg.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.lines.retain(|(k, _)| k != key);
        self.lines.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Adds a Java system property, `name=value`.
    #[must_use]
    pub fn property(mut self, property: &str) -> Self {
        self.flags.push(format!("-D{property}"));
        self
    }

    /// A server other than [`server_command`]'s: the command that starts it, without the path of
    /// zoo.cfg.
    #[must_use]
    pub fn command(mut self, words: Vec<OsString>) -> Self {
        self.command = Some(words);
        self
    }

    /// Starts on a copy of this data directory.
    #[must_use]
    pub fn data(mut self, directory: &Path) -> Self {
        self.data = Some(directory.to_owned());
        self
    }

    /// Starts our server, whichever is under test.
    #[must_use]
    pub fn ours(mut self) -> Self {
        self.command = Some(own_command());
        self
    }

    /// Removes a line of zoo.cfg.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.lines.retain(|(k, _)| k != key);
        self
    }

    /// Replaces all lines except those for the directory and the port with this text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.lines.clear();
        text.clone_into(&mut self.text);
        self
    }

    /// Starts the server and waits until it serves.
    pub fn start(self) -> Server {
        let mut server = self.prepare();
        server.run();
        server
    }

    /// Starts the server and waits until it serves or has exited; then returns what it printed.
    ///
    /// # Errors
    /// What the server has written.
    pub fn try_start(mut self) -> Result<Server, String> {
        self.log = false;
        let mut server = self.prepare();
        match server.try_run() {
            Ok(()) => Ok(server),
            Err(_) => Err(server.log()),
        }
    }

    /// The folder and the port of a server that does not run yet.
    pub fn prepare(self) -> Server {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("ringkeeper-test-{}-{number}", process::id()));
        fs::create_dir_all(folder.join("data")).expect("the temporary folder is writable");
        if let Some(data) = &self.data {
            copy_directory(data, &folder.join("data"));
        }
        let port = free_port(number);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Server { folder, address, config: self, written: None, running: None }
    }
}

/// A server, stopped and removed when it is dropped.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    address: SocketAddr,
    config: Config,
    /// The configuration file as it was written last. It is left alone while that is what it
    /// should be: servers of an ensemble rewrite it.
    written: Option<String>,
    running: Option<Running>,
}

/// The process, and the guard that ends it if this process dies first.
#[derive(Debug)]
struct Running {
    child: Child,
    guard: Child,
}

impl Server {
    /// The defaults of every test: short ticks, every four-letter word, containers and TTL nodes.
    pub fn config() -> Config {
        let lines = [
            ("tickTime", "500"),
            ("maxSessionTimeout", "40000"),
            ("maxClientCnxns", "0"),
            ("admin.enableServer", "false"),
            ("4lw.commands.whitelist", "*"),
            ("extendedTypesEnabled", "true"),
        ];
        let lines = lines.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec();
        Config {
            lines,
            text: String::new(),
            flags: Vec::new(),
            log: true,
            command: None,
            data: None,
        }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder of zoo.cfg, data and log.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the server has written to its standard output and error.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }

    /// The process id of a running server.
    pub fn pid(&self) -> u32 {
        self.running.as_ref().expect("server runs").child.id()
    }

    /// Sends a four-letter word and returns the whole answer.
    pub fn word(&self, word: &str) -> String {
        four_letters(self.address, word, ANSWER_MAX).expect("four-letter word is answered")
    }

    /// The same, if there may be no answer: `None` if the connection ends without one.
    pub fn try_word(&self, word: &str) -> Option<String> {
        four_letters(self.address, word, ANSWER_MAX).filter(|text| !text.is_empty())
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.child.kill().expect("own child");
            running.child.wait().expect("own child");
            running.dismiss_guard();
        }
    }

    /// Stops the server with SIGTERM and waits for its exit.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("-TERM");
        self.wait_end()
    }

    /// Pauses the server (SIGSTOP), as a paused machine does. None of its threads runs afterwards.
    pub fn pause(&mut self) {
        self.signal("-STOP");
        let threads = format!("/proc/{}/task", self.pid());
        let is_stopped = |thread: io::Result<fs::DirEntry>| {
            let stat = thread.and_then(|thread| fs::read_to_string(thread.path().join("stat")));
            // The state is behind the name, which may contain anything.
            stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|it| it.1.starts_with('T')))
        };
        let end = Instant::now() + STOP_MAX;
        while !fs::read_dir(&threads).expect("own child").all(is_stopped) {
            assert!(Instant::now() < end, "server does not stop");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Resumes a paused server (SIGCONT).
    pub fn resume(&mut self) {
        self.signal("-CONT");
    }

    /// Signals that its terminal was closed (SIGHUP).
    pub fn hang_up(&mut self) {
        self.signal("-HUP");
    }

    fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().expect("kill exists");
        assert!(sent.success(), "server {pid} has already exited");
    }

    /// Waits for the server to exit by itself.
    ///
    /// # Panics
    /// If it does not within half a minute.
    pub fn wait_end(&mut self) -> ExitStatus {
        let mut running = self.running.take().expect("server runs");
        let end = Instant::now() + STOP_MAX;
        let status = loop {
            if let Some(status) = running.child.try_wait().expect("own child") {
                break status;
            }
            if Instant::now() > end {
                running.child.kill().expect("own child");
                panic!("server has not ended within {STOP_MAX:?}:\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(10));
        };
        running.dismiss_guard();
        status
    }

    /// Replaces the whole configuration for the next start.
    pub fn configure(&mut self, config: Config) {
        self.config = config;
    }

    /// Another server runs on the same folder and port from the next start on.
    pub fn set_command(&mut self, words: Vec<OsString>) {
        self.config = self.config.clone().command(words);
    }

    /// Adds or replaces a line of zoo.cfg for the next start.
    pub fn set(&mut self, key: &str, value: &str) {
        self.config = self.config.clone().set(key, value);
    }

    /// Replaces a Java system property (`name=value`) for the next start.
    pub fn set_property(&mut self, property: &str) {
        let name = property.split('=').next().unwrap_or(property);
        let before = format!("-D{name}=");
        self.config.flags.retain(|flag| !flag.starts_with(&before));
        self.config.flags.push(format!("-D{property}"));
    }

    /// Starts the server again on the same folder and port.
    pub fn start_again(&mut self) {
        assert!(self.running.is_none(), "server runs");
        self.run();
    }

    /// Kills the server and starts it again.
    pub fn restart(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Starts the process and does not wait until it serves.
    pub fn launch(&mut self) {
        assert!(self.running.is_none(), "server runs");
        let child = self.spawn();
        let guard = Running::guard(child.id(), &self.folder);
        self.running = Some(Running { child, guard });
    }

    fn run(&mut self) {
        if let Err(status) = self.try_run() {
            panic!("server ended at its start with {status}:\n{}", self.log());
        }
    }

    fn try_run(&mut self) -> Result<(), ExitStatus> {
        self.launch();
        self.try_await_service()
    }

    /// Waits until a server that was launched serves clients.
    ///
    /// # Panics
    /// If it exits instead.
    pub fn await_service(&mut self) {
        if let Err(status) = self.try_await_service() {
            panic!("server ended at its start with {status}:\n{}", self.log());
        }
    }

    /// Whether the process has not been ended by the test.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Waits until it serves or exits.
    fn try_await_service(&mut self) -> Result<(), ExitStatus> {
        let end = Instant::now() + START_MAX;
        loop {
            // Stock never closes a connection that sends a word while it loads, so the timeout is
            // short.
            let answer = four_letters(self.address, "srvr", Duration::from_millis(500));
            if answer.is_some_and(|text| text.contains("\nMode: ")) {
                return Ok(());
            }
            let running = self.running.as_mut().expect("just started");
            if let Some(status) = running.child.try_wait().expect("own child") {
                return Err(status);
            }
            assert!(Instant::now() < end, "not serving after {START_MAX:?}:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn spawn(&mut self) -> Child {
        let file = self.folder.join("zoo.cfg");
        let mut text = format!(
            "dataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\n",
            self.folder.join("data").display(),
            self.address.port()
        );
        for (key, value) in &self.config.lines {
            text.extend([key, "=", value, "\n"]);
        }
        text += &self.config.text;
        if self.written.as_ref() != Some(&text) {
            fs::write(&file, &text).expect("zoo.cfg is written");
            self.written = Some(text);
        }
        let mut words = self.config.command.clone().unwrap_or_else(server_command);
        let program = words.remove(0);
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log"));
        let log = log.expect("log is written");
        Command::new(&program)
            .args(words)
            .arg(&file)
            .env("JVMFLAGS", self.config.flags.join(" "))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e} (make test builds it)", program.display()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() && self.config.log {
            // The test's own message comes first, then the server's output.
            let log = self.log();
            let tail = log.len().saturating_sub(4000);
            let text: String = log.chars().skip(tail).collect();
            writeln!(io::stderr(), "--- log of the server:\n{text}").ok();
        }
        fs::remove_dir_all(&self.folder).ok();
    }
}

impl Running {
    /// A shell that kills the server and removes its folder once this process's end of its pipe is
    /// closed, however it ended: servers shared by many tests are never dropped.
    fn guard(pid: u32, folder: &Path) -> Child {
        Command::new("sh")
            .args(["-c", "read -r _ || { kill -9 $0; sleep 0.2; rm -rf \"$1\"; }"])
            .arg(pid.to_string())
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh exists")
    }

    fn dismiss_guard(mut self) {
        if let Some(mut pipe) = self.guard.stdin.take() {
            pipe.write_all(b"done\n").ok();
        }
        self.guard.wait().ok();
    }
}

/// The command that starts a server, without the path of zoo.cfg.
pub fn server_command() -> Vec<OsString> {
    if let Ok(words) = env::var("RINGKEEPER_TEST_SERVER_CMD") {
        return words.split_whitespace().map(OsString::from).collect();
    }
    own_command()
}

/// The command that starts Apache `ZooKeeper`, the reference.
pub fn reference_command() -> Vec<OsString> {
    vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/stock-server.sh").into()]
}

/// The command that starts our server, whichever is under test.
pub fn own_command() -> Vec<OsString> {
    vec![our_binary().into(), "serve".into()]
}

/// Our binary.
pub fn our_binary() -> PathBuf {
    if let Some(binary) = env::var_os("RINGKEEPER_BIN") {
        return binary.into();
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a member's parent");
    let target = env::var_os("CARGO_TARGET_DIR").map_or(workspace.join("target"), PathBuf::from);
    target.join("ci/ringkeeper")
}

/// Copies files and directories below `from` into `to`.
pub fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the temporary folder is writable");
    for entry in fs::read_dir(from).expect("a directory to copy") {
        let entry = entry.expect("a directory to copy");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a directory to copy").is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("there is room");
        }
    }
}

/// A free port, different at every call.
pub fn next_free_port() -> u16 {
    free_port(NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// A free port below the range of ephemeral ports.
fn free_port(number: u32) -> u16 {
    let start = process::id().wrapping_mul(61).wrapping_add(number * 7);
    (0..20_000)
        .map(|i| 11_000 + u16::try_from((start + i) % 20_000).expect("below 20,000"))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// What a server at an address answers to a four-letter word; `None` if there is no answer.
pub fn four_letters(address: SocketAddr, word: &str, answer_max: Duration) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(answer_max)).ok()?;
    stream.write_all(word.as_bytes()).ok()?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}
