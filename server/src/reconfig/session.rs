//! A session of a client that waits for each reply.

use super::error::ReconfigError;
use model::error::ErrorCode;
use model::jute::{self, JuteReader};
use model::op::Op;
use model::response::xid;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long a server may take to answer: a change waits for two quorums.
const ANSWER_MAX: Duration = Duration::from_secs(30);
const CONNECT_MAX: Duration = Duration::from_secs(5);
const TIMEOUT_MS: i32 = 30_000;
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u32 = 4 << 20;

/// Where a reply's body begins.
const BODY: usize = 16;

/// The node of the configuration.
const CONFIGURATION: &[u8] = b"/zookeeper/config";

/// A session.
pub(super) struct Session {
    /// Whose.
    pub(super) server: String,
    stream: TcpStream,
    xid: i32,
}

/// What a server answered.
pub(super) struct Answer {
    code: i32,
    frame: Vec<u8>,
}

impl Answer {
    /// Its error; 0 if there is none.
    pub(super) fn code(&self) -> i32 {
        self.code
    }

    /// The data of a node that it brings.
    pub(super) fn data(&self) -> Vec<u8> {
        let data = JuteReader::new(&self.frame[BODY..]).buffer().ok().flatten();
        data.unwrap_or_default().to_vec()
    }
}

impl Session {
    /// Opens one at the first server that gives one.
    pub(super) fn open(servers: &[String]) -> Result<Self, ReconfigError> {
        let mut last = None;
        for server in servers {
            match Self::at(server) {
                Ok(session) => return Ok(session),
                Err(source) => {
                    let server = server.clone();
                    last = Some(ReconfigError::NoSession { server, source });
                }
            }
        }
        Err(last.expect("the command line names a server"))
    }

    fn at(server: &str) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in server.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_MAX) {
                Ok(stream) => return Self::greet(server, stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn greet(server: &str, stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_write_timeout(Some(ANSWER_MAX))?;
        let mut session = Self { server: server.to_owned(), stream, xid: 0 };
        let mut connect = Vec::new();
        jute::put_int(&mut connect, 0);
        jute::put_long(&mut connect, 0);
        jute::put_int(&mut connect, TIMEOUT_MS);
        jute::put_long(&mut connect, 0);
        jute::put_buffer(&mut connect, Some(&[0; 16]));
        jute::put_bool(&mut connect, false);
        session.send(&connect)?;
        let frame = session.receive()?;
        let mut granted = JuteReader::new(&frame);
        let timeout_ms = granted.int().and_then(|_| granted.int());
        match timeout_ms {
            Ok(1..) => Ok(session),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it gave no session")),
        }
    }

    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(4 + packet.len());
        jute::put_length(&mut frame, packet.len());
        frame.extend_from_slice(packet);
        self.stream.write_all(&frame)
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length > ANSWER_BYTES_MAX {
            let what = "what it sends is not ZooKeeper's protocol";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let mut frame = vec![0; length as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(frame)
    }

    fn exchange(&mut self, xid: i32, op: Op, body: &[u8]) -> io::Result<Answer> {
        let mut packet = Vec::with_capacity(8 + body.len());
        jute::put_int(&mut packet, xid);
        jute::put_int(&mut packet, op as i32);
        packet.extend_from_slice(body);
        self.send(&packet)?;
        loop {
            let frame = self.receive()?;
            let mut header = JuteReader::new(&frame);
            let short = |_| io::Error::from(io::ErrorKind::InvalidData);
            let found = header.int().map_err(short)?;
            let code = header.long().and_then(|_| header.int()).map_err(short)?;
            if found == xid {
                return Ok(Answer { code, frame });
            }
        }
    }

    /// Sends a request and waits for its answer.
    fn call(&mut self, op: Op, body: &[u8]) -> Result<Answer, ReconfigError> {
        self.xid += 1;
        let answer = self.exchange(self.xid, op, body);
        answer.map_err(|source| self.lost(source))
    }

    fn lost(&self, source: io::Error) -> ReconfigError {
        ReconfigError::Lost { server: self.server.clone(), source }
    }

    /// Adds credentials.
    pub(super) fn authenticate(&mut self, text: &str) -> Result<(), ReconfigError> {
        let (scheme, credentials) = text.split_once(':').ok_or(ReconfigError::Auth)?;
        let mut body = Vec::new();
        jute::put_int(&mut body, 0);
        jute::put_string(&mut body, scheme.as_bytes());
        jute::put_buffer(&mut body, Some(credentials.as_bytes()));
        let answer = self.exchange(xid::AUTH, Op::Auth, &body);
        let answer = answer.map_err(|source| self.lost(source))?;
        self.taken(&answer, "the credentials of --auth")
    }

    /// The text of the configuration, as this server has it after what was committed before.
    pub(super) fn configuration(&mut self) -> Result<Vec<u8>, ReconfigError> {
        let mut body = Vec::new();
        jute::put_string(&mut body, CONFIGURATION);
        self.call(Op::Sync, &body)?;
        jute::put_bool(&mut body, false);
        let answer = self.call(Op::GetData, &body)?;
        if answer.code() == ErrorCode::NoNode as i32 {
            return Err(ReconfigError::NoConfiguration(self.server.clone()));
        }
        self.taken(&answer, "to show /zookeeper/config")?;
        Ok(answer.data())
    }

    /// What a change is answered. `from` is the version that it is to follow, -1 for any.
    pub(super) fn change(&mut self, change: &Change, from: i64) -> Result<Answer, ReconfigError> {
        let mut body = Vec::new();
        for text in [&change.joining, &change.leaving, &change.members] {
            jute::put_buffer(&mut body, text.as_deref().map(str::as_bytes));
        }
        jute::put_long(&mut body, from);
        self.call(Op::Reconfig, &body)
    }

    /// What a write to the configuration's node would be answered, but for its version, which no
    /// node has: `BadVersion` of a client that may write.
    pub(super) fn write_in_vain(&mut self) -> Result<Answer, ReconfigError> {
        let mut body = Vec::new();
        jute::put_string(&mut body, CONFIGURATION);
        jute::put_buffer(&mut body, None);
        jute::put_int(&mut body, NO_VERSION as i32);
        self.call(Op::SetData, &body)
    }

    /// Ends it.
    pub(super) fn close(mut self) {
        // Nothing depends on the answer: the session expires otherwise.
        let _ = self.call(Op::CloseSession, &[]);
    }

    fn taken(&self, answer: &Answer, what: &'static str) -> Result<(), ReconfigError> {
        match answer.code() {
            0 => Ok(()),
            code => {
                let code = super::error::named(code);
                Err(ReconfigError::Refused { server: self.server.clone(), what, code })
            }
        }
    }
}

/// A version that neither a node nor a configuration ever has.
pub(super) const NO_VERSION: i64 = -2;

/// A change, as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Lines of servers to add or to change, with commas between them.
    pub(super) joining: Option<String>,
    /// Numbers of servers to remove, with commas between them.
    pub(super) leaving: Option<String>,
    /// All lines.
    pub(super) members: Option<String>,
}
