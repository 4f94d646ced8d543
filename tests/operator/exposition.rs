//! Prometheus's text format, parsed as strictly as it is specified: any deviation makes Prometheus
//! refuse the whole page.

use std::collections::BTreeSet;

/// One number of a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
}

/// The metric whose lines are being read.
#[derive(Default)]
struct Family {
    name: String,
    kind: Option<String>,
    has_help: bool,
    has_samples: bool,
}

/// Every number of a page.
pub(super) fn parse(page: &str) -> Result<Vec<Sample>, String> {
    if !page.is_empty() && !page.ends_with('\n') {
        return Err("the last line does not end".to_owned());
    }
    let (mut samples, mut seen, mut families) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let mut family = Family::default();
    for line in page.lines().filter(|line| !line.is_empty()) {
        let parsed = if let Some(comment) = line.strip_prefix("# ") {
            head(&mut family, &mut families, comment)
        } else {
            sample(line).and_then(|sample| {
                belongs(&mut family, &mut families, &sample)?;
                let mut labels = sample.labels.clone();
                labels.sort();
                let is_new = seen.insert((sample.name.clone(), labels));
                samples.push(sample);
                if is_new { Ok(()) } else { Err("a second time".to_owned()) }
            })
        };
        parsed.map_err(|why| format!("{why}: {line}"))?;
    }
    Ok(samples)
}

fn begin(family: &mut Family, families: &mut BTreeSet<String>, name: &str) -> Result<(), String> {
    if family.name != name {
        if !families.insert(name.to_owned()) {
            return Err("the lines of one metric do not stand together".to_owned());
        }
        *family = Family { name: name.to_owned(), ..Family::default() };
    }
    Ok(())
}

/// A line of HELP or TYPE; any other comment is ignored.
fn head(family: &mut Family, families: &mut BTreeSet<String>, comment: &str) -> Result<(), String> {
    let mut words = comment.splitn(3, ' ');
    let (word, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let text = words.next().ok_or("no text")?;
    if !matches!(word, "HELP" | "TYPE") {
        return Ok(());
    }
    if !is_name(name, true) {
        return Err("no name of a metric".to_owned());
    }
    begin(family, families, name)?;
    if family.has_samples {
        return Err("behind its samples".to_owned());
    }
    if word == "HELP" {
        unescape(text, false)?;
        return if std::mem::replace(&mut family.has_help, true) {
            Err("a second HELP".to_owned())
        } else {
            Ok(())
        };
    }
    if !["counter", "gauge", "histogram", "summary", "untyped"].contains(&text) {
        return Err("no type".to_owned());
    }
    match family.kind.replace(text.to_owned()) {
        Some(_) => Err("a second TYPE".to_owned()),
        None => Ok(()),
    }
}

/// A sample belongs to the metric above it, or is one of its own.
fn belongs(
    family: &mut Family,
    families: &mut BTreeSet<String>,
    sample: &Sample,
) -> Result<(), String> {
    let is_summary = family.kind.as_deref() == Some("summary");
    let part = sample.name.strip_prefix(&family.name).unwrap_or("-");
    let has_quantile = sample.labels.iter().any(|(name, _)| name == "quantile");
    match part {
        "" if is_summary != has_quantile => return Err("a quantile of a summary only".to_owned()),
        "" => {}
        "_sum" | "_count" if is_summary && !has_quantile => {}
        _ => begin(family, families, &sample.name)?,
    }
    family.has_samples = true;
    Ok(())
}

fn is_name(text: &str, is_metric: bool) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_' || is_metric && c == ':';
    text.starts_with(is_letter) && text.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

fn sample(line: &str) -> Result<Sample, String> {
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, mut rest) = line.split_at(end);
    if !is_name(name, true) {
        return Err(format!("no name of a metric: {name:?}"));
    }
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").ok_or("no value of a label")?;
            if !is_name(label, false) {
                return Err(format!("no name of a label: {label:?}"));
            }
            let end = closing_quote(after).ok_or("a label does not end")?;
            labels.push((label.to_owned(), unescape(&after[..end], true)?));
            rest = &after[end + 1..];
            rest = match rest.strip_prefix(',') {
                Some(next) => next,
                None if rest.starts_with('}') => rest,
                None => return Err("no comma between labels".to_owned()),
            };
        }
        rest = &rest[1..];
    }
    let mut words = rest.split_ascii_whitespace();
    let value = number(words.next().ok_or("no value")?)?;
    if words.next().is_some_and(|time| time.parse::<i64>().is_err()) || words.next().is_some() {
        return Err("more than a value and a time".to_owned());
    }
    Ok(Sample { name: name.to_owned(), labels, value })
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

fn unescape(text: &str, with_quotes: bool) -> Result<String, String> {
    let (mut out, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('"') if with_quotes => '"',
                other => return Err(format!("an escape that is none: {other:?}")),
            },
            c => c,
        });
    }
    Ok(out)
}

/// A number as Go reads it.
fn number(text: &str) -> Result<f64, String> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    if is_plain || matches!(text, "NaN" | "+Inf" | "-Inf") {
        return text.parse().map_err(|_| format!("no number: {text:?}"));
    }
    Err(format!("no number: {text:?}"))
}

#[test]
fn the_parser_refuses_what_prometheus_refuses() {
    let good = "# HELP a a\n# TYPE a summary\na{quantile=\"0.5\",k=\"\\\\ \\\" \\n\",} NaN\n\
                a_count 1.0\na_sum 2\n# TYPE b gauge\nb -1.5E9 12\nc{} +Inf\n";
    let samples = parse(good).unwrap();
    assert_eq!(samples.len(), 5);
    assert_eq!(samples[0].labels[1], ("k".to_owned(), "\\ \" \n".to_owned()));
    for bad in [
        "a 1",
        "a the disk is full\n",
        "a{b=\"c\"d=\"e\"} 1\n",
        "a{b=\"c} 1\n",
        "a{b=\"\\x\"} 1\n",
        "a{0=\"x\"} 1\n",
        "we\"ird 1\n",
        "a 1\na 2\n",
        "a 1\nb 1\na{k=\"v\"} 1\n",
        "# TYPE a gauge\n# TYPE a gauge\n",
        "a 1\n# TYPE a gauge\n",
        "# TYPE a number\n",
        "# TYPE a gauge\na{quantile=\"0.5\"} 1\n",
        "a inf\n",
    ] {
        assert!(parse(bad).is_err(), "{bad:?} was taken");
    }
}
