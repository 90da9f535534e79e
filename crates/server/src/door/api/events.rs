//! What happened, and what led to it.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use toehold_core::model::{AppName, Event, Subject};
use toehold_core::why::Link;

use crate::control::Span;
use crate::door::Door;
use crate::door::extract::{Asked, At};
use crate::door::problem::Unable;
use crate::door::subject;

/// How many events an answer has where nobody says.
const LIMIT: usize = 100;

/// Which events.
#[derive(Deserialize)]
pub(crate) struct Which {
    after: Option<u64>,
    limit: Option<usize>,
}

/// What is asked about.
#[derive(Deserialize)]
pub(crate) struct Of {
    of: String,
}

impl Which {
    fn span(&self) -> (Span, usize) {
        let span = self.after.map_or(Span::Last, Span::After);
        (span, self.limit.unwrap_or(LIMIT))
    }
}

pub(crate) async fn of_app(
    State(door): State<Door>,
    At(app): At<AppName>,
    Asked(which): Asked<Which>,
) -> Result<Json<Vec<Event>>, Unable> {
    door.control.view(&app).await?;
    let (span, limit) = which.span();
    Ok(Json(door.control.events(Some(&app), span, limit).await?))
}

pub(crate) async fn of_all(
    State(door): State<Door>,
    Asked(which): Asked<Which>,
) -> Result<Json<Vec<Event>>, Unable> {
    let (span, limit) = which.span();
    Ok(Json(door.control.events(None, span, limit).await?))
}

pub(crate) async fn why(
    State(door): State<Door>,
    At(app): At<AppName>,
    Asked(Of { of }): Asked<Of>,
) -> Result<Json<Vec<Link>>, Unable> {
    let subject = asked_about(&door, &app, &of).await?;
    Ok(Json(door.control.why(&app, &subject).await?))
}

/// What `of` names in an app.
pub(crate) async fn asked_about(door: &Door, app: &AppName, of: &str) -> Result<Subject, Unable> {
    let view = door.control.view(app).await?;
    let canary = view.rollout.map(|rollout| rollout.release);
    subject::parse(of, app, canary).ok_or_else(|| {
        let of: String = of.chars().take(80).collect();
        let title = match of.as_str() {
            "rollout" | "canary" => format!("{app} has had no canary yet"),
            _ => format!("{of:?} is nothing that has a story"),
        };
        Unable::bad_request("subject_unreadable", title)
            .hint("ask of #42, web.3, rollout, alert/2 or flag/NAME")
    })
}
