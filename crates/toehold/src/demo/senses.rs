//! What the story looks at to tell whether something has truly happened.

use std::collections::BTreeMap;
use std::time::Duration;

use toehold_core::model::{Event, EventKind, InstancePhase, Track};
use toehold_core::wire::api::AppView;

use super::stage::Stage;
use crate::report::Failure;

/// How long a thing may take that takes seconds.
pub const SOON: Duration = Duration::from_mins(1);

/// How many instances of stable are healthy.
pub fn healthy(view: &AppView) -> usize {
    let serves = |track: Track| track == Track::Stable;
    view.instances
        .iter()
        .filter(|it| serves(it.instance.track))
        .filter_map(|it| it.status.as_ref())
        .filter(|status| status.healthy && status.phase == InstancePhase::Running)
        .count()
}

/// What the next visits hear, at least so many.
pub async fn listen(stage: &Stage, visits: u64) -> Result<BTreeMap<String, u64>, Failure> {
    let visitors = stage.visitors()?;
    visitors.heard();
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    stage
        .until("visits", SOON, async || {
            for (words, count) in visitors.heard() {
                *all.entry(words).or_default() += count;
            }
            (all.values().sum::<u64>() >= visits).then_some(())
        })
        .await?;
    Ok(all)
}

/// The share of the visits that hear `words`, in percent, once they hear them at all.
pub async fn share(stage: &Stage, words: &str) -> Result<f64, Failure> {
    let visitors = stage.visitors()?;
    stage
        .until("the canary to be visited", SOON, async || {
            visitors.heard().contains_key(words).then_some(())
        })
        .await?;
    let heard = listen(stage, 200).await?;
    let all: u64 = heard.values().sum();
    let of_it = heard.get(words).copied().unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "a few hundred visits")]
    let percent = of_it as f64 / all.max(1) as f64 * 100.0;
    // A third of 200 lies within 15 percentage points but once in 100 000 times.
    if (percent - 100.0 / 3.0).abs() > 15.0 {
        return Err(Failure::no(format!("the canary took {percent:.0} % instead of a third")));
    }
    Ok(percent)
}

/// The newest event of a kind, once there is one.
pub async fn event(stage: &Stage, kind: EventKind) -> Result<Event, Failure> {
    stage
        .until(kind.as_str(), SOON, async || {
            let events = stage.events(0).await.ok()?;
            events.into_iter().rev().find(|event| event.kind == kind)
        })
        .await
}

/// The subject of a letter whose subject has `words` in it, once it is there.
pub async fn mail(stage: &Stage, words: &str) -> Result<String, Failure> {
    stage.until("a mail", SOON, async || stage.postbox.subject_with(words)).await
}
