//! What an answer over HTTP means for a letter: the same for every channel that posts.

use std::time::Duration;

use hyper::StatusCode;

use crate::notify::layout::{cut, one_line};
use crate::notify::outbox::Undelivered;
use crate::outbound::{Answer, CallError};

/// How long a receiver that has had enough is left alone where it does not say how long.
const ENOUGH: Duration = Duration::from_mins(1);

/// The longest a receiver may ask to be left alone.
const LONGEST: Duration = Duration::from_hours(1);

/// Whether the letter was taken. `never` are the answers after which it is not tried again: what a
/// receiver cannot read it will not read tomorrow either.
pub(super) fn taken(
    answered: Result<Answer, CallError>,
    never: &[StatusCode],
) -> Result<(), Undelivered> {
    let answer = answered.map_err(|error| Undelivered::Away(error.to_string()))?;
    if answer.status.is_success() {
        return Ok(());
    }
    let status = answer.status;
    let why = format!("the receiver answered {status}: {}", answer.text);
    let why = cut(&one_line(&why), 200);
    Err(match status {
        StatusCode::TOO_MANY_REQUESTS => {
            Undelivered::Busy(answer.retry_after.unwrap_or(ENOUGH).min(LONGEST), why)
        }
        StatusCode::GONE => Undelivered::Never(why),
        status if never.contains(&status) => Undelivered::Never(why),
        // The address or its key is wrong: a person mends that, and the letter then goes.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
            Undelivered::Away(why)
        }
        // Also a redirect: it is not followed, the address is to be mended.
        _ => Undelivered::Later(why),
    })
}
