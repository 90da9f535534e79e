//! What Gitea and Forgejo say in a delivery. They send GitHub's headers too, and their own first.

use hyper::HeaderMap;
use serde::Deserialize;

use crate::source::webhook::field::{Moved, delivery_id, event, header, other, repository};
use crate::source::webhook::github::{CommitPart, PersonPart};
use crate::source::webhook::signature::{once, usable, verify_hex};
use crate::source::webhook::{
    Delivery, DeliveryError, DeliveryKind, Forge, WebhookRefusal, body, field,
};

/// Checks `X-Forgejo-Signature` or `X-Gitea-Signature`, which are the hex digits alone; else
/// `X-Hub-Signature-256`.
pub(super) fn verify(
    secrets: &[&str],
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), WebhookRefusal> {
    let secrets = usable(secrets, body)?;
    for name in ["x-forgejo-signature", "x-gitea-signature"] {
        if let Some(digits) = once(headers, name)? {
            return verify_hex(&secrets, body, digits);
        }
    }
    let Some(given) = once(headers, "x-hub-signature-256")? else {
        let sha1 = headers.contains_key("x-hub-signature");
        return Err(if sha1 { WebhookRefusal::Sha1Only } else { WebhookRefusal::Unsigned });
    };
    let digits = given.strip_prefix("sha256=").ok_or(WebhookRefusal::Malformed)?;
    verify_hex(&secrets, body, digits)
}

/// Reads a delivery of either.
pub(super) fn read(
    forge: Forge,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Delivery, DeliveryError> {
    let id = delivery_id(headers, &["x-forgejo-delivery", "x-gitea-delivery"])?;
    let of_forgejo = headers.contains_key("x-forgejo-event");
    let name = if of_forgejo { "x-forgejo-event" } else { "x-gitea-event" };
    let kind = match event(headers, name)? {
        "push" => push(forge, &body::json_of(header(headers, "content-type"), body)?)?,
        event => other(event),
    };
    Ok(Delivery::new(forge, id, vec![kind], body))
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "ref")]
    name: String,
    before: Option<String>,
    after: String,
    repository: RepositoryPart,
    head_commit: Option<CommitPart>,
}

#[derive(Deserialize)]
struct RepositoryPart {
    full_name: String,
}

fn push(forge: Forge, json: &str) -> Result<DeliveryKind, DeliveryError> {
    let payload: Payload = serde_json::from_str(json).map_err(|it| field::unreadable(&it))?;
    let full_name = &payload.repository.full_name;
    let repository = repository(forge, "repository.full_name", full_name)?;
    let head = payload.head_commit.as_ref();
    Moved {
        name: &payload.name,
        before: payload.before.as_deref(),
        after: &payload.after,
        message: head.map_or("", |it| it.message.as_str()),
        author: &head.and_then(|it| it.author.as_ref()).map(PersonPart::shown).unwrap_or_default(),
        ..Moved::default()
    }
    .read(repository)
}

#[cfg(test)]
mod tests;
