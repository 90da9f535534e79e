//! Who is believed to be who.

use super::*;
use axum::http::HeaderValue;

pub(crate) fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

#[test]
fn a_token_comes_as_bearer_or_as_api_key() {
    assert_eq!(token_of(&headers(&[("authorization", "bearer th_x")])), Some("th_x"));
    assert_eq!(token_of(&headers(&[("x-api-key", "th_x")])), Some("th_x"));
    assert_eq!(token_of(&headers(&[("authorization", "Basic th_x")])), None);
}

#[test]
fn a_client_of_jenkins_brings_a_token_as_password() {
    let password = |text| password_of(&headers(&[("authorization", text)]));
    // `ci:th_x`, `ci:`, `ci`
    assert_eq!(password("Basic Y2k6dGhfeA=="), Some(Secret::new("th_x")));
    assert_eq!(password("Basic Y2k6"), Some(Secret::new("")));
    for wrong in ["Basic Y2k=", "Basic !", "Basic", "Bearer Y2k6dGhfeA=="] {
        assert_eq!(password(wrong), None, "{wrong}");
    }
}

#[test]
fn the_cookie_that_only_this_host_can_set_counts_first() {
    let both = headers(&[("cookie", "a=b; toehold-session=1; __Host-toehold-session=2")]);
    assert_eq!(session_of(&both), Some("2"));
    assert_eq!(session_of(&headers(&[("cookie", "toehold-session=1")])), Some("1"));
    assert_eq!(session_of(&headers(&[("cookie", "xtoehold-session=1")])), None);
}
