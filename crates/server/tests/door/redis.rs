//! Flags and canary alerts in a real Redis: single, by Sentinel and in a cluster.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use toehold_server::mirror::Settings;
use toehold_server::secret::Secret;
use toehold_server::store::Txn;
use tokio::time::Instant;

use crate::ask::Ask;
use crate::pretend::Pretend;
use crate::redis_server::{Redis, certificate, cluster, free_port, until};
use crate::shop;
use crate::stage::Stage;

fn nothing() -> Settings {
    toml_of("")
}

fn toml_of(text: &str) -> Settings {
    let text = if text.is_empty() { "prefix = \"\"" } else { text };
    toml::from_str(text).expect("it is well-formed")
}

fn at(port: u16) -> Settings {
    Settings { url: Some(Secret::new(format!("redis://127.0.0.1:{port}"))), ..nothing() }
}

/// `shop`, new, whose flags are mirrored.
async fn mirrored(settings: Settings) -> Stage {
    let stage = Stage::with(Txn::default(), |it| it.redis = Some(settings)).await;
    stage.owner(Ask::post("/api/v1/apps").json(&json!({ "name": "shop" }))).await.is(201);
    stage
}

fn server(port: u16) -> Redis {
    Redis::start(port, &["--port", &port.to_string()])
}

async fn turn(stage: &Stage, value: bool) {
    let set = Ask::put("/api/v1/apps/shop/flags/feature1").json(&json!({ "value": value }));
    stage.owner(set).await.is(200);
}

async fn flag(stage: &Stage) -> Value {
    let flags = stage.owner(Ask::get("/api/v1/apps/shop/flags")).await.is(200).value();
    flags["flags"]["feature1"].clone()
}

async fn health(stage: &Stage) -> Option<Value> {
    let all: Vec<Value> = stage.owner(Ask::get("/api/v1/health")).await.is(200).json();
    all.into_iter().find(|it| it["what"] == "redis")
}

async fn well(stage: &Stage, ok: bool) -> Value {
    let found = async || health(stage).await.filter(|it| it["ok"] == ok);
    until(&format!("redis is well: {ok}"), found).await
}

const FEATURE: [&str; 2] = ["GET", "feature1"];

#[tokio::test]
async fn a_flag_is_a_plain_key_and_follows_every_change() {
    let redis = server(free_port()).ready().await;
    let stage = mirrored(at(redis.port)).await;
    redis.says(&FEATURE, "true").await;
    redis.says(&["GET", "alert:shop"], "no").await;
    assert_eq!(redis.ask(&["TTL", "feature1"]).as_deref(), Some("-1"));
    let began = Instant::now();
    for value in [false, true, false] {
        turn(&stage, value).await;
        redis.says(&FEATURE, &value.to_string()).await;
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(well(&stage, true).await["says"].to_string().contains("2 keys kept in step"));
}

#[tokio::test]
async fn what_somebody_sets_is_taken_over_and_written_down() {
    let redis = server(free_port()).ready().await;
    let stage = mirrored(at(redis.port)).await;
    redis.says(&FEATURE, "true").await;
    well(&stage, true).await;
    for value in [false, true] {
        redis.ask(&["SET", "feature1", &value.to_string()]).expect("it is set");
        let taken = async || Some(flag(&stage).await).filter(|it| it["value"] == value);
        assert_eq!(until("it is taken over", taken).await["changed_by"], "redis");
    }
    let events: Vec<Value> = stage.owner(Ask::get("/api/v1/apps/shop/events")).await.json();
    let by_redis = events.iter().filter(|it| it["actor"] == "redis").count();
    assert_eq!(by_redis, 2, "{events:?}");
    // And what we set after it counts again.
    turn(&stage, false).await;
    redis.says(&FEATURE, "false").await;
}

/// A way to a Redis on which somebody else is quicker: `set` is done as often as it is said to,
/// right before a step of ours arrives.
async fn overtaken(redis: u16, set: &'static [&'static str], mut times: usize) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((ours, _)) = listener.accept().await {
            let theirs = tokio::net::TcpStream::connect(("127.0.0.1", redis)).await;
            let (mut from, mut back) = ours.into_split();
            let (mut answers, mut to) = theirs.expect("it listens").into_split();
            tokio::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
            let mut piece = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = from.read(&mut piece).await {
                let words = String::from_utf8_lossy(&piece[..count]);
                let begins = words.contains("MULTI") && words.contains(set[1]);
                if begins && times > 0 {
                    times -= 1;
                    let port = redis.to_string();
                    let mut other = Command::new("redis-cli");
                    other.args(["-p", &port]).args(set).stdout(Stdio::null());
                    assert!(other.status().expect("redis-cli is there").success());
                }
                if to.write_all(&piece[..count]).await.is_err() {
                    break;
                }
            }
        }
    });
    port
}

#[tokio::test]
async fn what_somebody_sets_right_before_us_is_not_written_over() {
    let redis = server(free_port()).ready().await;
    // What was put there last is `true`, and it was deleted: that is put right.
    redis.ask(&["SET", "toehold:was:{feature1}", "true"]).expect("it is set");
    let way = overtaken(redis.port, &["SET", "feature1", "false"], 1).await;
    let stage = mirrored(at(way)).await;
    let taken = async || Some(flag(&stage).await).filter(|it| it["value"] == false);
    assert_eq!(until("it is taken over", taken).await["changed_by"], "redis");
    redis.says(&FEATURE, "false").await;
}

#[tokio::test]
async fn rubbish_deletions_and_a_flush_are_put_right_and_turn_nothing() {
    let redis = server(free_port()).ready().await;
    let stage = mirrored(at(redis.port)).await;
    turn(&stage, false).await;
    redis.says(&FEATURE, "false").await;
    for words in [
        &["SET", "feature1", "TRUE"][..],
        &["SET", "feature1", ""],
        &["SET", "feature1", "\u{1}\u{7f}"],
        &["DEL", "feature1"],
        &["FLUSHALL"],
        &["EVAL", "redis.call('DEL','feature1') return redis.call('LPUSH','feature1','true')", "0"],
        &["SET", "alert:shop", "yes"],
    ] {
        redis.ask(words).expect("it is done");
        redis.says(&FEATURE, "false").await;
        redis.says(&["GET", "alert:shop"], "no").await;
        assert_eq!(flag(&stage).await["value"], false, "{words:?}");
    }
}

#[tokio::test]
async fn what_is_only_mirrored_is_put_right_whoever_sets_it() {
    let redis = server(free_port()).ready().await;
    let stage = mirrored(Settings { adopt: false, ..at(redis.port) }).await;
    redis.says(&FEATURE, "true").await;
    redis.ask(&["SET", "feature1", "false"]).expect("it is set");
    redis.says(&FEATURE, "true").await;
    assert_eq!(flag(&stage).await["value"], true);
}

#[tokio::test]
async fn an_alert_on_the_canary_is_there_at_once() {
    let redis = server(free_port()).ready().await;
    let stage = Stage::with(shop::written(), |it| it.redis = Some(at(redis.port))).await;
    let _pretend = Pretend::begin(&stage);
    redis.says(&["GET", "alert:shop"], "no").await;
    let alert = |status: &str| {
        json!({ "version": "4", "alerts": [{
            "status": status, "labels": { "alertname": "x", "app": "shop", "track": "canary" },
            "startsAt": "2026-11-23T12:18:31Z", "fingerprint": "f1",
        }] })
    };
    for (status, said) in [("firing", "yes"), ("resolved", "no")] {
        stage.owner(Ask::post("/api/v1/alertmanager").json(&alert(status))).await.is(200);
        redis.says(&["GET", "alert:shop"], said).await;
    }
}

#[tokio::test]
async fn where_redis_is_away_nothing_fails_and_then_all_is_there_again() {
    let port = free_port();
    let began = Instant::now();
    let stage = mirrored(at(port)).await;
    turn(&stage, false).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    well(&stage, false).await;
    let redis = server(port).ready().await;
    redis.says(&FEATURE, "false").await;
    well(&stage, true).await;

    drop(redis);
    well(&stage, false).await;
    turn(&stage, true).await;
    let evaluate = stage.token(&["evaluate:shop"]).await;
    let asked = Ask::post("/ofrep/v1/evaluate/flags/feature1").token(&evaluate).json(&json!({}));
    assert_eq!(stage.ask(asked).await.is(200).value()["value"], true);
    // It comes back empty.
    let redis = server(port).ready().await;
    let began = Instant::now();
    redis.says(&FEATURE, "true").await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    well(&stage, true).await;
    let events: Vec<Value> = stage.owner(Ask::get("/api/v1/events")).await.is(200).json();
    let told: Vec<&str> = events
        .iter()
        .filter(|it| it["kind"] == "outside.changed")
        .map(|it| it["text"].as_str().expect("a text"))
        .collect();
    assert_eq!(told.len(), 4, "lost and back, twice, each said once: {told:?}");
}

#[tokio::test]
async fn a_redis_that_stands_still_holds_up_nothing() {
    let redis = server(free_port()).ready().await;
    let stage = mirrored(at(redis.port)).await;
    redis.says(&FEATURE, "true").await;
    redis.ask(&["CLIENT", "PAUSE", "4000", "ALL"]).expect("it pauses");
    let began = Instant::now();
    for value in [false, true, false] {
        turn(&stage, value).await;
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    redis.says(&FEATURE, "false").await;
}

#[tokio::test]
async fn sentinels_say_which_one_it_is_and_a_failover_turns_nothing() {
    let first = server(free_port()).ready().await;
    let port = free_port();
    let (of, text) = (first.port.to_string(), port.to_string());
    let arguments = ["--port", text.as_str(), "--replicaof", "127.0.0.1", of.as_str()];
    let second = Redis::start(port, &arguments).ready().await;
    let linked = async || {
        second.ask(&["INFO", "replication"]).filter(|it| it.contains("master_link_status:up"))
    };
    until("it is a replica", linked).await;
    let mut sentinels = Vec::new();
    for _ in 0..3 {
        sentinels.push(Redis::sentinel(free_port(), first.port).ready().await);
    }
    for sentinel in &sentinels {
        let sees = async || {
            let said = sentinel.ask(&["SENTINEL", "MASTER", "main"])?.replace('\n', " ");
            let all = said.contains("num-other-sentinels 2") && said.contains("num-slaves 1");
            all.then_some(())
        };
        until("the sentinels know each other", sees).await;
    }
    let settings = Settings {
        sentinels: sentinels.iter().map(|it| format!("127.0.0.1:{}", it.port)).collect(),
        master: Some("main".into()),
        ..nothing()
    };
    let stage = mirrored(settings).await;
    turn(&stage, false).await;
    first.says(&FEATURE, "false").await;
    second.says(&FEATURE, "false").await;
    assert!(well(&stage, true).await["says"].to_string().contains("with 1 replica"));

    drop(first);
    let leads = async || second.ask(&["ROLE"]).filter(|it| it.starts_with("master"));
    until("the replica leads", leads).await;
    turn(&stage, true).await;
    second.says(&FEATURE, "true").await;
    assert_ne!(flag(&stage).await["changed_by"], "redis", "the failover turned it");
    well(&stage, true).await;
}

#[tokio::test]
async fn in_a_cluster_each_flag_is_in_its_slot_and_is_taken_over_too() {
    let nodes = cluster().await;
    let settings = Settings {
        cluster: nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect(),
        prefix: "{app}:".into(),
        ..nothing()
    };
    let stage = mirrored(settings).await;
    for n in 0..20 {
        let set = Ask::put(&format!("/api/v1/apps/shop/flags/flag{n}"));
        stage.owner(set.json(&json!({ "value": n % 2 == 0 }))).await.is(200);
    }
    for n in 0..20 {
        let key = format!("shop:flag{n}");
        nodes[0].says(&["GET", &key], if n % 2 == 0 { "true" } else { "false" }).await;
    }
    assert!(well(&stage, true).await["says"].to_string().contains("in the cluster"));
    nodes[1].ask(&["SET", "shop:feature1", "false"]).expect("it is set");
    let taken = async || Some(flag(&stage).await).filter(|it| it["value"] == false);
    assert_eq!(until("it is taken over", taken).await["changed_by"], "redis");
}

#[tokio::test]
async fn a_password_and_an_authority_of_ones_own_are_asked_for() {
    let folder = TempDir::new().expect("a folder");
    let (good, key) = certificate(folder.path(), "good");
    let (other, _) = certificate(folder.path(), "other");
    let (port, password) = (free_port(), "sesame-open");
    let text = port.to_string();
    let arguments = [
        "--port",
        "0",
        "--tls-port",
        &text,
        "--tls-cert-file",
        &good,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
        "--tls-ca-cert-file",
        &good,
        "--requirepass",
        password,
    ];
    let more = ["--tls", "--cacert", &good, "--no-auth-warning", "-a", password];
    let redis = Redis::start_with(port, &arguments, &more).ready().await;
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{text}\n")).expect("it is written");
        Some(path)
    };
    let settings = |password: &str, ca: &str| Settings {
        url: Some(Secret::new(format!("rediss://127.0.0.1:{port}"))),
        password_file: file(password, password),
        ca_file: Some(Path::new(ca).to_owned()),
        ..nothing()
    };
    for wrong in [settings("sesame-wrong", &good), settings(password, &other)] {
        let stage = mirrored(wrong).await;
        let said = well(&stage, false).await.to_string();
        assert!(!said.contains("sesame"), "{said}");
        stage.end().await;
    }
    let _stage = mirrored(settings(password, &good)).await;
    redis.says(&FEATURE, "true").await;
}

/// The rights that the documents say are enough.
#[tokio::test]
async fn a_user_with_no_more_rights_than_it_needs_is_enough() {
    let redis = server(free_port()).ready().await;
    let text = include_str!("../../../../docs/redis.md");
    let line = text.lines().find_map(|line| line.trim().strip_prefix("ACL SETUSER "));
    let line = line.expect("the documents say it").replace("PASSWORD", "sesame");
    let words: Vec<&str> = ["ACL", "SETUSER"].into_iter().chain(line.split(' ')).collect();
    assert_eq!(redis.ask(&words).as_deref(), Some("OK"));
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, "sesame\n").expect("it is written");
    let (username, password_file) = (Some("toehold".to_owned()), Some(file));
    let stage = mirrored(Settings { username, password_file, ..at(redis.port) }).await;
    redis.says(&FEATURE, "true").await;
    turn(&stage, false).await;
    redis.says(&FEATURE, "false").await;
    well(&stage, true).await;
}

/// As the origin's own app reads its flag, with the client it has.
const READER: &str = "
const client = require('redis').createClient(Number(process.argv[1]), '127.0.0.1', {});
client.on('error', error => { console.error(error); process.exit(1); });
client.get('feature1', (error, value) => {
    console.log(error || (value === 'true' ? 'feature is on' : 'feature is off'));
    client.quit();
});
";

#[tokio::test]
async fn an_app_with_the_client_of_the_origin_obeys() {
    let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/test-tools/node/node_modules");
    assert!(
        Path::new(modules).join("redis").is_dir(),
        "npm's redis 0.12 is needed: run script/setup"
    );
    let redis = server(free_port()).ready().await;
    let stage = mirrored(at(redis.port)).await;
    for (value, said) in [(true, "feature is on"), (false, "feature is off")] {
        turn(&stage, value).await;
        redis.says(&FEATURE, &value.to_string()).await;
        let read = Command::new("node")
            .args(["-e", READER, &redis.port.to_string()])
            .env("NODE_PATH", modules)
            .stderr(Stdio::inherit())
            .output()
            .expect("node is there");
        assert_eq!(String::from_utf8_lossy(&read.stdout).trim(), said);
    }
}
