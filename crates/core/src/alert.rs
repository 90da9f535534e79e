//! Alerts: when something is used more than it should be, for longer than it may.
//!
//! What is raised stands in the app's document; the samples behind it live in memory and may be
//! lost, which clears nothing and raises nothing.

mod gauge;
mod outside;
mod quiet;
mod watch;

pub use gauge::{Change, Gauge};
pub(crate) use outside::{over, raise as raise_outside};
pub(crate) use watch::clear;
pub use watch::{Gauges, watch};

use crate::model::{Alert, App, Basis, Goal, Track};

/// The alerts that are raised on the canary as it runs now, oldest first: on one of its instances,
/// or told of it from outside.
pub fn on_canary(app: &App) -> impl Iterator<Item = &Alert> {
    let release = app.rollout.as_ref().map(|rollout| rollout.release);
    app.alerts.iter().filter(move |alert| match &alert.basis {
        _ if !alert.is_raised() => false,
        Basis::Measured(measured) => app.instances.iter().any(|instance| {
            instance.id == measured.instance
                && instance.track == Track::Canary
                && instance.goal == Goal::Run
                && Some(instance.release) == release
        }),
        Basis::Outside(_) => alert.track == Track::Canary && app.canary() == Some(alert.release),
    })
}

#[cfg(test)]
mod tests;
