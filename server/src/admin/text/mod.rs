//! The words' answers as text, byte for byte in stock's forms: pure functions of reports.
//!
//! - [`server`]: `srvr`, and the parts of `stat`; [`connections`]: the lines of `cons` and `stat`;
//! - [`conf`]: `conf`, `dirs`, `envi`; [`monitor`]: `mntr`;
//! - [`dump`]: `dump`; [`watches`]: `wchs`, `wchc`, `wchp`;
//! - here: numbers, times and addresses as Java prints them.
//!
//! Not here: who asked, and whether the server serves (`answer`).

pub mod conf;
pub mod connections;
pub mod dump;
pub mod monitor;
pub mod server;
#[cfg(test)]
mod tests;
pub mod watches;

use super::inquiry::Spread;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The answer while clients are not served.
pub const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

/// The answer to a word that is not enabled.
pub fn not_enabled(word: &str) -> String {
    format!("{word} is not executed because it is not in the whitelist.\n")
}

/// Appends formatted text to bytes, which cannot fail.
macro_rules! put {
    ($out:expr, $($format:tt)*) => {{
        use std::io::Write as _;
        write!($out, $($format)*).expect("writing to a Vec does not fail")
    }};
}
use put;

/// The mean of some numbers as stock rounds it: to four places, half up.
#[derive(Clone, Copy, Debug)]
pub struct Mean(pub Spread);

impl fmt::Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sum, count) = (u128::from(self.0.sum), u128::from(self.0.count.max(1)));
        let scaled = if self.0.count == 0 { 0 } else { (sum * 20_000 + count) / (2 * count) };
        let (whole, places) = (scaled / 10_000, format!("{:04}", scaled % 10_000));
        let places = places.trim_end_matches('0');
        write!(f, "{whole}.{}", if places.is_empty() { "0" } else { places })
    }
}

/// A decimal as Java prints a double.
pub fn double(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    if !number.is_finite() {
        let sign = if number.is_sign_negative() { "-" } else { "" };
        return if number.is_nan() { "NaN".into() } else { format!("{sign}Infinity") };
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

/// A socket's address as Java prints it: `/` first, IPv6 with all of its groups.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.0.port();
        match self.0.ip().to_canonical() {
            IpAddr::V4(address) => write!(f, "/{address}:{port}"),
            IpAddr::V6(address) => {
                let groups = address.segments().map(|group| format!("{group:x}"));
                write!(f, "/[{}", groups.join(":"))?;
                if let SocketAddr::V6(v6) = self.0
                    && v6.scope_id() != 0
                {
                    write!(f, "%{}", v6.scope_id())?;
                }
                write!(f, "]:{port}")
            }
        }
    }
}

/// A time in UTC, as its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Civil {
    /// Of ms since 1970.
    fn of_ms(ms: i64) -> Self {
        let seconds = ms.div_euclid(1000);
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Years are counted from March, in eras of 400 years (H. Hinnant, chrono-compatible
        // low-level date algorithms).
        let shifted = days + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self {
            year: year + era * 400 + i64::from(month <= 2),
            month: month as usize,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            weekday: (days + 4).rem_euclid(7) as usize,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }
}

/// A time in ms since 1970 as Java prints a date: `Sat Nov 21 06:02:28 UTC 2026`. Always in UTC.
#[derive(Clone, Copy, Debug)]
pub struct Date(pub i64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let Civil { year, month, day, weekday, hour, minute, second } = Civil::of_ms(self.0);
        let (weekday, month) = (WEEKDAYS[weekday], MONTHS[month - 1]);
        write!(f, "{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}")
    }
}

/// The version as the words and their readers expect it. The number is that of the `ZooKeeper`
/// whose clients and words are understood, followed by our own version.
#[derive(Clone, Copy, Debug)]
pub struct Version {
    /// When the binary was built, in ms since 1970.
    pub built_ms: i64,
    /// The date in the form of `ZooKeeper` 3.5 and before.
    pub has_old_date: bool,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, .. } = Civil::of_ms(self.built_ms);
        let ours = env!("CARGO_PKG_VERSION");
        write!(f, "3.9.5-ringkeeper-{ours}, ")?;
        if self.has_old_date {
            write!(f, "built on {month:02}/{day:02}/{year} {hour:02}:{minute:02} GMT")
        } else {
            write!(f, "built on {year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
        }
    }
}
