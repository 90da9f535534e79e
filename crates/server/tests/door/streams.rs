//! What happens, followed while it happens.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::ask::{Ask, PATIENCE};
use crate::stage::Stage;

/// A stream of server-sent events as it is read.
struct Reading {
    body: Incoming,
    text: String,
}

impl Reading {
    async fn open(stage: &Stage, ask: Ask) -> Self {
        let response = ask.begin(stage.connect().await).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body(), text: String::new() }
    }

    /// The next event: its id, kind and data.
    async fn next(&mut self) -> (String, String, String) {
        let reading = async {
            loop {
                if let Some((message, rest)) = self.text.split_once("\n\n") {
                    let field = |name: &str| {
                        let line = message.lines().find_map(|line| line.strip_prefix(name));
                        line.unwrap_or_default().trim().to_owned()
                    };
                    let read = (field("id:"), field("event:"), field("data:"));
                    let taken = self.text.len() - rest.len();
                    self.text.drain(..taken);
                    if !read.2.is_empty() {
                        return read;
                    }
                    continue;
                }
                let frame = self.body.frame().await.expect("it goes on").expect("it is whole");
                if let Ok(data) = frame.into_data() {
                    self.text.push_str(&String::from_utf8_lossy(&data));
                }
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("something comes")
    }

    async fn next_event(&mut self) -> (String, Value) {
        let (id, _, data) = self.next().await;
        (id, serde_json::from_str(&data).expect("it is JSON"))
    }
}

async fn turn(stage: &Stage, app: &str, value: bool) {
    let path = format!("/api/v1/apps/{app}/flags/feature1");
    stage.owner(Ask::put(&path).json(&json!({ "value": value }))).await.is(200);
}

#[tokio::test]
async fn who_lost_the_link_goes_on_where_they_were() {
    let stage = Stage::with_shop().await;
    stage.owner(Ask::post("/api/v1/apps").json(&json!({ "name": "shop-2" }))).await.is(201);
    let token = stage.token(&["deploy:shop"]).await;
    let ask = || Ask::get("/api/v1/apps/shop/events/stream").token(&token);
    let mut reading = Reading::open(&stage, ask()).await;
    turn(&stage, "shop-2", false).await;
    turn(&stage, "shop", false).await;
    let (first, event) = reading.next_event().await;
    assert_eq!(event["kind"], "flag.changed");
    assert_eq!(event["app"], "shop", "the events of another app are not ours to see");
    assert_eq!(event["rev"].to_string(), first);
    drop(reading);
    let events =
        stage.ask(Ask::get("/api/v1/apps/shop/events").token(&token)).await.is(200).value();
    let events = events.as_array().expect("a list");
    assert!(events.iter().all(|event| event["app"] == "shop"), "{events:?}");

    turn(&stage, "shop", true).await;
    turn(&stage, "shop", false).await;
    let mut reading = Reading::open(&stage, ask().header("last-event-id", &first)).await;
    let (second, one) = reading.next_event().await;
    let (_, other) = reading.next_event().await;
    assert!(second.parse::<u64>().expect("a number") > first.parse().expect("a number"));
    assert_ne!(one["text"], other["text"]);
}

#[tokio::test]
async fn a_page_is_sent_what_changed_of_it() {
    let stage = Stage::with_shop().await;
    let session = stage.session(&stage.token(&["admin"]).await).await;
    let mut reading = Reading::open(&stage, Ask::get("/apps/shop/live").session(&session)).await;
    let mut flags = async |wanted: &str| loop {
        let (_, kind, data) = reading.next().await;
        let part: Value = serde_json::from_str(&data).expect("it is JSON");
        if kind == "part" && part["id"] == "flags" {
            let html = part["html"].as_str().expect("it is HTML");
            if html.contains(wanted) {
                return;
            }
        }
    };
    flags("aria-checked=\"true\"").await;
    turn(&stage, "shop", false).await;
    flags("aria-checked=\"false\"").await;
}

#[tokio::test]
async fn a_page_is_told_when_its_session_has_ended() {
    let stage = Stage::with_shop().await;
    let session = stage.session(&stage.token(&["admin"]).await).await;
    let mut reading = Reading::open(&stage, Ask::get("/apps/shop/live").session(&session)).await;
    reading.next().await;
    stage.ask(Ask::post("/logout").session(&session)).await.is(303);
    while reading.next().await.1 != "end" {}
}

#[tokio::test]
async fn no_more_streams_are_open_than_can_be_served() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["read"]).await;
    let ask = || Ask::get("/api/v1/events/stream").token(&token);
    let mut open = Vec::new();
    let refused = loop {
        let response = ask().begin(stage.connect().await).await;
        if response.status() != 200 {
            break response.status();
        }
        open.push(response);
        assert!(open.len() < 200, "there is no end to it");
    };
    assert_eq!(refused, 503);
    stage.ask(Ask::get("/api/v1/apps").token(&token)).await.is(200);
}

#[tokio::test]
async fn a_stream_ends_with_the_token_it_was_begun_with() {
    let stage = Stage::with_shop().await;
    let token = stage.token(&["read"]).await;
    let mut reading = Reading::open(&stage, Ask::get("/api/v1/events/stream").token(&token)).await;
    turn(&stage, "shop", false).await;
    reading.next().await;
    let tokens = stage.owner(Ask::get("/api/v1/tokens")).await.is(200).value();
    let id = tokens[0]["id"].as_str().expect("it has one").to_owned();
    stage.owner(Ask::delete(&format!("/api/v1/tokens/{id}"))).await.is(200);
    let ended = async { while reading.body.frame().await.is_some_and(|it| it.is_ok()) {} };
    tokio::time::timeout(PATIENCE, ended).await.expect("it ends");
}
