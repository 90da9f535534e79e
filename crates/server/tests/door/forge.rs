//! What a forge calls with.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll as Polled;

use bytes::Bytes;
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;
use toehold_server::settings::{AppSettings, ForgeSettings, Poll, Settings};
use toehold_server::source::webhook::Forge;
use toehold_server::store::Txn;

use crate::ask::Ask;
use crate::stage::Stage;

pub(crate) const SECRET: &str = "It's a Secret to Everybody";

pub(crate) fn set_up(settings: &mut Settings, secrets: &std::path::Path) {
    let set = ForgeSettings {
        repository: "ada/shop".into(),
        url: "https://127.0.0.1:1/ada/shop.git".into(),
        secrets_file: Some(secrets.to_owned()),
        poll: Poll(None),
        ..ForgeSettings::default()
    };
    let forges = AppSettings {
        github: Some(set.clone()),
        gitlab: Some(set.clone()),
        gitea: Some(set.clone()),
        forgejo: Some(set.clone()),
        bitbucket: Some(set),
    };
    settings.apps.insert("shop".parse().expect("a name"), forges);
}

pub(crate) fn signature(body: &[u8], secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

fn delivery(body: &[u8], secret: &str) -> Ask {
    delivery_as("72d3162e-cc78-11e3-81ab-4c9367dc0958", body, secret)
}

fn delivery_as(id: &str, body: &[u8], secret: &str) -> Ask {
    let signature = signature(body, secret);
    Ask::post("/webhooks/github/shop")
        .header("x-github-event", "push")
        .header("x-github-delivery", id)
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
    let page = stage.owner(Ask::get("/metrics")).await.is(200).text();
    assert!(page.contains("\ntoehold_door_webhooks_refused_total 3\n"), "{page}");
}

#[tokio::test]
async fn a_body_larger_than_any_forge_sends_is_refused_before_it_is_read() {
    let stage = Stage::with_shop().await;
    let large = Ask::post("/webhooks/github/shop").bytes("application/json", vec![b' '; 30 << 20]);
    let answer = stage.ask(large).await.is(413);
    assert_eq!(answer.problem(), "body_too_large");
}

pub(crate) async fn with_shop() -> (Stage, tempfile::NamedTempFile) {
    let secrets = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(secrets.path(), SECRET).expect("it can be written");
    let stage = Stage::with(Txn::default(), |settings| set_up(settings, secrets.path())).await;
    stage.owner(Ask::post("/api/v1/apps").json(&json!({ "name": "shop" }))).await.is(201);
    (stage, secrets)
}

#[tokio::test]
async fn twenty_copies_at_once_are_one_build() {
    let (stage, _secrets) = with_shop().await;
    let copies = (0..20).map(|_| stage.ask(delivery(&push(), SECRET)));
    let answers = futures_util::future::join_all(copies).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 202)));
    assert_eq!(answers.iter().filter(|answer| answer.status == 202).count(), 1);
    let builds = stage.owner(Ask::get("/api/v1/apps/shop/builds")).await.is(200).value();
    assert_eq!(builds.as_array().map(Vec::len), Some(1), "{builds}");
}

#[tokio::test]
async fn the_same_words_under_another_id_are_a_replay() {
    let (stage, _secrets) = with_shop().await;
    stage.ask(delivery(&push(), SECRET)).await.is(202);
    let newer = String::from_utf8(push()).expect("it is text").replace("8c1f2ab", "9d203bc");
    stage.ask(delivery_as("newer", newer.as_bytes(), SECRET)).await.is(202);
    let answer = stage.ask(delivery_as("another", &push(), SECRET)).await.is(200);
    assert_eq!(answer.value()["outcome"], "ignored", "{}", answer.text());
}

#[tokio::test]
async fn each_forge_is_believed_in_its_own_way_and_at_its_own_address() {
    let (stage, _secrets) = with_shop().await;
    let commit = "9d203bceeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";
    let gitlab = json!({
        "ref": "refs/heads/main", "before": "0".repeat(40), "after": commit,
        "project": { "path_with_namespace": "ada/shop" }, "commits": [],
    });
    let gitlab = || {
        Ask::post("/webhooks/gitlab/shop")
            .json(&gitlab)
            .header("x-gitlab-event", "Push Hook")
            .header("idempotency-key", "1")
    };
    stage.ask(gitlab().header("x-gitlab-token", SECRET)).await.is(202);
    stage.ask(gitlab().header("x-gitlab-token", SECRET)).await.is(200);
    stage.ask(gitlab()).await.is(401);
    let change = |name: &str, hash: &str| {
        json!({
            "old": null, "new": { "type": "branch", "name": name, "target": { "hash": hash } },
        })
    };
    let body = json!({
        "repository": { "full_name": "ada/shop" },
        "push": { "changes": [
            change("canary", &"a".repeat(40)), change("other", &"b".repeat(40)), change("main", &"c".repeat(40)),
        ] },
    });
    let body = body.to_string();
    let bitbucket = Ask::post("/webhooks/bitbucket/shop")
        .bytes("application/json", body.clone())
        .header("x-event-key", "repo:push")
        .header("x-request-uuid", "1")
        .header("x-hub-signature", &signature(body.as_bytes(), SECRET));
    let queued = stage.ask(bitbucket).await.is(202).value();
    assert_eq!((&queued["number"], &queued["others"]), (&json!(2), &json!([3])), "{queued}");
    // What a Gitea sends is told apart from what GitHub sends, though it sends that too.
    let from_gitea = delivery(&push(), SECRET).header("x-gitea-event", "push");
    let refused = stage.ask(from_gitea).await.is(400);
    assert!(refused.text().contains("/webhooks/gitea/"), "{}", refused.text());
    let digits = signature(&push(), SECRET);
    let gitea = Ask::post("/webhooks/forgejo/shop")
        .bytes("application/json", push())
        .header("x-forgejo-event", "push")
        .header("x-github-event", "push")
        .header("x-forgejo-delivery", "1")
        .header("x-forgejo-signature", digits.trim_start_matches("sha256="));
    stage.ask(gitea).await.is(202);
}

#[tokio::test]
async fn there_and_back_and_there_again_are_three_pushes_and_a_replay_is_none() {
    let (stage, _secrets) = with_shop().await;
    let moved = |uuid: &str, old: char, new: char| {
        let at = |letter: char| {
            let hash = letter.to_string().repeat(40);
            json!({ "type": "branch", "name": "main", "target": { "hash": hash } })
        };
        let body = json!({
            "repository": { "full_name": "ada/shop" },
            "push": { "changes": [{ "old": at(old), "new": at(new) }] },
        });
        let body = body.to_string();
        Ask::post("/webhooks/bitbucket/shop")
            .bytes("application/json", body.clone())
            .header("x-event-key", "repo:push")
            .header("x-request-uuid", uuid)
            .header("x-hub-signature", &signature(body.as_bytes(), SECRET))
    };
    stage.ask(moved("1", 'a', 'b')).await.is(202);
    stage.ask(moved("2", 'b', 'a')).await.is(202);
    stage.ask(moved("3", 'a', 'b')).await.is(202);
    // Delivered again, as Bitbucket does where it heard no answer.
    stage.ask(moved("3", 'a', 'b').header("x-attempt-number", "2")).await.is(200);
    // Somebody who has seen it sends it under an id of their own.
    stage.ask(moved("4", 'a', 'b')).await.is(200);
    stage.ask(moved("5", 'b', 'c')).await.is(202);
    for (uuid, old, new) in [("6", 'a', 'b'), ("7", 'b', 'a'), ("8", 'b', 'c')] {
        stage.ask(moved(uuid, old, new)).await.is(200);
    }
    let builds = stage.owner(Ask::get("/api/v1/apps/shop/builds")).await.is(200).value();
    assert_eq!(builds.as_array().map(Vec::len), Some(4), "{builds}");
}

#[tokio::test]
async fn long_bodies_have_room_of_their_own_and_small_ones_need_none() {
    use std::io::Write;
    let (stage, _secrets) = with_shop().await;
    // Two that say they are long, and go on saying so: no more than one other has room beside them.
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = std::net::TcpStream::connect(stage.address).expect("the door is open");
        let head = format!(
            "POST /webhooks/github/shop HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            25 << 20
        );
        stream.write_all(head.as_bytes()).expect("it is taken");
        held.push(stream);
    }
    let long =
        || Ask::post("/webhooks/github/shop").bytes("application/json", vec![b' '; 20 << 20]);
    let refused = async { while stage.ask(long()).await.status != 503 {} };
    tokio::time::timeout(crate::ask::PATIENCE, refused).await.expect("there is no room for it");
    stage.ask(delivery(&push(), SECRET)).await.is(202);
}

#[tokio::test]
async fn a_delivery_by_get_is_told_what_to_change() {
    let (stage, _secrets) = with_shop().await;
    for forge in ["github", "gitlab", "gitea", "forgejo", "bitbucket"] {
        let address = format!("/webhooks/{forge}/shop?payload=%7B%7D");
        let answer = stage.ask(Ask::get(&address)).await.is(405);
        assert_eq!((answer.problem().as_str(), answer.header("allow")), ("post_only", "POST"));
        let hint = answer.value()["hint"].as_str().expect("a hint").to_owned();
        assert!(hint.contains("method of the webhook"), "{hint}");
        assert!(!answer.text().contains("payload"), "{}", answer.text());
    }
}

/// Looks at what is under way so many times, and hangs up.
async fn hang_up_after(looks: usize, under_way: impl Future) {
    let (mut under_way, mut left) = (pin!(under_way), looks);
    poll_fn(|context| {
        left -= 1;
        let done = under_way.as_mut().poll(context).is_ready();
        if done || left == 0 { Polled::Ready(()) } else { Polled::Pending }
    })
    .await;
}

#[tokio::test]
async fn who_hangs_up_leaves_no_build_that_never_begins() {
    let (stage, _secrets) = with_shop().await;
    let app = "shop".parse().expect("a name");
    for looks in 1..40 {
        let commit = format!("{looks:040x}");
        let words = String::from_utf8(push()).expect("it is text");
        let body = words.replace("8c1f2abddddddddddddddddddddddddddddddddd", &commit);
        let mut headers = hyper::HeaderMap::new();
        for (name, value) in [
            ("x-github-event", "push"),
            ("x-github-delivery", commit.as_str()),
            ("content-type", "application/json"),
            ("x-hub-signature-256", &signature(body.as_bytes(), SECRET)),
        ] {
            headers.insert(
                name.parse::<hyper::header::HeaderName>().expect(name),
                value.parse().expect(name),
            );
        }
        let received = stage.control.webhook(Forge::Github, &app, &headers, body.into());
        hang_up_after(looks, received).await;
    }
    // The newest one runs; all before it have given way.
    let until_none_waits = async {
        loop {
            let builds = stage.owner(Ask::get("/api/v1/apps/shop/builds")).await.is(200).value();
            let builds = builds.as_array().cloned().unwrap_or_default();
            let waits = |it: &&serde_json::Value| it["phase"]["state"] == "queued";
            if !builds.is_empty() && !builds.iter().any(|it| waits(&it)) {
                return;
            }
        }
    };
    tokio::time::timeout(crate::ask::PATIENCE, until_none_waits).await.expect("none is forgotten");
}
