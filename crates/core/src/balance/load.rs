//! How busy an instance is, by what waits there and how long it lately took to answer.

/// In this time a latency that is not seen again counts for half, in microseconds.
const HALF_LIFE_US: u64 = 2_000_000;

/// The least latency that is told from others, in microseconds: below it chance and the clock say
/// more than the instance.
const LEAST_US: u64 = 1_000;

/// How busy an instance is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Requests in flight there.
    pub in_flight: u64,
    /// How long it lately took to answer, in microseconds; 0 where that is not known.
    pub latency_us: u64,
}

impl Load {
    /// Whether a request is better off here than there: what waits, and the request itself, would
    /// take less than half the time. Where the two are closer, or a latency is not known, fewer
    /// requests in flight decide: latencies of equals differ by chance, and the least of them would
    /// draw everything to one.
    #[must_use]
    pub fn is_below(self, other: Self) -> bool {
        if self.latency_us > 0 && other.latency_us > 0 {
            let (mine, theirs) = (self.work_us(), other.work_us());
            if mine.saturating_mul(2) < theirs {
                return true;
            }
            if theirs.saturating_mul(2) < mine {
                return false;
            }
        }
        self.in_flight < other.in_flight
    }

    fn work_us(self) -> u64 {
        (self.in_flight + 1).saturating_mul(self.latency_us.max(LEAST_US))
    }
}

/// The latency of an instance as it was seen lately: it jumps to each longer one at once, and comes
/// down slowly, so that one that has become slow is seen by the first answer and forgotten late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// The latency at that moment, in microseconds; 0 where none was seen.
    pub us: u64,
    /// When it was seen, in microseconds by any clock.
    pub at_us: u64,
}

impl Peak {
    /// With an answer that took so long, and came at this moment.
    #[must_use]
    pub fn seen(self, took_us: u64, now_us: u64) -> Self {
        let before = self.at(now_us);
        let us = if took_us >= before || self.us == 0 {
            took_us
        } else {
            // What is above the new one loses by its age.
            let above = self.us.saturating_sub(took_us);
            took_us + halved(above, now_us.saturating_sub(self.at_us))
        };
        Self { us: us.max(1), at_us: now_us }
    }

    /// The latency to reckon with at this moment, in microseconds; 0 where none is known. One that
    /// was not seen again for long comes to nothing, so that a slow instance is tried again. A clock
    /// that was set back makes it unknown.
    #[must_use]
    pub const fn at(self, now_us: u64) -> u64 {
        if now_us < self.at_us { 0 } else { halved(self.us, now_us - self.at_us) }
    }
}

/// What is left of `value` after so long: half after each half-life, in between on a straight line.
const fn halved(value: u64, after_us: u64) -> u64 {
    let (halves, rest) = (after_us / HALF_LIFE_US, after_us % HALF_LIFE_US);
    if halves > 63 {
        return 0;
    }
    let value = value >> halves;
    // Above this a product could run over; nothing takes so many centuries.
    let (value, part) = (if value > 1 << 42 { 1 << 42 } else { value }, rest);
    value - value * part / (2 * HALF_LIFE_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn what_would_take_less_than_half_as_long_is_below() {
        let load = |in_flight, latency_us| Load { in_flight, latency_us };
        // Slow and idle is worse than quick and busy.
        assert!(load(3, 2_000).is_below(load(0, 20_000)));
        assert!(!load(0, 20_000).is_below(load(3, 2_000)));
        // Nearly as quick: fewer requests in flight decide.
        assert!(load(0, 12_000).is_below(load(1, 10_000)));
        assert!(!load(0, 10_000).is_below(load(0, 12_000)));
        // Nothing is known of one: fewer requests in flight decide.
        assert!(load(0, 0).is_below(load(1, 5)) && !load(1, 5).is_below(load(0, 0)));
        // Below a millisecond nothing is told apart.
        assert!(!load(0, 50).is_below(load(0, 900)) && load(0, 900).is_below(load(1, 50)));
        assert!(!load(u64::MAX - 1, u64::MAX).is_below(load(0, u64::MAX)));
    }

    #[test]
    fn a_peak_is_there_at_once_and_goes_by_halves() {
        let calm = Peak::default().seen(10_000, SECOND);
        assert_eq!(calm.at(SECOND), 10_000);
        let high = calm.seen(400_000, 2 * SECOND);
        assert_eq!(high.at(2 * SECOND), 400_000);
        assert_eq!((high.at(4 * SECOND), high.at(6 * SECOND)), (200_000, 100_000));
        assert_eq!(high.at(3 * SECOND), 300_000);
        // Two seconds of quick answers take half of what is above them.
        assert_eq!(high.seen(10_000, 4 * SECOND).us, 205_000);
        assert_eq!(high.at(500 * SECOND), 0, "it is tried again");
        assert_eq!(high.at(SECOND), 0, "the clock was set back");
        assert_eq!(Peak::default().at(SECOND), 0, "nothing is known");
        assert!(Peak { us: u64::MAX, at_us: 0 }.at(SECOND) > 0);
    }
}
