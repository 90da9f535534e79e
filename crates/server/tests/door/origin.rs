//! The calls of older set-ups, as a job's curl makes them.

use std::process::Command;

use crate::ask::Ask;
use crate::stage::Stage;

/// Brings a commit on `branch` into the app's repository, as a push would, without its hook.
fn commit(stage: &Stage, branch: &str) {
    let work = stage.path().join("elsewhere");
    let bare = stage.control.layout().repository(&"shop".parse().expect("a name"));
    std::fs::create_dir_all(&work).expect("a folder can be made");
    let git = |dir: &std::path::Path, arguments: &[&str]| {
        let status = Command::new("git")
            .current_dir(dir)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
            .args(arguments)
            .status();
        assert!(status.expect("git runs").success(), "git {arguments:?}");
    };
    git(&work, &["init", "--quiet", "--initial-branch", branch]);
    git(&work, &["commit", "--quiet", "--allow-empty", "-m", "Begin"]);
    let work = work.to_str().expect("a path");
    git(&bare, &["fetch", "--quiet", work, &format!("+{branch}:{branch}")]);
}

#[tokio::test]
async fn a_get_changes_nothing_and_says_how_it_is_asked_for() {
    let stage = Stage::with_shop().await;
    for path in ["/deploy", "/canary", "/feature"] {
        let answer = stage.ask(Ask::get(path)).await.is(405);
        assert_eq!(answer.problem(), "post_only");
        assert_eq!(answer.header("allow"), "POST");
        assert!(answer.text().contains("nothing was changed") && answer.text().contains("curl"));
    }
    let flags = stage.owner(Ask::get("/api/v1/apps/shop/flags")).await.is(200).value();
    assert_eq!(flags["flags"]["feature1"]["value"], true);
}

#[tokio::test]
async fn a_deploy_token_builds_the_newest_commit_of_its_app() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["deploy:shop"]).await;
    let nothing = stage.ask(Ask::post("/deploy").token(&token)).await.is(409);
    assert_eq!(nothing.problem(), "nothing_pushed");
    commit(&stage, "main");
    let queued = stage.ask(Ask::post("/deploy").token(&token)).await.is(202).value();
    assert_eq!(queued["number"], 1);
    let builds =
        stage.ask(Ask::get("/api/v1/apps/shop/builds").token(&token)).await.is(200).value();
    assert_eq!(builds[0]["trigger"]["by"], "deploy:shop");
    assert_eq!(builds[0]["track"], "stable");
}

#[tokio::test]
async fn which_app_is_meant_is_said_by_the_token_or_the_address() {
    let stage = Stage::with_shop().await;
    let body = serde_json::json!({ "name": "blog" });
    stage.owner(Ask::post("/api/v1/apps").json(&body)).await.is(201);
    let shop = stage.token(&["flag:shop"]).await;
    let every = stage.token(&["flag:*"]).await;
    stage.ask(Ask::post("/feature").token(&shop)).await.is(200);
    let unclear = stage.ask(Ask::post("/feature").token(&every)).await.is(400);
    assert_eq!(unclear.problem(), "app_not_named");
    stage.ask(Ask::post("/feature?app=blog").token(&every)).await.is(200);
    stage.ask(Ask::post("/feature").header("x-toehold-app", "blog").token(&every)).await.is(200);
    let other = stage.ask(Ask::post("/feature?app=blog").token(&shop)).await.is(403);
    assert_eq!(other.problem(), "scope_missing");
    let value = async |app: &str| {
        let path = format!("/api/v1/apps/{app}/flags/feature1");
        stage.owner(Ask::get(&path)).await.is(200).value()["value"].clone()
    };
    assert_eq!((value("shop").await, value("blog").await), (false.into(), true.into()));
}
