use std::sync::Arc;
use std::time::Duration;

use toehold_proxy::Patience;

use crate::client::Raw;
use crate::origin::Origin;
use crate::stage::{Stage, eventually, of, routes, stable};

const UPGRADE: &str =
    "GET /upgrade HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

#[tokio::test]
async fn who_drains_takes_nobody_new_and_ends_once_all_is_through() {
    let stage = Stage::start().await;
    let one = Arc::new(Origin::start(1));
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let (mut client, mut idle) = (stage.client().await, stage.client().await);
    assert_eq!(idle.get("/").await.header("connection"), "");
    let under_way = tokio::spawn(async move { client.get("/hold").await });
    eventually("it is under way", || async { (one.requests() == 2).then_some(()) }).await;
    let mut talk = Raw::connect(stage.addr).await;
    talk.send(UPGRADE).await;
    talk.until("\r\n\r\n").await;
    stage.drains(true);
    // Whoever was there is heard, once more; whoever comes waits for the other process.
    eventually("it drains", || async {
        let mut new = Raw::connect(stage.addr).await;
        new.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
        let heard = tokio::time::timeout(Duration::from_millis(50), new.until("web.1")).await;
        heard.is_err().then_some(())
    })
    .await;
    let last = idle.get("/").await;
    assert_eq!((last.body.as_str(), last.header("connection")), ("web.1", "close"));
    talk.send("still there").await;
    talk.until("still there").await;
    // Routes are obeyed by who drains, too.
    stage.apply(routes(2, vec![stable(1, &[&one])])).await;
    one.release();
    assert_eq!(under_way.await.expect("no panic").header("connection"), "close");
    drop(talk);
    stage.ends().await;
}

#[tokio::test]
async fn who_drains_serves_again_where_the_other_process_is_gone() {
    let stage = Stage::start().await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut talk = Raw::connect(stage.addr).await;
    talk.send(UPGRADE).await;
    talk.until("\r\n\r\n").await;
    for _ in 0..3 {
        stage.drains(true);
        let mut waits = Raw::connect(stage.addr).await;
        waits.send("GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await;
        stage.drains(false);
        assert!(waits.until("web.1").await.starts_with("HTTP/1.1 200 "));
        let mut client = stage.client().await;
        eventually("connections are kept again", || async {
            let mut client = stage.client().await;
            client.get("/").await.header("connection").is_empty().then_some(())
        })
        .await;
        assert_eq!(client.get("/").await.body, "web.1");
        talk.send("still there").await;
        talk.until("still there").await;
    }
}

#[tokio::test]
async fn what_is_under_way_for_too_long_is_ended_and_what_was_counted_is_said() {
    let patience =
        Patience { answers: Duration::from_millis(50), tunnels: Duration::from_millis(100) };
    let stage = Stage::patient(patience).await;
    let one = Origin::start(1);
    stage.apply(routes(1, vec![stable(1, &[&one])])).await;
    let mut talk = Raw::connect(stage.addr).await;
    talk.send(UPGRADE).await;
    talk.until("\r\n\r\n").await;
    let mut slow = Raw::connect(stage.addr).await;
    slow.send("GET /stream HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    slow.until("\r\n\r\n").await;
    stage.drains(true);
    let (_, _) = (talk.rest().await, slow.rest().await);
    stage
        .report("the last word", |it| {
            of(it, &one).is_some_and(|it| (it.started, it.in_flight, it.failed) == (2, 0, 0))
        })
        .await;
    stage.ends().await;
}
