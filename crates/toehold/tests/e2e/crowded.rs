//! Several apps on one machine elsewhere, and one that talks too much.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::Value;

use crate::death::part;
use crate::hosts::Hosts;
use crate::stage::{App, Stage, request, until};

/// An app that runs on machines SSH leads to.
fn elsewhere<'a>(stage: &'a Stage, name: &str) -> App<'a> {
    let app = stage.app(name);
    app.add("toehold.toml", "\n[machines]\nprovider = \"ssh\"\n");
    app.commit("run elsewhere");
    app
}

/// Where its instances listen.
fn addresses(app: &App<'_>) -> BTreeSet<String> {
    let status = app.status();
    let all = status["instances"].as_array().expect("a list");
    all.iter().filter_map(|it| it["status"]["addr"].as_str().map(str::to_owned)).collect()
}

#[test]
fn apps_and_their_releases_share_a_machine_and_each_is_found() {
    let Some(hosts) = Hosts::new(1) else { return };
    let stage = hosts.stage();
    hosts.join(&stage);
    let (shop, blog) = (elsewhere(&stage, "shop"), elsewhere(&stage, "blog"));
    shop.push("main");
    blog.says("b1").push("main");
    shop.says("v2").push("canary");
    until("the canary takes its share", || shop.visits(10).contains_key("v2").then_some(()));
    shop.until_healthy(2);
    blog.until_healthy(1);
    assert_eq!(blog.visits(20).into_keys().collect::<Vec<_>>(), ["b1"]);
    let heard: BTreeSet<String> = shop.visits(40).into_keys().collect();
    assert_eq!(heard, ["v1", "v2"].map(str::to_owned).into());

    // Prometheus finds each of the three, on the machine it runs on.
    let token = shop.json(&["tokens", "create", "prometheus", "--scope", "read"]);
    let token = token["token"].as_str().expect("it is shown once");
    let asked = format!(
        "GET /api/v1/sd/instances HTTP/1.1\r\nHost: toehold\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    let (status, found) = request(stage.api, &asked).expect("an answer");
    assert_eq!(status, 200, "{found}");
    let found: Vec<Value> = serde_json::from_str(&found).expect("it is JSON");
    let listed: BTreeSet<String> =
        found.iter().filter_map(|it| it["targets"][0].as_str().map(str::to_owned)).collect();
    let mut all = addresses(&shop);
    all.extend(addresses(&blog));
    assert_eq!((listed, found.len()), (all, 3), "{found:?}");
    let address = format!("{}:", hosts.all()[0].address);
    for it in &found {
        assert_eq!(it["labels"]["__meta_toehold_machine"], "web1", "{it}");
        assert!(it["targets"][0].as_str().is_some_and(|at| at.starts_with(&address)), "{it}");
    }

    // What one does is nothing to the other.
    let process = blog.status()["instances"][0]["status"]["run"]["pid"].clone();
    shop.done(&["rollout", "promote"]);
    until("the canary is stable", || (shop.visits(10).into_keys().eq(["v2"])).then_some(()));
    assert_eq!(blog.status()["instances"][0]["status"]["run"]["pid"], process);
    assert_eq!(blog.visits(20).into_keys().collect::<Vec<_>>(), ["b1"]);
}

/// It says much more than is kept of it, and then how it went.
const TALKS: &str = "'use strict';
const line = 'x'.repeat(1023) + '\\n';
let pieces = 0;
const talks = setInterval(() => {
  process.stdout.write(line.repeat(2048));
  pieces += 1;
  if (pieces === 100) {
    clearInterval(talks);
    process.stdout.write('all was said\\n');
  }
}, 20);
";

/// The most that is kept of a log, with what it may grow before it is cut, in bytes.
const KEPT: u64 = 40 << 20;

/// What the control plane may grow by meanwhile: its store and its logs go on, in bytes.
const GROWTH: u64 = 24 << 20;

/// What all files below a folder take, in bytes.
fn taken(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |path: &Path| {
        // What has gone meanwhile takes nothing.
        let about = std::fs::symlink_metadata(path).ok();
        about.map_or(0, |it| if it.is_dir() { taken(path) } else { it.blocks() * 512 })
    };
    entries.map(|entry| of(&entry.path())).sum()
}

/// The resident memory of the control plane, in bytes.
fn resident(stage: &Stage) -> u64 {
    let pid = part(stage, "serve").expect("it runs");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.expect("it has memory") * 1024
}

#[test]
fn an_app_elsewhere_that_talks_without_end_fills_neither_disk_nor_memory() {
    let Some(hosts) = Hosts::new(1) else { return };
    let stage = hosts.stage();
    hosts.join(&stage);
    let app = elsewhere(&stage, "hello");
    app.push("main");
    app.until_healthy(1);
    let _ = app.done(&["logs", "web.1"]);
    let (disk, memory) = (taken(&stage.state()), resident(&stage));

    app.add("main.js", TALKS);
    app.commit("talk");
    app.push("main");
    let last = || app.done(&["logs"]);
    // Who looks meanwhile is shown the end of it, and no more.
    until("all was said", || {
        let shown = last();
        assert!(shown.len() < 1 << 20, "{} bytes were shown", shown.len());
        shown.contains("all was said").then_some(())
    });
    let logs = hosts.all()[0].state().join("agent/log");
    until("its head was cut", || (taken(&logs) <= KEPT).then_some(()));
    assert!(taken(&logs) > KEPT / 2, "{} bytes are kept", taken(&logs));
    // All that is kept can be read, and costs the control plane a piece of it at a time.
    let whole = app.done(&["logs", "--since", "1h"]);
    assert!(whole.len() > 16 << 20, "{} bytes were shown", whole.len());
    let (grown, used) = (taken(&stage.state()), resident(&stage));
    assert!(grown < disk + GROWTH, "the state grew from {disk} to {grown} bytes");
    assert!(used < memory + GROWTH, "the control plane grew from {memory} to {used} bytes");
}
