use hyper::{Method, StatusCode};

use crate::client::Raw;
use crate::origin::Origin;
use crate::stage::{Stage, of, routes, stable};

#[tokio::test]
async fn a_report_says_what_was_asked_and_what_came_of_it() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(3, vec![stable(1, &[&one])])).await;
    let mut client = stage.client().await;
    for _ in 0..5 {
        client.get("/").await;
    }
    let answer = client.ask(Method::GET, "/early", &[], "").await;
    assert_eq!(answer.status, StatusCode::IM_A_TEAPOT);
    client.ask(Method::POST, "/drop", &[], "").await;
    let report = stage.report("seven", |it| of(it, &one).is_some_and(|it| it.started == 7)).await;
    assert_eq!((report.applied.epoch, report.applied.rev), (1, 3));
    assert!(report.started_at.as_ms() > 0 && report.at >= report.started_at);
    let counters = of(&report, &one).expect("it is routed");
    assert_eq!(counters.answered, [0, 5, 0, 1, 0]);
    assert_eq!((counters.failed, counters.retried, counters.in_flight), (1, 0, 0));
    assert_eq!(counters.latency.0.iter().sum::<u64>(), 6);
    assert!(counters.bytes_in > 7 * 100 && counters.bytes_out > 6 * 50, "{counters:?}");
    assert!(counters.last_started_us / 1_000 >= report.started_at.as_ms());
    assert_eq!((report.refused[0].status, report.refused[0].count), (502, 1));
}

#[tokio::test]
async fn what_fails_is_reported_at_once_and_what_was_tried_elsewhere_is_counted() {
    let stage = Stage::start().await;
    let (mut one, two) = (Origin::start(1), Origin::start(2));
    one.kill();
    stage.apply(routes(1, vec![stable(1, &[&one, &two])])).await;
    let mut client = stage.client().await;
    for _ in 0..20 {
        assert_eq!(client.get("/").await.body, "web.2");
    }
    let report = stage.report("one more try", |it| of(it, &one).is_some_and(|it| it.retried == 1));
    let report = report.await;
    let counters = of(&report, &one).expect("it is routed");
    assert_eq!(counters.failed, 1);
    assert_eq!(counters.set_aside.as_deref(), Some("it refuses connections"));
}

#[tokio::test]
async fn bytes_are_counted_both_ways_also_where_they_have_no_end_yet() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut client = stage.client().await;
    client.get("/large").await;
    client.ask(Method::POST, "/echo", &[], "x".repeat(400_000)).await;
    let counted = |it: &_, bytes_in, bytes_out| {
        let of = of(it, &one);
        of.is_some_and(|it| it.bytes_in >= bytes_in && it.bytes_out >= bytes_out)
    };
    let large = (400_000, 3_400_000);
    let report = stage.report("bodies", |it| counted(it, large.0, large.1)).await;
    let heads = of(&report, &one).map(|it| (it.bytes_in - large.0, it.bytes_out - large.1));
    assert!(heads.is_some_and(|it| it.0 < 10_000 && it.1 < 10_000), "{heads:?}");
    let mut visitor = Raw::connect(stage.addr).await;
    visitor
        .send("GET /upgrade HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        .await;
    visitor.until("\r\n\r\n").await;
    let said = "y".repeat(100_000);
    visitor.send(&said).await;
    visitor.until(&said).await;
    stage.report("a tunnel", |it| counted(it, large.0 + 100_000, large.1 + 100_000)).await;
}
