use super::shown::{in_json, in_words};
use super::*;
use serde_json::{Value, json};

fn line(rate: Option<f64>, predicted: Option<f64>, measured: &[f64]) -> Line {
    Line { rate, what: "x", predicted, measured: measured.to_vec() }
}

#[test]
fn a_median_is_in_the_middle() {
    assert_eq!(median(vec![]), None);
    assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
}

#[test]
fn errors_are_of_what_was_measured() {
    let lines = [
        line(None, Some(30_000.0), &[20_000.0]),
        line(Some(10.0), Some(1e-3), &[2e-3, 1e-3, 3e-3]),
        line(Some(10.0), None, &[2e-3, 2e-3]),
        line(Some(10.0), Some(1e-3), &[]),
    ];
    let text = in_words(&lines);
    let rows: Vec<Vec<&str>> = text.lines().map(|it| it.split_whitespace().collect()).collect();
    assert_eq!(rows[1], ["x", "30,000/s", "20,000/s", "+50", "%", "-"]);
    assert_eq!(rows[2][6..], ["-50", "%", "-50", "%", "to", "+50", "%"]);
    assert_eq!(rows[3][1..3], ["x", "-"]);
    assert_eq!(rows[4][4..], ["-", "-", "-"]);
    let fitted = vec![line(Some(5.0), None, &[4e-3, 1e-3, 2e-3])];
    let shown = in_json("w", 8.0, &Compared { lines: lines.to_vec(), fitted });
    assert_eq!(shown["fitted"][0]["measured"], json!(2e-3));
    assert_eq!(shown["sessions"], json!(8.0));
    assert_eq!(shown["lines"][1]["rounds"], json!([2e-3, 1e-3, 3e-3]));
    assert_eq!(shown["lines"][2]["error"], Value::Null);
}

/// Nothing was answered at some rate, or nothing at all.
#[test]
fn a_kind_that_is_rare_is_not_compared() {
    let nothing = Measured {
        fitted: vec![Point::at(0.5, 100.0)],
        predicted: vec![Point::at(0.5, 100.0)],
        highest: [vec![], vec![]],
    };
    assert!(fitted(&nothing, Kind::Reads, 8.0).unwrap_err().to_string().contains("measure"));
    let none = Measured { predicted: vec![], ..nothing };
    assert!(compared(&none, 8.0).unwrap().lines[0].measured.is_empty());
}
