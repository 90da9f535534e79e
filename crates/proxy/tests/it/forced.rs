use hyper::{Method, StatusCode};

use crate::origin::Origin;
use crate::stage::{Stage, canary, of, routes, stable};

/// The secret of the stage's app.
const CANARY: &str = "canary.open-sesame-4711";

#[tokio::test]
async fn who_knows_the_secret_sees_a_canary_without_a_share_and_nobody_else_does() {
    let stage = Stage::start().await;
    let (one, mut two) = (Origin::start(1), Origin::start(2));
    let mut sticky = routes(1, vec![stable(1, &[&one]), canary(0, &[&two])]);
    sticky.apps[0].sticky = true;
    stage.apply(sticky).await;
    let mut client = stage.client().await;
    let cookie = format!("a=b; toehold-track={CANARY}");
    for field in [("x-toehold-track", CANARY), ("cookie", cookie.as_str())] {
        let answer = client.ask(Method::GET, "/", &[field], "").await;
        assert_eq!(answer.body, "web.2", "{field:?}");
        assert!(answer.headers.get("set-cookie").is_none(), "it is no choice for long");
        let answer = client.ask(Method::GET, "/headers", &[field], "").await;
        assert!(!answer.body.contains("sesame"), "the app saw {}", answer.body);
    }
    for wrong in ["canary", "canary.open-sesame-4712", "canary.", "open-sesame-4711"] {
        let answer = client.ask(Method::GET, "/", &[("x-toehold-track", wrong)], "").await;
        assert_eq!(answer.body, "web.1", "{wrong}");
        let answer = client.ask(Method::GET, "/headers", &[("x-toehold-track", wrong)], "").await;
        assert!(!answer.body.contains("toehold-track"), "the app saw {}", answer.body);
    }
    // The routes had no part in it: they are not measured by it.
    let report = stage.report("four", |it| of(it, &two).is_some_and(|it| it.started == 4)).await;
    assert_eq!(of(&report, &two).expect("it is routed").last_started_us, 0);

    // Who wants to see the canary is not shown stable in its place, and is told at once.
    two.kill();
    let answer = client.ask(Method::GET, "/", &[("x-toehold-track", CANARY)], "").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(client.get("/").await.body, "web.1");

    // Once there is no canary, a cookie that was left says nothing.
    stage.apply(routes(2, vec![stable(1, &[&one])])).await;
    let answer = client.ask(Method::GET, "/", &[("x-toehold-track", CANARY)], "").await;
    assert_eq!(answer.body, "web.1");
}

#[tokio::test]
async fn who_names_stable_is_not_drawn() {
    let stage = Stage::start().await;
    let (one, two) = (Origin::start(1), Origin::start(2));
    stage.apply(routes(1, vec![stable(1, &[&one]), canary(1_000, &[&two])])).await;
    let mut client = stage.client().await;
    for _ in 0..20 {
        let field = ("x-toehold-track", "stable.open-sesame-4711");
        assert_eq!(client.ask(Method::GET, "/", &[field], "").await.body, "web.1");
    }
}
