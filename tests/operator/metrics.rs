//! What monitoring reads: the Prometheus page, `mntr` and the command `monitor`, in any state of
//! the server.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use harness::http::{Answer, ask, get};
use harness::server::next_free_port;
use harness::{Acl, Client, Config, Server, code};

use super::exposition::{Sample, parse};
use super::full_disk::{Disk, fill};

const PROMETHEUS: &str = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider";

/// A server, and where it serves its commands and its metrics.
struct Monitored {
    server: Server,
    admin: SocketAddr,
    metrics: SocketAddr,
}

impl Monitored {
    fn start(config: Config) -> Self {
        let [admin, metrics] = [next_free_port(), next_free_port()];
        let server = config
            .set("admin.enableServer", "true")
            .set("admin.serverAddress", "127.0.0.1")
            .set("admin.serverPort", &admin.to_string())
            .set("metricsProvider.httpHost", "127.0.0.1")
            .set("metricsProvider.httpPort", &metrics.to_string())
            .start();
        let [admin, metrics] =
            [admin, metrics].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        Self { server, admin, metrics }
    }

    fn with_prometheus() -> Self {
        Self::start(Server::config().set("metricsProvider.className", PROMETHEUS))
    }

    fn page(&self, query: &str) -> Answer {
        get(self.metrics, &format!("/metrics{query}")).expect("a page of metrics")
    }

    fn samples(&self) -> Vec<Sample> {
        let page = self.page("");
        assert_eq!(page.status, 200);
        assert_eq!(page.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        parse(&page.body).unwrap_or_else(|why| panic!("Prometheus refuses the page: {why}"))
    }

    /// `mntr`, name by name.
    fn mntr(&self) -> Vec<(String, String)> {
        let text = self.server.word("mntr");
        let pair = |line: &str| {
            let (name, value) = line.split_once('\t').expect("a tab");
            (name.strip_prefix("zk_").expect("zk_").to_owned(), value.to_owned())
        };
        text.lines().map(pair).collect()
    }

    /// The command `monitor`, name by name.
    fn monitor(&self) -> serde_json::Map<String, serde_json::Value> {
        let answer = get(self.admin, "/commands/monitor").expect("a command is answered");
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// As exporters parse it: every line except those with text is a number of that name.
    fn assert_numbers(&self) {
        let mut page = String::new();
        for (name, value) in self.mntr() {
            if !matches!(&*name, "version" | "server_state") {
                page.extend([&*name, " ", &*value, "\n"]);
            }
        }
        parse(&page).unwrap_or_else(|why| panic!("mntr has what is no number: {why}"));
        for (name, value) in self.monitor() {
            if !matches!(&*name, "version" | "server_state" | "command" | "error") {
                // JSON has no such number.
                assert!(value.is_number() || value == "NaN", "{name} is {value}");
            }
        }
    }
}

fn value(samples: &[Sample], name: &str, key: Option<&str>) -> f64 {
    let is_it = |sample: &&Sample| {
        let found = sample.labels.iter().find(|(label, _)| label == "key");
        sample.name == name && found.map(|(_, value)| value.as_str()) == key
    };
    let found = samples.iter().find(is_it);
    found.unwrap_or_else(|| panic!("no {name} of {key:?}")).value
}

/// Names that mean something in the format, in JSON or in a shell.
const NAMES: [&str; 7] = ["plain", "we\"ird", "back\\slash", "\\n", "{a=\"b\"}", "x y,z", "\u{fc}"];

#[test]
fn prometheus_accepts_the_page_with_any_names_of_nodes() {
    let monitored = Monitored::with_prometheus();
    let fresh = monitored.samples();
    assert!(value(&fresh, "uptime", None) >= 0.0);
    let mut client = Client::connect(monitored.server.address());
    client.make("/zookeeper/quota/x");
    for name in NAMES {
        let path = format!("/{name}");
        client.create(&path, b"12345", &Acl::open(), 0).unwrap();
        client.get(&path, false).unwrap();
        client.make(&format!("/zookeeper/quota{path}"));
        let limits = format!("/zookeeper/quota{path}/zookeeper_limits");
        client.create(&limits, b"count=3,bytes=1000", &Acl::open(), 0).unwrap();
        let used = format!("/zookeeper/quota{path}/zookeeper_stats");
        client.create(&used, b"count=1,bytes=5", &Acl::open(), 0).unwrap();
    }
    let samples = monitored.samples();
    for name in NAMES {
        assert!(value(&samples, "read_per_namespace_sum", Some(name)) >= 5.0, "{name}");
        assert!(value(&samples, "write_per_namespace_count", Some(name)) >= 1.0, "{name}");
        assert!((value(&samples, "quota_count_limit_per_namespace", Some(name)) - 3.0).abs() < 0.5);
    }
    monitored.monitor();
}

#[test]
fn monitor_reports_what_mntr_reports() {
    for provider in ["impl.DefaultMetricsProvider", "impl.NullMetricsProvider", "prometheus."] {
        let class = match provider {
            "prometheus." => PROMETHEUS.to_owned(),
            other => format!("org.apache.zookeeper.metrics.{other}"),
        };
        let config = Server::config().set("metricsProvider.className", &class);
        let monitored = Monitored::start(config);
        let mut client = Client::connect(monitored.server.address());
        client.create("/ns", b"12345", &Acl::open(), 0).unwrap();
        client.get("/ns", false).unwrap();
        let mntr: Vec<_> = monitored.mntr().into_iter().map(|(name, _)| name).collect();
        let monitor = monitored.monitor();
        let reported: Vec<_> =
            monitor.keys().filter(|name| !matches!(name.as_str(), "command" | "error")).collect();
        assert!(reported.iter().copied().eq(&mntr), "{class}: {reported:?} and {mntr:?}");
        monitored.assert_numbers_by(&class);
    }
}

impl Monitored {
    /// As ZooKeeper's provider of that class reports them.
    fn assert_numbers_by(&self, class: &str) {
        let monitor = self.monitor();
        match class.rsplit('.').next().unwrap() {
            "NullMetricsProvider" => assert_eq!(self.mntr().len(), 2),
            "PrometheusMetricsProvider" => {
                let mntr: BTreeMap<_, _> = self.mntr().into_iter().collect();
                assert_eq!(mntr["znode_count"], "6.0");
                assert_eq!(mntr["read_per_namespace_count{key=\"ns\"}"], "1.0");
                assert!(mntr["process_virtual_memory_bytes"].contains('E'), "as Java prints it");
                assert!(monitor["znode_count"].is_f64());
                assert_eq!(monitor["snapshottime{quantile=\"0.5\"}"], "NaN");
                assert!(monitor["updatelatency{quantile=\"0.99\"}"].is_f64());
                assert!(monitor.get("p99_updatelatency").is_none());
            }
            _ => {
                self.assert_numbers();
                assert!(monitor["znode_count"].is_u64());
                assert!(monitor["p99_updatelatency"].is_u64());
            }
        }
    }
}

#[test]
fn names_choose_what_the_page_shows() {
    let monitored = Monitored::with_prometheus();
    let names = |query: &str| -> Vec<String> {
        let samples = parse(&monitored.page(query).body).unwrap();
        samples.into_iter().map(|sample| sample.name).collect()
    };
    assert_eq!(names("?name[]=znode_count"), ["znode_count"]);
    assert_eq!(names("?a&name%5B%5D=znode%5fcount&&name[]"), ["znode_count"]);
    assert_eq!(names("?name[]=fsynctime_count"), ["fsynctime_count"]);
    assert_eq!(names("?name[]=uptime&name[]=fsynctime_sum").len(), 2);
    assert_eq!(names("?name[]=process_open_fds"), ["process_open_fds"]);
    for nothing in ["?name[]=", "?name[]=nothing", "?name[]=learner_handler_qp_size"] {
        assert_eq!(monitored.page(nothing).body, "", "{nothing}");
    }
    assert!(names("?name=znode_count").len() > 100);
    let page = monitored.page("?name[]=fsynctime_count").body;
    let head = "# HELP fsynctime fsynctime\n# TYPE fsynctime summary\nfsynctime_count ";
    assert!(page.starts_with(head), "{page}");
}

#[test]
fn methods_of_the_page() {
    let monitored = Monitored::with_prometheus();
    let send = |method: &str, target: &str, rest: &str| {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: x\r\n{rest}");
        ask(monitored.metrics, &request).expect("an answer")
    };
    let form = |kind: &str, body: &str| {
        let length = body.len();
        format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let encoded = "application/x-www-form-urlencoded";
    let reported = send("POST", "/metrics", &form(encoded, "name[]=znode_count"));
    assert_eq!(parse(&reported.body).unwrap().len(), 1);
    let both = send("POST", "/metrics?name[]=uptime", &form(encoded, "name[]=znode_count"));
    assert_eq!(parse(&both.body).unwrap().len(), 2);
    let all = send("POST", "/metrics", &form("text/plain", "name[]=znode_count"));
    assert!(parse(&all.body).unwrap().len() > 100);
    let head = send("HEAD", "/metrics", "\r\n");
    assert_eq!((head.status, &*head.body), (200, ""));
    let length = head.header("content-length").map(|length| length.parse::<usize>().unwrap());
    assert!(length > Some(10_000), "{length:?}");
    let options = send("OPTIONS", "/metrics", "\r\n");
    let allowed = Some("GET, HEAD, POST, TRACE, OPTIONS");
    assert_eq!((options.status, options.header("allow")), (200, allowed));
    for (method, status) in [("PUT", 405), ("DELETE", 405), ("TRACE", 403), ("PATCH", 501)] {
        let answer = send(method, "/metrics", "\r\n");
        assert_eq!((answer.status, &*answer.body), (status, ""), "{method}");
    }
    let long = "x".repeat(300_000);
    assert_eq!(send("POST", "/metrics", &form(encoded, &long)).status, 400);
}

/// Starts on a small disk and fills it until writes are refused.
fn on_a_full_disk(config: Config, check: impl FnOnce(&Monitored)) {
    let Some(disk) = Disk::mount() else { return };
    let data = disk.path().join("data").display().to_string();
    let config = config.set("dataDir", &data).set("ring.log.segmentMb", "16");
    let monitored = Monitored::start(config);
    let [mut writer, mut reader] = [(); 2].map(|()| Client::connect(monitored.server.address()));
    let filler = disk.path().join("filler");
    fill(&filler);
    let is_over = Arc::new(AtomicBool::new(false));
    let signal = is_over.clone();
    let writer = thread::spawn(move || {
        let content = vec![0; 500_000];
        for number in 0..400 {
            let made = writer.create(&format!("/n{number}"), &content, &Acl::open(), 0).map(drop);
            assert!(made.is_ok() || made == Err(code::SYSTEM_ERROR), "{made:?}");
            if signal.load(Ordering::Relaxed) {
                break;
            }
        }
    });
    let server = &monitored.server;
    reader.wait_until("the disk is full", |_| server.word("srvr").contains("Writes refused: "));
    is_over.store(true, Ordering::Relaxed);
    check(&monitored);
    // A write that was admitted earlier is answered when there is room.
    fs::remove_file(&filler).unwrap();
    writer.join().unwrap();
    drop(monitored);
}

#[test]
fn a_full_disk_is_reported_in_numbers() {
    on_a_full_disk(Server::config(), |monitored| {
        let mntr: BTreeMap<_, _> = monitored.mntr().into_iter().collect();
        assert_eq!(mntr["writes_refused"], "1");
        assert_eq!(monitored.monitor()["writes_refused"], 1);
        monitored.assert_numbers();
    });
}

#[test]
fn a_full_disk_is_reported_to_prometheus() {
    let config = Server::config().set("metricsProvider.className", PROMETHEUS);
    on_a_full_disk(config, |monitored| {
        let refused = value(&monitored.samples(), "writes_refused", None);
        assert!((refused - 1.0).abs() < 0.5, "{refused}");
        assert_eq!(monitored.monitor()["writes_refused"], 1.0);
    });
}

/// Connections by shard, as the server reports them.
fn by_shard(mntr: &BTreeMap<String, String>) -> Vec<u32> {
    let of = |shard| mntr.get(&format!("shard_{shard}_connections"));
    (0..).map_while(of).map(|count| count.parse().unwrap()).collect()
}

#[test]
fn shards_are_reported_and_have_as_many_connections_each() {
    let monitored = Monitored::start(Server::config().set("ring.shards", "4"));
    let address = monitored.server.address();
    let mut clients: Vec<_> = (0..100).map(|_| Client::connect(address)).collect();
    for client in &mut clients {
        client.get("/", false).unwrap();
    }
    let mntr: BTreeMap<_, _> = monitored.mntr().into_iter().collect();
    // One connection more may be that of the word.
    let counts = by_shard(&mntr);
    assert!(counts.len() == 4 && counts.iter().all(|count| (25..=26).contains(count)), "{mntr:?}");
    for shard in 0..4 {
        let received: u32 = mntr[&format!("shard_{shard}_packets_received")].parse().unwrap();
        assert!(received >= 50, "a connect and a read each: {received}");
        let busy: u32 = mntr[&format!("shard_{shard}_busy_permille")].parse().unwrap();
        assert!(busy <= 1_000, "{busy}");
    }
    // Those that come take the places of those that leave.
    clients.drain(..50);
    clients.extend((0..50).map(|_| Client::connect(address)));
    let mut counts = Vec::new();
    clients[0].wait_until("those that left are counted no more", |_| {
        counts = by_shard(&monitored.mntr().into_iter().collect());
        counts.iter().sum::<u32>() <= 101
    });
    assert!(counts.iter().all(|count| (24..=27).contains(count)), "{counts:?}");
    assert_eq!(monitored.monitor()["shard_0_outstanding_requests"], 0);
}

#[test]
fn prometheus_has_shards_as_labels() {
    let monitored = Monitored::with_prometheus();
    let samples = monitored.samples();
    for name in ["connections", "packets_received", "outstanding_requests", "busy_permille"] {
        let name = format!("shard_{name}");
        let of_first = samples
            .iter()
            .find(|it| it.name == name && it.labels == [("shard".to_owned(), "0".to_owned())]);
        assert!(of_first.is_some_and(|it| it.value >= 0.0), "{name}");
    }
}
