//! The four-letter words, as monitoring reads them.

use harness::{Acl, Client, Server};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{shared, sharp};

/// The value after a line's name.
fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find(|line| line.starts_with(name));
    line.unwrap_or_else(|| panic!("no line {name:?} in:\n{text}"))[name.len()..].trim()
}

#[test]
fn ruok_and_isro() {
    assert_eq!(shared().word("ruok"), "imok");
    assert_eq!(shared().word("isro"), "rw");
}

#[test]
fn srvr() {
    let text = shared().word("srvr");
    let names: Vec<_> = text.lines().map(|line| line.split(':').next().unwrap()).collect();
    let expected = [
        "Zookeeper version",
        "Latency min/avg/max",
        "Received",
        "Sent",
        "Connections",
        "Outstanding",
        "Zxid",
        "Mode",
        "Node count",
    ];
    assert_eq!(names, expected, "{text}");
    assert_eq!(value(&text, "Mode:"), "standalone");
    assert!(value(&text, "Zxid:").starts_with("0x"));
    assert!(value(&text, "Node count:").parse::<u64>().unwrap() >= 4);
    let latency = value(&text, "Latency min/avg/max:");
    let parts: Vec<_> = latency.split('/').map(|n| n.parse::<f64>().unwrap()).collect();
    assert_eq!(parts.len(), 3, "{latency}");
    assert!(text.ends_with('\n'));
    let version = value(&text, "Zookeeper version:");
    let (number, rest) = version.split_once('-').unwrap();
    assert_eq!(number.split('.').filter(|n| n.parse::<u32>().is_ok()).count(), 3, "{version}");
    assert!(rest.contains(", built on "), "{version}");
}

#[test]
fn stat_lists_the_clients() {
    let _client = Client::connect(shared().address());
    let text = shared().word("stat");
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("Zookeeper version: "));
    assert_eq!(lines.next(), Some("Clients:"));
    let first = sharp(lines.next().unwrap());
    assert_eq!(first, " /#.#.#.#:#[#](queued=#,recved=#,sent=#)");
    assert!(text.contains("\n\nLatency min/avg/max: "), "{text}");
    assert!(text.contains("\nMode: standalone\nNode count: "), "{text}");
}

#[test]
fn cons_lists_the_connections() {
    let mut client = Client::connect(shared().address());
    client.ping();
    let text = shared().word("cons");
    let session = format!("sid=0x{:x},", client.session_id());
    let line = text.lines().find(|line| line.contains(&session)).unwrap();
    let names: Vec<_> =
        line.split(['(', ',', ')']).filter_map(|part| part.split_once('=')).collect();
    let keys: Vec<_> = names.iter().map(|(key, _)| *key).collect();
    let expected = [
        "queued", "recved", "sent", "sid", "lop", "est", "to", "lcxid", "lzxid", "lresp", "llat",
        "minlat", "avglat", "maxlat",
    ];
    assert_eq!(keys, expected, "{line}");
    let of = |key: &str| names.iter().find(|(k, _)| *k == key).unwrap().1;
    assert_eq!((of("lop"), of("to"), of("recved")), ("PING", "20000", "2"));
    assert!(of("lzxid").starts_with("0x") && of("lcxid").starts_with("0x"), "{line}");
}

#[test]
fn conf_names_the_configuration() {
    let text = shared().word("conf");
    let names: Vec<_> = text.lines().map(|line| line.split('=').next().unwrap()).collect();
    let expected = [
        "clientPort",
        "secureClientPort",
        "dataDir",
        "dataDirSize",
        "dataLogDir",
        "dataLogSize",
        "tickTime",
        "maxClientCnxns",
        "minSessionTimeout",
        "maxSessionTimeout",
        "clientPortListenBacklog",
        "serverId",
    ];
    assert_eq!(names, expected, "{text}");
    assert_eq!(value(&text, "tickTime="), "500");
    assert_eq!(value(&text, "minSessionTimeout="), "1000");
    assert_eq!(value(&text, "maxSessionTimeout="), "40000");
    assert_eq!(value(&text, "clientPort="), shared().address().port().to_string());
    assert!(value(&text, "dataDir=").ends_with("/data/version-2"), "{text}");
}

#[test]
fn mntr_is_a_list_of_metrics() {
    let _client = Client::connect(shared().address());
    let text = shared().word("mntr");
    let lines: Vec<_> = text.lines().map(|line| line.split_once('\t').expect("a tab")).collect();
    assert!(lines.iter().all(|(name, _)| name.starts_with("zk_")), "{text}");
    let of = |name: &str| {
        let found = lines.iter().find(|(n, _)| *n == format!("zk_{name}"));
        found.unwrap_or_else(|| panic!("zk_{name} is missing")).1
    };
    assert_eq!(of("server_state"), "standalone");
    assert!(of("version").contains(", built on "));
    for name in [
        "packets_received",
        "packets_sent",
        "num_alive_connections",
        "outstanding_requests",
        "znode_count",
        "watch_count",
        "ephemerals_count",
        "approximate_data_size",
        "open_file_descriptor_count",
        "max_file_descriptor_count",
        "min_latency",
        "max_latency",
        "global_sessions",
        "uptime",
    ] {
        assert!(of(name).parse::<f64>().is_ok(), "zk_{name} is {:?}", of(name));
    }
    assert!(of("avg_latency").parse::<f64>().is_ok());
    assert!(of("num_alive_connections").parse::<f64>().unwrap() >= 1.0);
}

#[test]
fn watches_are_counted_and_listed() {
    let server = Server::config().start();
    let mut a = Client::connect(server.address());
    let mut b = Client::connect(server.address());
    a.make("/x");
    a.get("/x", true).unwrap();
    a.children("/x", true).unwrap();
    b.exists("/y", true).unwrap_err();
    b.get("/x", true).unwrap();
    let text = server.word("wchs");
    assert_eq!(text, "2 connections watching 2 paths\nTotal watches:3\n");
    let (a_name, b_name) = (format!("0x{:x}", a.session_id()), format!("0x{:x}", b.session_id()));
    let by_session = server.word("wchc");
    let text = by_session.strip_suffix("\n\n").expect("ends with an empty line");
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    let mut expected = ["\t/x", "\t/x", "\t/y", &a_name, &b_name];
    expected.sort_unstable();
    assert_eq!(lines, expected, "{by_session:?}");
    let by_path = server.word("wchp");
    let text = by_path.strip_suffix("\n\n").expect("ends with an empty line");
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    let tab = |name: &str| format!("\t{name}");
    let mut expected = ["/x".to_owned(), "/y".to_owned(), tab(&a_name), tab(&b_name), tab(&b_name)];
    expected.sort_unstable();
    assert_eq!(lines, expected, "{by_path:?}");
}

#[test]
fn dump_lists_sessions_and_ephemerals() {
    let server = Server::config().start();
    let mut c = Client::connect(server.address());
    c.create("/e1", b"", &Acl::open(), 1).unwrap();
    c.create("/e2", b"", &Acl::open(), 1).unwrap();
    let text = server.word("dump");
    let id = format!("0x{:x}", c.session_id());
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "SessionTracker dump:");
    assert_eq!(sharp(lines[1]), "Session Sets (#)/(#):");
    assert!(lines.iter().any(|line| line.trim() == id), "{text}");
    assert!(lines.contains(&"ephemeral nodes dump:"), "{text}");
    assert!(lines.contains(&"Sessions with Ephemerals (1):"), "{text}");
    assert!(lines.contains(&format!("{id}:").as_str()), "{text}");
    assert!(lines.contains(&"\t/e1") && lines.contains(&"\t/e2"), "{text}");
    assert!(lines.contains(&"Connections dump:"), "{text}");
}

#[test]
fn resets_and_sizes() {
    let server = Server::config().start();
    let mut c = Client::connect(server.address());
    for _ in 0..10 {
        c.ping();
    }
    assert_eq!(server.word("srst"), "Server stats reset.\n");
    let received = value(&server.word("srvr"), "Received:").parse::<u32>().unwrap();
    assert!(received < 5, "{received}");
    assert_eq!(server.word("crst"), "Connection stats reset.\n");
    let dirs = server.word("dirs");
    assert_eq!(sharp(&dirs), "datadir_size: #\nlogdir_size: #\n");
    let environment = server.word("envi");
    assert!(environment.starts_with("Environment:\nzookeeper.version="), "{environment}");
    assert!(environment.contains("\nhost.name="), "{environment}");
}

#[test]
fn a_word_must_be_allowed() {
    let server = Server::config().set("4lw.commands.whitelist", "srvr, ruok").start();
    let refusal = " is not executed because it is not in the whitelist.\n";
    assert_eq!(server.word("stat"), format!("stat{refusal}"));
    assert_eq!(server.word("mntr"), format!("mntr{refusal}"));
    assert_eq!(server.word("ruok"), "imok");
}

/// Monitoring of many machines may query at the same moment: every word that was read is answered.
#[test]
fn a_burst_of_words_is_answered() {
    let server = Server::config().start();
    let words = ["ruok", "srvr", "isro", "mntr", "stat", "conf", "cons", "wchs"];
    let mut asked: Vec<_> = (0..400)
        .map(|_| {
            let stream = TcpStream::connect(server.address()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            stream
        })
        .collect();
    for (at, stream) in asked.iter_mut().enumerate() {
        stream.write_all(words[at % words.len()].as_bytes()).unwrap();
    }
    let mut unanswered = 0;
    for stream in &mut asked {
        let mut text = Vec::new();
        let read = stream.read_to_end(&mut text);
        unanswered += usize::from(read.is_err() || text.is_empty());
    }
    assert_eq!(unanswered, 0, "of {} words", asked.len());
}
