//! Tokens, links and sessions.

use serde_json::json;

use crate::ask::Ask;
use crate::stage::Stage;

#[tokio::test]
async fn a_token_is_shown_once_and_good_until_it_is_taken_back() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["read"]).await;
    stage.ask(Ask::get("/api/v1/apps").token(&token)).await.is(200);
    let listed = stage.owner(Ask::get("/api/v1/tokens")).await.is(200);
    assert!(!listed.text().contains(&token), "the list has the token in it");
    let id = listed.value()[0]["id"].as_str().expect("it has an id").to_owned();
    stage.owner(Ask::delete(&format!("/api/v1/tokens/{id}"))).await.is(200);
    stage.ask(Ask::get("/api/v1/apps").token(&token)).await.is(401);
    let gone = stage.owner(Ask::delete(&format!("/api/v1/tokens/{id}"))).await.is(404);
    assert_eq!(gone.problem(), "token_not_found");
}

#[tokio::test]
async fn a_token_that_has_ended_lets_nobody_in() {
    let stage = Stage::with_shop().await;
    let body = json!({ "name": "short", "scopes": ["read"], "expires_s": 0 });
    let made = stage.owner(Ask::post("/api/v1/tokens").json(&body)).await.is(201).value();
    let token = made["token"].as_str().expect("a text");
    stage.ask(Ask::get("/api/v1/apps").token(token)).await.is(401);
    for wrong in [
        json!({ "name": "", "scopes": ["read"] }),
        json!({ "name": "x", "scopes": [] }),
        json!({ "name": "x", "scopes": ["root"] }),
    ] {
        stage.owner(Ask::post("/api/v1/tokens").json(&wrong)).await.is(400);
    }
}

/// The code of a fresh link.
async fn code(stage: &Stage, ask: Ask) -> String {
    let link = stage.ask(ask).await.is(200).value();
    let url = link["url"].as_str().expect("it has an address").to_owned();
    assert!(url.starts_with("http://toehold.test/login?code="), "{url}");
    url.split_once("code=").expect("it has a code").1.to_owned()
}

#[tokio::test]
async fn a_link_opens_the_dashboard_once_with_the_rights_of_who_asked_for_it() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["read"]).await;
    let code = code(&stage, Ask::post("/api/v1/login-links").token(&token)).await;
    // Looking at the link does not use it up.
    for _ in 0..2 {
        let page = stage.ask(Ask::get(&format!("/login?code={code}"))).await.is(200);
        assert!(page.text().contains(&code));
    }
    let enter = || {
        Ask::post("/login").header("sec-fetch-site", "same-origin").form(&format!("code={code}"))
    };
    let entered = stage.ask(enter()).await.is(303);
    let cookie = entered.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let again = stage.ask(enter()).await.is(401);
    assert!(again.text().contains("used already"), "{}", again.text());

    let session = cookie["toehold-session=".len()..].split(';').next().expect("a value").to_owned();
    let page = stage.ask(Ask::get("/apps/shop").session(&session)).await.is(200);
    assert!(
        !page.text().contains("action=\"/apps/shop/wishes\""),
        "who may only look gets no buttons"
    );
    let wish = Ask::post("/apps/shop/wishes").session(&session).form("wish=unpin");
    stage.ask(wish).await.is(403);
}

#[tokio::test]
async fn a_session_ends_when_one_logs_out() {
    let stage = Stage::with_shop().await;
    let session = stage.session(&stage.token(&["admin"]).await).await;
    stage.ask(Ask::get("/apps/shop").session(&session)).await.is(200);
    let left = stage.ask(Ask::post("/logout").session(&session)).await.is(303);
    assert!(left.header("set-cookie").contains("Max-Age=0"));
    let after = stage.ask(Ask::get("/apps/shop").session(&session)).await.is(303);
    assert_eq!(after.header("location"), "/login?next=/apps/shop");
}

#[tokio::test]
async fn a_page_of_another_site_can_do_nothing_with_a_session() {
    let stage = Stage::with_shop().await;
    let session = stage.session(&stage.token(&["admin"]).await).await;
    let cookie = format!("toehold-session={session}");
    let flag =
        || Ask::post("/apps/shop/flags").header("cookie", &cookie).form("key=feature1&value=false");
    let own = format!("http://{}", stage.address);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "http://evil.example"),
        ("origin", "null"),
    ] {
        stage.ask(flag().header(name, value)).await.is(403);
    }
    stage.ask(flag()).await.is(403);
    let api = Ask::put("/api/v1/apps/shop/flags/feature1")
        .header("cookie", &cookie)
        .header("origin", "http://evil.example");
    assert_eq!(
        stage.ask(api.json(&json!({ "value": false }))).await.is(403).problem(),
        "cross_origin"
    );
    let flags = stage.owner(Ask::get("/api/v1/apps/shop/flags")).await.is(200).value();
    assert_eq!(flags["flags"]["feature1"]["value"], true, "nothing was changed");
    // A browser that sends no Sec-Fetch-Site says the origin, which must be the host it asks.
    stage.ask(flag().header("origin", "http://toehold.test")).await.is(303);
    assert_ne!(own, "http://toehold.test");
}

#[tokio::test]
async fn behind_https_the_cookie_goes_by_nothing_else() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["read"]).await;
    let enter = Ask::post("/login")
        .header("sec-fetch-site", "same-origin")
        .header("x-forwarded-proto", "https");
    let answer = stage.ask(enter.form(&format!("token={token}&next=//evil.example"))).await.is(303);
    assert!(answer.header("set-cookie").starts_with("__Host-toehold-session="));
    assert!(answer.header("set-cookie").ends_with("; Secure"));
    assert_eq!(answer.header("location"), "/", "the way on leads nowhere else");
}

#[tokio::test]
async fn a_secret_goes_in_and_never_comes_out() {
    let stage = Stage::with_shop().await;
    let path = "/api/v1/apps/shop/secrets/SESSION_KEY";
    let body = json!({ "value": "correct horse battery" });
    stage.owner(Ask::put(path).json(&body)).await.is(200);
    let names = stage.owner(Ask::get("/api/v1/apps/shop/secrets")).await.is(200);
    assert_eq!(names.value(), json!(["SESSION_KEY"]));
    let events = stage.owner(Ask::get("/api/v1/events?limit=100")).await.is(200).text();
    assert!(events.contains("SESSION_KEY") && !events.contains("horse"), "{events}");
    let wrong = stage.owner(Ask::put("/api/v1/apps/shop/secrets/a-b").json(&body)).await.is(400);
    assert_eq!(wrong.problem(), "secret_unusable");
    stage.owner(Ask::delete(path)).await.is(200);
    let names = stage.owner(Ask::get("/api/v1/apps/shop/secrets")).await.is(200);
    assert_eq!(names.value(), json!([]));
}

#[tokio::test]
async fn the_door_closes_in_good_order_while_a_stream_is_open() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["read"]).await;
    let stream = Ask::get("/api/v1/events/stream").token(&token).begin(stage.connect().await).await;
    assert_eq!(stream.status(), 200);
    let ended = tokio::time::timeout(crate::ask::PATIENCE, stage.end()).await;
    assert!(ended.is_ok(), "an open stream holds the door open");
}
