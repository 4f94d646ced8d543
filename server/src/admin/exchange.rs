//! One word: its argument, its answer, its end.

use super::WordRequest;
use super::answer::Desk;
use super::limits::{LINGER_BYTES_MAX, LINGER_TIMEOUT, PACKET_BYTES, STALL_TIMEOUT};
use super::room::Held;
use super::text;
use net::client::FourLetterWord;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How often a peer that reads nothing is checked.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Counts a connection as long as it lives.
struct Open<'a>(&'a AtomicU64);

impl<'a> Open<'a> {
    fn count(counter: &'a AtomicU64) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers and closes. A peer that disconnects, or reads nothing, costs no more than its timeout.
pub(super) async fn converse(desk: &Desk, request: WordRequest, lingering: &Arc<Semaphore>) {
    let name = request.word.name();
    match exchange(desk, request).await {
        // The word is answered; a peer that has not closed its side does not delay other answers.
        Ok(Some(mut socket)) => {
            if let Ok(_place) = lingering.try_acquire() {
                linger(&mut socket).await;
            }
        }
        Ok(None) => {}
        Err(error) => tracing::debug!(word = name, %error, "the answer could not be sent"),
    }
}

/// Answers a word. Returns the socket to be closed once its peer has read the answer.
async fn exchange(desk: &Desk, request: WordRequest) -> io::Result<Option<TcpStream>> {
    let WordRequest { socket, word, rest, seat } = request;
    desk.received.fetch_add(1, Ordering::Relaxed);
    let open = Open::count(&desk.open);
    let socket = std::net::TcpStream::from(socket);
    socket.set_nonblocking(true)?;
    let mut socket = TcpStream::from_std(socket)?;
    let peer = socket.peer_addr()?;
    if word == FourLetterWord::TelnetClose {
        // Its user wants to disconnect, not to read.
        return Ok(None);
    }
    if desk.allows(word) {
        tracing::debug!(word = word.name(), %peer, "a four-letter word");
        let argument = match word.argument_bytes() {
            0 => 0,
            _ => i64::from_be_bytes(argument(&mut socket, &rest).await?),
        };
        let answer = desk.answer(word, argument, peer).await?;
        send(desk, &mut socket, &answer.bytes, &answer.held).await?;
    } else {
        tracing::debug!(word = word.name(), %peer, "the word is not enabled");
        let refusal = text::not_enabled(word.name());
        send(desk, &mut socket, refusal.as_bytes(), &Held::none()).await?;
    }
    drop((open, seat));
    Ok(Some(socket))
}

/// The eight bytes after a word, some of which were received with it.
async fn argument(socket: &mut TcpStream, rest: &[u8]) -> io::Result<[u8; 8]> {
    let mut argument = [0; 8];
    let received = rest.len().min(argument.len());
    argument[..received].copy_from_slice(&rest[..received]);
    if received < argument.len() {
        timeout(STALL_TIMEOUT, socket.read_exact(&mut argument[received..])).await??;
    }
    Ok(argument)
}

async fn send(
    desk: &Desk,
    socket: &mut TcpStream,
    mut bytes: &[u8],
    held: &Held,
) -> io::Result<()> {
    let packets = bytes.len().div_ceil(PACKET_BYTES) as u64;
    let begun = Instant::now();
    while !bytes.is_empty() {
        let sent = some_sent(socket, bytes, begun, held).await?;
        if sent == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[sent..];
    }
    desk.sent.fetch_add(packets, Ordering::Relaxed);
    socket.shutdown().await
}

/// Sends as much as the peer accepts now.
async fn some_sent(
    socket: &mut TcpStream,
    bytes: &[u8],
    begun: Instant,
    held: &Held,
) -> io::Result<usize> {
    let stalled = Instant::now();
    let mut write = pin!(socket.write(bytes));
    loop {
        if let Ok(sent) = timeout(LOOK_EVERY, &mut write).await {
            return sent;
        }
        if held.is_overdue(stalled.elapsed(), begun.elapsed()) {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

/// Closing a socket with unread bytes, such as the newline after a word, resets the connection, and
/// the peer may lose its answer. So the peer closes first, if it does so soon.
async fn linger(socket: &mut TcpStream) {
    let drained = async {
        let (mut bytes, mut read) = ([0; 512], 0);
        while read < LINGER_BYTES_MAX {
            match socket.read(&mut bytes).await {
                Ok(0) | Err(_) => break,
                Ok(count) => read += count,
            }
        }
    };
    timeout(LINGER_TIMEOUT, drained).await.ok();
}
