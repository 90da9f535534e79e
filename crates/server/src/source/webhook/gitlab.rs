//! What GitLab says in a delivery.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use serde::Deserialize;
use toehold_core::time::Timestamp;

use crate::source::webhook::field::{Moved, delivery_id, event, header, other, person, repository};
use crate::source::webhook::signature::{any_is, any_signs, once, usable};
use crate::source::webhook::{
    Delivery, DeliveryError, DeliveryKind, Forge, WebhookRefusal, body, field,
};

/// How far the time a delivery was signed at may lie from ours.
const AGE: Duration = Duration::from_mins(5);

/// Checks `X-Gitlab-Token`, which is the secret itself, or `webhook-signature`, which signs id,
/// time and body: whichever GitLab was told to send.
pub(super) fn verify(
    secrets: &[&str],
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), WebhookRefusal> {
    let secrets = usable(secrets, body)?;
    let token = once(headers, "x-gitlab-token")?;
    let signature = once(headers, "webhook-signature")?;
    if token.is_some_and(|token| any_is(&secrets, token)) {
        return Ok(());
    }
    match signature {
        Some(signature) => verify_signed(&secrets, headers, body, signature, now),
        None if token.is_some() => Err(WebhookRefusal::Mismatch),
        None => Err(WebhookRefusal::Unsigned),
    }
}

fn verify_signed(
    secrets: &[&str],
    headers: &HeaderMap,
    body: &[u8],
    signatures: &str,
    now: Timestamp,
) -> Result<(), WebhookRefusal> {
    let needed = |name| once(headers, name)?.ok_or(WebhookRefusal::Malformed);
    let (id, at) = (needed("webhook-id")?, needed("webhook-timestamp")?);
    let seconds: u64 = at.parse().map_err(|_| WebhookRefusal::Malformed)?;
    let keys: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| keys_of(secret)).collect();
    let pieces = [id.as_bytes(), b".", at.as_bytes(), b".", body];
    let (mut fits, mut read) = (false, false);
    for given in signatures.split(' ').filter_map(|it| it.strip_prefix("v1,")).take(8) {
        let Ok(given) = STANDARD.decode(given) else { continue };
        read = true;
        fits |= any_signs(keys.iter().map(Vec::as_slice), &pieces, &given);
    }
    if !read {
        return Err(WebhookRefusal::Malformed);
    }
    if !fits {
        return Err(WebhookRefusal::Mismatch);
    }
    let at = Timestamp::from_ms(seconds.saturating_mul(1_000));
    if now.since(at) > AGE || at.since(now) > AGE { Err(WebhookRefusal::Stale) } else { Ok(()) }
}

/// The keys a secret may stand for: the text itself, and what it says in base64, where it does.
fn keys_of(secret: &str) -> Vec<Vec<u8>> {
    let bare = secret.strip_prefix("whsec_").unwrap_or(secret);
    let mut keys = vec![secret.as_bytes().to_vec()];
    keys.extend(STANDARD.decode(bare));
    keys
}

/// Reads a delivery.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Delivery, DeliveryError> {
    let id = delivery_id(headers, &["webhook-id", "idempotency-key", "x-gitlab-event-uuid"])?;
    let kind = match event(headers, "x-gitlab-event")? {
        "Push Hook" | "Tag Push Hook" => {
            push(&body::json_of(header(headers, "content-type"), body)?)?
        }
        event => other(event),
    };
    let delivery = Delivery::new(Forge::Gitlab, id, vec![kind], body);
    // Nothing in it is new each time, so that the same words may rightly come twice; what is signed
    // has its time and its id.
    Ok(Delivery { body: None, ..delivery })
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "ref")]
    name: String,
    before: Option<String>,
    after: String,
    project: ProjectPart,
    #[serde(default)]
    commits: Vec<CommitPart>,
}

#[derive(Deserialize)]
struct ProjectPart {
    path_with_namespace: String,
}

#[derive(Deserialize)]
struct CommitPart {
    id: String,
    #[serde(default)]
    message: String,
    author: Option<PersonPart>,
}

#[derive(Deserialize)]
struct PersonPart {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
}

fn push(json: &str) -> Result<DeliveryKind, DeliveryError> {
    let payload: Payload = serde_json::from_str(json).map_err(|it| field::unreadable(&it))?;
    let path = &payload.project.path_with_namespace;
    let repository = repository(Forge::Gitlab, "project.path_with_namespace", path)?;
    let head = payload.commits.iter().find(|commit| commit.id == payload.after);
    let author = head.and_then(|it| it.author.as_ref());
    Moved {
        name: &payload.name,
        before: payload.before.as_deref(),
        after: &payload.after,
        message: head.map_or("", |it| it.message.as_str()),
        author: &author.map(|it| person(&it.name, &it.email)).unwrap_or_default(),
        ..Moved::default()
    }
    .read(repository)
}

#[cfg(test)]
mod tests;
