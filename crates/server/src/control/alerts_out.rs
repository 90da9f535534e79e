//! Our alerts, told to an Alertmanager: the whole of what stands, again and again.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use toehold_core::time::Timestamp;
use tracing::debug;

use super::Control;
use crate::alertmanager::{Alertmanager, posted};

/// How often what stands is told again; an Alertmanager forgets it after five minutes.
const AGAIN: Duration = Duration::from_secs(30);

/// How long an alert that ended is still told to have ended.
const ENDED: Duration = Duration::from_mins(10);

/// The first wait after it was not taken; it doubles up to [`AGAIN`].
const FIRST: Duration = Duration::from_secs(1);

/// The most alerts in one call.
const AT_ONCE: usize = 200;

/// Tells until shutdown.
pub(super) async fn run(control: Arc<Control>, alertmanager: Alertmanager) {
    let mut wait = FIRST;
    loop {
        match tell(&control, &alertmanager).await {
            Ok(count) => {
                let says = format!("{} has {count} of our alerts", alertmanager.host());
                control.found("alertmanager", true, says).await;
                wait = FIRST;
                tokio::select! {
                    () = control.shutdown.cancelled() => return,
                    () = control.wake_alerts.notified() => {}
                    () = tokio::time::sleep(AGAIN) => {}
                }
            }
            Err(why) => {
                control.found("alertmanager", false, why).await;
                tokio::select! {
                    () = control.shutdown.cancelled() => return,
                    () = tokio::time::sleep(wait) => {}
                }
                wait = (wait * 2).min(AGAIN);
            }
        }
    }
}

/// Posts all there is to say; gives the number of alerts.
async fn tell(control: &Control, alertmanager: &Alertmanager) -> Result<usize, String> {
    let ended_ms = u64::try_from(ENDED.as_millis()).unwrap_or(u64::MAX);
    let since = Timestamp::from_ms(control.clock().now().as_ms().saturating_sub(ended_ms));
    let dashboard = control.settings().messages.dashboard_url.as_deref();
    let alerts: Vec<Value> = {
        let apps = control.apps.lock().await;
        let of = |loaded: &super::apps::Loaded| {
            posted(&loaded.app.name, &loaded.app.alerts, since, dashboard)
        };
        apps.by_name.values().flat_map(of).collect()
    };
    for some in alerts.chunks(AT_ONCE) {
        alertmanager.post(some).await?;
    }
    if alerts.is_empty() {
        // Whether it is there is to be known before there is something to say.
        alertmanager.post(&[]).await?;
    }
    debug!(alerts = alerts.len(), "alertmanager was told");
    Ok(alerts.len())
}
