//! How a connection begins: which clients are accepted, with what, and which are not.

use std::net::TcpStream;

use harness::client::{frame, read_frame};
use harness::{Acl, Body, Client, Handshake, Welcome};

use super::shared;

fn refused(read_only: Option<bool>) -> Welcome {
    Welcome { protocol_version: 0, timeout_ms: 0, session_id: 0, password: vec![0; 16], read_only }
}

/// The handshake is answered with a refusal, then the connection closes.
fn assert_refused(handshake: &Handshake) {
    let mut client = Client::open(shared().address(), handshake).expect("a refusal is an answer");
    let read_only = handshake.read_only.map(|_| false);
    assert_eq!(*client.welcome(), refused(read_only));
    client.assert_closed();
}

#[test]
fn a_new_session_has_an_id_and_a_password() {
    let client = Client::connect(shared().address());
    let welcome = client.welcome();
    assert_eq!(welcome.protocol_version, 0);
    assert_eq!(welcome.timeout_ms, 20_000);
    assert_eq!(welcome.session_id >> 56, 1, "a server alone is number 1");
    assert_eq!(welcome.password.len(), 16);
    assert_ne!(welcome.password, [0; 16]);
    assert_eq!(welcome.read_only, Some(false));
}

#[test]
fn session_ids_differ() {
    let first = Client::connect(shared().address());
    let second = Client::connect(shared().address());
    assert!(second.session_id() > first.session_id());
    assert_ne!(first.welcome().password, second.welcome().password);
}

/// Java's `Random` seeded with the id: any implementation can check it without shared state.
#[test]
fn the_password_follows_from_the_id() {
    let client = Client::connect(shared().address());
    let mut state = (client.session_id() ^ 0xB341_5C00) as u64;
    state = (state ^ 0x5_DEEC_E66D) & ((1 << 48) - 1);
    let mut password = Vec::new();
    for _ in 0..4 {
        state = state.wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB) & ((1 << 48) - 1);
        password.extend(((state >> 16) as u32).to_le_bytes());
    }
    assert_eq!(client.welcome().password, password);
}

#[test]
fn the_timeout_is_clamped() {
    for (requested, granted) in
        [(1, 1000), (0, 1000), (-5, 1000), (1001, 1001), (40_000, 40_000), (i32::MAX, 40_000)]
    {
        let handshake = Handshake { timeout_ms: requested, ..Handshake::default() };
        let client = Client::open(shared().address(), &handshake).expect("answered");
        assert_eq!(client.welcome().timeout_ms, granted, "requested {requested}");
        client.close();
    }
}

#[test]
fn an_old_client_is_answered_without_the_read_only_byte() {
    let handshake = Handshake { read_only: None, ..Handshake::default() };
    let mut client = Client::open(shared().address(), &handshake).expect("answered");
    assert_eq!(client.welcome().read_only, None);
    assert_ne!(client.session_id(), 0);
    client.ping();
    let again = Handshake { read_only: None, ..client.reattach() };
    let client = Client::open(shared().address(), &again).expect("answered");
    assert_eq!((client.welcome().read_only, client.session_id()), (None, again.session_id));
    assert_refused(&Handshake { read_only: None, session_id: 77, ..Handshake::default() });
}

#[test]
fn a_client_content_with_read_only_gets_more() {
    let handshake = Handshake { read_only: Some(true), ..Handshake::default() };
    let client = Client::open(shared().address(), &handshake).expect("answered");
    assert_eq!(client.welcome().read_only, Some(false));
}

#[test]
fn the_protocol_version_is_ignored() {
    for protocol_version in [7, -1] {
        let handshake = Handshake { protocol_version, ..Handshake::default() };
        let client = Client::open(shared().address(), &handshake).expect("answered");
        assert_eq!(client.welcome().protocol_version, 0);
        assert_ne!(client.session_id(), 0);
    }
}

#[test]
fn a_new_session_needs_no_password() {
    for password in [vec![], vec![9; 3], vec![7; 16], vec![1; 100]] {
        let handshake = Handshake { password, ..Handshake::default() };
        let client = Client::open(shared().address(), &handshake).expect("answered");
        assert_ne!(client.session_id(), 0);
        assert_eq!(client.welcome().password.len(), 16);
    }
}

#[test]
fn a_wrong_password_is_refused() {
    let client = Client::connect(shared().address());
    let right = client.reattach();
    for password in [vec![], vec![0; 16], vec![0; 15], [&right.password[..], b"x"].concat()] {
        assert_refused(&Handshake { password, ..right.clone() });
    }
}

#[test]
fn an_unknown_session_is_refused() {
    assert_refused(&Handshake { session_id: 0x0123_4567_89ab_cdef, ..Handshake::default() });
    assert_refused(&Handshake { session_id: -1, ..Handshake::default() });
}

#[test]
fn a_closed_session_is_refused() {
    let client = Client::connect(shared().address());
    let handshake = client.reattach();
    client.close();
    assert_refused(&handshake);
}

#[test]
fn a_client_that_has_seen_more_is_turned_away() {
    let handshake = Handshake { last_zxid_seen: 1 << 40, ..Handshake::default() };
    assert!(Client::open(shared().address(), &handshake).is_none());
    let client = Client::connect(shared().address());
    let handshake = Handshake { last_zxid_seen: 1 << 40, ..client.reattach() };
    assert!(Client::open(shared().address(), &handshake).is_none());
}

#[test]
fn a_session_moves_to_a_new_connection() {
    let mut old = Client::connect(shared().address());
    old.create("/handshake-move", b"", &Acl::open(), 1).unwrap();
    let mut new = old.reconnect();
    assert_eq!(new.welcome(), old.welcome());
    old.assert_closed();
    let stat = new.exists("/handshake-move", false).unwrap();
    assert_eq!(stat.ephemeral_owner, new.session_id());
    new.set("/handshake-move", b"mine", -1).unwrap();
}

#[test]
fn a_moved_session_has_the_new_timeout() {
    let old = Client::connect(shared().address());
    let handshake = Handshake { timeout_ms: 5000, ..old.reattach() };
    let new = Client::open(shared().address(), &handshake).expect("answered");
    assert_eq!(new.welcome().timeout_ms, 5000);
    assert_eq!(new.session_id(), old.session_id());
}

#[test]
fn requests_may_follow_the_handshake_unasked() {
    let mut stream = TcpStream::connect(shared().address()).unwrap();
    let connect = Body::new().int(0).long(0).int(9000).long(0).buffer(&[0; 16][..]).boolean(false);
    let ping = frame(&Body::new().int(-2).int(11).0);
    let get = frame(&Body::new().int(1).int(3).string("/").boolean(false).0);
    let bytes = [frame(&connect.0), ping, get].concat();
    std::io::Write::write_all(&mut stream, &bytes).unwrap();
    assert_eq!(read_frame(&mut stream).unwrap().len(), 37);
    assert_eq!(read_frame(&mut stream).unwrap()[..4], (-2i32).to_be_bytes());
    let reply = read_frame(&mut stream).unwrap();
    assert_eq!((reply.len(), &reply[..4]), (16 + 68, &1i32.to_be_bytes()[..]));
}

#[test]
fn bytes_may_come_one_by_one() {
    let mut stream = TcpStream::connect(shared().address()).unwrap();
    stream.set_nodelay(true).unwrap();
    let connect = Body::new().int(0).long(0).int(9000).long(0).buffer(&[0; 16][..]).boolean(false);
    for byte in [frame(&connect.0), frame(&Body::new().int(-2).int(11).0)].concat() {
        std::io::Write::write_all(&mut stream, &[byte]).unwrap();
        std::thread::yield_now();
    }
    assert_eq!(read_frame(&mut stream).unwrap().len(), 37);
    assert_eq!(read_frame(&mut stream).unwrap()[..4], (-2i32).to_be_bytes());
}
