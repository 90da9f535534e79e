//! How quick each instance is, beside the others of its release: one that is much slower is passed
//! over for a while.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use toehold_core::balance::{self, Pace};
use toehold_core::wire::proxy::Histogram;

use crate::instance::{Doubt, Instance};
use crate::route::Arm;
use crate::worker::Shared;

/// How often it is looked.
const EACH: Duration = Duration::from_secs(1);

/// Answers that came within this time are taken together, where fewer would say too little.
const WINDOW: Duration = Duration::from_secs(10);

/// How long it is believed how quick an instance was.
const KNOWN: Duration = Duration::from_secs(30);

/// What is known of all instances, by their keys.
pub(crate) struct Paces {
    seen: HashMap<u64, Seen>,
    looked: Instant,
}

/// What is known of one.
struct Seen {
    /// When this window began, and what had been counted then.
    since: Instant,
    from: Histogram,
    /// How quick it was in the last window that had enough answers, and when that ended.
    pace: Option<(Pace, Instant)>,
}

impl Paces {
    pub(crate) fn new() -> Self {
        Self { seen: HashMap::new(), looked: Instant::now() }
    }

    /// Looks at all instances that are one of several of a release, when it is time.
    pub(crate) fn look(&mut self, shared: &Shared, now: Instant) {
        if now.saturating_duration_since(self.looked) < EACH {
            return;
        }
        self.looked = now;
        let table = shared.table.load();
        self.seen.retain(|&key, _| table.holds(key));
        for arm in table.arms().filter(|arm| arm.instances.len() > 1) {
            for (instance, why) in self.outliers(arm, now) {
                shared.doubt(instance, Doubt::Slow, &why);
            }
        }
    }

    /// Who is much slower than the others, and how much.
    fn outliers<'a>(&mut self, arm: &'a Arm, now: Instant) -> Vec<(&'a Instance, String)> {
        let mut fresh = Vec::new();
        for instance in &arm.instances {
            if let Some(pace) = self.take(instance, now) {
                fresh.push((instance, pace));
            }
        }
        let outlier = |(instance, own): (&'a std::sync::Arc<Instance>, Pace)| {
            let others = arm.instances.iter().filter(|it| it.key != instance.key && !it.is_aside());
            let middle =
                balance::outlier(own, others.filter_map(|it| self.pace(it, now)).collect())?;
            let (half_ms, middle_ms) = (own.half_us / 1_000, middle / 1_000);
            let why = format!(
                "half of its answers take {half_ms} ms or more, most of the others' {middle_ms} ms or less"
            );
            Some((&**instance, why))
        };
        fresh.into_iter().filter(|(it, _)| !it.is_aside()).filter_map(outlier).collect()
    }

    /// How quick an instance was, where enough answers came for that just now.
    fn take(&mut self, instance: &Instance, now: Instant) -> Option<Pace> {
        let all = instance.meter.latency();
        let fresh = || Seen { since: now, from: all.clone(), pace: None };
        let seen = self.seen.entry(instance.key).or_insert_with(fresh);
        let grown = all.since(&seen.from);
        if grown.0.iter().sum::<u64>() < balance::ANSWERS {
            if now.saturating_duration_since(seen.since) >= WINDOW {
                (seen.since, seen.from) = (now, all);
            }
            return None;
        }
        let pace = Pace { half_us: grown.quantile_us(0.5)?, most_us: grown.quantile_us(0.75)? };
        *seen = Seen { since: now, from: all, pace: Some((pace, now)) };
        Some(pace)
    }

    fn pace(&self, instance: &Instance, now: Instant) -> Option<Pace> {
        let (pace, at) = self.seen.get(&instance.key)?.pace?;
        (now.saturating_duration_since(at) < KNOWN).then_some(pace)
    }
}

#[cfg(test)]
mod tests;
