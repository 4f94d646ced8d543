//! A client that waits for each reply: it opens sessions, for the loop of a single operation or to
//! measure the sessions themselves.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};

use super::error::BenchError;
use super::limits::{ANSWER_WAIT, REPLY_BYTES_MAX, SESSION_TIMEOUT_MS};
use super::source;
use super::wire::{self, ReplyCutter, ReplyHead, SessionKey};

/// Finds the server's first address.
pub(super) fn resolve(server: &str) -> Result<SocketAddr, BenchError> {
    let failed = |source| BenchError::Address { server: server.into(), source };
    let mut found = server.to_socket_addrs().map_err(failed)?;
    found.next().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

/// A connection that has a session or is opening one.
pub(super) struct BlockingClient {
    stream: TcpStream,
    xid: i32,
    out: Vec<u8>,
    /// The last frame received, its length included.
    frame: Vec<u8>,
}

impl BlockingClient {
    /// Connects as number `number` and sends the connect request; `granted` receives the answer.
    pub(super) fn begin(address: SocketAddr, number: usize) -> Result<Self, io::Error> {
        let stream = source::connect(address, number)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        let mut client = Self { stream, xid: 0, out: Vec::new(), frame: Vec::new() };
        wire::put_connect(&mut client.out, 0, SESSION_TIMEOUT_MS, &SessionKey::none());
        client.stream.write_all(&client.out)?;
        Ok(client)
    }

    /// Waits for the answer to the connect request.
    pub(super) fn granted(&mut self) -> Result<bool, io::Error> {
        self.read_frame()?;
        Ok(matches!(SessionKey::parse_grant(&self.frame[4..]), Ok(Some(_))))
    }

    fn read_frame(&mut self) -> Result<(), io::Error> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length > REPLY_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.frame.clear();
        self.frame.extend_from_slice(&length.to_be_bytes());
        self.frame.resize(4 + length as usize, 0);
        self.stream.read_exact(&mut self.frame[4..])
    }

    /// Sends a request, given its xid to write, and waits for its reply.
    pub(super) fn call(
        &mut self,
        put: impl FnOnce(&mut Vec<u8>, i32),
    ) -> Result<ReplyHead, BenchError> {
        self.xid += 1;
        self.out.clear();
        put(&mut self.out, self.xid);
        self.stream.write_all(&self.out).map_err(BenchError::BrokenIo)?;
        self.read_frame().map_err(BenchError::BrokenIo)?;
        let found = self.frame.len() as u32 - 4;
        let short = BenchError::Short { expected: wire::REPLY_BYTES_MIN, found };
        let reply = ReplyCutter::default().next(&mut &self.frame[..])?.ok_or(short)?;
        if reply.xid != self.xid {
            return Err(BenchError::Xid { expected: self.xid, found: reply.xid });
        }
        Ok(reply)
    }

    /// Ends the session and waits for the answer.
    pub(super) fn close(mut self) -> Result<ReplyHead, BenchError> {
        self.call(wire::put_close)
    }

    fn into_stream(self) -> Result<TcpStream, io::Error> {
        self.stream.set_read_timeout(None)?;
        Ok(self.stream)
    }
}

/// The error of a connection that got no session.
fn refused(
    server: &str,
    (connection, connections): (usize, usize),
    source: io::Error,
) -> BenchError {
    match source.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => BenchError::Handshake { connection, connections, source },
        _ => BenchError::Connect { server: server.into(), source },
    }
}

/// Opens one session.
pub(super) fn open(server: &str, address: SocketAddr) -> Result<BlockingClient, BenchError> {
    let refused = |source| refused(server, (1, 1), source);
    let mut client = BlockingClient::begin(address, 0).map_err(refused)?;
    if client.granted().map_err(refused)? { Ok(client) } else { Err(BenchError::NoSession) }
}

/// Opens so many sessions: the connect requests first, then the answers.
pub(super) fn open_all(
    server: &str,
    address: SocketAddr,
    connections: usize,
) -> Result<Vec<TcpStream>, BenchError> {
    let refused = |index: usize, source| refused(server, (index + 1, connections), source);
    let mut clients = Vec::with_capacity(connections);
    for index in 0..connections {
        let client = BlockingClient::begin(address, index);
        clients.push(client.map_err(|source| refused(index, source))?);
    }
    let mut streams = Vec::with_capacity(connections);
    for (index, mut client) in clients.into_iter().enumerate() {
        let refused = |source| refused(index, source);
        if !client.granted().map_err(refused)? {
            return Err(BenchError::NoSession);
        }
        streams.push(client.into_stream().map_err(refused)?);
    }
    Ok(streams)
}
