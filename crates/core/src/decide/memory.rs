//! What the control loop remembers of an app between two decisions, and may lose.

use std::collections::BTreeMap;
use std::time::Duration;

use super::health::Noted;
use crate::alert::Gauges;
use crate::model::InstanceId;
use crate::sample::{Meter, Metered};
use crate::scale::Loads;
use crate::situation::{Heard, Situation};
use crate::time::Timestamp;

/// A larger step of the clock between two looks is no time that passed: it was set, or the control
/// plane stood still. Nobody is blamed for that time.
const GAP: Duration = Duration::from_mins(1);

/// What is remembered of one app: samples, and since when something is so. Nothing that was decided
/// is in here; without it, alerts keep their state and whatever waits gets its whole time again.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pub(super) heard: Heard,
    pub(super) health: BTreeMap<InstanceId, Noted>,
    pub(super) gauges: Gauges,
    pub(super) loads: Loads,
    pub(super) metered: BTreeMap<InstanceId, Metered>,
    meters: BTreeMap<InstanceId, Meter>,
    looked_at: Option<Timestamp>,
}

impl Memory {
    /// A memory that has watched for a while, for tests.
    #[cfg(test)]
    pub(crate) fn watching(heard: Heard) -> Self {
        Self { heard, looked_at: Some(crate::scene::NOW), ..Self::default() }
    }

    /// Takes in what is seen now; whether it is the first time.
    pub(super) fn look(&mut self, situation: &Situation<'_>) -> bool {
        let (seen, now) = (situation.seen, situation.now);
        let is_first_look = self.looked_at.is_none();
        let is_steady = self.looked_at.is_some_and(|last| last <= now && now.since(last) <= GAP);
        self.looked_at = Some(now);
        if !is_steady {
            self.heard = Heard::default();
        }
        self.heard.since = seen.hears_any().then(|| self.heard.since.unwrap_or(now));

        let instances = &situation.app.instances;
        let exists = |id: &InstanceId| instances.iter().any(|instance| instance.id == *id);
        self.heard.unwell.retain(|id, _| exists(id));
        self.meters.retain(|id, _| exists(id));
        self.metered.clear();
        for instance in instances {
            let id = &instance.id;
            let status = seen.instances.get(id);
            if status.is_none() || seen.serves(instance) {
                self.heard.unwell.remove(id);
            } else {
                self.heard.unwell.entry(id.clone()).or_insert(now);
            }
            let reading = status.and_then(|status| status.reading);
            let metered = self.meters.entry(id.clone()).or_default().read(reading, now);
            self.metered.insert(id.clone(), metered);
        }
        is_first_look
    }
}
