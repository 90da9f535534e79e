use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use toehold_proxy::{Limits, Patience};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::origin::{Origin, Parts, raw};
use crate::stage::{Stage, eventually, of, routes, stable};
use crate::tls::{certificates, made, meet, trusting};

/// A visitor who speaks HTTP/2.
pub(crate) struct Visitor(SendRequest<Parts>);

/// Limits that are soon reached.
fn short() -> Limits {
    let brief = Duration::from_millis(200);
    Limits { idle: brief, head: brief, ..Limits::default() }
}

/// A connection that is to speak HTTP/2.
pub(crate) async fn connect(stage: &Stage) -> TlsStream<TcpStream> {
    let shop = made(&["shop.localhost"]);
    stage.certify(certificates(1, &[&shop])).await.expect("they are shown");
    let connector = trusting(&[&shop], &["h2", "http/1.1"]);
    let stream = meet(&connector, stage.tls_addr, "shop.localhost").await.expect("it is met");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    stream
}

/// Takes a connection of the proxy on which something is asked; others only look whether somebody
/// listens.
async fn asked(listener: &TcpListener) -> TcpStream {
    loop {
        let (mut stream, _) = listener.accept().await.expect("it is open");
        let mut space = [0; 4096];
        if stream.read(&mut space).await.is_ok_and(|count| count > 0) {
            return stream;
        }
    }
}

impl Visitor {
    pub(crate) async fn of(stage: &Stage) -> Self {
        let stream = connect(stage).await;
        let (sender, connection) =
            handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("it is HTTP/2");
        tokio::spawn(connection);
        Self(sender)
    }

    /// One more way to ask on the same connection.
    pub(crate) fn sender(&self) -> SendRequest<Parts> {
        self.0.clone()
    }

    pub(crate) async fn ask(&mut self, request: Request<Parts>) -> Response<Incoming> {
        self.0.send_request(request).await.expect("it is answered")
    }
}

pub(crate) fn request(method: Method, path: &str, body: impl Into<Bytes>) -> Request<Parts> {
    let uri = format!("https://shop.localhost{path}");
    let body = body.into();
    let length = body.len();
    let mut request = Request::new(Parts::all(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri.parse().expect("it is an address");
    if length > 0 {
        request.headers_mut().insert("content-length", length.into());
    }
    request
}

fn get(path: &str) -> Request<Parts> {
    request(Method::GET, path, "")
}

async fn text(response: Response<impl Body<Data = Bytes, Error = hyper::Error>>) -> String {
    let body = response.into_body().collect().await.expect("it ends well").to_bytes();
    String::from_utf8_lossy(&body).into_owned()
}

#[tokio::test]
async fn an_app_hears_of_a_request_of_http_2_as_of_any_other() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    let mut asked = get("/headers?a=b");
    for (name, value) in [
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("te", "trailers"),
        ("x-forwarded-for", "10.1.2.3"),
        ("x-request-id", "visit-1"),
    ] {
        asked.headers_mut().append(name, value.parse().expect("a value"));
    }
    let answer = visitor.ask(asked).await;
    assert_eq!(answer.headers()["x-request-id"], "visit-1");
    assert!(!answer.headers().contains_key("connection"));
    let text = text(answer).await;
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(
        lines,
        [
            "GET /headers?a=b",
            "connection: te",
            "cookie: a=1; b=2",
            "host: shop.localhost",
            "te: trailers",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: shop.localhost",
            "x-forwarded-proto: https",
            "x-request-id: visit-1",
        ]
    );
}

#[tokio::test]
async fn many_requests_of_one_connection_are_answered_at_once() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let visitor = Visitor::of(&stage).await;
    let mut held = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let mut sender = visitor.0.clone();
        held.spawn(async move {
            let held = sender.send_request(get("/hold")).await.expect("it is answered");
            text(held).await
        });
    }
    stage.report("all of them", |it| of(it, &one).is_some_and(|it| it.in_flight == 50)).await;
    one.release();
    while let Some(body) = held.join_next().await {
        assert_eq!(body.expect("no panic"), "web.1");
    }
    stage.report("none", |it| of(it, &one).is_some_and(|it| it.in_flight == 0)).await;
}

#[tokio::test]
async fn bodies_pass_whole_both_ways() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    for method in [Method::POST, Method::PUT] {
        for size in [0, 1, 1_000, 70_000, 1_000_000] {
            let body = "x".repeat(size);
            let answer = visitor.ask(request(method.clone(), "/echo", body.clone())).await;
            assert_eq!(answer.status(), StatusCode::OK, "{method} {size}");
            assert!(text(answer).await == body, "{method} of {size} bytes came back otherwise");
        }
    }
    let (sender, body) = Parts::new();
    let asked = get("/echo").map(|_| body);
    let sending = async move {
        for piece in ["abc", "de", "f"] {
            sender.send(Ok(piece.into())).await.expect("it is read");
        }
    };
    let (answer, ()) = tokio::join!(visitor.ask(asked), sending);
    assert_eq!(text(answer).await, "abcdef");
    assert_eq!(text(visitor.ask(get("/large")).await).await.len(), 3_000_000);
    let head = visitor.ask(request(Method::HEAD, "/", "")).await;
    assert_eq!(head.headers()["content-length"], "5");
    assert_eq!(text(head).await, "");
}

#[tokio::test]
async fn an_answer_arrives_piece_by_piece_with_the_fields_behind_it() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    let mut body = visitor.ask(get("/stream")).await.into_body();
    let first = body.frame().await.expect("there is one").expect("it is whole");
    assert_eq!(first.into_data().expect("it is data"), "first");
    one.release();
    assert_eq!(body.collect().await.expect("it ends well").to_bytes(), "second");
    let mut asked = get("/trailers");
    asked.headers_mut().insert("te", "trailers".parse().expect("a value"));
    let collected = visitor.ask(asked).await.into_body().collect().await.expect("it ends well");
    let sum =
        HeaderMap::from_iter([("x-sum".parse().expect("a name"), "42".parse().expect("a value"))]);
    assert_eq!(collected.trailers(), Some(&sum));
    assert_eq!(collected.to_bytes(), "body");
}

#[tokio::test]
async fn an_answer_that_comes_early_is_read_and_the_connection_goes_on() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    let (sender, body) = Parts::new();
    let answer = visitor.ask(request(Method::POST, "/early", "").map(|_| body)).await;
    assert_eq!(answer.status(), StatusCode::IM_A_TEAPOT);
    drop(sender);
    assert_eq!(text(answer).await, "");
    let answer = visitor.ask(request(Method::POST, "/echo", "x".repeat(2_000_000))).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(text(visitor.ask(get("/")).await).await, "web.1");
}

#[tokio::test]
async fn a_visitor_who_gives_up_a_stream_leaves_nothing_in_flight() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let visitor = Visitor::of(&stage).await;
    let mut sender = visitor.0.clone();
    let asking = tokio::spawn(async move { sender.send_request(get("/hold")).await });
    stage.report("in flight", |it| of(it, &one).is_some_and(|it| it.in_flight == 1)).await;
    asking.abort();
    let report = stage
        .report("gone", |it| of(it, &one).is_some_and(|it| it.started == 1 && it.in_flight == 0));
    assert_eq!(of(&report.await, &one).expect("it is routed").failed, 0);
    let log = stage.dir.path().join("access.log");
    let line = eventually("its line", || async {
        std::fs::read_to_string(&log).ok().filter(|text| text.ends_with('\n'))
    });
    assert!(line.await.contains("499"), "the access log does not know of it");
}

#[tokio::test]
async fn an_answer_that_is_cut_is_not_taken_for_a_whole_one() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    for path in ["/cut", "/cut-length"] {
        visitor.ask(get(path)).await.into_body().collect().await.expect_err("it was cut");
    }
    assert_eq!(text(visitor.ask(get("/")).await).await, "web.1");
    let log = stage.dir.path().join("access.log");
    let lines = eventually("three lines", || async {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        (text.lines().count() == 3).then_some(text)
    });
    let whole: Vec<bool> = lines.await.lines().map(|it| it.contains("\"whole\":true")).collect();
    assert_eq!(whole, [false, false, true]);
}

#[tokio::test]
async fn two_hosts_are_one_too_many() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    for (host, status) in [("shop.localhost", StatusCode::OK), ("bank", StatusCode::BAD_REQUEST)] {
        let mut asked = get("/");
        asked.headers_mut().insert("host", host.parse().expect("a value"));
        assert_eq!(visitor.ask(asked).await.status(), status, "{host}");
    }
    assert_eq!(one.requests(), 1);
}

#[tokio::test]
async fn streams_go_on_to_their_end_where_another_process_takes_over() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    let under_way = visitor.ask(get("/stream")).await;
    stage.drains(true);
    one.release();
    assert_eq!(text(under_way).await, "firstsecond");
    stage.ends().await;
}

#[tokio::test]
async fn a_stream_that_does_not_end_keeps_no_process_that_another_took_over_from() {
    let brief = Duration::from_millis(100);
    let stage = Stage::patient(Patience { answers: brief, tunnels: brief }).await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    let under_way = visitor.ask(get("/stream")).await;
    stage.drains(true);
    under_way.into_body().collect().await.expect_err("it is cut");
    stage.ends().await;
}

#[tokio::test]
async fn hints_come_before_the_answer() {
    let stage = Stage::start().await;
    let (one, listener) = raw(1).await;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let stream = connect(&stage).await;
    let (mut sender, connection) = ::h2::client::handshake(stream).await.expect("it is HTTP/2");
    tokio::spawn(connection);
    let (mut answer, _) = sender.send_request(get("/").map(drop), true).expect("it is sent");
    let mut instance = asked(&listener).await;
    let hint = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    instance.write_all(hint.as_bytes()).await.expect("it is read");
    let hinted = poll_fn(|cx| answer.poll_informational(cx)).await.expect("there is one");
    let hinted = hinted.expect("it is whole");
    assert_eq!(
        (hinted.status().as_u16(), &hinted.headers()["link"]),
        (103, &"</a>".parse().expect("a value"))
    );
    instance.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("it is read");
    assert_eq!(answer.await.expect("it is answered").status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_whole_only_where_that_ends_well() {
    let stage = Stage::start().await;
    let (one, listener) = raw(1).await;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    for breaks_off in [false, true] {
        let mut sender = visitor.0.clone();
        let asking = tokio::spawn(async move { sender.send_request(get("/")).await });
        let mut instance = asked(&listener).await;
        instance.write_all(b"HTTP/1.1 200 OK\r\n\r\nhalf").await.expect("it is read");
        let answer = asking.await.expect("no panic").expect("it is answered");
        let mut body = answer.into_body();
        let half = body.frame().await.expect("there is more").expect("it goes on");
        assert_eq!(half.into_data().expect("it is data"), "half");
        if breaks_off {
            instance.set_zero_linger().expect("it is a socket");
        }
        drop(instance);
        assert_eq!(body.collect().await.is_err(), breaks_off);
    }
    // A request behind them is answered on the same connection.
    visitor.0.ready().await.expect("it is open");
}

#[tokio::test]
async fn a_visitor_who_says_nothing_or_never_says_goodbye_is_let_go() {
    let stage = Stage::with(short()).await;
    let shop = made(&["shop.localhost"]);
    stage.certify(certificates(1, &[&shop])).await.expect("they are shown");
    let connector = trusting(&[&shop], &["h2"]);
    // The second begins as it must (an empty SETTINGS), and answers nothing from then on.
    for says in [&b""[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"] {
        let met = meet(&connector, stage.tls_addr, "shop.localhost").await;
        let mut stream = met.expect("it is met");
        stream.write_all(says).await.expect("the proxy reads");
        let mut heard = Vec::new();
        let ended = timeout(Duration::from_secs(10), stream.read_to_end(&mut heard)).await;
        // How is its own affair.
        let _ = ended.expect("it is let go");
    }
}

#[tokio::test]
async fn a_connection_ends_once_it_has_had_its_requests() {
    let stage = Stage::with(Limits { requests_per_connection: 3, ..Limits::default() }).await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    for _ in 0..3 {
        assert_eq!(text(visitor.ask(get("/")).await).await, "web.1");
    }
    let over = async { while visitor.0.send_request(get("/")).await.is_ok() {} };
    timeout(Duration::from_secs(10), over).await.expect("it ends");
}

#[tokio::test]
async fn a_visitor_who_takes_nothing_in_keeps_no_instance() {
    let write_stall = Duration::from_secs(1);
    let stage = Stage::with(Limits { write_stall, ..Limits::default() }).await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    // The library reads ahead, but not as much as all of them.
    let mut unread = Vec::new();
    for _ in 0..4 {
        unread.push(visitor.ask(get("/large")).await);
    }
    let over = |it: &_| of(it, &one).is_some_and(|it| it.started == 4 && it.in_flight == 0);
    stage.report("none in flight", over).await;
    let mut cut = 0;
    for answer in unread {
        cut += usize::from(answer.into_body().collect().await.is_err());
    }
    assert!(cut > 0, "an answer that was given up looks whole");
    // Who has room again is answered on the same connection.
    assert_eq!(text(visitor.ask(get("/")).await).await, "web.1");
}

#[tokio::test]
async fn a_proxy_stops_whatever_a_visitor_waits_for() {
    let brief = Duration::from_millis(200);
    let stage = Stage::with(Limits { shutdown: brief, ..Limits::default() }).await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Visitor::of(&stage).await;
    let under_way = visitor.ask(get("/stream")).await;
    let mut sender = visitor.0.clone();
    let waits = tokio::spawn(async move { sender.send_request(get("/hold")).await.is_err() });
    stage.report("both", |it| of(it, &one).is_some_and(|it| it.in_flight == 2)).await;
    stage.stop().await;
    assert!(waits.await.expect("no panic"));
    under_way.into_body().collect().await.expect_err("it was cut");
}

#[tokio::test]
async fn bodies_that_no_app_reads_keep_no_other_from_coming() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    let mut large = routes(1, vec![stable(1, &[&one])]);
    large.apps[0].max_body_bytes = 100_000_000;
    stage.apply(large).await;
    let mut visitor = Visitor::of(&stage).await;
    let (mut unread, much) = (Vec::new(), Bytes::from(vec![b'x'; 20_000_000]));
    for _ in 0..12 {
        let mut sender = visitor.0.clone();
        let much = request(Method::POST, "/hold", much.clone());
        unread.push(tokio::spawn(async move { sender.send_request(much).await }));
    }
    stage.report("all wait", |it| of(it, &one).is_some_and(|it| it.in_flight == 12)).await;
    let asking = visitor.ask(request(Method::POST, "/echo", "y".repeat(900_000)));
    let answer = timeout(Duration::from_secs(20), asking).await.expect("it is read");
    assert_eq!(text(answer).await.len(), 900_000);
    unread.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_with_a_page() {
    let stage = Stage::start().await;
    let mut visitor = Visitor::of(&stage).await;
    let mut asked = get("/");
    for name in ["x-one", "x-two", "x-three"] {
        asked.headers_mut().insert(name, "x".repeat(22 * 1024).parse().expect("a value"));
    }
    let page = visitor.ask(asked).await;
    assert_eq!(page.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert!(page.headers().contains_key("x-request-id"));
    assert_eq!(visitor.ask(get("/")).await.status(), StatusCode::NOT_FOUND, "it goes on");
}

#[tokio::test]
async fn who_asks_whether_to_go_on_is_told() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let stream = connect(&stage).await;
    let (mut sender, connection) = ::h2::client::handshake(stream).await.expect("it is HTTP/2");
    tokio::spawn(connection);
    let mut asked = request(Method::POST, "/echo", "").map(drop);
    asked.headers_mut().insert("expect", "100-continue".parse().expect("a value"));
    let (mut answer, mut body) = sender.send_request(asked, false).expect("it is sent");
    let told = poll_fn(|cx| answer.poll_informational(cx)).await.expect("it is told");
    assert_eq!(told.expect("it is whole").status(), StatusCode::CONTINUE);
    body.send_data("abc".into(), true).expect("it goes on");
    assert_eq!(answer.await.expect("it is answered").status(), StatusCode::OK);
}

#[tokio::test]
async fn fields_that_http_2_forbids_behind_an_answer_are_left_out() {
    let stage = Stage::start().await;
    let (one, listener) = raw(1).await;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let visitor = Visitor::of(&stage).await;
    let mut sender = visitor.0.clone();
    let asking = tokio::spawn(async move { sender.send_request(get("/")).await });
    let mut instance = asked(&listener).await;
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n";
    let fields = "Connection: close\r\nKeep-Alive: timeout=5\r\nX-Sum: 42\r\n\r\n";
    instance.write_all(format!("{chunks}{fields}").as_bytes()).await.expect("it is read");
    let answer = asking.await.expect("no panic").expect("it is answered");
    let collected = answer.into_body().collect().await.expect("it ends well");
    let trailers = collected.trailers().expect("there is one");
    assert_eq!((trailers.len(), &trailers["x-sum"]), (1, &"42".parse().expect("a value")));
}
