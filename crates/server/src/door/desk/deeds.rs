//! What the forms of a page do. Each ends where it began, on the page of the app.

use axum::extract::{Extension, State};
use axum::response::Redirect;
use serde::Deserialize;
use toehold_core::model::{AppName, Number};
use toehold_core::wish::Wish;

use crate::door::Door;
use crate::door::api::flags::turn;
use crate::door::caller::Caller;
use crate::door::extract::{At, Filled};
use crate::door::problem::Unable;

/// For how many hours the button silences.
const SILENCE: u32 = 4;

/// A button.
#[derive(Deserialize)]
pub(crate) struct Deed {
    wish: String,
    release: Option<Number>,
    alert: Option<u64>,
}

/// A switch.
#[derive(Deserialize)]
pub(crate) struct Switch {
    key: String,
    value: bool,
}

impl Deed {
    fn wish(&self) -> Option<Wish> {
        match (self.wish.as_str(), self.release, self.alert) {
            ("promote", ..) => Some(Wish::Promote),
            ("abort", ..) => Some(Wish::Abort),
            ("pause", ..) => Some(Wish::Pause),
            ("resume", ..) => Some(Wish::Resume),
            ("retry", ..) => Some(Wish::Retry),
            ("unpin", ..) => Some(Wish::Unpin),
            // A page names the release it shows: what is gone back to is what was read.
            ("rollback", Some(to), _) => Some(Wish::Rollback { to: Some(to) }),
            ("ack_alert", _, Some(alert)) => Some(Wish::AckAlert { alert }),
            ("silence_alert", _, Some(alert)) => Some(Wish::SilenceAlert { alert, hours: SILENCE }),
            ("clear_alert", _, Some(alert)) => Some(Wish::ClearAlert { alert }),
            _ => None,
        }
    }
}

pub(crate) async fn wish(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(app): At<AppName>,
    Filled(deed): Filled<Deed>,
) -> Result<Redirect, Unable> {
    let wish = deed
        .wish()
        .ok_or_else(|| Unable::bad_request("form_unreadable", "the page has no such button"))?;
    door.control.wish(&app, &wish, caller.actor()).await?;
    Ok(Redirect::to(&format!("/apps/{app}")))
}

pub(crate) async fn flag(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(app): At<AppName>,
    Filled(Switch { key, value }): Filled<Switch>,
) -> Result<Redirect, Unable> {
    turn(&door, &app, &key, Some(value), &caller).await?;
    Ok(Redirect::to(&format!("/apps/{app}#flags")))
}

pub(crate) async fn cancel(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At((app, number)): At<(AppName, Number)>,
) -> Result<Redirect, Unable> {
    door.control.cancel(&app, number, caller.actor()).await?;
    Ok(Redirect::to(&format!("/apps/{app}/builds/{}", number.0)))
}
