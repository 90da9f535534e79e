//! Every door is locked, and opens to who may come in.

use serde_json::json;
use toehold_server::door::{Need, ROUTES, Route, Voice};

use crate::ask::{Answer, Ask};
use crate::stage::Stage;

/// The path with something in each of its variable parts.
fn filled(route: &Route) -> String {
    let part = |part: &str| match part {
        "{app}" => "shop".to_owned(),
        "{repository}" => "shop.git".to_owned(),
        "{number}" => "1".to_owned(),
        "{instance}" => "web.1".to_owned(),
        part if part.starts_with('{') => "feature1".to_owned(),
        part => part.to_owned(),
    };
    route.path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn ask(route: &Route) -> Ask {
    Ask::new(&route.method, &filled(route)).header("sec-fetch-site", "same-origin")
}

fn was_refused(route: &Route, answer: &Answer, status: u16) {
    let is = match (route.voice, status) {
        (Voice::Page, 401) => {
            answer.status == 303 && answer.header("location").starts_with("/login?next=")
        }
        (Voice::Json | Voice::Jenkins | Voice::Git, 401) => {
            answer.status == 401 && !answer.header("www-authenticate").is_empty()
        }
        _ => answer.status == status,
    };
    assert!(is, "{} {}: {} {}", route.method, route.path, answer.status, answer.text());
}

#[tokio::test]
async fn nobody_comes_in_without_a_token() {
    let stage = Stage::with_shop().await;
    for route in ROUTES.iter().filter(|route| route.need != Need::Nothing) {
        was_refused(route, &stage.ask(ask(route)).await, 401);
        let wrong = ask(route).token("th_000000000000_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        let answer = stage.ask(wrong).await;
        // After twenty it is told to wait, whichever door it tries.
        if answer.status != 429 {
            was_refused(route, &answer, 401);
        }
    }
}

#[tokio::test]
async fn a_token_opens_no_more_than_it_says() {
    let stage = Stage::with_shop().await;
    let other = stage.token(&["deploy:blog", "flag:blog"]).await;
    let evaluate = stage.token(&["evaluate:shop"]).await;
    let read = stage.token(&["read"]).await;
    for route in ROUTES {
        let too_small: &[&String] = match route.need {
            Need::Nothing | Need::Known => &[],
            Need::Owner | Need::Admin | Need::Deploy | Need::Flag => &[&other, &evaluate, &read],
            Need::LookAtAll | Need::Look => &[&other, &evaluate],
            Need::SomeDeploy | Need::SomeAlert | Need::SomeFlag => &[&evaluate, &read],
            Need::SomeEvaluate => &[&read],
        };
        for token in too_small {
            was_refused(route, &stage.ask(ask(route).token(token)).await, 403);
        }
    }
    assert!(stage.control.app_names().await.len() == 1, "nothing was made on the way");
}

#[tokio::test]
async fn what_is_for_the_machine_alone_is_refused_over_the_network() {
    let stage = Stage::with_shop().await;
    let admin = stage.token(&["admin"]).await;
    let push = || Ask::post("/api/v1/apps/shop/push").json(&json!({ "lines": [] }));
    assert_eq!(stage.ask(push().token(&admin)).await.is(403).problem(), "owner_only");
    stage.owner(push()).await.is(200);
}

#[tokio::test]
async fn what_is_not_in_the_table_is_not_there() {
    let stage = Stage::with_shop().await;
    for path in [
        "/api/v1/nothing",
        "/api/v2/apps",
        "/apps/shop/../..",
        "/assets/../door.rs",
        "/.git/config",
    ] {
        assert_eq!(stage.ask(Ask::get(path)).await.is(404).problem(), "not_found", "{path}");
    }
    let answer = stage.ask(Ask::delete("/api/v1/apps")).await.is(405);
    assert_eq!(answer.problem(), "wrong_method");
}

#[tokio::test]
async fn every_answer_tells_browsers_to_be_careful() {
    let stage = Stage::new().await;
    for path in ["/login", "/assets/toehold.css", "/api/v1/apps", "/nothing"] {
        let answer = stage.ask(Ask::get(path)).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(!answer.header("cache-control").is_empty(), "{path}");
    }
}
