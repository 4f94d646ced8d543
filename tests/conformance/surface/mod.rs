//! What a server reports about itself, compared line by line with what `ZooKeeper` 3.9.5 reported
//! in the same state: the golden files are its answers, with everything that varies between runs
//! replaced by `#`.
//!
//! `RINGKEEPER_RECORD=yes make reference` records them again from stock.

mod ensemble;
mod normal;

use self::normal::is_ours;
use harness::{Acl, Client, Op, Server, is_reference};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::{env, fs};

/// Compares with a golden file, or writes it.
fn golden(name: &str, found: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/surface/golden");
    let path = folder.join(format!("{name}.txt"));
    if env::var_os("RINGKEEPER_RECORD").is_some() {
        assert!(is_reference(), "golden files are recorded from stock: make reference");
        return fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    let differ: Vec<_> = diff(&expected, found);
    assert!(differ.is_empty(), "{name} is not as stock has it:\n{}", differ.join("\n"));
}

/// The lines that only one of two texts has, and the first place where their order differs.
fn diff(expected: &str, found: &str) -> Vec<String> {
    let (left, right): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let only = |these: &[&str], those: &[&str], sign| -> Vec<String> {
        let missing = these.iter().filter(|line| !those.contains(*line));
        missing.map(|line| format!("{sign} {line}")).collect()
    };
    let mut lines = only(&left, &right, "stock:");
    lines.extend(only(&right, &left, "here: "));
    if lines.is_empty() && left != right {
        let at = left.iter().zip(&right).position(|(a, b)| a != b);
        lines.push(format!("same lines, another order or count, from line {at:?} on"));
    }
    lines
}

/// A server in a reproducible state, and its connected clients.
struct Scene {
    server: Server,
    a: Client,
    b: Client,
    http: SocketAddr,
}

fn scene() -> Scene {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server::config()
        .set("admin.enableServer", "true")
        .set("admin.serverPort", &port.to_string())
        .set("tickTime", "2000")
        .start();
    // The start was awaited with an unknown number of words.
    assert_eq!(server.word("srst"), "Server stats reset.\n");
    let mut a = Client::connect(server.address());
    let mut b = Client::connect(server.address());
    populate(&mut a, &mut b);
    let mut gone = Client::connect(server.address());
    gone.create("/other/gone", b"", &Acl::open(), 1).unwrap();
    gone.close();
    Scene { server, a, b, http: SocketAddr::from(([127, 0, 0, 1], port)) }
}

fn populate(a: &mut Client, b: &mut Client) {
    let open = Acl::open();
    for (path, data) in [
        ("/ns", &b"0123456789"[..]),
        ("/ns/c1", &[b'x'; 100]),
        ("/other", b"z"),
        ("/zookeeper/quota/ns", b""),
        ("/zookeeper/quota/ns/zookeeper_limits", b"count=100,bytes=5000"),
        ("/zookeeper/quota/ns/zookeeper_stats", b"count=0,bytes=00"),
    ] {
        a.create(path, data, &open, 0).unwrap();
    }
    a.create("/ns/e1", b"", &open, 1).unwrap();
    a.create("/ns/e2", b"ab", &open, 1).unwrap();
    b.create("/other/eb", b"", &open, 1).unwrap();
    a.set("/nowhere", b"", -1).unwrap_err();
    a.create("/ns", b"", &open, 0).unwrap_err();
    a.multi(&[Op::create("/ns/m1", b"1", 0), Op::create("/ns/m2", b"22", 0)]).unwrap();
    a.multi(&[Op::create("/ns/m3", b"1", 0), Op::create("/ns/m1", b"22", 0)]).unwrap();
    for _ in 0..3 {
        a.create("/ns/s-", b"", &open, 2).unwrap();
    }
    // Standard watches of every kind, some of which fire; persistent ones, which stay.
    a.get("/ns", true).unwrap();
    a.exists("/later", true).unwrap_err();
    a.children("/ns", true).unwrap();
    b.get("/ns", true).unwrap();
    b.children2("/other", true).unwrap();
    b.add_watch("/other", 0).unwrap();
    b.add_watch("/ns", 1).unwrap();
    a.create("/later", b"", &open, 0).unwrap();
    a.set("/ns", b"changed", -1).unwrap();
    a.delete("/ns/c1", -1).unwrap();
    a.exists("/never", true).unwrap_err();
    a.sync("/").unwrap();
    a.acl("/ns").unwrap();
    for _ in 0..7 {
        a.get("/ns", false).unwrap();
        b.children("/other", false).unwrap();
    }
    for number in 0..150 {
        a.set("/other", number.to_string().as_bytes(), -1).unwrap();
    }
    b.ping();
}

impl Scene {
    fn of(&self, text: &str) -> String {
        let names = [(self.a.session_id(), "A"), (self.b.session_id(), "B")];
        normal::names(text, &names, self.server.folder(), self.server.address().port(), self.http)
    }

    fn word(&self, word: &str) -> String {
        self.of(&self.server.word(word))
    }
}

/// The words in a fixed order: each is a packet that the later ones count.
#[test]
fn words_in_one_state() {
    let mut scene = scene();
    golden("srvr", &normal::numbers(&scene.word("srvr")));
    golden("stat", &normal::clients(&normal::numbers(&scene.word("stat"))));
    golden("cons", &normal::clients(&scene.word("cons")));
    golden("mntr", &normal::metrics(&scene.word("mntr")));
    golden("dump", &normal::dump(&scene.word("dump")));
    golden("wchs", &scene.word("wchs"));
    golden("wchc", &normal::blocks(&scene.word("wchc")));
    golden("wchp", &normal::blocks(&scene.word("wchp")));
    golden("conf", &normal::sizes(&scene.word("conf")));
    golden("dirs", &normal::sizes(&scene.word("dirs")));
    golden("envi", &normal::keys(&scene.word("envi")));
    golden("hash", &normal::digests(&scene.word("hash")));
    let plain = ["ruok", "isro", "gtmk", "xxxx", "orst", "lsnp", "nfnw"];
    let answers: Vec<_> = plain.map(|word| format!("{word}: {:?}\n", scene.word(word))).into();
    golden("plain", &answers.concat());
    golden("crst", &(scene.word("crst") + &normal::clients(&scene.word("cons"))));
    scene.a.get("/ns", false).unwrap();
    let reset = scene.word("srst");
    golden("srst", &(reset + &normal::numbers(&scene.word("srvr"))));
    golden("mntr-after-srst", &normal::metrics(&scene.word("mntr")));
}

#[test]
fn words_that_are_refused() {
    let server = Server::config().set("4lw.commands.whitelist", "srvr, ruok, gtmk").start();
    let words = ["ruok", "stat", "mntr", "wchc", "isro", "gtmk", "orst", "xxxx"];
    let answers: Vec<_> = words.map(|word| format!("{word}: {:?}\n", server.word(word))).into();
    golden("refused", &answers.concat());
}

/// Status, type and text of an HTTP answer.
fn ask(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    let kind = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-type").then_some(value)
    });
    (format!("{status} {}", kind.unwrap_or("no type")), body.to_owned())
}

#[test]
fn commands_of_the_admin_server() {
    let scene = scene();
    let mut answers = String::new();
    for command in [
        "configuration",
        "connections",
        "dirs",
        "dump",
        "environment",
        "get_trace_mask",
        "hash",
        "initial_configuration",
        "is_read_only",
        "last_snapshot",
        "leader",
        "monitor",
        "observer_connection_stat_reset",
        "observers",
        "ruok",
        "server_stats",
        "set_trace_mask",
        "set_trace_mask?traceMask=306",
        "set_trace_mask?traceMask=x",
        "stats",
        "voting_view",
        "watch_summary",
        "watches",
        "watches_by_path",
        "zabstate",
        "connection_stat_reset",
        "stat_reset",
        "cons",
        "srvr",
        "nonsense",
    ] {
        let (status, body) = ask(scene.http, &format!("/commands/{command}"));
        write!(answers, "== {command}: {status}\n{}", normal::shape(&body)).unwrap();
    }
    golden("commands", &answers);
    let (status, index) = ask(scene.http, "/commands");
    assert!(status.starts_with("200 "), "{status}");
    golden("index", &normal::index(&index));
    assert!(ask(scene.http, "/elsewhere").0.starts_with("404 "));
}

/// The page of metrics under the names of stock's Prometheus provider. That provider is not among
/// stock's jars, so this golden file is not recorded by `make reference`.
#[test]
fn metrics_for_prometheus() {
    if is_reference() {
        return;
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let provider = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider";
    let server = Server::config()
        .set("metricsProvider.className", provider)
        .set("metricsProvider.httpPort", &port.to_string())
        .start();
    let mut client = Client::connect(server.address());
    client.create("/ns", b"12345", &Acl::open(), 0).unwrap();
    client.get("/ns", false).unwrap();
    let (status, page) = ask(SocketAddr::from(([127, 0, 0, 1], port)), "/metrics");
    assert_eq!(status, "200 text/plain; version=0.0.4; charset=utf-8");
    let mut types: Vec<_> = page
        .lines()
        .filter(|line| line.strip_prefix("# TYPE ").is_some_and(|name| !is_ours(name)))
        .collect();
    types.sort_unstable();
    golden("prometheus", &(types.join("\n") + "\n"));
    for line in [
        "znode_count 6.0\n",
        "readlatency_count 1.0\n",
        "updatelatency{quantile=\"0.99\",} ",
        "snapshottime{quantile=\"0.5\",} NaN\n",
        "write_per_namespace_sum{key=\"ns\",} 8.0\n",
        "# HELP znode_count znode_count\n# TYPE znode_count gauge\n",
    ] {
        assert!(page.contains(line), "no {line:?} in\n{page}");
    }
    let mntr = server.word("mntr");
    assert!(mntr.contains("\nzk_updatelatency{quantile=\"0.9\"}\t"), "{mntr}");
    assert!(mntr.contains("\nzk_znode_count\t6.0\n"), "{mntr}");
}
