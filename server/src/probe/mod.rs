//! `ringkeeper probe`: measures a disk as the log uses it, and says what that means.
//!
//! `peer`: the same of the way between two servers.

mod peer;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;
use tuning::drawing;
use tuning::placement::{PlacementOptions, placement};
use tuning::probe::{Costs, DiskReport, Effort, PeerError, ProbeError, Verdict, measure};
use tuning::profile::{DiskFacts, Machine, Made, made};
use tuning::{Kernel, Topology, TopologyError};

/// What to measure.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(
    after_long_help = "It writes a file of 128 MiB (less where there is less room) that has \
    no name, so nothing stays behind however it ends. Run it while nothing else uses the disk: \
    where figures do not come out the same twice, it says so.\n\n\
    Example: ringkeeper probe /var/lib/ringkeeper"
)]
pub struct ProbeArgs {
    /// A directory on the disk; the dataLogDir, or where it is to be.
    #[arg(value_name = "DIR", required_unless_present_any = ["peer", "listen"])]
    pub dir: Option<PathBuf>,

    /// How long, about; half as long again if figures do not come out the same twice.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub seconds: u32,

    /// Print all figures as JSON.
    #[arg(long)]
    pub json: bool,

    /// Draw the figures into this file, too: latency and rate by the size of a write.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["peer", "listen"])]
    pub svg: Option<PathBuf>,

    /// Write what follows from them into this file, as a profile for `ring.profile`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["peer", "listen"])]
    pub profile: Option<PathBuf>,

    /// Measure the way to another server instead, where `ringkeeper probe --listen` runs.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "dir")]
    pub peer: Option<String>,

    /// Let another server measure the way to this one, until interrupted.
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["dir", "peer", "json"])]
    pub listen: Option<String>,
}

/// Why the command failed.
#[derive(Debug, Error)]
pub enum MeasureError {
    /// The disk.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The machine's own steps.
    #[error("the machine's own steps could not be measured: {0}")]
    Costs(#[source] io::Error),
    /// The other server.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The port is not available.
    #[error("cannot listen on {address}: {error}; give an address of this machine and a free port")]
    Listen {
        /// Where.
        address: String,
        /// The kernel's answer.
        #[source]
        error: io::Error,
    },
    /// The machine.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The profile.
    #[error("{path} cannot be written: {1}", path = .0.display())]
    File(PathBuf, #[source] io::Error),
    /// Its output.
    #[error("cannot write the output: {0}")]
    Output(#[source] io::Error),
}

/// `ringkeeper probe`.
///
/// # Errors
/// The disk cannot be measured, or the other server does not answer.
pub fn probe(args: &ProbeArgs, out: &mut impl Write) -> Result<(), MeasureError> {
    match args {
        ProbeArgs { listen: Some(address), .. } => peer::answer(address, out),
        ProbeArgs { peer: Some(address), seconds, json, .. } => {
            peer::measure(address, *seconds, *json, out)
        }
        ProbeArgs { dir: Some(dir), .. } => probe_disk(dir, args, out),
        ProbeArgs { dir: None, .. } => unreachable!("clap requires one of the three"),
    }
}

/// Drawn on a terminal only.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {pos} of {len}, {eta} left")
            .expect("the template is a constant"),
    );
    bar
}

fn probe_disk(dir: &Path, args: &ProbeArgs, out: &mut impl Write) -> Result<(), MeasureError> {
    let said = disk::probe::Probe::of(dir).map_err(ProbeError::from)?;
    let costs = Costs::measure().map_err(MeasureError::Costs)?;
    let bar = bar();
    let report = measure(dir, Effort::of_seconds(args.seconds), |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let verdict = Verdict::of(&report, &said);
    if let Some(path) = &args.profile {
        let topology = Topology::discover()?;
        let disk = DiskFacts::of(&Kernel::default(), dir, &said, None);
        let machine = Machine::of(&Kernel::default(), &topology, Some(&disk));
        let placed = placement(&topology, &PlacementOptions::default());
        let is_pinned = placed.loops.iter().all(|it| it.cpu.is_some());
        let measured = Made { report: &report, verdict: &verdict, costs: &costs, is_pinned };
        let text = made("measured", machine, measured).text();
        std::fs::write(path, text).map_err(|error| MeasureError::File(path.clone(), error))?;
    }
    if let Some(path) = &args.svg {
        let drawn = std::fs::write(path, drawing::curve(&report));
        drawn.map_err(|error| MeasureError::File(path.clone(), error))?;
    }
    let text = if args.json {
        let all = json!({
            "version": 1,
            "directory": dir.display().to_string(),
            "file_system": said.file_system,
            "costs": costs,
            "disk": report,
            "verdict": verdict,
        });
        format!("{all:#}\n")
    } else {
        table(&report) + &bars(&report, &verdict) + &sentences(&costs, &verdict)
    };
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(MeasureError::Output)
}

/// Durable writes, a line for each.
fn table(report: &DiskReport) -> String {
    let head = format!(
        "{:9} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10} {:>8}\n",
        "durable",
        "bytes",
        "in flight",
        "p50 us",
        "p90 us",
        "p99 us",
        "max us",
        "a second",
        "MiB/s"
    );
    let lines = report.points.iter().map(|point| {
        let mark = if point.is_steady() { "" } else { "  not steady" };
        format!(
            "{:9} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>10.0} {:>8.0}{mark}\n",
            point.durability,
            point.bytes,
            point.slots,
            point.p50_us,
            point.p90_us,
            point.p99_us,
            point.max_us,
            point.per_second,
            point.mib_per_second()
        )
    });
    head + &lines.collect::<String>()
}

/// How long a write takes that is durable as is advised, by its size: a bar for each, in which
/// every four signs are twice as long.
fn bars(report: &DiskReport, verdict: &Verdict) -> String {
    let points = report.points.iter();
    let lone = points.filter(|it| it.durability == verdict.durability && it.slots == 1);
    let lines = lone.map(|point| {
        let signs = (4.0 * (point.p50_us.max(1) as f64).log2()).round() as usize;
        format!("{:>5} KiB {} {} us\n", point.bytes >> 10, "#".repeat(signs.max(1)), point.p50_us)
    });
    format!("\n{}, one in flight:\n{}", verdict.durability, lines.collect::<String>())
}

fn sentences(costs: &Costs, verdict: &Verdict) -> String {
    let Costs { clock_read_ns, system_call_ns, wake_ns } = costs;
    let mut lines = vec![
        String::new(),
        format!(
            "A clock read takes {clock_read_ns} ns, a system call {system_call_ns} ns, waking \
             another thread {wake_ns} ns."
        ),
    ];
    lines.extend(verdict.reasons.iter().cloned());
    let Verdict { durability, slots, .. } = verdict;
    lines.push(format!("Advised: ring.log.durability={durability}, ring.log.slots={slots}"));
    lines.join("\n") + "\n"
}
