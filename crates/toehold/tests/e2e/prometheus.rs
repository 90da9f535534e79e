//! Prometheus itself, and the tool it checks pages with, against a Toehold that works.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use toehold_server::metrics::{FAMILIES, Page};

use crate::stage::{App, Stage, get, request, said, until};

/// A program of Prometheus', which `script/setup` takes out of Debian's package.
fn program(name: &str) -> PathBuf {
    let folder = std::env::var("TOEHOLD_TEST_PROMETHEUS").unwrap_or_else(|_| {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/test-tools/prometheus/usr/bin")
            .to_owned()
    });
    let path = Path::new(&folder).join(name);
    assert!(path.exists(), "{} is not there: see script/setup", path.display());
    path
}

fn page(stage: &Stage, token: &str, path: &str) -> (u16, String) {
    let text = format!(
        "GET {path} HTTP/1.1\r\nHost: toehold\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    request(stage.api, &text).expect("an answer")
}

/// What `promtool check metrics` finds; nothing where all is well.
fn lint(page: &str) -> String {
    let mut child = Command::new(program("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    child.stdin.take().expect("it listens").write_all(page.as_bytes()).expect("it listens");
    let output = child.wait_with_output().expect("it ends");
    let found = said(&output);
    if output.status.success() { found } else { format!("{} {found}", output.status) }
}

/// An app that was visited, built well and built badly, beside one that nobody pushed.
fn busy(stage: &Stage) -> App<'_> {
    stage.bare("blank");
    let app = stage.app("hello");
    app.push("main");
    app.until_heard("v1");
    app.visits(20);
    app.says("broken").push("main");
    until("the second build failed", || (app.events("build.failed").len() == 1).then_some(()));
    let _ = get(stage.port, "blank.localhost", "/");
    app
}

fn token(app: &App<'_>) -> String {
    let made = app.json(&["tokens", "create", "prometheus", "--scope", "read"]);
    made["token"].as_str().expect("it is shown once").to_owned()
}

#[test]
fn every_page_passes_prometheus_own_check_and_every_metric_is_on_its_page() {
    let stage = Stage::new();
    let app = busy(&stage);
    let token = token(&app);
    for (kind, path) in [
        (Page::Control, "/metrics"),
        (Page::Proxy, "/metrics/proxy"),
        (Page::Agent, "/metrics/agent/local"),
    ] {
        let missing = |text: &str| {
            // Those of certificates are said only where a CA is asked for some.
            let is_said = |name: &str| !name.starts_with("toehold_control_certificate");
            let of_page =
                FAMILIES.iter().filter(|family| family.page == kind && is_said(family.name));
            let is_there = |name: &str| text.contains(&format!("# TYPE {name} "));
            of_page.map(|it| it.name).filter(|name| !is_there(name)).collect::<Vec<_>>()
        };
        let text = until(&format!("{path} has every metric"), || {
            let (status, text) = page(&stage, &token, path);
            assert_eq!(status, 200, "{text}");
            missing(&text).is_empty().then_some(text)
        });
        assert_eq!(lint(&text), "", "{path}:\n{text}");
    }
    let (_, control) = page(&stage, &token, "/metrics");
    for line in [
        "toehold_builder_builds_total{app=\"hello\",track=\"stable\",outcome=\"passed\"} 1",
        "toehold_builder_builds_total{app=\"hello\",track=\"stable\",outcome=\"failed\"} 1",
        "toehold_control_traffic_ratio{app=\"hello\",track=\"stable\"} 1",
        "toehold_control_release_number{app=\"hello\",track=\"stable\"} 1",
        "toehold_fleet_proxies 1",
    ] {
        assert!(control.contains(&format!("\n{line}\n")), "{line} is not in {control}");
    }
    assert!(lint("toehold_x 1\n").contains("no help text"), "it would find something");
}

/// What the panels of the dashboard ask.
fn dashboard() -> Vec<String> {
    let text = include_str!("../../../../docs/grafana.json");
    let dashboard: Value = serde_json::from_str(text).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels").iter();
    let targets = panels.flat_map(|it| it["targets"].as_array().into_iter().flatten());
    targets.map(|it| it["expr"].as_str().expect("it asks something").to_owned()).collect()
}

/// As it stands in an address.
fn escaped(query: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    query.bytes().map(one).collect()
}

/// Ends with the test.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Prometheus, which reads Toehold and looks for instances there; its port.
fn prometheus(folder: &Path, api: u16, token: &str) -> (Prometheus, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it has an address").port();
    drop(listener);
    std::fs::write(folder.join("token"), token).expect("written");
    let one = |job: &str, path: &str| {
        format!(
            "  - job_name: {job}\n    metrics_path: {path}\n    honor_labels: true\n    \
             authorization: {{ credentials_file: token }}\n    \
             static_configs: [{{ targets: [\"127.0.0.1:{api}\"] }}]\n"
        )
    };
    let config = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs:\n{}{}{}  - job_name: apps\n    \
         metrics_path: /\n    http_sd_configs:\n      - url: \
         http://127.0.0.1:{api}/api/v1/sd/instances\n        refresh_interval: 1s\n        \
         authorization: {{ type: Bearer, credentials_file: token }}\n    relabel_configs:\n      - {{ \
         source_labels: [__meta_toehold_app], target_label: app }}\n      - {{ source_labels: \
         [__meta_toehold_release], target_label: release }}\n",
        one("toehold", "/metrics"),
        one("toehold-proxy", "/metrics/proxy"),
        one("toehold-agent", "/metrics/agent/local"),
    );
    std::fs::write(folder.join("prometheus.yml"), config).expect("written");
    let log = std::fs::File::create(folder.join("log")).expect("a log");
    let child = Command::new(program("prometheus"))
        .current_dir(folder)
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("prometheus runs");
    (Prometheus(child), port)
}

#[test]
fn prometheus_reads_all_pages_and_finds_the_instance() {
    let stage = Stage::new();
    let app = busy(&stage);
    let folder = tempfile::tempdir().expect("a folder");
    let (_prometheus, port) = prometheus(folder.path(), stage.api, &token(&app));
    let answer = |query: &str| -> Value {
        let path = format!("/api/v1/query?query={}", escaped(query));
        serde_json::from_str(&get(port, "127.0.0.1", &path).1).unwrap_or_default()
    };
    let ask = |query: &str| -> Vec<Value> {
        answer(query)["data"]["result"].as_array().cloned().unwrap_or_default()
    };
    let value =
        |query: &str| -> Option<f64> { ask(query).first()?["value"][1].as_str()?.parse().ok() };
    for job in ["toehold", "toehold-proxy", "toehold-agent"] {
        until(&format!("{job} is up"), || {
            (value(&format!("up{{job=\"{job}\"}}")) == Some(1.0)).then_some(())
        });
    }
    until("the requests are counted", || {
        value("sum(toehold_proxy_requests_total{app=\"hello\", code=\"2xx\"})")
            .filter(|count| *count >= 20.0)
    });
    until("a quantile can be told", || {
        value("histogram_quantile(0.95,sum(toehold_proxy_request_duration_seconds_bucket)by(le))")
            .filter(|seconds| *seconds > 0.0)
    });
    let found = until("the instance is found", || ask("up{job=\"apps\"}").pop());
    let labels = &found["metric"];
    assert_eq!((&labels["app"], &labels["release"]), (&"hello".into(), &"1".into()), "{found}");
    for query in dashboard() {
        let answer = answer(&query.replace("$app", ".*"));
        assert_eq!(answer["status"], "success", "{query}: {answer}");
    }
    let status = app.status();
    let listens = &status["instances"][0]["status"]["addr"];
    assert_eq!(&labels["instance"], listens, "{status}");
}
