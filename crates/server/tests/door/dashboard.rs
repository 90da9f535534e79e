//! The pages and their forms, over a real control plane.

use serde_json::{Value, json};

use crate::ask::{Answer, Ask};
use crate::pretend::{Pretend, SAID};
use crate::shop;
use crate::stage::Stage;

async fn shop_with_session() -> (Stage, Pretend, String) {
    let stage = Stage::with(shop::written(), |_| {}).await;
    let pretend = Pretend::begin(&stage);
    let session = stage.session(&stage.token(&["admin"]).await).await;
    (stage, pretend, session)
}

/// The page of `shop` once it says `wanted`.
async fn until(stage: &Stage, session: &str, wanted: &str) -> Answer {
    let deadline = tokio::time::Instant::now() + crate::ask::PATIENCE;
    loop {
        let page = stage.ask(Ask::get("/apps/shop").session(session)).await.is(200);
        if page.text().contains(wanted) {
            return page;
        }
        let now = tokio::time::Instant::now();
        assert!(now < deadline, "the page never says {wanted:?}: {}", page.text());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_page_says_how_it_is_and_what_can_be_done() {
    let (stage, _pretend, session) = shop_with_session().await;
    let on = Ask::put("/api/v1/apps/shop/flags/feature1").json(&json!({ "value": true }));
    stage.owner(on).await.is(200);
    let page = until(&stage, &session, "GET / on 127.0.0.1:41003").await.text();
    for said in [
        "Canary #43 takes 33.3% of requests beside stable #42.",
        "Promote #43 to stable",
        "Give everything back to stable",
        "Roll back to #41",
        "spec/tokensSpec.js:14",
        "aria-checked=\"true\"",
        "GET /tokens 200 3 ms",
    ] {
        assert!(page.contains(said), "the page does not say {said:?}");
    }
    until(&stage, &session, "class=\"line canary\"").await;
}

#[tokio::test]
async fn what_comes_from_outside_is_text_and_nothing_else() {
    let (stage, _pretend, session) = shop_with_session().await;
    let paths = [
        "/apps/shop",
        "/apps/shop/builds/42",
        "/apps/shop/why?of=%2343",
        "/login?next=%22%3E%3Cimg%20src%3Dx%3E",
    ];
    for path in paths {
        let page = stage.ask(Ask::get(path).session(&session)).await.is(200).text();
        assert!(!page.contains("<img"), "{path} lets an element in");
    }
    let page = stage.ask(Ask::get("/apps/shop").session(&session)).await.text();
    assert!(page.contains("&lt;img src=x onerror="), "the subject of the commit is not shown");
}

#[tokio::test]
async fn a_button_does_what_it_says() {
    let (stage, _pretend, session) = shop_with_session().await;
    until(&stage, &session, "GET / on 127.0.0.1:41003").await;
    let press = |form: &'static str| {
        let ask = Ask::post("/apps/shop/wishes").session(&session).form(form);
        async { stage.ask(ask).await }
    };
    let done = press("wish=abort").await.is(303);
    assert_eq!(done.header("location"), "/apps/shop");
    until(&stage, &session, "Everyone gets #42. Canary #43 was given up").await;
    let refused = press("wish=promote").await;
    assert!(refused.header("content-type").starts_with("text/html"), "{}", refused.text());
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("href=\"/apps/shop\""), "there is no way back");
    press("wish=fly").await.is(400);
    let events: Value = stage.owner(Ask::get("/api/v1/apps/shop/events")).await.is(200).json();
    let aborted =
        events.as_array().expect("a list").iter().find(|it| it["kind"] == "rollout.aborted");
    assert_eq!(
        aborted.expect("it is written down")["actor"],
        "admin",
        "who did it is written down"
    );
}

#[tokio::test]
async fn a_switch_turns_a_flag() {
    let stage = Stage::with_shop().await;
    let session = stage.session(&stage.token(&["read", "flag:shop"]).await).await;
    let turn = Ask::post("/apps/shop/flags").session(&session).form("key=feature1&value=false");
    stage.ask(turn).await.is(303);
    let flags: Value = stage.owner(Ask::get("/api/v1/apps/shop/flags")).await.json();
    assert_eq!(flags["flags"]["feature1"]["value"], false);
    assert_eq!(flags["flags"]["feature1"]["changed_by"], "read flag:shop");
}

#[tokio::test]
async fn one_app_is_shown_at_once_and_several_are_listed() {
    let stage = Stage::with_shop().await;
    let session = stage.session(&stage.token(&["read"]).await).await;
    let one = stage.ask(Ask::get("/").session(&session)).await.is(303);
    assert_eq!(one.header("location"), "/apps/shop");
    stage.owner(Ask::post("/api/v1/apps").json(&json!({ "name": "blog" }))).await.is(201);
    let several = stage.ask(Ask::get("/").session(&session)).await.is(200).text();
    assert!(several.contains("/apps/blog") && several.contains("/apps/shop"));
    let of_shop = stage.session(&stage.token(&["deploy:shop"]).await).await;
    stage.ask(Ask::get("/").session(&of_shop)).await.is(303);
    stage.ask(Ask::get("/apps/blog").session(&of_shop)).await.is(403);
}

#[tokio::test]
async fn a_log_is_read_on_a_page_of_its_own() {
    let (stage, _pretend, session) = shop_with_session().await;
    until(&stage, &session, "GET / on 127.0.0.1:41003").await;
    let page = stage.ask(Ask::get("/apps/shop/log/web.1").session(&session)).await.is(200).text();
    assert!(page.contains("GET /tokens 200 3 ms"));
    let piece = stage.owner(Ask::get("/api/v1/apps/shop/instances/1/log?offset=0")).await.is(200);
    assert_eq!(piece.value()["text"], SAID);
    let gone = stage.ask(Ask::get("/apps/shop/builds/7").session(&session)).await.is(404);
    assert!(gone.text().contains("has no build #7"), "{}", gone.text());
}

#[tokio::test]
async fn style_and_script_are_kept_by_their_digest() {
    let stage = Stage::with_shop().await;
    let page = stage.ask(Ask::get("/login")).await.is(200).text();
    let (_, rest) = page.split_once("rel=\"stylesheet\" href=\"").expect("there is a style");
    let address = rest.split('"').next().expect("it has an address").to_owned();
    let style = stage.ask(Ask::get(&address)).await.is(200);
    assert!(style.header("cache-control").contains("immutable"));
    let etag = style.header("etag").to_owned();
    let again = Ask::get("/assets/toehold.css").header("if-none-match", &etag);
    stage.ask(again).await.is(304);
    stage.ask(Ask::get("/assets/nothing.css")).await.is(404);
}

#[tokio::test]
async fn what_was_served_is_told_by_the_second() {
    let (stage, _pretend, session) = shop_with_session().await;
    until(&stage, &session, "GET / on 127.0.0.1:41003").await;
    let served = stage.owner(Ask::get("/api/v1/apps/shop/metrics")).await.is(200).value();
    let stable = &served.as_array().expect("a list")[0];
    assert_eq!((&stable["track"], &stable["release"]), (&json!("stable"), &json!(42)));
    assert_eq!(stable["requests"].as_array().map(Vec::len), Some(600));
}
