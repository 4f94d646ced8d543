//! JSON as stock prints it: indented by two, a space on both sides of a colon, arrays in a row.

use serde_json::Value;

/// A value as text.
pub(in crate::admin) fn print(value: &Value) -> String {
    let mut out = String::new();
    put(&mut out, value, 0);
    out
}

fn put(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if members.is_empty() => out.push_str("{ }"),
        Value::Object(members) => {
            out.push('{');
            for (at, (name, member)) in members.iter().enumerate() {
                out.push_str(if at == 0 { "\n" } else { ",\n" });
                indent(out, depth + 1);
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push_str(" : ");
                put(out, member, depth + 1);
            }
            out.push('\n');
            indent(out, depth);
            out.push('}');
        }
        Value::Array(members) if members.is_empty() => out.push_str("[ ]"),
        Value::Array(members) => {
            out.push_str("[ ");
            for (at, member) in members.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                put(out, member, depth);
            }
            out.push_str(" ]");
        }
        plain => out.push_str(&plain.to_string()),
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}
