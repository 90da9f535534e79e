//! When an order that failed is tried again.

use std::time::Duration;

use crate::certificates::share;
use crate::time::Timestamp;

/// The wait after the first failure; it doubles with each.
pub const FIRST_WAIT: Duration = Duration::from_mins(1);

/// The longest wait.
pub const LONGEST_WAIT: Duration = Duration::from_hours(12);

/// Failures within an hour that a CA allows for one name.
pub const FAILURES_AN_HOUR: usize = 5;

/// A CA's own clock may be a little behind.
const HOUR: Duration = Duration::from_mins(61);

/// When an order is tried again. `count` orders in a row have failed, the last of them at
/// `recent`'s end; `recent` holds when, oldest first, the last few at least. `chance`, from 0 to
/// 1, makes the wait up to a quarter longer. `not_before` is what the CA asked for.
#[must_use]
pub fn tried_again_at(
    count: u32,
    recent: &[Timestamp],
    not_before: Option<Timestamp>,
    chance: f64,
) -> Timestamp {
    let last = recent.last().copied().unwrap_or_default();
    let doubled = FIRST_WAIT.saturating_mul(1 << count.saturating_sub(1).min(20));
    let wait = doubled.min(LONGEST_WAIT);
    let at = last.plus(wait + wait.mul_f64(share(chance) / 4.0));
    // Of any six that fail, the last comes an hour after the first.
    let sixth = recent.len().checked_sub(FAILURES_AN_HOUR).map(|first| recent[first].plus(HOUR));
    [Some(at), sixth, not_before].into_iter().flatten().max().unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(at: Timestamp) -> u64 {
        at.as_ms() / 60_000
    }

    #[test]
    fn each_failure_doubles_the_wait_and_no_hour_has_more_than_five() {
        let mut at = Timestamp::from_ms(0);
        let (mut recent, mut waits) = (Vec::new(), Vec::new());
        for count in 1..=14 {
            recent.push(at);
            let next = tried_again_at(count, &recent, None, 0.0);
            waits.push(minutes(next) - minutes(at));
            at = next;
        }
        // The fifth would wait 16 minutes, were there not four within the hour already.
        assert_eq!(waits, [1, 2, 4, 8, 46, 32, 64, 128, 256, 512, 720, 720, 720, 720]);
        let within = |first: &Timestamp| {
            recent.iter().filter(|it| *it >= first && it.since(*first).as_secs() < 3_600).count()
        };
        assert!(recent.iter().all(|it| within(it) <= FAILURES_AN_HOUR));
    }

    #[test]
    fn chance_only_ever_makes_it_later_and_what_the_ca_asks_for_is_kept() {
        let failed = [Timestamp::from_ms(1_000_000)];
        let asked = Timestamp::from_ms(9_000_000);
        for (chance, not_before, at_ms) in [
            (0.0, None, 1_060_000),
            (1.0, None, 1_075_000),
            (f64::NAN, None, 1_060_000),
            (-3.0, None, 1_060_000),
            (0.0, Some(asked), 9_000_000),
            (0.0, Some(Timestamp::from_ms(1)), 1_060_000),
        ] {
            let at = tried_again_at(1, &failed, not_before, chance);
            assert_eq!(at.as_ms(), at_ms, "{chance} {not_before:?}");
        }
    }
}
