//! Whether a canary that served has nobody left to serve.

use std::time::Duration;

use serde_json::{Value, json};

use crate::draft::Draft;
use crate::model::{Instance, InstancePhase, Number, Track};
use crate::situation::Heard;

/// A process that runs but does not answer its health check is given so long to come round: an
/// agent that was just started again has to probe first.
pub(super) const COMES_ROUND: Duration = Duration::from_secs(5);

/// What became of a canary.
pub(super) struct Death {
    /// In words.
    pub(super) why: String,
    /// The numbers.
    pub(super) facts: Value,
}

/// Why the canary has nobody left to serve, where that is certain.
pub(super) fn death(draft: &Draft<'_>, release: Number, heard: &Heard) -> Option<Death> {
    let mut last = None;
    for instance in draft.running(Track::Canary, release) {
        last = Some((how_it_ended(draft, instance, heard)?, instance));
    }
    let (why, instance) = last?;
    let status = draft.status(instance);
    let facts = json!({
        "instance": instance.id,
        "release": release,
        "restarts": status.map(|status| status.restarts),
        "last_exit": status.and_then(|status| status.last_exit.as_ref()),
        "evidence": status.and_then(|status| status.evidence.as_ref()),
    });
    Some(Death { why, facts })
}

/// How an instance ended; `None` where it serves, or may come to.
fn how_it_ended(draft: &Draft<'_>, instance: &Instance, heard: &Heard) -> Option<String> {
    let name = instance.id.short();
    if draft.seen().is_gone(instance) {
        return Some(format!("{name} is not on its machine any more"));
    }
    let status = draft.status(instance)?;
    if draft.seen().serves(instance) {
        return None;
    }
    match &status.phase {
        InstancePhase::Failed { why } => Some(format!("{name} cannot be started: {why}")),
        InstancePhase::Backoff { .. } | InstancePhase::Stopped => {
            let how = status.last_exit.as_ref().map_or("it ended", |exit| exit.how.as_str());
            Some(format!("{name} died: {how}"))
        }
        InstancePhase::Starting | InstancePhase::Running | InstancePhase::Stopping => {
            let unwell = heard.unwell.get(&instance.id)?;
            let since = draft.now().since(*unwell);
            let answer = status.evidence.as_ref().map_or("no probe", |probe| probe.answer.as_str());
            (since >= COMES_ROUND)
                .then(|| format!("{name} does not answer its health check: {answer}"))
        }
    }
}
