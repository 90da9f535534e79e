//! Whether a release that is coming up for the first time will ever serve, and if not, why.

use std::time::Duration;

use serde_json::{Value, json};

use crate::draft::Draft;
use crate::model::{Instance, InstancePhase, InstanceStatus, Number, Provider, Track};
use crate::situation::Heard;
use crate::spec::Spec;
use crate::tell;
use crate::time::Timestamp;

/// So long may it take until an agent has fetched and unpacked an artifact, beside the deadline
/// the app has for its health.
pub const UNPACK: Duration = Duration::from_secs(30);

/// So long may a machine take to be made, reached and configured.
pub const MACHINE: Duration = Duration::from_mins(20);

/// So long may an artifact take over a network.
pub const FETCH: Duration = Duration::from_mins(5);

/// So long may the release command run before the first process begins.
pub const RELEASE_COMMAND: Duration = Duration::from_mins(10);

/// Dying so often without serving means that it will not.
pub const TRIES: u32 = 3;

/// Why a release cannot come up.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// One sentence: which instance, what happened, the last evidence.
    pub why: String,
    /// The numbers behind it.
    pub facts: Value,
}

/// Why the instances of a release cannot all come to serve, where that is certain by now. They
/// have their time from `since` or from when they were asked for, whichever is later, and only
/// while somebody watched.
#[must_use]
pub fn failure(
    draft: &Draft<'_>,
    track: Track,
    release: Number,
    since: Timestamp,
    heard: &Heard,
) -> Option<Failure> {
    let spec = draft.spec(release)?;
    let seen = draft.seen();
    let waits = |it: &&Instance| !seen.serves(it) && !seen.has_lost_its_machine(it);
    draft.running(track, release).filter(waits).find_map(|instance| {
        let status = draft.status(instance);
        let (start, allowed) = time(instance, status, spec, draft.now());
        let watched = heard.watched(since.max(start), draft.now());
        // Nobody is blamed for what its machine's agent had no chance to say.
        let is_heard = draft.seen().hears(instance);
        let is_late = is_heard && watched.is_some_and(|watched| watched > allowed);
        let late = || is_late.then(|| too_late(instance, status, spec));
        let why = broken(instance, status).or_else(late)?;
        Some(Failure { why, facts: facts(instance, status, spec, watched) })
    })
}

/// It said so itself, or died too often.
fn broken(instance: &Instance, status: Option<&InstanceStatus>) -> Option<String> {
    let status = status?;
    let name = instance.id.short();
    if let InstancePhase::Failed { why } = &status.phase {
        return Some(format!("{name} cannot be started: {why}"));
    }
    if status.release != instance.release {
        return None;
    }
    (status.deaths() >= TRIES).then(|| {
        let how = status.last_exit.as_ref().map_or("it ended", |exit| exit.how.as_str());
        format!("{name} died {} times before it could serve, last: {how}", status.deaths())
    })
}

/// From when on it has its time, and how much of it: from the start of its process, where an agent
/// tells that, else from when it was asked for, with what comes before a process can start.
fn time(
    instance: &Instance,
    status: Option<&InstanceStatus>,
    spec: &Spec,
    now: Timestamp,
) -> (Timestamp, Duration) {
    let deadline = spec.health.deadline;
    let has_begun = status.is_some_and(|status| status.run.is_some() || status.restarts > 0);
    let started = status.and_then(|status| status.started_at).filter(|_| has_begun);
    // A machine whose clock is off is not believed about it.
    let Some(place) = &instance.place else { return (instance.created_at, MACHINE) };
    let asked = instance.created_at.max(place.since);
    let unpack = if spec.machines.provider == Provider::Local { UNPACK } else { FETCH + UNPACK };
    match started.filter(|started| (instance.created_at..=now).contains(started)) {
        Some(started) => (started, deadline + spec.health.timeout),
        None if spec.run.release.is_some() && !has_begun => {
            (asked, deadline + unpack + RELEASE_COMMAND)
        }
        None => (asked, deadline + unpack),
    }
}

fn too_late(instance: &Instance, status: Option<&InstanceStatus>, spec: &Spec) -> String {
    let name = instance.id.short();
    let deadline = tell::duration(spec.health.deadline);
    match status {
        None if instance.place.is_none() => {
            format!("no machine was found for {name} within {}", tell::duration(MACHINE))
        }
        None => format!("{name} was never seen on a machine within {deadline}"),
        Some(status) if status.release != instance.release => {
            format!("{name} runs {} and not {} as it was told", status.release, instance.release)
        }
        Some(status) => match &status.evidence {
            Some(probe) => {
                let (asked, answer) = (&probe.asked, &probe.answer);
                format!("{name} was not healthy within {deadline}: {asked}: {answer}")
            }
            None => format!("{name} was not healthy within {deadline}: no probe was made"),
        },
    }
}

fn facts(
    instance: &Instance,
    status: Option<&InstanceStatus>,
    spec: &Spec,
    watched: Option<Duration>,
) -> Value {
    json!({
        "instance": instance.id,
        "watched_ms": watched.map(|time| time.as_millis()),
        "deadline_ms": spec.health.deadline.as_millis(),
        "restarts": status.map(|status| status.restarts),
        "last_exit": status.and_then(|status| status.last_exit.as_ref()),
        "evidence": status.and_then(|status| status.evidence.as_ref()),
    })
}
