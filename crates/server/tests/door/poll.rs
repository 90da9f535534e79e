//! What a lost webhook would have told of is found by a look at the forge.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use toehold_server::settings::{AppSettings, ForgeSettings, Poll};
use toehold_server::store::Txn;

use crate::ask::{Ask, PATIENCE};
use crate::stage::Stage;

/// A forge: a bare repository, and a clone that pushes to it.
struct Forge {
    folder: TempDir,
}

impl Forge {
    fn new() -> Self {
        let forge = Self { folder: TempDir::new().expect("a folder can be made") };
        std::fs::create_dir(forge.work()).expect("a folder can be made");
        forge.git(&["init", "--quiet", "--initial-branch=main"]);
        forge.git(&["config", "user.name", "Ada"]);
        forge.git(&["config", "user.email", "ada@example.com"]);
        forge
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn bare(&self) -> PathBuf {
        self.folder.path().join("shop.git")
    }

    fn open(&self) {
        self.git(&["init", "--quiet", "--bare", text(&self.bare())]);
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git").current_dir(self.work()).args(arguments).output();
        let output = output.expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn push(&self, what: &str, branch: &str) {
        let to = format!("+{what}:refs/heads/{branch}");
        self.git(&["push", "--quiet", text(&self.bare()), &to]);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("it is text")
}

/// A Toehold that looks at the forge often.
async fn looking_at(forge: &Forge) -> Stage {
    let set = ForgeSettings {
        repository: "acme/shop".into(),
        url: format!("file://{}", text(&forge.bare())),
        poll: Poll(Some(Duration::from_millis(100))),
        ..ForgeSettings::default()
    };
    let app = AppSettings { gitea: Some(set), ..AppSettings::default() };
    let stage = Stage::with(Txn::default(), |settings| {
        settings.apps.insert("shop".parse().expect("a name"), app);
    })
    .await;
    stage.owner(Ask::post("/api/v1/apps").json(&json!({ "name": "shop" }))).await.is(201);
    stage
}

/// The builds, oldest first, once they are of these commits; everything else has to stay away until
/// then.
async fn until_built(stage: &Stage, commits: &[&str]) -> Vec<Value> {
    let waiting = async {
        loop {
            let builds = stage.owner(Ask::get("/api/v1/apps/shop/builds")).await.is(200).value();
            let mut builds = builds.as_array().cloned().unwrap_or_default();
            builds.reverse();
            let found: Vec<&str> = builds.iter().filter_map(|it| it["commit"].as_str()).collect();
            if found == commits {
                return builds;
            }
            assert!(found.len() <= commits.len(), "too much was built: {found:?}");
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the look finds them")
}

async fn events(stage: &Stage, kind: &str) -> Vec<Value> {
    let all = stage.owner(Ask::get("/api/v1/apps/shop/events")).await.is(200).value();
    let all = all.as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|event| event["kind"] == kind).collect()
}

#[tokio::test]
async fn what_no_webhook_told_of_is_built_once() {
    let forge = Forge::new();
    forge.open();
    let first = forge.commit("Begin");
    forge.push("HEAD", "main");
    let stage = looking_at(&forge).await;
    let builds = until_built(&stage, &[&first]).await;
    assert_eq!(builds[0]["trigger"]["trigger"], "poll");
    assert_eq!(
        (&builds[0]["subject"], &builds[0]["author"]),
        (&json!("Begin"), &json!("Ada <ada@example.com>"))
    );
    // What is not to be built is passed over, also where another branch comes behind it.
    let skipped = forge.commit("Words\n\n[skip ci]");
    forge.push("HEAD", "main");
    let canary = forge.commit("Try it");
    forge.push("HEAD", "canary");
    let other = forge.commit("Elsewhere");
    forge.push(&other, "elsewhere");
    until_built(&stage, &[&first, &canary]).await;
    let second = forge.commit("Go on");
    forge.push(&second, "main");
    until_built(&stage, &[&first, &canary, &second]).await;
    // Back to what was built before is a push like any other.
    forge.push(&first, "main");
    until_built(&stage, &[&first, &canary, &second, &first]).await;
    assert!(!skipped.is_empty());
    assert_eq!(events(&stage, "push.ignored").await.len(), 1);
}

#[tokio::test]
async fn a_forge_that_is_away_is_said_once_and_found_again() {
    let forge = Forge::new();
    let stage = looking_at(&forge).await;
    let said = async { while events(&stage, "forge.unreachable").await.is_empty() {} };
    tokio::time::timeout(PATIENCE, said).await.expect("it is said");
    let first = forge.commit("Begin");
    forge.open();
    forge.push("HEAD", "main");
    until_built(&stage, &[&first]).await;
    let said = async { while events(&stage, "forge.reached").await.is_empty() {} };
    tokio::time::timeout(PATIENCE, said).await.expect("it is said");
    assert_eq!(events(&stage, "forge.unreachable").await.len(), 1);
}
