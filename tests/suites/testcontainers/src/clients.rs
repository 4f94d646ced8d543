//! The command line of Docker, implemented with folders and processes.

use std::fs;
use std::marker::PhantomData;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::core::{Container, RunnableImage};
use crate::images::generic::GenericImage;

/// The image's zoo.cfg if a test provides none.
const CONFIGURATION: &str =
    "tickTime=2000\ninitLimit=5\nsyncLimit=2\nmaxClientCnxns=60\ndataDir=/data\nclientPort=2181\n";

static FOLDERS: AtomicUsize = AtomicUsize::new(0);

/// Runs images.
#[derive(Default)]
pub struct Cli;

impl Cli {
    /// Starts a standalone server, on a port that the kernel chooses.
    pub fn run(
        &self,
        image: impl Into<RunnableImage<GenericImage>>,
    ) -> Container<'_, GenericImage> {
        let image = image.into();
        let folder = new_folder();
        let port = free_port();
        let data = match image.volumes.get("/data") {
            Some(outside) => PathBuf::from(outside),
            None => folder.join("data"),
        };
        fs::create_dir_all(&data).expect("a folder for data");
        let mut configuration = match image.volumes.get("/conf/zoo.cfg") {
            Some(file) => fs::read_to_string(file).expect("the test's zoo.cfg"),
            None => CONFIGURATION.to_owned(),
        };
        let mut flags = image.environment.get("SERVER_JVMFLAGS").cloned().unwrap_or_default();
        configuration = configuration
            .replace("dataDir=/data", &format!("dataDir={}", data.display()))
            .replace("clientPort=2181", &format!("clientPort={port}"));
        for (inside, outside) in &image.volumes {
            if Path::new(inside) != Path::new("/data") && inside != "/conf/zoo.cfg" {
                configuration = configuration.replace(inside, outside);
                flags = flags.replace(inside, outside);
            }
        }
        configuration.push_str("admin.enableServer=false\n4lw.commands.whitelist=*\n");
        fs::write(folder.join("zoo.cfg"), configuration).expect("a zoo.cfg");
        let process = Mutex::new(None);
        let container = Container { folder, flags, port, process, kind: PhantomData };
        container.start();
        container
    }
}

fn new_folder() -> PathBuf {
    let top = std::env::var("SUITE_FOLDER").expect("SUITE_FOLDER is set");
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(&top).join(format!("{}-{number}", process::id()));
    fs::create_dir_all(&folder).expect("a folder for a server");
    folder
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").port()
}
