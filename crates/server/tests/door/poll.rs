//! What a lost webhook would have told of is found by a look at the forge.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
    looking_at_url(format!("file://{}", text(&forge.bare()))).await
}

async fn looking_at_url(url: String) -> Stage {
    let set = ForgeSettings {
        repository: "acme/shop".into(),
        url,
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

/// The forge over HTTP, as plain files; while it is broken it answers 500, and counts how often.
#[derive(Default)]
struct Web {
    is_mended: AtomicBool,
    refused: AtomicUsize,
}

impl Web {
    /// Opens it; gives its URL.
    fn open(self: &Arc<Self>, folder: PathBuf) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        let web = Arc::clone(self);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                web.answer(&stream.expect("a link"), &folder);
            }
        });
        format!("http://127.0.0.1:{port}/shop.git")
    }

    fn answer(&self, mut stream: &TcpStream, folder: &Path) {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let first = lines.next().unwrap_or_default();
        lines.find(String::is_empty);
        let path =
            first.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
        let file = std::fs::read(folder.join(path.trim_start_matches('/')));
        let (status, body) = match file {
            _ if !self.is_mended.load(Ordering::Relaxed) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                ("500 Internal Server Error", Vec::new())
            }
            Ok(body) => ("200 OK", body),
            Err(_) => ("404 Not Found", Vec::new()),
        };
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        let _ = stream.write_all(&[head.as_bytes(), &body].concat());
    }
}

#[tokio::test]
async fn a_forge_that_goes_on_answering_500_is_asked_less_often_and_loses_no_push() {
    let forge = Forge::new();
    forge.open();
    let web = Arc::new(Web::default());
    let stage = looking_at_url(web.open(forge.folder.path().to_owned())).await;
    let first = forge.commit("Begin");
    forge.push("HEAD", "main");
    forge.git(&["-C", text(&forge.bare()), "update-server-info"]);
    let looked = async {
        while web.refused.load(Ordering::Relaxed) < 4 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, looked).await.expect("it is asked again and again");
    let said = events(&stage, "forge.unreachable").await;
    assert_eq!(said.len(), 1, "it is said once: {said:?}");
    assert!(said[0]["text"].as_str().is_some_and(|it| it.contains("500")), "{said:?}");
    web.is_mended.store(true, Ordering::Relaxed);
    until_built(&stage, &[&first]).await;
    let said = async { while events(&stage, "forge.reached").await.is_empty() {} };
    tokio::time::timeout(PATIENCE, said).await.expect("it is said");
}

/// A Toehold that is told by nobody and looks nowhere, with another app in the same repository.
async fn asked_by_people(forge: &Forge, tokens: &Path) -> Stage {
    std::fs::write(tokens, "sesame").expect("it can be written");
    let set = ForgeSettings {
        repository: "acme/shop".into(),
        url: format!("file://{}", text(&forge.bare())),
        token_file: Some(tokens.to_owned()),
        api_url: Some("http://127.0.0.1:9/".into()),
        poll: Poll(None),
        ..ForgeSettings::default()
    };
    let other = ForgeSettings { repository: "Acme/shop.git".into(), ..set.clone() };
    let stage = Stage::with(Txn::default(), |settings| {
        for (name, set) in [("shop", set), ("blog", other)] {
            let app = AppSettings { gitea: Some(set), ..AppSettings::default() };
            settings.apps.insert(name.parse().expect("a name"), app);
        }
    })
    .await;
    stage.owner(Ask::post("/api/v1/apps").json(&json!({ "name": "shop" }))).await.is(201);
    stage
}

#[tokio::test]
async fn a_commit_that_nobody_pushed_here_is_fetched_and_the_forge_is_told_of_it() {
    let forge = Forge::new();
    let tokens = tempfile::NamedTempFile::new().expect("a file can be made");
    let stage = asked_by_people(&forge, tokens.path()).await;
    let deploy = |commit: &str| {
        Ask::post("/api/v1/apps/shop/deploy").json(&json!({ "commit": commit, "track": "stable" }))
    };
    // It is not known whether a forge that is away has it.
    let first = forge.commit("Begin");
    let away = stage.owner(deploy(&first)).await;
    assert!(matches!(away.problem().as_str(), "forge_refused" | "forge_away"), "{}", away.text());
    forge.open();
    let second = forge.commit("Go on");
    forge.push("HEAD", "main");
    stage.owner(deploy(&first)).await.is(202);
    let builds = until_built(&stage, &[&first]).await;
    assert_eq!(builds[0]["trigger"]["trigger"], "asked");
    assert_eq!(builds[0]["subject"], "Begin");
    assert_ne!(first, second);
    let absent = stage.owner(deploy(&"5".repeat(40))).await.is(404);
    assert_eq!(absent.problem(), "commit_not_found");
    let (told, _) =
        stage.control.store().list_as::<Value>("report/shop/gitea/").await.expect("read");
    let told = told.iter().map(|doc| &doc.value).find(|it| it["number"] == 1);
    let told = told.expect("somebody asked for it, and the forge has its commit");
    assert_eq!((&told["commit"], &told["has_several"]), (&json!(first), &json!(true)));
}

#[tokio::test]
async fn a_branch_that_cannot_be_fetched_holds_up_no_other() {
    let forge = Forge::new();
    forge.open();
    forge.commit("Begin");
    forge.push("HEAD", "canary");
    let main = forge.commit("Go on");
    forge.push("HEAD", "main");
    // The forge says where canary is, and has nothing there: canary is looked at before main.
    let missing = "1".repeat(40);
    let head = forge.bare().join("refs/heads/canary");
    std::fs::write(&head, format!("{missing}\n")).expect("it can be written");
    let stage = looking_at(&forge).await;
    until_built(&stage, &[&main]).await;
}
