//! Jenkins beside Toehold: what it tells of its own builds, and what its clients ask of ours.

use std::collections::BTreeMap;

use serde::Serialize;
use toehold_core::jenkins::{Asks, Ended, Notification};
use toehold_core::model::{AppName, Build, EventKind, Subject, Track};
use toehold_core::wire::api::DeployRequest;

use super::events::Span;
use super::{Control, ControlError, Deployed};
use crate::store::{Key, Txn, Write};

/// Of how many jobs of Jenkins it is remembered, for each app, what was deployed last.
const JOBS: usize = 50;

/// What came of a notification.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Notified {
    /// It is built and deployed.
    Taken(Deployed),
    /// Nothing is to be done, and why.
    Ignored {
        /// In words.
        why: String,
    },
}

/// Where it is written what was deployed last of each job.
fn jenkins_key(app: &AppName) -> Key {
    format!("jenkins/{app}").parse().expect("the names of apps are parts a key may have")
}

impl Control {
    /// Takes in what Jenkins says of a build. `track` is where its commit goes; else its branch
    /// says.
    pub async fn jenkins_says(
        &self,
        name: &AppName,
        track: Option<Track>,
        said: &Notification,
        actor: &str,
    ) -> Result<Notified, ControlError> {
        self.apps.lock().await.get(name)?;
        let (commit, branch, ended) = match said.asks() {
            Asks::Deploy { commit, branch, ended } => (commit, branch, ended),
            // Each build says this two or three times: it is no event.
            Asks::Wait(why) => {
                tracing::debug!(app.name = %name, "nothing is deployed yet: {why}");
                return Ok(Notified::Ignored { why });
            }
            Asks::Nothing(why) => return Ok(self.not_of_jenkins(name, actor, why).await),
            Asks::Unclear(why) => {
                self.ignored(name, actor, &why).await;
                return Err(ControlError::Unclear(why));
            }
        };
        let key = jenkins_key(name);
        let known = self.store().get_as::<BTreeMap<String, Ended>>(&key).await?;
        let mut known = known.map(|doc| doc.value).unwrap_or_default();
        if let Some(why) = known.get(&ended.job).and_then(|last| ended.is_stale(last)) {
            return Ok(self.not_of_jenkins(name, actor, why).await);
        }
        let request =
            DeployRequest { track, commit: Some(commit), branch, ..DeployRequest::default() };
        let deployed = match self.deploy(name, &request, actor).await {
            Ok(deployed) => deployed,
            Err(ControlError::Unmapped(unmapped)) => {
                return Ok(self.not_of_jenkins(name, actor, unmapped.to_string()).await);
            }
            Err(error) => return Err(error),
        };
        // Where this cannot be written, what comes twice finds the commit built and deployed.
        known.insert(ended.job.clone(), ended);
        while known.len() > JOBS {
            let oldest = known.iter().min_by_key(|(_, it)| it.began_ms).map(|(job, _)| job.clone());
            oldest.map(|job| known.remove(&job));
        }
        self.store().commit(Txn::by(actor).write(Write::put(key, &known))).await?;
        Ok(Notified::Taken(deployed))
    }

    async fn not_of_jenkins(&self, name: &AppName, actor: &str, why: String) -> Notified {
        self.ignored(name, actor, &why).await;
        Notified::Ignored { why }
    }

    /// The build that the event of this revision asked for.
    pub async fn build_asked_by(&self, event: u64) -> Result<Option<Build>, ControlError> {
        let Some(before) = event.checked_sub(1) else { return Ok(None) };
        let found = self.events(None, Span::After(before), 1).await?.pop();
        let Some(found) = found.filter(|it| it.rev == event && it.kind == EventKind::PushReceived)
        else {
            return Ok(None);
        };
        match (found.app, found.subject) {
            (Some(app), Subject::Release(number)) => match self.build(&app, number).await {
                Ok(build) => Ok(Some(build)),
                Err(ControlError::NoBuild { .. }) => Ok(None),
                Err(error) => Err(error),
            },
            _ => Ok(None),
        }
    }
}
