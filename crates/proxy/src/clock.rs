//! The machine's clock, where the core wants moments as arguments.

use std::cell::{Ref, RefCell};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// Dates as HTTP writes them, each written once a second.
#[derive(Debug, Default)]
pub(crate) struct Dates(RefCell<(u64, String)>);

impl Dates {
    /// The date of now.
    pub(crate) fn now(&self) -> Ref<'_, str> {
        let second = now_us() / 1_000_000;
        if self.0.borrow().0 != second {
            let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
            *self.0.borrow_mut() = (second, date);
        }
        Ref::map(self.0.borrow(), |(_, date)| date.as_str())
    }
}
