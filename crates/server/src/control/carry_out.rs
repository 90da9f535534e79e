//! A decision becomes so: checked, written in one step with its events and its messages, then told
//! to everyone.

use toehold_core::check::check;
use toehold_core::decide::{Decision, Releases, Seen, Situation};
use toehold_core::model::{App, AppName, Event, EventKind, Subject};
use tracing::error;

use super::apps::{Apps, app_key, release_key};
use super::{Control, ControlError, causes, lag};
use crate::store::{CommitError, Key, Rev, Txn, Write};

/// How often a change is tried again after someone else changed the same document.
const TRIES: usize = 5;

impl Control {
    /// Asks `think` for a decision about an app until it could be written down: whoever else
    /// changes the app at the same time wins, and `think` is asked again about what is then so.
    ///
    /// Gives the revisions of the events.
    pub(super) async fn change(
        &self,
        name: &AppName,
        actor: &str,
        cause: Option<u64>,
        mut think: impl FnMut(Situation<'_>, &mut Releases) -> Result<Change, ControlError> + Send,
    ) -> Result<Vec<u64>, ControlError> {
        for _ in 0..TRIES {
            let mut apps = self.apps.lock().await;
            let loaded = apps.get(name)?;
            let seen = self.seen(&loaded.app);
            let mut releases = loaded.releases.clone();
            let situation = Situation {
                app: &loaded.app,
                releases: &loaded.releases,
                seen: &seen,
                now: self.clock().now(),
            };
            let change = think(situation, &mut releases)?;
            match self.carry_out(&mut apps, name, change, &seen, (actor, cause)).await {
                Err(ControlError::Contended(_)) => self.reload(&mut apps, name).await?,
                done => return done,
            }
        }
        Err(ControlError::Contended(name.clone()))
    }

    /// Carries out one decision about an app whose document is held.
    pub(super) async fn carry_out(
        &self,
        apps: &mut Apps,
        name: &AppName,
        change: Change,
        seen: &Seen,
        by: (&str, Option<u64>),
    ) -> Result<Vec<u64>, ControlError> {
        let loaded = apps.get(name)?;
        let decision = &change.decision;
        if decision.app == loaded.app && decision.events.is_empty() && change.more.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.clock().now();
        let situation = Situation { app: &loaded.app, releases: &loaded.releases, seen, now };
        let violations = check(&loaded.app, &decision.app, situation);
        if !violations.is_empty() {
            let all: Vec<String> = violations.iter().map(ToString::to_string).collect();
            return self.refuse(name, decision, all.join("; ")).await;
        }
        let before = loaded.app.clone();
        let mut txn = self.write_down(&before, loaded.rev, &change, by);
        txn.writes.extend(self.reports_of_decision(&before, &change.decision.events).await);
        let decided_us = self.clock().now_us();
        let committed = match self.store().commit(txn).await {
            Ok(committed) => committed,
            Err(CommitError::Conflict { key, .. }) if key == app_key(name) => {
                return Err(ControlError::Contended(name.clone()));
            }
            Err(CommitError::Conflict { .. }) => return Err(ControlError::TakenBefore),
            Err(error) => return Err(error.into()),
        };
        let decision = change.decision;
        // The document is the first write, the events come right behind it.
        let events = committed.revs.iter().skip(1).take(decision.events.len());
        let revs: Vec<u64> = events.map(|rev| rev.0).collect();
        let (rev, after) = (committed.revs.first().copied().unwrap_or(Rev::NONE), decision.app);
        let loaded = apps.get_mut(name)?;
        for release in decision.releases {
            loaded.releases.insert(release.number, release);
        }
        apps.take_in(self.store(), rev, after.clone()).await?;
        self.project_all(apps);
        lag::watch(self, &before, &after, &decision.events, &revs, decided_us);
        self.wake.notify_one();
        self.changed.send_replace(());
        let is_alert =
            |event: &Event| matches!(event.kind, EventKind::AlertRaised | EventKind::AlertCleared);
        if decision.events.iter().any(is_alert) {
            self.wake_alerts.notify_one();
        }
        Ok(revs)
    }

    /// One step of the store: the app's document first, then the events in their order, then
    /// releases, messages and whatever else belongs to it.
    fn write_down(
        &self,
        before: &App,
        rev: Rev,
        change: &Change,
        (actor, cause): (&str, Option<u64>),
    ) -> Txn {
        let (name, decision) = (&before.name, &change.decision);
        let mut txn = Txn::by(actor).expect(app_key(name), rev);
        txn.expect.extend_from_slice(&change.expect);
        txn.writes.push(Write::put(app_key(name), &decision.app));
        let mut led_by = cause;
        for event in &decision.events {
            let mut event = event.clone();
            event.cause = event.cause.or(led_by);
            txn.writes.push(Write::event(&event));
            led_by = Some(causes::THE_ONE_BEFORE);
        }
        for release in &decision.releases {
            txn.writes.push(Write::put(release_key(name, release.number), release));
        }
        txn.writes.extend(self.letters(&decision.app, &decision.events));
        txn.writes.extend_from_slice(&change.more);
        txn
    }

    /// A decision that does not hold what must hold of all: nothing is done, and it is said.
    async fn refuse(
        &self,
        name: &AppName,
        decision: &Decision,
        why: String,
    ) -> Result<Vec<u64>, ControlError> {
        let events: Vec<&str> = decision.events.iter().map(|event| event.text.as_str()).collect();
        error!(app.name = %name, %why, wished = ?events, "a decision did not pass the checker");
        let event = Event {
            rev: 0,
            at: self.clock().now(),
            app: Some(name.clone()),
            kind: EventKind::DecisionRefused,
            subject: Subject::App,
            cause: None,
            actor: "toehold".into(),
            text: format!("a decision was not carried out: {why}"),
            facts: serde_json::json!({ "wished": events }),
        };
        self.say_once(event).await;
        Err(ControlError::Unsafe(why))
    }

    async fn reload(&self, apps: &mut Apps, name: &AppName) -> Result<(), ControlError> {
        let doc = self.store().get_as::<App>(&app_key(name)).await?;
        let Some(doc) = doc else { return Err(ControlError::NoApp(name.clone())) };
        apps.take_in(self.store(), doc.rev, doc.value).await?;
        Ok(())
    }
}

/// A decision, and what else is written in the same step.
pub(super) struct Change {
    pub(super) decision: Decision,
    /// What else must be as it was.
    pub(super) expect: Vec<(Key, Rev)>,
    /// What else is written.
    pub(super) more: Vec<Write>,
}

impl From<Decision> for Change {
    fn from(decision: Decision) -> Self {
        Self { decision, expect: Vec::new(), more: Vec::new() }
    }
}

/// A decision about an app that changes nothing in its document but says something.
pub(super) fn only_saying(app: &App, events: Vec<Event>) -> Decision {
    Decision { app: app.clone(), releases: Vec::new(), events }
}
