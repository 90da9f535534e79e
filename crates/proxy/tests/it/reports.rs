use hyper::{Method, StatusCode};

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
