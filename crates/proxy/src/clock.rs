//! The machine's clock, where the core wants moments as arguments.

use std::time::{SystemTime, UNIX_EPOCH};

use toehold_core::time::Timestamp;

/// Microseconds since 1970; 0 where the clock stands before it.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Now, as the core says it.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_ms(now_us() / 1_000)
}
