//! Names of principals in the ids of `sasl` and `x509`, as far as ACLs need them: whether stock
//! accepts them.

/// Whether this is a Kerberos name, `primary/instance@realm`, or any other without an `@` (source:
/// ZooKeeper 3.9.5, `KerberosName`).
pub fn is_principal(id: &[u8]) -> bool {
    let mut parts = id.split(|&b| b == b'@');
    let name = parts.next().unwrap_or_default();
    let Some(realm) = parts.next() else { return true };
    let is_short = name.split(|&b| b == b'/').count() <= 2;
    is_short && !realm.contains(&b'/') && parts.next().is_none()
}

/// The keywords that Java knows for types of attributes.
const KEYWORDS: [&str; 21] = [
    "CN",
    "C",
    "L",
    "S",
    "ST",
    "O",
    "OU",
    "T",
    "IP",
    "STREET",
    "DC",
    "DNQUALIFIER",
    "DNQ",
    "SURNAME",
    "GIVENNAME",
    "INITIALS",
    "GENERATION",
    "EMAIL",
    "EMAILADDRESS",
    "UID",
    "SERIALNUMBER",
];
/// The characters that a backslash may escape.
const ESCAPED: &str = ",=\n+<>#;\\\" ";

/// Whether this is a distinguished name as Java's `X500Principal` reads one: parts separated by
/// commas or semicolons, attributes of a part by plus signs.
pub fn is_distinguished(name: &str) -> bool {
    name.is_empty() || pieces(name, &[',', ';']).all(|part| pieces(part, &['+']).all(is_attribute))
}

/// The pieces between separators that are neither escaped nor quoted.
fn pieces<'a>(text: &'a str, separators: &'a [char]) -> impl Iterator<Item = &'a str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut is_escaped, mut is_quoted) = (false, false);
        let at = text.char_indices().find(|&(_, c)| {
            let is_end = !is_escaped && !is_quoted && separators.contains(&c);
            is_quoted ^= c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        });
        rest = at.map(|(at, separator)| &text[at + separator.len_utf8()..]);
        Some(at.map_or(text, |(at, _)| &text[..at]))
    })
}

fn is_attribute(text: &str) -> bool {
    let Some((kind, value)) = text.split_once('=') else { return false };
    let kind = kind.trim().to_ascii_uppercase();
    if !KEYWORDS.contains(&kind.as_str()) && !is_oid(kind.strip_prefix("OID.").unwrap_or(&kind)) {
        return false;
    }
    let value = value.trim_start_matches([' ', '\n']);
    match value.chars().next() {
        None => true,
        Some('#') => is_hex_value(&value[1..]),
        Some('"') => is_quoted(&value[1..]),
        Some(_) => is_plain(value),
    }
}

fn is_oid(text: &str) -> bool {
    let arcs: Option<Vec<u64>> = text
        .split('.')
        .map(|arc| if arc.starts_with('+') { None } else { arc.parse().ok() })
        .collect();
    match arcs.as_deref() {
        Some([first, second, ..]) => *first < 2 && *second < 40 || *first == 2,
        _ => false,
    }
}

/// Whether this is one value of DER in hexadecimal: a tag, a length, and as many bytes.
fn is_hex_value(text: &str) -> bool {
    let text = text.trim_end_matches([' ', '\n']);
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return false;
    }
    let byte = |at: usize| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok();
    let held = text.len() / 2;
    let Some(short) = byte(1) else { return false };
    if short < 0x80 {
        return held == 2 + usize::from(short);
    }
    let count = usize::from(short & 0x7f);
    if !(1..=4).contains(&count) {
        return false;
    }
    let length = (0..count).try_fold(0, |sum, at| Some(sum << 8 | usize::from(byte(2 + at)?)));
    length.is_some_and(|length| held == 2 + count + length)
}

/// Takes what follows a backslash; `None` if it is not allowed there.
fn unescape(chars: &mut std::str::Chars<'_>) -> Option<()> {
    let first = chars.next()?;
    if first.is_ascii_hexdigit() {
        return chars.next()?.is_ascii_hexdigit().then_some(());
    }
    ESCAPED.contains(first).then_some(())
}

fn is_quoted(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return chars.as_str().trim_matches([' ', '\n']).is_empty(),
            '\\' if unescape(&mut chars).is_none() => return false,
            _ => {}
        }
    }
    false
}

fn is_plain(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let is_allowed = match c {
            '\\' => unescape(&mut chars).is_some(),
            c => !",+<>;\"".contains(c),
        };
        if !is_allowed {
            return false;
        }
    }
    true
}
