//! The body of a request: `{"context": {…}}`. A flag is the same for everyone today, so the
//! context is looked at and not used: an app that sends a wrong one hears of it now, and not on
//! the day a flag begins to depend on it.

use serde_json::Value;

/// The longest body that is read, in bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Why a body cannot be used.
pub(super) struct Wrong {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) details: String,
}

/// # Errors
/// Where it is too long, no JSON, or its context is no context. An empty body and one without a
/// context are an empty context.
pub(super) fn check(body: &[u8]) -> Result<(), Wrong> {
    if body.len() > MAX_BODY_BYTES {
        let details = format!("the body is longer than {MAX_BODY_BYTES} bytes");
        return Err(Wrong { status: 413, code: "GENERAL", details });
    }
    if body.trim_ascii().is_empty() {
        return Ok(());
    }
    // The parser goes at most 128 deep.
    let request: Value = serde_json::from_slice(body)
        .map_err(|error| wrong("PARSE_ERROR", format!("the body is not JSON: {error}")))?;
    let Value::Object(request) = request else {
        return Err(wrong("PARSE_ERROR", "the body is not a JSON object".to_owned()));
    };
    match request.get("context") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(context)) => match context.get("targetingKey") {
            None | Some(Value::Null | Value::String(_)) => Ok(()),
            Some(_) => Err(wrong("INVALID_CONTEXT", "targetingKey is not a string".to_owned())),
        },
        Some(_) => Err(wrong("INVALID_CONTEXT", "context is not an object".to_owned())),
    }
}

fn wrong(code: &'static str, details: String) -> Wrong {
    Wrong { status: 400, code, details }
}
