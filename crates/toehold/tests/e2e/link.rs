//! The link over a network as it is: the control plane's port for agents, real TLS and real agents.
//! The control plane's clock is ours.

use std::time::Duration;

use toehold_server::clock::Clock;
use tokio::io::AsyncReadExt;

use crate::port::{DAY, DEADLINE, Port, ago, machine, place, place_nothing};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_renewed_once_and_the_one_in_use_stays() {
    // By its own clock the machine's certificate is three weeks old, and so is each it is given:
    // that is no reason to ask again and again.
    let port = Port::behind(DAY * 21).await;
    port.join("web1").await;
    place_nothing(&port, "web1");
    let agent = port.start("web1");
    port.until("it has another certificate", async || port.certificates("web1").await.len() == 2)
        .await;
    for _ in 0..4 {
        port.until_heard("web1").await;
    }
    let two = port.certificates("web1").await;
    assert_eq!(two.len(), 2, "it asked again: {two:?}");
    // The link breaks: it dials in with the newer one, and does not ask at once.
    port.fleet.hang_up(&machine("web1"));
    for _ in 0..3 {
        port.until_heard("web1").await;
    }
    assert_eq!(port.certificates("web1").await, two);
    agent.end().await;

    // The clock is right again: the next one is new, and nothing is asked for any more.
    port.clock.set(ago(Duration::ZERO));
    let agent = port.start("web1");
    port.until("it has a third", async || port.certificates("web1").await.len() == 3).await;
    let three = port.certificates("web1").await;
    port.fleet.hang_up(&machine("web1"));
    port.until_heard("web1").await;
    agent.end().await;
    let agent = port.start("web1");
    for _ in 0..3 {
        port.until_heard("web1").await;
    }
    assert_eq!(port.certificates("web1").await, three);
    agent.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_good_for_a_quarter_of_an_hour_and_for_one_of_two_at_once() {
    let port = Port::behind(Duration::ZERO).await;
    let (at, token) = (port.at.to_string(), port.token("web1").await);
    let (one, other) = (port.dir("one"), port.dir("other"));
    let (one, other) = tokio::join!(
        toehold_agent::join(&one, &at, &token),
        toehold_agent::join(&other, &at, &token)
    );
    let refused = match (one, other) {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused.to_string(),
        (one, other) => panic!("{:?} {:?}", one.map(drop), other.map(drop)),
    };
    assert!(refused.contains("used already"), "{refused}");
    let late = port.token("web2").await;
    port.clock.set(port.clock.now().plus(Duration::from_mins(15)));
    let refused = toehold_agent::join(&port.dir("web2"), &at, &late).await;
    let refused = refused.map(drop).expect_err("it is too late").to_string();
    assert!(refused.contains("the token ended at"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_only_measured_again_wakes_nobody() {
    let port = Port::behind(Duration::ZERO).await;
    port.join("web1").await;
    place_nothing(&port, "web1");
    let agent = port.start("web1");
    port.until_applied("web1", (1, 1)).await;
    let mut news = port.fleet.news();
    for _ in 0..3 {
        port.until_heard("web1").await;
    }
    assert!(!news.has_changed().expect("there may be news"));
    place(&port, "web1", (2, 1), Vec::new());
    port.until_applied("web1", (2, 1)).await;
    assert!(news.has_changed().expect("there may be news"));
    // Who hangs up is missed at once.
    news.mark_unchanged();
    agent.end().await;
    port.until("that is news", async || news.has_changed().is_ok_and(|it| it)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_nothing_shuts_out_nobody_and_is_hung_up_on() {
    let port = Port::behind(Duration::ZERO).await;
    port.join("web1").await;
    place_nothing(&port, "web1");
    let mut silent = Vec::new();
    for _ in 0..100 {
        let from = tokio::net::TcpSocket::new_v4().expect("a socket");
        from.bind("127.0.0.2:0".parse().expect("an address")).expect("it is ours");
        silent.push(from.connect(port.at).await.expect("it connects"));
    }
    let agent = port.start("web1");
    port.until_heard("web1").await;
    agent.end().await;
    // They are hung up on before long.
    for mut stream in silent {
        let read = tokio::time::timeout(DEADLINE, stream.read(&mut [0; 16])).await;
        assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?}");
    }
}
