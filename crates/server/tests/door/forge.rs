//! What GitHub calls with.

use bytes::Bytes;
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;
use toehold_server::settings::{AppSettings, GithubSettings, Settings};
use toehold_server::store::Txn;

use crate::ask::Ask;
use crate::stage::Stage;

const SECRET: &str = "It's a Secret to Everybody";

fn set_up(settings: &mut Settings, secrets: &std::path::Path) {
    let github = GithubSettings {
        repository: "ada/shop".into(),
        url: "https://127.0.0.1:1/ada/shop.git".into(),
        secrets_file: secrets.to_owned(),
    };
    let shop = "shop".parse().expect("a name");
    settings.apps.insert(shop, AppSettings { github: Some(github) });
}

fn delivery(body: &[u8], secret: &str) -> Ask {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
    mac.update(body);
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    Ask::post("/webhooks/github/shop")
        .header("x-github-event", "push")
        .header("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
        .header("x-hub-signature-256", &signature)
        .bytes("application/json", Bytes::copy_from_slice(body))
}

fn push() -> Vec<u8> {
    let commit = "8c1f2abddddddddddddddddddddddddddddddddd";
    let body = json!({
        "ref": "refs/heads/main",
        "before": "0000000000000000000000000000000000000000",
        "after": commit,
        "deleted": false,
        "forced": false,
        "repository": { "full_name": "ada/shop" },
        "head_commit": { "id": commit, "message": "Begin", "author": { "name": "Ada", "email": "ada@example.com" } },
    });
    body.to_string().into_bytes()
}

#[tokio::test]
async fn a_signed_push_is_queued_once() {
    let secrets = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(secrets.path(), format!("an older one\n{SECRET}\n")).expect("it can be written");
    let stage = Stage::with(Txn::default(), |settings| set_up(settings, secrets.path())).await;
    stage.owner(Ask::post("/api/v1/apps").json(&json!({ "name": "shop" }))).await.is(201);
    let first = stage.ask(delivery(&push(), SECRET)).await.is(202);
    assert_eq!(first.value()["outcome"], "queued");
    let second = stage.ask(delivery(&push(), SECRET)).await.is(200);
    assert_eq!(second.value()["outcome"], "ignored", "{}", second.text());
}

#[tokio::test]
async fn what_is_not_signed_with_the_secret_is_refused() {
    let secrets = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(secrets.path(), SECRET).expect("it can be written");
    let stage = Stage::with(Txn::default(), |settings| set_up(settings, secrets.path())).await;
    stage.owner(Ask::post("/api/v1/apps").json(&json!({ "name": "shop" }))).await.is(201);
    let wrong = stage.ask(delivery(&push(), "guessed")).await;
    assert_eq!((wrong.status, wrong.problem().as_str()), (403, "webhook_refused"));
    let unsigned = Ask::post("/webhooks/github/shop").bytes("application/json", push());
    stage.ask(unsigned).await.is(401);
    let nobody = Ask::post("/webhooks/github/other").bytes("application/json", push());
    assert_eq!(stage.ask(nobody).await.status, 403, "an app without a secret believes nobody");
    stage.ask(delivery(b"", SECRET)).await.is(400);
}

#[tokio::test]
async fn a_body_larger_than_any_forge_sends_is_refused_before_it_is_read() {
    let stage = Stage::with_shop().await;
    let large = Ask::post("/webhooks/github/shop").bytes("application/json", vec![b' '; 30 << 20]);
    let answer = stage.ask(large).await.is(413);
    assert_eq!(answer.problem(), "body_too_large");
}
