//! A canary is looked at before anyone else.

use std::time::Duration;

use serde_json::json;
use toehold_core::model::Track;

use crate::ask::Ask;
use crate::pretend::Pretend;
use crate::shop;
use crate::stage::Stage;

/// The weight of the canary at the proxy, and the ordinals of its instances, once it is this one.
async fn until_its_weight_is(pretend: &Pretend, weight: u32) -> Vec<u64> {
    let looked = async {
        loop {
            let routes = pretend.routes();
            let mut arms = routes.apps.iter().flat_map(|app| &app.arms);
            let canary = arms.find(|arm| arm.track == Track::Canary && arm.weight == weight);
            if let Some(arm) = canary {
                return arm.targets.iter().map(|it| it.instance.ordinal()).collect();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looked).await.expect("it becomes so")
}

#[tokio::test]
async fn a_canary_that_had_no_share_before_is_told_once_it_is_heard_of() {
    let none = shop::written_with(|app| {
        app.rollout.as_mut().expect("it has one").split = "1:0".parse().expect("a split");
        app.route.arms.truncate(1);
        app.route.arms[0].weight = 1;
    });
    let stage = Stage::with(none, |_| {}).await;
    let pretend = Pretend::begin(&stage);
    assert_eq!(until_its_weight_is(&pretend, 0).await, [3]);
}

#[tokio::test]
async fn a_canary_without_a_share_is_told_to_the_proxy_with_the_secret_that_opens_it() {
    let stage = Stage::with(shop::written(), |_| {}).await;
    let pretend = Pretend::begin(&stage);
    assert_eq!(until_its_weight_is(&pretend, 1).await, [3]);
    let none = json!({ "wish": "set_split", "split": "1:0" });
    stage.owner(Ask::post("/api/v1/apps/shop/wishes").json(&none)).await.is(200);
    assert_eq!(until_its_weight_is(&pretend, 0).await, [3]);
    // For everyone else, and for the rules, there is none in the route.
    let view = stage.owner(Ask::get("/api/v1/apps/shop")).await.is(200).value();
    assert_eq!(view["route"]["arms"].as_array().map(Vec::len), Some(1), "{view}");

    let routes = pretend.routes();
    let key = routes.apps[0].track_key.reveal();
    assert_eq!(key.len(), 32);
    let look = stage.owner(Ask::get("/api/v1/apps/shop/look")).await.is(200).value();
    assert_eq!(look["header"], format!("X-Toehold-Track: canary.{key}"));
    assert_eq!(look["cookie"], format!("toehold-track=canary.{key}"));
    // Whoever may only look at the app does not get it.
    let token = stage.token(&["read"]).await;
    stage.ask(Ask::get("/api/v1/apps/shop/look").token(&token)).await.is(403);
}
