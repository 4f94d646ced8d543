use super::plot::{Curve, Mark, Plot, SHADE, Scale, escaped, number, step};
use super::{FaultReport, IncidentKind, Journal, Ramp, RampPoint, Results};
use crate::meter::Metered;
use crate::tally::{Second, Tally};

#[test]
fn incidents_close_together_are_one() {
    let mut journal = Journal::new(|_| ());
    journal.add(IncidentKind::Closed, None, 5, "before the start".into());
    journal.start(1_000_000_000);
    journal.add(IncidentKind::Refused, None, 3_000_000_000, "first".into());
    journal.add(IncidentKind::Refused, None, 3_500_000_000, "second".into());
    journal.add(IncidentKind::Refused, None, 9_000_000_000, "third".into());
    let found: Vec<_> =
        journal.incidents.iter().map(|i| (i.from_ns / 1_000_000, i.count, &i.detail[..])).collect();
    assert_eq!(found, [(0, 1, "before the start"), (2_000, 2, "first"), (8_000, 1, "third")]);
    assert!(!journal.is_fatal);
    journal.end(IncidentKind::Gone, None, 9_000_000_000, "no more".into());
    assert!(journal.is_fatal);
}

#[test]
fn a_stall_lasts_until_the_next_answer() {
    let mut journal = Journal::new(|_| ());
    journal.add(IncidentKind::Stalled, None, 1_000, "1 request".into());
    journal.answered_again(4_000);
    assert_eq!((journal.incidents[0].from_ns, journal.incidents[0].to_ns), (1_000, 4_000));
}

#[test]
fn the_best_rate_is_the_highest_that_was_kept() {
    let point = |rate, is_kept| RampPoint {
        rate,
        achieved: rate,
        p50_ns: 1,
        p99_ns: 2,
        p999_ns: 3,
        is_kept,
    };
    let points = vec![point(1.0, true), point(4.0, false), point(2.0, true), point(3.0, false)];
    let ramp = Ramp { limit_ns: 1, points };
    assert_eq!(ramp.best().unwrap().rate.to_bits(), 2.0_f64.to_bits());
    assert!(Ramp::default().best().is_none());
}

#[test]
fn axes_have_round_numbers() {
    let steps: Vec<_> = [8.0, 9.0, 100.0, 0.7].map(|span| number(step(span))).into();
    assert_eq!(steps, ["1", "2", "20", "0.1"]);
    let words: Vec<_> = [0.0, 0.25, 950.0, 1_500.0, 2_000_000.0].map(number).into();
    assert_eq!(words, ["0", "0.25", "950", "1.5k", "2M"]);
}

#[test]
fn plots_stay_inside_whatever_they_show() {
    for points in [vec![], vec![(0.0, 0.0)], vec![(1.0, 1e9), (2.0, 1e-9)]] {
        for y in [Scale::Even, Scale::Log] {
            let curves = vec![Curve { name: "<a & \"b\">".into(), points: points.clone() }];
            let (title, x_name, y_name) = ("t", "x", "y");
            let marks = vec![Mark { from: 0.5, to: 1e12, name: "kill <a".into() }];
            let plot = Plot { title, x_name, y_name, y, x_ticks: None, marks, dots: true, curves };
            let text = plot.draw();
            assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
            assert!(text.contains("&lt;a &amp; &quot;b&quot;&gt;") && !text.contains("<a"));
        }
    }
    assert_eq!(escaped("x<y"), "x&lt;y");
}

const SECOND_NS: u64 = 1_000_000_000;

/// A run of twenty seconds with two faults, of which the second is not over.
fn with_faults() -> Results {
    let used = Metered { server: None, own_cpu_us: 1, others: None, elapsed_ns: 20 * SECOND_NS };
    let mut results =
        Results::new("op", 20, used, &mut Tally::new(&["get"], 0), Journal::new(|_| ()));
    let second = |at: u64| Second {
        at_ns: at * SECOND_NS,
        length_ns: SECOND_NS,
        count: at,
        p50_ns: 1_000,
        p99_ns: 2_000,
        max_ns: 3_000,
        errors: 0,
        server: None,
    };
    results.seconds = (1..=20).map(second).collect();
    let report = |words: &str, begin_s: u64| {
        FaultReport::new(words.into(), Some("one:2181".into()), begin_s * SECOND_NS)
    };
    results.faults = vec![report("kill <leader>", 6), report("stop leader", 15)];
    results.faults[0].end_ns = Some(8 * SECOND_NS);
    results.faults[0].no_writes = Some((6 * SECOND_NS, 7 * SECOND_NS + SECOND_NS / 2));
    results.faults[0].kinds = vec![("connection lost".into(), 1_200)];
    results
}

#[test]
fn a_fault_is_shown_with_the_seconds_around_it() {
    let results = with_faults();
    let around = |at| results.seconds_around(at).map(|it| it.count).collect::<Vec<_>>();
    assert_eq!(around(0), (2..=12).collect::<Vec<_>>());
    assert_eq!(around(1), (11..=20).collect::<Vec<_>>(), "it is not over");
    let table = results.table();
    for line in [
        "fault     6.0 s to 8.0 s, kill <leader>, one:2181\n",
        "          without writes 1.500 s from 6.0 s\n",
        "          without reads  -\n",
        "          1,200 x connection lost\n",
        "fault     15.0 s to not over, stop leader, one:2181\n",
    ] {
        assert!(table.contains(line), "{line} in {table}");
    }
    let json: serde_json::Value = serde_json::from_str(&results.json()).unwrap();
    let fault = &json["faults"][0];
    assert_eq!((&fault["from_ms"], &fault["to_ms"]), (&6_000.into(), &8_000.into()));
    assert_eq!(fault["no_writes"]["ms"], 1_500);
    assert_eq!(fault["failures"]["connection lost"], 1_200);
    assert_eq!(fault["series"].as_array().unwrap().len(), 11);
    assert!(json["faults"][1]["to_ms"].is_null() && fault["no_reads"].is_null());
}

#[test]
fn plots_are_shaded_while_faults_last() {
    let page = with_faults().page();
    assert!(page.contains("<h2>Faults</h2>"), "{page}");
    // Two plots over time, two faults each.
    let shaded = format!("<rect fill=\"{SHADE}\"");
    assert_eq!(page.matches(&shaded).count(), 4, "{page}");
    assert!(page.contains("<title>kill &lt;leader&gt;, one:2181</title>"), "{page}");
}

#[test]
fn what_a_fault_explains_does_not_fail_the_run() {
    let mut results = with_faults();
    results.journal.is_excusing = true;
    results.journal.add(IncidentKind::Closed, None, 1, "closed".into());
    results.journal.add(IncidentKind::Stalled, None, 1, "silent".into());
    assert!(results.outcome().is_ok());
    results.journal.add(IncidentKind::Expired, None, 1, "a session outlives a fault".into());
    assert!(results.outcome().unwrap_err().to_string().contains("session lost"));
    let mut results = with_faults();
    results.journal.add(IncidentKind::Closed, None, 1, "before any fault".into());
    assert!(results.outcome().is_err());
}
