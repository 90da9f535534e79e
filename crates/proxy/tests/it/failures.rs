use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper::{Method, StatusCode};
use toehold_proxy::Limits;

use crate::client::Raw;
use crate::origin::{Origin, says};
use crate::stage::{Stage, canary, eventually, of, routes, stable};

/// GETs from eight visitors for as long as it is wanted. Each must be answered.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    visitors: tokio::task::JoinSet<()>,
}

impl Load {
    fn start(stage: &Arc<Stage>) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut visitors = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (stage, stop, answered) = (stage.clone(), stop.clone(), answered.clone());
            visitors.spawn(async move {
                let mut client = stage.client().await;
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.get("/").await;
                    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { stop, answered, visitors }
    }

    async fn more(&self, count: u64) {
        let before = self.answered.load(Ordering::Relaxed);
        eventually("more answers", || async {
            (self.answered.load(Ordering::Relaxed) >= before + count).then_some(())
        })
        .await;
    }

    async fn all_were_answered(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.visitors.join_next().await {
            ended.expect("every GET was answered");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_is_killed_costs_no_get() {
    let stage = Arc::new(Stage::start().await);
    let (mut one, two) = (Origin::start(1), Origin::start(2));
    stage.apply(routes(1, vec![stable(1, &[&one, &two])])).await;
    let load = Load::start(&stage);
    load.more(200).await;
    one.kill();
    load.more(200).await;
    let aside = |it: &_| of(it, &one).is_some_and(|it| it.set_aside.is_some());
    stage.report("it is set aside", aside).await;
    let one = Origin::start_at(1, one.addr);
    eventually("it is taken back", || async { (one.requests() > 10).then_some(()) }).await;
    load.all_were_answered().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_only_canary_that_is_killed_costs_no_get() {
    let stage = Arc::new(Stage::start().await);
    let (one, mut two) = (Origin::start(1), Origin::start(2));
    stage.apply(routes(1, vec![stable(2, &[&one]), canary(1, &[&two])])).await;
    let load = Load::start(&stage);
    load.more(200).await;
    two.kill();
    load.more(500).await;
    load.all_were_answered().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_wait_for_the_only_instance_to_come_back() {
    let stage = Arc::new(Stage::start().await);
    let mut one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let load = Load::start(&stage);
    load.more(200).await;
    one.kill();
    let aside = |it: &_| of(it, &one).is_some_and(|it| it.set_aside.is_some());
    stage.report("it is set aside", aside).await;
    let _one = Origin::start_at(1, one.addr);
    load.more(200).await;
    load.all_were_answered().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_wait_for_routes_to_another_instance() {
    let stage = Arc::new(Stage::start().await);
    let (mut one, two) = (Origin::start(1), Origin::start(2));
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let load = Load::start(&stage);
    load.more(100).await;
    one.kill();
    stage.apply(routes(2, vec![stable(1, &[&two])])).await;
    load.more(100).await;
    load.all_were_answered().await;
}

#[tokio::test]
async fn where_no_instance_comes_back_it_is_said_and_remembered() {
    let limits = Limits { park: Duration::from_millis(50), ..Limits::default() };
    let stage = Stage::with(limits).await;
    let mut one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    one.kill();
    let mut client = stage.client().await;
    let answer = client.get("/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), "1");
    let report =
        stage.report("it is set aside", |it| of(it, &one).is_some_and(|it| it.set_aside.is_some()));
    let counters = of(&report.await, &one).expect("it is routed").clone();
    assert_eq!(counters.set_aside.as_deref(), Some("it refuses connections"));
    assert!(counters.failed >= 1);
    let _one = Origin::start_at(1, one.addr);
    assert_eq!(client.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_post_that_was_sent_is_not_repeated_and_a_get_is_once() {
    let stage = Stage::start().await;
    let (one, two) = (Origin::start(1), Origin::start(2));
    stage.apply(routes(1, vec![stable(1, &[&one, &two])])).await;
    let mut client = stage.client().await;
    let answer = client.ask(Method::POST, "/drop", &[], "a").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(one.requests() + two.requests(), 1);

    let answer = client.ask(Method::PUT, "/drop", &[], "a").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(one.requests() + two.requests(), 3);
    assert!(one.requests() > 0 && two.requests() > 0, "it was tried elsewhere");
}

#[tokio::test]
async fn a_body_of_which_a_part_was_sent_is_not_sent_on_elsewhere() {
    let stage = Stage::start().await;
    let two = Origin::start(2);
    // It reads a little and closes, which resets what is still being sent.
    let (mut one, addr) = says(1, b"").await;
    one.addr = addr;
    stage.apply(routes(1, vec![stable(1_000, &[&one]), canary(1, &[&two])])).await;
    let body = "x".repeat(1_000_000);
    let answer = stage.client().await.ask(Method::POST, "/echo", &[], body).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{}", answer.body);
    assert_eq!(two.requests(), 0);
}

#[tokio::test]
async fn a_post_that_could_not_be_sent_goes_elsewhere() {
    let stage = Stage::start().await;
    let (mut one, two) = (Origin::start(1), Origin::start(2));
    stage.apply(routes(1, vec![stable(2, &[&one]), canary(1, &[&two])])).await;
    let mut client = stage.client().await;
    for _ in 0..10 {
        client.ask(Method::POST, "/echo", &[], "a").await;
    }
    one.kill();
    for _ in 0..10 {
        let answer = client.ask(Method::POST, "/echo", &[], "body").await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "body"));
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_is_not_taken_for_a_whole_one() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    for path in ["/cut", "/cut-length"] {
        let mut visitor = Raw::connect(stage.addr).await;
        visitor.send(format!("GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n")).await;
        let (text, _) = visitor.rest().await;
        assert!(text.contains("second") && !text.contains("\r\n0\r\n"), "{text}");
    }
    // Where only the end of the connection ends an answer, the connection does not end well.
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send("GET /cut HTTP/1.0\r\nHost: shop\r\n\r\n").await;
    let (_, reset) = visitor.rest().await;
    assert!(reset);
    let failed = |it: &_| of(it, &one).is_some_and(|it| it.failed == 3);
    stage.report("three failures", failed).await;
}

#[tokio::test]
async fn an_instance_that_takes_too_long_is_given_up() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    let mut short = routes(1, vec![stable(1, &[&one])]);
    short.apps[0].timeout = Duration::from_millis(50);
    stage.apply(short).await;
    let answer = stage.client().await.get("/hold").await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    let failed = |it: &_| of(it, &one).is_some_and(|it| it.failed == 1 && it.in_flight == 0);
    stage.report("one failure", failed).await;
}

#[tokio::test]
async fn what_is_not_http_is_a_bad_gateway() {
    let stage = Stage::start().await;
    let (mut one, addr) = says(1, b"SSH-2.0-OpenSSH\r\n\r\n").await;
    one.addr = addr;
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let answer = stage.client().await.get("/").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(answer.body.contains("not valid HTTP"), "{}", answer.body);
}

#[tokio::test]
async fn a_visitor_who_leaves_leaves_nothing_in_flight() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut visitor = Raw::connect(stage.addr).await;
    visitor.send("GET /hold HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    stage.report("in flight", |it| of(it, &one).is_some_and(|it| it.in_flight == 1)).await;
    drop(visitor);
    let report = stage
        .report("gone", |it| of(it, &one).is_some_and(|it| it.started == 1 && it.in_flight == 0));
    assert_eq!(of(&report.await, &one).expect("it is routed").failed, 0);
}
