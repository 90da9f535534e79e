//! What is kept of the past, and what goes: never an artifact that something may still run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use toehold_core::model::{
    App, AppName, Build, Digest, Event, EventKind, Number, Release, Subject,
};
use tracing::{info, warn};

use super::apps::{build_key, release_key};
use super::{Control, ControlError};
use crate::store::{Retention, Txn, Write};

/// How often the past is looked through.
const EACH: Duration = Duration::from_mins(10);

/// For so many builds back it is known by which delivery of a forge each came.
const DELIVERIES: u64 = 2_000;

/// Below this many free bytes it is said that the disk is low.
const LOW_BYTES: u64 = 512 * 1024 * 1024;

/// Runs until shutdown.
pub(super) async fn run(control: Arc<Control>) {
    let mut each = tokio::time::interval(EACH);
    loop {
        tokio::select! {
            () = control.shutdown.cancelled() => return,
            _ = each.tick() => {}
        }
        if let Err(error) = control.tidy_up().await {
            warn!(%error, "the past could not be tidied up; it is tried again later");
        }
        control.look_at_disk().await;
    }
}

impl Control {
    async fn tidy_up(&self) -> Result<(), ControlError> {
        let mut kept = BTreeSet::new();
        for name in self.app_names().await {
            let app = {
                let apps = self.apps.lock().await;
                apps.get(&name)?.app.clone()
            };
            kept.extend(self.forget_releases(&app).await?);
            self.forget_builds(&name).await?;
            self.forget_deliveries(&name).await?;
        }
        let (folder, keep) = (self.layout().artifacts(), self.settings().keep);
        let pruned = tokio::task::spawn_blocking(move || {
            crate::builder::prune(&folder, &kept, keep.artifacts, keep.artifact_bytes)
        });
        match pruned.await {
            Ok(Ok(pruned)) if pruned.removed.is_empty() => {}
            Ok(Ok(pruned)) => {
                let (artifacts, bytes) = (pruned.removed.len(), pruned.freed_bytes);
                info!(artifacts, bytes, "old artifacts were removed");
            }
            Ok(Err(error)) => warn!(%error, "old artifacts could not be removed"),
            Err(error) => warn!(%error, "old artifacts could not be looked at"),
        }
        Retention::default().apply(self.store().as_ref(), self.clock().now()).await?;
        self.sessions().sweep().await?;
        self.sweep_links().await?;
        Ok(())
    }

    /// Releases beyond those that are kept, unless something speaks of them. Gives the artifacts of
    /// those that stay.
    async fn forget_releases(&self, app: &App) -> Result<BTreeSet<Digest>, ControlError> {
        let prefix = format!("release/{}/", app.name);
        let (docs, _) = self.store().list_as::<Release>(&prefix).await?;
        let spoken_of = spoken_of(app);
        let mut kept = BTreeSet::new();
        for (age, doc) in docs.into_iter().rev().enumerate() {
            let release = doc.value;
            if age < self.settings().keep.artifacts || spoken_of.contains(&release.number) {
                kept.insert(release.artifact);
            } else {
                let gone = Write::delete(release_key(&app.name, release.number));
                self.store().commit(Txn::by("toehold").write(gone)).await?;
                self.repository(&app.name)?.forget(&release.commit).await?;
            }
        }
        Ok(kept)
    }

    async fn forget_builds(&self, name: &AppName) -> Result<(), ControlError> {
        let builds: Vec<Build> = self.builds(name).await?;
        let old = builds.into_iter().skip(self.settings().keep.builds);
        for build in old.filter(|build| build.phase.has_ended()) {
            let gone = Write::delete(build_key(name, build.number));
            self.store().commit(Txn::by("toehold").write(gone)).await?;
            // A log that is gone already is what is wanted.
            let _ = std::fs::remove_file(self.layout().build_log(name, build.number));
        }
        Ok(())
    }

    /// Deliveries of long ago: nobody delivers them again.
    async fn forget_deliveries(&self, name: &AppName) -> Result<(), ControlError> {
        let (docs, _) = self.store().list_as::<u64>(&format!("delivery/{name}/")).await?;
        let newest = docs.iter().map(|doc| doc.value).max().unwrap_or(0);
        let old = docs.into_iter().filter(|doc| doc.value.saturating_add(DELIVERIES) < newest);
        let gone: Vec<Write> = old.map(|doc| Write::delete(doc.key)).collect();
        for writes in gone.chunks(100) {
            let txn = Txn { writes: writes.to_vec(), ..Txn::by("toehold") };
            self.store().commit(txn).await?;
        }
        Ok(())
    }

    async fn look_at_disk(&self) {
        let root = self.layout().root();
        let Ok(free) = toehold_host::disk::free_bytes(root) else { return };
        if free >= LOW_BYTES {
            return;
        }
        let event = Event {
            rev: 0,
            at: self.clock().now(),
            app: None,
            kind: EventKind::DiskLow,
            subject: Subject::Toehold,
            cause: None,
            actor: "toehold".into(),
            text: format!("less than {} MiB are free under {}", LOW_BYTES >> 20, root.display()),
            facts: serde_json::json!({ "free_bytes": free }),
        };
        self.say_once(event).await;
    }
}

/// Every release that must stay: it runs, serves, is tried, or can be gone back to.
fn spoken_of(app: &App) -> BTreeSet<Number> {
    let instances = app.instances.iter().map(|instance| instance.release);
    let stable = app.stable.iter().map(|stable| stable.release);
    let rollout = app.rollout.iter().map(|rollout| rollout.release);
    instances.chain(stable).chain(rollout).chain(app.good.iter().copied()).collect()
}
