//! The other forges are told in their words, with their headers.

use serde_json::json;
use toehold_server::forge::State;

use crate::double::Double;
use crate::github::TOKEN;
use crate::stage::{Stage, commit};

#[tokio::test]
async fn each_forge_is_told_by_its_own_call() {
    let sha = commit(42);
    let bearer = format!("Bearer {TOKEN}");
    for (forge, below, header, value, path, field, state) in [
        (
            "gitlab",
            "/api/v4",
            "private-token",
            TOKEN.to_owned(),
            format!("/api/v4/projects/acme%2Fshop/statuses/{sha}"),
            "name",
            "success",
        ),
        (
            "gitea",
            "/api/v1",
            "authorization",
            format!("token {TOKEN}"),
            format!("/api/v1/repos/acme/shop/statuses/{sha}"),
            "context",
            "success",
        ),
        (
            "bitbucket",
            "/2.0",
            "authorization",
            bearer.clone(),
            format!("/2.0/repositories/acme/shop/commit/{sha}/statuses/build"),
            "key",
            "SUCCESSFUL",
        ),
        (
            "bitbucket",
            "/rest/api/1.0",
            "authorization",
            bearer,
            format!("/rest/api/1.0/projects/acme/repos/shop/commits/{sha}/builds"),
            "key",
            "SUCCESSFUL",
        ),
    ] {
        let mut double = Double::start(|_| (201, json!({}))).await;
        let stage = Stage::new(forge, &format!("{}{below}", double.url()));
        let _running = stage.run();
        stage.tests_are(42, State::Success).await;
        let asked = double.next().await;
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", path.as_str()));
        assert_eq!(asked.header(header), value);
        assert!(asked.header("user-agent").starts_with("toehold/"));
        assert_eq!(
            (&asked.body[field], &asked.body["state"]),
            (&json!("toehold/test"), &json!(state))
        );
        let text = asked.body["description"].as_str().expect("it is a text");
        assert!(text.chars().count() <= 140);
        stage.until_told().await;
    }
}

#[tokio::test]
async fn what_gitlab_knows_already_is_told() {
    let mut double = Double::start(|_| {
        (400, json!({ "message": "Cannot transition status via :run from :running" }))
    })
    .await;
    let stage = Stage::new("gitlab", &double.url());
    let _running = stage.run();
    stage.tests_are(42, State::Pending).await;
    assert_eq!(double.next().await.body["state"], "running");
    stage.until_told().await;
    assert!(stage.failures().await.is_empty());
}
