//! Numbers for people.

/// `12,345`: a whole number in groups of three digits.
pub(super) fn count(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 { format!("-{text}") } else { text }
}

/// Three digits that count, as far as a decimal is one.
fn short(value: f64) -> String {
    match value.abs() {
        it if it >= 99.95 => count(value),
        it if it >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// `3.21 us`, `4.50 ms`, `1.20 s`.
pub(super) fn time(seconds: f64) -> String {
    match seconds.abs() {
        it if it >= 1.0 => format!("{} s", short(seconds)),
        it if it >= 1e-3 => format!("{} ms", short(seconds * 1e3)),
        _ => format!("{} us", short(seconds * 1e6)),
    }
}

/// `12.3 MiB`.
pub(super) fn bytes(value: f64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut value, mut unit) = (value, 0);
    while value.abs() >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    let text = if unit == 0 { count(value) } else { short(value) };
    format!("{text} {}", units[unit])
}

/// `12 %`; what is above 1,000 % is said to be.
pub(super) fn percent(part: f64) -> String {
    match part * 100.0 {
        it if it > 1_000.0 => "> 1,000 %".to_owned(),
        it if it.abs() < 9.95 => format!("{it:.1} %"),
        it => format!("{it:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0, 999.4, 1e3, 1_234_567.0].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(count(-1234.0), "-1,234");
        assert_eq!(
            [3e-6, 9.996e-4, 0.0123, 2.0].map(time),
            ["3.00 us", "1,000 us", "12.3 ms", "2.00 s"]
        );
        assert_eq!(
            [0.0, 1023.0, 1536.0, 5e9].map(bytes),
            ["0 bytes", "1,023 bytes", "1.50 KiB", "4.66 GiB"]
        );
        assert_eq!([0.001, 0.5, 2.0, 99.0].map(percent), ["0.1 %", "50 %", "200 %", "> 1,000 %"]);
    }
}
