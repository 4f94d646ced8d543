//! Numbers as Java reads them.

/// `Integer.parseInt` and `Long.parseLong`: a sign and decimal digits, within so many bits.
pub(super) fn decimal(text: &str, bits: u32) -> Option<i64> {
    let (sign, digits) = signed(text);
    number(sign, digits, 10, bits)
}

/// `Integer.decode` and `Long.decode`: a sign; `0x`, `0X` or `#` before hexadecimal digits, `0`
/// before octal ones.
pub(super) fn any_base(text: &str, bits: u32) -> Option<i64> {
    let (sign, digits) = signed(text);
    let hexadecimal = ["0x", "0X", "#"].iter().find_map(|prefix| digits.strip_prefix(prefix));
    match (hexadecimal, digits.strip_prefix('0')) {
        (Some(digits), _) => number(sign, digits, 16, bits),
        (None, Some(digits)) if !digits.is_empty() => number(sign, digits, 8, bits),
        _ => number(sign, digits, 10, bits),
    }
}

/// `Double.parseDouble`, but for its hexadecimal form.
pub(super) fn double(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c| c <= ' ');
    let (sign, digits) = signed(text);
    let magnitude = match digits {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        _ => {
            let digits = digits.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(digits);
            // Rust reads words and signs that Java does not.
            let is_plain = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                && digits.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b));
            if !is_plain {
                return None;
            }
            digits.parse().ok()?
        }
    };
    Some(f64::from(sign) * magnitude)
}

fn signed(text: &str) -> (i8, &str) {
    match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Digits without a sign; the least number is as long as the largest and one more.
fn number(sign: i8, digits: &str, base: u32, bits: u32) -> Option<i64> {
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = i128::from_str_radix(digits, base).ok()? * i128::from(sign);
    let limit = 1_i128 << (bits - 1);
    if (-limit..limit).contains(&number) { i64::try_from(number).ok() } else { None }
}
