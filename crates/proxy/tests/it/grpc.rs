use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use toehold_core::wire::proxy::ProxyReport;
use toehold_proxy::Limits;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::h2::{Visitor, connect, request};
use crate::origin::{Origin, Parts};
use crate::stage::{Stage, eventually, of, routes, stable};

/// An instance that speaks HTTP/2 alone: it says each piece back as it comes, and ends well.
async fn echo(origin: &mut Origin) {
    narrow_echo(origin, 200).await;
}

/// One that takes so many calls of a connection at a time; how many connections are open.
async fn narrow_echo(origin: &mut Origin, calls: u32) -> Arc<AtomicUsize> {
    let open = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    origin.addr = listener.local_addr().expect("it is bound");
    let count = open.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let count = count.clone();
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .max_concurrent_streams(calls)
                .serve_connection(TokioIo::new(stream), service_fn(said_back));
            tokio::spawn(async move {
                count.fetch_add(1, Ordering::Relaxed);
                let _ = serving.await;
                count.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
    open
}

async fn said_back(request: Request<Incoming>) -> Result<Response<Parts>, Infallible> {
    if request.headers().contains_key("x-never") {
        let _ = request.into_body().collect().await;
        return std::future::pending().await;
    }
    let headers = request.headers().clone();
    let (sender, mut parts) = Parts::new();
    if headers.contains_key("x-unread") {
        // Held until the call is given up.
        let _unread = request;
        return std::future::pending().await;
    }
    if headers.contains_key("x-status") {
        let mut response = Response::new(Parts::all("".into()));
        response.headers_mut().insert("content-type", headers["content-type"].clone());
        response.headers_mut().insert("grpc-status", headers["x-status"].clone());
        return Ok(response);
    }
    if headers.contains_key("x-at-the-end") {
        let mut coming = request.into_body();
        while let Some(Ok(_)) = coming.frame().await {}
        let mut response = Response::new(Parts::all("heard".into()));
        response.headers_mut().insert("content-type", headers["content-type"].clone());
        return Ok(response);
    }
    parts.trailers = HeaderMap::from_iter([
        (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0")),
        (HeaderName::from_static("x-heard"), headers["x-forwarded-for"].clone()),
    ]);
    let mut coming = request.into_body();
    tokio::spawn(async move {
        while let Some(Ok(frame)) = coming.frame().await {
            let Ok(piece) = frame.into_data() else { continue };
            if sender.send(Ok(piece)).await.is_err() {
                return;
            }
        }
    });
    if headers.contains_key("x-much") {
        parts = Parts::all(vec![b'x'; 3_000_000].into());
    }
    let mut response = Response::new(parts);
    response.headers_mut().insert("content-type", headers["content-type"].clone());
    Ok(response)
}

fn call(body: Parts) -> Request<Parts> {
    let mut call = request(Method::POST, "/shop.Cart/Watch", "").map(|_| body);
    for (name, value) in [
        ("content-type", "application/grpc+proto"),
        ("te", "trailers"),
        ("x-forwarded-for", "10.0.0.1"),
    ] {
        call.headers_mut().insert(name, value.parse().expect("a value"));
    }
    call
}

#[tokio::test]
async fn a_call_goes_both_ways_at_once_and_ends_with_its_status() {
    let stage = Stage::start().await;
    let mut one = Origin::start(1);
    echo(&mut one).await;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    let (sender, body) = Parts::new();
    let answer = visitor.ask(call(body)).await;
    assert_eq!(answer.headers()["content-type"], "application/grpc+proto");
    assert!(answer.headers().contains_key("x-request-id"));
    let mut coming = answer.into_body();
    for piece in ["one", "two", "three"] {
        sender.send(Ok(piece.into())).await.expect("it is read");
        let said = coming.frame().await.expect("there is more").expect("it goes on");
        assert_eq!(said.into_data().expect("it is data"), piece);
    }
    stage.report("in flight", |it| of(it, &one).is_some_and(|it| it.in_flight == 1)).await;
    drop(sender);
    let rest = coming.collect().await.expect("it ends well");
    let trailers = rest.trailers().expect("there are some");
    assert_eq!(
        (&trailers["grpc-status"], &trailers["x-heard"]),
        (&"0".parse().expect("a value"), &"127.0.0.1".parse().expect("a value"))
    );
    let over = |it: &_| of(it, &one).is_some_and(|it| it.in_flight == 0 && it.answered[1] == 1);
    stage.report("none in flight", over).await;
}

#[tokio::test]
async fn a_call_that_no_instance_takes_ends_as_grpc_says() {
    let stage = Stage::start().await;
    let (mut one, mut two) = (Origin::start(1), Origin::start(2));
    one.kill();
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    let (_sender, body) = Parts::new();
    let answer = visitor.ask(call(body)).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["grpc-status"]),
        (200, &"14".parse().expect("a value"))
    );
    // Another one takes it, before anything was sent.
    echo(&mut two).await;
    stage.apply(routes(2, vec![stable(1, &[&one, &two])])).await;
    for _ in 0..10 {
        let (sender, body) = Parts::new();
        drop(sender);
        let answer =
            visitor.ask(call(body)).await.into_body().collect().await.expect("it ends well");
        assert_eq!(answer.trailers().expect("there are some")["grpc-status"], "0");
    }
}

#[tokio::test]
async fn a_call_has_a_line_in_the_access_log_when_it_is_through() {
    let dir = Arc::new(tempfile::tempdir().expect("a folder"));
    let log = dir.path().join("access.log");
    std::fs::write(&log, "").expect("it is written");
    let stage = Stage::again(Limits::default(), dir, true).await;
    let mut one = Origin::start(1);
    echo(&mut one).await;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    let (sender, body) = Parts::new();
    let answer = visitor.ask(call(body)).await;
    sender.send(Ok("twelve bytes".into())).await.expect("it is read");
    drop(sender);
    answer.into_body().collect().await.expect("it ends well");
    let lines = eventually("a line", || async {
        let text = std::fs::read_to_string(&log).expect("it is there");
        (!text.is_empty()).then_some(text)
    });
    let line: Value = serde_json::from_str(lines.await.trim()).expect("it is JSON");
    // One that is refused by the app is one line more, and as whole.
    let mut refused = call(Parts::all("x".into()));
    refused.headers_mut().insert("x-status", HeaderValue::from_static("5"));
    assert_eq!(visitor.ask(refused).await.headers()["grpc-status"], "5");
    let second = eventually("a second line", || async {
        let text = std::fs::read_to_string(&log).expect("it is there");
        text.lines().nth(1).map(str::to_owned)
    });
    let second: Value = serde_json::from_str(&second.await).expect("it is JSON");
    assert_eq!((&second["status"], &second["whole"]), (&200.into(), &true.into()), "{second}");
    for (name, value) in [
        ("client", "127.0.0.1"),
        ("method", "POST"),
        ("path", "/shop.Cart/Watch"),
        ("protocol", "HTTP/2.0"),
        ("app", "shop"),
        ("instance", "shop/web.1"),
    ] {
        assert_eq!(line[name], value, "{name} of {line}");
    }
    assert_eq!(
        (&line["status"], &line["bytes"], &line["whole"]),
        (&200.into(), &12.into(), &true.into())
    );
}

#[tokio::test]
async fn answers_that_nobody_reads_do_not_keep_others_from_theirs() {
    let stage = Stage::start().await;
    let mut one = Origin::start(1);
    echo(&mut one).await;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    // More visitors than threads, each with more than one.
    let mut unread = Vec::new();
    for _ in 0..6 {
        let mut visitor = Visitor::of(&stage).await;
        for _ in 0..4 {
            let mut much = call(Parts::all("x".into()));
            much.headers_mut().insert("x-much", HeaderValue::from_static("1"));
            unread.push(visitor.ask(much).await);
        }
    }
    let ahead =
        |it: &ProxyReport| of(it, &one).is_some_and(|it| it.bytes_out + it.bytes_in > 20_000_000);
    stage.report("as much as may be sent ahead", ahead).await;
    for _ in 0..6 {
        let mut visitor = Visitor::of(&stage).await;
        let answering = async {
            let answer = visitor.ask(call(Parts::all("x".into()))).await;
            answer.into_body().collect().await.expect("it ends well").to_bytes()
        };
        let said = timeout(Duration::from_secs(10), answering).await;
        assert_eq!(said.expect("it is answered"), "x");
    }
}

#[tokio::test]
async fn a_visitor_who_does_not_end_its_call_is_no_failure_of_an_instance() {
    let stage = Stage::start().await;
    let mut one = Origin::start(1);
    echo(&mut one).await;
    let mut soon = routes(1, vec![stable(1, &[&one])]);
    soon.apps[0].timeout = Duration::from_millis(300);
    stage.apply(soon).await;
    let mut visitor = Visitor::of(&stage).await;
    for (whole, failed) in [(false, 0), (true, 1)] {
        let (sender, body) = Parts::new();
        let mut asked = call(body);
        asked.headers_mut().insert("x-never", HeaderValue::from_static("1"));
        let held = Some(sender).filter(|_| !whole);
        let answer = visitor.ask(asked).await;
        assert_eq!(answer.headers()["grpc-status"], "4", "{whole}");
        drop(held);
        let begun = 1 + u64::from(whole);
        let counted = |it: &ProxyReport| {
            of(it, &one).is_some_and(|it| it.started == begun && it.failed == failed)
        };
        stage.report("counted", counted).await;
    }
}

#[tokio::test]
async fn what_only_looks_like_a_call_goes_to_no_instance_by_http_2() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    let mut get = call(Parts::all("".into()));
    *get.method_mut() = Method::GET;
    // An instance of HTTP/1.1 answers it.
    assert_eq!(visitor.ask(get).await.status(), 200);
    for kind in ["application/grpc-web+proto", "application/grpcish"] {
        let mut other = call(Parts::all("".into()));
        other.headers_mut().insert("content-type", HeaderValue::from_static(kind));
        assert!(!visitor.ask(other).await.headers().contains_key("grpc-status"), "{kind}");
    }
    let mut tunnel = call(Parts::all("".into()));
    *tunnel.method_mut() = Method::CONNECT;
    *tunnel.uri_mut() = "shop.localhost:443".parse().expect("it is an authority");
    assert!(visitor.ask(tunnel).await.status().is_client_error());
    let mut named = call(Parts::all("".into()));
    *named.uri_mut() = "https://me:secret@shop.localhost/a.B/C".parse().expect("an address");
    assert_eq!(visitor.ask(named).await.headers()["grpc-status"], "14");
    assert_eq!(one.requests(), 3);
}

#[tokio::test]
async fn calls_to_an_app_that_does_not_speak_it_are_held_against_no_instance() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    for _ in 0..20 {
        let answer = visitor.ask(call(Parts::all("x".into()))).await;
        assert_eq!(answer.headers()["grpc-status"], "14");
    }
    assert_eq!(visitor.ask(request(Method::GET, "/", "")).await.status(), 200);
    let counted = |it: &ProxyReport| of(it, &one).is_some_and(|it| it.answered[1] == 1);
    let report = stage.report("the request", counted).await;
    assert_eq!(of(&report, &one).expect("it is routed").failed, 0);
}

#[tokio::test]
async fn a_call_may_say_its_host_as_a_field() {
    let stage = Stage::start().await;
    let mut one = Origin::start(1);
    echo(&mut one).await;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let stream = connect(&stage).await;
    let (mut sender, connection) = ::h2::client::handshake(stream).await.expect("it is HTTP/2");
    tokio::spawn(connection);
    let mut asked = call(Parts::all("".into())).map(drop);
    *asked.uri_mut() = "/shop.Cart/Watch".parse().expect("a path");
    asked.headers_mut().insert("host", HeaderValue::from_static("shop.localhost"));
    let (answer, _) = sender.send_request(asked, true).expect("it is sent");
    let answer = answer.await.expect("it is answered");
    assert!(!answer.headers().contains_key("grpc-status"), "{:?}", answer.headers());
}

#[tokio::test]
async fn the_time_for_an_answer_begins_when_the_visitor_has_said_the_last_of_its_call() {
    let stage = Stage::start().await;
    let mut one = Origin::start(1);
    echo(&mut one).await;
    let mut soon = routes(1, vec![stable(1, &[&one])]);
    soon.apps[0].timeout = Duration::from_millis(1_500);
    stage.apply(soon).await;
    let mut visitor = Visitor::of(&stage).await;
    let (sender, body) = Parts::new();
    let mut asked = call(body);
    asked.headers_mut().insert("x-at-the-end", HeaderValue::from_static("1"));
    let sending = async move {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(2) {
            sender.send(Ok("piece".into())).await.expect("it is read");
        }
    };
    let (answer, ()) = tokio::join!(visitor.ask(asked), sending);
    assert!(!answer.headers().contains_key("grpc-status"), "{:?}", answer.headers());
}

#[tokio::test]
async fn a_call_that_is_silent_for_too_long_ends_and_one_that_says_something_does_not() {
    let brief = Duration::from_millis(1_500);
    let stage = Stage::with(Limits { tunnel_idle: brief, ..Limits::default() }).await;
    let mut one = Origin::start(1);
    echo(&mut one).await;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    let (sender, body) = Parts::new();
    let mut coming = visitor.ask(call(body)).await.into_body();
    let begun = Instant::now();
    while begun.elapsed() < brief + brief / 4 {
        sender.send(Ok("still there".into())).await.expect("it is read");
        coming.frame().await.expect("there is more").expect("it goes on");
    }
    let over = timeout(Duration::from_secs(10), coming.frame()).await.expect("it ends");
    over.expect("it is said").expect_err("it broke off");
    stage.report("none in flight", |it| of(it, &one).is_some_and(|it| it.in_flight == 0)).await;
}

#[tokio::test]
async fn more_calls_than_a_connection_takes_wait_for_none_of_them() {
    let stage = Stage::start().await;
    let mut one = Origin::start(1);
    let open = narrow_echo(&mut one, 2).await;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    let mut under_way = Vec::new();
    for _ in 0..20 {
        let (sender, body) = Parts::new();
        let answer = timeout(Duration::from_secs(10), visitor.ask(call(body))).await;
        under_way.push((sender, answer.expect("it is answered")));
    }
    let all = |it: &ProxyReport| of(it, &one).is_some_and(|it| it.in_flight == 20);
    stage.report("all of them", all).await;
    assert!(open.load(Ordering::Relaxed) >= 10);
    // What nobody needs any more is closed, but for one at the thread that may need it again.
    drop(under_way);
    eventually("one is left", || async { (open.load(Ordering::Relaxed) <= 1).then_some(()) }).await;
}

#[tokio::test]
async fn many_calls_at_once_wait_for_none_of_them_either() {
    let stage = Stage::start().await;
    let mut one = Origin::start(1);
    narrow_echo(&mut one, 10).await;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    // By now it is known how many it takes.
    visitor.ask(call(Parts::all("x".into()))).await.into_body().collect().await.expect("whole");
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let mut sender = visitor.sender();
        asking.spawn(async move {
            let (held, body) = Parts::new();
            (sender.send_request(call(body)).await.expect("it is answered"), held)
        });
    }
    let all = timeout(Duration::from_secs(20), asking.join_all()).await.expect("all are");
    assert_eq!(all.len(), 50);
    stage.report("all of them", |it| of(it, &one).is_some_and(|it| it.in_flight == 50)).await;
}

#[tokio::test]
async fn an_instance_hears_that_a_call_is_given_up_also_where_it_reads_nothing() {
    let stage = Stage::start().await;
    let mut one = Origin::start(1);
    narrow_echo(&mut one, 1).await;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let visitor = Visitor::of(&stage).await;
    let mut sender = visitor.sender();
    let mut unread = call(Parts::all(vec![b'x'; 1_000_000].into()));
    unread.headers_mut().insert("x-unread", HeaderValue::from_static("1"));
    let asking = tokio::spawn(async move { sender.send_request(unread).await });
    // More than is on its way by itself has gone.
    let full = |it: &ProxyReport| of(it, &one).is_some_and(|it| it.in_flight == 1);
    stage.report("it is there", full).await;
    asking.abort();
    stage.report("it is not", |it| of(it, &one).is_some_and(|it| it.in_flight == 0)).await;
    // The only place on the connection is free again.
    let mut sender = visitor.sender();
    let next = timeout(Duration::from_secs(10), sender.send_request(call(Parts::all("x".into()))));
    let next = next.await.expect("it is answered").expect("it is answered well");
    assert_eq!(next.into_body().collect().await.expect("it ends well").to_bytes(), "x");
}
