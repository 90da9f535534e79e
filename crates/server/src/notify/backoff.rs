//! When a letter that was not taken is tried again, and when it is given up.

use std::time::Duration;

use toehold_core::time::Timestamp;

/// The waits after the first tries; the last one is for all that follow. The first two are for a
/// server that restarts.
const WAITS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
    Duration::from_hours(4),
];

/// How long a letter is tried at all: a server that is away over a weekend loses nothing.
const TRIED_FOR: Duration = Duration::from_hours(72);

/// When the try after the `attempts`-th is made; `None` where the letter is given up.
pub(super) fn next_try(created_at: Timestamp, attempts: u32, now: Timestamp) -> Option<Timestamp> {
    if now.since(created_at) >= TRIED_FOR {
        return None;
    }
    let done = usize::try_from(attempts).unwrap_or(usize::MAX);
    let wait = WAITS[done.saturating_sub(1).min(WAITS.len() - 1)];
    Some(now.plus(wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_farther_apart_and_end_after_three_days() {
        let created_at = Timestamp::from_ms(1_000);
        let mut now = created_at;
        let mut tries = vec![];
        while let Some(next) = next_try(created_at, u32::try_from(tries.len()).unwrap() + 1, now) {
            tries.push(next.since(now).as_secs());
            now = next;
        }
        assert_eq!(tries[..8], [5, 20, 60, 300, 900, 3_600, 14_400, 14_400]);
        let all: u64 = tries.iter().sum();
        assert!((72..=76).contains(&(all / 3_600)), "{all} s");
    }
}
