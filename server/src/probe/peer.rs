//! `ringkeeper probe --listen` and `--peer`: what lies between two servers.

use super::{MeasureError, bar};
use serde_json::json;
use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;
use tuning::probe::{PeerReport, listen, measure_peer};

/// Answers those who measure, until it is interrupted.
pub(super) fn answer(address: &str, out: &mut impl Write) -> Result<(), MeasureError> {
    let cannot = |error| MeasureError::Listen { address: address.to_owned(), error };
    let listener = TcpListener::bind(address).map_err(cannot)?;
    let bound = listener.local_addr().map_err(cannot)?;
    let said = writeln!(out, "listening on {bound}; end with Ctrl-C").and_then(|()| out.flush());
    said.map_err(MeasureError::Output)?;
    listen(&listener, |from, ended| {
        // Nobody may be there to read it: what is measured does not depend on that.
        let _ = match ended {
            Ok(()) => writeln!(out, "measured from {from}"),
            Err(error) => writeln!(out, "{from}: {error}"),
        };
        let _ = out.flush();
    })
}

/// Measures the way to another one.
pub(super) fn measure(
    address: &str,
    seconds: u32,
    is_json: bool,
    out: &mut impl Write,
) -> Result<(), MeasureError> {
    let bar = bar();
    let report = measure_peer(address, Duration::from_secs(seconds.into()), |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let text = if is_json {
        format!("{:#}\n", json!({ "version": 1, "peer": address, "link": report }))
    } else {
        sentences(address, &report)
    };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(MeasureError::Output)
}

fn sentences(address: &str, report: &PeerReport) -> String {
    let PeerReport { messages, p50_us, p99_us, max_us, mib_per_second: [there, back] } = report;
    format!(
        "A message takes {p50_us} us to {address} and back (99 of 100: {p99_us} us; at most \
         {max_us} us; {messages} were sent).\n\
         {there:.0} MiB a second go there, {back:.0} come back.\n\
         A write of an ensemble waits for that way once, beside the disks: about {p50_us} us.\n"
    )
}
