//! How soon something that died is started again.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(500);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// One that was healthy for so long starts from the first wait again.
pub(super) const FORGIVEN_AFTER: Duration = Duration::from_mins(1);

/// The wait after `streak` deaths in a row before this one.
pub(super) fn delay(streak: u32) -> Duration {
    FIRST.saturating_mul(2_u32.saturating_pow(streak)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_death_in_a_row_doubles_the_wait_up_to_half_a_minute() {
        let ms: Vec<u128> = (0..8).map(|streak| delay(streak).as_millis()).collect();
        assert_eq!(ms, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        assert_eq!(delay(u32::MAX), LONGEST);
    }
}
