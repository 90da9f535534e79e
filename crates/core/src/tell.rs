//! How numbers and errors are said to people.

use std::error::Error;
use std::time::Duration;

/// A duration: `900 ms`, `2.5 s`, `90 s`, `10 min`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 if ms % 1_000 >= 100 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        1_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

/// A percentage: `45 %`, `46.7 %`.
#[must_use]
pub fn percent(value: f64) -> String {
    let text = format!("{value:.1}");
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// A number of things: `1 instance`, `2 instances`.
#[must_use]
pub fn count(number: u64, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{s}")
}

/// An error and all that led to it: `cannot write x: no space left on device`.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_said_with_all_that_led_to_it() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot write x")]
        struct Outer(#[source] std::fmt::Error);
        let inner = std::fmt::Error;
        assert_eq!(chain(&Outer(inner)), format!("cannot write x: {inner}"));
    }

    #[test]
    fn numbers_are_said_shortly() {
        let said: Vec<String> = [0, 900, 1_000, 2_550, 90_000, 600_000, 7_200_000]
            .map(|ms| duration(Duration::from_millis(ms)))
            .to_vec();
        assert_eq!(said, ["0 ms", "900 ms", "1 s", "2.5 s", "90 s", "10 min", "2 h"]);
        assert_eq!([45.0, 46.66].map(percent).to_vec(), ["45 %", "46.7 %"]);
        assert_eq!(count(1, "instance"), "1 instance");
        assert_eq!(count(2, "instance"), "2 instances");
    }
}
