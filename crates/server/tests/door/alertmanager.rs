//! A real Alertmanager, both ways.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use toehold_core::model::{
    Alert, AlertPhase, App, Basis, InstanceId, Measured, Metric, Number, Track,
};
use toehold_server::alertmanager::Settings;
use toehold_server::clock::{Clock, SystemClock};
use tokio::time::Instant;

use crate::ask::{Ask, PATIENCE};
use crate::pretend::Pretend;
use crate::shop;
use crate::stage::Stage;

/// A program of Debian's package, wherever `script/setup` put it.
fn program(name: &str) -> PathBuf {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/test-tools/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from(here)]);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is needed: run script/setup"))
}

/// An Alertmanager; it ends with this.
struct RealOne {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl RealOne {
    /// One that tells the stage of every alert.
    fn start(port: u16, stage: &Stage, token: &str) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let config = format!(
            "route: {{receiver: toehold, group_by: [alertname, app, track], group_wait: 0s, \
             group_interval: 1s, repeat_interval: 1m}}\nreceivers:\n- name: toehold\n  \
             webhook_configs:\n  - url: http://{}/api/v1/alertmanager\n    send_resolved: true\n    \
             http_config: {{authorization: {{credentials: {token}}}}}\n",
            stage.address
        );
        let file = folder.path().join("alertmanager.yml");
        fs::write(&file, config).expect("it is written");
        let process = Command::new(program("prometheus-alertmanager"))
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", folder.path().display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        Self { process, port, _folder: folder }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What `amtool` says.
    fn amtool(&self, arguments: &[&str]) -> Option<String> {
        let told = Command::new(program("amtool"))
            .arg(format!("--alertmanager.url={}", self.url()))
            .args(arguments)
            .output()
            .expect("it runs");
        told.status.success().then(|| String::from_utf8_lossy(&told.stdout).into_owned())
    }

    /// The alerts that are active there.
    fn active(&self) -> Option<Vec<Value>> {
        let said = self.amtool(&["alert", "query", "--output=json", "app=shop"])?;
        serde_json::from_str(&said).ok()
    }

    async fn ready(&self) {
        until("alertmanager answers", async || self.active()).await;
    }
}

impl Drop for RealOne {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

/// What `look` sees once it sees something.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn events(stage: &Stage, of: &str) -> Vec<Value> {
    stage.owner(Ask::get(&format!("/api/v1{of}/events"))).await.is(200).json()
}

async fn event(stage: &Stage, of: &str, kind: &str) -> Value {
    let look = async || events(stage, of).await.into_iter().find(|it| it["kind"] == kind);
    until(&format!("an event {kind}"), look).await
}

async fn shop_at_work() -> (Stage, Pretend) {
    let stage = Stage::with(shop::written(), |_| {}).await;
    let pretend = Pretend::begin(&stage);
    (stage, pretend)
}

fn sample(status: &str, labels: &Value) -> Value {
    json!({ "version": "4", "status": status, "alerts": [{
        "status": status, "labels": labels, "annotations": { "summary": "5xx at 8 %" },
        "startsAt": "2026-11-23T12:18:31.788Z", "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph", "fingerprint": "f608fd461c8326ee",
    }] })
}

#[tokio::test]
async fn an_alert_of_a_real_one_holds_the_canary_and_its_end_clears_it() {
    let (stage, _pretend) = shop_at_work().await;
    let token = stage.token(&["alert:shop"]).await;
    let real = RealOne::start(free_port(), &stage, &token);
    real.ready().await;
    let labels = ["alert", "add", "HighErrors", "app=shop", "track=canary"];
    real.amtool(&[&labels[..], &["--annotation=summary=5xx at 8 %"]].concat()).expect("taken");
    let raised = event(&stage, "/apps/shop", "alert.raised").await;
    assert_eq!(raised["text"], "HighErrors of canary: 5xx at 8 % (canary #43)");
    assert_eq!(raised["actor"], "alert:shop");
    let held = event(&stage, "/apps/shop", "rollout.held").await;
    assert!(held["text"].as_str().expect("a text").contains("5xx at 8 %"), "{held}");
    let view = stage.owner(Ask::get("/api/v1/apps/shop")).await.is(200).value();
    assert_eq!(view["rollout"]["phase"]["state"], "held", "{view}");
    let page = stage.session(&stage.token(&["read"]).await).await;
    let page = stage.ask(Ask::get("/apps/shop").session(&page)).await.is(200).text();
    assert!(page.contains("told from outside") && page.contains("5xx at 8 %"), "{page}");

    let now = SystemClock.now().to_string();
    let ended = format!("--end={now}");
    let summary = "--annotation=summary=5xx at 8 %";
    real.amtool(&[&labels[..], &[summary, ended.as_str()]].concat()).expect("taken");
    event(&stage, "/apps/shop", "alert.cleared").await;
}

fn hot(app: &mut App) {
    let basis = Basis::Measured(Measured {
        instance: InstanceId::new(shop::name(), 1),
        metric: Metric::Cpu,
        value: 91.0,
        threshold: 45.0,
    });
    app.alerts.push(Alert {
        id: 1,
        rule: "cpu".into(),
        basis,
        release: Number(42),
        track: Track::Stable,
        raised_at: SystemClock.now(),
        phase: AlertPhase::Raised { stale: false },
        told_at: None,
        acknowledged_by: None,
    });
}

#[tokio::test]
async fn our_alerts_are_known_to_a_real_one_until_they_end() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let stage = Stage::with(shop::written_with(hot), |settings| {
        settings.messages.dashboard_url = Some("https://toehold.example.com".into());
        settings.alertmanager = Some(Settings { url, token_file: None, ca_file: None });
    })
    .await;
    let _pretend = Pretend::begin(&stage);
    // It is away at first: that is said, and nothing else suffers.
    let found = async || {
        let all: Vec<Value> = stage.owner(Ask::get("/api/v1/health")).await.is(200).json();
        all.into_iter().find(|it| it["what"] == "alertmanager")
    };
    assert_eq!(until("it is looked for", found).await["ok"], false);
    let lost = event(&stage, "", "outside.changed").await;
    assert!(lost["text"].as_str().expect("a text").contains("cannot be reached"), "{lost}");

    let real = RealOne::start(port, &stage, &stage.token(&["alert:*"]).await);
    let one = async || real.active().and_then(|all| all.into_iter().next());
    let there = until("our alert is there", one).await;
    assert_eq!(there["labels"]["alertname"], "cpu");
    assert_eq!(there["labels"]["track"], "stable");
    assert_eq!(there["annotations"]["summary"], "cpu of web.1 is 91 %, above 45 %");
    assert_eq!(there["generatorURL"], "https://toehold.example.com/apps/shop/why?of=alert/1");
    let back = async || {
        let all = events(&stage, "").await;
        all.into_iter().filter(|it| it["kind"] == "outside.changed").nth(1)
    };
    let back = until("it is back", back).await;
    assert!(back["text"].as_str().expect("a text").contains("again"), "{back}");
    // It was sent back to us, and is not taken for an alert of somebody else.
    let view = stage.owner(Ask::get("/api/v1/apps/shop")).await.is(200).value();
    assert_eq!(view["alerts"].as_array().map(Vec::len), Some(1), "{view}");

    let clear = json!({ "wish": "clear_alert", "alert": 1 });
    stage.owner(Ask::post("/api/v1/apps/shop/wishes").json(&clear)).await.is(200);
    until("it is over there", async || real.active()?.is_empty().then_some(())).await;
}

#[tokio::test]
async fn what_nothing_comes_of_is_taken_and_said_once() {
    let (stage, _pretend) = shop_at_work().await;
    let token = stage.token(&["alert:*"]).await;
    let post = |body: Value| stage.ask(Ask::post("/api/v1/alertmanager").token(&token).json(&body));
    for _ in 0..3 {
        let unknown = json!({ "alertname": "x", "app": "nosuch", "track": "canary" });
        let taken = post(sample("firing", &unknown)).await.is(200).value();
        assert_eq!(taken["passed_over"][0]["why"], "there is no app nosuch");
        let bare = json!({ "alertname": "x" });
        post(sample("firing", &bare)).await.is(200);
        let other = json!({ "alertname": "y", "app": "shop", "track": "beta" });
        post(sample("firing", &other)).await.is(200);
    }
    let all = events(&stage, "").await;
    let said: Vec<&str> = all
        .iter()
        .filter(|it| it["kind"] == "alert.ignored")
        .map(|it| it["text"].as_str().expect("a text"))
        .collect();
    assert_eq!(said.len(), 3, "{said:?}");
    let known = json!({ "alertname": "HighErrors", "app": "shop", "track": "stable" });
    let taken = post(sample("firing", &known)).await.is(200).value();
    assert_eq!(taken["raised"], 1);
    let taken = post(sample("firing", &known)).await.is(200).value();
    assert_eq!((&taken["raised"], &taken["known"]), (&json!(0), &json!(1)));
    let taken = post(sample("resolved", &known)).await.is(200).value();
    assert_eq!(taken["cleared"], 1);
}

#[tokio::test]
async fn only_who_may_raises_an_alert_and_only_what_is_one() {
    let (stage, _pretend) = shop_at_work().await;
    let labels = json!({ "alertname": "x", "app": "shop", "track": "canary" });
    let body = sample("firing", &labels);
    let ask = || Ask::post("/api/v1/alertmanager");
    stage.ask(ask().json(&body)).await.is(401);
    for scope in ["read", "flag:shop", "alert:blog"] {
        let token = stage.token(&[scope]).await;
        let refused = stage.ask(ask().token(&token).json(&body)).await.is(403);
        assert_eq!(refused.problem(), "scope_missing", "{scope}");
    }
    let token = stage.token(&["alert:shop"]).await;
    for bad in [json!({}), json!({ "version": "3", "alerts": [] }), sample("burning", &labels)] {
        let refused = stage.ask(ask().token(&token).json(&bad)).await.is(400);
        assert_eq!(refused.problem(), "body_unreadable", "{bad}");
    }
    stage.ask(ask().token(&token).bytes("application/json", "{")).await.is(400);
    let deploy = stage.token(&["deploy:shop"]).await;
    stage.ask(ask().token(&deploy).json(&body)).await.is(200);
}
