//! What a forge calls with.

use bytes::Bytes;
use hyper::HeaderMap;
use serde::Serialize;
use toehold_core::model::{AppName, Trigger};
use toehold_core::spec::Spec;

use super::line::Wanted;
use super::{Control, ControlError};
use crate::settings::ForgeSettings;
use crate::source::repository::CommitInfo;
use crate::source::update::track_of;
use crate::source::webhook::{
    self, Delivery, DeliveryError, DeliveryKind, Forge, Push, WebhookRefusal,
};
use crate::store::Key;

/// What came of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Received {
    /// A build was queued.
    Queued {
        /// Its number.
        number: u64,
        /// The numbers of others: a delivery may tell of several branches.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        others: Vec<u64>,
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
    /// Takes in a delivery of a forge: verified, counted once, queued.
    pub async fn webhook(
        &self,
        forge: Forge,
        name: &AppName,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Received, WebhookError> {
        let set = self.forge_of(name, forge).cloned();
        let secrets = match set.as_ref().and_then(|set| set.secrets_file.as_ref()) {
            Some(file) => read_secrets(file)?,
            None => Vec::new(),
        };
        let (headers, now) = (headers.clone(), self.clock().now());
        // A body may be 25 MiB long; whoever else waits is not to wait for it.
        let looked = tokio::task::spawn_blocking(move || {
            let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
            webhook::verify(forge, &secrets, &headers, &body, now)?;
            Ok::<_, WebhookError>(webhook::read(forge, &headers, &body)?)
        });
        let delivery = looked.await.map_err(|_| DeliveryError::Body {
            why: "looking at it was broken off".to_owned(),
        })??;
        let Some(set) = set else {
            return Ok(Received::Ignored { why: "no repository is set for this app".to_owned() });
        };
        self.apps.lock().await.get(name)?;
        self.take_in(name, delivery, &set.repository).await
    }

    /// What is set for an app at a forge.
    pub(super) fn forge_of(&self, name: &AppName, forge: Forge) -> Option<&ForgeSettings> {
        self.settings().apps.get(name).and_then(|app| app.of(forge))
    }

    async fn take_in(
        &self,
        name: &AppName,
        mut delivery: Delivery,
        repository: &str,
    ) -> Result<Received, WebhookError> {
        let (mut numbers, mut ignored) = (Vec::new(), Vec::new());
        for (nth, said) in std::mem::take(&mut delivery.said).into_iter().enumerate() {
            match self.take_in_one(name, &delivery, (nth, said), repository).await? {
                Ok(number) => numbers.push(number),
                Err(why) => ignored.push(why),
            }
        }
        if numbers.is_empty() {
            if ignored.is_empty() {
                ignored.push("nothing was pushed".to_owned());
            }
            return Ok(Received::Ignored { why: ignored.join("; ") });
        }
        Ok(Received::Queued { number: numbers.remove(0), others: numbers })
    }

    /// The number of the build; else why none is made.
    async fn take_in_one(
        &self,
        name: &AppName,
        delivery: &Delivery,
        (nth, said): (usize, DeliveryKind),
        repository: &str,
    ) -> Result<Result<u64, String>, WebhookError> {
        let forge = delivery.forge.as_str();
        let passed_over = async |why: String| {
            // Who looks for their push finds out why nothing is built of it.
            self.ignored(name, forge, &why).await;
            Ok(Err(why))
        };
        let push = match to_build(said, repository) {
            Ok(push) => push,
            Err(why) => return passed_over(why).await,
        };
        let spec = self.serving_spec(name).await?;
        let track = match track_of(&spec, &push.branch) {
            Ok(track) => track,
            Err(unmapped) => return passed_over(unmapped.to_string()).await,
        };
        let keys: Result<Vec<Key>, _> =
            delivery.keys(name, nth).iter().map(|key| key.parse()).collect();
        let mut once = keys.map_err(|_| DeliveryError::Field {
            field: "id",
            why: "nothing can be kept under it".to_owned(),
        })?;
        if delivery.forge == Forge::Bitbucket
            && let [_, words] = once.as_slice()
            && self.goes_on(name, &push, words).await?
        {
            once.truncate(1);
        }
        let wanted = Wanted {
            commit: push.commit,
            branch: push.branch,
            track,
            trigger: Trigger::Webhook { forge: forge.to_owned(), delivery: delivery.id.clone() },
            info: CommitInfo {
                subject: push.subject,
                author: push.author,
                time: self.clock().now(),
            },
            waiting: None,
            once,
            seen: None,
        };
        match self.enqueue(name, wanted, forge).await {
            Ok(queued) => Ok(Ok(queued.number.0)),
            // It was written down then.
            Err(ControlError::TakenBefore) => {
                Ok(Err("this delivery was taken in before".to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a push whose words were heard before begins where its branch is. Nothing in a delivery
    /// of Bitbucket is new each time, so that a push there and back and there again rightly says the
    /// same twice: then it begins where the branch is by now. One that somebody sends again later
    /// does not.
    async fn goes_on(
        &self,
        name: &AppName,
        push: &Push,
        words: &Key,
    ) -> Result<bool, ControlError> {
        let Some(before) = &push.before else { return Ok(false) };
        if self.store().get(words).await?.is_none() {
            return Ok(false);
        }
        let builds = self.builds(name).await?;
        let newest = builds.iter().find(|build| build.branch == push.branch);
        Ok(newest.is_some_and(|build| build.commit == *before))
    }

    /// The configuration of the release that serves; the default where none does.
    pub(super) async fn serving_spec(&self, name: &AppName) -> Result<Spec, ControlError> {
        let apps = self.apps.lock().await;
        let loaded = apps.get(name)?;
        let serving = loaded.app.serving().and_then(|number| loaded.releases.get(&number));
        Ok(serving.map(|release| release.spec.clone()).unwrap_or_default())
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
