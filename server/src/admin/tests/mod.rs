//! Words over real sockets; the roles are threads with prepared answers.

mod fake;
mod making;

use super::inquiry::{Inquiry, OrderingInquiry, ShardInquiry, channel};
use super::{FourLetterWord, HttpPorts, Roles, WordRequest, Words, start};
use crate::config::{Sources, load};
use crate::gate::ConnectionGate;
use fake::{Fixture, answer, facts_of, read, seat};
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

#[test]
fn srvr_sums_the_reports_of_the_roles() {
    let fixture = Fixture::new(2, "*", true);
    let text = fixture.word(FourLetterWord::Srvr);
    assert!(
        text.ends_with(
            "UTC\nLatency min/avg/max: 1/2.5/4\nReceived: 21\nSent: 40\nConnections: 5\n\
             Outstanding: 0\nZxid: 0x1f\nMode: standalone\nNode count: 5\n"
        ),
        "{text}"
    );
    assert!(text.starts_with("Zookeeper version: 3.9.5-ringkeeper-"), "{text}");
    fixture.end();
}

#[test]
fn connections_come_in_pages_from_every_shard() {
    let fixture = Fixture::new(2, "*", true);
    let text = fixture.word(FourLetterWord::Cons);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert_eq!(lines[0], " /10.0.0.0:40000[1](queued=0,recved=1,sent=2)");
    assert_eq!(lines[3], " /10.0.1.7:40000[1](queued=0,recved=1,sent=2)");
    assert!(lines[4].ends_with("[0](queued=0,recved=1,sent=0)"), "{text}");
    assert!(text.ends_with(")\n\n"), "{text}");
    let stat = fixture.word(FourLetterWord::Stat);
    assert!(stat.contains("UTC\nClients:\n /10.0.0.0:40000[1]"), "{stat}");
    assert!(stat.contains("sent=0)\n\nLatency min/avg/max: "), "{stat}");
    fixture.end();
}

#[test]
fn watches_and_sessions_come_in_pages() {
    let fixture = Fixture::new(2, "*", true);
    assert_eq!(
        fixture.word(FourLetterWord::Wchc),
        "0xa0\n\t/a\n\t/b\n\t/c\n0xa1\n\t/a\n\t/b\n\t/d\n\n"
    );
    assert_eq!(
        fixture.word(FourLetterWord::Wchp),
        "/a\n\t0xa0\n\t0xa1\n/b\n\t0xa0\n\t0xa1\n/c\n\t0xa0\n/d\n\t0xa1\n\n"
    );
    assert_eq!(
        fixture.word(FourLetterWord::Wchs),
        "2 connections watching 4 paths\nTotal watches:6\n"
    );
    let dump = fixture.word(FourLetterWord::Dump);
    assert!(
        dump.starts_with(
            "SessionTracker dump:\nSession Sets (2)/(3):\n\
             2 expire at Sat Nov 21 06:02:28 UTC 2026:\n\t0xa1\n\t0xa2\n\
             1 expire at Sat Nov 21 06:02:29 UTC 2026:\n\t0xa0\nephemeral nodes dump:\n\
             Sessions with Ephemerals (1):\n0xa1:\n\t/e\nConnections dump:\nConnections Sets ("
        ),
        "{dump}"
    );
    fixture.end();
}

#[test]
fn resets_reach_every_role() {
    let fixture = Fixture::new(2, "*", true);
    assert_eq!(fixture.word(FourLetterWord::Srst), "Server stats reset.\n");
    assert_eq!(fixture.word(FourLetterWord::Crst), "Connection stats reset.\n");
    let srvr = fixture.word(FourLetterWord::Srvr);
    // The shards' numbers were not reset: they are prepared. Those of the words were.
    assert!(srvr.contains("\nReceived: 22\nSent: 42\n"), "{srvr}");
    assert_eq!(
        fixture.end(),
        [vec!["shard", "ordering", "connections"], vec!["shard", "connections"]]
    );
}

#[test]
fn words_without_roles() {
    let fixture = Fixture::new(1, "*", false);
    assert_eq!(fixture.word(FourLetterWord::Ruok), "imok");
    assert_eq!(fixture.word(FourLetterWord::Gtmk), "306");
    assert_eq!(read(fixture.hand_over(FourLetterWord::Stmk, &511_i64.to_be_bytes())), "511");
    assert_eq!(fixture.word(FourLetterWord::Gtmk), "511");
    let mut client = fixture.hand_over(FourLetterWord::Stmk, &[0xff; 3]);
    client.write_all(&[0xff; 5]).unwrap();
    assert_eq!(read(client), "-1");
    assert_eq!(fixture.word(FourLetterWord::TelnetClose), "");
    let envi = fixture.word(FourLetterWord::Envi);
    assert!(envi.starts_with("Environment:\nzookeeper.version=3.9.5-ringkeeper-"), "{envi}");
    assert!(envi.contains("\nos.name=Linux\n"), "{envi}");
    fixture.end();
}

#[test]
fn a_server_that_does_not_serve_says_so() {
    let fixture = Fixture::new(1, "*", false);
    let refusal = "This ZooKeeper instance is not currently serving requests";
    for word in [FourLetterWord::Srvr, FourLetterWord::Mntr, FourLetterWord::Conf] {
        assert_eq!(fixture.word(word), format!("{refusal}\n"));
    }
    assert_eq!(fixture.word(FourLetterWord::Hash), refusal);
    assert_eq!(fixture.word(FourLetterWord::Isro), "null");
    fixture.end();
}

#[test]
fn a_role_that_has_ended_is_no_server() {
    let (sender, inbox) = channel(|| {});
    drop(inbox);
    let facts = facts_of(&Sources::default());
    let served = load(&Sources::default()).unwrap().config.admin;
    let roles = Roles { shards: vec![sender.clone()], ordering: sender };
    let admin = start(facts, roles, &served, HttpPorts::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let socket = listener.accept().unwrap().0.into();
    let (word, rest) = (FourLetterWord::Srvr, Vec::new());
    let request = WordRequest { socket, word, rest, seat: seat() };
    assert!(admin.words().hand_over(request));
    assert!(read(client).starts_with("This ZooKeeper instance is not"));
    admin.stop();
}

#[test]
fn words_must_be_enabled() {
    let fixture = Fixture::new(1, "srvr, ruok", true);
    assert_eq!(
        fixture.word(FourLetterWord::Mntr),
        "mntr is not executed because it is not in the whitelist.\n"
    );
    assert_eq!(fixture.word(FourLetterWord::Ruok), "imok");
    fixture.end();
}

#[test]
fn the_remaining_words() {
    let fixture = Fixture::new(1, "*", true);
    assert_eq!(fixture.word(FourLetterWord::Isro), "rw");
    assert_eq!(fixture.word(FourLetterWord::Hash), "10: 7\n20: -1\n");
    assert_eq!(fixture.word(FourLetterWord::Dirs), "datadir_size: 0\nlogdir_size: 0\n");
    let conf = fixture.word(FourLetterWord::Conf);
    assert!(conf.starts_with("clientPort=2181\nsecureClientPort=-1\ndataDir=/"), "{conf}");
    let mntr = fixture.word(FourLetterWord::Mntr);
    assert!(mntr.lines().all(|line| line.starts_with("zk_") && line.contains('\t')), "{mntr}");
    fixture.end();
}

#[test]
fn bytes_behind_a_word_do_not_cost_the_answer() {
    let fixture = Fixture::new(1, "*", true);
    let mut client = fixture.hand_over(FourLetterWord::Ruok, b"\n");
    client.write_all(&[b'\n'; 1000]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read(client), "imok");
    fixture.end();
}

#[test]
fn too_many_words_are_closed() {
    let (sender, _receiver) = tokio::sync::mpsc::channel(1);
    let words = Words(sender);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let request = || {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = listener.accept().unwrap().0.into();
        let (word, rest) = (FourLetterWord::Ruok, Vec::new());
        (client, WordRequest { socket, word, rest, seat: seat() })
    };
    let (_waiting, first) = request();
    assert!(words.hand_over(first));
    let (refused, second) = request();
    assert!(!words.hand_over(second));
    assert_eq!(read(refused), "");
}

#[test]
fn a_requester_that_is_gone_is_no_error() {
    let (reply, answer) = tokio::sync::oneshot::channel();
    drop(answer);
    let mut resets = Vec::new();
    let inquiry = Inquiry::Ordering(OrderingInquiry::Digests(reply));
    self::answer(0, true, inquiry, &mut resets);
}

#[test]
fn directories_are_measured() {
    let directory = std::env::temp_dir().join(format!("rk-admin-sizes-{}", std::process::id()));
    std::fs::create_dir_all(directory.join("inner")).unwrap();
    std::fs::write(directory.join("a"), [0; 100]).unwrap();
    std::fs::write(directory.join("inner/b"), [0; 11]).unwrap();
    std::os::unix::fs::symlink(&directory, directory.join("inner/circle")).ok();
    assert_eq!(super::host::directory_bytes(&directory), 111);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_short_question_does_not_wait_behind_pages() {
    let (sender, mut inbox) = channel(|| {});
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let pages = (0..8).map(|_| {
            let sender = sender.clone();
            tokio::spawn(async move {
                sender.ask(|reply| Inquiry::Shard(ShardInquiry::Connections(0, reply))).await
            })
        });
        let pages: Vec<_> = pages.collect();
        tokio::task::yield_now().await;
        let short = tokio::spawn(async move {
            sender.ask(|reply| Inquiry::Ordering(OrderingInquiry::Counts(reply))).await
        });
        tokio::task::yield_now().await;
        let first = inbox.take_brief().expect("it is there, whatever came before");
        answer(0, true, first, &mut Vec::new());
        assert!(short.await.unwrap().is_ok());
        assert!(inbox.take_brief().is_none() && !inbox.is_empty());
        while let Some(page) = inbox.take_page() {
            answer(0, true, page, &mut Vec::new());
        }
        for page in pages {
            assert!(page.await.unwrap().is_ok());
        }
    });
}

#[test]
fn a_word_counts_as_a_connection_until_it_is_answered() {
    let gate = Arc::new(ConnectionGate::new(None, Some(1), 1));
    let address = SocketAddr::from(([127, 0, 0, 1], 40_000));
    let fixture = Fixture::new(1, "*", true);
    let (mut client, server) = fixture.connect();
    let seat = gate.admit(address, 0).unwrap();
    // The argument of stmk is missing.
    let (socket, word, rest) = (server.into(), FourLetterWord::Stmk, vec![0; 3]);
    assert!(fixture.admin.words().hand_over(WordRequest { socket, word, rest, seat }));
    assert!(gate.admit(address, 0).is_err());
    client.write_all(&[0; 5]).unwrap();
    assert_eq!(read(client), "0");
    while gate.admit(address, 0).is_err() {
        thread::yield_now();
    }
    fixture.end();
}
