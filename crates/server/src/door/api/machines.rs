//! Machines: what they are, and what is wished of them.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use serde::{Deserialize, Serialize};
use toehold_core::model::{AppName, MachineGoal, MachineName};
use toehold_core::wire::api::{Done, HostKey, MachineView};

use crate::control::{AddError, NewMachine};
use crate::door::Door;
use crate::door::caller::Caller;
use crate::door::extract::{Asked, At, Sent};
use crate::door::problem::Unable;

/// `POST /api/v1/machines/host-key`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whose {
    host: String,
    port: u16,
}

/// `POST /api/v1/machines/{machine}/goal`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewGoal {
    goal: MachineGoal,
}

/// `POST /api/v1/machines/{machine}/configure`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Configure {
    /// Whose playbook; each that was run there where absent.
    #[serde(default)]
    app: Option<AppName>,
}

/// `GET /api/v1/machines/{machine}/playbook`.
#[derive(Deserialize)]
pub(crate) struct WhosePlaybook {
    app: Option<AppName>,
}

/// What a playbook printed.
#[derive(Serialize)]
pub(crate) struct Printed {
    /// `None` where none was run, or its output is not kept any more.
    text: Option<String>,
}

/// A join token that was just made: the only time it is shown.
#[derive(Serialize)]
pub(crate) struct MadeToken {
    token: String,
    /// Where the new machine dials.
    control: Option<String>,
}

/// The public half of the key Toehold logs in with.
#[derive(Serialize)]
pub(crate) struct SshKey {
    key: String,
}

pub(crate) async fn list(State(door): State<Door>) -> Json<Vec<MachineView>> {
    Json(door.control.machine_views())
}

pub(crate) async fn inventory(State(door): State<Door>) -> Result<Json<serde_json::Value>, Unable> {
    Ok(Json(door.control.inventory().await?))
}

pub(crate) async fn add(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Sent(new): Sent<NewMachine>,
) -> Result<(StatusCode, Json<Done>), Unable> {
    let done = door.control.add_machine(new, caller.actor()).await?;
    Ok((StatusCode::CREATED, Json(done)))
}

pub(crate) async fn host_key(
    State(door): State<Door>,
    Sent(whose): Sent<Whose>,
) -> Result<Json<HostKey>, Unable> {
    Ok(Json(door.control.host_key(&whose.host, whose.port).await?))
}

pub(crate) async fn set_goal(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(machine): At<MachineName>,
    Sent(new): Sent<NewGoal>,
) -> Result<Json<Done>, Unable> {
    Ok(Json(door.control.set_machine(&machine, new.goal, caller.actor()).await?))
}

pub(crate) async fn configure(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(machine): At<MachineName>,
    Sent(new): Sent<Configure>,
) -> Result<Json<Done>, Unable> {
    let (app, actor) = (new.app.as_ref(), caller.actor());
    Ok(Json(door.control.configure_machine(&machine, app, actor).await?))
}

pub(crate) async fn playbook(
    State(door): State<Door>,
    At(machine): At<MachineName>,
    Asked(whose): Asked<WhosePlaybook>,
) -> Result<Json<Printed>, Unable> {
    let text = door.control.playbook_output(&machine, whose.app.as_ref())?;
    Ok(Json(Printed { text }))
}

pub(crate) async fn token(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(machine): At<MachineName>,
) -> Result<([(HeaderName, &'static str); 1], Json<MadeToken>), Unable> {
    let token = door.control.machine_token(&machine, caller.actor()).await?;
    let control = door.control.settings().machines.control();
    let made = MadeToken { token: token.reveal().to_owned(), control };
    Ok(([(CACHE_CONTROL, "no-store")], Json(made)))
}

pub(crate) async fn ssh_key(State(door): State<Door>) -> Result<Json<SshKey>, Unable> {
    Ok(Json(SshKey { key: door.control.ssh_public_key().await? }))
}

impl From<AddError> for Unable {
    fn from(error: AddError) -> Self {
        match error {
            AddError::Control(error) => error.into(),
            AddError::Taken(_) => {
                Self::new(StatusCode::CONFLICT, "machine_exists", error.to_string())
                    .hint("toehold machines ls")
            }
            AddError::NotListening => {
                Self::new(StatusCode::CONFLICT, "not_listening", error.to_string())
            }
            AddError::Unfit(_) | AddError::Key(_) => {
                Self::bad_request("machine_unusable", error.to_string())
            }
        }
    }
}
