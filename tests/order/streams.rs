//! Streams of requests: each connection's own order, and what it may see of others.

use std::collections::BTreeSet;
use std::thread;

use harness::client::{create_body, decode_reply, multi_body};
use harness::{Acl, Body, Client, Incoming, Op, OpResult, ReplyReader, Server, code, opcode};

use super::servers;

fn on_both(test: impl Fn(&Server)) {
    servers().iter().for_each(test);
}

fn write_of(path: &str, data: &[u8]) -> (i32, Body) {
    (opcode::SET_DATA, Body::new().string(path).buffer(data).int(-1))
}

fn read_of(path: &str) -> (i32, Body) {
    (opcode::GET_DATA, Body::new().string(path).boolean(false))
}

#[test]
fn a_session_reads_its_own_writes_in_order() {
    on_both(|server| {
        let mut c = Client::connect(server.address());
        c.make("/own-order");
        let mut requests = Vec::new();
        for i in 0..500 {
            requests.push(write_of("/own-order", i.to_string().as_bytes()));
            requests.push(read_of("/own-order"));
        }
        let first = c.post_all(&requests);
        let mut last = 0;
        for i in 0..500 {
            let set = c.reply(first + i * 2);
            assert_eq!(set.err, code::OK);
            assert!(set.zxid > last, "zxids of one session grow");
            last = set.zxid;
            let get = c.reply(first + i * 2 + 1);
            let (data, stat) = decode_reply(&get, |r| (r.buffer(), r.stat())).unwrap();
            assert_eq!(data.unwrap(), i.to_string().as_bytes(), "not the next one's write");
            assert_eq!((stat.version, stat.mzxid), (i + 1, set.zxid));
        }
        c.delete("/own-order", -1).unwrap();
    });
}

#[test]
fn what_one_client_was_told_the_other_sees() {
    on_both(|server| {
        let mut a = Client::connect(server.address());
        let mut others: Vec<_> = (0..4).map(|_| Client::connect(server.address())).collect();
        a.make("/value");
        for i in 0..300 {
            let written = a.set("/value", i.to_string().as_bytes(), i).unwrap();
            for other in &mut others {
                let (data, stat) = other.get("/value", false).unwrap();
                assert_eq!((data.unwrap(), stat), (i.to_string().into_bytes(), written));
            }
        }
        a.delete("/value", -1).unwrap();
    });
}

/// A reader with a watch never sees a change before the event that announces it.
#[test]
fn events_come_before_what_they_announce() {
    on_both(|server| {
        let mut writer = Client::connect(server.address());
        writer.make("/announce");
        let mut reader = Client::connect(server.address());
        reader.add_watch("/announce", 0).unwrap();
        let base = reader.get("/announce", false).unwrap().1.mzxid;
        let writing = thread::spawn(move || {
            let first = writer.post_all(&vec![write_of("/announce", b"x"); 1000]);
            (0..1000).for_each(|i| assert_eq!(writer.reply(first + i).err, code::OK));
        });
        let (mut announced, mut version, mut count) = (base, 0, 0);
        let mut done = false;
        while !done {
            done = writing.is_finished();
            reader.post_all(&vec![read_of("/announce"); 8]);
            let mut replies = 0;
            while replies < 8 {
                match reader.receive().expect("open") {
                    Incoming::Event(event) => {
                        assert!(event.zxid > announced, "events in order, each once");
                        (announced, count) = (event.zxid, count + 1);
                    }
                    Incoming::Reply(reply) => {
                        let mut r = ReplyReader::new(&reply.body);
                        r.buffer();
                        let stat = r.stat();
                        assert!(stat.version >= version, "time goes forward");
                        assert!(stat.mzxid <= announced, "seen {stat:?} before its event");
                        (version, replies) = (stat.version, replies + 1);
                    }
                }
            }
        }
        writing.join().unwrap();
        assert_eq!((version, count), (1000, 1000), "a persistent watch misses nothing");
        reader.delete("/announce", -1).unwrap();
    });
}

#[test]
fn a_multi_is_seen_whole() {
    on_both(|server| {
        let mut writer = Client::connect(server.address());
        writer.make("/whole");
        writer.make("/whole/a");
        writer.make("/whole/b");
        let mut readers: Vec<_> = (0..2).map(|_| Client::connect(server.address())).collect();
        let writing = thread::spawn(move || {
            for i in 0..300 {
                let data = i.to_string();
                let ops = ["/whole/a", "/whole/b"].map(|path| Op::Set {
                    path,
                    data: data.as_bytes(),
                    version: i,
                });
                let results = writer.multi(&ops).unwrap();
                assert!(results.iter().all(|result| matches!(result, OpResult::Set(_))));
            }
            writer
        });
        let mut done = false;
        while !done {
            // One more round after the last write: its effect must be visible.
            done = writing.is_finished();
            for reader in &mut readers {
                let both = [Op::Get { path: "/whole/a" }, Op::Get { path: "/whole/b" }];
                let results = reader.multi_read(&both).unwrap();
                let [OpResult::Get(a, stat), OpResult::Get(b, _)] = &results[..] else {
                    panic!("{results:?}")
                };
                assert_eq!(a, b);
                assert!(!done || stat.version == 300);
                let first = reader.post_all(&[read_of("/whole/a"), read_of("/whole/b")]);
                let versions = [first, first + 1].map(|xid| {
                    decode_reply(&reader.reply(xid), |r| (r.buffer(), r.stat())).unwrap().1.version
                });
                assert!(versions[0] <= versions[1], "the later read is not older");
            }
        }
        let mut writer = writing.join().unwrap();
        for path in ["/whole/a", "/whole/b", "/whole"] {
            writer.delete(path, -1).unwrap();
        }
    });
}

#[test]
fn writes_of_many_take_turns() {
    on_both(|server| {
        let mut c = Client::connect(server.address());
        c.make("/turns");
        let address = server.address();
        let writers: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(move || {
                    let mut c = Client::connect(address);
                    let first = c.post_all(&vec![write_of("/turns", b"x"); 250]);
                    let zxids: Vec<_> = (0..250).map(|i| c.reply(first + i).zxid).collect();
                    assert!(zxids.is_sorted());
                    zxids
                })
            })
            .collect();
        let zxids: BTreeSet<i64> = writers.into_iter().flat_map(|w| w.join().unwrap()).collect();
        assert_eq!(zxids.len(), 1000, "each has its own");
        assert_eq!(c.exists("/turns", false).unwrap().version, 1000);
        c.delete("/turns", -1).unwrap();
    });
}

#[test]
fn one_of_many_creates_wins() {
    on_both(|server| {
        let mut clients: Vec<_> = (0..4).map(|_| Client::connect(server.address())).collect();
        for round in 0..50 {
            let path = format!("/race-{round}");
            let create = create_body(&path, b"", &Acl::open(), 1);
            let xids: Vec<_> =
                clients.iter_mut().map(|c| c.post(opcode::CREATE, &create)).collect();
            let errors: Vec<_> =
                clients.iter_mut().zip(xids).map(|(c, x)| c.reply(x).err).collect();
            let won = errors.iter().filter(|err| **err == code::OK).count();
            let lost = errors.iter().filter(|err| **err == code::NODE_EXISTS).count();
            assert_eq!((won, lost), (1, 3));
            let owner = clients[0].exists(&path, false).unwrap().ephemeral_owner;
            let winner = errors.iter().position(|err| *err == code::OK).unwrap();
            assert_eq!(owner, clients[winner].session_id());
        }
        clients.into_iter().for_each(Client::close);
    });
}

/// Requests that an old connection had in flight are applied before the session is resumed, or
/// never.
#[test]
fn nothing_of_an_old_connection_follows_the_new_one() {
    on_both(|server| {
        let mut watcher = Client::connect(server.address());
        watcher.make("/late");
        for _ in 0..30 {
            let mut old = Client::connect(server.address());
            old.post_all(&vec![write_of("/late", &[b'x'; 200]); 200]);
            let mut new = old.reconnect();
            let version = new.exists("/late", false).unwrap().version;
            new.set("/late", b"mine", version).expect("no write slips between");
            assert_eq!(watcher.get("/late", false).unwrap().0.unwrap(), b"mine");
            new.close();
            assert_eq!(watcher.get("/late", false).unwrap().1.version, version + 1);
        }
        watcher.delete("/late", -1).unwrap();
    });
}

/// A client that has seen a zxid may reconnect at once: no shard is behind it.
#[test]
fn a_reconnect_right_after_a_write_is_not_ahead() {
    on_both(|server| {
        let mut c = Client::connect(server.address());
        c.make("/ahead");
        for i in 0..100 {
            let stat = c.set("/ahead", b"x", i).unwrap();
            c = c.reconnect();
            assert_eq!(c.exists("/ahead", false), Ok(stat));
        }
        c.delete("/ahead", -1).unwrap();
    });
}

#[test]
fn a_close_waits_for_what_was_asked_before() {
    on_both(|server| {
        let mut other = Client::connect(server.address());
        for _ in 0..20 {
            let mut c = Client::connect(server.address());
            let mut requests: Vec<_> = (0..50)
                .map(|i| (opcode::CREATE, create_body(&format!("/e-{i}"), b"", &Acl::open(), 1)))
                .collect();
            requests.push(read_of("/e-49"));
            requests.push((opcode::CLOSE_SESSION, Body::new()));
            let first = c.post_all(&requests);
            for i in 0..52 {
                assert_eq!(c.reply(first + i).err, code::OK);
            }
            c.assert_closed();
            assert_eq!(other.exists("/e-0", false), Err(code::NO_NODE));
            assert_eq!(other.exists("/e-49", false), Err(code::NO_NODE));
        }
    });
}

/// Requests behind a close are not answered.
#[test]
fn nothing_follows_a_close() {
    on_both(|server| {
        let mut c = Client::connect(server.address());
        let create = create_body("/after-close", b"", &Acl::open(), 0);
        let close = (opcode::CLOSE_SESSION, Body::new());
        let first = c.post_all(&[close, (opcode::CREATE, create)]);
        assert_eq!(c.reply(first).err, code::OK);
        c.assert_closed();
        let mut other = Client::connect(server.address());
        assert_eq!(other.exists("/after-close", false), Err(code::NO_NODE));
    });
}

#[test]
fn pings_and_reads_keep_their_place_behind_writes() {
    on_both(|server| {
        let mut c = Client::connect(server.address());
        c.make("/place");
        let multi = multi_body(&[Op::Set { path: "/place", data: b"m", version: -1 }]);
        for _ in 0..50 {
            let xid = c.post(opcode::MULTI, &multi);
            c.send(-2, opcode::PING, &Body::new());
            let sync = c.post(opcode::SYNC, &Body::new().string("/place"));
            let get = c.post(opcode::EXISTS, &Body::new().string("/place").boolean(false));
            let written = c.reply(xid).zxid;
            assert!(c.reply(-2).zxid >= written);
            assert_eq!(c.reply(sync).err, code::OK);
            assert!(c.reply(get).zxid >= written);
        }
        c.delete("/place", -1).unwrap();
    });
}
