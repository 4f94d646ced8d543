use super::compared::{Compared, Line, compared};
use super::shown::{in_json, in_words};
use super::*;
use serde_json::{Value, json};

fn line(rate: Option<f64>, predicted: Option<f64>, rounds: &[f64]) -> Line {
    let chance = (rounds.len() > 1).then_some(0.31);
    Line { rate, what: "x", predicted, rounds: rounds.to_vec(), chance }
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
    assert_eq!(rows[1], ["x", "30,000/s", "20,000/s", "+50", "%", "-", "-"]);
    assert_eq!(rows[2][6..], ["-50", "%", "31", "%", "-50", "%", "to", "+50", "%"]);
    assert_eq!(rows[3][1..3], ["x", "-"]);
    assert_eq!(rows[4][4..], ["-", "-", "-", "-"]);
    let fitted = vec![line(Some(5.0), None, &[2e-3])];
    let shown = in_json("w", 8.0, &Compared { lines: lines.to_vec(), fitted });
    assert_eq!(shown["fitted"][0]["measured"], json!(2e-3));
    assert_eq!(shown["sessions"], json!(8.0));
    assert_eq!(shown["lines"][1]["rounds"], json!([2e-3, 1e-3, 3e-3]));
    assert_eq!(shown["lines"][1]["by_chance"], json!(0.31));
    assert_eq!(shown["lines"][2]["error"], Value::Null);
}

/// Chance is found by leaving out the same round of everything.
#[test]
fn a_round_that_found_nothing_counts_as_one() {
    let seen = vec![None, Some(2.0), Some(3.0)];
    let others = vec![Some(4.0), Some(5.0), Some(6.0)];
    let measured = Measured { fitted: vec![], predicted: vec![], highest: [seen, others] };
    assert_eq!(measured.highest(), [vec![2.0, 3.0], vec![4.0, 5.0, 6.0]]);
    assert_eq!(measured.without(0).highest(), [vec![2.0, 3.0], vec![5.0, 6.0]]);
    assert_eq!(measured.without(1).highest(), [vec![3.0], vec![4.0, 6.0]]);
}

/// Nothing was answered at some rate, or nothing at all.
#[test]
fn a_kind_that_is_rare_is_not_compared() {
    let nothing = Measured {
        fitted: vec![Point::at(0.5, 100.0)],
        predicted: vec![Point::at(0.5, 100.0)],
        highest: [vec![], vec![]],
    };
    let refused = compared(&nothing, 8.0).err().unwrap();
    assert!(refused.to_string().contains("measure"));
    let none = Measured { predicted: vec![], ..nothing };
    assert!(compared(&none, 8.0).unwrap().lines[0].rounds.is_empty());
}
