//! Rise and fall: how many probes in a row it takes to be believed.

use crate::model::HealthCheck;

/// What the probes of one run of an instance add up to. An instance begins unhealthy: it gets no
/// request before it has shown that it can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    rise: u32,
    fall: u32,
    healthy: bool,
    /// Probes in a row that speak against what is held to be so.
    against: u32,
}

/// A change of what is held to be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthChange {
    /// It is healthy from now on.
    Rose,
    /// It is not any more.
    Fell,
}

impl Health {
    /// A run that has just begun.
    #[must_use]
    pub fn new(check: &HealthCheck) -> Self {
        Self::known(check, false)
    }

    /// A run that was watched before, and was `healthy` (or not) when last seen.
    #[must_use]
    pub fn known(check: &HealthCheck, healthy: bool) -> Self {
        Self { rise: check.rise.max(1), fall: check.fall.max(1), healthy, against: 0 }
    }

    /// Whether it may get requests.
    #[must_use]
    pub const fn is_healthy(&self) -> bool {
        self.healthy
    }

    /// Takes in one probe.
    pub fn record(&mut self, passed: bool) -> Option<HealthChange> {
        if passed == self.healthy {
            self.against = 0;
            return None;
        }
        self.against += 1;
        if self.against < if passed { self.rise } else { self.fall } {
            return None;
        }
        self.healthy = passed;
        self.against = 0;
        Some(if passed { HealthChange::Rose } else { HealthChange::Fell })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::HealthKind;

    /// Probes as `+` and `-`; the answer has `U` and `D` where it rose and fell.
    fn check(rise: u32, fall: u32, probes: &str, expected: &str) {
        let second = Duration::from_secs(1);
        let (interval, timeout, deadline) = (second, second, second);
        let kind = HealthKind::Tcp;
        let mut health =
            Health::new(&HealthCheck { kind, interval, timeout, deadline, rise, fall });
        let seen: String = probes
            .chars()
            .map(|probe| match health.record(probe == '+') {
                Some(HealthChange::Rose) => 'U',
                Some(HealthChange::Fell) => 'D',
                None => '.',
            })
            .collect();
        assert_eq!(seen, expected, "rise {rise}, fall {fall}: {probes}");
    }

    #[test]
    fn it_takes_some_in_a_row_to_be_believed() {
        check(1, 3, "---+", "...U");
        check(2, 3, "+-+-++", ".....U");
        check(1, 3, "+--+--+---+", "U........DU");
    }

    #[test]
    fn a_number_of_none_counts_as_one() {
        check(0, 0, "+-+", "UDU");
    }
}
