//! The chain of what led to something, read from its app's events.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{Event, EventKind, Subject};

/// The longest chain that is shown.
const SHOWN: usize = 60;

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// What happened.
    pub event: Event,
    /// Whether it is about the thing itself; the others led to it.
    pub about_it: bool,
}

/// Everything about `subject` in `events`, and everything that caused that, oldest first; for an
/// alert, what it led to as well. `events` are one app's, oldest first.
#[must_use]
pub fn chain(events: &[Event], subject: &Subject) -> Vec<Link> {
    let by_rev: BTreeMap<u64, &Event> = events.iter().map(|event| (event.rev, event)).collect();
    let causes: BTreeMap<u64, u64> = events
        .iter()
        .enumerate()
        .filter_map(|(at, event)| {
            Some((event.rev, event.cause.or_else(|| asked_for(&events[..at], event))?))
        })
        .collect();
    let about: BTreeSet<u64> =
        events.iter().filter(|event| event.subject == *subject).map(|event| event.rev).collect();
    let mut chain = about.clone();
    // What an alert did is the half of its story.
    if matches!(subject, Subject::Alert(_)) {
        for event in events {
            if event.cause.is_some_and(|cause| chain.contains(&cause)) {
                chain.insert(event.rev);
            }
        }
    }
    let mut open: Vec<u64> = chain.iter().copied().collect();
    while let Some(rev) = open.pop() {
        if let Some(cause) = causes.get(&rev).filter(|cause| chain.insert(**cause)) {
            open.push(*cause);
        }
    }
    let links: Vec<Link> = chain
        .iter()
        .filter_map(|rev| by_rev.get(rev))
        .map(|event| Link { event: (*event).clone(), about_it: about.contains(&event.rev) })
        .collect();
    let from = links.len().saturating_sub(SHOWN);
    links[from..].to_vec()
}

/// What asked for something about an instance, where the event does not say it: plans are carried
/// out at the look after the wish, so that the last wish before it is the one.
fn asked_for(before: &[Event], event: &Event) -> Option<u64> {
    use EventKind as K;
    let of_the_same = |kind: K| move |it: &&Event| it.kind == kind && it.subject == event.subject;
    let mut back = before.iter().rev();
    let found = match event.kind {
        K::InstanceLaunched => back.find(|it| {
            matches!(
                it.kind,
                K::DeployStarted
                    | K::RollbackStarted
                    | K::RolloutStarted
                    | K::RolloutRetried
                    | K::RolloutPromoting
                    | K::ScaledOut
                    | K::ScaleSet
                    | K::InstanceDied
                    | K::InstanceUnhealthy
            )
        }),
        K::InstanceHealthy | K::InstanceUnhealthy | K::InstanceDied => {
            back.find(of_the_same(K::InstanceLaunched))
        }
        K::InstanceDraining => back.find(|it| {
            matches!(
                it.kind,
                K::RouteChanged
                    | K::RolloutAborted
                    | K::RolloutPromoted
                    | K::ScaledIn
                    | K::ScaleSet
            )
        }),
        K::InstanceStopping => back.find(of_the_same(K::InstanceDraining)),
        K::InstanceGone => back.find(of_the_same(K::InstanceStopping)),
        _ => None,
    };
    found.map(|event| event.rev)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Number;
    use crate::time::Timestamp;
    use serde_json::Value;

    fn event(rev: u64, kind: EventKind, subject: Subject, cause: Option<u64>) -> Event {
        Event {
            rev,
            at: Timestamp::from_ms(1_000 * rev),
            app: Some("shop".parse().expect("a name")),
            kind,
            subject,
            cause,
            actor: "toehold".into(),
            text: String::new(),
            facts: Value::Null,
        }
    }

    #[test]
    fn an_instance_leads_back_to_the_push_and_an_alert_on_to_what_it_did() {
        let release = || Subject::Release(Number(2));
        let web = || Subject::Instance("shop/web.7".parse().expect("an instance"));
        let events = [
            event(1, EventKind::PushReceived, release(), None),
            event(2, EventKind::DeployStarted, release(), Some(1)),
            event(3, EventKind::FlagChanged, Subject::Flag("x".into()), None),
            event(4, EventKind::InstanceLaunched, web(), None),
            event(5, EventKind::InstanceHealthy, web(), None),
            event(6, EventKind::AlertRaised, Subject::Alert(3), None),
            event(7, EventKind::RolloutHeld, Subject::Rollout(Number(2)), Some(6)),
            event(8, EventKind::RolloutLag, Subject::Rollout(Number(2)), Some(7)),
        ];
        let revs = |subject: &Subject| -> Vec<u64> {
            chain(&events, subject).into_iter().map(|link| link.event.rev).collect()
        };
        assert_eq!(revs(&web()), [1, 2, 4, 5]);
        assert_eq!(revs(&Subject::Alert(3)), [6, 7, 8]);
        assert_eq!(revs(&Subject::Rollout(Number(2))), [6, 7, 8]);
    }
}
