//! The numbers for Prometheus, as the table has them, the pages say them and people read of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use toehold_server::metrics::{FAMILIES, Family, Kind, Page};

use crate::ask::Ask;
use crate::stage::Stage;

const BEGIN: &str = "<!-- made from the code by `TOEHOLD_BLESS=1 cargo test -p toehold-server --test \
                     door metrics`: begin -->\n";
const END: &str = "<!-- end -->";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn table() -> String {
    let mut text = String::new();
    for (page, heading) in [
        (Page::Control, "`/metrics`"),
        (Page::Proxy, "`/metrics/proxy`"),
        (Page::Agent, "`/metrics/agent/MACHINE`"),
    ] {
        let _ = write!(
            text,
            "\n### {heading}\n\n| metric | kind | labels | what it says |\n|---|---|---|---|\n"
        );
        for Family { name, kind, labels, help, .. } in FAMILIES.iter().filter(|it| it.page == page)
        {
            let labels: Vec<String> = labels.iter().map(|it| format!("`{it}`")).collect();
            let _ =
                writeln!(text, "| `{name}` | {} | {} | {help} |", kind.as_str(), labels.join(", "));
        }
    }
    text.push('\n');
    text
}

#[test]
fn the_page_about_metrics_has_each_as_the_code_has_it() {
    let path = docs().join("metrics.md");
    let page = std::fs::read_to_string(&path).expect("it is there");
    let (before, rest) = page.split_once(BEGIN).expect("it says where the table begins");
    let (made, after) = rest.split_once(END).expect("it says where the table ends");
    if std::env::var_os("TOEHOLD_BLESS").is_some() {
        let page = format!("{before}{BEGIN}{}{END}{after}", table());
        std::fs::write(&path, page).expect("it can be written");
        return;
    }
    assert_eq!(made, table(), "TOEHOLD_BLESS=1 cargo test -p toehold-server --test door metrics");
}

/// Every name of a metric in a text, without what a histogram adds to it.
fn names(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|word| word.starts_with("toehold_"));
    let plain = |name: &str| {
        let base = ["_bucket", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let is = |name: &str, kind| FAMILIES.iter().any(|it| it.name == name && it.kind == kind);
        base.filter(|base| is(base, Kind::Histogram)).unwrap_or(name).to_owned()
    };
    names.map(plain).collect()
}

#[test]
fn the_dashboard_and_the_page_name_no_metric_that_is_not_there() {
    for file in ["grafana.json", "metrics.md"] {
        let text = std::fs::read_to_string(docs().join(file)).expect("it is there");
        for name in names(&text) {
            assert!(FAMILIES.iter().any(|it| it.name == name), "{file} names {name}");
        }
    }
    let dashboard = std::fs::read(docs().join("grafana.json")).expect("it is there");
    let dashboard: serde_json::Value = serde_json::from_slice(&dashboard).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    assert!(panels.iter().all(|panel| panel["targets"][0]["expr"].is_string()));
}

#[tokio::test]
async fn numbers_are_for_who_may_read_all() {
    let stage = Stage::with_shop().await;
    let read = stage.token(&["read"]).await;
    let page = stage.ask(Ask::get("/metrics").token(&read)).await.is(200);
    assert_eq!(page.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(page.text().contains("\ntoehold_control_instances{app=\"shop\",track=\"stable\"} 0\n"));
    assert!(page.text().contains("\ntoehold_fleet_proxies 0\n"), "{}", page.text());
    for path in ["/metrics/proxy", "/metrics/agent/local"] {
        assert_eq!(stage.ask(Ask::get(path).token(&read)).await.is(503).problem(), "away");
    }
    let found = stage.ask(Ask::get("/api/v1/sd/instances").token(&read)).await.is(200);
    assert_eq!(found.text(), "[]");
    let deploy = stage.token(&["deploy:shop"]).await;
    stage.ask(Ask::get("/metrics").token(&deploy)).await.is(403);
}
