//! The `OpenFeature` Remote Evaluation Protocol, version 0.3: what an SDK in an app asks and is
//! answered. Pure: a set of flags and a request in, a status and a body out.
//!
//! Beyond the letter of the protocol, what its clients in the field need: a body without context
//! is an empty context; `variant` and `errorDetails` are always there; a reason is one of the
//! protocol's own words.

mod etag;
mod request;

use serde::Serialize;
use serde_json::{Map, Value, json};
use toehold_core::flag::{Evaluation, FlagKey, FlagSet};

pub use request::MAX_BODY_BYTES;

/// An answer, to be sent with `Content-Type: application/json` and `Cache-Control: no-cache`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; empty with status 304.
    pub body: String,
    /// The `ETag` header, where there is one.
    pub etag: Option<String>,
}

#[derive(Serialize)]
struct Success<'a> {
    key: &'a str,
    value: bool,
    variant: &'static str,
    reason: &'static str,
    metadata: Value,
}

#[derive(Serialize)]
struct Failure<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(rename = "errorCode")]
    error_code: &'static str,
    #[serde(rename = "errorDetails")]
    error_details: String,
}

/// `POST /ofrep/v1/evaluate/flags/{key}`: one flag. `key` is as it stands in the path after
/// percent-decoding, and may hold `/`.
#[must_use]
pub fn evaluate_one(set: &FlagSet, key: &str, body: &[u8]) -> Answer {
    if let Err(wrong) = request::check(body) {
        return failure(wrong.status, Some(key), wrong.code, wrong.details);
    }
    let found = key.parse::<FlagKey>().ok().and_then(|it| set.evaluate(&it));
    match found {
        Some(evaluation) => answer(200, &success(key, evaluation)),
        None => {
            failure(404, Some(key), "FLAG_NOT_FOUND", format!("there is no flag {:?}", cut(key)))
        }
    }
}

/// `POST /ofrep/v1/evaluate/flags`: every flag. The `ETag` is a hash of what is answered, so it
/// stands for context, time and configuration alike; where `if_none_match` holds it the answer is
/// 304.
#[must_use]
pub fn evaluate_all(set: &FlagSet, body: &[u8], if_none_match: Option<&str>) -> Answer {
    if let Err(wrong) = request::check(body) {
        return failure(wrong.status, None, wrong.code, wrong.details);
    }
    let flags: Vec<Success<'_>> =
        set.flags.iter().map(|(key, flag)| success(key.as_str(), flag.evaluate())).collect();
    let mut all = answer(200, &json!({ "flags": flags, "metadata": Map::new() }));
    let etag = etag::of(all.body.as_bytes());
    if if_none_match.is_some_and(|given| etag::matches(given, &etag)) {
        all = Answer { status: 304, body: String::new(), etag: None };
    }
    all.etag = Some(etag);
    all
}

fn success(key: &str, it: Evaluation) -> Success<'_> {
    let Evaluation { value, variant, reason, version } = it;
    Success { key, value, variant, reason, metadata: json!({ "version": version }) }
}

fn failure(status: u16, key: Option<&str>, code: &'static str, error_details: String) -> Answer {
    let key = key.map(cut);
    answer(status, &Failure { key: key.as_deref(), error_code: code, error_details })
}

fn answer(status: u16, body: &impl Serialize) -> Answer {
    let body = serde_json::to_string(body).expect("text, numbers and maps with text keys are JSON");
    Answer { status, body, etag: None }
}

/// A key that cannot be one is not repeated in full.
fn cut(key: &str) -> String {
    key.chars().take(FlagKey::MAX_BYTES).collect()
}

#[cfg(test)]
mod tests;
