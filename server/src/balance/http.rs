//! One request to an admin server, by a blocking socket.

use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long a server may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// A status, and what was answered; null if that is no JSON.
pub(super) type Answer = (u16, Value);

/// What is asked, beside the path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask<'a> {
    /// Nothing.
    Get,
    /// A body, and the header `Authorization`.
    Post { body: &'a Value, authorization: &'a str },
}

/// Sends a request and waits for its answer.
///
/// # Errors
/// The server cannot be reached, is silent, or does not speak HTTP.
pub(super) fn request(server: &str, path: &str, ask: Ask<'_>) -> io::Result<Answer> {
    let head = |method| format!("{method} {path} HTTP/1.0\r\nHost: {server}\r\n");
    let text = match ask {
        Ask::Get => head("GET") + "\r\n",
        Ask::Post { body, authorization } => {
            let body = body.to_string();
            format!(
                "{}Authorization: {authorization}\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                head("POST"),
                body.len()
            )
        }
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in server.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, ANSWER_MAX) {
            Ok(stream) => return exchange(stream, &text),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn exchange(mut stream: TcpStream, text: &str) -> io::Result<Answer> {
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    stream.write_all(text.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).map_err(|error| match error.kind() {
        // What the socket's own timeout is called.
        io::ErrorKind::WouldBlock => {
            let seconds = ANSWER_MAX.as_secs();
            io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {seconds} s"))
        }
        _ => error,
    })?;
    parse(&String::from_utf8_lossy(&answer))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "what it answers is not HTTP"))
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut words = head.lines().next()?.split(' ');
    let is_http = words.next()?.starts_with("HTTP/");
    let status = words.next()?.parse().ok().filter(|_| is_http)?;
    Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use serde_json::{Value, json};

    #[test]
    fn an_answer_is_a_status_and_json() {
        let text = "HTTP/1.0 403 Forbidden\r\ncontent-type: x\r\n\r\n{ \"error\" : \"no\" }";
        assert_eq!(parse(text), Some((403, json!({ "error": "no" }))));
        assert_eq!(parse("HTTP/1.1 404 Not Found\r\n\r\nnothing"), Some((404, Value::Null)));
        for other in ["", "HTTP/1.0 200 OK\r\n", "SSH-2.0 200 x\r\n\r\n", "imok"] {
            assert_eq!(parse(other), None);
        }
    }
}
