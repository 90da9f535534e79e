//! What speaks like Jenkins, where only the door can be seen.

use crate::ask::Ask;
use crate::stage::Stage;

/// `Authorization: Basic` with this password; made by another hand than Toehold's.
fn basic(token: &str) -> String {
    let output = std::process::Command::new("python3")
        .args(["-c", "import base64,sys;print(base64.b64encode(sys.argv[1].encode()).decode())"])
        .arg(format!("anyone:{token}"))
        .output();
    let text = String::from_utf8(output.expect("python runs").stdout).expect("text");
    format!("Basic {}", text.trim())
}

#[tokio::test]
async fn a_password_is_believed_below_jenkins_alone() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["admin"]).await;
    let password = basic(&token);
    let with = |path: &str| Ask::get(path).header("authorization", &password);
    let me = stage.ask(with("/jenkins/me/api/json")).await.is(200);
    assert_eq!(me.value()["fullName"], "admin");
    assert!(!me.header("x-jenkins").is_empty());
    stage.ask(with("/api/v1/apps")).await.is(401);
    stage.ask(Ask::get("/jenkins/api/json").token(&token)).await.is(200);
    let session = stage.session(&token).await;
    stage.ask(Ask::get("/jenkins/api/json").session(&session)).await.is(401);
    let forged = Ask::post("/jenkins/job/shop/build")
        .header("authorization", &password)
        .header("origin", "http://elsewhere.example");
    assert_eq!(stage.ask(forged).await.is(403).problem(), "cross_origin");
}

#[tokio::test]
async fn a_client_may_ask_who_answers_before_it_says_who_it_is() {
    let stage = Stage::new().await;
    for path in ["/jenkins", "/jenkins/"] {
        assert_eq!(stage.ask(Ask::get(path)).await.is(200).header("x-jenkins"), "2.479");
    }
    let crumb = stage.ask(Ask::get("/jenkins/crumbIssuer/api/json")).await.is(404);
    assert!(!crumb.header("x-jenkins").is_empty());
}

#[tokio::test]
async fn what_a_token_may_not_see_is_in_no_list() {
    let stage = Stage::with_shop().await;
    let other = stage.token(&["deploy:blog"]).await;
    let seen = stage.ask(Ask::get("/jenkins/api/json").token(&other)).await.is(200).value();
    assert_eq!(seen["jobs"], serde_json::json!([]));
    stage.ask(Ask::get("/jenkins/queue/item/1/api/json").token(&other)).await.is(404);
    let shop = stage.token(&["deploy:shop"]).await;
    let nothing = Ask::post("/jenkins/job/shop/build").token(&shop);
    assert_eq!(stage.ask(nothing).await.is(409).problem(), "nothing_pushed");
    let unknown = Ask::post("/jenkins/job/shop/buildWithParameters?VERSION=1").token(&shop);
    assert_eq!(stage.ask(unknown).await.is(400).problem(), "parameter_unusable");
}

#[tokio::test]
async fn the_generic_webhook_trigger_takes_its_token_in_three_ways() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["deploy:shop"]).await;
    for base in ["/generic-webhook-trigger/invoke", "/jenkins/generic-webhook-trigger/invoke"] {
        stage.ask(Ask::post(base)).await.is(401);
        let ways = [
            Ask::post(&format!("{base}?token={token}")),
            Ask::post(base).header("token", &token),
            Ask::post(base).token(&token),
        ];
        for ask in ways {
            // It was let in, and there is nothing to build yet.
            assert_eq!(stage.ask(ask).await.is(409).problem(), "nothing_pushed");
        }
    }
    let ask = |query: &str| Ask::post(&format!("/generic-webhook-trigger/invoke?{query}"));
    stage
        .ask(ask("token=th_000000000000_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"))
        .await
        .is(401);
    let other = stage.token(&["deploy:blog"]).await;
    stage.ask(ask(&format!("token={other}&app=shop"))).await.is(403);
    let tag = ask(&format!("token={token}")).json(&serde_json::json!({ "ref": "refs/tags/v1" }));
    let passed_over = stage.ask(tag).await.is(200).value();
    assert_eq!(passed_over["jobs"]["shop"]["triggered"], false, "{passed_over}");
    // Anywhere else a token in the address opens nothing.
    stage.ask(Ask::post(&format!("/deploy?token={token}"))).await.is(401);
}
