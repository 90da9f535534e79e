//! The JSON in a body, whichever of the two content types it came in.

use std::borrow::Cow;

use crate::source::webhook::{DeliveryError, MAX_BODY_BYTES};

/// How deep objects and lists may lie in each other; GitHub's own go to about six.
const MAX_DEPTH: usize = 64;

/// The JSON text: the body itself, or the field `payload` of a form.
///
/// # Errors
/// Where it is too long, too deep, not UTF-8 or of another type.
pub(super) fn json_of<'a>(
    content_type: &str,
    body: &'a [u8],
) -> Result<Cow<'a, str>, DeliveryError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(DeliveryError::TooLong);
    }
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = match essence.as_str() {
        "application/json" => Cow::Borrowed(utf8(body)?),
        "application/x-www-form-urlencoded" => Cow::Owned(payload_of(utf8(body)?)?),
        _ => {
            let given = content_type.chars().take(100).collect();
            return Err(DeliveryError::ContentType { given });
        }
    };
    if is_too_deep(json.as_bytes()) {
        return Err(wrong(format!("it is nested more than {MAX_DEPTH} deep")));
    }
    Ok(json)
}

fn utf8(bytes: &[u8]) -> Result<&str, DeliveryError> {
    std::str::from_utf8(bytes).map_err(|error| wrong(format!("it is not UTF-8: {error}")))
}

fn wrong(why: impl Into<String>) -> DeliveryError {
    DeliveryError::Body { why: why.into() }
}

fn payload_of(form: &str) -> Result<String, DeliveryError> {
    let field = form.split('&').find_map(|field| field.strip_prefix("payload="));
    unescaped(field.ok_or_else(|| wrong("the form has no field `payload`"))?)
}

/// `%7B` and `+`, back to what they stand for.
fn unescaped(text: &str) -> Result<String, DeliveryError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut value = [0];
                let digits = after.get(..2).ok_or_else(|| wrong("the form ends in a `%`"))?;
                hex::decode_to_slice(digits, &mut value)
                    .map_err(|_| wrong("the form has a `%` without two hex digits"))?;
                bytes.push(value[0]);
                rest = &after[2..];
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map_err(|error| wrong(format!("it is not UTF-8: {error}")))
}

/// Looked at before anything recurses into it.
fn is_too_deep(json: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}
