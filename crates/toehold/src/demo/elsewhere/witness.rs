//! Whoever watches what Toehold writes down while the story waits, and shows it line by line.

use std::time::Duration;

use toehold_core::model::{Event, EventKind};
use toehold_core::wire::api::MachineView;

use super::super::stage::Stage;
use super::super::{Teller, show};
use crate::report::Failure;
use crate::show::paint;

/// How long a thing may take that needs a new machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// Shows what happens from here on.
pub struct Witness {
    pub after: u64,
}

impl Witness {
    /// What has happened before is not shown.
    pub async fn called(stage: &Stage) -> Result<Self, Failure> {
        let events: Vec<Event> = stage.client.get("/api/v1/events").await?;
        Ok(Self { after: events.iter().map(|event| event.rev).max().unwrap_or(0) })
    }

    /// Waits until something is so, and shows what is written down meanwhile.
    pub async fn until<T>(
        &mut self,
        teller: &Teller,
        stage: &Stage,
        what: &str,
        mut look: impl AsyncFnMut(&[Event]) -> Option<T>,
    ) -> Result<T, Failure> {
        let mut seen = Vec::new();
        stage
            .until(what, PATIENCE, async || {
                let path = format!("/api/v1/events?after={}&limit=1000", self.after);
                let fresh: Vec<Event> = stage.client.get(&path).await.unwrap_or_default();
                for event in fresh {
                    self.after = self.after.max(event.rev);
                    if is_told(event.kind) {
                        let line = show::table::safe(&event.text, 100);
                        // What cannot be shown has happened all the same.
                        let _ = teller.shows(&paint::faint(&line));
                    }
                    seen.push(event);
                }
                look(&seen).await
            })
            .await
    }
}

/// Of these it is told that they happen; the rest would hide them.
const fn is_told(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::PushReceived
            | EventKind::ReleaseCreated
            | EventKind::BuildFailed
            | EventKind::MachineWanted
            | EventKind::MachineMade
            | EventKind::MachineJoined
            | EventKind::MachineReady
            | EventKind::MachineTrouble
            | EventKind::MachineFailed
            | EventKind::MachineLost
            | EventKind::MachineLeaving
            | EventKind::MachineGone
            | EventKind::PlaybookStarted
            | EventKind::PlaybookTask
            | EventKind::PlaybookEnded
            | EventKind::DeployDone
            | EventKind::ScaledOut
            | EventKind::ScaledIn
    )
}

/// Every machine but the one Toehold is on.
pub async fn machines(stage: &Stage) -> Result<Vec<MachineView>, Failure> {
    let all: Vec<MachineView> = stage.client.get("/api/v1/machines").await?;
    Ok(all.into_iter().filter(|it| it.machine.provider_id.is_some()).collect())
}
