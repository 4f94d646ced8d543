//! A steady load: so many sets a second, each due at its time whatever the servers do, and how long
//! each took from then.

use harness::client::request;
use harness::{Body, Client, Incoming, opcode};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a connection sends what is due.
const TICK: Duration = Duration::from_millis(1);

/// The xid of a ping, which is the last request.
const PING: i32 = -2;

/// When a set was due, and how long it took.
#[derive(Clone, Copy)]
pub(super) struct Took {
    pub(super) due: Instant,
    pub(super) time: Duration,
}

/// The load, until it is stopped.
pub(super) struct Steady {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Took>>>,
}

impl Steady {
    /// Begins, with so many connections and sets a second on each of them.
    pub(super) fn start(address: SocketAddr, connections: u32, rate: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..connections).map(|number| {
            let mut client = Client::connect(address);
            let path = format!("/steady-{number}");
            client.make(&path);
            let (socket, began, stop) = (client.second_handle(), Instant::now(), stop.clone());
            let every = Duration::from_secs(1) / rate;
            thread::spawn(move || send(socket, &path, began, every, &stop));
            thread::spawn(move || receive(client, began, every))
        });
        Self { threads: threads.collect(), stop }
    }

    /// Ends it when everything is answered. The sets in the order of their times.
    pub(super) fn stop(self) -> Vec<Took> {
        self.stop.store(true, Ordering::Relaxed);
        let threads = self.threads.into_iter();
        let mut all: Vec<_> = threads.flat_map(|thread| thread.join().unwrap()).collect();
        all.sort_by_key(|took| took.due);
        all
    }
}

fn send(mut socket: TcpStream, path: &str, began: Instant, every: Duration, stop: &AtomicBool) {
    let body = Body::new().string(path).buffer(&[7; 100][..]).int(-1);
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut bytes = Vec::new();
        while began + every * next <= Instant::now() {
            bytes.extend(request(next as i32, opcode::SET_DATA, &body));
            next += 1;
        }
        socket.write_all(&bytes).unwrap();
        thread::sleep(TICK);
    }
    socket.write_all(&request(PING, opcode::PING, &Body::new())).unwrap();
}

fn receive(mut client: Client, began: Instant, every: Duration) -> Vec<Took> {
    let mut all = Vec::new();
    loop {
        let Some(Incoming::Reply(reply)) = client.receive() else {
            panic!("the load lost its connection after {} replies", all.len())
        };
        if reply.xid == PING {
            client.close();
            return all;
        }
        assert_eq!((reply.xid as usize, reply.err), (all.len(), 0));
        let due = began + every * all.len() as u32;
        all.push(Took { due, time: due.elapsed() });
    }
}
