//! The apps in memory: what the store says of each, read once and kept true by each commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use toehold_core::decide::{Memory, Releases};
use toehold_core::model::{App, AppName, Number, Release};

use super::{Control, ControlError};
use crate::store::{Key, ReadError, Rev, Store};

/// One app, as the store has it.
pub(super) struct Loaded {
    /// The revision of its document.
    pub(super) rev: Rev,
    /// The document.
    pub(super) app: App,
    /// The releases a decision may need.
    pub(super) releases: Releases,
    /// What alerts and scaling remember; may be lost.
    pub(super) memory: Memory,
}

/// Every app.
#[derive(Default)]
pub(super) struct Apps {
    pub(super) by_name: BTreeMap<AppName, Loaded>,
}

impl Apps {
    /// Reads them all.
    pub(super) async fn load(store: &Arc<dyn Store>) -> Result<Self, ReadError> {
        let mut apps = Self::default();
        let (docs, _) = store.list_as::<App>("app/").await?;
        for doc in docs {
            apps.take_in(store, doc.rev, doc.value).await?;
        }
        Ok(apps)
    }

    /// Takes in a new or changed document, and the releases it speaks of.
    pub(super) async fn take_in(
        &mut self,
        store: &Arc<dyn Store>,
        rev: Rev,
        app: App,
    ) -> Result<(), ReadError> {
        let name = app.name.clone();
        let known = self.by_name.remove(&name);
        let (mut releases, memory) = match known {
            Some(loaded) => (loaded.releases, loaded.memory),
            None => (Releases::new(), Memory::default()),
        };
        let needed = needed(&app);
        releases.retain(|number, _| needed.contains(number));
        for number in needed {
            if !releases.contains_key(&number)
                && let Some(release) = store.get_as::<Release>(&release_key(&name, number)).await?
            {
                releases.insert(number, release.value);
            }
        }
        self.by_name.insert(name, Loaded { rev, app, releases, memory });
        Ok(())
    }

    pub(super) fn get(&self, app: &AppName) -> Result<&Loaded, ControlError> {
        self.by_name.get(app).ok_or_else(|| ControlError::NoApp(app.clone()))
    }

    pub(super) fn get_mut(&mut self, app: &AppName) -> Result<&mut Loaded, ControlError> {
        self.by_name.get_mut(app).ok_or_else(|| ControlError::NoApp(app.clone()))
    }
}

/// Every release the document speaks of.
fn needed(app: &App) -> BTreeSet<Number> {
    let instances = app.instances.iter().map(|instance| instance.release);
    let arms = app.route.arms.iter().map(|arm| arm.release);
    instances
        .chain(arms)
        .chain(app.good.iter().copied())
        .chain(app.stable.iter().map(|stable| stable.release))
        .chain(app.rollout.iter().map(|rollout| rollout.release))
        .collect()
}

/// Where an app's document is.
pub(super) fn app_key(app: &AppName) -> Key {
    key(&format!("app/{app}"))
}

/// Where a release is. Numbers are written with zeros before, so that the keys are in their order.
pub(super) fn release_key(app: &AppName, number: Number) -> Key {
    key(&format!("release/{app}/{:08}", number.0))
}

/// Where a build is.
pub(super) fn build_key(app: &AppName, number: Number) -> Key {
    key(&format!("build/{app}/{:08}", number.0))
}

fn key(text: &str) -> Key {
    text.parse().expect("the names of apps and numbers are parts a key may have")
}

impl Control {
    /// Every app's name.
    pub async fn app_names(&self) -> Vec<AppName> {
        self.apps.lock().await.by_name.keys().cloned().collect()
    }
}
