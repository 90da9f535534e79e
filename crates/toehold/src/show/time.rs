//! Times as people say them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use toehold_core::time::Timestamp;

/// The time.
pub fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
}

/// `0.4s`, `12.0s`, `2m 14s`, `3h 5m`, `4d 2h`.
pub fn took(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", duration.as_secs_f64()),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// How long ago something was.
pub fn ago(at: Timestamp) -> String {
    let since = now().since(at);
    if since < Duration::from_secs(2) { "now".into() } else { format!("{} ago", took(since)) }
}

/// The time of day in UTC.
pub fn clock(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(11..19).unwrap_or(&text).to_owned()
}

/// `90d`, `10m`, `30s`, `12h`.
pub fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let count: u64 = digits.parse().ok()?;
    let each = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    count.checked_mul(each).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_said_as_people_say_them() {
        for (seconds, said) in
            [(0, "0.0s"), (59, "59.0s"), (134, "2m 14s"), (3_600, "1h 0m"), (90_000, "1d 1h")]
        {
            assert_eq!(took(Duration::from_secs(seconds)), said);
        }
        assert_eq!(parse("90d"), Some(Duration::from_hours(90 * 24)));
        assert_eq!((parse("90"), parse("d"), parse("1w")), (None, None, None));
    }
}
