use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::StatusCode;
use toehold_core::wire::proxy::ProxyReport;

use crate::origin::Origin;
use crate::stage::{Stage, of, routes, stable};

#[tokio::test]
async fn a_slow_instance_gets_few_requests_also_where_nothing_else_is_in_flight() {
    let stage = Stage::start().await;
    let (one, two) = (Origin::start(1), Origin::start(2));
    one.takes(Duration::from_millis(200));
    stage.apply(routes(1, vec![stable(1, &[&one, &two])])).await;
    let mut client = stage.client().await;
    for _ in 0..60 {
        client.get("/").await;
    }
    // By what is in flight alone both would get half.
    assert!(one.requests() > 0 && one.requests() < 15, "it got {} of 60", one.requests());
}

#[tokio::test]
async fn an_instance_that_fails_in_a_row_is_passed_over_and_comes_back_by_itself() {
    let stage = Stage::start().await;
    let (one, two) = (Origin::start(1), Origin::start(2));
    one.says(Some(StatusCode::BAD_GATEWAY));
    stage.apply(routes(1, vec![stable(1, &[&one, &two])])).await;
    let mut client = stage.client().await;
    let mut failed = 0;
    for _ in 0..100 {
        failed += u32::from(client.get("/").await.status == StatusCode::BAD_GATEWAY);
    }
    assert_eq!(failed, 5, "then nobody is sent there");
    let report = stage.report("it is aside", |it| of(it, &one).is_some_and(|it| it.reached)).await;
    let counters = of(&report, &one).expect("it is routed");
    assert_eq!(counters.set_aside.as_deref(), Some("5 times in a row it answered 502"));
    assert_eq!((counters.ejections, counters.answered[4]), (1, 5));

    one.says(None);
    let asked = one.requests();
    crate::stage::eventually("it is asked again", || async {
        let mut client = stage.client().await;
        assert_eq!(client.get("/").await.status, StatusCode::OK);
        (one.requests() > asked).then_some(())
    })
    .await;
    let back = |it: &_| of(it, &one).is_some_and(|it| it.ejections == 1 && it.set_aside.is_none());
    stage.report("it is back", back).await;
}

#[tokio::test]
async fn where_all_fail_half_of_them_are_asked_all_the_same() {
    let stage = Stage::start().await;
    let origins: Vec<Origin> = (1..=5).map(Origin::start).collect();
    for origin in &origins {
        origin.says(Some(StatusCode::SERVICE_UNAVAILABLE));
    }
    stage.apply(routes(1, vec![stable(1, &origins.iter().collect::<Vec<_>>())])).await;
    let mut client = stage.client().await;
    for _ in 0..200 {
        // The app's own, not the proxy's.
        assert_eq!(client.get("/").await.body, "");
    }
    let all = |it: &ProxyReport| it.instances.iter().map(|it| it.started).sum::<u64>() == 200;
    let report = stage.report("all are counted", all).await;
    assert_eq!(aside(&report, &origins.iter().collect::<Vec<_>>()), 2, "of five");

    // Three of them leave: of the two that are left one at most is passed over.
    let left: Vec<&Origin> = origins.iter().filter(|it| aside(&report, &[it]) == 1).collect();
    stage.apply(routes(2, vec![stable(1, &left)])).await;
    let is_one = |it: &ProxyReport| it.applied.rev == 2 && aside(it, &left) == 1;
    stage.report("one of them is taken back", is_one).await;
}

/// How many of them are set aside.
fn aside(report: &ProxyReport, origins: &[&Origin]) -> usize {
    let is_aside = |it: &&&Origin| of(report, it).is_some_and(|it| it.set_aside.is_some());
    origins.iter().filter(is_aside).count()
}

#[tokio::test]
async fn an_instance_that_does_not_answer_in_time_again_and_again_is_passed_over() {
    let stage = Stage::start().await;
    let (one, two) = (Origin::start(1), Origin::start(2));
    one.takes(Duration::from_mins(1));
    let mut short = routes(1, vec![stable(1, &[&one, &two])]);
    short.apps[0].timeout = Duration::from_millis(300);
    stage.apply(short).await;
    let mut client = stage.client().await;
    let mut late = 0;
    for _ in 0..60 {
        late += u32::from(client.get("/").await.status == StatusCode::GATEWAY_TIMEOUT);
    }
    assert_eq!(late, 5, "then nobody is sent there");
    let aside = |it: &_| {
        of(it, &one).and_then(|it| it.set_aside.as_deref())
            == Some("5 times in a row it did not answer in time")
    };
    stage.report("it is aside", aside).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_is_much_slower_than_the_others_is_passed_over_for_a_while() {
    let stage = Arc::new(Stage::start().await);
    let (one, two) = (Origin::start(1), Origin::start(2));
    one.takes(Duration::from_millis(700));
    two.takes(Duration::from_millis(60));
    stage.apply(routes(1, vec![stable(1, &[&one, &two])])).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut visitors = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (stage, stop) = (stage.clone(), stop.clone());
        visitors.spawn(async move {
            let mut client = stage.client().await;
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(client.get("/").await.status, StatusCode::OK);
            }
        });
    }
    let aside = |it: &_| of(it, &one).is_some_and(|it| it.reached && it.ejections == 1);
    let report = stage.report("it is aside", aside).await;
    let why = of(&report, &one).and_then(|it| it.set_aside.clone()).expect("it is aside");
    assert!(why.starts_with("half of its answers take "), "{why}");
    let back = |it: &_| of(it, &one).is_some_and(|it| it.ejections == 1 && it.set_aside.is_none());
    one.takes(Duration::from_millis(60));
    // Of the reports from after it was aside the last one counts.
    crate::stage::eventually("it is back", || async {
        let last = stage.report("any", |_| true).await;
        back(&last).then_some(())
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = visitors.join_next().await {
        ended.expect("every GET was answered");
    }
}

#[tokio::test]
async fn an_instance_that_comes_gets_its_share_bit_by_bit() {
    let stage = Stage::start().await;
    let (mut one, two) = (Origin::start(1), Origin::start(2));
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut client = stage.client().await;
    client.get("/").await;
    stage.apply(routes(2, vec![stable(1, &[&one, &two])])).await;
    for _ in 0..100 {
        assert_eq!(client.get("/").await.status, StatusCode::OK);
    }
    assert!(two.requests() < 30, "it got {} of the first 100", two.requests());
    crate::stage::eventually("it gets its whole share", || async {
        let mut client = stage.client().await;
        let before = two.requests();
        for _ in 0..20 {
            client.get("/").await;
        }
        (two.requests() >= before + 8).then_some(())
    })
    .await;

    // One that is the only one left gets everything at once, however new it is.
    let three = Origin::start(3);
    stage.apply(routes(3, vec![stable(1, &[&one, &three])])).await;
    one.kill();
    for _ in 0..50 {
        assert_eq!(client.get("/").await.body, "web.3");
    }
}
