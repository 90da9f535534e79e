use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hyper::StatusCode;
use toehold_core::model::{AppName, Track};
use toehold_core::wire::proxy::AppRoute;

use crate::origin::Origin;
use crate::stage::{Stage, arm, canary, instance, of, routes, stable};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_three_requests_get_stable() {
    let stage = Stage::start().await;
    let (one, two) = (Origin::start(1), Origin::start(2));
    stage.apply(routes(1, vec![stable(2, &[&one]), canary(1, &[&two])])).await;
    let mut client = stage.client().await;
    for _ in 0..3_000 {
        assert_eq!(client.get("/").await.status, StatusCode::OK);
    }
    // Four standard deviations of 3000 draws at one third are 103.
    let canary = two.requests();
    assert!(canary.abs_diff(1_000) < 103, "the canary got {canary} of 3000");
    assert_eq!(one.requests() + canary, 3_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_changes_under_load_lose_no_request() {
    let stage = Arc::new(Stage::start().await);
    let origins: Vec<Origin> = (1..=4).map(Origin::start).collect();
    stage.apply(routes(1, vec![stable(1, &[&origins[0]])])).await;
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let mut load = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (stage, stop, answered) = (stage.clone(), stop.clone(), answered.clone());
        load.spawn(async move {
            let mut client = stage.client().await;
            while !stop.load(Ordering::Relaxed) {
                let answer = client.get("/").await;
                assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    for rev in 2..12 {
        let at = usize::try_from(rev % 4).expect("it is small");
        let (here, there) = (&origins[at], &origins[(at + 1) % 4]);
        let before = answered.load(Ordering::Relaxed);
        stage.apply(routes(rev, vec![stable(2, &[here]), canary(1, &[there])])).await;
        crate::stage::eventually("more answers", || async {
            (answered.load(Ordering::Relaxed) > before + 50).then_some(())
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = load.join_next().await {
        ended.expect("no request was lost");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_begins_after_a_change_sees_the_routes_before() {
    let stage = Stage::start().await;
    let (one, two) = (Origin::start(1), Origin::start(2));
    stage.apply(routes(1, vec![stable(1, &[&one]), canary(1, &[&two])])).await;
    let mut client = stage.client().await;
    for _ in 0..50 {
        client.get("/").await;
    }
    // On the same kept connection.
    let applied_us = stage.apply(routes(2, vec![stable(1, &[&one]), canary(0, &[&two])])).await;
    let before = two.requests();
    for _ in 0..50 {
        client.get("/").await;
    }
    assert_eq!(two.requests(), before);
    let report = stage
        .report("all counted", |report| {
            of(report, &one).is_some_and(|it| it.started + before == 100)
        })
        .await;
    let last_us = of(&report, &two).expect("it is still routed").last_started_us;
    assert!(last_us <= applied_us, "{last_us} is after {applied_us}");
}

#[tokio::test]
async fn older_or_wrong_routes_are_refused_and_change_nothing() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(5, vec![stable(1, &[&one])])).await;
    let older = stage.refused(routes(4, vec![])).await;
    assert!(older.contains("older (1.4) than those in force (1.5)"), "{older}");
    let nobody = stage.refused(routes(6, vec![stable(1, &[])])).await;
    assert!(nobody.contains("stable should get requests and has no instance"), "{nobody}");
    assert_eq!(stage.client().await.get("/").await.body, "web.1");
}

#[tokio::test]
async fn a_host_leads_to_its_app_and_an_unknown_one_to_advice() {
    let stage = Stage::start().await;
    let (one, two) = (Origin::start(1), Origin::start(2));
    let mut both = routes(1, vec![stable(1, &[&one])]);
    let app: AppName = "blog".parse().expect("it is a name");
    let mut arms = vec![stable(1, &[&two])];
    arms[0].targets[0].instance = toehold_core::model::InstanceId::new(app.clone(), 2);
    let hosts = vec!["blog.example.com".into()];
    both.apps.push(AppRoute { app, hosts, arms, ..both.apps[0].clone() });
    stage.apply(both).await;
    let mut client = stage.client().await;
    for (host, body) in [
        ("shop.localhost", "web.1"),
        ("SHOP.localhost:8080", "web.1"),
        ("blog.localhost.", "web.2"),
        ("blog.example.com", "web.2"),
    ] {
        let answer = client.ask(hyper::Method::GET, "/", &[("host", host)], "").await;
        assert_eq!(answer.body, body, "{host}");
    }
    let answer = client.ask(hyper::Method::GET, "/", &[("host", "other")], "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.body.contains("http://<app>.localhost"), "{}", answer.body);
    let html = [("host", "other"), ("accept", "text/html,*/*")];
    let answer = client.ask(hyper::Method::GET, "/", &html, "").await;
    assert!(answer.header("content-type").starts_with("text/html"));
    assert!(answer.body.contains("http://&lt;app>.localhost"), "{}", answer.body);
}

#[tokio::test]
async fn an_app_without_instances_says_when_to_come_back() {
    let stage = Stage::start().await;
    stage.apply(routes(1, vec![])).await;
    let answer = stage.client().await.get("/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.header("x-request-id").len(), 32);
    let refused = stage.report("it was counted", |report| !report.refused.is_empty()).await.refused;
    assert_eq!((refused[0].status, refused[0].count), (503, 1));
}

#[tokio::test]
async fn an_instance_is_counted_as_what_it_is_routed_as() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![arm(Track::Canary, 7, 1, &[&one])])).await;
    stage.client().await.get("/").await;
    let report = stage.report("a request", |it| of(it, &one).is_some_and(|it| it.started == 1));
    let counters = of(&report.await, &one).expect("it was there").clone();
    assert_eq!((counters.instance, counters.track), (instance(1), Track::Canary));
    assert_eq!(counters.release.0, 7);
}
