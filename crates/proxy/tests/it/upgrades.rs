use std::time::Duration;

use hyper::StatusCode;
use toehold_proxy::Limits;

use crate::client::Raw;
use crate::origin::Origin;
use crate::stage::{Stage, of, routes, stable};

const ASK: &str =
    "GET /upgrade HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

#[tokio::test]
async fn an_upgraded_connection_carries_bytes_both_ways() {
    let stage = Stage::start().await;
    let (one, two) = (Origin::start(1), Origin::start(2));
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send(ASK).await;
    let head = visitor.until("\r\n\r\n").await.to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("upgrade: echo") && head.contains("connection: upgrade"), "{head}");
    for said in ["hello", "GET / HTTP/1.1\r\nfolded:\r\n ", "\0\u{1}end"] {
        visitor.send(said).await;
        assert_eq!(visitor.until(said).await, said);
    }
    // It stays in flight through a change of routes.
    stage.apply(routes(2, vec![stable(1, &[&two])])).await;
    let in_flight = |count| {
        let one = &one;
        move |it: &_| of(it, one).is_some_and(|it| it.in_flight == count && it.answered[0] == 1)
    };
    stage.report("one in flight", in_flight(1)).await;
    visitor.send("still there").await;
    visitor.until("still there").await;
    drop(visitor);
    stage.report("none in flight", in_flight(0)).await;
}

#[tokio::test]
async fn what_is_sent_too_early_is_not_lost_and_what_is_declined_goes_on_as_http() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send(format!("{ASK}early")).await;
    assert!(visitor.until("early").await.starts_with("HTTP/1.1 101 "));

    let mut visitor = Raw::connect(stage.addr).await;
    let declined = ASK.replace("/upgrade", "/");
    visitor.send(format!("{declined}{declined}GET / HTTP/1.0\r\nHost: shop\r\n\r\n")).await;
    let (text, _) = visitor.rest().await;
    assert_eq!(text.matches("web.1").count(), 3, "{text}");
}

#[tokio::test]
async fn an_upgrade_nobody_asked_for_is_a_bad_gateway() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let answer = stage.client().await.get("/unasked").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn an_upgraded_connection_that_carries_nothing_is_closed() {
    let limits = Limits { tunnel_idle: Duration::from_millis(100), ..Limits::default() };
    let stage = Stage::with(limits).await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send(ASK).await;
    let (text, _) = visitor.rest().await;
    assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
}

#[tokio::test]
async fn an_upgrade_that_cannot_be_passed_on_is_answered_as_http() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    let mut visitor = Raw::connect(stage.addr).await;
    // There is no app yet, and HTTP/2 is not passed on.
    visitor.send(ASK).await;
    assert!(visitor.until("deploy it.\n").await.starts_with("HTTP/1.1 404 "));
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    visitor.send(ASK.replace("echo", "h2c").replace("/upgrade", "/headers")).await;
    let text = visitor.until("x-request-id: ").await;
    assert!(text.starts_with("HTTP/1.1 200 ") && !text.contains("h2c"), "{text}");
}

#[tokio::test]
async fn a_proxy_that_stops_waits_for_no_upgraded_connection() {
    // Were it waited for, that would be the end of this test's time, too.
    let limits = Limits {
        tunnel_farewell: Duration::from_millis(100),
        shutdown: Duration::from_hours(1),
        ..Limits::default()
    };
    let stage = Stage::with(limits).await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send(ASK).await;
    assert!(visitor.until("\r\n\r\n").await.starts_with("HTTP/1.1 101 "));
    stage.stop().await;
}
