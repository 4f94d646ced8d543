//! A session moves from connection to connection while requests of the old one are in flight: none
//! of them takes effect after the first request of the new one.

use harness::client::create_body;
use harness::{Acl, Body, Client, opcode};

use super::servers;

fn names(client: &mut Client, path: &str) -> Vec<String> {
    client.children(path, false).unwrap()
}

#[test]
fn a_moved_session_keeps_all_requests_received_before() {
    for (at, server) in servers().iter().enumerate() {
        let mut observer = Client::connect(server.address());
        let root = format!("/moves-{at}");
        observer.make(&root);
        for round in 0..8 {
            let path = format!("{root}/{round}");
            observer.make(&path);
            let mut old = Client::connect(server.address());
            let count = [10, 200, 2_000][round % 3];
            let requests: Vec<_> = (0..count)
                .flat_map(|n| {
                    let node = format!("{path}/n{n:05}");
                    let read = Body::new().string(&path).boolean(false);
                    [
                        (opcode::CREATE, create_body(&node, b"", &Acl::open(), 1)),
                        (opcode::EXISTS, read),
                    ]
                })
                .collect();
            old.post_all(&requests[..count * (1 + round % 2)]);
            let mut new = old.reconnect();
            let first = names(&mut new, &path);
            let expected: Vec<_> = (0..first.len()).map(|n| format!("n{n:05}")).collect();
            assert_eq!(first, expected, "the old connection's writes in their order");
            // Any late effect of the old one would be visible now.
            new.make(&format!("{path}/zz"));
            old.assert_closed();
            observer.sync(&path).unwrap();
            let last = names(&mut observer, &path);
            assert_eq!(last.len(), first.len() + 1, "a write of the old connection came late");
            assert_eq!(new.ephemerals(&path).unwrap(), paths_but(&path, &last, "zz"));
            new.close();
            assert_eq!(names(&mut observer, &path), ["zz"]);
        }
        observer.close();
    }
}

/// The full paths of these children except one.
fn paths_but(path: &str, names: &[String], but: &str) -> Vec<String> {
    let others = names.iter().filter(|name| *name != but);
    others.map(|name| format!("{path}/{name}")).collect()
}
