//! Whether a request was made by who knows a secret we share with the forge.

use hmac::{Hmac, Mac};
use hyper::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::source::webhook::{MAX_BODY_BYTES, WebhookRefusal};

/// What is looked at before any signature: no forge sends a longer body, and where nobody has set
/// a secret nobody is believed. An empty secret is none.
pub(super) fn usable<'a>(secrets: &[&'a str], body: &[u8]) -> Result<Vec<&'a str>, WebhookRefusal> {
    if body.len() > MAX_BODY_BYTES {
        return Err(WebhookRefusal::TooLong);
    }
    let secrets: Vec<&str> = secrets.iter().copied().filter(|secret| !secret.is_empty()).collect();
    if secrets.is_empty() { Err(WebhookRefusal::NoSecret) } else { Ok(secrets) }
}

/// Checks an HMAC-SHA256 in hex over the body as it came, against every secret: while one is being
/// replaced by another, both hold. The time it takes does not depend on which secret fits or on how
/// much of a signature is right.
pub(super) fn verify_hex(
    secrets: &[&str],
    body: &[u8],
    digits: &str,
) -> Result<(), WebhookRefusal> {
    let mut given = [0; 32];
    hex::decode_to_slice(digits, &mut given).map_err(|_| WebhookRefusal::Malformed)?;
    let keys = secrets.iter().map(|secret| secret.as_bytes());
    if any_signs(keys, &[body], &given) { Ok(()) } else { Err(WebhookRefusal::Mismatch) }
}

/// Whether one of the keys makes this signature of the pieces.
pub(super) fn any_signs<'a>(
    keys: impl IntoIterator<Item = &'a [u8]>,
    pieces: &[&[u8]],
    given: &[u8],
) -> bool {
    let mut fits = false;
    for key in keys {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { continue };
        for piece in pieces {
            mac.update(piece);
        }
        // Not `fits || …`, which would stop at the first that fits.
        fits |= mac.verify_slice(given).is_ok();
    }
    fits
}

/// Whether one of the secrets is this text. Their digests are compared, so that not even the length
/// of a secret can be found out.
pub(super) fn any_is(secrets: &[&str], given: &str) -> bool {
    let given = Sha256::digest(given);
    let fit = |secret: &&str| bool::from(Sha256::digest(secret).as_slice().ct_eq(&given));
    secrets.iter().map(fit).fold(false, |any, it| any | it)
}

/// The value of a header that may be there once.
pub(super) fn once<'a>(
    headers: &'a HeaderMap,
    name: &str,
) -> Result<Option<&'a str>, WebhookRefusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(WebhookRefusal::Malformed);
    }
    let text = value.to_str().map_err(|_| WebhookRefusal::Malformed)?;
    Ok(if text.is_empty() { None } else { Some(text) })
}

#[cfg(test)]
mod tests;
