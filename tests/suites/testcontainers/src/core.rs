//! Images as they are run, and running servers.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::marker::PhantomData;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::images::generic::GenericImage;

const START_TIMEOUT: Duration = Duration::from_secs(60);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// How to check that an image is up. Here every server is checked in the same way.
#[derive(Default)]
pub struct Healthcheck;

impl Healthcheck {
    pub fn with_cmd<T>(self, _: impl Iterator<Item = T>) -> Self {
        self
    }

    pub fn with_interval(self, _: Duration) -> Self {
        self
    }

    pub fn with_retries(self, _: u32) -> Self {
        self
    }
}

/// What a start waits for.
pub enum WaitFor {
    Healthcheck,
}

/// An image with its volumes.
pub struct RunnableImage<I> {
    pub(crate) environment: HashMap<String, String>,
    /// By the path inside the image: the path outside.
    pub(crate) volumes: HashMap<String, String>,
    kind: PhantomData<I>,
}

impl<I> RunnableImage<I> {
    pub fn with_volume(mut self, (from, to): (impl Into<String>, impl Into<String>)) -> Self {
        self.volumes.insert(to.into(), from.into());
        self
    }

    pub fn with_network(self, _: impl Into<String>) -> Self {
        self
    }
}

impl From<GenericImage> for RunnableImage<GenericImage> {
    fn from(image: GenericImage) -> Self {
        Self { environment: image.environment, volumes: HashMap::new(), kind: PhantomData }
    }
}

/// A server: stopped, and its folder removed, when it is dropped.
pub struct Container<'d, I> {
    pub(crate) folder: PathBuf,
    pub(crate) flags: String,
    pub(crate) port: u16,
    pub(crate) process: Mutex<Option<Child>>,
    pub(crate) kind: PhantomData<(&'d (), I)>,
}

impl<I> Container<'_, I> {
    /// Starts the server on its folder, and returns when it serves.
    pub fn start(&self) {
        let command = std::env::var("SERVER_CMD").expect("SERVER_CMD is set");
        let mut words = command.split_whitespace();
        let log = self.folder.join("log");
        let log = fs::File::options().create(true).append(true).open(log).expect("a log");
        let process = Command::new(words.next().expect("SERVER_CMD names a program"))
            .args(words)
            .arg(self.folder.join("zoo.cfg"))
            .env("JVMFLAGS", &self.flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log)
            .spawn()
            .expect("SERVER_CMD can be started");
        *self.process.lock().expect("no thread died with it") = Some(process);
        let end = Instant::now() + START_TIMEOUT;
        while !self.ask("srvr").contains("Mode:") {
            assert!(Instant::now() < end, "the server on port {} does not serve", self.port);
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills the server; its files stay.
    pub fn stop(&self) {
        if let Some(mut process) = self.process.lock().expect("no thread died with it").take() {
            process.kill().expect("the server can be killed");
            process.wait().expect("the server can be waited for");
        }
    }

    pub fn get_host_port(&self, _: u16) -> u16 {
        self.port
    }

    pub fn stdout(&self) -> LogStream {
        LogStream
    }

    /// The answer to a four-letter word; empty while no server listens.
    fn ask(&self, word: &str) -> String {
        let mut answer = String::new();
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return answer };
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).expect("a timeout above zero");
        if stream.write_all(word.as_bytes()).is_ok() {
            stream.read_to_string(&mut answer).ok();
        }
        answer
    }
}

impl<I> Drop for Container<'_, I> {
    fn drop(&mut self) {
        self.stop();
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A server's output. Only the tests of ensembles use it, and those are left out.
pub struct LogStream;

impl LogStream {
    pub fn wait_for_message(&self, message: &str) -> Result<(), String> {
        Err(format!("waiting for {message:?} in a log is not supported"))
    }
}
