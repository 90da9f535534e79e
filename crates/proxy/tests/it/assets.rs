use hyper::{Method, StatusCode};

use crate::client::Raw;
use crate::origin::{Origin, says};
use crate::stage::{Stage, canary, of, routes, stable};

const ASSET: &str = "/assets/index-BzX91kQ2.css";

#[tokio::test]
async fn a_file_that_one_release_does_not_have_is_asked_of_the_other() {
    let stage = Stage::start().await;
    let (one, two) = (Origin::start(1), Origin::start(2));
    one.says(Some(StatusCode::NOT_FOUND));
    let mut sticky = routes(1, vec![stable(100_000, &[&one]), canary(1, &[&two])]);
    sticky.apps[0].sticky = true;
    stage.apply(sticky).await;
    let mut client = stage.client().await;
    let answer = client.get(ASSET).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "web.2"));
    assert!(answer.headers.get("set-cookie").is_none(), "who asks for a file chooses nothing");
    assert_eq!(client.ask(Method::HEAD, ASSET, &[], "").await.status, StatusCode::OK);
    // Both have answered, and neither has failed.
    let all = |it: &_| of(it, &two).is_some_and(|it| it.answered == [0, 2, 0, 0, 0]);
    let report = stage.report("both were asked", all).await;
    let counters = of(&report, &one).expect("it is routed");
    assert_eq!((counters.answered, counters.failed), ([0, 0, 0, 2, 0], 0));
    assert_eq!((counters.retried, counters.in_flight), (0, 0));
    assert_eq!(one.connections(), 1, "the connection is kept");

    // What people name, what is not only read, and what was asked of one by name is not.
    let asked = two.requests();
    let named = [("x-toehold-track", "stable.open-sesame-4711")];
    for (method, path, fields) in [
        (Method::GET, "/app.js", &[][..]),
        (Method::POST, ASSET, &[]),
        (Method::DELETE, ASSET, &[]),
        (Method::GET, ASSET, &named),
    ] {
        let answer = client.ask(method.clone(), path, fields, "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    assert_eq!(two.requests(), asked);

    // A canary without a share is asked by nobody.
    stage.apply(routes(2, vec![stable(1, &[&one]), canary(0, &[&two])])).await;
    assert_eq!(client.get(ASSET).await.status, StatusCode::NOT_FOUND);
    assert_eq!(two.requests(), asked);
}

#[tokio::test]
async fn where_neither_has_a_file_or_the_other_is_dead_that_is_said() {
    let stage = Stage::start().await;
    let (one, mut two) = (Origin::start(1), Origin::start(2));
    one.says(Some(StatusCode::NOT_FOUND));
    two.says(Some(StatusCode::NOT_FOUND));
    stage.apply(routes(1, vec![stable(100_000, &[&one]), canary(1, &[&two])])).await;
    let mut client = stage.client().await;
    assert_eq!(client.get(ASSET).await.status, StatusCode::NOT_FOUND);
    assert_eq!((one.requests(), two.requests()), (1, 1));
    two.kill();
    assert_eq!(client.get(ASSET).await.status, StatusCode::NOT_FOUND);
    assert_eq!(one.requests(), 3, "it is asked again for its own answer");
    assert_eq!(client.get("/app.js").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_asks_for_files_that_nobody_has_does_not_double_the_load() {
    let stage = Stage::start().await;
    let (one, two) = (Origin::start(1), Origin::start(2));
    one.says(Some(StatusCode::NOT_FOUND));
    two.says(Some(StatusCode::NOT_FOUND));
    stage.apply(routes(1, vec![stable(100_000, &[&one]), canary(1, &[&two])])).await;
    let mut client = stage.client().await;
    for _ in 0..200 {
        assert_eq!(client.get(ASSET).await.status, StatusCode::NOT_FOUND);
    }
    // A fifth, and ten.
    assert!(one.requests() + two.requests() <= 250, "{} and {}", one.requests(), two.requests());
    assert!(two.requests() >= 40);
}

#[tokio::test]
async fn an_instance_whose_hint_was_said_answers_itself() {
    let stage = Stage::start().await;
    let hint = b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n\
                 HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno";
    let (mut one, addr) = says(1, hint).await;
    one.addr = addr;
    let two = Origin::start(2);
    stage.apply(routes(1, vec![stable(100_000, &[&one]), canary(1, &[&two])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send(format!("GET {ASSET} HTTP/1.1\r\nHost: shop\r\n\r\n")).await;
    let text = visitor.until("\r\n\r\nno").await;
    assert!(text.starts_with("HTTP/1.1 103 ") && text.contains("HTTP/1.1 404 "), "{text}");
    assert_eq!(two.requests(), 0);
}

#[tokio::test]
async fn a_long_answer_that_is_not_given_is_not_waited_for() {
    let stage = Stage::start().await;
    // The rest of it never comes.
    let begun = b"HTTP/1.1 404 Not Found\r\ncontent-length: 5000000\r\n\r\nno";
    let (mut one, addr) = says(1, begun).await;
    one.addr = addr;
    let two = Origin::start(2);
    stage.apply(routes(1, vec![stable(100_000, &[&one]), canary(1, &[&two])])).await;
    let mut client = stage.client().await;
    for _ in 0..3 {
        assert_eq!(client.get(ASSET).await.body, "web.2");
    }
}
