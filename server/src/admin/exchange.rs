//! One word: its argument, its answer, its end.

use super::WordRequest;
use super::answer::Desk;
use super::limits::{LINGER_BYTES_MAX, LINGER_TIMEOUT, PACKET_BYTES, STALL_TIMEOUT, WORD_TIMEOUT};
use super::text;
use net::client::FourLetterWord;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

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

/// Answers and closes. A peer that leaves, or takes nothing, costs no more than its time.
pub(super) async fn converse(desk: &Desk, request: WordRequest) {
    let name = request.word.name();
    match timeout(WORD_TIMEOUT, exchange(desk, request)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(word = name, %error, "the answer could not be sent"),
        Err(_) => tracing::debug!(word = name, "the answer took too long"),
    }
}

async fn exchange(desk: &Desk, request: WordRequest) -> io::Result<()> {
    let WordRequest { socket, word, rest } = request;
    desk.received.fetch_add(1, Ordering::Relaxed);
    let open = Open::count(&desk.open);
    let socket = std::net::TcpStream::from(socket);
    socket.set_nonblocking(true)?;
    let mut socket = TcpStream::from_std(socket)?;
    let peer = socket.peer_addr()?;
    if word == FourLetterWord::TelnetClose {
        // Its user wants to leave, not to read.
        return Ok(());
    }
    if !desk.allows(word) {
        tracing::debug!(word = word.name(), %peer, "the word is not enabled");
        send(desk, &mut socket, text::not_enabled(word.name()).as_bytes()).await?;
        drop(open);
        return linger(&mut socket).await;
    }
    tracing::debug!(word = word.name(), %peer, "a four-letter word");
    let argument = match word.argument_bytes() {
        0 => 0,
        _ => i64::from_be_bytes(argument(&mut socket, &rest).await?),
    };
    let answer = desk.answer(word, argument, peer).await;
    send(desk, &mut socket, &answer.bytes).await?;
    drop((answer, open));
    linger(&mut socket).await
}

/// The eight bytes behind a word, of which some have been received with it.
async fn argument(socket: &mut TcpStream, rest: &[u8]) -> io::Result<[u8; 8]> {
    let mut argument = [0; 8];
    let received = rest.len().min(argument.len());
    argument[..received].copy_from_slice(&rest[..received]);
    if received < argument.len() {
        timeout(STALL_TIMEOUT, socket.read_exact(&mut argument[received..])).await??;
    }
    Ok(argument)
}

async fn send(desk: &Desk, socket: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    let packets = bytes.len().div_ceil(PACKET_BYTES) as u64;
    while !bytes.is_empty() {
        let sent = timeout(STALL_TIMEOUT, socket.write(bytes)).await??;
        if sent == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[sent..];
    }
    desk.sent.fetch_add(packets, Ordering::Relaxed);
    socket.shutdown().await
}

/// Closing while unread bytes are there, such as the newline behind a word, resets the connection,
/// and the peer may lose its answer. So the peer goes first, if it goes soon.
async fn linger(socket: &mut TcpStream) -> io::Result<()> {
    let drained = async {
        let (mut bytes, mut read) = ([0; 512], 0);
        while read < LINGER_BYTES_MAX {
            match socket.read(&mut bytes).await? {
                0 => break,
                count => read += count,
            }
        }
        Ok(())
    };
    timeout(LINGER_TIMEOUT, drained).await.unwrap_or(Ok(()))
}
