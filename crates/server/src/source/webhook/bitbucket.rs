//! What Bitbucket says in a delivery: the one in the cloud, and Data Center. A delivery of either
//! may tell of several refs.

mod cloud;
mod data_center;

use hyper::HeaderMap;

use crate::source::webhook::field::{delivery_id, event, header, other};
use crate::source::webhook::signature::{once, usable, verify_hex};
use crate::source::webhook::{Delivery, DeliveryError, DeliveryKind, Forge, WebhookRefusal, body};

/// The most refs one delivery may tell of.
const MAX_REFS: usize = 1000;

/// Checks `X-Hub-Signature`, which is SHA-256 here in spite of its name.
pub(super) fn verify(
    secrets: &[&str],
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), WebhookRefusal> {
    let secrets = usable(secrets, body)?;
    let Some(given) = once(headers, "x-hub-signature")? else {
        return Err(WebhookRefusal::Unsigned);
    };
    match given.split_once('=') {
        Some(("sha256", digits)) => verify_hex(&secrets, body, digits),
        Some(("sha1", _)) => Err(WebhookRefusal::Sha1Only),
        Some(_) | None => Err(WebhookRefusal::Malformed),
    }
}

/// Reads a delivery.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Delivery, DeliveryError> {
    let event = event(headers, "x-event-key")?;
    let json = || body::json_of(header(headers, "content-type"), body);
    let said = match event {
        "repo:push" => cloud::read(&json()?)?,
        "repo:refs_changed" => data_center::read(&json()?)?,
        "diagnostics:ping" => vec![DeliveryKind::Ping],
        event => vec![other(event)],
    };
    if said.len() > MAX_REFS {
        let why = format!("it tells of more than {MAX_REFS} refs");
        return Err(DeliveryError::Body { why });
    }
    // The cloud says the first, Data Center the second.
    let id = delivery_id(headers, &["x-request-uuid", "x-request-id"])?;
    Ok(Delivery::new(Forge::Bitbucket, id, said, body))
}

#[cfg(test)]
mod tests;
