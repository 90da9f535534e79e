//! What people and jobs ask for.

use std::time::Duration;

use toehold_core::decide::Decision;
use toehold_core::model::{App, AppName, Event, EventKind, Number, Release, Subject};
use toehold_core::spec::Spec;
use toehold_core::wire::api::Done;
use toehold_core::wish::{Wish, already, grant};
use tracing::warn;

use super::apps::{app_key, release_key};
use super::carry_out::Change;
use super::{Control, ControlError};
use crate::source::hooks::HookCommand;
use crate::source::repository::Repository;
use crate::store::{CommitError, Key, Rev, Txn, Write};

/// How long the proxy may take to put a wish in force before it is answered.
const OBEDIENCE: Duration = Duration::from_secs(2);

impl Control {
    /// Makes an app and its repository; what is there already is left as it is.
    pub async fn create_app(&self, name: &AppName, actor: &str) -> Result<Done, ControlError> {
        self.repository_made(name).await?;
        let mut apps = self.apps.lock().await;
        if apps.by_name.contains_key(name) {
            return Ok(Done { text: format!("{name} is there already"), event: None });
        }
        let now = self.clock().now();
        let app = App::new(name.clone(), now);
        let event = Event {
            rev: 0,
            at: now,
            app: Some(name.clone()),
            kind: EventKind::AppCreated,
            subject: Subject::App,
            cause: None,
            actor: actor.to_owned(),
            text: format!("{name} was made"),
            facts: serde_json::Value::Null,
        };
        let txn = Txn::by(actor)
            .expect(app_key(name), Rev::NONE)
            .write(Write::put(app_key(name), &app))
            .write(Write::event(&event));
        let committed = match self.store().commit(txn).await {
            Ok(committed) => committed,
            Err(CommitError::Conflict { .. }) => return Err(ControlError::AppExists(name.clone())),
            Err(error) => return Err(error.into()),
        };
        let rev = committed.revs.first().copied().unwrap_or(Rev::NONE);
        apps.take_in(self.store(), rev, app).await?;
        drop(apps);
        self.flags().declare(name, &Spec::default().flags, actor).await?;
        Ok(Done { text: event.text, event: committed.revs.last().map(|rev| rev.0) })
    }

    /// Sees to it that an app has its repository, and hooks that call this very program.
    pub(super) async fn repository_made(&self, name: &AppName) -> Result<(), ControlError> {
        let hook = HookCommand {
            toehold: self.parts.program.clone(),
            dir: self.layout().root().to_owned(),
        };
        Repository::create(&self.layout().repositories(), name, &hook).await?;
        Ok(())
    }

    /// Grants a wish about an app, or says why not.
    pub async fn wish(
        &self,
        name: &AppName,
        wish: &Wish,
        actor: &str,
    ) -> Result<Done, ControlError> {
        self.wish_where(name, wish, actor, |_| Ok(()), (Vec::new(), Vec::new())).await
    }

    /// Grants a wish about an app while what somebody was shown still stands, and writes `more` in
    /// the same step.
    pub(super) async fn wish_where(
        &self,
        name: &AppName,
        wish: &Wish,
        actor: &str,
        stands: impl Fn(&App) -> Result<(), String> + Send + Sync,
        (expect, more): (Vec<(Key, Rev)>, Vec<Write>),
    ) -> Result<Done, ControlError> {
        // A release a person names may be none that the app speaks of now.
        let named = match wish {
            Wish::Deploy { release, .. } | Wish::Rollback { to: Some(release) } => Some(*release),
            _ => None,
        };
        let named = match named {
            Some(number) => Some(self.release(name, number).await?),
            None => None,
        };
        let mut text = String::new();
        let revs = self
            .change(name, actor, None, |situation, releases| {
                stands(situation.app).map_err(ControlError::NoLonger)?;
                if let Some(release) = &named {
                    releases.insert(release.number, release.clone());
                }
                let situation = toehold_core::decide::Situation { releases, ..situation };
                let decision: Decision = grant(situation, wish, actor)?;
                text = decision
                    .events
                    .first()
                    .map_or_else(|| already(&decision.app, wish), |event| event.text.clone());
                Ok(Change { decision, expect: expect.clone(), more: more.clone() })
            })
            .await?;
        self.in_force().await;
        Ok(Done { text, event: revs.first().copied() })
    }

    /// Waits until the proxy obeys: what was answered as done holds from the next request on. Where
    /// the proxy is away, what is decided counts once it is back.
    pub(super) async fn in_force(&self) {
        if self.parts.fleet.proxy().is_none() {
            return;
        }
        let newest = self.plans().order();
        let mut applied = self.parts.fleet.applied();
        let obeyed = applied.wait_for(|applied| applied.order >= newest);
        if tokio::time::timeout(OBEDIENCE, obeyed).await.is_err() {
            warn!(plan = newest.rev, "the proxy has not put a plan in force yet");
        }
    }

    /// A release of an app.
    pub async fn release(&self, name: &AppName, number: Number) -> Result<Release, ControlError> {
        let found = self.store().get_as::<Release>(&release_key(name, number)).await?;
        found
            .map(|found| found.value)
            .ok_or_else(|| ControlError::NoRelease { app: name.clone(), number })
    }
}
