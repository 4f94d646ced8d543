//! `tune measure`: what each change is worth on this machine, before and after.
//!
//! A server of its own runs on the log's disk under a short load, without the change and with it,
//! in turn: round by round, so that what else happens on the machine meets both. A change helps if
//! it was better in every round, and by more than nothing.

use super::apply::{apply, undo};
use super::args::{ApplyArgs, MachineArgs, MeasureArgs, UndoArgs};
use super::error::TuneError;
use super::{chosen, record, sources_of};
use crate::config::{self, Config, decided};
use crate::serve::ServeError;
use serde_json::Value;
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The least gain that is called one.
const GAIN_MIN: f64 = 1.01;
/// Name, arguments of the generator, what is read of its page, and whether less is better.
const LOADS: [(&str, &[&str], &str, bool); 3] = [
    ("lone set, us", &["--op", "set", "--connections", "1", "--pipeline", "1"], "set_us_p50", true),
    ("sets/s, 64", &["--op", "set", "--connections", "32", "--pipeline", "2"], "ops_per_s", false),
    ("gets/s, 256", &["--op", "get", "--connections", "32", "--pipeline", "8"], "ops_per_s", false),
];
const NODES: &str = "1000";

/// The figures of one state of the machine in one round, by load.
type Figures = [f64; LOADS.len()];

/// What is tried: a name for the table, and which settings.
struct Step {
    name: String,
    only: Vec<String>,
    rounds: Vec<Figures>,
}

/// `tune measure`.
pub(super) fn measure(args: &MeasureArgs, out: &mut impl Write) -> Result<(), TuneError> {
    if record::read(&args.record)?.is_some_and(|record| !record.entries.is_empty()) {
        return Err(TuneError::Applied(args.record.clone()));
    }
    let settings = chosen(&args.machine)?;
    let mut names: Vec<String> = settings
        .iter()
        .filter(|it| !it.changes().is_empty())
        .map(|it| it.tuner.to_string())
        .collect();
    names.dedup();
    // What can be changed in part only would be measured in part only.
    let is_blocked = |name: &String| {
        let mut own = settings.iter().filter(|it| it.tuner.to_string() == *name);
        own.any(|it| it.changes().iter().any(|change| change.blocked.is_some()))
    };
    names.retain(|name| !is_blocked(name));
    if names.is_empty() {
        return say(out, "nothing to measure: what can be written from here is as advised");
    }
    let bench = Bench::new(&args.machine, args.seconds)?;
    let mut steps = vec![Step { name: "as it is".to_owned(), only: Vec::new(), rounds: vec![] }];
    for name in &names {
        steps.push(Step { name: name.clone(), only: vec![name.clone()], rounds: vec![] });
    }
    if names.len() > 1 {
        steps.push(Step { name: "all of these".to_owned(), only: names, rounds: vec![] });
    }
    let count = steps.len();
    for round in 0..args.rounds as usize {
        for turn in 0..count {
            // Another one begins in each round.
            let step = &mut steps[(turn + round) % count];
            let figures = with(args, &step.only, || bench.run())?;
            step.rounds.push(figures);
        }
    }
    out.write_all(table(&steps).as_bytes()).map_err(TuneError::Output)?;
    let helped: Vec<String> = steps[1..]
        .iter()
        .filter(|step| step.only.len() == 1 && step.gain(&steps[0]).helps())
        .flat_map(|step| step.only.clone())
        .collect();
    match (helped.is_empty(), args.keep) {
        (true, _) => say(out, "none of them helps here: nothing was changed"),
        (false, false) => say(
            out,
            &format!(
                "nothing was changed; to keep what helps: `ringkeeper tune apply --only {}`",
                helped.join(",")
            ),
        ),
        (false, true) => apply(&of(args, &helped), out),
    }
}

fn of(args: &MeasureArgs, only: &[String]) -> ApplyArgs {
    let machine = MachineArgs { only: only.to_vec(), ..args.machine.clone() };
    ApplyArgs { dry_run: false, record: args.record.clone(), machine }
}

/// Measures while these settings are changed. They are put back also if it fails.
fn with(
    args: &MeasureArgs,
    only: &[String],
    run: impl FnOnce() -> Result<Figures, TuneError>,
) -> Result<Figures, TuneError> {
    if only.is_empty() {
        return run();
    }
    let mut said = Vec::new();
    let undone = UndoArgs { record: args.record.clone(), roots: args.machine.roots.clone() };
    let figures = apply(&of(args, only), &mut said).and_then(|()| run());
    let back = undo(&undone, &mut said);
    let figures = figures?;
    back?;
    Ok(figures)
}

/// How much better one state was than another, of all loads together, by rounds.
struct Gain(Vec<f64>);

impl Gain {
    fn helps(&self) -> bool {
        self.0.iter().all(|gain| *gain > 1.0) && self.middle() >= GAIN_MIN
    }

    fn middle(&self) -> f64 {
        middle(self.0.iter().copied())
    }

    fn bounds(&self) -> (f64, f64) {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        (least, self.0.iter().copied().fold(0.0, f64::max))
    }
}

impl Step {
    fn gain(&self, base: &Step) -> Gain {
        let round = |(after, before): (&Figures, &Figures)| {
            let ratios = after.iter().zip(before).zip(LOADS).map(|((after, before), load)| {
                if load.3 { before / after } else { after / before }
            });
            // Their geometric mean: each load counts the same.
            ratios.product::<f64>().powf(1.0 / LOADS.len() as f64)
        };
        Gain(self.rounds.iter().zip(&base.rounds).map(round).collect())
    }
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

fn table(steps: &[Step]) -> String {
    let head = LOADS.iter().map(|(name, ..)| format!(" {name:>14}"));
    let head = format!("{:22}{}  GAIN (least to most)\n", "SETTING", head.collect::<String>());
    let lines = steps.iter().map(|step| {
        let middles = (0..LOADS.len()).map(|at| middle(step.rounds.iter().map(|it| it[at])));
        let figures: Vec<_> = middles.map(|figure| format!(" {figure:>14.0}")).collect();
        format!("{:22}{}{}\n", step.name, figures.concat(), verdict(step, &steps[0]))
    });
    head + &lines.collect::<String>()
}

fn verdict(step: &Step, base: &Step) -> String {
    if step.only.is_empty() {
        return String::new();
    }
    let gain = step.gain(base);
    let percent = |gain: f64| (gain - 1.0) * 100.0;
    let (least, most) = gain.bounds();
    let verdict = if gain.helps() { "helps" } else { "no difference that lasts" };
    format!(
        "  {:+.1} % ({:+.1} to {:+.1}): {verdict}",
        percent(gain.middle()),
        percent(least),
        percent(most)
    )
}

/// A server of its own on the log's disk, and a load.
struct Bench {
    program: PathBuf,
    /// Where its data are, while it runs.
    folder: PathBuf,
    sets: Vec<String>,
    seconds: u32,
}

impl Bench {
    fn new(args: &MachineArgs, seconds: u32) -> Result<Self, TuneError> {
        let config = config::load(&sources_of(args)?).map_err(ServeError::Config)?.config;
        let ancestors = config.storage.data_log_dir.ancestors();
        let there = ancestors.into_iter().find(|path| path.is_dir()).unwrap_or(Path::new("."));
        // The server runs in a folder of its own.
        let there = there.canonicalize().map_err(TuneError::Load)?;
        let program = std::env::current_exe().map_err(TuneError::Load)?;
        let folder = there.join(format!("ringkeeper-measure-{}", std::process::id()));
        Ok(Self { program, folder, sets: sets(&config), seconds })
    }

    fn run(&self) -> Result<Figures, TuneError> {
        let figures = self.measure();
        let removed = fs::remove_dir_all(&self.folder);
        let figures = figures.map_err(TuneError::Load)?;
        removed.map_err(TuneError::Load)?;
        Ok(figures)
    }

    fn measure(&self) -> io::Result<Figures> {
        fs::create_dir_all(&self.folder)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = self.folder.display();
        let mut command = Command::new(&self.program);
        command.arg("serve").current_dir(&self.folder);
        let own = [
            format!("dataDir={folder}/data"),
            format!("clientPort={port}"),
            "clientPortAddress=127.0.0.1".to_owned(),
            "maxClientCnxns=0".to_owned(),
            "globalOutstandingLimit=10000".to_owned(),
            "admin.enableServer=false".to_owned(),
        ];
        for set in own.iter().chain(&self.sets) {
            command.arg("--set").arg(set);
        }
        let log = fs::File::create(self.folder.join("log"))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let _server = Running(command.spawn()?);
        let address = format!("127.0.0.1:{port}");
        self.generate(&address, &["--prepare-only"])?;
        let mut figures = [0.0; LOADS.len()];
        for (figure, (_, words, key, _)) in figures.iter_mut().zip(LOADS) {
            let seconds = self.seconds.to_string();
            let timing = ["--skip-prepare", "--warmup", "1", "--seconds", &seconds];
            let page = self.generate(&address, &[words, &timing].concat())?;
            *figure = page[key].as_f64().filter(|figure| *figure > 0.0).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, format!("there is no {key}"))
            })?;
        }
        Ok(figures)
    }

    fn generate(&self, address: &str, words: &[&str]) -> io::Result<Value> {
        let page = self.folder.join("page.json");
        let done = Command::new(&self.program)
            .args(["bench", "--server", address, "--nodes", NODES])
            .args(words)
            .arg("--json")
            .arg(&page)
            .stdin(Stdio::null())
            .output()?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr);
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            let last = log.lines().last().unwrap_or_default();
            return Err(io::Error::other(format!("{}; the server: {last}", said.trim())));
        }
        // Of a preparation there is none.
        let bytes = fs::read(&page).unwrap_or_else(|_| b"null".to_vec());
        serde_json::from_slice(&bytes).map_err(io::Error::other)
    }
}

/// A server that ends with its value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is configured of the placement and the log.
fn sets(config: &Config) -> Vec<String> {
    let decided::Placement { shards, cpus, unpinned, spin_us } = &config.placement;
    let mut sets = Vec::new();
    sets.extend(shards.map(|it| format!("ring.shards={it}")));
    sets.extend(spin_us.map(|it| format!("ring.spinUs={it}")));
    sets.extend(unpinned.then(|| "ring.pin=never".to_owned()));
    sets.extend(cpus.as_ref().map(|cpus| {
        let cpus: Vec<_> = cpus.iter().map(u32::to_string).collect();
        format!("ring.cpus={}", cpus.join(","))
    }));
    let durability = match config.log.durability {
        decided::Durability::Auto => "auto",
        decided::Durability::Dsync => "dsync",
        decided::Durability::Flush => "flush",
        decided::Durability::Buffered => "buffered",
    };
    sets.push(format!("ring.log.durability={durability}"));
    sets.extend(config.log.slots.map(|it| format!("ring.log.slots={it}")));
    let profile = config.profile.as_ref();
    sets.extend(profile.map(|it| {
        // The server runs in a folder of its own.
        let path = it.canonicalize().unwrap_or_else(|_| it.clone());
        format!("ring.profile={}", path.display())
    }));
    sets
}

fn say(out: &mut impl Write, line: &str) -> Result<(), TuneError> {
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(TuneError::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(only: &[&str], rounds: &[Figures]) -> Step {
        let only: Vec<_> = only.iter().map(|it| (*it).to_owned()).collect();
        Step { name: only.join("+"), only, rounds: rounds.to_vec() }
    }

    #[test]
    fn what_helps_was_better_in_every_round() {
        let base = step(&[], &[[100.0, 1_000.0, 5_000.0], [200.0, 900.0, 4_000.0]]);
        let better = step(&["a"], &[[80.0, 1_100.0, 5_500.0], [160.0, 990.0, 4_400.0]]);
        assert!(better.gain(&base).helps());
        let (least, most) = better.gain(&base).bounds();
        assert!(least > 1.1 && most < 1.2, "{least} {most}");
        // Once better, once worse: it may be luck.
        let luck = step(&["b"], &[[80.0, 1_500.0, 9_000.0], [210.0, 890.0, 3_900.0]]);
        assert!(!luck.gain(&base).helps());
        let same = step(&["c"], &base.rounds);
        assert!(!same.gain(&base).helps());
        let text = table(&[base, better, luck]);
        assert!(text.contains("helps") && text.contains("no difference that lasts"), "{text}");
    }
}
