//! What GitHub says in a delivery.

use hyper::HeaderMap;
use serde::Deserialize;

use crate::source::webhook::field::{Moved, delivery_id, event, header, other, person, repository};
use crate::source::webhook::signature::{once, usable, verify_hex};
use crate::source::webhook::{
    Delivery, DeliveryError, DeliveryKind, Forge, WebhookRefusal, body, field,
};

/// Checks `X-Hub-Signature-256`.
pub(super) fn verify(
    secrets: &[&str],
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), WebhookRefusal> {
    let secrets = usable(secrets, body)?;
    let Some(given) = once(headers, "x-hub-signature-256")? else {
        let sha1 = headers.contains_key("x-hub-signature");
        return Err(if sha1 { WebhookRefusal::Sha1Only } else { WebhookRefusal::Unsigned });
    };
    let digits = given.strip_prefix("sha256=").ok_or(WebhookRefusal::Malformed)?;
    verify_hex(&secrets, body, digits)
}

/// Who sends GitHub's headers beside its own.
pub(super) fn imitated_by(headers: &HeaderMap) -> Option<Forge> {
    let imitators = [("x-forgejo-event", Forge::Forgejo), ("x-gitea-event", Forge::Gitea)];
    imitators.into_iter().find(|(name, _)| headers.contains_key(*name)).map(|(_, forge)| forge)
}

/// Reads a delivery.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Delivery, DeliveryError> {
    if let Some(forge) = imitated_by(headers) {
        return Err(DeliveryError::Elsewhere { forge });
    }
    let id = delivery_id(headers, &["x-github-delivery"])?;
    let kind = match event(headers, "x-github-event")? {
        "push" => push(&body::json_of(header(headers, "content-type"), body)?)?,
        "ping" => DeliveryKind::Ping,
        event => other(event),
    };
    Ok(Delivery::new(Forge::Github, id, vec![kind], body))
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "ref")]
    name: String,
    before: Option<String>,
    after: String,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    forced: bool,
    repository: RepositoryPart,
    head_commit: Option<CommitPart>,
}

#[derive(Deserialize)]
struct RepositoryPart {
    full_name: String,
}

/// A commit as GitHub and Gitea say it.
#[derive(Deserialize)]
pub(super) struct CommitPart {
    #[serde(default)]
    pub(super) message: String,
    pub(super) author: Option<PersonPart>,
}

#[derive(Deserialize)]
pub(super) struct PersonPart {
    #[serde(default)]
    name: String,
    email: Option<String>,
}

impl PersonPart {
    pub(super) fn shown(&self) -> String {
        person(&self.name, self.email.as_deref().unwrap_or_default())
    }
}

fn push(json: &str) -> Result<DeliveryKind, DeliveryError> {
    let payload: Payload = serde_json::from_str(json).map_err(|it| field::unreadable(&it))?;
    let full_name = &payload.repository.full_name;
    let repository = repository(Forge::Github, "repository.full_name", full_name)?;
    let head = payload.head_commit.as_ref();
    Moved {
        name: &payload.name,
        before: payload.before.as_deref(),
        after: &payload.after,
        deleted: payload.deleted,
        forced: payload.forced,
        message: head.map_or("", |it| it.message.as_str()),
        author: &head.and_then(|it| it.author.as_ref()).map(PersonPart::shown).unwrap_or_default(),
    }
    .read(repository)
}

#[cfg(test)]
mod tests;
