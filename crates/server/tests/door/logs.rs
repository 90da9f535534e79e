//! Where logs are, where they cannot be read here.

use toehold_server::store::Txn;

use crate::ask::Ask;
use crate::shop;
use crate::stage::Stage;

#[tokio::test]
async fn whoever_cannot_be_shown_a_log_is_told_where_it_lies() {
    // No agent has dialled in.
    let stage = Stage::with(shop::written(), |_| {}).await;
    let listed = stage.owner(Ask::get("/api/v1/apps/shop")).await.is(200).value();
    let id = listed["instances"][0]["instance"]["id"].as_str().expect("an instance").to_owned();
    let name = id.rsplit('/').next().expect("a name");
    let ask = Ask::get(&format!("/api/v1/apps/shop/instances/{name}/log"));
    let away = stage.owner(ask).await.is(503);
    assert_eq!(away.problem(), "agent_away");
    let problem = away.value();
    let title = problem["title"].as_str().expect("words");
    assert!(title.contains("machine local") && title.contains("agent/log/shop.web."), "{title}");
    assert_eq!(problem["hint"], "toehold machines ls");
}

#[tokio::test]
async fn the_look_at_everything_says_where_logs_are() {
    let stage = Stage::with(Txn::default(), |_| {}).await;
    let health = stage.owner(Ask::get("/api/v1/health")).await.is(200).value();
    let logs = health.as_array().expect("a list").iter().find(|it| it["what"] == "logs");
    let says = logs.expect("logs")["says"].as_str().expect("words").to_owned();
    let folder = stage.path().join("log");
    assert!(says.contains(&folder.display().to_string()) && says.contains("agent/log"), "{says}");
}
