//! Runs the commands in README.md and the pages for operators as they are shown.
//!
//! Every block of `sh` is run, line by line, in a folder of its own that has what the pages assume:
//! the binary, `zoo.cfg`, a data directory of `ZooKeeper`'s. Only ports and absolute paths are
//! replaced, by the folder's own. A server that a line starts must serve, and is stopped when the
//! next one needs its place. `make TARGET` is checked with `make -n`.
//!
//! Two comments control this, each before a block:
//!
//! - `<!-- not run: COMMAND: REASON -->`: lines of the next block that begin with COMMAND are
//!   skipped;
//! - `<!-- shown by: COMMAND -->`: the next block of `text` is what that line printed, except for
//!   words with digits in them.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use harness::Client;
use harness::server::{copy_directory, our_binary};

use super::Folder;

/// A loaded machine starts and stops a server slowly.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Lines with these prefixes need the running server.
const CLIENTS: [&str; 5] = [
    "bash -c",
    "curl ",
    "kill -TERM",
    "target/release/ringkeeper bench",
    "target/release/ringkeeper plan --server",
];
/// A zxid that the folder's data has, in place of the page's.
const ZXIDS: (&str, &str) = ("0x1a0002f", "0x2");

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn page(name: &str) -> String {
    fs::read_to_string(workspace().join(name)).unwrap()
}

/// A fenced block, with the comments before it.
#[derive(Debug, Default)]
struct Block {
    language: String,
    lines: Vec<String>,
    left_out: Vec<String>,
    shown_by: Option<String>,
}

/// The blocks of `sh`, and the blocks of `text` that a command has printed.
fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut next, mut is_open) = (Vec::new(), Block::default(), false);
    for line in page.lines() {
        let comment = |kind| line.strip_prefix(kind)?.strip_suffix(" -->");
        if let Some(language) = line.strip_prefix("```") {
            if is_open {
                blocks.push(std::mem::take(&mut next));
            }
            is_open = !is_open;
            if is_open {
                language.clone_into(&mut next.language);
            }
        } else if is_open {
            next.lines.push(line.to_owned());
        } else if let Some(text) = comment("<!-- not run: ") {
            let (command, reason) = text.split_once(": ").expect("COMMAND: REASON");
            assert!(reason.len() > 10, "no reason: {line}");
            next.left_out.push(command.to_owned());
        } else if let Some(command) = comment("<!-- shown by: ") {
            next.shown_by = Some(command.to_owned());
        }
    }
    assert!(!is_open, "a block has no end");
    blocks.retain(|block| block.language == "sh" || block.shown_by.is_some());
    blocks
}

/// Where the commands of a page are run.
struct Stage {
    folder: Folder,
    ports: [u16; 3],
    server: Option<Child>,
    /// What started the last server: a client that follows its end restarts it.
    server_line: Option<String>,
    /// Each line that was run, with what it printed.
    printed: Vec<(String, String)>,
    left_out: usize,
    targets: usize,
}

impl Stage {
    fn new() -> Self {
        let held = [0; 3].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = held.map(|it| it.local_addr().unwrap().port());
        let stage = Self {
            folder: Folder::new(),
            ports,
            server: None,
            server_line: None,
            printed: Vec::new(),
            left_out: 0,
            targets: 0,
        };
        for name in ["bin", "target/release", "etc/zookeeper", "var/lib", "run"] {
            fs::create_dir_all(stage.at(name)).unwrap();
        }
        for name in ["bin/ringkeeper", "target/release/ringkeeper"] {
            symlink(our_binary(), stage.at(name)).unwrap();
        }
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("convert/fixtures/plain");
        copy_directory(&fixture, &stage.at("var/lib/zookeeper"));
        for (file, data) in [("zoo.cfg", "own"), ("etc/zookeeper/zoo.cfg", "var/lib/zookeeper")] {
            let [client, admin, metrics] = ports;
            let text = format!(
                "tickTime=2000\ndataDir={}\nclientPort={client}\npreAllocSize=16384\n\
                 clientPortAddress=127.0.0.1\n4lw.commands.whitelist=*\nmaxSessionTimeout=600000\n\
                 extendedTypesEnabled=true\nadmin.serverAddress=127.0.0.1\n\
                 admin.serverPort={admin}\nmetricsProvider.httpHost=127.0.0.1\n\
                 metricsProvider.className=\
                 org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\n\
                 metricsProvider.httpPort={metrics}\n",
                stage.at(data).display()
            );
            fs::write(stage.at(file), text).unwrap();
        }
        stage
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The line with the folder's ports, paths and files.
    fn own(&self, line: &str) -> String {
        let [client, admin, metrics] = self.ports;
        let own = |name: &str| self.at(name).display().to_string();
        let fixture =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("convert/fixtures/plain/version-2");
        let stock = |name| fixture.join(name).display().to_string();
        let line = line.split(" #").next().unwrap().trim_end();
        // Ports before paths: the folder has the number of this process in its name.
        let mut line = line
            .replace("2181", &client.to_string())
            .replace(":8080", &format!(":{admin}"))
            .replace(":7000", &format!(":{metrics}"));
        // A large directory in the text, a small one here; its files before it.
        for (theirs, ours) in [("snapshot.13da49", "snapshot.5c"), ("log.13da4a", "log.5d")] {
            line = line.replace(&format!("/var/lib/zookeeper/version-2/{theirs}"), &stock(ours));
        }
        for absolute in ["/var/lib/zookeeper", "/etc/zookeeper", "/run/ringkeeper.pid"] {
            line = line.replace(absolute, &own(&absolute[1..]));
        }
        line.replace(ZXIDS.0, ZXIDS.1).replace("DATADIR", &own("own"))
    }

    fn play(&mut self, block: &Block) {
        if let Some(command) = &block.shown_by {
            return self.compare(command, &block.lines);
        }
        let is_run = |line: &&String| !block.left_out.iter().any(|it| line.starts_with(it));
        let lines: Vec<_> = block.lines.iter().filter(|line| !line.is_empty()).collect();
        for words in &block.left_out {
            assert!(
                lines.iter().any(|line| line.starts_with(words)),
                "nothing begins with {words}"
            );
        }
        self.left_out += lines.iter().filter(|line| !is_run(line)).count();
        for line in lines.into_iter().filter(is_run) {
            let is_own = line.contains("bench --ensemble");
            if !is_own && CLIENTS.iter().any(|words| line.starts_with(words)) {
                if self.server.is_none() {
                    let again = self.server_line.clone().expect("a line before starts a server");
                    self.start(&again);
                }
            } else if !line.starts_with("make ") {
                self.stop(true);
            }
            self.line(line);
        }
    }

    fn line(&mut self, shown: &str) {
        let line = self.own(shown);
        let printed = if let Some(words) = line.strip_prefix("make ") {
            self.targets += 1;
            assert_target(words);
            if words == "run" {
                // What the target does once the binary exists.
                let script = workspace().join("scripts/run.sh");
                let binary = our_binary();
                self.start(&format!(
                    "exec {} {} {} data",
                    script.display(),
                    binary.display(),
                    self.ports[0]
                ));
            }
            String::new()
        } else if line.contains("ringkeeper serve ") {
            self.start(&format!("exec {line}"));
            String::new()
        } else if let Some(url) = line.strip_prefix("curl http://") {
            got(url)
        } else {
            self.run(&format!("{line}{}", self.shortened(&line)))
        };
        if line.starts_with("kill -TERM") {
            self.stop(false);
        }
        self.printed.push((shown.to_owned(), printed));
    }

    /// What makes a measurement short: it shows that it measures. A fault of the shipped workloads
    /// begins after 8 s.
    fn shortened(&self, line: &str) -> String {
        if line.contains("ringkeeper bench --ensemble") {
            " --warmup 0 --seconds 9".into()
        } else if line.contains("ringkeeper bench") {
            format!(" --nodes 100 --warmup 0 --seconds 1 --server 127.0.0.1:{}", self.ports[0])
        } else {
            String::new()
        }
    }

    fn command(&self, line: &str) -> Command {
        let path = format!("{}:{}", self.at("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(self.folder.path()).env("PATH", path);
        command.env_remove("JVMFLAGS").stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {}\n{text}{errors}", output.status);
        assert!(!text.is_empty() || !line.contains("/dev/tcp/"), "no answer: {line}");
        text
    }

    /// Starts a server, waits until it serves, and writes to it.
    fn start(&mut self, line: &str) {
        self.stop(true);
        let log = self.at("log");
        let errors = fs::File::create(&log).unwrap();
        let mut child = self.command(line).stdout(Stdio::null()).stderr(errors).spawn().unwrap();
        let end = Instant::now() + WAIT_MAX;
        while !asked(self.ports[0], "srvr").is_some_and(|text| text.contains("Mode: standalone")) {
            let ended = child.try_wait().unwrap();
            let is_late = Instant::now() > end;
            if is_late {
                child.kill().unwrap();
            }
            assert!(ended.is_none() && !is_late, "{line}:\n{}", fs::read_to_string(log).unwrap());
            thread::sleep(Duration::from_millis(20));
        }
        fs::write(self.at("run/ringkeeper.pid"), format!("{}\n", child.id())).unwrap();
        (self.server, self.server_line) = (Some(child), Some(line.to_owned()));
        let mut client = Client::connect(([127, 0, 0, 1], self.ports[0]).into());
        let path = format!("/page-{}", self.printed.len());
        client.make(&path);
        client.close();
    }

    /// Waits until the server, if there is one, has exited successfully.
    fn stop(&mut self, is_asking: bool) {
        let Some(mut child) = self.server.take() else { return };
        if is_asking {
            let asked = Command::new("kill").arg(child.id().to_string()).status().unwrap();
            assert!(asked.success(), "the server has already exited");
        }
        let end = Instant::now() + WAIT_MAX;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > end {
                child.kill().unwrap();
            }
            thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "{status}:\n{}", fs::read_to_string(self.at("log")).unwrap());
    }

    /// Compares what a page shows with what the last line of that command printed.
    fn compare(&self, command: &str, shown: &[String]) {
        let line = self.printed.iter().rfind(|(line, _)| line.starts_with(command));
        let (_, printed) = line.unwrap_or_else(|| panic!("{command} was not run"));
        let printed: Vec<_> = printed.lines().map(without_numbers).collect();
        let shown: Vec<_> = shown.iter().map(|line| without_numbers(line)).collect();
        assert_eq!(shown, printed, "what {command} shows");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(mut child) = self.server.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// The words of a line, with those that contain a digit or a path masked.
fn without_numbers(line: &str) -> String {
    let blot = |word| {
        if str::contains(word, |c: char| c.is_ascii_digit() || c == '/') { "#" } else { word }
    };
    line.split_whitespace().map(blot).collect::<Vec<_>>().join(" ")
}

/// A server's whole answer to this.
fn asked(port: u16, text: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(WAIT_MAX)).ok()?;
    stream.write_all(text.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// What `curl http://HOST:PORT/PATH` prints.
fn got(url: &str) -> String {
    let (host, path) = url.split_once('/').unwrap();
    let port = host.rsplit_once(':').unwrap().1.parse().unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let answer = asked(port, &request).unwrap_or_default();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{url}: {answer}");
    answer
}

/// Checks that the Makefile has these targets, each with a rule.
fn assert_target(words: &str) {
    let mut command = Command::new("make");
    command.args(["-n", "-C"]).arg(workspace()).args(words.split_whitespace());
    let output = command.env_remove("MAKEFLAGS").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && !text.contains("Nothing to be done"),
        "make {words}: {text}"
    );
}

/// Runs a page; returns how many lines were run, were skipped and are targets.
fn play(name: &str) -> (usize, usize, usize) {
    let mut stage = Stage::new();
    for block in &blocks(&page(name)) {
        stage.play(block);
    }
    stage.stop(true);
    (stage.printed.len() - stage.targets, stage.left_out, stage.targets)
}

#[test]
fn the_commands_of_the_readme_run() {
    assert_eq!(play("README.md"), (7, 3, 3));
}

#[test]
fn the_commands_of_operating_run() {
    assert_eq!(play("docs/operating.md"), (9, 0, 0));
}

#[test]
fn the_commands_of_migrating_run() {
    assert_eq!(play("docs/migrating.md"), (9, 2, 0));
}

#[test]
fn the_commands_of_tuning_run() {
    assert_eq!(play("docs/tuning.md"), (17, 6, 0));
}

#[test]
fn the_commands_of_the_pages_about_disks_run() {
    let folder = fs::read_dir(workspace().join("docs/disks")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<_> =
        names.filter_map(|name| name.strip_suffix(".md").map(String::from)).collect();
    assert_eq!(names.len(), 7);
    for name in names {
        assert_eq!(play(&format!("docs/disks/{name}.md")), (2, 1, 0), "{name}");
    }
}

#[test]
fn the_commands_of_balancing_run() {
    assert_eq!(play("docs/balancing.md"), (6, 0, 0));
}

#[test]
fn the_commands_of_capacity_run() {
    assert_eq!(play("docs/capacity.md"), (9, 8, 0));
}

#[test]
fn the_commands_of_benchmarking_run() {
    assert_eq!(play("docs/benchmarking.md"), (2, 0, 0));
}

#[test]
fn every_target_that_pages_name_is_there() {
    let mut names: Vec<String> = Vec::new();
    let pages = ["README.md", "docs/operating.md", "docs/migrating.md", "docs/benchmarking.md"];
    for name in pages.into_iter().chain(["docs/ARCHITECTURE.md", "docs/performance.md"]) {
        // In ARCHITECTURE.md a command may begin on the line before its target.
        let text = page(name).replace('\n', " ");
        names.extend(text.split("`make ").skip(1).map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap();
            rest[..end].to_owned()
        }));
    }
    names.sort_unstable();
    names.dedup();
    let campaigns =
        ["compare", "crash", "faults", "fuzz", "hostile", "reference", "stages", "suites", "twin"];
    for campaign in campaigns {
        assert!(names.iter().any(|name| name == campaign), "no page names make {campaign}");
    }
    for name in &names {
        assert_target(name);
    }
}

#[test]
fn the_readme_names_every_subcommand() {
    let output = Command::new(our_binary()).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let readme = page("README.md");
    for line in commands.lines() {
        let name = line.split_whitespace().next().unwrap();
        assert!(name == "help" || readme.contains(&format!("ringkeeper {name}")), "{name}");
    }
}
