//! A build that is asked for as Jenkins is asked: by parameters in the address or in a form, and
//! answered with the place in the queue where its number will stand.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Extension, FromRequest, RawQuery, Request, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use toehold_core::model::{AppName, Track};
use toehold_core::wire::api::DeployRequest;

use super::Root;
use crate::door::Door;
use crate::door::caller::{Caller, Peer};
use crate::door::extract::{At, Raw};
use crate::door::problem::Unable;

/// What Jenkins takes beside a job's own parameters, and what means nothing here.
const OF_JENKINS: [&str; 5] = ["token", "cause", "delay", "json", "statusCode"];

pub(crate) async fn build(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    At(app): At<AppName>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<impl IntoResponse, Unable> {
    let headers = request.headers().clone();
    let Raw(body) = Raw::from_request(request, &()).await?;
    let mut said = fields(query.as_deref().unwrap_or_default())?;
    if is_form(&headers) {
        said.append(&mut form(&body)?);
    }
    let wanted = wanted(said)?;
    let (_, number) = door.control.deploy_numbered(&app, &wanted, caller.actor()).await?;
    let Some(item) = door.control.build(&app, number).await?.cause else {
        let title = format!("{app} is built, and what asked for it is not kept any more");
        return Err(Unable::new(StatusCode::CONFLICT, "no_queue_item", title)
            .hint("ask for the job: its `lastBuild` is the one"));
    };
    let Root(root) = Root::of(&door, peer, &headers);
    Ok((StatusCode::CREATED, [(LOCATION, format!("{root}queue/item/{item}/"))]))
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/x-www-form-urlencoded")
}

fn form(body: &Bytes) -> Result<BTreeMap<String, String>, Unable> {
    let text = std::str::from_utf8(body);
    fields(text.map_err(|_| Unable::bad_request("form_unreadable", "the form is not text"))?)
}

fn fields(text: &str) -> Result<BTreeMap<String, String>, Unable> {
    let uri = format!("/?{text}");
    let uri = uri.parse::<axum::http::Uri>();
    let read = uri
        .ok()
        .and_then(|uri| axum::extract::Query::<BTreeMap<String, String>>::try_from_uri(&uri).ok());
    let read = read.map(|axum::extract::Query(fields)| fields);
    read.ok_or_else(|| Unable::bad_request("query_unreadable", "the parameters cannot be read"))
}

/// What is to be built. A parameter that nobody here knows would be obeyed by nobody, so it is
/// refused.
fn wanted(said: BTreeMap<String, String>) -> Result<DeployRequest, Unable> {
    let mut wanted = DeployRequest::default();
    for (name, value) in said {
        let value = value.trim();
        let unusable = |why: String| Unable::bad_request("parameter_unusable", why);
        match name.to_ascii_lowercase().as_str() {
            _ if value.is_empty() || OF_JENKINS.contains(&name.as_str()) => {}
            "track" => {
                wanted.track = Some(match value {
                    "stable" => Track::Stable,
                    "canary" => Track::Canary,
                    other => return Err(unusable(format!("{other:?} is no track"))),
                });
            }
            "branch" => {
                wanted.branch = Some(value.parse().map_err(|error| unusable(format!("{error}")))?);
            }
            "commit" => {
                wanted.commit = Some(value.parse().map_err(|error| unusable(format!("{error}")))?);
            }
            other => {
                let why = format!("a build has no parameter {other:?}");
                return Err(unusable(why).hint("leave it out, or use track, branch or commit"));
            }
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_asked_for_by_parameters() {
        let read = |text| fields(text).and_then(wanted).map_err(|it| it.problem().title.clone());
        assert_eq!(read("").expect("none"), DeployRequest::default());
        let canary = read("TRACK=canary&branch=feature%2Fa&token=x&delay=0sec").expect("known");
        assert_eq!(canary.track, Some(Track::Canary));
        assert_eq!(canary.branch.map(|it| it.to_string()), Some("feature/a".into()));
        assert_eq!(read("VERSION=1"), Err("a build has no parameter \"version\"".into()));
        assert_eq!(read("track=blue"), Err("\"blue\" is no track".into()));
        assert!(read("commit=--all").is_err());
    }
}
