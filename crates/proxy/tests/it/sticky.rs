use hyper::Method;

use crate::client::Answer;
use crate::origin::Origin;
use crate::stage::{Stage, canary, routes, stable};

/// The cookie an answer gives, as it is sent back.
fn cookie(answer: &Answer) -> Option<String> {
    let given = answer.headers.get("set-cookie")?.to_str().expect("it is text");
    assert!(given.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{given}");
    given.split(';').next().map(str::to_owned)
}

#[tokio::test]
async fn a_visitor_stays_on_the_track_first_drawn() {
    let stage = Stage::start().await;
    let (one, two) = (Origin::start(1), Origin::start(2));
    let mut sticky = routes(1, vec![stable(1, &[&one]), canary(1, &[&two])]);
    sticky.apps[0].sticky = true;
    stage.apply(sticky.clone()).await;
    let mut client = stage.client().await;
    let mut cookies = std::collections::BTreeMap::new();
    while cookies.len() < 2 {
        let answer = client.get("/").await;
        let cookie = cookie(&answer).expect("who has none gets one");
        cookies.insert(answer.body, cookie);
    }
    for (body, cookie) in &cookies {
        for _ in 0..30 {
            let sent = format!("a=b; {cookie}");
            let answer = client.ask(Method::GET, "/", &[("cookie", &sent)], "").await;
            assert_eq!(&answer.body, body, "{cookie}");
            assert!(answer.headers.get("set-cookie").is_none(), "it has one");
        }
    }

    // A cookie nobody signed counts for nothing: it is drawn anew.
    let forged = cookies["web.1"].replace("stable.1", "canary.2");
    let mut bodies = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let answer = client.ask(Method::GET, "/", &[("cookie", &forged)], "").await;
        assert!(self::cookie(&answer).is_some());
        bodies.insert(answer.body);
    }
    assert_eq!(bodies.len(), 2);

    // The canary's share is gone: everyone is on stable, whatever the cookie says.
    let mut back = sticky.clone();
    back.order.rev = 2;
    back.apps[0].arms[1].weight = 0;
    stage.apply(back).await;
    for _ in 0..30 {
        let sent = cookies["web.2"].as_str();
        let answer = client.ask(Method::GET, "/", &[("cookie", sent)], "").await;
        assert_eq!(answer.body, "web.1");
    }

    // A cookie of a canary before is drawn anew.
    let mut next = sticky;
    next.order.rev = 3;
    next.apps[0].arms[1].release = toehold_core::model::Number(3);
    stage.apply(next).await;
    let mut bodies = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let sent = cookies["web.2"].as_str();
        bodies.insert(client.ask(Method::GET, "/", &[("cookie", sent)], "").await.body);
    }
    assert_eq!(bodies.len(), 2);
}

#[tokio::test]
async fn without_a_choice_there_is_no_cookie() {
    let stage = Stage::start().await;
    let (one, two) = (Origin::start(1), Origin::start(2));
    let mut sticky = routes(1, vec![stable(1, &[&one]), canary(0, &[&two])]);
    sticky.apps[0].sticky = true;
    stage.apply(sticky).await;
    assert!(stage.client().await.get("/").await.headers.get("set-cookie").is_none());
}
