//! Links in messages.

use std::time::Duration;

use serde_json::Value;
use toehold_core::model::Number;
use toehold_core::offer::Offer;
use toehold_core::time::Timestamp;
use toehold_server::clock::{Clock, SystemClock};
use toehold_server::secret::{Keys, Ticket};

use crate::ask::{Answer, Ask};
use crate::pretend::Pretend;
use crate::shop;
use crate::stage::Stage;
use crate::webdriver::Browser;

const GIVE_UP: Offer = Offer::GiveUp { release: Number(43) };

fn link_until(stage: &Stage, offer: Offer, expires_at: Timestamp) -> String {
    let keys = Keys::open(stage.path()).expect("its keys");
    let ticket = Ticket {
        id: format!("1800000000000-{}", toehold_server::secret::random_id()),
        via: "mail".into(),
        app: shop::name(),
        offer,
        expires_at,
    };
    format!("/act/{}", keys.seal(&ticket))
}

fn link(stage: &Stage, offer: Offer) -> String {
    link_until(stage, offer, SystemClock.now().plus(Duration::from_hours(24)))
}

async fn shop_at_work() -> (Stage, Pretend) {
    let stage = Stage::with(shop::written(), |_| {}).await;
    let pretend = Pretend::begin(&stage);
    (stage, pretend)
}

/// As the button on the page does it.
async fn press(stage: &Stage, link: &str) -> Answer {
    stage.ask(Ask::post(link).header("sec-fetch-site", "same-origin").form("")).await
}

async fn events(stage: &Stage) -> Vec<Value> {
    stage.owner(Ask::get("/api/v1/apps/shop/events")).await.is(200).json()
}

#[tokio::test]
async fn a_link_asks_first_does_it_once_and_says_so_after() {
    let (stage, _pretend) = shop_at_work().await;
    let link = link(&stage, GIVE_UP);
    // Mail and chat programs open links to look at them.
    for _ in 0..3 {
        let page = stage.ask(Ask::get(&link)).await.is(200).text();
        assert!(page.contains("Give up canary #43?"), "{page}");
        assert!(page.contains("everyone gets stable, and its instances end"), "{page}");
        assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
    }
    let by_link = |it: &Value| it["actor"].as_str().is_some_and(|by| by.contains("link"));
    assert!(!events(&stage).await.iter().any(by_link), "looking changed something");
    let done = press(&stage, &link).await.is(200).text();
    assert!(done.contains("canary #43 ends: a link by mail gives it up"), "{done}");
    let again = press(&stage, &link).await.is(410).text();
    assert!(again.contains("This was done already") && again.contains("a link by mail"), "{again}");
    stage.ask(Ask::get(&link)).await.is(410);
    let events = events(&stage).await;
    let gone = events.iter().filter(|it| it["kind"] == "rollout.aborted").count();
    assert_eq!(gone, 1);
}

#[tokio::test]
async fn of_many_who_press_at_once_one_does_it() {
    let (stage, _pretend) = shop_at_work().await;
    let link = link(&stage, Offer::RollBack { from: Number(42), to: Number(41) });
    let pressed = (0..8).map(|_| press(&stage, &link));
    let answers = futures_util::future::join_all(pressed).await;
    let done = answers.iter().filter(|it| it.status == 200).count();
    assert_eq!(done, 1, "{:?}", answers.iter().map(|it| it.status).collect::<Vec<_>>());
    assert!(answers.iter().all(|it| matches!(it.status, 200 | 409 | 410)));
    let back = events(&stage).await;
    assert_eq!(back.iter().filter(|it| it["kind"] == "rollback.started").count(), 1);
}

#[tokio::test]
async fn another_site_cannot_press_the_button() {
    let (stage, _pretend) = shop_at_work().await;
    let link = link(&stage, GIVE_UP);
    for site in ["cross-site", "same-site"] {
        let ask = Ask::post(&link).header("sec-fetch-site", site).form("");
        stage.ask(ask).await.is(403);
    }
    stage.ask(Ask::post(&link).header("origin", "https://evil.example").form("")).await.is(403);
    stage.ask(Ask::get(&link)).await.is(200);
}

#[tokio::test]
async fn what_has_ended_was_forged_or_has_changed_is_said_kindly() {
    let (stage, _pretend) = shop_at_work().await;
    let ended = link_until(&stage, GIVE_UP, Timestamp::from_ms(SystemClock.now().as_ms() - 1));
    let page = press(&stage, &ended).await.is(410).text();
    assert!(page.contains("This link has ended"), "{page}");
    let forged = link(&stage, GIVE_UP).replace("/act/e", "/act/f");
    for bad in [forged.as_str(), "/act/x", "/act/a.b"] {
        let page = stage.ask(Ask::get(bad)).await.is(404).text();
        assert!(page.contains("This link leads nowhere"), "{page}");
        press(&stage, bad).await.is(404);
    }
    for (offer, why) in [
        (Offer::RollBack { from: Number(41), to: Number(40) }, "#41 does not serve any more"),
        (Offer::Promote { release: Number(40) }, "the canary is #43 now, and not #40"),
        (Offer::Silence { alert: 9, rule: "cpu".into() }, "alert/9 ended long ago"),
    ] {
        let link = link(&stage, offer);
        let page = stage.ask(Ask::get(&link)).await.is(409).text();
        assert!(page.contains("Things have changed since") && page.contains(why), "{page}");
        press(&stage, &link).await.is(409);
    }
}

#[tokio::test]
async fn who_guesses_is_slowed_down() {
    let (stage, _pretend) = shop_at_work().await;
    let mut last = 0;
    for n in 0..25 {
        last = stage.ask(Ask::get(&format!("/act/{n}.x"))).await.status;
    }
    assert_eq!(last, 429);
    stage.ask(Ask::get(&link(&stage, GIVE_UP))).await.is(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_phone_without_a_session_the_button_does_it() {
    let (stage, _pretend) = shop_at_work().await;
    let browser = Browser::open(390, 844, true).await;
    browser.go(&format!("http://{}{}", stage.address, link(&stage, GIVE_UP))).await;
    browser.picture("browser-act").await;
    let wider =
        browser.run("return document.documentElement.scrollWidth - window.innerWidth").await;
    assert!(wider.as_i64().expect("a number") <= 0, "the page is {wider} px wider than the phone");
    let small = "return document.querySelector('form button').getBoundingClientRect().height >= 40";
    assert_eq!(browser.run(small).await, true, "the button is too small for a thumb");
    browser.click("form button").await;
    browser.until("return document.querySelector('h1').textContent === 'Done'").await;
    browser.go(&format!("http://{}{}", stage.address, link(&stage, GIVE_UP))).await;
    browser
        .until("return document.querySelector('h1').textContent.includes('changed since')")
        .await;
    browser.close().await;
}
