use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use toehold_core::wire::proxy::FromProxy;
use toehold_proxy::Limits;

use crate::origin::Origin;
use crate::stage::{Stage, eventually, routes, stable};

#[tokio::test]
async fn the_first_word_says_who_speaks() {
    let stage = Stage::start().await;
    let hello = eventually("hello", || async { stage.said().first().cloned() }).await;
    let listens = vec![stage.addr.to_string(), stage.tls_addr.to_string()];
    assert_eq!(hello, FromProxy::Hello { version: "0.0.0-test".into(), listens });
}

#[tokio::test]
async fn routes_outlive_the_proxy_and_the_control_plane() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(7, vec![stable(1, &[&one])])).await;
    let dir = stage.dir.clone();
    eventually("it is kept", || async {
        dir.path().join("proxy/routes.json").exists().then_some(())
    })
    .await;
    stage.stop().await;

    let alone = Stage::again(Limits::default(), dir.clone(), false).await;
    let answer = alone.client().await.get("/").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "web.1"));
    alone.stop().await;

    // What was in force before the restart is not gone back on.
    let again = Stage::again(Limits::default(), dir, true).await;
    let why = again.refused(routes(6, vec![])).await;
    assert!(why.contains("older"), "{why}");
    assert_eq!(again.client().await.get("/").await.body, "web.1");
}

#[tokio::test]
async fn the_same_routes_again_are_in_force_already() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    let same = routes(1, vec![stable(1, &[&one])]);
    let first = stage.apply(same.clone()).await;
    assert_eq!(stage.apply(same).await, first);
    let why = stage.refused(routes(1, vec![])).await;
    assert!(why.contains("same number"), "{why}");
}

#[tokio::test]
async fn requests_under_way_are_finished_when_it_stops() {
    let stage = Stage::start().await;
    let one = Arc::new(Origin::start(1));
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut client = stage.client().await;
    let under_way = tokio::spawn(async move { client.get("/hold").await });
    eventually("it is under way", || async { (one.requests() == 1).then_some(()) }).await;
    let stopping = tokio::spawn(stage.stop());
    one.release();
    assert_eq!(under_way.await.expect("no panic").body, "web.1");
    stopping.await.expect("no panic");
}

#[tokio::test]
async fn a_request_that_comes_while_it_stops_is_answered_as_the_last() {
    let limits = Limits { farewell: Duration::from_secs(30), ..Limits::default() };
    let stage = Stage::with(limits).await;
    let one = Arc::new(Origin::start(1));
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let (mut client, mut idle) = (stage.client().await, stage.client().await);
    assert_eq!(idle.get("/").await.header("connection"), "");
    let under_way = tokio::spawn(async move { client.get("/hold").await });
    eventually("it is under way", || async { (one.requests() == 2).then_some(()) }).await;
    let addr = stage.addr;
    let stopping = tokio::spawn(stage.stop());
    eventually("it takes no new connections", || async {
        tokio::net::TcpStream::connect(addr).await.is_err().then_some(())
    })
    .await;
    let last = idle.get("/").await;
    assert_eq!((last.body.as_str(), last.header("connection")), ("web.1", "close"));
    one.release();
    assert_eq!(under_way.await.expect("no panic").header("connection"), "close");
    stopping.await.expect("no panic");
}
