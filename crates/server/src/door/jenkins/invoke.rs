//! The address of the Generic Webhook Trigger plugin: a webhook that woke a job of Jenkins asks for
//! a build here, and brings its token as it did there.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, FromRequest, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use toehold_core::model::{AppName, BranchName, CommitId, Track};
use toehold_core::wire::api::DeployRequest;

use super::Root;
use crate::control::ControlError;
use crate::door::Door;
use crate::door::caller::{Caller, Peer};
use crate::door::extract::{Asked, Raw};
use crate::door::origin::meant;
use crate::door::problem::Unable;
use crate::door::routes::Need;

/// The plugin's own header for the token.
const TOKEN: HeaderName = HeaderName::from_static("token");

/// What stands behind the `?`.
#[derive(Deserialize)]
pub(crate) struct Said {
    token: Option<String>,
    app: Option<AppName>,
    track: Option<Track>,
    branch: Option<BranchName>,
    commit: Option<CommitId>,
}

/// What a forge's push says in the body of an old webhook.
#[derive(Default, Deserialize)]
struct Pushed {
    #[serde(rename = "ref")]
    reference: Option<String>,
    after: Option<String>,
}

pub(crate) async fn invoke(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    Asked(said): Asked<Said>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Unable> {
    let headers = request.headers().clone();
    let Some(token) = said.token.as_deref().or_else(|| token_of(&headers)) else {
        return Err(Unable::unknown_caller(
            "this needs a token: ?token=, the header token, or Bearer",
        ));
    };
    let caller = Caller::by_token(&door, peer, token).await?;
    let app = meant(&door, &caller, Need::Deploy, said.app.clone()).await?;
    let Raw(body) = Raw::from_request(request, &()).await?;
    let wanted = match wanted(said, &body) {
        Ok(wanted) => wanted,
        Err(why) => return Ok(passed_over(&app, &why)),
    };
    let number = match door.control.deploy_numbered(&app, &wanted, caller.actor()).await {
        Ok((_, number)) => number,
        Err(ControlError::Unmapped(unmapped)) => {
            return Ok(passed_over(&app, &unmapped.to_string()));
        }
        Err(error) => return Err(error.into()),
    };
    let id = door.control.build(&app, number).await?.cause;
    let Root(root) = Root::of(&door, peer, &headers);
    let url = id.map(|id| format!("{root}queue/item/{id}/"));
    let job = json!({ "triggered": true, "id": id, "url": url, "resolvedVariables": {} });
    Ok((StatusCode::OK, answer(&app, job, "Triggered jobs.")))
}

fn token_of(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &HeaderName| headers.get(name).and_then(|it| it.to_str().ok());
    let bearer = text(&AUTHORIZATION).and_then(|it| it.split_once(' '));
    let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    text(&TOKEN).or_else(|| bearer.map(|(_, token)| token.trim()))
}

/// Nothing is built, and the plugin's caller is not told that something went wrong: a forge would
/// switch its webhook off after a few pushes to branches that concern nobody here.
fn passed_over(app: &AppName, why: &str) -> (StatusCode, Json<Value>) {
    let job = json!({ "triggered": false, "id": null, "url": null, "resolvedVariables": {} });
    (StatusCode::OK, answer(app, job, &format!("Nothing is built: {why}")))
}

fn answer(app: &AppName, job: Value, message: &str) -> Json<Value> {
    let jobs = Map::from_iter([(app.to_string(), job)]);
    Json(json!({ "jobs": jobs, "message": message }))
}

/// What is to be built: what the address says, else what a push in the body says; else why nothing
/// is.
fn wanted(said: Said, body: &Bytes) -> Result<DeployRequest, String> {
    let pushed: Pushed = serde_json::from_slice(body).unwrap_or_default();
    let Said { track, mut branch, mut commit, .. } = said;
    if let (None, None, Some(reference)) = (&branch, &commit, &pushed.reference) {
        let name: String = reference.chars().take(100).collect();
        let Some(of_push) = reference.strip_prefix("refs/heads/") else {
            return Err(format!("{name:?} is no branch"));
        };
        branch = Some(of_push.parse().map_err(|error| format!("{error}"))?);
        let after = pushed.after.as_deref().unwrap_or_default();
        if !after.is_empty() && after.bytes().all(|byte| byte == b'0') {
            return Err(format!("{name} was deleted: what runs goes on"));
        }
        commit = after.parse().ok();
    }
    Ok(DeployRequest { track, branch, commit, ..DeployRequest::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(said: Said, body: &str) -> Result<DeployRequest, String> {
        wanted(said, &Bytes::copy_from_slice(body.as_bytes()))
    }

    const NOTHING: Said = Said { token: None, app: None, track: None, branch: None, commit: None };

    #[test]
    fn a_push_in_the_body_names_its_branch_and_its_commit() {
        let commit = "8c1f2abddddddddddddddddddddddddddddddddd";
        let body = format!("{{\"ref\":\"refs/heads/feature/a\",\"after\":\"{commit}\"}}");
        let found = read(NOTHING, &body).expect("it is a push");
        assert_eq!(found.branch.map(|it| it.to_string()), Some("feature/a".into()));
        assert_eq!(found.commit.map(|it| it.to_string()), Some(commit.into()));
        for body in ["", "not JSON", "[]", "{\"ref\":7}", "{\"action\":\"opened\"}"] {
            assert_eq!(read(NOTHING, body), Ok(DeployRequest::default()), "{body}");
        }
    }

    #[test]
    fn a_tag_and_a_deletion_build_nothing() {
        let tag = read(NOTHING, "{\"ref\":\"refs/tags/v1\"}");
        assert!(tag.expect_err("a tag").contains("no branch"));
        let gone = format!("{{\"ref\":\"refs/heads/main\",\"after\":\"{}\"}}", "0".repeat(40));
        assert!(read(NOTHING, &gone).expect_err("it is gone").contains("deleted"));
        assert!(read(NOTHING, "{\"ref\":\"refs/heads/--upload-pack=x\"}").is_err());
    }

    #[test]
    fn what_the_address_says_counts_more_than_the_body() {
        let said = Said { branch: Some("main".parse().expect("a branch")), ..NOTHING };
        let found = read(said, "{\"ref\":\"refs/tags/v1\"}").expect("the address says it");
        assert_eq!(found.branch.map(|it| it.to_string()), Some("main".into()));
    }
}
