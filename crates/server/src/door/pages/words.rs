//! How numbers and times are said: the same everywhere on the pages.

use std::time::Duration;

use maud::{Markup, html};
use toehold_core::time::Timestamp;

/// How long ago something was, with the exact time behind it.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    let exact = at.to_string();
    html! {
        time datetime=(exact) title=(exact) {
            @match now.since(at).as_secs() {
                0..60 => "just now",
                _ => { (short(now.since(at))) " ago" },
            }
        }
    }
}

/// How old something is, with the exact time behind it.
pub(crate) fn age(at: Timestamp, now: Timestamp) -> Markup {
    let exact = at.to_string();
    html! {
        time datetime=(exact) title=(exact) { (short(now.since(at))) }
    }
}

/// A time in one unit: `now`, `4 m`, `3 h`, `12 d`. Coarse, so that what did not change looks as
/// it did.
pub(crate) fn short(span: Duration) -> String {
    match span.as_secs() {
        0..60 => "now".to_owned(),
        seconds @ 60..3_600 => format!("{} m", seconds / 60),
        seconds @ 3_600..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// How long something took, in milliseconds: `0.4 s`, `12 s`, `2 m 14 s`.
pub(crate) fn took(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..10 => format!("{seconds}.{} s", ms % 1_000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} m", seconds / 3_600, seconds / 60 % 60),
    }
}

/// A share from 0 to 1: `0%`, `0.31%`, `4.2%`, `33%`.
pub(crate) fn share(share: f64) -> String {
    percent(share * 100.0)
}

/// A percentage with as many digits as one can use.
pub(crate) fn percent(percent: f64) -> String {
    if percent == 0.0 || percent >= 9.95 {
        return format!("{percent:.0}%");
    }
    if percent >= 0.95 { format!("{percent:.1}%") } else { format!("{percent:.2}%") }
}

/// The share of a split: `33.3%`, `20%`.
pub(crate) fn split_share(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{}%", text.strip_suffix(".0").unwrap_or(&text))
}

/// A latency in microseconds: `0.6 ms`, `41 ms`, `1.2 s`.
#[expect(clippy::cast_precision_loss, reason = "latencies are far below 2^52 µs")]
pub(crate) fn latency(us: u64) -> String {
    milliseconds(us as f64 / 1_000.0)
}

/// A latency in milliseconds: `0.6 ms`, `41 ms`, `1.2 s`.
pub(crate) fn milliseconds(ms: f64) -> String {
    if ms == 0.0 {
        "0 ms".to_owned()
    } else if ms < 9.95 {
        format!("{ms:.1} ms")
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1_000.0)
    }
}

/// A rate a second: `0`, `0.2`, `8.4`, `41`, `512`.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second == 0.0 || per_second >= 9.95 {
        format!("{per_second:.0}")
    } else {
        format!("{per_second:.1}")
    }
}

/// A count with its word: `1 request`, `412 requests`.
pub(crate) fn count(number: u64, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {word}{plural}", grouped(number))
}

/// Digits in groups of three, by thin spaces.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 4);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{2009}');
        }
        out.push(digit);
    }
    out
}

/// Bytes in binary units: `74 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut left = bytes;
    let mut unit = "B";
    for next in UNITS {
        if left < 1_024 {
            break;
        }
        left /= 1_024;
        unit = next;
    }
    format!("{left} {unit}")
}

/// A text as part of an address: every byte that could mean something there is written as `%XX`.
pub(crate) fn in_address(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_one_can_use() {
        assert_eq!(share(0.0), "0%");
        assert_eq!(share(0.003_1), "0.31%");
        assert_eq!(share(0.042), "4.2%");
        assert_eq!(share(0.331), "33%");
        assert_eq!(split_share(1.0 / 3.0), "33.3%");
        assert_eq!(split_share(0.2), "20%");
        assert_eq!(latency(612), "0.6 ms");
        assert_eq!(latency(41_200), "41 ms");
        assert_eq!(latency(1_234_000), "1.2 s");
        assert_eq!(grouped(1_234_567), "1\u{2009}234\u{2009}567");
        assert_eq!(bytes(78_000_000), "74 MiB");
    }

    #[test]
    fn times_are_said_in_one_unit() {
        assert_eq!(short(Duration::from_secs(59)), "now");
        assert_eq!(short(Duration::from_secs(200)), "3 m");
        assert_eq!(short(Duration::from_secs(7_300)), "2 h");
        assert_eq!(took(450), "0.4 s");
        assert_eq!(took(134_000), "2 m 14 s");
    }
}
