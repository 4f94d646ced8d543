//! Which addresses a configuration leads to, and which configurations lead to none: the rows of
//! `table.txt`, as observed on Apache `ZooKeeper` 3.9.5.
//!
//! Each row is a `zoo.cfg` with its files, started on its own. Whether the server starts, and which
//! loopback addresses answer, must be as the row says. The rows record what the reference did; with
//! `RINGKEEPER_TEST_SERVER_CMD` these tests check it against them again.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::is_reference;
use harness::server::{next_free_port, server_command};

/// A loaded machine starts a server slowly.
const START_MAX: Duration = Duration::from_secs(120);
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Stock never closes a connection that sends a word while it loads.
const ANSWER_OF_A_START_MAX: Duration = Duration::from_secs(1);
/// Servers started concurrently.
const WORKERS: usize = 4;
/// Every address that is tried.
const ADDRESSES: [&str; 3] = ["127.0.0.1", "127.0.0.2", "::1"];

/// What a configuration leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// The server exits with an error.
    Refused,
    /// Stock runs without serving any client; ours exits with an error that says why.
    Idle,
    /// The addresses that answer, by port.
    Serves(BTreeMap<String, Vec<String>>),
}

/// A row of the table.
#[derive(Debug, Clone)]
struct Row {
    outcome: Outcome,
    lines: String,
    /// Names of files in the server's folder, with their text.
    files: Vec<(String, String)>,
    flags: String,
    world: World,
}

/// The machine that the server sees.
#[derive(Debug, Clone, PartialEq, Eq)]
enum World {
    Ours,
    /// With this `/etc/hosts`.
    Hosts(String),
    /// Without IPv6.
    WithoutIpv6,
}

impl Row {
    /// Reads `outcome TAB lines [TAB name=text]...`.
    fn read(line: &str) -> Row {
        let mut fields = line.split('\t').map(unescape);
        let outcome = match fields.next().unwrap().as_str() {
            "refused" => Outcome::Refused,
            "idle" => Outcome::Idle,
            ports => Outcome::Serves(
                ports
                    .split("; ")
                    .map(|port| {
                        let (name, addresses) = port.split_once(' ').unwrap_or((port, ""));
                        (name.to_owned(), addresses.split_whitespace().map(String::from).collect())
                    })
                    .collect(),
            ),
        };
        let lines = fields.next().unwrap();
        let mut row =
            Row { outcome, lines, files: Vec::new(), flags: String::new(), world: World::Ours };
        for field in fields {
            let (name, text) = field.split_once('=').unwrap();
            match name {
                "flags" => text.clone_into(&mut row.flags),
                "hosts" => row.world = World::Hosts(text.to_owned()),
                "without" if text == "ipv6" => row.world = World::WithoutIpv6,
                "myid" => row.files.push(("data/myid".to_owned(), text.to_owned())),
                name => row.files.push((name.to_owned(), text.to_owned())),
            }
        }
        row
    }

    fn is_for_metrics(&self) -> bool {
        self.lines.contains("metricsProvider")
    }
}

fn unescape(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t").replace("\\0", "\0")
}

/// A server on the files of a row.
struct Running {
    child: Child,
    folder: PathBuf,
    ports: BTreeMap<&'static str, u16>,
    world: World,
}

impl Running {
    fn start(row: &Row, number: usize) -> Running {
        let name = format!("ringkeeper-addresses-{}-{number}", process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(folder.join("data")).unwrap();
        let names = ["client", "other", "admin", "metrics", "a", "b"];
        let ports: BTreeMap<_, _> = names.map(|name| (name, next_free_port())).into();
        let filled = |text: &str| {
            let text = text.replace("{folder}", &folder.display().to_string());
            ports.iter().fold(text, |text, (name, port)| {
                text.replace(&format!("{{{name}}}"), &port.to_string())
            })
        };
        let mut text = format!("dataDir={}\n{}\n", folder.join("data").display(), row.lines);
        if !row.lines.contains("admin.") {
            text.push_str("admin.serverPort={admin}\n");
        }
        fs::write(folder.join("zoo.cfg"), filled(&text)).unwrap();
        for (name, text) in &row.files {
            fs::write(folder.join(name), filled(text)).unwrap();
        }
        let mut words = row.world.prefix();
        words.extend(server_command());
        if let World::Hosts(hosts) = &row.world {
            fs::write(folder.join("hosts"), hosts).unwrap();
        }
        let log = fs::File::create(folder.join("log")).unwrap();
        let child = Command::new(&words[0])
            .args(&words[1..])
            .arg(folder.join("zoo.cfg"))
            .env("JVMFLAGS", &row.flags)
            .env("HOSTS", folder.join("hosts"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Running { child, folder, ports, world: row.world.clone() }
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap()).into_owned()
    }

    fn zoo_cfg(&self) -> String {
        fs::read_to_string(self.folder.join("zoo.cfg")).unwrap()
    }

    /// Waits until the server exits or an address of this port answers.
    fn wait(&mut self, port: &str, addresses: &[&str]) -> Option<ExitStatus> {
        let end = Instant::now() + START_MAX;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            let answers = |address: &&str| self.answers(port, address, ANSWER_OF_A_START_MAX);
            if addresses.iter().any(answers) {
                return None;
            }
            assert!(
                Instant::now() < end,
                "{} neither ends nor answers:\n{}",
                self.zoo_cfg(),
                self.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn answering(&self, port: &str) -> Vec<String> {
        let answers = |address: &&&str| self.answers(port, address, ANSWER_MAX);
        let answers = ADDRESSES.iter().filter(answers);
        answers.map(|&address| address.to_owned()).collect()
    }

    /// Whether a client, or a browser, finds the server at an address.
    fn answers(&self, port: &str, address: &str, answer_max: Duration) -> bool {
        let (question, answer) = match port {
            "client" | "other" => ("srvr", "\nMode: standalone"),
            "admin" => ("GET /commands/ruok HTTP/1.0\r\n\r\n", "HTTP/1."),
            _ => ("GET /metrics HTTP/1.0\r\n\r\n", " 200 "),
        };
        let port = self.ports[port];
        let said = if self.world == World::WithoutIpv6 {
            Some(self.ask_inside(address, port, question, answer_max))
        } else {
            let address = SocketAddr::new(address.parse::<IpAddr>().unwrap(), port);
            ask(address, question, answer_max)
        };
        said.is_some_and(|said| said.contains(answer))
    }

    /// Connects from inside the server's own network.
    fn ask_inside(&self, address: &str, port: u16, question: &str, answer_max: Duration) -> String {
        let seconds = answer_max.as_secs().to_string();
        let script = "exec 3<>/dev/tcp/$0/$1 && printf '%s' \"$2\" >&3 && cat <&3";
        let net = format!("--net=/proc/{}/ns/net", self.child.id());
        let said = Command::new("nsenter")
            .args([&net, "timeout", &seconds, "bash", "-c", script])
            .args([address, &port.to_string(), question])
            .stderr(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&said.stdout).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

impl World {
    /// The words that run a command in this world.
    fn prefix(&self) -> Vec<std::ffi::OsString> {
        let (unshare, script) = match self {
            World::Ours => return Vec::new(),
            World::Hosts(_) => ("-m", "mount --bind \"$HOSTS\" /etc/hosts"),
            World::WithoutIpv6 => (
                "-n",
                "ip link set lo up && sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
                 net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.lo.disable_ipv6=1",
            ),
        };
        let script = format!("{script} && exec \"$@\"");
        ["unshare", unshare, "sh", "-c", &script, "sh"].map(Into::into).into()
    }

    /// Whether this user may create such a world.
    fn is_possible(&self) -> bool {
        let words = self.prefix();
        let Some(program) = words.first() else { return true };
        let hosts = std::env::temp_dir().join(format!("ringkeeper-hosts-{}", process::id()));
        fs::write(&hosts, "127.0.0.1 localhost\n").unwrap();
        let done =
            Command::new(program).args(&words[1..]).arg("true").env("HOSTS", &hosts).output();
        fs::remove_file(&hosts).ok();
        done.is_ok_and(|done| done.status.success())
    }
}

fn ask(address: SocketAddr, question: &str, answer_max: Duration) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(answer_max)).ok()?;
    stream.write_all(question.as_bytes()).ok()?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Starts a row's server; returns what differs from the row.
fn check(row: &Row, number: usize) -> Result<(), String> {
    let mut server = Running::start(row, number);
    let is_refused = match &row.outcome {
        Outcome::Refused => true,
        Outcome::Idle => !is_reference(),
        Outcome::Serves(_) => false,
    };
    if is_refused {
        return match server.wait("client", &ADDRESSES) {
            Some(status) if status.success() => Err("ends without an error".to_owned()),
            Some(_) if server.log().contains("panicked") => Err(server.log()),
            Some(_) => Ok(()),
            None => Err(format!("serves {:?}", server.answering("client"))),
        };
    }
    let idle = BTreeMap::from([("client".to_owned(), Vec::new())]);
    let expected = match &row.outcome {
        Outcome::Serves(ports) => ports,
        _ => &idle,
    };
    let waited = match &row.outcome {
        Outcome::Idle => "admin",
        _ if expected.contains_key("other") => "other",
        _ => "client",
    };
    if let Some(status) = server.wait(waited, &ADDRESSES) {
        return Err(format!("ends with {status}:\n{}", server.log()));
    }
    for (port, addresses) in expected {
        // HTTP may come up a moment after the port for clients.
        if let Some(first) = addresses.first() {
            server.wait(port, &[first]);
        }
        let found = server.answering(port);
        if &found != addresses {
            return Err(format!("{port} answers at {found:?}"));
        }
    }
    Ok(())
}

fn check_rows(is_ours: impl Fn(&Row) -> bool) {
    let table = include_str!("table.txt");
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rows: Vec<(&str, Row)> = lines.map(|line| (line, Row::read(line))).collect();
    let rows: Vec<(&str, Row)> = rows.into_iter().filter(|(_, row)| is_ours(row)).collect();
    assert!(!rows.is_empty());
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((line, row)) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    static NUMBER: AtomicUsize = AtomicUsize::new(0);
                    if let Err(what) = check(row, NUMBER.fetch_add(1, Ordering::Relaxed)) {
                        failures.lock().unwrap().push(format!("{line}\n    {what}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let (wrong, all) = (failures.len(), rows.len());
    assert!(failures.is_empty(), "{wrong} of {all} rows:\n{}", failures.join("\n"));
}

#[test]
fn addresses_and_identities_lead_where_they_should() {
    check_rows(|row| row.world == World::Ours && !row.is_for_metrics());
}

/// The reference's jars here lack its page of metrics; the rows are what its web server does.
#[test]
fn addresses_for_metrics_lead_where_they_should() {
    if is_reference() {
        return;
    }
    check_rows(|row| row.world == World::Ours && row.is_for_metrics());
}

#[test]
fn one_address_of_a_name_is_taken() {
    let world = World::Hosts(String::new());
    if !world.is_possible() {
        eprintln!("skipped: this user may not give a process another /etc/hosts");
        return;
    }
    check_rows(|row| {
        matches!(row.world, World::Hosts(_)) && !(is_reference() && row.is_for_metrics())
    });
}

#[test]
fn a_machine_without_ipv6_serves_on_ipv4() {
    if !World::WithoutIpv6.is_possible() {
        eprintln!("skipped: this user may not give a process a network without IPv6");
        return;
    }
    check_rows(|row| row.world == World::WithoutIpv6);
}
