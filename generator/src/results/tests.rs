use super::plot::{Curve, Mark, Plot, Scale, escaped, number, step};
use super::{IncidentKind, Journal, Ramp, RampPoint};

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
