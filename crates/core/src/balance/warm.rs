//! An instance that comes, or comes back, gets its share bit by bit.

use std::time::Duration;

/// How long until an instance that came gets its whole share: empty caches and pools fill in it.
pub const RAMP: Duration = Duration::from_secs(5);

/// The share it begins with, in parts of [`WHOLE`]: a tenth. With nothing it would never be warm.
const FIRST: u64 = WHOLE / 10;

/// The whole share.
const WHOLE: u64 = 1 << 16;

/// Whether an instance that came so long ago takes part in a choice that these random bits make. Who
/// is not let in is passed over where there is another one, and only there.
#[must_use]
pub fn lets_in(age: Duration, random: u64) -> bool {
    if age >= RAMP {
        return true;
    }
    let (age, ramp) = (age.as_millis(), RAMP.as_millis());
    let grown = u64::try_from(u128::from(WHOLE - FIRST) * age / ramp).unwrap_or(WHOLE);
    random % WHOLE < FIRST + grown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_grows_from_a_tenth_to_the_whole_within_five_seconds() {
        let let_in = |ms| {
            let age = Duration::from_millis(ms);
            (0..WHOLE).filter(|&random| lets_in(age, random)).count() * 100 / 65_536
        };
        assert_eq!([0, 1_250, 2_500, 4_999, 5_000].map(let_in), [9, 32, 54, 99, 100]);
        assert!(lets_in(Duration::from_hours(9_000), u64::MAX));
    }
}
