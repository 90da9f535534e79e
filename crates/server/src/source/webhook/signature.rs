//! Whether a request was signed with a secret we share with the forge.

use hmac::{Hmac, Mac};
use hyper::HeaderMap;
use sha2::Sha256;

use crate::source::webhook::{MAX_BODY_BYTES, WebhookRefusal};

/// Checks `X-Hub-Signature-256` over the body as it came, against every secret: while one is
/// being replaced by another, both hold. An empty secret is none. The time it takes does not
/// depend on which secret fits or on how much of a signature is right.
///
/// # Errors
/// Why it is not believed.
pub fn verify_github(
    secrets: &[&str],
    body: &[u8],
    headers: &HeaderMap,
) -> Result<(), WebhookRefusal> {
    if body.len() > MAX_BODY_BYTES {
        return Err(WebhookRefusal::TooLong);
    }
    if secrets.iter().all(|secret| secret.is_empty()) {
        return Err(WebhookRefusal::NoSecret);
    }
    let given = given_signature(headers)?;
    let mut fits = false;
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { continue };
        mac.update(body);
        // Not `fits || …`, which would stop at the first that fits.
        fits |= mac.verify_slice(&given).is_ok();
    }
    if fits { Ok(()) } else { Err(WebhookRefusal::Mismatch) }
}

fn given_signature(headers: &HeaderMap) -> Result<[u8; 32], WebhookRefusal> {
    let mut values = headers.get_all("x-hub-signature-256").iter();
    let Some(value) = values.next() else {
        let sha1 = headers.contains_key("x-hub-signature");
        return Err(if sha1 { WebhookRefusal::Sha1Only } else { WebhookRefusal::Unsigned });
    };
    if values.next().is_some() {
        return Err(WebhookRefusal::Malformed);
    }
    let digits = value.to_str().ok().and_then(|it| it.strip_prefix("sha256="));
    let mut given = [0; 32];
    hex::decode_to_slice(digits.unwrap_or_default(), &mut given)
        .map_err(|_| WebhookRefusal::Malformed)?;
    Ok(given)
}

#[cfg(test)]
mod tests;
