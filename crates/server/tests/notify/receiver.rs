//! Receivers on loopback that hold to what Slack, Discord, Teams and ntfy publish: what they take,
//! how large, and what they answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::parts::soon;

/// What somebody publishes about what they take.
pub(crate) type Contract = fn(&Uri, &HeaderMap, &Value) -> (u16, &'static str);

/// A receiver.
pub(crate) struct Receiver {
    pub(crate) addr: SocketAddr,
    busy: Arc<AtomicBool>,
    got: mpsc::UnboundedReceiver<(u16, Value)>,
}

#[derive(Clone)]
struct Inside {
    contract: Contract,
    busy: Arc<AtomicBool>,
    got: mpsc::UnboundedSender<(u16, Value)>,
}

impl Receiver {
    pub(crate) async fn start(contract: Contract) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let addr = listener.local_addr().expect("it is bound");
        let busy = Arc::new(AtomicBool::new(false));
        let (says, got) = mpsc::unbounded_channel();
        let inside = Inside { contract, busy: busy.clone(), got: says };
        let router = Router::new().fallback(take).with_state(inside);
        tokio::spawn(async move { axum_serve(listener, router).await });
        Self { addr, busy, got }
    }

    /// From now on it has had enough, or not any more.
    pub(crate) fn is_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::SeqCst);
    }

    /// The next message, with what was answered.
    pub(crate) async fn message(&mut self) -> (u16, Value) {
        soon("a message arrives", self.got.recv()).await.expect("it runs")
    }

    pub(crate) fn message_so_far(&mut self) -> Option<(u16, Value)> {
        self.got.try_recv().ok()
    }
}

async fn axum_serve(listener: TcpListener, router: Router) {
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;
    while let Ok((stream, _)) = listener.accept().await {
        let service = TowerToHyperService::new(router.clone());
        let http = hyper::server::conn::http1::Builder::new();
        drop(tokio::spawn(http.serve_connection(TokioIo::new(stream), service)));
    }
}

async fn take(
    State(inside): State<Inside>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let message: Value = serde_json::from_str(&body).unwrap_or_default();
    let (status, text) = if inside.busy.load(Ordering::SeqCst) {
        (429, "rate limited")
    } else {
        (inside.contract)(&uri, &headers, &message)
    };
    // Nobody may be left to look at it.
    let _ = inside.got.send((status, message));
    let status = StatusCode::from_u16(status).expect("a status");
    let text = format!("{text} for {uri}");
    if status == StatusCode::TOO_MANY_REQUESTS {
        return (status, [("retry-after", "30")], text).into_response();
    }
    (status, text).into_response()
}

fn length(value: &Value) -> usize {
    value.as_str().map_or(usize::MAX, |text| text.encode_utf16().count())
}

/// Slack's incoming webhooks.
pub(crate) fn slack(uri: &Uri, _: &HeaderMap, message: &Value) -> (u16, &'static str) {
    if uri.path() != "/services/T0123/B0123/sesameopen" {
        return (404, "no_service");
    }
    let none = Vec::new();
    let blocks = message["blocks"].as_array().unwrap_or(&none);
    let fits = |block: &Value| match block["type"].as_str() {
        Some("header") => length(&block["text"]["text"]) <= 150,
        Some("section") => length(&block["text"]["text"]) <= 3_000,
        Some("actions") => block["elements"].as_array().is_some_and(|it| it.len() <= 25),
        Some("context") => block["elements"].as_array().is_some_and(|it| it.len() <= 10),
        _ => false,
    };
    match length(&message["text"]) {
        0 => (400, "no_text"),
        1..=40_000 if blocks.len() <= 50 && blocks.iter().all(fits) => (200, "ok"),
        _ => (400, "invalid_blocks"),
    }
}

/// Discord's webhooks.
pub(crate) fn discord(uri: &Uri, _: &HeaderMap, message: &Value) -> (u16, &'static str) {
    if uri.path() != "/api/webhooks/123/sesameopen" {
        return (404, "Unknown Webhook");
    }
    let embed = &message["embeds"][0];
    let fits = length(&message["content"]) <= 2_000
        && length(&embed["description"]) <= 4_096
        && embed.to_string().len() <= 6_500;
    if fits { (204, "") } else { (400, "Invalid Form Body") }
}

/// A Teams workflow.
pub(crate) fn teams(uri: &Uri, _: &HeaderMap, message: &Value) -> (u16, &'static str) {
    if uri.query() != Some("api-version=1&sig=sesameopen") {
        return (401, "the signature is not valid");
    }
    let attachment = &message["attachments"][0];
    let card = &attachment["content"];
    let fits = message["type"] == "message"
        && attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        && card["type"] == "AdaptiveCard"
        && card["body"].is_array()
        && message.to_string().len() <= 28 * 1_024;
    if fits { (202, "") } else { (400, "bad card") }
}

/// A server of ntfy where the topic needs a token.
pub(crate) fn ntfy(uri: &Uri, headers: &HeaderMap, message: &Value) -> (u16, &'static str) {
    if headers.get("authorization").is_none_or(|it| it != "Bearer tk_sesameopen") {
        return (403, "forbidden");
    }
    let priority = message["priority"].as_u64().is_some_and(|it| (1..=5).contains(&it));
    let fits = uri.path() == "/"
        && message["topic"] == "alerts"
        && message["message"].as_str().is_some_and(|text| text.len() <= 4_096)
        && message["actions"].as_array().is_none_or(|it| it.len() <= 3);
    if fits && priority { (200, "{}") } else { (400, "invalid request") }
}
