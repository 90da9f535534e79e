//! What a forge calls with.

use hyper::HeaderMap;
use serde::Serialize;
use toehold_core::model::{AppName, Build, Trigger};
use toehold_core::spec::Spec;

use super::push::Wanted;
use super::{Control, ControlError};
use crate::source::remote::Remote;
use crate::source::repository::{CommitInfo, Wanted as Fetched};
use crate::source::update::track_of;
use crate::source::webhook::github::parse_github;
use crate::source::webhook::signature::verify_github;
use crate::source::webhook::{Delivery, DeliveryError, DeliveryKind, Push, WebhookRefusal};

/// What came of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Received {
    /// A build was queued.
    Queued {
        /// Its number.
        number: u64,
    },
    /// Nothing is to be built, and why.
    Ignored {
        /// In words.
        why: String,
    },
}

/// Why a delivery was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Its signature.
    #[error(transparent)]
    Refused(#[from] WebhookRefusal),
    /// Its form.
    #[error(transparent)]
    Malformed(#[from] DeliveryError),
    /// Ours.
    #[error(transparent)]
    Control(#[from] ControlError),
}

impl Control {
    /// Takes in a delivery of GitHub: verified, counted once, queued.
    pub async fn webhook(
        &self,
        name: &AppName,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Received, WebhookError> {
        let github = self.settings().apps.get(name).and_then(|app| app.github.clone());
        let secrets = match &github {
            Some(github) => read_secrets(&github.secrets_file)?,
            None => Vec::new(),
        };
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        verify_github(&secrets, body, headers)?;
        let said = |name: &str| headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or("");
        let delivery = parse_github(
            said("x-github-event"),
            said("x-github-delivery"),
            said("content-type"),
            body,
        )?;
        let Some(github) = github else {
            return Ok(Received::Ignored { why: "no repository is set for this app".to_owned() });
        };
        self.apps.lock().await.get(name)?;
        self.take_in(name, delivery, &github.repository).await
    }

    async fn take_in(
        &self,
        name: &AppName,
        delivery: Delivery,
        repository: &str,
    ) -> Result<Received, WebhookError> {
        let once = delivery.key().parse().map_err(|_| DeliveryError::Header {
            header: "X-GitHub-Delivery",
            what: "delivery id",
        })?;
        let forge = delivery.forge.as_str();
        let push = match to_build(delivery.kind, repository) {
            Ok(push) => push,
            Err(why) => return Ok(self.passed_over(name, forge, why).await),
        };
        let spec = self.serving_spec(name).await?;
        let track = match track_of(&spec, &push.branch) {
            Ok(track) => track,
            Err(unmapped) => return Ok(self.passed_over(name, forge, unmapped.to_string()).await),
        };
        let wanted = Wanted {
            commit: push.commit,
            branch: push.branch,
            track,
            trigger: Trigger::Webhook { forge: forge.to_owned(), delivery: delivery.id },
            info: CommitInfo {
                subject: push.subject,
                author: push.author,
                time: self.clock().now(),
            },
            waiting: None,
            once: Some(once),
        };
        match self.enqueue(name, wanted, forge).await {
            Ok(queued) => Ok(Received::Queued { number: queued.number.0 }),
            // It was written down then.
            Err(ControlError::TakenBefore) => {
                Ok(Received::Ignored { why: "this delivery was taken in before".to_owned() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Nothing is built of a delivery: who looks for their push finds out why.
    async fn passed_over(&self, name: &AppName, forge: &str, why: String) -> Received {
        self.ignored(name, forge, &why).await;
        Received::Ignored { why }
    }

    /// The configuration of the release that serves; the default where none does.
    async fn serving_spec(&self, name: &AppName) -> Result<Spec, ControlError> {
        let apps = self.apps.lock().await;
        let loaded = apps.get(name)?;
        let serving = loaded.app.serving().and_then(|number| loaded.releases.get(&number));
        Ok(serving.map(|release| release.spec.clone()).unwrap_or_default())
    }

    /// Brings a commit that a forge spoke of into the app's repository.
    pub(super) async fn fetch(&self, build: &Build) -> Result<(), ControlError> {
        let repository = self.repository(&build.app)?;
        if !matches!(build.trigger, Trigger::Webhook { .. })
            || repository.has(&build.commit).await?
        {
            return Ok(());
        }
        let github = self.settings().apps.get(&build.app).and_then(|app| app.github.as_ref());
        if let Some(github) = github {
            let remote: Remote = github
                .url
                .parse()
                .map_err(|source| ControlError::Remote { app: build.app.clone(), source })?;
            repository.fetch(&remote, &Fetched::Commit(build.commit.clone()), None).await?;
        }
        Ok(())
    }
}

/// The push that is to be built; else why none is.
fn to_build(kind: DeliveryKind, repository: &str) -> Result<Push, String> {
    let push = match kind {
        DeliveryKind::Push(push) => push,
        DeliveryKind::Deleted { branch, .. } => {
            return Err(format!("branch {branch} was deleted: what runs goes on"));
        }
        DeliveryKind::Tag { name, .. } => {
            return Err(format!("tag {name}: only branches are built"));
        }
        DeliveryKind::Ping => return Err("the webhook works".to_owned()),
        DeliveryKind::Ignored(why) => return Err(why),
    };
    if !push.is_of(repository) {
        return Err(format!("a push to another repository than {repository}"));
    }
    if push.skip {
        return Err("the commit's message asks for no build".to_owned());
    }
    Ok(push)
}

/// The secrets of a file, a line each; the file is read each time, so that a new secret counts at
/// once.
fn read_secrets(path: &std::path::Path) -> Result<Vec<String>, ControlError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ControlError::File { path: path.to_owned(), source })?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
