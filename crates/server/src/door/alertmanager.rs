//! What an Alertmanager calls with: a token, and alerts in its own form.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;

use super::Door;
use super::caller::Caller;
use super::extract::Sent;
use super::problem::Unable;
use crate::alertmanager::Received;
use crate::control::TakenIn;
use crate::secret::{Apps, Scope};

/// What nothing can come of is taken all the same: Alertmanager would send it for ever.
pub(crate) async fn receive(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Sent(received): Sent<Received>,
) -> Result<Json<TakenIn>, Unable> {
    let wrong =
        |why| Unable::bad_request("body_unreadable", format!("the body cannot be used: {why}"));
    let alerts = received.alerts().map_err(wrong)?;
    let may = |app: &_| {
        let apps = Apps::One(Clone::clone(app));
        caller.principal.may(&Scope::Alert(apps))
    };
    let taken = door.control.take_in_alerts(alerts, caller.actor(), may).await?;
    let nothing = taken.raised + taken.cleared + taken.known + taken.passed_over.len() == 0;
    match taken.forbidden.first().filter(|_| nothing) {
        None => Ok(Json(taken)),
        Some(app) => {
            let actor = caller.actor();
            let title = format!("{actor:?} may not do this: it needs the scope alert:{app}");
            Err(Unable::new(StatusCode::FORBIDDEN, "scope_missing", title)
                .hint(format!("toehold tokens create NAME --scope alert:{app}")))
        }
    }
}
