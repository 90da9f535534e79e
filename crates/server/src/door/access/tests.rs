//! Who is believed to be who, and what their rights are worth.

use super::*;
use axum::http::HeaderValue;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

#[test]
fn only_a_page_of_ours_may_change_something() {
    for (given, ours) in [
        (&[("sec-fetch-site", "same-origin")] as &[_], true),
        (
            &[("sec-fetch-site", "cross-site"), ("origin", "http://a:7077"), ("host", "a:7077")],
            false,
        ),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("origin", "http://a:7077"), ("host", "a:7077")], true),
        (&[("origin", "http://a:8080"), ("host", "a:7077")], false),
        (&[("origin", "null"), ("host", "a:7077")], false),
        (&[("host", "a:7077")], false),
    ] {
        assert_eq!(is_same_origin(&headers(given)), ours, "{given:?}");
    }
}

#[test]
fn a_token_comes_as_bearer_or_as_api_key() {
    assert_eq!(token_of(&headers(&[("authorization", "bearer th_x")])), Some("th_x"));
    assert_eq!(token_of(&headers(&[("x-api-key", "th_x")])), Some("th_x"));
    assert_eq!(token_of(&headers(&[("authorization", "Basic th_x")])), None);
}

#[test]
fn the_cookie_that_only_this_host_can_set_counts_first() {
    let both = headers(&[("cookie", "a=b; toehold-session=1; __Host-toehold-session=2")]);
    assert_eq!(session_of(&both), Some("2"));
    assert_eq!(session_of(&headers(&[("cookie", "toehold-session=1")])), Some("1"));
    assert_eq!(session_of(&headers(&[("cookie", "xtoehold-session=1")])), None);
}

#[test]
fn a_right_is_no_larger_than_it_says() {
    let shop: AppName = "shop".parse().expect("a name");
    let blog: AppName = "blog".parse().expect("a name");
    let who = |scope: &str| Principal {
        name: "ci".into(),
        scopes: vec![scope.parse().expect("a scope")],
        token: None,
    };
    for (scope, need, app, met) in [
        ("read", Need::Look, &shop, true),
        ("read", Need::Deploy, &shop, false),
        ("deploy:shop", Need::Deploy, &shop, true),
        ("deploy:shop", Need::Deploy, &blog, false),
        ("deploy:shop", Need::Look, &shop, true),
        ("deploy:shop", Need::Look, &blog, false),
        ("deploy:shop", Need::LookAtAll, &shop, false),
        ("deploy:shop", Need::Flag, &shop, false),
        ("evaluate:shop", Need::Look, &shop, false),
        ("evaluate:shop", Need::SomeEvaluate, &shop, true),
        ("flag:shop", Need::Flag, &shop, true),
        ("read", Need::Admin, &shop, false),
        ("admin", Need::Admin, &shop, true),
    ] {
        assert_eq!(need.is_met(&who(scope), Some(app)), met, "{scope} for {need:?} of {app}");
    }
}
