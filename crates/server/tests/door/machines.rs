//! What people wish of machines.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use toehold_server::settings::Settings;
use toehold_server::store::{Txn, Write};

use crate::ask::{Ask, PATIENCE};
use crate::stage::Stage;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

/// A control plane that other machines may call.
async fn stage() -> Stage {
    let listens = |settings: &mut Settings| {
        settings.machines.listen = Some("127.0.0.1:7079".parse().expect("an address"));
    };
    Stage::with(Txn::default(), listens).await
}

async fn add(stage: &Stage, name: &str) -> u16 {
    let body = json!({
        "name": name, "user": "root", "host": "192.0.2.1", "port": 22, "host_key": KEY,
        "address": null,
    });
    stage.owner(Ask::post("/api/v1/machines").json(&body)).await.status
}

/// The texts of events of a kind.
async fn events(stage: &Stage, kind: &str) -> Vec<String> {
    let all = stage.owner(Ask::get("/api/v1/events?limit=500")).await.is(200).value();
    let all = all["events"].as_array().or(all.as_array()).cloned().unwrap_or_default();
    let of = |it: &&Value| it["kind"] == kind;
    all.iter().filter(of).filter_map(|it| Some(it["text"].as_str()?.to_owned())).collect()
}

async fn until_said(stage: &Stage, kind: &str) {
    while events(stage, kind).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn goal(stage: &Stage, name: &str) -> Value {
    let all = stage.owner(Ask::get("/api/v1/machines")).await.is(200).value();
    let all = all.as_array().cloned().unwrap_or_default();
    let found = all.into_iter().find(|it| it["machine"]["name"] == name);
    found.map(|it| it["machine"]["goal"].clone()).unwrap_or_default()
}

#[tokio::test]
async fn of_wishes_about_a_machine_at_once_none_is_lost() {
    let stage = stage().await;
    assert_eq!(add(&stage, "web1").await, 201);
    let goals = ["cordon", "drain", "cordon", "drain", "cordon", "drain", "cordon", "drain"];
    for round in 0..5 {
        let before = events(&stage, "machine.set").await.len();
        stage.owner(Ask::post("/api/v1/machines/web1/goal").json(&json!({ "goal": "run" }))).await;
        let wishes = goals.map(|goal| {
            let ask = Ask::post("/api/v1/machines/web1/goal").json(&json!({ "goal": goal }));
            stage.owner(ask)
        });
        let answers = join_all(wishes).await;
        let granted = answers.iter().filter(|it| {
            it.status == 200 && !String::from_utf8_lossy(&it.body).contains("already")
        });
        let granted = granted.count() + usize::from(round > 0);
        assert!(answers.iter().all(|it| it.status == 200), "{answers:?}");
        let said = events(&stage, "machine.set").await;
        assert_eq!(said.len() - before, granted, "each that was granted was done: {said:?}");
        let last = if said.last().is_some_and(|it| it.contains("be emptied")) {
            "drain"
        } else {
            "cordon"
        };
        assert_eq!(goal(&stage, "web1").await, last);
    }
    stage.end().await;
}

#[tokio::test]
async fn of_many_who_add_one_machine_at_once_one_does() {
    let stage = stage().await;
    let mut answers = join_all((0..8).map(|_| add(&stage, "web2"))).await;
    answers.sort_unstable();
    assert_eq!(answers, [201, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(events(&stage, "machine.wanted").await.len(), 1);
    stage.end().await;
}

#[tokio::test]
async fn a_machine_that_failed_is_a_message_in_the_same_step() {
    let machine = json!({
        "name": "shop-1", "provider": "digitalocean", "app": "shop", "goal": "run",
        "phase": { "state": "wanted" }, "since": 1_000, "address": null, "access": null,
        "provider_id": null, "size": null, "created_at": 1_000,
    });
    let key = "machine/shop-1".parse().expect("it is a key");
    let before = Txn::by("test").write(Write::put(key, &machine));
    let told = |settings: &mut Settings| {
        let text = "[webhook]\nurl = \"http://127.0.0.1:9/\"\nallow_private = true\n";
        let set: Settings = toml::from_str(text).expect("it is well-formed");
        settings.messages = set.messages;
    };
    let stage = Stage::with(before, told).await;
    // Nobody gives such machines here.
    let failed = until_said(&stage, "machine.failed");
    tokio::time::timeout(PATIENCE, failed).await.expect("it fails");
    let text = stage.owner(Ask::get("/api/v1/health")).await.is(200).text();
    assert!(text.contains("by webhook; 1 wait"), "{text}");
    stage.end().await;
}

#[tokio::test]
async fn of_a_machine_that_is_being_given_back_nothing_else_is_wished() {
    let machine = json!({
        "name": "shop-1", "provider": "digitalocean", "app": "shop", "goal": "cordon",
        "phase": { "state": "leaving" }, "since": 1_000, "address": null, "access": null,
        "provider_id": null, "size": null, "created_at": 1_000,
    });
    let key = "machine/shop-1".parse().expect("it is a key");
    let before = Txn::by("test").write(Write::put(key, &machine));
    let stage = Stage::with(before, |_| {}).await;
    for wish in ["run", "cordon", "drain"] {
        let ask = Ask::post("/api/v1/machines/shop-1/goal").json(&json!({ "goal": wish }));
        let said = stage.owner(ask).await.is(409).text();
        assert!(said.contains("machine_leaving") && said.contains("given back"), "{said}");
    }
    assert_eq!(goal(&stage, "shop-1").await, "cordon");
    assert_eq!(events(&stage, "machine.set").await, Vec::<String>::new());
    let ask = Ask::post("/api/v1/machines/shop-1/goal").json(&json!({ "goal": "remove" }));
    stage.owner(ask).await.is(200);
    stage.end().await;
}

#[tokio::test]
async fn doctor_says_whether_machines_can_call_and_what_is_wrong_with_them() {
    let stage = Stage::new().await;
    let health = async |stage: &Stage| stage.owner(Ask::get("/api/v1/health")).await.is(200).text();
    assert!(!health(&stage).await.contains("machines call"), "nobody uses any");
    stage.end().await;
    let stage = self::stage().await;
    add(&stage, "web1").await;
    until_said(&stage, "machine.trouble").await;
    let said = health(&stage).await;
    assert!(said.contains("which leads each of them to itself"), "{said}");
    assert!(said.contains("web1: ssh is not set up"), "{said}");
    stage.end().await;
}
