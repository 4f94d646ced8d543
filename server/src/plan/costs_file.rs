//! Costs as a file of TOML: some of them to override others, or all of them as they are used.

use super::error::CostsFileError;
use super::fields::{CURVE, FIELDS, Unit, field};
use planning::{Costs, Curve, CurvePoint};
use std::fmt::Write as _;
use toml::{Table, Value};

/// The version of the form.
const VERSION: i64 = 1;

/// Sets the costs that a file names; returns their names.
pub(super) fn apply(text: &str, costs: &mut Costs) -> Result<Vec<&'static str>, CostsFileError> {
    let file: Table = text.parse()?;
    let mut named = Vec::new();
    for (table, keys) in &file {
        if table == "version" {
            let found = keys.as_integer().unwrap_or_default();
            if found == VERSION {
                continue;
            }
            return Err(CostsFileError::Version { found });
        }
        let keys = keys.as_table().ok_or_else(|| CostsFileError::unknown(table))?;
        for (key, value) in keys {
            let name = format!("{table}.{key}");
            if name == CURVE {
                costs.device.curve = curve(value).ok_or(CostsFileError::Curve)??;
                named.push(CURVE);
                continue;
            }
            let field = field(&name).ok_or_else(|| CostsFileError::unknown(&name))?;
            let number = number(value).ok_or(CostsFileError::NoNumber { name: field.name })?;
            (field.write)(costs, number);
            named.push(field.name);
        }
    }
    costs.check()?;
    Ok(named)
}

fn number(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|it| it as f64))
}

/// `[[bytes, seconds], ...]`.
fn curve(value: &Value) -> Option<Result<Curve, planning::InputError>> {
    let point = |value: &Value| match value.as_array()?.as_slice() {
        [bytes, seconds] => Some(CurvePoint { bytes: number(bytes)?, seconds: number(seconds)? }),
        _ => None,
    };
    let points: Option<Vec<_>> = value.as_array()?.iter().map(point).collect();
    Some(Curve::new(points?))
}

/// All costs, each with what it is.
pub(super) fn text(costs: &Costs) -> String {
    let mut text = format!(
        "# Costs of one kind of server, for `ringkeeper plan --costs`. What a file leaves out\n\
         # is as without it.\nversion = {VERSION}\n"
    );
    for table in ["cores", "device", "network", "memory"] {
        let _ = writeln!(text, "\n[{table}]");
        if table == "device" {
            text += "# [bytes of a batch, seconds until it is durable], with all slots in use\n";
            let points = costs.device.curve.points().iter();
            let points = points.map(|it| format!("[{:?}, {:e}]", it.bytes, it.seconds));
            let _ = writeln!(text, "curve = [{}]", points.collect::<Vec<_>>().join(", "));
        }
        for field in FIELDS {
            let Some((of, key)) = field.name.split_once('.').filter(|it| it.0 == table) else {
                continue;
            };
            debug_assert_eq!(of, table);
            let value = (field.read)(costs);
            let (unit, value) = match field.unit {
                Unit::Seconds => ("seconds: ", format!("{value:e}")),
                Unit::Bytes => ("bytes: ", format!("{value:?}")),
                Unit::BytesPerSecond => ("bytes a second: ", format!("{value:e}")),
                Unit::Plain => ("", format!("{value:?}")),
            };
            let _ = writeln!(text, "# {unit}{}\n{key} = {value}", field.about);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut costs = Costs::example();
        costs.cores.shard_read_s = 1.234_567_8e-6;
        costs.device.slots = 3;
        let mut found = Costs::measured();
        let named = apply(&text(&costs), &mut found).unwrap();
        assert_eq!(named.len(), FIELDS.len() + 1);
        assert_eq!(found, costs);
    }

    #[test]
    fn a_few_override_others() {
        let mut costs = Costs::example();
        let text = "[cores]\nshard_read_s = 9e-6\n[device]\nslots = 2\n";
        assert_eq!(apply(text, &mut costs).unwrap(), ["cores.shard_read_s", "device.slots"]);
        let mut expected = Costs::example();
        expected.cores.shard_read_s = 9e-6;
        expected.device.slots = 2;
        assert_eq!(costs, expected);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("[cores]\nshard_raed_s = 1.0", "cores.shard_raed_s; did you mean cores.shard_read_s"),
            ("[cores]\nshard_read_s = \"fast\"", "cores.shard_read_s is no number"),
            ("[cores]\nshard_read_s = -1.0", "cores.shard_read_s is -1"),
            ("[cores]\nshard_read_s = nan", "cores.shard_read_s is NaN"),
            ("[device]\ncurve = [[1.0, 2.0], [1.0]]", "[bytes, seconds]"),
            ("[device]\ncurve = []", "no points"),
            ("[device]\nslots = -3", "device.slots is 0"),
            ("version = 2", "version 2"),
            ("cores = 3", "cores"),
            ("[cores", "line 1"),
        ] {
            let error = apply(text, &mut Costs::example()).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
