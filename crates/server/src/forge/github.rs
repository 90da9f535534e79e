//! What only GitHub has: deployments, and checks with findings at their lines. Each is looked for
//! before it is made, so that a report that was cut off in the middle makes no second one.

use hyper::Method;
use serde_json::{Value, json};
use toehold_core::model::Track;
use toehold_core::time::Timestamp;

use crate::forge::answer::Unsent;
use crate::forge::client::{By, Client};
use crate::forge::dialect::cut;
use crate::forge::report::Waiting;
use crate::forge::{Check, Conclusion, Context, Deployment, Stage};

/// The most findings of one call.
const PER_CALL: usize = 50;

/// Says how far a deployment is; makes it where GitHub does not know it yet.
pub(super) async fn deployment(
    client: &Client,
    waiting: &Waiting,
    deployment: &Deployment,
    now: Timestamp,
) -> Result<(), Unsent> {
    let repository = &client.place.repository;
    let environment = match deployment.track {
        Track::Stable => "production",
        Track::Canary => "canary",
    };
    // A deployment ends those before it in its environment: each app has its own.
    let environment = if waiting.has_several {
        format!("{environment}-{}", waiting.app)
    } else {
        environment.to_owned()
    };
    let list =
        format!("/repos/{repository}/deployments?sha={}&environment={environment}", waiting.commit);
    let known = client.call((Method::GET, &list), None, (By::Either, now)).await?;
    let id = if let Some(id) = found(&known, &waiting.name()) {
        id
    } else {
        let body = json!({
            "ref": waiting.commit, "task": "deploy", "auto_merge": false,
            "required_contexts": [], "environment": environment,
            "description": cut(&deployment.text), "payload": { "toehold": waiting.name() },
            "production_environment": deployment.track == Track::Stable,
        });
        let path = format!("/repos/{repository}/deployments");
        let made = client.call((Method::POST, &path), Some(&body), (By::Either, now)).await?;
        made["id"].as_u64().ok_or_else(|| Unsent::Away("the deployment has no id".to_owned()))?
    };
    let state = match deployment.stage {
        Stage::InProgress => "in_progress",
        Stage::Success => "success",
        Stage::Failure => "failure",
    };
    let mut body = json!({
        "state": state, "description": cut(&deployment.text), "environment": environment,
    });
    if let Some(link) = &waiting.link {
        body["log_url"] = link.as_str().into();
    }
    if let Some(site) = &deployment.site {
        body["environment_url"] = site.as_str().into();
    }
    let path = format!("/repos/{repository}/deployments/{id}/statuses");
    client.call((Method::POST, &path), Some(&body), (By::Either, now)).await?;
    Ok(())
}

/// The id of the deployment that is ours; its payload comes back as it was sent, or as a text.
fn found(list: &Value, name: &str) -> Option<u64> {
    list.as_array()?.iter().find_map(|it| {
        let payload = match &it["payload"] {
            Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            other => other.clone(),
        };
        if payload["toehold"] == name { it["id"].as_u64() } else { None }
    })
}

/// Says how a check ended, with its findings, fifty at a time.
pub(super) async fn check(
    client: &Client,
    waiting: &Waiting,
    check: &Check,
    now: Timestamp,
) -> Result<(), Unsent> {
    let repository = &client.place.repository;
    let name = waiting.title(Context::Lint);
    let list = format!(
        "/repos/{repository}/commits/{}/check-runs?check_name={}",
        waiting.commit,
        name.replace('/', "%2F")
    );
    let known = client.call((Method::GET, &list), None, (By::App, now)).await?;
    let runs = known["check_runs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours = runs.iter().find(|it| it["external_id"] == waiting.name());
    let told = ours.and_then(|it| it["output"]["annotations_count"].as_u64()).unwrap_or(0);
    let mut id = ours.and_then(|it| it["id"].as_u64());
    let told = usize::try_from(told).unwrap_or(usize::MAX).min(check.annotations.len());
    let left = &check.annotations[told..];
    // Also where there is nothing to be found, it is said how it ended.
    let pieces = left.chunks(PER_CALL).chain(left.is_empty().then_some(&[][..]));
    for piece in pieces {
        let annotations: Vec<Value> = piece
            .iter()
            .map(|it| {
                json!({
                    "path": it.path, "start_line": it.line, "end_line": it.line,
                    "annotation_level": it.level, "message": it.message, "title": it.title,
                })
            })
            .collect();
        let mut body = json!({
            "name": name, "status": "completed",
            "conclusion": match check.conclusion {
                Conclusion::Success => "success",
                Conclusion::Failure => "failure",
            },
            "external_id": waiting.name(),
            "output": { "title": cut(&check.title), "summary": check.title, "annotations": annotations },
        });
        if let Some(link) = &waiting.link {
            body["details_url"] = link.as_str().into();
        }
        if let Some(id) = id {
            let path = format!("/repos/{repository}/check-runs/{id}");
            client.call((Method::PATCH, &path), Some(&body), (By::App, now)).await?;
        } else {
            body["head_sha"] = waiting.commit.as_str().into();
            let path = format!("/repos/{repository}/check-runs");
            let made = client.call((Method::POST, &path), Some(&body), (By::App, now)).await?;
            id = made["id"].as_u64();
        }
    }
    Ok(())
}
