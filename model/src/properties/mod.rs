//! The syntax of configuration files: Java's Properties, with the line of every entry kept.
//!
//! A file is read as ISO-8859-1, as `Properties.load` does, whatever encoding it was written in: a
//! character outside ASCII that was written as UTF-8 becomes several others, and a byte order mark
//! becomes a part of the first key. A file that needs such characters has them as `\u` escapes.
//! Entries are in file order, duplicates included: which one counts is not decided here.

#[cfg(test)]
mod tests;

/// One `key=value` of a file, unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The number of the line on which the entry begins, from 1.
    pub line: u32,
    /// The key, not empty unless the line begins with its separator.
    pub key: String,
    /// The value as Java would load it: white space before it is dropped, after it kept.
    pub value: String,
}

/// A `\u` that is not followed by four hexadecimal digits: the only possible error of this syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedEscape {
    /// The number of the line on which the entry begins, from 1.
    pub line: u32,
}

/// Reads all entries of a file.
///
/// # Errors
/// [`MalformedEscape`] for the first entry that cannot be unescaped.
pub fn parse(bytes: &[u8]) -> Result<Vec<Property>, MalformedEscape> {
    parse_text(&decode(bytes))
}

/// Reads all entries of a text whose encoding is no longer a question.
///
/// # Errors
/// [`MalformedEscape`] for the first entry that cannot be unescaped.
pub fn parse_text(text: &str) -> Result<Vec<Property>, MalformedEscape> {
    let mut properties = Vec::new();
    for (line, logical) in logical_lines(text) {
        let (key, value) = split(&logical);
        let malformed = || MalformedEscape { line };
        properties.push(Property {
            line,
            key: unescape(key).ok_or_else(malformed)?,
            value: unescape(value).ok_or_else(malformed)?,
        });
    }
    Ok(properties)
}

/// ISO-8859-1: every byte is the character of its number.
fn decode(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// White space inside a line; the form feed counts, as in Java.
fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\x0c')
}

/// Joins continued lines and drops comments and empty lines; each with its first line's number.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut logical = Vec::new();
    let mut open: Option<(u32, String)> = None;
    for (index, natural) in unified.split('\n').enumerate() {
        let natural = natural.trim_start_matches(is_blank);
        // Comments and empty lines are recognised only where an entry may begin.
        if open.is_none() && (natural.is_empty() || natural.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = natural.len() - natural.trim_end_matches('\\').len();
        let continues = backslashes % 2 == 1;
        let kept = if continues { &natural[..natural.len() - 1] } else { natural };
        let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let (_, joined) = open.get_or_insert_with(|| (line, String::new()));
        joined.push_str(kept);
        if !continues {
            logical.extend(open.take());
        }
    }
    logical.extend(open);
    logical
}

/// Splits at the first separator that is not escaped: white space, one `=` or `:`, white space.
fn split(logical: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = logical.char_indices().find(|&(_, character)| {
        if escaped {
            escaped = false;
            return false;
        }
        escaped = character == '\\';
        matches!(character, '=' | ':') || is_blank(character)
    });
    let Some((end, _)) = end else { return (logical, "") };
    let rest = logical[end..].trim_start_matches(is_blank);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (&logical[..end], value.trim_start_matches(is_blank))
}

/// Resolves the escapes of a key or a value; `None` for a malformed `\u`.
fn unescape(raw: &str) -> Option<String> {
    if !raw.contains('\\') {
        return Some(raw.to_owned());
    }
    // In UTF-16, because one character may be written as two escapes.
    let mut units: Vec<u16> = Vec::with_capacity(raw.len());
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        let resolved = match character {
            '\\' => match characters.next() {
                None => break,
                Some('u') => {
                    let mut unit = 0;
                    for _ in 0..4 {
                        unit = unit * 16 + characters.next()?.to_digit(16)?;
                    }
                    units.push(u16::try_from(unit).expect("four digits are 16 bits"));
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\x0c',
                Some(other) => other,
            },
            other => other,
        };
        units.extend_from_slice(resolved.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&units))
}
