//! A decision while it is being made: the app's next document beside what it was, and the events
//! that say what changed.

use serde_json::Value;

use crate::model::{
    App, Event, EventKind, Goal, Instance, InstanceStatus, Number, Release, ReleaseVerdict,
    Subject, Track,
};
use crate::situation::{Decision, Releases, Seen, Situation};
use crate::spec::Spec;
use crate::time::Timestamp;

/// Who acts where no person did.
pub const TOEHOLD: &str = "toehold";

/// A decision while it is being made.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// What it rests on.
    situation: Situation<'a>,
    /// Who acts.
    actor: &'a str,
    /// The app as it will be.
    pub app: App,
    /// Releases that got another verdict.
    judged: Releases,
    /// What changed so far.
    events: Vec<Event>,
}

impl<'a> Draft<'a> {
    /// A draft in which nothing has changed yet.
    #[must_use]
    pub fn new(situation: Situation<'a>, actor: &'a str) -> Self {
        Self {
            situation,
            actor,
            app: situation.app.clone(),
            judged: Releases::new(),
            events: Vec::new(),
        }
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.situation.now
    }

    /// Who acts.
    #[must_use]
    pub const fn actor(&self) -> &'a str {
        self.actor
    }

    /// What was seen.
    #[must_use]
    pub const fn seen(&self) -> &'a Seen {
        self.situation.seen
    }

    /// What an agent says of an instance.
    #[must_use]
    pub fn status(&self, instance: &Instance) -> Option<&'a InstanceStatus> {
        self.situation.seen.instances.get(&instance.id)
    }

    /// A release, with the verdict it has by now.
    #[must_use]
    pub fn release(&self, number: Number) -> Option<&Release> {
        self.judged.get(&number).or_else(|| self.situation.releases.get(&number))
    }

    /// The configuration of a release, which no verdict changes.
    #[must_use]
    pub fn spec(&self, number: Number) -> Option<&'a Spec> {
        self.situation.releases.get(&number).map(|release| &release.spec)
    }

    /// The instances of a release on a track that should run, oldest first.
    pub fn running(&self, track: Track, release: Number) -> impl Iterator<Item = &Instance> {
        self.app.instances.iter().filter(move |instance| {
            instance.goal == Goal::Run && instance.track == track && instance.release == release
        })
    }

    /// How many of them serve.
    #[must_use]
    pub fn count_serving(&self, track: Track, release: Number) -> usize {
        self.running(track, release).filter(|instance| self.seen().serves(instance)).count()
    }

    /// Gives a release its verdict.
    pub fn judge(&mut self, number: Number, verdict: ReleaseVerdict) {
        let Some(release) = self.release(number) else { return };
        if release.verdict != verdict {
            let judged = Release { verdict, ..release.clone() };
            self.judged.insert(number, judged);
        }
    }

    /// Says what changed, in one sentence that reads alone, with its numbers.
    pub fn say(
        &mut self,
        kind: EventKind,
        subject: Subject,
        text: impl Into<String>,
        facts: Value,
    ) {
        self.events.push(Event {
            rev: 0,
            at: self.situation.now,
            app: Some(self.app.name.clone()),
            kind,
            subject,
            cause: None,
            actor: self.actor.to_owned(),
            text: text.into(),
            facts,
        });
    }

    /// Whether anything was said yet.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        !self.events.is_empty()
    }

    /// The decision.
    #[must_use]
    pub fn finish(self) -> Decision {
        Decision {
            app: self.app,
            releases: self.judged.into_values().collect(),
            events: self.events,
        }
    }
}
