//! The loop: something was seen, so decide; and look again now and then, whatever was missed.

use std::sync::Arc;
use std::time::Duration;

use toehold_core::decide::{Situation, decide};
use toehold_core::model::AppName;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::warn;

use super::{Control, ControlError};

/// The longest time without a look.
const LOOK: Duration = Duration::from_millis(500);

/// The shortest time between two looks: news that come in a burst are looked at once.
const BREATH: Duration = Duration::from_millis(5);

/// Runs until shutdown.
pub(super) async fn run(control: Arc<Control>) {
    let mut news = control.parts.fleet.news();
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = control.shutdown.cancelled() => return,
            _ = news.changed() => {}
            () = control.wake.notified() => {}
            _ = tick.tick() => {}
        }
        let began = Instant::now();
        control.count();
        for name in control.app_names().await {
            if let Err(error) = control.look(&name).await {
                warn!(app.name = %name, %error, "an app could not be looked after; it is tried again");
            }
        }
        tokio::time::sleep_until(began + BREATH).await;
    }
}

impl Control {
    /// Takes in what each proxy counted.
    fn count(&self) {
        for seen in self.parts.fleet.proxies() {
            self.metrics().take(&seen.report);
        }
    }

    /// Decides about one app and carries it out.
    async fn look(&self, name: &AppName) -> Result<(), ControlError> {
        let mut apps = self.apps.lock().await;
        let seen = self.seen(&apps.get(name)?.app);
        let loaded = apps.get_mut(name)?;
        let situation = Situation {
            app: &loaded.app,
            releases: &loaded.releases,
            seen: &seen,
            now: self.clock().now(),
        };
        let before = loaded.memory.clone();
        let Some(decision) = decide(situation, &mut loaded.memory) else {
            if self.shows_another(&loaded.app, &seen) {
                self.project_all(&apps);
            }
            return Ok(());
        };
        let done = self.carry_out(&mut apps, name, decision.into(), &seen, ("toehold", None)).await;
        if let Err(error) = done {
            // What was not written down was not decided: the next look begins where this one did.
            apps.get_mut(name)?.memory = before;
            return Err(error);
        }
        Ok(())
    }
}
