//! The last step: the tree becomes an artifact.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use globset::GlobSet;
use toehold_core::model::{Digest, Manifest, StepKind, StepOutcome};
use toehold_core::pipeline::verdicts;
use toehold_core::tell::chain;
use toehold_core::time::Timestamp;

use super::fetch::Fetched;
use super::steps::named;
use super::{Run, Stop, passed, stop, took};
use crate::builder::archive::{Content, is_excluded, patterns};
use crate::builder::checkout::restore;
use crate::builder::shelf::{Put, describe, put};
use crate::builder::snapshot::{Difference, Snapshot};
use crate::builder::space::{room, size};

impl Run {
    /// How the checkout looks before the tests; `kind` is the step that is about to begin.
    pub(super) async fn snapshot(&self, kind: StepKind) -> Result<Snapshot, Stop> {
        let began = Instant::now();
        let root = self.workshop.checkout.clone();
        let taken = tokio::task::spawn_blocking(move || Snapshot::take(&root)).await;
        taken.map_err(std::io::Error::other).flatten().map_err(|error| {
            let what = format!("cannot read the checkout: {}", chain(&error));
            stop(kind, what, String::new(), took(began))
        })
    }

    pub(super) async fn artifact(
        &mut self,
        fetched: &Fetched,
        before: Snapshot,
    ) -> Result<(Manifest, StepOutcome), Stop> {
        let began = Instant::now();
        let failed = |what: String| stop(StepKind::Artifact, what, String::new(), took(began));
        self.log.begin("artifact");
        let after = self.snapshot(StepKind::Artifact).await?;
        self.put_back(&before.against(&after)).await;
        let artifacts = self.order.dirs.artifacts.clone();
        let exclude = excluded(fetched);
        let bytes = before.bytes(|path| !is_excluded(&exclude, path));
        room("the artifact", &artifacts, bytes, self.order.limits.free_bytes)
            .map_err(|error| failed(chain(&error)))?;
        let put = self.packed(exclude, before).await.map_err(failed)?;
        for path in &put.left_out {
            self.log.say(&format!("{} is no file, folder or link, and left out", path.display()));
        }
        let verdict = if put.already { "unchanged" } else { "new" };
        let summary = format!("{} {}, {verdict}", put.digest.short(), size(put.size_bytes));
        let outcome = passed(StepKind::Artifact, summary, took(began));
        let manifest = self.manifest(fetched, put, &outcome);
        let described = manifest.clone();
        let written = tokio::task::spawn_blocking(move || describe(&artifacts, &described)).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(failed(chain(&error))),
            Err(error) => return Err(failed(chain(&error))),
        }
        let _ = self.log.end();
        Ok((manifest, outcome))
    }

    /// Files of the commit that a test changed or removed are put back; of the rest it is said.
    async fn put_back(&mut self, difference: &Difference) {
        let tracked: Vec<&Path> = difference.changed.iter().map(PathBuf::as_path).collect();
        if !difference.added.is_empty() {
            let count = difference.added.len();
            let few: Vec<String> =
                difference.added.iter().take(5).map(|path| path.display().to_string()).collect();
            let more = if count > few.len() { ", …" } else { "" };
            self.log.say(&format!(
                "{count} files that came after install are not part of the artifact: {}{more}",
                few.join(", ")
            ));
        }
        for path in tracked {
            let restored = restore(&self.git(), &[path]).await;
            let what = if restored.is_ok() { "put back" } else { "kept as it is now" };
            self.log.say(&format!("{} was changed after install: {what}", path.display()));
        }
    }

    async fn packed(&self, exclude: GlobSet, before: Snapshot) -> Result<Put, String> {
        let (root, artifacts) = (self.workshop.checkout.clone(), self.order.dirs.artifacts.clone());
        let max_bytes = self.order.limits.artifact_bytes;
        let work = move || {
            let content = Content { root: &root, snapshot: &before, exclude: &exclude, max_bytes };
            put(&artifacts, &content)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(put)) => Ok(put),
            Ok(Err(error)) => Err(chain(&error)),
            Err(error) => Err(chain(&error)),
        }
    }

    fn manifest(&self, fetched: &Fetched, put: Put, outcome: &StepOutcome) -> Manifest {
        let spec = &fetched.spec;
        let ended: Vec<StepOutcome> =
            self.steps.iter().chain(std::iter::once(outcome)).cloned().collect();
        let config = serde_json::to_vec(spec).unwrap_or_default();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Manifest {
            digest: put.digest,
            size_bytes: put.size_bytes,
            commit: self.order.commit.clone(),
            config: Digest::of(&config),
            verdicts: verdicts(&spec.build, &ended),
            env_keys: spec.run.env.keys().chain(&spec.run.secrets).cloned().collect(),
            made_at: Timestamp::from_ms(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// What an artifact leaves out: reports, and what the team names.
fn excluded(fetched: &Fetched) -> GlobSet {
    let build = &fetched.spec.build;
    let reports = StepKind::ALL.into_iter().flat_map(|kind| named(&build.reports, kind));
    let reports = reports.map(|(_, pattern)| pattern);
    patterns(reports.chain(build.exclude.iter().cloned()))
}
