use std::collections::BTreeMap;

use toehold_core::flag::Hand;
use toehold_core::model::AppName;
use toehold_core::time::Timestamp;

use super::*;

const CONTEXT: &[u8] = br#"{"context":{"targetingKey":"ada","plan":{"name":"pro"},"age":36.5}}"#;

fn set(flags: &[(&str, bool)]) -> FlagSet {
    let app: AppName = "shop".parse().expect("it is a name");
    let hand = Hand { app: &app, actor: "ada", now: Timestamp::from_ms(1000) };
    let declared: BTreeMap<String, bool> =
        flags.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
    let change = FlagSet::default().merge_declared(&declared, hand).expect("the keys are good");
    change.map(|it| it.set).unwrap_or_default()
}

fn one(key: &str, body: &[u8]) -> (u16, Value) {
    let answer = evaluate_one(&set(&[("a/b", false), ("feature1", true)]), key, body);
    assert_eq!(answer.etag, None);
    (answer.status, serde_json::from_str(&answer.body).expect("it is JSON"))
}

#[test]
fn a_flag_is_answered_with_all_that_clients_look_for() {
    let on = json!({
        "key": "feature1", "value": true, "variant": "on", "reason": "STATIC",
        "metadata": { "version": 1 },
    });
    assert_eq!(one("feature1", CONTEXT), (200, on));
    let off = json!({
        "key": "a/b", "value": false, "variant": "off", "reason": "STATIC",
        "metadata": { "version": 1 },
    });
    assert_eq!(one("a/b", CONTEXT), (200, off));
}

#[test]
fn no_context_is_an_empty_context() {
    for body in ["", " \n", "{}", r#"{"context":{}}"#, r#"{"context":null}"#, r#"{"more":1}"#] {
        assert_eq!(one("feature1", body.as_bytes()).0, 200, "{body:?}");
    }
}

#[test]
fn an_unknown_flag_is_not_found() {
    let (status, body) = one("feature2", CONTEXT);
    let expected = json!({
        "key": "feature2", "errorCode": "FLAG_NOT_FOUND",
        "errorDetails": "there is no flag \"feature2\"",
    });
    assert_eq!((status, body), (404, expected));
    let long = "x".repeat(100_000);
    for key in ["", "a b", "../a", "\u{0}", long.as_str()] {
        let (status, body) = one(key, CONTEXT);
        assert_eq!((status, &body["errorCode"]), (404, &json!("FLAG_NOT_FOUND")), "{key:.20}");
        assert!(body.to_string().len() < 1000);
    }
}

#[test]
fn a_wrong_body_is_said_for_what_it_is() {
    let deep = format!("{{\"context\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    for (body, code) in [
        ("{", "PARSE_ERROR"),
        ("null", "PARSE_ERROR"),
        ("[]", "PARSE_ERROR"),
        (deep.as_str(), "PARSE_ERROR"),
        (r#"{"context":1}"#, "INVALID_CONTEXT"),
        (r#"{"context":[]}"#, "INVALID_CONTEXT"),
        (r#"{"context":{"targetingKey":7}}"#, "INVALID_CONTEXT"),
    ] {
        let (status, answer) = one("feature1", body.as_bytes());
        assert_eq!((status, &answer["errorCode"]), (400, &json!(code)), "{body:.60}");
        assert_eq!(answer["key"], "feature1");
        assert!(answer["errorDetails"].as_str().is_some_and(|it| !it.is_empty()));
        let all = evaluate_all(&set(&[]), body.as_bytes(), None);
        let answer: Value = serde_json::from_str(&all.body).expect("it is JSON");
        assert_eq!((all.status, &answer["errorCode"]), (400, &json!(code)), "{body:.60}");
        assert_eq!((answer.get("key"), all.etag), (None, None));
    }
    assert_eq!(one("feature1", b"{\"x\":\"\xff\"}").0, 400);
    assert_eq!(one("feature1", &vec![b' '; MAX_BODY_BYTES + 1]).0, 413);
}

#[test]
fn all_flags_are_answered_in_order() {
    let answer = evaluate_all(&set(&[("b", true), ("a", false)]), CONTEXT, None);
    let body: Value = serde_json::from_str(&answer.body).expect("it is JSON");
    let pairs: Vec<(&Value, &Value)> = body["flags"]
        .as_array()
        .expect("it is a list")
        .iter()
        .map(|flag| (&flag["key"], &flag["value"]))
        .collect();
    assert_eq!(answer.status, 200);
    assert_eq!(pairs, [(&json!("a"), &json!(false)), (&json!("b"), &json!(true))]);
    assert_eq!(body["metadata"], json!({}));
    assert_eq!(evaluate_all(&set(&[]), b"", None).body, r#"{"flags":[],"metadata":{}}"#);
}

#[test]
fn who_has_the_answer_is_not_sent_it_again() {
    let on = set(&[("feature1", true)]);
    let etag = evaluate_all(&on, CONTEXT, None).etag.expect("it has one");
    assert!(etag.len() == 66 && etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    let list = format!("\"x\", W/{etag},\"y\"");
    for header in [etag.as_str(), &format!("W/{etag}"), &list, "*", " * "] {
        let again = evaluate_all(&on, CONTEXT, Some(header));
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{header}");
        assert_eq!(again.etag.as_ref(), Some(&etag));
    }
    for header in ["", "\"x\"", etag.trim_matches('"'), &etag[..20], "w/*", "\"*\""] {
        assert_eq!(evaluate_all(&on, CONTEXT, Some(header)).status, 200, "{header}");
    }
    let off = set(&[("feature1", false)]);
    let changed = evaluate_all(&off, CONTEXT, Some(&etag));
    assert_eq!(changed.status, 200);
    assert_ne!(changed.etag.as_ref(), Some(&etag));
}
