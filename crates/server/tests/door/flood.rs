//! More pushes than can be built.

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Value, json};
use toehold_server::store::Txn;

use crate::ask::{Answer, Ask, PATIENCE};
use crate::forge::{SECRET, set_up, signature, with_shop};
use crate::stage::Stage;

/// How many deliveries are on their way at once.
const AT_ONCE: usize = 20;

/// A push of GitHub's to a branch of an app.
fn push(app: &str, branch: &str, number: u64) -> Ask {
    let commit = format!("{number:040x}");
    let body = json!({
        "ref": format!("refs/heads/{branch}"), "before": "0".repeat(40), "after": commit,
        "repository": { "full_name": "ada/shop" }, "head_commit": { "id": commit, "message": "x" },
    });
    let body = body.to_string().into_bytes();
    let signature = signature(&body, SECRET);
    Ask::post(&format!("/webhooks/github/{app}"))
        .header("x-github-event", "push")
        .header("x-github-delivery", &format!("{app}-{number}"))
        .header("x-hub-signature-256", &signature)
        .bytes("application/json", body)
}

async fn all(stage: &Stage, asks: Vec<Ask>) -> Vec<Answer> {
    stream::iter(asks.into_iter().map(|ask| stage.ask(ask))).buffered(AT_ONCE).collect().await
}

async fn builds(stage: &Stage, app: &str) -> Vec<Value> {
    let path = format!("/api/v1/apps/{app}/builds");
    let builds = stage.owner(Ask::get(&path)).await.is(200).value();
    builds.as_array().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_pushes_the_newest_is_built_and_each_other_says_what_became_of_it() {
    let (stage, _secrets) = with_shop().await;
    let answers =
        all(&stage, (1..=1_000).map(|number| push("shop", "main", number)).collect()).await;
    let mut numbers: Vec<u64> = Vec::new();
    for answer in answers {
        let said = answer.is(202).value();
        numbers.push(said["number"].as_u64().expect("a number"));
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=1_000).collect::<Vec<u64>>(), "each is a build of its own");
    let settled = async {
        loop {
            let builds = builds(&stage, "shop").await;
            let state = |it: &Value| it["phase"]["state"].as_str().unwrap_or_default().to_owned();
            let waits = builds.iter().filter(|it| state(it) == "queued").count();
            let newest = builds.first().map(|it| it["number"].clone());
            if waits == 0 && newest == Some(json!(1_000)) {
                return builds;
            }
        }
    };
    let builds = tokio::time::timeout(PATIENCE, settled).await.expect("nothing is left in line");
    let gave_way = |it: &Value| it["phase"]["state"] == "superseded";
    let others = builds.iter().skip(1).filter(|it| !gave_way(it)).count();
    assert_eq!(others, 0, "{builds:?}");
    let newest = &builds[0]["phase"]["state"];
    assert!(newest == "running" || newest == "failed", "nobody overtook it: {newest}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_full_says_so_and_takes_the_same_delivery_later() {
    let names: Vec<String> = (0..140).map(|number| format!("app{number}")).collect();
    let secrets = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(secrets.path(), SECRET).expect("it can be written");
    let stage = Stage::with(Txn::default(), |settings| {
        set_up(settings, secrets.path());
        let (_, forges) = settings.apps.pop_first().expect("one is set up");
        for name in &names {
            settings.apps.insert(name.parse().expect("a name"), forges.clone());
        }
    })
    .await;
    for name in &names {
        stage.owner(Ask::post("/api/v1/apps").json(&json!({ "name": name }))).await.is(201);
    }
    let pushes: Vec<(&str, &str)> = names
        .iter()
        .flat_map(|name| [(name.as_str(), "main"), (name.as_str(), "canary")])
        .collect();
    let asks = pushes.iter().zip(1..).map(|((app, branch), number)| push(app, branch, number));
    let answers = all(&stage, asks.collect()).await;
    let refused: Vec<u64> =
        answers.iter().zip(1..).filter(|(it, _)| it.status == 503).map(|(_, at)| at).collect();
    assert!(answers.iter().all(|it| matches!(it.status, 202 | 503)));
    let taken = answers.len() - refused.len();
    assert!(taken >= 256, "{taken} had room");
    let first = *refused.first().expect("one had no room");
    let answer = &answers[usize::try_from(first - 1).expect("small")];
    assert_eq!(answer.problem(), "queue_full");
    assert!(!answer.header("retry-after").is_empty(), "it says when to come again");
    assert!(answer.text().contains("wait already"), "{}", answer.text());
    // Who was refused left nothing behind, and who was taken is there.
    let mut there = 0;
    for name in &names {
        there += builds(&stage, name).await.len();
    }
    assert_eq!(there, taken);
    // Some are not wanted any more; the same delivery has room then, once.
    for name in names.iter().take(8) {
        for build in builds(&stage, name).await {
            let path = format!("/api/v1/apps/{name}/builds/{}/cancel", build["number"]);
            stage.owner(Ask::post(&path)).await;
        }
    }
    let (app, branch) = pushes[usize::try_from(first - 1).expect("small")];
    stage.ask(push(app, branch, first)).await.is(202);
    let again = stage.ask(push(app, branch, first)).await.is(200).value();
    assert_eq!(again["outcome"], "ignored", "{again}");
}
