//! `ringkeeper probe`: measures a disk as the log uses it, and says what that means.

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;
use thiserror::Error;
use tuning::placement::{PlacementOptions, placement};
use tuning::probe::{Costs, DiskReport, Effort, ProbeError, Verdict, measure};
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
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,

    /// How long, about; half as long again if figures do not come out the same twice.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub seconds: u32,

    /// Print all figures as JSON.
    #[arg(long)]
    pub json: bool,

    /// Write what follows from them into this file, as a profile for `ring.profile`.
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
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
/// The disk cannot be measured.
pub fn probe(args: &ProbeArgs, out: &mut impl Write) -> Result<(), MeasureError> {
    let said = disk::probe::Probe::of(&args.dir).map_err(ProbeError::from)?;
    let costs = Costs::measure().map_err(MeasureError::Costs)?;
    // Drawn on a terminal only.
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {pos} of {len}, {eta} left")
            .expect("the template is a constant"),
    );
    let report = measure(&args.dir, Effort::of_seconds(args.seconds), |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let verdict = Verdict::of(&report, &said);
    if let Some(path) = &args.profile {
        let topology = Topology::discover()?;
        let disk = DiskFacts::of(&Kernel::default(), &args.dir, &said, None);
        let machine = Machine::of(&Kernel::default(), &topology, &disk);
        let placed = placement(&topology, &PlacementOptions::default());
        let is_pinned = placed.loops.iter().all(|it| it.cpu.is_some());
        let measured = Made { report: &report, verdict: &verdict, costs: &costs, is_pinned };
        let text = made("measured", machine, measured).text();
        std::fs::write(path, text).map_err(|error| MeasureError::File(path.clone(), error))?;
    }
    let text = if args.json {
        let all = json!({
            "version": 1,
            "directory": args.dir.display().to_string(),
            "file_system": said.file_system,
            "costs": costs,
            "disk": report,
            "verdict": verdict,
        });
        format!("{all:#}\n")
    } else {
        table(&report) + &sentences(&costs, &verdict)
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
