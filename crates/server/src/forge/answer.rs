//! What an answer of a forge means for what is still to be sent.

use std::time::Duration;

use hyper::HeaderMap;
use serde_json::Value;
use toehold_core::time::Timestamp;

use crate::dial::Answer;

/// The longest a forge may ask us to wait: then it is asked again in any case.
const LONGEST_WAIT: Duration = Duration::from_hours(2);

/// The wait where a forge asks for one in a way that cannot be read.
const USUAL_WAIT: Duration = Duration::from_mins(1);

/// How GitHub says "too often" where it says so with neither status nor header of it.
const TOO_OFTEN: [&str; 3] = ["rate limit", "abuse detection", "temporarily blocked"];

/// Why a report was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    /// The forge cannot be reached, or is broken: everything waits.
    Away(String),
    /// It asks to be left alone, for so long where it says that: everything waits.
    Busy(Option<Duration>, String),
    /// It does not know what we show: everything waits for a person, who is told.
    Unknown(String),
    /// It will never take this.
    Never(String),
}

/// The JSON of an answer that says yes; else why not.
pub(super) fn judge(answer: &Answer, now: Timestamp) -> Result<Value, Unsent> {
    match answer.status {
        200..=299 if answer.body.is_empty() => Ok(Value::Null),
        // Nothing may be taken for "there is none" that was not understood.
        200..=299 => serde_json::from_slice(&answer.body)
            .map_err(|error| Unsent::Away(format!("its answer is not JSON: {error}"))),
        429 => Err(Unsent::Busy(wait(&answer.headers, now), said(answer))),
        // GitHub's word for "too often" is "forbidden": with a time, or in the text alone.
        403 if let Some(wait) = wait(&answer.headers, now) => {
            Err(Unsent::Busy(Some(wait), said(answer)))
        }
        403 if is_too_often(&said(answer)) => Err(Unsent::Busy(None, said(answer))),
        401 => Err(Unsent::Unknown(said(answer))),
        408 | 500..=599 => Err(Unsent::Away(said(answer))),
        _ => Err(Unsent::Never(said(answer))),
    }
}

fn is_too_often(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    TOO_OFTEN.iter().any(|words| said.contains(words))
}

/// How long the forge asks to be left alone, where it does.
fn wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let asked = if let Some(seconds) = number("retry-after") {
        Duration::from_secs(seconds.max(1))
    } else if headers.contains_key("retry-after") {
        USUAL_WAIT
    } else if number("x-ratelimit-remaining") == Some(0) {
        let reset =
            number("x-ratelimit-reset").map(|it| Timestamp::from_ms(it.saturating_mul(1_000)));
        reset.map_or(USUAL_WAIT, |reset| reset.since(now).max(Duration::from_secs(1)))
    } else {
        return None;
    };
    Some(asked.min(LONGEST_WAIT))
}

/// The status and what the forge says, on one line, at most 300 characters.
fn said(answer: &Answer) -> String {
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let text = ["message", "error", "error_description"].iter().find_map(|key| match &json[key] {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    });
    let text = text.unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned());
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = format!("it answered {}: {}", answer.status, words.join(" "));
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("it is a header"));
        }
        Answer { status, headers: map, body: body.to_owned().into() }
    }

    fn judged(status: u16, headers: &[(&'static str, &str)]) -> String {
        judged_of(status, headers, "no")
    }

    fn judged_of(status: u16, headers: &[(&'static str, &str)], message: &str) -> String {
        let now = Timestamp::from_ms(1_000_000);
        let body = serde_json::json!({ "message": message }).to_string();
        match judge(&answer(status, headers, &body), now) {
            Ok(_) => "taken".to_owned(),
            Err(Unsent::Away(_)) => "away".to_owned(),
            Err(Unsent::Busy(Some(wait), _)) => format!("wait {} s", wait.as_secs()),
            Err(Unsent::Busy(None, _)) => "wait".to_owned(),
            Err(Unsent::Unknown(_)) => "who are you".to_owned(),
            Err(Unsent::Never(why)) => format!("never: {why}"),
        }
    }

    #[test]
    fn each_answer_says_what_to_do() {
        assert_eq!(judged(201, &[]), "taken");
        assert_eq!(judged(204, &[]), "taken");
        assert_eq!(judged(500, &[]), "away");
        assert_eq!(judged(503, &[]), "away");
        assert_eq!(judged(429, &[("retry-after", "30")]), "wait 30 s");
        assert_eq!(judged(429, &[]), "wait");
        let often = "You have exceeded a secondary rate limit. Please wait a few minutes";
        assert_eq!(judged_of(403, &[], often), "wait");
        assert_eq!(judged_of(403, &[], "You have triggered an abuse detection mechanism."), "wait");
        assert_eq!(judged(401, &[]), "who are you");
        assert_eq!(judged(403, &[("retry-after", "7")]), "wait 7 s");
        let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1100")];
        assert_eq!(judged(403, &spent), "wait 100 s");
        assert_eq!(judged(429, &[("retry-after", "99999999")]), "wait 7200 s");
        for status in [400, 403, 404, 409, 422, 301] {
            assert_eq!(judged(status, &[]), format!("never: it answered {status}: no"));
        }
    }
}
