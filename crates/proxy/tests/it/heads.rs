use std::time::Duration;

use hyper::{Method, StatusCode};
use toehold_proxy::Limits;

use crate::client::Raw;
use crate::origin::Origin;
use crate::stage::{Stage, routes, stable};

#[tokio::test]
async fn an_app_hears_who_asks_and_not_who_they_claim_to_be() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let headers = [
        ("host", "shop.localhost"),
        ("x-forwarded-for", "10.1.2.3"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "for=10.1.2.3"),
        ("connection", "keep-alive, x-secret"),
        ("x-secret", "a"),
        ("x-request-id", "visit-1"),
        ("accept", "text/plain"),
    ];
    let answer = stage.client().await.ask(Method::GET, "/headers?a=%2F..", &headers, "").await;
    let mut lines: Vec<&str> = answer.body.lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(
        lines,
        [
            "GET /headers?a=%2F..",
            "accept: text/plain",
            "host: shop.localhost",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: shop.localhost",
            "x-forwarded-proto: http",
            "x-request-id: visit-1",
        ]
    );
    assert_eq!(answer.header("x-request-id"), "visit-1");
}

#[tokio::test]
async fn what_is_not_clear_is_refused_and_never_reaches_an_app() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let long = format!("X: {}", "y".repeat(70_000));
    let many = "X: y\r\n".repeat(101);
    for (status, line, fields) in [
        (400, "POST / HTTP/1.1", "Content-Length: 3\r\nTransfer-Encoding: chunked"),
        (400, "POST / HTTP/1.1", "Transfer-Encoding: chunked\r\nContent-Length: 3"),
        (400, "POST / HTTP/1.1", "Transfer-Encoding: gzip, chunked"),
        (400, "POST / HTTP/1.1", "Transfer-Encoding: identity"),
        (400, "POST / HTTP/1.1", "Content-Length: 3\r\nContent-Length: 4"),
        (400, "POST / HTTP/1.1", "Content-Length: 3,4"),
        (400, "POST / HTTP/1.1", "Content-Length : 3"),
        (400, "GET / HTTP/1.1", "X: a\r\n folded"),
        (400, "GET / HTTP/1.1", "Host: again"),
        (400, "GET /a b HTTP/1.1", "X: y"),
        (400, "\x16\x03\x01", "X: y"),
        (405, "CONNECT shop:443 HTTP/1.1", "X: y"),
        (505, "GET / HTTP/2.0", "X: y"),
        (431, "GET / HTTP/1.1", long.as_str()),
        (431, "GET / HTTP/1.1", many.trim_end()),
    ] {
        let mut visitor = Raw::connect(stage.addr).await;
        visitor.send(format!("{line}\r\nHost: shop\r\n{fields}\r\n\r\nGET / HTTP/1.1\r\n")).await;
        let (text, _) = visitor.rest().await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{line} {fields:.50}: {text}");
        assert!(text.to_lowercase().contains("\r\nconnection: close\r\n"), "{text}");
        assert!(text.contains("\r\nx-request-id: "), "{text}");
    }
    assert_eq!(one.requests(), 0);
}

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_order_and_the_bad_one_ends_it() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    // No head has these words in it, nor can an id of hex digits.
    let good = "POST /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\n\r\n";
    visitor.send(format!("{good}one{good}two{good}sixGET / HTTP/1.1\r\n\r\n{good}xyz")).await;
    let (text, reset) = visitor.rest().await;
    let statuses: Vec<&str> =
        text.match_indices("HTTP/1.1 ").map(|(at, _)| &text[at + 9..at + 12]).collect();
    assert_eq!((statuses, reset), (vec!["200", "200", "200", "400"], false), "{text}");
    let bodies: Vec<usize> = ["one", "two", "six"].iter().filter_map(|b| text.find(b)).collect();
    assert!(bodies.len() == 3 && bodies.is_sorted() && !text.contains("xyz"), "{text}");
}

#[tokio::test]
async fn a_head_that_dribbles_is_cut_and_others_are_not_held_up() {
    let limits = Limits { head: Duration::from_millis(200), ..Limits::default() };
    let stage = Stage::with(limits).await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut slow = Raw::connect(stage.addr).await;
    slow.send("GET / HTTP/1.1\r\nHost: sh").await;
    let mut client = stage.client().await;
    assert_eq!(client.get("/").await.status, StatusCode::OK);
    let (text, _) = slow.rest().await;
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    assert_eq!(client.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_without_a_word() {
    let limits = Limits { idle: Duration::from_millis(100), ..Limits::default() };
    let stage = Stage::with(limits).await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut silent = Raw::connect(stage.addr).await;
    assert_eq!(silent.rest().await, (String::new(), false));
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let (text, reset) = visitor.rest().await;
    assert!(text.ends_with("web.1") && !reset, "{text}");
}

#[tokio::test]
async fn one_connection_too_many_is_turned_away() {
    let limits = Limits { connections_per_thread: 2, ..Limits::default() };
    let stage = Stage::with(limits).await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitors = Vec::new();
    let mut turned_away = 0;
    for _ in 0..9 {
        let mut visitor = Raw::connect(stage.addr).await;
        visitor.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
        let text = visitor.until("\r\n\r\n").await;
        turned_away += usize::from(text.starts_with("HTTP/1.1 503 "));
        visitors.push(visitor);
    }
    // Two threads let in two each at most.
    assert!((5..=7).contains(&turned_away), "{turned_away} of 9");
    drop(visitors);
    crate::stage::eventually("others are let in", || async {
        let mut visitor = Raw::connect(stage.addr).await;
        visitor.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
        visitor.until("\r\n\r\n").await.starts_with("HTTP/1.1 200 ").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_target_with_a_host_in_it_and_the_header_name_the_same() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    for (host, said) in
        [("SHOP.localhost:80", "GET /headers\nhost: shop.localhost\n"), ("other", " 400 ")]
    {
        let mut visitor = Raw::connect(stage.addr).await;
        let head = format!("GET http://shop.localhost/headers HTTP/1.1\r\nHost: {host}");
        visitor.send(format!("{head}\r\nConnection: close\r\n\r\n")).await;
        let (text, _) = visitor.rest().await;
        assert!(text.contains(said), "{host}: {text}");
    }
}

#[tokio::test]
async fn a_visitor_of_http_1_0_gets_an_answer_it_can_read() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    one.release();
    for path in ["/", "/stream"] {
        let mut visitor = Raw::connect(stage.addr).await;
        visitor.send(format!("GET {path} HTTP/1.0\r\n\r\n")).await;
        let (text, reset) = visitor.rest().await;
        let body = text.split_once("\r\n\r\n").expect("there is a head").1;
        assert_eq!((body, reset), (if path == "/" { "web.1" } else { "firstsecond" }, false));
    }
}
