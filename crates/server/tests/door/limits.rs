//! What is too large, too much or no sense.

use bytes::Bytes;
use serde_json::json;

use crate::ask::Ask;
use crate::stage::Stage;

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_the_next_request_is_served() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["deploy:shop"]).await;
    let two_mib = Bytes::from(vec![b' '; 2 << 20]);
    let large =
        Ask::post("/api/v1/apps/shop/wishes").token(&token).bytes("application/json", two_mib);
    assert_eq!(stage.ask(large).await.is(413).problem(), "body_too_large");
    stage.ask(Ask::get("/api/v1/apps/shop").token(&token)).await.is(200);
}

#[tokio::test]
async fn a_body_that_makes_no_sense_is_said_where() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["deploy:shop"]).await;
    let wish = || Ask::post("/api/v1/apps/shop/wishes").token(&token);
    let answer = stage.ask(wish().bytes("application/json", "{\"wish\":\"fly\"}")).await.is(400);
    assert_eq!(answer.problem(), "body_unreadable");
    assert!(
        answer.text().contains("fly") && answer.text().contains("promote"),
        "{}",
        answer.text()
    );
    let answer = stage.ask(wish().bytes("text/plain", "{\"wish\":\"promote\"}")).await.is(415);
    assert_eq!(answer.problem(), "not_json");
    let bad = Ask::get("/api/v1/apps/shop/events?after=yesterday").token(&token);
    assert_eq!(stage.ask(bad).await.is(400).problem(), "query_unreadable");
}

#[tokio::test]
async fn names_that_cannot_be_are_not_found_and_do_no_harm() {
    let stage = Stage::with_shop().await;
    let admin = stage.token(&["admin"]).await;
    for name in ["..", "a%2Fb", "%2e%2e", "A", "shop%00", "x%0d%0aset-cookie:a=b", "%F0%9F%92%A9"] {
        for path in [format!("/api/v1/apps/{name}"), format!("/api/v1/apps/{name}/builds/1/log")] {
            let answer = stage.ask(Ask::get(&path).token(&admin)).await;
            assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        }
    }
    let refused = Ask::post("/api/v1/apps").token(&admin).json(&json!({ "name": "../etc" }));
    assert_eq!(stage.ask(refused).await.is(400).problem(), "body_unreadable");
}

#[tokio::test]
async fn what_the_rules_say_no_to_is_a_conflict_with_a_command_to_try() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["deploy:shop"]).await;
    let promote =
        Ask::post("/api/v1/apps/shop/wishes").token(&token).json(&json!({ "wish": "promote" }));
    let answer = stage.ask(promote).await.is(409);
    assert_eq!(answer.problem(), "no_canary");
    assert_eq!(answer.value()["hint"], "toehold rollout status");
    let answer = stage.ask(Ask::get("/api/v1/apps/shop/builds/7").token(&token)).await.is(404);
    assert_eq!(answer.problem(), "build_not_found");
    let why = Ask::get("/api/v1/apps/shop/why?of=everything").token(&token);
    assert_eq!(stage.ask(why).await.is(400).problem(), "subject_unreadable");
}

#[tokio::test]
async fn who_tries_wrong_tokens_is_told_to_wait_and_a_right_one_is_let_in() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["read"]).await;
    let wrong = "th_000000000000_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let mut last = 401;
    for _ in 0..30 {
        last = stage.ask(Ask::get("/api/v1/apps").token(wrong)).await.status;
    }
    assert_eq!(last, 429);
    let answer = stage.ask(Ask::get("/api/v1/apps").token(wrong)).await.is(429);
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds <= 60));
    stage.ask(Ask::get("/api/v1/apps").token(&token)).await.is(200);
}

#[tokio::test]
async fn what_it_can_do_is_described_for_programs() {
    let stage = Stage::new().await;
    let token = stage.token(&["read"]).await;
    let described = stage.ask(Ask::get("/api/v1/openapi.json").token(&token)).await.is(200).value();
    assert_eq!(described["openapi"], "3.1.0");
    let wishes = &described["paths"]["/api/v1/apps/{app}/wishes"]["post"];
    assert_eq!(wishes["x-scope"], "deploy:APP");
    assert_eq!(wishes["parameters"][0]["name"], "app");
}

#[tokio::test]
async fn it_says_how_it_is() {
    let stage = Stage::new().await;
    stage.ask(Ask::get("/healthz")).await.is(200);
    let token = stage.token(&["read"]).await;
    let findings = stage.ask(Ask::get("/api/v1/health").token(&token)).await.is(200).value();
    let of = |what: &str| {
        let all = findings.as_array().expect("a list");
        all.iter()
            .find(|it| it["what"] == what)
            .unwrap_or_else(|| panic!("nothing of {what}"))
            .clone()
    };
    assert_eq!(of("agent")["ok"], false, "no agent has dialled in");
    assert!(!of("proxy")["hint"].as_str().expect("a text").is_empty());
    assert_eq!(of("store")["ok"], true);
}
