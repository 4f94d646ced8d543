//! What one request costs: the shipped costs, and what overrides them, each with where it is from.

use super::args::PlanArgs;
use super::costs_file;
use super::error::{PlanError, ReportError};
use super::fields::CURVE;
use super::files;
use super::layout::smallest;
use super::numbers::percent;
use super::report::{Kind, Report};
use super::words;
use crate::output::say;
use planning::fit::{Fitted, Ramp, RampStep, Unknown, fit};
use planning::numeric::Estimate;
use planning::scalability::{self, Scalability, Throughput};
use planning::{Costs, Curve, CurvePoint, FitError, Layout, Load};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tuning::Topology;
use tuning::profile::Knob;

/// Throughputs that show a law.
const SCALING_MIN: usize = 4;
/// Answered by due, below which a step was not carried.
const CARRIED_MIN: f64 = 0.97;
/// Steps that costs are fitted to.
const CARRIED_MAX: usize = 6;
const BEYOND_MAX: usize = 2;
/// Other processes with more of the machine than this are mentioned.
const OTHERS_MIN: f64 = 0.1;

/// Where a cost is from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Origin {
    /// Fitted to a report, with its 95 % confidence interval; of the curve, by its factor.
    Fitted(Estimate),
    /// Measured by a probe.
    Probe,
    /// Decided by a profile.
    Profile,
    /// Given in a file of costs.
    File,
}

/// A report and what was found in it.
#[derive(Clone, Debug)]
pub(super) struct Fit {
    pub(super) name: String,
    pub(super) steps: usize,
    pub(super) fitted: Fitted,
}

/// A law that was fitted.
#[derive(Clone, Debug)]
pub(super) struct Law {
    pub(super) observations: Vec<Throughput>,
    pub(super) law: Scalability,
}

/// What one request costs.
#[derive(Clone, Debug)]
pub(super) struct Basis {
    pub(super) costs: Costs,
    /// Those that are not as shipped.
    pub(super) origins: BTreeMap<&'static str, Origin>,
    pub(super) fits: Vec<Fit>,
    pub(super) law: Option<Law>,
    /// What was assumed, a sentence each.
    pub(super) assumed: Vec<String>,
}

impl Basis {
    /// Costs by the arguments: as shipped, then of the device, then fitted, then given.
    pub(super) fn of(args: &PlanArgs, reports: &[Report]) -> Result<Self, PlanError> {
        let mut basis = Self {
            costs: Costs::measured(),
            origins: BTreeMap::new(),
            fits: Vec::new(),
            law: None,
            assumed: Vec::new(),
        };
        if let Some(path) = &args.costs.probe {
            basis.costs.device.curve = probed(path)?;
            basis.origins.insert(CURVE, Origin::Probe);
        }
        if let Some(name) = &args.costs.profile {
            basis.decide(name)?;
        }
        basis.learn(args, reports)?;
        if let Some(path) = &args.costs.file {
            let text = files::read(path)?;
            let named = costs_file::apply(&text, &mut basis.costs)
                .map_err(|error| PlanError::Costs { path: path.clone(), error })?;
            basis.origins.extend(named.into_iter().map(|name| (name, Origin::File)));
        }
        if let Some(path) = &args.costs.out {
            let text = costs_file::text(&basis.costs);
            fs::write(path, text).map_err(PlanError::file(path))?;
        }
        Ok(basis)
    }

    /// What a profile decides of the log.
    fn decide(&mut self, name: &Path) -> Result<(), PlanError> {
        let topology = Topology::discover()?;
        let chosen = crate::profile::choose(Some(name), &topology, None)?;
        self.assumed.extend(chosen.warning);
        let device = &mut self.costs.device;
        if let Some(slots) = chosen.profile.number(Knob::LogSlots) {
            device.slots = slots as usize;
            self.origins.insert("device.slots", Origin::Profile);
        }
        if let Some(kib) = chosen.profile.number(Knob::LogBatchKib) {
            device.batch_bytes_max = f64::from(kib) * 1024.0;
            self.origins.insert("device.batch_bytes_max", Origin::Profile);
        }
        Ok(())
    }

    /// Costs from ramps of reads, then from ramps of writes, and the law of scalability.
    fn learn(&mut self, args: &PlanArgs, reports: &[Report]) -> Result<(), PlanError> {
        if reports.is_empty() {
            return Ok(());
        }
        if reports.len() >= SCALING_MIN {
            self.law = Some(law(reports)?);
        }
        let ramps: Vec<&Report> = reports.iter().filter(|it| !it.steps.is_empty()).collect();
        if ramps.is_empty() && self.law.is_none() {
            let (path, error) = (reports[0].path.clone(), ReportError::NoRamp);
            return Err(PlanError::Report { path, error });
        }
        let layout = args.measured_on.as_ref().map_or_else(smallest, |it| it.0.clone());
        if args.measured_on.is_none() {
            self.assumed.push(
                "reports were measured on a single server of one core (--measured-on says \
                 otherwise)"
                    .to_owned(),
            );
        }
        let of = |kind: Kind| ramps.iter().filter(move |it| it.kind() == kind);
        for report in of(Kind::Reads).chain(of(Kind::Writes)) {
            say(&format!("costs are fitted to the ramp of {}", report.name));
            self.fit(report, &layout)?;
        }
        if self.fits.is_empty() && !ramps.is_empty() {
            return Err(PlanError::Mixed);
        }
        for report in reports.iter().filter(|_| self.law.is_none()) {
            let why = match (report.steps.is_empty(), report.kind()) {
                (true, _) => "it has no ramp",
                (false, Kind::Mixed) => "it mixes reads and writes",
                _ => continue,
            };
            let path = report.path.display();
            self.assumed.push(format!("no cost is from {path}: {why}"));
        }
        for report in reports {
            if let Some(part) = report.others_part.filter(|it| *it > OTHERS_MIN) {
                self.assumed.push(format!(
                    "other processes took {} of the machine while {} was measured: its costs are \
                     too high, if anything",
                    percent(part),
                    report.path.display()
                ));
            }
        }
        Ok(())
    }

    /// As many unknowns as the ramp determines: what a core costs only if it was brought to its
    /// limit.
    fn fit(&mut self, report: &Report, layout: &Layout) -> Result<(), PlanError> {
        use Unknown::{
            ClientRoundTrip, CoreVariability, DeviceTime, DeviceVariability, OrderingWrite,
            ShardRead,
        };
        let is_full = report.steps.iter().any(is_saturated);
        if !is_full {
            self.assumed.push(format!(
                "no step of the ramp of {} was beyond what the server carried, so it does not show \
                 what a core costs: repeat it with a higher --ramp-p99-ms",
                report.name
            ));
        }
        let sets: &[&[Unknown]] = match (report.kind(), is_full) {
            (Kind::Reads, true) => &[
                &[ShardRead, ClientRoundTrip, CoreVariability],
                &[ShardRead, ClientRoundTrip],
                &[ShardRead],
            ],
            (Kind::Reads, false) => &[&[ClientRoundTrip, CoreVariability], &[ClientRoundTrip]],
            (_, true) => &[
                &[OrderingWrite, DeviceTime, DeviceVariability],
                &[OrderingWrite, DeviceTime],
                &[OrderingWrite],
            ],
            (_, false) => &[&[DeviceTime, DeviceVariability], &[DeviceTime]],
        };
        // A trace of the other kind is none to the fit.
        let load = match report.kind() {
            Kind::Reads => Load { writes_per_s: 0.0, ..report.load.clone() },
            _ => Load { reads_per_s: 0.0, ..report.load.clone() },
        };
        let steps = thinned(&report.steps);
        let ramp = Ramp { steps: &steps, load: &load, layout };
        let mut last = FitError::Undetermined;
        for unknowns in sets {
            match fit(&ramp, unknowns, &self.costs) {
                Ok(fitted) if is_determined(&fitted) => {
                    self.take(report, fitted);
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) => last = error,
            }
        }
        Err(PlanError::Fit { path: report.path.clone(), error: last })
    }

    fn take(&mut self, report: &Report, fitted: Fitted) {
        self.costs = fitted.costs.clone();
        for (unknown, estimate) in &fitted.estimates {
            self.origins.insert(words::unknown(*unknown), Origin::Fitted(*estimate));
        }
        let (name, steps) = (report.name.clone(), report.steps.len());
        self.fits.push(Fit { name, steps, fitted });
    }
}

/// Whether less was answered than was due, beyond what chance explains.
fn is_saturated(step: &RampStep) -> bool {
    step.achieved_per_s < CARRIED_MIN * step.offered_per_s
}

/// A ramp ends with many steps at almost the same rate, which add time to a fit and little else: of
/// the carried ones some that are spread over all rates, of the others the lowest.
fn thinned(steps: &[RampStep]) -> Vec<RampStep> {
    let (mut beyond, mut carried): (Vec<RampStep>, Vec<_>) =
        steps.iter().partition(|it| is_saturated(it));
    beyond.sort_by(|a, b| a.achieved_per_s.total_cmp(&b.achieved_per_s));
    carried.sort_by(|a, b| a.offered_per_s.total_cmp(&b.offered_per_s));
    beyond.truncate(BEYOND_MAX);
    let count = carried.len().min(CARRIED_MAX);
    let at = |index: usize| carried[index * (carried.len() - 1) / (count - 1).max(1)];
    (0..count).map(at).chain(beyond).collect()
}

/// Whether every estimate is a finite number with an interval around it.
fn is_determined(fitted: &Fitted) -> bool {
    fitted.estimates.iter().all(|(_, it)| it.value.is_finite() && it.value > 0.0 && it.value < 1e9)
        && fitted.costs.check().is_ok()
}

fn law(reports: &[Report]) -> Result<Law, PlanError> {
    let throughput = |it: &Report| Throughput { n: it.n, per_s: it.rate() };
    let observations: Vec<_> = reports.iter().map(throughput).collect();
    let law = scalability::fit(&observations).map_err(PlanError::Scalability)?;
    Ok(Law { observations, law })
}

/// The curve of a device: the points of the durability and the slots that its probe advises.
fn probed(path: &Path) -> Result<Curve, PlanError> {
    let text = files::read(path)?;
    let refused = |why: String| PlanError::Probe { path: path.to_owned(), why };
    let json: Value = serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
    curve(&json).map_err(refused)
}

fn curve(json: &Value) -> Result<Curve, String> {
    let durability = json["verdict"]["durability"].as_str().ok_or("it has no verdict")?;
    let slots = json["verdict"]["slots"].as_u64().ok_or("it has no verdict about slots")?;
    let points = json["disk"]["points"].as_array().ok_or("it has no points of a disk")?;
    let of_verdict = |it: &&Value| it["durability"] == durability && it["slots"] == slots;
    let point = |it: &Value| {
        let bytes = it["bytes"].as_f64()?;
        // So many in flight, and so many a second: each takes this long.
        Some(CurvePoint { bytes, seconds: slots as f64 / it["per_second"].as_f64()? })
    };
    let points: Option<Vec<_>> = points.iter().filter(of_verdict).map(point).collect();
    let mut points = points.ok_or("a point has no bytes or no rate")?;
    points.sort_by(|a, b| a.bytes.total_cmp(&b.bytes));
    // Of more bytes that took less time, the measurement is at fault.
    let mut least = 0.0;
    for point in &mut points {
        point.seconds = point.seconds.max(least);
        least = point.seconds;
    }
    Curve::new(points).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_ramp_is_thinned_where_it_repeats_itself() {
        let step = |offered_per_s: f64, achieved_per_s: f64| RampStep {
            offered_per_s,
            achieved_per_s,
            utilisation: None,
            p50_s: 1.0,
            p99_s: 1.0,
        };
        let mut steps: Vec<_> =
            (1..=11).rev().map(|it| step(f64::from(it), f64::from(it))).collect();
        steps.extend([step(40.0, 15.0), step(20.0, 16.0), step(80.0, 12.0)]);
        let kept: Vec<_> = thinned(&steps).iter().map(|it| it.achieved_per_s).collect();
        assert_eq!(kept, [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 12.0, 15.0]);
        assert_eq!(thinned(&steps[..1]), steps[..1]);
        assert_eq!(thinned(&[]), []);
    }

    #[test]
    fn a_probe_gives_the_curve_of_what_it_advises() {
        let point = |durability: &str, bytes: u64, slots: u64, per_second: f64| {
            json!({ "durability": durability, "bytes": bytes, "slots": slots,
                    "per_second": per_second })
        };
        let probe = json!({
            "verdict": { "durability": "flush", "slots": 4 },
            "disk": { "points": [
                point("dsync", 4096, 4, 1.0), point("flush", 4096, 1, 1.0),
                point("flush", 65536, 4, 20_000.0), point("flush", 4096, 4, 10_000.0),
                point("flush", 1_048_576, 4, 2_000.0),
            ] },
        });
        let found: Vec<_> =
            curve(&probe).unwrap().points().iter().map(|it| (it.bytes, it.seconds)).collect();
        assert_eq!(found, [(4096.0, 4e-4), (65536.0, 4e-4), (1_048_576.0, 2e-3)]);
        for (json, part) in [
            (json!({}), "no verdict"),
            (json!({ "verdict": { "durability": "flush", "slots": 4 } }), "no points"),
            (
                json!({ "verdict": { "durability": "flush", "slots": 3 },
                     "disk": probe["disk"] }),
                "no points",
            ),
        ] {
            assert!(curve(&json).unwrap_err().contains(part));
        }
    }
}
