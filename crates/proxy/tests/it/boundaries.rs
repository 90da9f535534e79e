//! Where one message ends and the next begins, no byte of the one gets into the other.

use std::sync::Arc;
use std::time::Duration;

use toehold_proxy::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::Raw;
use crate::origin::{Origin, raw, says};
use crate::stage::{Stage, eventually, of, routes, stable};

/// Waits until an app that takes so long was given up: so much time has gone by for the proxy, too.
async fn wait_out_its_time(stage: &Stage) {
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send("GET /hold HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    assert!(visitor.until("in time.\n").await.starts_with("HTTP/1.1 504 "));
}

/// Takes a connection of the proxy, and what it asks up to this.
async fn asked(listener: &TcpListener, end: &str) -> (Raw, String) {
    let (stream, _) = listener.accept().await.expect("it is open");
    let mut line = Raw(stream);
    let text = line.until(end).await;
    (line, text)
}

#[tokio::test]
async fn names_hints_and_trailers_are_passed_on_as_they_are() {
    let stage = Stage::start().await;
    let (one, listener) = raw(1).await;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send("GET / HTTP/1.1\r\nHost: shop\r\nX-MiXed: a\r\nTE: trailers\r\n\r\n").await;
    let (mut line, head) = asked(&listener, "\r\n\r\n").await;
    assert!(head.contains("\r\nX-MiXed: a\r\n") && head.contains("\r\nte: trailers\r\n"), "{head}");
    line.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").await;
    let hint = visitor.until("\r\n\r\n").await;
    assert!(hint.starts_with("HTTP/1.1 103 ") && hint.contains("\r\nLink: </a>\r\n"), "{hint}");
    let chunks = "3\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n";
    line.send(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")).await;
    let text = visitor.until("X-Sum: 42\r\n\r\n").await;
    assert!(text.ends_with(&format!("\r\n\r\n{chunks}")), "{text}");
}

#[tokio::test]
async fn a_connection_of_http_1_0_is_kept_where_that_is_asked_for() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    for _ in 0..2 {
        visitor.send("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").await;
        assert!(visitor.until("web.1").await.contains("\r\nconnection: keep-alive\r\n"));
    }
    visitor.send("GET / HTTP/1.0\r\n\r\n").await;
    assert!(visitor.rest().await.0.ends_with("web.1"));
}

#[tokio::test]
async fn a_body_that_is_refused_is_never_the_next_request() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    let hidden = "GET /hidden HTTP/1.1\r\nHost: shop\r\n\r\n";
    let length = format!("Content-Length: {}\r\n\r\n{hidden}", hidden.len());
    let chunks =
        format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
    let behind = "GET /behind HTTP/1.1\r\nHost: shop\r\n\r\n";
    let mut small = routes(1, vec![stable(1, &[&one])]);
    small.apps[0].max_body_bytes = 10;
    for status in [404, 413] {
        for body in [&length, &chunks] {
            let mut visitor = Raw::connect(stage.addr).await;
            visitor.send(format!("POST / HTTP/1.1\r\nHost: shop\r\n{body}{behind}")).await;
            let (text, _) = visitor.rest().await;
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
            assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{body:?}: {text}");
            assert!(text.contains("connection: close\r\n"), "{text}");
        }
        stage.apply(small.clone()).await;
    }
    // What makes it too large comes later, and with it its end.
    let mut visitor = Raw::connect(stage.addr).await;
    let head = "POST /echo HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n";
    visitor.send(format!("{head}3\r\nabc\r\n")).await;
    visitor.until_read().await;
    visitor.send(format!("20\r\n{}\r\n0\r\n\r\n{behind}", "x".repeat(32))).await;
    let (text, _) = visitor.rest().await;
    assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
    assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
}

#[tokio::test]
async fn what_is_sent_ahead_while_no_instance_is_there_keeps_its_order() {
    let limits = Limits { park: Duration::from_secs(20), ..Limits::default() };
    let stage = Stage::with(limits).await;
    let mut one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    one.kill();
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send("POST /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: 10\r\n\r\n").await;
    let aside = |it: &_| of(it, &one).is_some_and(|it| it.set_aside.is_some());
    stage.report("it is set aside", aside).await;
    let pad = "x".repeat(1_000);
    let head =
        format!("POST /echo HTTP/1.1\r\nHost: shop\r\nX: {pad}\r\nContent-Length: 4\r\n\r\n");
    let ahead = (0..100).map(|at| format!("{head}{at:04}")).collect::<Vec<_>>().concat();
    // More than is read at once, and not in one piece.
    visitor.send(format!("0123456789{}", &ahead[..40_000])).await;
    visitor.until_read().await;
    visitor.send(&ahead[40_000..]).await;
    visitor.until_there().await;
    let one = Origin::start_at(1, one.addr);
    let text = visitor.until("\r\n\r\n0099").await;
    let bodies: Vec<&str> =
        text.split("\r\n\r\n").skip(1).filter_map(|it| it.split("HTTP/").next()).collect();
    let wanted: Vec<String> = std::iter::once("0123456789".to_owned())
        .chain((0..100).map(|i| format!("{i:04}")))
        .collect();
    assert_eq!(bodies, wanted);
    drop(one);
}

#[tokio::test]
async fn a_connection_stays_whoever_answered_and_however_long_it_took() {
    let limits = Limits { idle: Duration::from_secs(1), ..Limits::default() };
    let stage = Stage::with(limits).await;
    let one = Origin::start(1);
    let mut short = routes(1, vec![stable(1, &[&one])]);
    short.apps[0].timeout = Duration::from_millis(1_200);
    stage.apply(short).await;
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send("GET /hold HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    assert!(visitor.until("in time.\n").await.starts_with("HTTP/1.1 504 "));
    visitor.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    visitor.until("web.1").await;
}

#[tokio::test]
async fn a_head_that_dribbles_takes_nothing_of_the_time_for_the_answer() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    let mut short = routes(1, vec![stable(1, &[&one])]);
    short.apps[0].timeout = Duration::from_secs(1);
    stage.apply(short).await;
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send("GET / HTTP/1.1\r\n").await;
    visitor.until_read().await;
    wait_out_its_time(&stage).await;
    visitor.send("Host: shop\r\n\r\n").await;
    assert!(visitor.until("\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn words_before_an_answer_have_an_end() {
    let stage = Stage::start().await;
    let word = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let flood = format!("{}HTTP/1.1 200 OK\r\n\r\n", word.repeat(10_000));
    let (mut one, addr) = says(1, flood.into_bytes().leak()).await;
    one.addr = addr;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send("POST / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let text = visitor.until("HTTP/1.1 502 ").await;
    assert!(text.len() < 2_000_000, "{}", text.len());
}

#[tokio::test]
async fn a_connection_whose_app_answers_early_is_for_the_next_request_all_the_same() {
    let stage = Stage::start().await;
    let (one, listener) = raw(1).await;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send("POST /a HTTP/1.1\r\nHost: shop\r\nContent-Length: 9\r\n\r\nhalf").await;
    let (mut line, _) = asked(&listener, "half").await;
    line.send("HTTP/1.1 401 No\r\nContent-Length: 1\r\n\r\na").await;
    visitor.until("\r\n\r\na").await;
    visitor.send("whole").await;
    visitor.send("GET /b HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    // Over another connection: on this one the instance waits for the rest.
    let (mut other, head) = asked(&listener, "\r\n\r\n").await;
    assert!(head.starts_with("GET /b "), "{head}");
    other.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb").await;
    visitor.until("\r\n\r\nb").await;
}

#[tokio::test]
async fn an_app_that_answers_and_reads_no_further_is_heard() {
    let stage = Stage::start().await;
    let (one, listener) = raw(1).await;
    let mut large = routes(1, vec![stable(1, &[&one])]);
    large.apps[0].max_body_bytes = 1 << 30;
    stage.apply(large).await;
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send("POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 30000000\r\n\r\n").await;
    let (mut line, _) = asked(&listener, "\r\n\r\n").await;
    let (mut reader, mut writer) = visitor.0.into_split();
    let sending = tokio::spawn(async move {
        let _ = writer.write_all(&vec![b'x'; 30_000_000]).await;
        writer
    });
    line.until_unread(100_000).await;
    let answer =
        format!("HTTP/1.1 413 No\r\nContent-Length: 100000\r\n\r\n{}", "n".repeat(100_000));
    line.send(answer).await;
    // Closed with all that it did not read.
    drop(line);
    let mut text = Vec::new();
    let came = tokio::time::timeout(Duration::from_secs(10), async {
        while text.len() < 100_000 {
            match reader.read_buf(&mut text).await {
                Ok(1..) => {}
                other => panic!("{other:?} after {}", text.len()),
            }
        }
    });
    came.await.expect("it comes");
    assert!(text.starts_with(b"HTTP/1.1 413 "));
    sending.abort();
}

#[tokio::test]
async fn what_an_instance_says_unasked_is_nobodys_answer() {
    let stage = Stage::start().await;
    let (one, listener) = raw(1).await;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut client = Raw::connect(stage.addr).await;
    client.send("GET /a HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let (mut line, _) = asked(&listener, "\r\n\r\n").await;
    line.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na").await;
    client.until("\r\n\r\na").await;
    line.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray").await;
    line.until_there().await;
    client.send("GET /b HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let (mut other, _) = asked(&listener, "\r\n\r\n").await;
    other.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb").await;
    client.until("\r\n\r\nb").await;
    // One that was answered before it was whole is not followed by another, either.
    client.send("POST /c HTTP/1.1\r\nHost: shop\r\nContent-Length: 9\r\n\r\nhalf").await;
    let text = other.until("half").await;
    assert!(text.starts_with("POST /c "), "{text}");
    other.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nc").await;
    client.until("\r\n\r\nc").await;
    let mut client = Raw::connect(stage.addr).await;
    client.send("GET /d HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let (mut third, _) = asked(&listener, "\r\n\r\n").await;
    third.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nd").await;
    client.until("\r\n\r\nd").await;
}

#[tokio::test]
async fn a_connection_that_was_idle_for_long_has_its_farewell() {
    let limits = Limits { farewell: Duration::from_secs(1), ..Limits::default() };
    let stage = Stage::with(limits).await;
    let one = Arc::new(Origin::start(1));
    let mut short = routes(1, vec![stable(1, &[&one])]);
    short.apps[0].timeout = Duration::from_millis(1_100);
    stage.apply(short).await;
    let mut idle = Raw::connect(stage.addr).await;
    idle.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    idle.until("web.1").await;
    wait_out_its_time(&stage).await;
    let addr = stage.addr;
    let stopping = tokio::spawn(stage.stop());
    let refused = || async move { TcpStream::connect(addr).await.err() };
    eventually("nobody is let in any more", refused).await;
    idle.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let (text, _) = idle.rest().await;
    assert!(text.ends_with("web.1") && text.contains("connection: close\r\n"), "{text:?}");
    stopping.await.expect("no panic");
}
