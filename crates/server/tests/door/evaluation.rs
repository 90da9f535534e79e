//! Flags as an `OpenFeature` SDK asks for them.

use hyper::Method;
use serde_json::json;

use crate::ask::Ask;
use crate::stage::Stage;

const ALL: &str = "/ofrep/v1/evaluate/flags";

#[tokio::test]
async fn an_app_reads_its_flags_and_hears_when_nothing_changed() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["evaluate:shop"]).await;
    let ask = || Ask::post(ALL).token(&token).json(&json!({ "context": { "targetingKey": "u1" } }));
    let first = stage.ask(ask()).await.is(200);
    assert_eq!(first.value()["flags"][0]["key"], "feature1");
    let etag = first.header("etag").to_owned();
    stage.ask(ask().header("if-none-match", &etag)).await.is(304);
    let off = Ask::put("/api/v1/apps/shop/flags/feature1").json(&json!({ "value": false }));
    stage.owner(off).await.is(200);
    let changed = stage.ask(ask().header("if-none-match", &etag)).await.is(200);
    assert_eq!(changed.value()["flags"][0]["value"], false);
    assert_ne!(changed.header("etag"), etag);
}

#[tokio::test]
async fn one_flag_is_asked_for_by_a_key_that_may_have_slashes() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["evaluate:shop"]).await;
    let set = Ask::put("/api/v1/apps/shop/flags/checkout/new").json(&json!({ "value": true }));
    stage.owner(set).await.is(200);
    for key in ["checkout/new", "checkout%2Fnew"] {
        let answer = stage.ask(Ask::post(&format!("{ALL}/{key}")).token(&token)).await.is(200);
        assert_eq!(answer.value()["value"], true, "{key}");
        assert_eq!(answer.value()["variant"], "on");
    }
    let by_key = Ask::post(&format!("{ALL}/feature1")).header("x-api-key", &token);
    stage.ask(by_key).await.is(200);
    let unknown = stage.ask(Ask::post(&format!("{ALL}/nothing")).token(&token)).await.is(404);
    assert_eq!(unknown.value()["errorCode"], "FLAG_NOT_FOUND");
    let turned = Ask::post("/api/v1/apps/shop/flags/checkout/new/toggle");
    assert_eq!(stage.owner(turned).await.is(200).value()["text"], "checkout/new is off");
}

#[tokio::test]
async fn a_page_of_anywhere_may_ask_with_a_token_of_its_own() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["evaluate:shop"]).await;
    let before = Ask::new(&Method::OPTIONS, ALL)
        .header("origin", "https://shop.example.com")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,if-none-match");
    let allowed = stage.ask(before).await.is(204);
    assert_eq!(allowed.header("access-control-allow-origin"), "*");
    let headers = allowed.header("access-control-allow-headers").to_ascii_lowercase();
    assert!(
        ["authorization", "content-type", "if-none-match"].iter().all(|it| headers.contains(it))
    );
    let answer = stage.ask(Ask::post(ALL).token(&token)).await.is(200);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("access-control-expose-headers").contains("ETag"));
    assert_eq!(answer.header("access-control-allow-credentials"), "", "never by a cookie");
    let refused = stage.ask(Ask::post(ALL)).await.is(401);
    assert_eq!(refused.header("access-control-allow-origin"), "*", "the page can read why");
    let elsewhere = stage.ask(Ask::get("/api/v1/apps").token(&token)).await;
    assert_eq!(elsewhere.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_token_reads_the_flags_of_its_app_alone() {
    let stage = Stage::with_shop().await;
    stage.owner(Ask::post("/api/v1/apps").json(&json!({ "name": "blog" }))).await.is(201);
    let token = stage.token(&["evaluate:shop"]).await;
    stage.ask(Ask::post(&format!("{ALL}?app=blog")).token(&token)).await.is(403);
    stage.ask(Ask::post(ALL).token(&token)).await.is(200);
}
