//! What other systems say of our apps, taken in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use serde::Serialize;
use toehold_core::model::{AppName, Event, EventKind, Subject};
use toehold_core::outside::{Outcome, Word, hear};

use super::carry_out::Change;
use super::{Control, ControlError};
use crate::alertmanager::Reported;

/// How many alerts that were passed over are remembered, so that each is said once.
const REMEMBERED: usize = 1_000;

/// What came of what was said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TakenIn {
    /// Alerts that were raised.
    pub raised: usize,
    /// Alerts that ended.
    pub cleared: usize,
    /// What was known already, and what was ours.
    pub known: usize,
    /// What nothing came of, and why.
    pub passed_over: Vec<PassedOver>,
    /// Apps whoever said it may say nothing of.
    #[serde(skip)]
    pub forbidden: BTreeSet<AppName>,
}

/// An alert nothing came of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// Its name.
    pub alert: String,
    /// Why, in words.
    pub why: String,
}

/// What was passed over and said so.
pub(super) type Said = BTreeSet<(String, String)>;

impl Control {
    /// Takes in what `actor` reports of the apps they may speak of.
    pub async fn take_in_alerts(
        &self,
        reported: Vec<Reported>,
        actor: &str,
        may: impl Fn(&AppName) -> bool,
    ) -> Result<TakenIn, ControlError> {
        let mut taken = TakenIn::default();
        let mut words: BTreeMap<AppName, Vec<Word>> = BTreeMap::new();
        for one in reported {
            match one.word {
                None => taken.known += 1,
                Some(Ok((app, _))) if !may(&app) => {
                    taken.forbidden.insert(app);
                }
                Some(Ok((app, word))) => words.entry(app).or_default().push(word),
                Some(Err(why)) => {
                    self.pass_over(&mut taken, None, (one.name, one.fingerprint), why, actor).await;
                }
            }
        }
        for (app, words) in words {
            self.hear_of(&app, words, actor, &mut taken).await?;
        }
        Ok(taken)
    }

    async fn hear_of(
        &self,
        app: &AppName,
        words: Vec<Word>,
        actor: &str,
        taken: &mut TakenIn,
    ) -> Result<(), ControlError> {
        let mut outcomes = Vec::new();
        let heard = self
            .change(app, actor, None, |situation, _| {
                let (decision, said) = hear(situation, &words, actor);
                outcomes = said;
                Ok(Change::from(decision))
            })
            .await;
        match heard {
            Ok(_) => {}
            Err(ControlError::NoApp(_)) => {
                let nothing = Outcome::Nothing(format!("there is no app {app}"));
                outcomes = words.iter().map(|_| nothing.clone()).collect();
            }
            Err(error) => return Err(error),
        }
        for (word, outcome) in words.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Raised => taken.raised += 1,
                Outcome::Cleared => taken.cleared += 1,
                Outcome::Known => taken.known += 1,
                Outcome::Nothing(why) => {
                    let which = (word.name, word.told.fingerprint);
                    self.pass_over(taken, Some(app), which, why, actor).await;
                }
            }
        }
        self.in_force().await;
        Ok(())
    }

    /// Nothing comes of an alert, and that is said once however often it is sent.
    async fn pass_over(
        &self,
        taken: &mut TakenIn,
        app: Option<&AppName>,
        (alert, fingerprint): (String, String),
        why: String,
        actor: &str,
    ) {
        let is_new = {
            let mut said = self.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
            if said.len() >= REMEMBERED {
                said.clear();
            }
            said.insert((fingerprint.clone(), why.clone()))
        };
        if is_new {
            // There may be no such app: then it concerns all of Toehold.
            let known = self.app_names().await;
            let app = app.filter(|app| known.contains(app)).cloned();
            let event = Event {
                rev: 0,
                at: self.clock().now(),
                subject: app.as_ref().map_or(Subject::Toehold, |_| Subject::App),
                app,
                kind: EventKind::AlertIgnored,
                cause: None,
                actor: actor.to_owned(),
                text: format!("nothing came of the alert {alert}: {why}"),
                facts: serde_json::json!({ "alert": alert, "fingerprint": fingerprint, "why": why }),
            };
            self.say_once(event).await;
        }
        taken.passed_over.push(PassedOver { alert, why });
    }
}
