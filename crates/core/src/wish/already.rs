//! What to say where a wish changed nothing.

use super::Wish;
use crate::model::{App, Track};

/// One sentence for a wish that was granted without an event, because it is already so.
#[must_use]
pub fn already(app: &App, wish: &Wish) -> String {
    let canary = app.rollout.as_ref().map_or_else(
        || "there is no canary".to_owned(),
        |rollout| format!("canary {} is {} already", rollout.release, rollout.phase.as_str()),
    );
    let said = match wish {
        Wish::Deploy { release, track: Track::Stable, .. } => {
            if app.serving() == Some(*release) {
                format!("release {release} serves everyone already")
            } else {
                format!("release {release} is coming up already")
            }
        }
        Wish::Deploy { .. }
        | Wish::Promote
        | Wish::Abort
        | Wish::Pause
        | Wish::Resume
        | Wish::Retry => canary,
        Wish::SetSplit { split } => format!("the canary's share is {split} already"),
        Wish::Rollback { .. } => match &app.pin {
            Some(pin) => format!("{} went back to {} already", pin.by, pin.release),
            None => "it is so already".to_owned(),
        },
        Wish::Unpin => "pushes are deployed already".to_owned(),
        Wish::ScaleTo { count } => format!("it is at {count} already"),
        Wish::ScaleAuto => "it follows the load already".to_owned(),
        Wish::ScaleFreeze => format!("it stays at {} already", app.scale.wanted),
        Wish::AckAlert { alert } => format!("alert/{alert} was seen already"),
        Wish::SilenceAlert { alert, .. } => format!("alert/{alert} is silent already"),
        Wish::ClearAlert { alert } => format!("alert/{alert} is over already"),
    };
    format!("nothing to do: {said}")
}
