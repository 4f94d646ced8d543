//! Sessions over blocking sockets: what the loop is given, and what is measured one by one.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};

use super::error::BenchError;
use super::limits::{ANSWER_WAIT, REPLY_BYTES_MAX};
use super::source;
use super::wire::{self, Replies, Reply};

/// Finds the server's first address.
pub(super) fn resolve(server: &str) -> Result<SocketAddr, BenchError> {
    let failed = |source| BenchError::Address { server: server.into(), source };
    let mut found = server.to_socket_addrs().map_err(failed)?;
    found.next().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

/// A connection on its way to a session, or with one.
pub(super) struct Session {
    stream: TcpStream,
    xid: i32,
    out: Vec<u8>,
    body: Vec<u8>,
}

impl Session {
    /// Connects as number `number` and sends the connect request; `granted` hears the answer.
    pub(super) fn begin(address: SocketAddr, number: usize) -> Result<Self, io::Error> {
        let stream = source::connect(address, number)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        let mut session = Self { stream, xid: 0, out: Vec::new(), body: Vec::new() };
        wire::put_connect(&mut session.out);
        session.stream.write_all(&session.out)?;
        Ok(session)
    }

    /// Waits for the answer to the connect request.
    pub(super) fn granted(&mut self) -> Result<bool, io::Error> {
        self.read_frame()?;
        Ok(wire::is_granted(&self.body))
    }

    fn read_frame(&mut self) -> Result<(), io::Error> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length > REPLY_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.body.resize(length as usize, 0);
        self.stream.read_exact(&mut self.body)
    }

    /// Sends a request, given its xid to write, and waits for its reply.
    pub(super) fn call(
        &mut self,
        put: impl FnOnce(&mut Vec<u8>, i32),
    ) -> Result<Reply, BenchError> {
        self.xid += 1;
        self.out.clear();
        put(&mut self.out, self.xid);
        self.stream.write_all(&self.out).map_err(BenchError::BrokenIo)?;
        self.read_frame().map_err(BenchError::BrokenIo)?;
        let mut frame = (self.body.len() as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(&self.body);
        let found = self.body.len() as u32;
        let short = BenchError::Short { expected: wire::REPLY_BYTES_MIN, found };
        let reply = Replies::default().next(&mut &frame[..])?.ok_or(short)?;
        if reply.xid != self.xid {
            return Err(BenchError::Xid { expected: self.xid, found: reply.xid });
        }
        Ok(reply)
    }

    /// Ends the session and waits for the answer.
    pub(super) fn close(mut self) -> Result<Reply, BenchError> {
        self.call(wire::put_close)
    }

    fn into_stream(self) -> Result<TcpStream, io::Error> {
        self.stream.set_read_timeout(None)?;
        Ok(self.stream)
    }
}

/// Why connection number `which.0` of `which.1` has no session.
fn refused(server: &str, which: (usize, usize), source: io::Error) -> BenchError {
    let (connection, connections) = which;
    match source.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => BenchError::Handshake { connection, connections, source },
        _ => BenchError::Connect { server: server.into(), source },
    }
}

/// Opens one session.
pub(super) fn open(server: &str, address: SocketAddr) -> Result<Session, BenchError> {
    let refused = |source| refused(server, (1, 1), source);
    let mut session = Session::begin(address, 0).map_err(refused)?;
    if session.granted().map_err(refused)? { Ok(session) } else { Err(BenchError::NoSession) }
}

/// Opens `count` sessions: the connect requests first, then the answers.
pub(super) fn open_all(
    server: &str,
    address: SocketAddr,
    connections: usize,
) -> Result<Vec<TcpStream>, BenchError> {
    let refused = |index: usize, source| refused(server, (index + 1, connections), source);
    let mut sessions = Vec::with_capacity(connections);
    for index in 0..connections {
        let session = Session::begin(address, index);
        sessions.push(session.map_err(|source| refused(index, source))?);
    }
    let mut streams = Vec::with_capacity(connections);
    for (index, mut session) in sessions.into_iter().enumerate() {
        let refused = |source| refused(index, source);
        if !session.granted().map_err(refused)? {
            return Err(BenchError::NoSession);
        }
        streams.push(session.into_stream().map_err(refused)?);
    }
    Ok(streams)
}
