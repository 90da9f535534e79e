//! Alerts: when something is used more than it should be, for longer than it may.
//!
//! What is raised stands in the app's document; the samples behind it live in memory and may be
//! lost, which clears nothing and raises nothing.

mod gauge;
mod quiet;
mod watch;

pub use gauge::{Change, Gauge};
pub(crate) use watch::clear;
pub use watch::{Gauges, watch};

use crate::model::{Alert, App, Goal, Track};

/// The alerts that are raised on an instance of the canary as it runs now, oldest first.
pub fn on_canary(app: &App) -> impl Iterator<Item = &Alert> {
    let release = app.rollout.as_ref().map(|rollout| rollout.release);
    app.alerts.iter().filter(move |alert| {
        alert.is_raised()
            && app.instances.iter().any(|instance| {
                instance.id == alert.instance
                    && instance.track == Track::Canary
                    && instance.goal == Goal::Run
                    && Some(instance.release) == release
            })
    })
}

#[cfg(test)]
mod tests;
