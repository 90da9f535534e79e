//! When an instance is passed over that can be reached all the same: it fails again and again, or is
//! much slower than the others of its release.
//!
//! That is no proof that it is dead, and the fault may lie with all of them, or with what they all
//! use. So at most half of a release is ever passed over for it.

use std::time::Duration;

/// So many failures without a success between them are no accident.
pub const FAILURES_IN_A_ROW: u32 = 5;

/// An instance that is this many times as slow as the others is an outlier.
pub const TIMES_AS_SLOW: u64 = 5;

/// What is quicker than this is nobody's trouble, however quick the others are, in microseconds.
pub const SLOW_US: u64 = 100_000;

/// The fewest answers that say how quick an instance is.
pub const ANSWERS: u64 = 20;

/// How long an instance is passed over for the first time, and the longest it ever is.
const LASTS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(1));

/// How quick an instance lately was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Half of its answers took less, in microseconds.
    pub half_us: u64,
    /// Three quarters of its answers took less, in microseconds.
    pub most_us: u64,
}

/// Whether one more of `count` instances may be passed over where `aside` are, whatever for.
#[must_use]
pub const fn may_eject(count: usize, aside: usize) -> bool {
    (aside + 1) * 2 <= count
}

/// How many of the `doubted` are to be taken back where so many of `count` are passed over, these
/// included: more may have died since, or others have left.
#[must_use]
pub fn too_many(count: usize, aside: usize, doubted: usize) -> usize {
    aside.saturating_sub(count / 2).min(doubted)
}

/// How long an instance is passed over, the first time (`before` is 0) and after: twice as long each
/// time, within bounds.
#[must_use]
pub fn lasts(before: u32) -> Duration {
    (LASTS.0 * 2_u32.saturating_pow(before.min(8))).min(LASTS.1)
}

/// Whether it has been well for long enough that what was before is forgotten.
#[must_use]
pub fn is_forgiven(before: u32, well_for: Duration) -> bool {
    well_for >= lasts(before) * 10
}

/// The middle of the others, in microseconds, where an instance is an outlier beside them.
///
/// What half of its own answers take is held against what three quarters of theirs do: where a
/// release answers some requests quickly and others slowly, as all do, chance alone makes nobody an
/// outlier. One very long answer makes nobody one either.
#[must_use]
pub fn outlier(own: Pace, mut others: Vec<Pace>) -> Option<u64> {
    others.sort_unstable_by_key(|it| it.most_us);
    // Of two in the middle the slower one.
    let middle = others.get(others.len() / 2)?.most_us;
    let is_one = own.half_us >= SLOW_US && own.half_us >= middle.saturating_mul(TIMES_AS_SLOW);
    is_one.then_some(middle)
}

/// Whether an answer with this status is a failure of what stands between the proxy and the app, or
/// of the app as a whole, and not an answer to this request.
#[must_use]
pub const fn is_failure(status: u16) -> bool {
    matches!(status, 502..=504)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_half_is_passed_over() {
        for (count, at_most) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (10, 5)] {
            let mut aside = 0;
            while may_eject(count, aside) {
                aside += 1;
            }
            assert_eq!(aside, at_most, "of {count}");
            assert_eq!(too_many(count, aside, aside), 0, "of {count}");
        }
        // Two of four are doubted: one more dies, or two of the others leave.
        assert_eq!(too_many(4, 3, 2), 1);
        assert_eq!(too_many(2, 2, 2), 1);
        // The dead are dead.
        assert_eq!(too_many(4, 4, 1), 1);
        assert_eq!(too_many(4, 4, 0), 0);
    }

    #[test]
    fn each_time_it_is_passed_over_for_twice_as_long_up_to_a_minute() {
        let seconds: Vec<u64> = (0..6).map(|before| lasts(before).as_secs()).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 60, 60]);
        assert_eq!(lasts(u32::MAX), Duration::from_mins(1));
        assert!(!is_forgiven(1, Duration::from_secs(99)));
        assert!(is_forgiven(1, Duration::from_secs(100)));
    }

    #[test]
    fn an_outlier_is_much_slower_than_most_of_the_others_and_slow() {
        let pace = |half_ms: u64, most_ms: u64| Pace {
            half_us: half_ms * 1_000,
            most_us: most_ms * 1_000,
        };
        for (own, others, middle) in [
            (pace(150, 200), vec![pace(10, 30)], Some(30_000)),
            (pace(149, 200), vec![pace(10, 30)], None),
            // Twenty times as slow, but quick.
            (pace(99, 99), vec![pace(2, 3), pace(2, 3)], None),
            // Some of all answers are slow, here more than there by chance.
            (pace(900, 950), vec![pace(5, 880), pace(5, 910)], None),
            // Another slow one hides nothing from three.
            (pace(400, 500), vec![pace(400, 500), pace(9, 20), pace(9, 20)], Some(20_000)),
            // Of two others one is as slow: who knows which is right?
            (pace(400, 500), vec![pace(400, 500), pace(9, 20)], None),
            (pace(400, 500), vec![], None),
        ] {
            assert_eq!(outlier(own, others.clone()), middle, "{own:?} beside {others:?}");
        }
    }

    #[test]
    fn what_an_app_itself_says_is_no_failure() {
        let failures: Vec<u16> = (100..600).filter(|&status| is_failure(status)).collect();
        assert_eq!(failures, [502, 503, 504]);
    }
}
