use super::*;
use serde_json::json;

const READS: &str = include_str!("recorded/reads.json");
const WRITES: &str = include_str!("recorded/writes.json");
const CLOSED_LOOP: &str = include_str!("recorded/closed_loop.json");

fn parse(text: &str) -> Result<Report, ReportError> {
    Report::parse(Path::new("a.json"), text, None)
}

/// A report that was changed, and what is said about it.
fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut json: Value = serde_json::from_str(READS).unwrap();
    change(&mut json);
    parse(&json.to_string()).unwrap_err().to_string()
}

#[test]
fn a_ramp_is_steps_and_a_load() {
    let reads = parse(READS).unwrap();
    assert_eq!((reads.name.as_str(), reads.kind(), reads.steps.len()), ("get", Kind::Reads, 9));
    let step = reads.steps[1];
    assert_eq!((step.offered_per_s, step.achieved_per_s), (10_000.0, 9_974.5));
    assert!((step.p50_s - 179.3e-6).abs() < 1e-12 && (step.p99_s - 1_087.5e-6).abs() < 1e-12);
    let Load { reads_per_s, writes_per_s, sessions, nodes, node_bytes, .. } = reads.load;
    assert_eq!((reads_per_s, writes_per_s), (40_000.0, 0.0), "the highest that kept the bound");
    assert_eq!((sessions, nodes, node_bytes), (50.0, 10_000.0, 120.0));
    assert_eq!((reads.n, reads.rate()), (50.0, 40_000.0));
    let writes = parse(WRITES).unwrap();
    assert_eq!((writes.kind(), writes.load.writes_per_s), (Kind::Writes, 35_000.0));
}

#[test]
fn a_closed_loop_is_a_throughput() {
    let report = parse(CLOSED_LOOP).unwrap();
    assert_eq!((report.kind(), report.steps.len()), (Kind::Writes, 0));
    assert_eq!((report.rate(), report.n), (21_425.8, 200.0));
    assert_eq!(report.reads.quantile_s(0.5), None);
    let median = report.writes.quantile_s(0.5).unwrap();
    let said: Value = serde_json::from_str(CLOSED_LOOP).unwrap();
    let said = said["set_us_p50"].as_f64().unwrap() / 1e6;
    assert!((median / said - 1.0).abs() < 0.1, "{median}, and {said} in the totals");
}

#[test]
fn a_mix_counts_what_its_operations_write() {
    let points = [[50.0, 100.0], [100.0, 300.0]];
    let row =
        |name: &str, count: u64| json!({ "name": name, "count": count, "percentiles_us": points });
    let mut json: Value = serde_json::from_str(CLOSED_LOOP).unwrap();
    json["ops_per_s"] = json!(1000.0);
    json["latencies"] = json!([row("get", 60), row("churn", 20), row("set", 20), row("event", 50)]);
    let report = parse(&json.to_string()).unwrap();
    assert_eq!(report.kind(), Kind::Mixed);
    assert_eq!((report.load.reads_per_s, report.load.writes_per_s), (600.0, 600.0));
    assert_eq!(report.writes.quantile_s(0.5), Some(100e-6));
    assert_eq!(report.writes.quantile_s(0.99), Some(300e-6));
}

#[test]
fn a_report_that_is_cut_off_says_so() {
    for end in [1, 100, READS.len() / 2, READS.trim_end().len() - 1] {
        let error = parse(&READS[..end]).unwrap_err().to_string();
        assert!(error.contains("ends in the middle"), "{end}: {error}");
    }
    let error = parse("").unwrap_err().to_string();
    assert!(error.contains("ends in the middle"), "{error}");
    let error = parse("rate 5\n").unwrap_err().to_string();
    assert!(error.contains("no JSON"), "{error}");
}

#[test]
fn what_is_no_report_of_this_version_says_so() {
    assert!(refused(|it| it["version"] = json!(2)).contains("version 2, and 1 is known"));
    for version in [json!("new"), Value::Null, json!(-1), json!(1.5)] {
        assert!(refused(|it| it["version"] = version).contains("no whole number as its version"));
    }
    assert!(refused(|it| it["nodes"] = Value::Null).contains("has no nodes"));
    assert!(refused(|it| it["ramp"] = json!([{ "rate": 5 }])).contains("ramp of this form"));
    assert!(refused(|it| it["latencies"] = Value::Null).contains("has no latencies"));
    let probe = json!({ "disk": {}, "verdict": {} }).to_string();
    assert!(parse(&probe).unwrap_err().to_string().contains("--probe"));
    for other in ["[]", "{}", "3", "null"] {
        assert!(matches!(parse(other), Err(ReportError::NotOfBench(_))), "{other}");
    }
}

#[test]
fn a_report_with_failures_is_refused() {
    assert!(refused(|it| it["errors"] = json!(3)).contains("counts 3 under `errors`"));
    assert!(refused(|it| it["incidents"] = json!([{}])).contains("1 incidents"));
    let row = json!([{ "name": "mine", "count": 5, "percentiles_us": [] }]);
    assert!(refused(|it| it["latencies"] = row).contains("`mine`"));
    assert!(refused(|it| it["latencies"] = json!([])).contains("nothing was answered"));
    // A ramp drops what it cannot send; a single rate must not.
    let mut json: Value = serde_json::from_str(READS).unwrap();
    json["dropped"] = json!(7);
    assert!(parse(&json.to_string()).is_ok());
    let mut json: Value = serde_json::from_str(CLOSED_LOOP).unwrap();
    json["dropped"] = json!(7);
    assert!(parse(&json.to_string()).unwrap_err().to_string().contains("`dropped`"));
}

#[test]
fn a_report_may_be_numbered() {
    let read = |text: &str| text.parse::<ReportArg>();
    assert_eq!(read("4=x.json"), Ok(ReportArg { n: Some(4.0), path: "x.json".into() }));
    assert_eq!(read("a=x.json"), Ok(ReportArg { n: None, path: "a=x.json".into() }));
    assert!(read("0=x.json").unwrap_err().contains("1 or more"));
}
