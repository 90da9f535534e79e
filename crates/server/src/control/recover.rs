//! After a start: what was going on when Toehold ended goes on, or ends with a reason.

use toehold_core::model::{Build, BuildPhase, Event, EventKind, Subject};
use tracing::info;

use super::apps::build_key;
use super::queue::Entry;
use super::{Control, ControlError};
use crate::store::{Txn, Write};

/// A build that was under way this often when Toehold ended is not begun again.
const ATTEMPTS: usize = 2;

impl Control {
    pub(super) async fn recover(&self) -> Result<(), ControlError> {
        let dirs = self.builder_dirs();
        crate::builder::sweep(&dirs)
            .await
            .map_err(|source| ControlError::File { path: dirs.work.clone(), source })?;
        let records = self.layout().playbook_records();
        crate::ansible::sweep(&records)
            .await
            .map_err(|source| ControlError::File { path: records, source })?;
        let mut queued = 0_usize;
        for app in self.app_names().await {
            // The program may have moved since the hooks were written.
            self.repository_made(&app).await?;
            let mut builds = self.builds(&app).await?;
            builds.reverse();
            for build in builds.into_iter().filter(|build| !build.phase.has_ended()) {
                queued += usize::from(self.take_up(build).await?);
            }
        }
        let event = Event {
            rev: 0,
            at: self.clock().now(),
            app: None,
            kind: EventKind::Started,
            subject: Subject::Toehold,
            cause: None,
            actor: "toehold".into(),
            text: format!("the control plane came up in epoch {}", self.parts.epoch),
            facts: serde_json::json!({ "epoch": self.parts.epoch, "builds_taken_up": queued }),
        };
        self.say(event).await;
        self.wake_queue.notify_one();
        Ok(())
    }

    /// Puts a build that had not ended back in line, once; says whether it did.
    async fn take_up(&self, mut build: Build) -> Result<bool, ControlError> {
        let begun = self.begun(&build).await?;
        if begun >= ATTEMPTS {
            let was = build.clone();
            build.phase =
                BuildPhase::Cancelled { why: format!("Toehold ended {begun} times while it ran") };
            build.ended_at = Some(self.clock().now());
            let event = super::build_events::cancelled(&build, self.clock().now());
            let reports = self.reports_of_build(Some(&was), &build);
            let mut txn = Txn::by("toehold")
                .write(Write::put(build_key(&build.app, build.number), &build))
                .write(Write::event(&event));
            txn.writes.extend(reports);
            self.store().commit(txn).await?;
            return Ok(false);
        }
        info!(app.name = %build.app, build.number = %build.number, "a build is taken up again");
        let entry = Entry {
            app: build.app.clone(),
            number: build.number,
            track: build.track,
            waiting: None,
        };
        let gone = self.queue().push(entry);
        for older in gone {
            self.superseded(&older, build.number).await?;
        }
        Ok(true)
    }

    /// How often a build began.
    async fn begun(&self, build: &Build) -> Result<usize, ControlError> {
        let events = self.events(Some(&build.app), super::events::Span::Last, 1_000).await?;
        let begun = |event: &&Event| {
            event.kind == EventKind::BuildStarted && event.subject == Subject::Release(build.number)
        };
        Ok(events.iter().filter(begun).count())
    }
}
