//! When a certificate is renewed, and when somebody must be told that it was not.

use std::time::Duration;

use crate::certificates::{Certificate, Origin, share};
use crate::time::Timestamp;

/// One that ends within this and could not be renewed is said to; for one that lives shorter than
/// six weeks, it is a third of the time it has left to be renewed in.
pub const EXPIRING: Duration = Duration::from_hours(24 * 14);

/// The most of its life that is left when a renewal begins.
const EARLIEST: Duration = Duration::from_hours(24 * 30);

/// When a certificate is to be renewed: when a third of its life is left, or 30 days, whichever is
/// less. `chance`, from 0 to 1, moves that to a tenth of it earlier, so that those made at once are
/// not renewed at once. `None` where it is not ours to renew.
#[must_use]
pub fn renew_at(certificate: &Certificate, chance: f64) -> Option<Timestamp> {
    match certificate.from {
        Origin::File => None,
        Origin::Acme { .. } => {
            let left = margin(certificate);
            Some(before(certificate.not_after, left + left.mul_f64(share(chance) / 10.0)))
        }
    }
}

/// Whether it ends so soon that somebody must be told. One that is renewed in time never comes
/// here: its renewal began earlier, and has been tried many times.
#[must_use]
pub fn is_expiring(certificate: &Certificate, now: Timestamp) -> bool {
    let soon = match certificate.from {
        Origin::File => EXPIRING,
        Origin::Acme { .. } => EXPIRING.min(margin(certificate) / 2),
    };
    before(certificate.not_after, soon) <= now
}

/// How much of its life is left when its renewal begins.
fn margin(certificate: &Certificate) -> Duration {
    (certificate.not_after.since(certificate.not_before) / 3).min(EARLIEST)
}

fn before(at: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_ms(at.as_ms().saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 24 * 3_600 * 1_000;

    fn lives(days: u64, from: Origin) -> Certificate {
        let begin = Timestamp::from_ms(1_800_000_000_000);
        let names = vec!["shop.example.com".to_owned()];
        let not_after = Timestamp::from_ms(begin.as_ms() + days * DAY_MS);
        Certificate { names, not_before: begin, not_after, from }
    }

    fn acme() -> Origin {
        Origin::Acme { directory: "https://ca.example.com/directory".into() }
    }

    #[test]
    fn it_is_renewed_with_a_third_of_its_life_left_or_thirty_days() {
        // Days it lives, chance, hours that are left when its renewal begins.
        for (days, chance, hours) in [
            (90, 0.0, 30 * 24),
            (90, 1.0, 33 * 24),
            (45, 0.0, 15 * 24),
            (6, 0.0, 48),
            (6, 0.5, 50),
            (365, 0.0, 30 * 24),
            (1_825, 0.0, 30 * 24),
            (90, 7.0, 33 * 24),
            (90, f64::NAN, 30 * 24),
        ] {
            let it = lives(days, acme());
            let at = renew_at(&it, chance).expect("it is ours to renew");
            let left = it.not_after.since(at).as_secs() / 360;
            // A quarter of an hour may be rounded away.
            assert_eq!((left + 5) / 10, hours, "{days} days, {chance}");
        }
        assert_eq!(renew_at(&lives(90, Origin::File), 0.0), None);
    }

    #[test]
    fn somebody_is_told_two_weeks_before_its_end_or_half_way_into_its_renewal() {
        for (days, from, hours) in
            [(90, acme(), 14 * 24), (30, acme(), 5 * 24), (6, acme(), 24), (6, Origin::File, 336)]
        {
            let it = lives(days, from);
            let told = before(it.not_after, Duration::from_hours(hours));
            assert!(is_expiring(&it, told), "{days} days");
            let second_before = before(told, Duration::from_secs(1));
            assert!(!is_expiring(&it, second_before), "{days} days");
        }
    }
}
