//! How long until the last request reached a canary that lost its share: measured, not promised.

use std::time::Duration;

use toehold_core::model::{App, Event, EventKind, Number, Subject, Track};
use toehold_core::wire::Order;
use toehold_core::wire::proxy::ProxyReport;

use super::Control;

/// How long the proxy may take to say it, before it is said that nobody knows.
const PATIENCE: Duration = Duration::from_secs(30);

/// A canary that lost its share.
struct Loss {
    app: App,
    release: Number,
    order: Order,
    decided_us: u64,
    cause: Option<u64>,
}

/// Watches the proxy where a decision took all traffic from a canary.
pub(super) fn watch(
    control: &Control,
    before: &App,
    after: &App,
    events: &[Event],
    revs: &[u64],
    decided_us: u64,
) {
    let share = |app: &App| {
        let arms = app.route.arms.iter();
        arms.clone().find(|arm| arm.track == Track::Canary && arm.weight > 0).map(|arm| arm.release)
    };
    let (Some(release), None) = (share(before), share(after)) else { return };
    let taken = |kind| matches!(kind, EventKind::RolloutHeld | EventKind::RolloutAborted);
    let Some(place) = events.iter().position(|event| taken(event.kind)) else { return };
    let loss = Loss {
        app: after.clone(),
        release,
        order: control.plans().order(),
        decided_us,
        cause: revs.get(place).copied(),
    };
    let Some(control) = control.itself.upgrade() else { return };
    let tracked = std::sync::Arc::clone(&control);
    tracked.tasks.spawn(async move {
        let event = match tokio::time::timeout(PATIENCE, control.confirmed(loss.order)).await {
            Ok(Some(report)) => loss.measured(&control, &report),
            Ok(None) => return,
            Err(_) => loss.unknown(&control),
        };
        control.say(event).await;
    });
}

impl Control {
    /// The first report of the proxy after it put this plan, or a later one, in force; `None` at
    /// shutdown.
    async fn confirmed(&self, order: Order) -> Option<ProxyReport> {
        let mut news = self.parts.fleet.news();
        loop {
            if let Some(seen) = self.parts.fleet.proxy()
                && seen.report.applied >= order
            {
                return Some(seen.report);
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return None,
                changed = news.changed() => changed.ok()?,
            }
        }
    }
}

impl Loss {
    fn measured(&self, control: &Control, report: &ProxyReport) -> Event {
        let last_us = report
            .instances
            .iter()
            .filter(|it| it.instance.app() == &self.app.name && it.release == self.release)
            .filter(|it| it.track == Track::Canary)
            .map(|it| it.last_started_us)
            .max()
            .unwrap_or(0);
        let applied_us = control.parts.fleet.applied().borrow().at_us;
        let lag_us = last_us.saturating_sub(self.decided_us);
        #[expect(clippy::cast_precision_loss, reason = "a lag is far below 2^52 µs")]
        let lag_ms = lag_us as f64 / 1_000.0;
        let text = if lag_us == 0 {
            "no request reached the canary after the decision (lag 0 ms)".to_owned()
        } else {
            format!("the last request reached the canary {lag_ms:.1} ms after the decision")
        };
        let facts = serde_json::json!({
            "lag_ms": lag_ms,
            "decided_us": self.decided_us,
            "applied_us": applied_us,
            "last_request_us": last_us,
        });
        self.event(control, text, facts)
    }

    fn unknown(&self, control: &Control) -> Event {
        let text = "the proxy did not say when the canary got its last request".to_owned();
        self.event(control, text, serde_json::json!({ "decided_us": self.decided_us }))
    }

    fn event(&self, control: &Control, text: String, facts: serde_json::Value) -> Event {
        Event {
            rev: 0,
            at: control.clock().now(),
            app: Some(self.app.name.clone()),
            kind: EventKind::RolloutLag,
            subject: Subject::Rollout(self.release),
            cause: self.cause,
            actor: "toehold".into(),
            text,
            facts,
        }
    }
}
