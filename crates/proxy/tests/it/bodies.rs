use std::time::Duration;

use http_body_util::BodyExt;
use hyper::{Method, StatusCode};
use toehold_core::wire::proxy::InstanceCounters;
use toehold_proxy::Limits;

use crate::client::Raw;
use crate::origin::Origin;
use crate::stage::{Stage, of, routes, stable};

#[tokio::test]
async fn an_answer_arrives_piece_by_piece() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut client = stage.client().await;
    let mut body = client.begin("/stream").await.into_body();
    let first = body.frame().await.expect("there is one").expect("it is whole");
    assert_eq!(first.into_data().expect("it is data"), "first");
    // Only now is the second piece made.
    one.release();
    let rest = body.collect().await.expect("it ends well").to_bytes();
    assert_eq!(rest, "second");
}

#[tokio::test]
async fn a_request_is_in_flight_until_its_answer_is_through() {
    let stage = Stage::start().await;
    let (one, two) = (Origin::start(1), Origin::start(2));
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut client = stage.client().await;
    let body = client.begin("/stream").await.into_body();
    // Out of the routes, it keeps what is under way.
    stage.apply(routes(2, vec![stable(1, &[&two])])).await;
    let in_flight = |count| {
        let one = &one;
        move |it: &toehold_core::wire::proxy::ProxyReport| {
            it.applied.rev == 2 && of(it, one).is_some_and(|it| it.in_flight == count)
        }
    };
    stage.report("one in flight", in_flight(1)).await;
    one.release();
    assert_eq!(body.collect().await.expect("it ends well").to_bytes(), "firstsecond");
    stage.report("none in flight", in_flight(0)).await;
}

#[tokio::test]
async fn a_body_passes_whole_whatever_its_framing_and_size() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut client = stage.client().await;
    for method in [Method::POST, Method::PUT, Method::GET, Method::DELETE] {
        for size in [0, 1, 1_000, 70_000, 1_000_000] {
            let body = "x".repeat(size);
            let answer = client.ask(method.clone(), "/echo", &[], body.clone()).await;
            assert_eq!(answer.status, StatusCode::OK, "{method} {size}");
            assert!(answer.body == body, "{method} of {size} bytes came back otherwise");
        }
        let mut visitor = Raw::connect(stage.addr).await;
        let head = format!("{method} /echo HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n");
        visitor.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")).await;
        visitor.send("4;x=y\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n").await;
        let (text, _) = visitor.rest().await;
        assert!(text.ends_with("\r\n\r\nabcdefg"), "{method}: {text}");
    }
    assert_eq!(client.get("/large").await.body.len(), 3_000_000);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    let mut small = routes(1, vec![stable(1, &[&one])]);
    small.apps[0].max_body_bytes = 100;
    stage.apply(small).await;
    let mut client = stage.client().await;
    let whole = client.ask(Method::POST, "/echo", &[], "x".repeat(100)).await;
    assert_eq!(whole.status, StatusCode::OK);
    // A visitor who has sent far more than that still gets to read why.
    let answer = client.ask(Method::POST, "/echo", &[], "x".repeat(900_000)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(one.requests(), 1);

    let mut visitor = Raw::connect(stage.addr).await;
    let chunk = format!("40\r\n{}\r\n", "x".repeat(64));
    visitor
        .send(format!(
            "POST /echo HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}"
        ))
        .await;
    let (text, _) = visitor.rest().await;
    assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
    let counted = |it: &toehold_core::wire::proxy::ProxyReport| {
        it.refused.iter().any(|it| it.status == 413 && it.count == 2)
            && of(it, &one).is_some_and(|it| it.failed == 0 && it.set_aside.is_none())
    };
    stage.report("two refusals, and no blame", counted).await;
}

#[tokio::test]
async fn an_app_may_answer_before_it_has_the_whole_body() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send("POST /early HTTP/1.1\r\nHost: shop\r\nContent-Length: 9\r\n\r\nhalf").await;
    let text = visitor.until("\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 418 "), "{text}");
    assert_eq!(stage.client().await.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn whoever_expects_to_be_told_is_told_to_go_on() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    let head = "POST /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\n";
    visitor.send(format!("{head}Expect: 100-continue\r\n\r\n")).await;
    assert_eq!(visitor.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    visitor.send("abc").await;
    assert!(visitor.until("\r\n\r\nabc").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_body_that_stops_is_given_up_and_nobody_is_blamed() {
    let limits = Limits { upload_gap: Duration::from_millis(50), ..Limits::default() };
    let stage = Stage::with(limits).await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    for method in ["POST", "PUT"] {
        let mut visitor = Raw::connect(stage.addr).await;
        let head = format!("{method} /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: 9");
        visitor.send(format!("{head}\r\n\r\nhalf")).await;
        let (text, _) = visitor.rest().await;
        assert!(text.starts_with("HTTP/1.1 408 "), "{method}: {text}");
    }
    stage
        .report("no blame", |it| {
            it.refused.iter().any(|it| it.status == 408 && it.count == 2)
                && of(it, &one).is_some_and(|it| it.failed == 0 && it.in_flight == 0)
        })
        .await;
}

#[tokio::test]
async fn a_body_that_is_not_well_formed_is_a_bad_request() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    let head = "POST /echo HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n";
    visitor.send(format!("{head}3\r\nabc\r\nxyz\r\n")).await;
    let (text, _) = visitor.rest().await;
    assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    assert_eq!(stage.client().await.get("/").await.body, "web.1");
    assert_eq!(*one.state.last_body.lock().expect("no panic"), "", "it never saw a whole body");
}

#[tokio::test]
async fn answers_without_a_body_keep_their_heads() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut client = stage.client().await;
    let answer = client.ask(Method::HEAD, "/", &[], "").await;
    assert_eq!((answer.header("content-length"), answer.body.as_str()), ("5", ""));
    assert_eq!(client.get("/empty").await.status, StatusCode::NO_CONTENT);
    assert_eq!(client.get("/").await.body, "web.1");
}

#[tokio::test]
async fn connections_to_instances_are_used_again() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut client = stage.client().await;
    for path in ["/", "/echo", "/empty", "/large", "/headers"] {
        for _ in 0..20 {
            client.get(path).await;
            client.ask(Method::POST, path, &[], "abc").await;
        }
    }
    assert_eq!((one.requests(), one.connections()), (200, 1));
}

#[tokio::test]
async fn a_body_that_is_too_slow_on_average_is_given_up() {
    let limits = Limits { upload_grace: Duration::from_millis(50), ..Limits::default() };
    let stage = Stage::with(limits).await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send("POST /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: 9\r\n\r\nhalf").await;
    let (text, _) = visitor.rest().await;
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
}

#[tokio::test]
async fn a_visitor_who_takes_nothing_in_is_dropped() {
    let limits = Limits { write_stall: Duration::from_millis(100), ..Limits::default() };
    let stage = Stage::with(limits).await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    // Far more than sockets hold.
    let ask = "GET /large HTTP/1.1\r\nHost: shop\r\n\r\n".repeat(20);
    visitor.send(ask).await;
    let through = |it: &_| {
        let quiet = |it: &InstanceCounters| it.started > 0 && it.in_flight == 0 && it.failed == 0;
        of(it, &one).is_some_and(quiet)
    };
    stage.report("nothing is in flight, and nobody is blamed", through).await;
    let (_, reset) = visitor.rest().await;
    assert!(reset);
}

#[tokio::test]
async fn an_answer_that_does_not_go_on_is_cut() {
    let limits = Limits { answer_gap: Duration::from_millis(100), ..Limits::default() };
    let stage = Stage::with(limits).await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send("GET /stream HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    visitor.until("first").await;
    let (_, reset) = visitor.rest().await;
    assert!(reset);
}
