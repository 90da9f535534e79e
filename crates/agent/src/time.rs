//! The one place where the agent reads the clock that people read. Waiting is done by tokio's,
//! which nobody can set.

use std::time::{SystemTime, UNIX_EPOCH};

use toehold_core::time::Timestamp;

/// Now, by the machine's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
