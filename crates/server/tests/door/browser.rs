//! The dashboard in a real browser.

use serde_json::json;

use crate::ask::Ask;
use crate::pretend::Pretend;
use crate::shop;
use crate::stage::Stage;
use crate::webdriver::Browser;

async fn logged_in(stage: &Stage, browser: &Browser) {
    let link = stage.owner(Ask::post("/api/v1/login-links")).await.is(200).value();
    browser.go(link["url"].as_str().expect("an address")).await;
    browser.click("form button").await;
    browser.until("return location.pathname === '/apps/shop'").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_logs_in_turns_a_flag_and_gives_a_canary_back() {
    let stage = Stage::with(shop::written(), |_| {}).await;
    let _pretend = Pretend::begin(&stage);
    let browser = Browser::open(1280, 1600, false).await;
    logged_in(&stage, &browser).await;
    browser.until("return document.getElementById('link').textContent === 'live'").await;
    browser
        .until("return document.querySelectorAll('.column.canary path.line.canary').length === 3")
        .await;
    browser.picture("browser-light").await;

    // What others change is there without a reload, and what was opened stays open.
    browser.run("window.notReloaded = true; document.querySelector('details[data-key=rollback]').open = true").await;
    let set = Ask::put("/api/v1/apps/shop/flags/feature1").json(&json!({ "value": false }));
    stage.owner(set).await.is(200);
    browser
        .until("return document.querySelector('.switch')?.getAttribute('aria-checked') === 'false'")
        .await;
    browser.until("return [...document.querySelectorAll('.timeline .text')].some(it => it.textContent.includes('feature1'))").await;
    let kept =
        "return window.notReloaded && document.querySelector('details[data-key=rollback]').open";
    assert_eq!(browser.run(kept).await, true);

    browser.click("#flags .switch").await;
    browser
        .until("return document.querySelector('.switch')?.getAttribute('aria-checked') === 'true'")
        .await;
    browser.click("form[data-key=abort] button").await;
    browser
        .until("return document.querySelector('.situation').textContent.includes('was given up')")
        .await;
    assert_eq!(
        browser.run("return document.title").await,
        "shop · toehold",
        "a commit's subject ran as a script"
    );
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{complaints:?}");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_readable_on_a_phone_in_the_dark() {
    let stage = Stage::with(shop::written(), |_| {}).await;
    let _pretend = Pretend::begin(&stage);
    let browser = Browser::open(390, 844, true).await;
    logged_in(&stage, &browser).await;
    browser.until("return document.querySelectorAll('.instances tbody tr').length === 3").await;
    browser.picture("browser-phone").await;
    let wider =
        browser.run("return document.documentElement.scrollWidth - window.innerWidth").await;
    assert!(wider.as_i64().expect("a number") <= 0, "the page is {wider} px wider than the phone");
    let dark = "const [r] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g); return Number(r) < 64";
    assert_eq!(browser.run(dark).await, true, "it is bright in the dark");
    let small = "return [...document.querySelectorAll('.act button, .act summary')].filter(it => it.checkVisibility()).every(it => it.getBoundingClientRect().height >= 40)";
    assert_eq!(browser.run(small).await, true, "a button is too small for a thumb");
    browser.close().await;
}
