//! The load of the instances over time, and the app's wished number after it.

use std::collections::BTreeMap;

use serde_json::json;

use super::need::{Use, want};
use crate::draft::Draft;
use crate::model::{EventKind, InstanceId, Metric, Number, RolloutPhase, Subject, Track};
use crate::sample::{Metered, Window};
use crate::tell;

/// The samples behind the scaling, by instance: CPU, then memory.
pub type Loads = BTreeMap<InstanceId, (Window, Window)>;

/// Follows the load of the release that serves.
pub fn follow(draft: &mut Draft<'_>, loads: &mut Loads, metered: &BTreeMap<InstanceId, Metered>) {
    // The limits are those of the release that carries the load; one that is coming up brings its
    // own when it serves, and a first one at once.
    let wished = draft.app.stable.as_ref().map(|stable| stable.release);
    let Some(release) = draft.app.serving().or(wished) else { return };
    let Some(spec) = draft.spec(release).map(|spec| &spec.scale) else { return };
    let ready = measure(draft, loads, metered, release, spec.window);
    let answer = want(spec, &ready, &draft.app.scale, may_shrink(draft), draft.now());
    let Some((wanted, why)) = answer else { return };
    let before = draft.app.scale.wanted;
    draft.app.scale.wanted = wanted;
    draft.app.scale.changed_at = Some(draft.now());
    let kind = if wanted > before { EventKind::ScaledOut } else { EventKind::ScaledIn };
    let text = format!("from {before} to {}: {why}", tell::count(wanted.into(), "instance"));
    let facts = json!({ "from": before, "to": wanted, "ready": ready.len(), "why": why.facts() });
    draft.say(kind, Subject::App, text, facts);
}

/// Whether there may be fewer: not while a release comes up or a canary is judged beside stable,
/// for both would then be seen on other instances than they began with.
fn may_shrink(draft: &Draft<'_>) -> bool {
    let app = &draft.app;
    let wished = app.stable.as_ref().map(|stable| stable.release);
    let is_judged = app.rollout.as_ref().is_some_and(|rollout| match rollout.phase {
        RolloutPhase::Starting
        | RolloutPhase::Serving
        | RolloutPhase::Paused
        | RolloutPhase::Promoting => true,
        RolloutPhase::Held { .. } | RolloutPhase::Promoted | RolloutPhase::Aborted { .. } => false,
    });
    wished == app.serving() && !is_judged
}

/// Takes in what was metered, and says what each ready instance used.
fn measure(
    draft: &Draft<'_>,
    loads: &mut Loads,
    metered: &BTreeMap<InstanceId, Metered>,
    release: Number,
    span: std::time::Duration,
) -> Vec<Use> {
    let stable: Vec<_> = draft.running(Track::Stable, release).collect();
    loads.retain(|id, (cpu, _)| {
        cpu.span() == span && stable.iter().any(|instance| instance.id == *id)
    });
    let mut ready = Vec::new();
    for instance in stable {
        let (cpu, memory) = loads
            .entry(instance.id.clone())
            .or_insert_with(|| (Window::new(span), Window::new(span)));
        let metered = metered.get(&instance.id).copied().unwrap_or_default();
        cpu.gather(Metric::Cpu, metered, draft.now());
        memory.gather(Metric::Memory, metered, draft.now());
        if draft.seen().serves(instance) {
            ready.push(Use {
                cpu_percent: cpu.mean().map(|mean| mean.percent),
                memory_percent: memory.mean().map(|mean| mean.percent),
            });
        }
    }
    ready
}
