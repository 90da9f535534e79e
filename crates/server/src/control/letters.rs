//! Which events people are told of, and by which channel. The letter is written in the same step as
//! the event.

use toehold_core::model::{
    Alert, AlertPhase, App, Build, Event, EventKind, Failure, Number, Subject, Track,
};
use toehold_core::offer::Offer;

use super::Control;
use crate::notify::{Channel, Letter, outbox_write};
use crate::store::Write;

impl Control {
    /// The letters about a decision.
    pub(super) fn letters(&self, app: &App, events: &[Event]) -> Vec<Write> {
        let mut writes = Vec::new();
        for event in events {
            if let Some((letter, channels)) = self.letter(app, event, events) {
                writes.extend(outbox_write(&letter, &channels));
            }
        }
        writes
    }

    /// The letter about a build that failed.
    pub(super) async fn build_failed_letter(&self, build: &Build, failure: &Failure) -> Vec<Write> {
        let letter = Letter::build_failed(build, failure, self.clock().now());
        let apps = self.apps.lock().await;
        let app = apps.get(&build.app).map(|loaded| &loaded.app);
        let letter = letter.offering(app.ok().and_then(Offer::roll_back));
        outbox_write(&letter, &self.channels())
    }

    /// The letter about a build that passes where one had failed.
    pub(super) fn build_fixed_letter(&self, build: &Build, broken: Number) -> Vec<Write> {
        let letter = Letter::build_fixed(build, broken, self.clock().now());
        outbox_write(&letter, &self.channels())
    }

    /// Every channel that is set up.
    pub(super) fn channels(&self) -> Vec<Channel> {
        self.settings().messages.channels()
    }

    fn letter(&self, app: &App, event: &Event, all: &[Event]) -> Option<(Letter, Vec<Channel>)> {
        let (name, at) = (&app.name, event.at);
        let everywhere = |letter| Some((letter, self.channels()));
        match (event.kind, &event.subject) {
            (EventKind::AlertRaised, Subject::Alert(id)) => {
                let alert = alert(app, *id)?;
                let letter = Letter::alert_raised(name, alert, consequence(all), at);
                let back = match alert.track {
                    Track::Stable => Offer::roll_back(app),
                    Track::Canary => Offer::give_up(app),
                };
                let letter = letter.offering(back.into_iter().chain(Offer::silence(app, *id)));
                Some((letter, self.asked_for(event)))
            }
            (EventKind::AlertCleared, Subject::Alert(id)) => {
                let alert = alert(app, *id)?;
                let AlertPhase::Cleared { why, .. } = &alert.phase else { return None };
                let letter = Letter::alert_cleared(name, alert, why, at);
                Some((letter, self.asked_for(event)))
            }
            // Where an alert did it, the alert's own letter says so.
            (EventKind::RolloutHeld, Subject::Rollout(release))
                if !has(all, EventKind::AlertRaised) =>
            {
                let letter = Letter::canary_held(name, *release, &event.text, at);
                everywhere(letter.offering(Offer::give_up(app)))
            }
            (EventKind::RolloutSplit, Subject::Rollout(release))
                if event.actor == "toehold" && event.facts["waits"] == true =>
            {
                let letter = Letter::canary_waits(name, *release, &event.text, at);
                everywhere(
                    letter.offering(Offer::promote(app).into_iter().chain(Offer::give_up(app))),
                )
            }
            (EventKind::DeployFailed, Subject::Release(release)) => {
                let kept = app.serving();
                everywhere(Letter::deploy_failed(name, *release, kept, &event.text, &[], at))
            }
            (EventKind::RolloutAborted, Subject::Rollout(release)) if event.actor == "toehold" => {
                let kept = app.serving();
                everywhere(Letter::deploy_failed(name, *release, kept, &event.text, &[], at))
            }
            (EventKind::RollbackStarted, Subject::Release(to)) => {
                let from = event.facts.get("from").and_then(serde_json::Value::as_u64).map(Number);
                everywhere(Letter::rollback(name, from, *to, &event.actor, at))
            }
            _ => None,
        }
    }

    /// The channels that the alert's rule names and that are set up; none while its quiet period
    /// lasts.
    fn asked_for(&self, event: &Event) -> Vec<Channel> {
        let named = event.facts.get("notify").and_then(serde_json::Value::as_array);
        let named: Vec<Channel> =
            named.into_iter().flatten().filter_map(|name| name.as_str()?.parse().ok()).collect();
        self.channels().into_iter().filter(|channel| named.contains(channel)).collect()
    }
}

fn alert(app: &App, id: u64) -> Option<&Alert> {
    app.alerts.iter().find(|alert| alert.id == id)
}

fn has(events: &[Event], kind: EventKind) -> bool {
    events.iter().any(|event| event.kind == kind)
}

fn consequence(events: &[Event]) -> &'static str {
    if has(events, EventKind::RolloutHeld) {
        "The canary gets no more traffic: everyone is on stable."
    } else {
        ""
    }
}
