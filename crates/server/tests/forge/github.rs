//! GitHub, as its published description says: who may ask, what must be in a body, how long it may
//! be.

use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::double::{Asked, Double};

/// The token that may do everything but checks.
pub(crate) const TOKEN: &str = "ghp_sesame";

/// What the token of the App's installation begins with; each that is got is another.
const INSTALLATION: &str = "ghs_installation_";

#[derive(Default)]
struct Known {
    deployments: Vec<Value>,
    checks: Vec<Value>,
    /// How many tokens the installation got.
    tokens: usize,
}

/// Starts one; `key` is the App's public key.
pub(crate) async fn github(key: Vec<u8>) -> Double {
    let known = Mutex::new(Known::default());
    Double::start(move |asked| {
        let mut known = known.lock().expect("nobody panicked");
        match answer(&mut known, &key, asked) {
            Ok(answer) => answer,
            Err((status, why)) => (status, json!({ "message": why })),
        }
    })
    .await
}

type Answer = Result<(u16, Value), (u16, String)>;

fn need(holds: bool, status: u16, why: &str) -> Result<(), (u16, String)> {
    if holds { Ok(()) } else { Err((status, why.to_owned())) }
}

fn answer(known: &mut Known, key: &[u8], asked: &Asked) -> Answer {
    need(!asked.header("user-agent").is_empty(), 403, "Request forbidden by administrative rules")?;
    need(asked.header("accept") == "application/vnd.github+json", 415, "Unsupported media type")?;
    need(asked.header("x-github-api-version") == "2022-11-28", 400, "Unknown version")?;
    let bearer = asked.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
    if asked.path == "/app/installations/7/access_tokens" {
        need(
            asked.method == "POST" && is_signed(bearer, key),
            401,
            "A JSON web token could not be decoded",
        )?;
        known.tokens += 1;
        let token = format!("{INSTALLATION}{}", known.tokens);
        return Ok((201, json!({ "token": token, "expires_at": "2030-01-01T00:00:00Z" })));
    }
    let by_app = bearer == format!("{INSTALLATION}{}", known.tokens);
    need(by_app || bearer == TOKEN, 401, "Bad credentials")?;
    let path = asked.path.strip_prefix("/repos/acme/shop").ok_or((404, "Not Found".to_owned()))?;
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let body = &asked.body;
    match (asked.method.as_str(), parts.as_slice()) {
        ("POST", ["statuses", commit]) => {
            need(commit.len() == 40, 422, "No commit found for SHA")?;
            one_of(body, "state", &["error", "failure", "pending", "success"])?;
            let text = body["description"].as_str().unwrap_or_default();
            need(text.chars().count() <= 140, 422, "description is too long")?;
            Ok((201, json!({ "id": 1 })))
        }
        ("GET", ["deployments"]) => {
            let environment = query.split('&').find_map(|it| it.strip_prefix("environment="));
            let sha = query.split('&').find_map(|it| it.strip_prefix("sha="));
            let is = |it: &&Value| {
                it["sha"].as_str() == sha && it["environment"].as_str() == environment
            };
            Ok((200, known.deployments.iter().filter(is).cloned().collect()))
        }
        ("POST", ["deployments"]) => {
            let commit = body["ref"].as_str().unwrap_or_default();
            need(!commit.is_empty(), 422, "ref is required")?;
            need(
                body["required_contexts"] == json!([]),
                409,
                "Conflict: Commit status checks failed",
            )?;
            need(body["auto_merge"] == false, 202, "Auto-merged")?;
            let id = known.deployments.len() + 1;
            let made = json!({
                "id": id, "sha": commit, "environment": body["environment"], "payload": body["payload"],
            });
            known.deployments.push(made.clone());
            Ok((201, made))
        }
        ("POST", ["deployments", id, "statuses"]) => {
            let there = known.deployments.iter().any(|it| has_id(it, id));
            need(there, 404, "Not Found")?;
            let states =
                ["error", "failure", "inactive", "in_progress", "queued", "pending", "success"];
            one_of(body, "state", &states)?;
            Ok((201, json!({ "id": 1 })))
        }
        ("GET", ["commits", _, "check-runs"]) => {
            need(by_app, 403, "Resource not accessible by personal access token")?;
            Ok((200, json!({ "total_count": known.checks.len(), "check_runs": known.checks })))
        }
        ("POST", ["check-runs"]) | ("PATCH", ["check-runs", _]) => {
            need(by_app, 403, "You must authenticate via a GitHub App.")?;
            let annotations = body["output"]["annotations"].as_array().map_or(0, Vec::len);
            need(annotations <= 50, 422, "annotations: at most 50")?;
            need(
                body["output"]["title"].is_string() && body["output"]["summary"].is_string(),
                422,
                "output",
            )?;
            one_of(body, "conclusion", &["success", "failure", "neutral"])?;
            for it in body["output"]["annotations"].as_array().into_iter().flatten() {
                one_of(it, "annotation_level", &["notice", "warning", "failure"])?;
                need(
                    it["path"].is_string() && it["start_line"].is_u64() && it["end_line"].is_u64(),
                    422,
                    "annotation",
                )?;
            }
            if let ["check-runs", id] = parts.as_slice() {
                let found = known.checks.iter_mut().find(|it| has_id(it, id));
                let found = found.ok_or((404, "Not Found".to_owned()))?;
                let count = found["output"]["annotations_count"].as_u64().unwrap_or(0);
                found["output"]["annotations_count"] = json!(count + annotations as u64);
                return Ok((200, found.clone()));
            }
            need(body["head_sha"].as_str().is_some_and(|it| it.len() == 40), 422, "head_sha")?;
            need(body["name"].is_string(), 422, "name")?;
            let made = json!({
                "id": known.checks.len() + 1, "external_id": body["external_id"],
                "output": { "annotations_count": annotations },
            });
            known.checks.push(made.clone());
            Ok((201, made))
        }
        _ => Err((404, "Not Found".to_owned())),
    }
}

fn has_id(it: &Value, id: &str) -> bool {
    it["id"].as_u64() == id.parse().ok()
}

fn one_of(body: &Value, field: &str, allowed: &[&str]) -> Result<(), (u16, String)> {
    let given = body[field].as_str().unwrap_or_default();
    need(allowed.contains(&given), 422, &format!("{field} is not in the list"))
}

/// Whether a JSON web token is one of App 42, signed by its key, and lasts no longer than allowed.
fn is_signed(token: &str, key: &[u8]) -> bool {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let Some((text, signature)) = token.rsplit_once('.') else { return false };
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
    let claims = text.split_once('.').map(|(_, claims)| decode(claims)).unwrap_or_default();
    let claims: Value = serde_json::from_slice(&claims).unwrap_or(Value::Null);
    let (from, to) = (claims["iat"].as_u64().unwrap_or(0), claims["exp"].as_u64().unwrap_or(0));
    key.verify(text.as_bytes(), &decode(signature)).is_ok()
        && claims["iss"] == "42"
        && to > from
        && to - from <= 600
}
