//! What lies between two servers: how long a message takes there and back, and how much goes
//! through.
//!
//! One side listens ([`answer`]), the other one measures ([`measure_peer`]). A connection begins
//! with a word that nothing else sends; then the measuring side asks, one thing at a time, and what
//! it can ask for is bounded.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use thiserror::Error;

/// The first bytes in both directions: the name and the version of what is spoken.
const HELLO: &[u8; 8] = b"RKprobe1";
/// A message of the size of a short proposal.
const MESSAGE_BYTES: usize = 128;
/// Bytes that are asked for at a time.
const BULK_BYTES: u64 = 4 << 20;
const CHUNK_BYTES: usize = 64 << 10;
/// Who is silent for so long is gone.
const SILENT_MAX: Duration = Duration::from_secs(5);
const LATENCY_MAX_US: u64 = 60_000_000;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Ask {
    /// The same message back.
    Echo = b'e',
    /// One byte when all of the bulk is there.
    Take = b't',
    /// The bulk.
    Give = b'g',
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeerReport {
    /// How many messages went there and back.
    pub messages: u64,
    /// Half of them took no longer, in microseconds.
    pub p50_us: u64,
    /// 99 of 100.
    pub p99_us: u64,
    /// All.
    pub max_us: u64,
    /// MiB a second to the other side, and back.
    pub mib_per_second: [f64; 2],
}

/// Why nothing was measured.
#[derive(Debug, Error)]
pub enum PeerError {
    /// Nobody listens, or the connection ended.
    #[error(
        "{address}: {error}; `ringkeeper probe --listen {address}` has to run there, and the port \
         to be open"
    )]
    Link {
        /// Where.
        address: String,
        /// The kernel's answer.
        error: io::Error,
    },
    /// Something else answers there.
    #[error(
        "{address} does not answer as `ringkeeper probe --listen` of this version does: another \
         program has that port"
    )]
    Stranger {
        /// Where.
        address: String,
    },
}

/// Answers one connection until it ends.
///
/// # Errors
/// The other side is not one of ours, or falls silent.
pub fn answer(mut link: TcpStream) -> io::Result<()> {
    prepare(&link)?;
    let mut hello = [0; HELLO.len()];
    link.read_exact(&mut hello)?;
    if hello != *HELLO {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a probe of this version"));
    }
    link.write_all(HELLO)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let mut ask = [0];
        match link.read(&mut ask)? {
            0 => return Ok(()),
            _ if ask[0] == Ask::Echo as u8 => {
                link.read_exact(&mut chunk[..MESSAGE_BYTES])?;
                link.write_all(&chunk[..MESSAGE_BYTES])?;
            }
            _ if ask[0] == Ask::Take as u8 => {
                take(&mut link, &mut chunk)?;
                link.write_all(&[1])?;
            }
            _ if ask[0] == Ask::Give as u8 => give(&mut link, &chunk)?,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "an unknown request")),
        }
    }
}

/// Answers one connection after the other, for ever. `report` is told who came, and how it ended.
pub fn listen(listener: &TcpListener, mut report: impl FnMut(SocketAddr, io::Result<()>)) -> ! {
    loop {
        match listener.accept() {
            Ok((link, from)) => report(from, answer(link)),
            // A connection that was gone before it was taken, or no file left for it: the next one
            // may find more.
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Measures for about so long. `progress` is told how much of three parts is done.
///
/// # Errors
/// Nobody answers at the address, or not as expected.
pub fn measure_peer(
    address: &str,
    time: Duration,
    mut progress: impl FnMut(usize, usize),
) -> Result<PeerReport, PeerError> {
    let failed = |error| PeerError::Link { address: address.to_owned(), error };
    let mut link = TcpStream::connect(address).map_err(failed)?;
    prepare(&link).map_err(failed)?;
    link.write_all(HELLO).map_err(failed)?;
    let mut hello = [0; HELLO.len()];
    let is_ours = link.read_exact(&mut hello).is_ok() && hello == *HELLO;
    if !is_ours {
        return Err(PeerError::Stranger { address: address.to_owned() });
    }
    let part = time / 3;
    progress(0, 3);
    let latencies = echoes(&mut link, part).map_err(failed)?;
    progress(1, 3);
    let there = bulk(&mut link, Ask::Take, part).map_err(failed)?;
    progress(2, 3);
    let back = bulk(&mut link, Ask::Give, part).map_err(failed)?;
    progress(3, 3);
    Ok(PeerReport {
        messages: latencies.len(),
        p50_us: latencies.value_at_quantile(0.5),
        p99_us: latencies.value_at_quantile(0.99),
        max_us: latencies.max(),
        mib_per_second: [there, back],
    })
}

fn prepare(link: &TcpStream) -> io::Result<()> {
    link.set_nodelay(true)?;
    link.set_read_timeout(Some(SILENT_MAX))?;
    link.set_write_timeout(Some(SILENT_MAX))
}

fn echoes(link: &mut TcpStream, time: Duration) -> io::Result<Histogram<u64>> {
    let mut latencies = Histogram::new_with_bounds(1, LATENCY_MAX_US, 3).expect("constants");
    let mut message = [0; 1 + MESSAGE_BYTES];
    message[0] = Ask::Echo as u8;
    let mut back = [0; MESSAGE_BYTES];
    let start = Instant::now();
    while start.elapsed() < time || latencies.is_empty() {
        let since = Instant::now();
        link.write_all(&message)?;
        link.read_exact(&mut back)?;
        let us = since.elapsed().as_micros().min(u128::from(LATENCY_MAX_US)) as u64;
        latencies.saturating_record(us.max(1));
    }
    Ok(latencies)
}

/// MiB a second in one direction.
fn bulk(link: &mut TcpStream, ask: Ask, time: Duration) -> io::Result<f64> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let start = Instant::now();
    let mut bytes = 0;
    while start.elapsed() < time || bytes == 0 {
        link.write_all(&[ask as u8])?;
        if ask == Ask::Take {
            give(link, &chunk)?;
            link.read_exact(&mut chunk[..1])?;
        } else {
            take(link, &mut chunk)?;
        }
        bytes += BULK_BYTES;
    }
    Ok(bytes as f64 / f64::from(1 << 20) / start.elapsed().as_secs_f64())
}

fn give(link: &mut TcpStream, chunk: &[u8]) -> io::Result<()> {
    (0..BULK_BYTES / chunk.len() as u64).try_for_each(|_| link.write_all(chunk))
}

fn take(link: &mut TcpStream, chunk: &mut [u8]) -> io::Result<()> {
    (0..BULK_BYTES / chunk.len() as u64).try_for_each(|_| link.read_exact(chunk))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn listening() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || listen(&listener, |_, _| ()));
        address
    }

    #[test]
    fn messages_go_there_and_back() {
        let address = listening();
        for _ in 0..2 {
            let mut parts = Vec::new();
            let report = measure_peer(&address, Duration::ZERO, |done, _| parts.push(done));
            let report = report.unwrap();
            assert_eq!((report.messages, parts), (1, vec![0, 1, 2, 3]));
            assert!(report.mib_per_second.iter().all(|rate| *rate > 0.0), "{report:?}");
        }
    }

    #[test]
    fn others_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stranger = thread::spawn(move || {
            let (mut link, _) = listener.accept().unwrap();
            link.write_all(b"HTTP/1.1 400 Bad Request\r\n").unwrap();
        });
        let said = measure_peer(&address, Duration::ZERO, |_, _| ()).unwrap_err().to_string();
        assert!(said.contains("another program has that port"), "{said}");
        stranger.join().unwrap();
        let said = measure_peer(&address, Duration::ZERO, |_, _| ()).unwrap_err().to_string();
        assert!(said.contains(&format!("probe --listen {address}")), "{said}");
        // A stranger who connects is answered nothing, and the next one is served.
        let address = listening();
        let mut link = TcpStream::connect(&address).unwrap();
        link.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = link.read_to_end(&mut answer);
        assert!(answer.is_empty());
        measure_peer(&address, Duration::ZERO, |_, _| ()).unwrap();
    }
}
