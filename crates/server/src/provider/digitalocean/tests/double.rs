//! A double of the API on loopback, which goes wrong as it is told.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use toehold_scenery::{Called, published};
use tokio::net::TcpListener;

/// An answer that is given instead of the usual one.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// The beginning of the call it answers: `POST /v2/droplets`.
    pub(super) to: &'static str,
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) message: &'static str,
    /// Whether it is done all the same.
    pub(super) is_done: bool,
}

/// That this is answered to such a call, and nothing is done.
pub(super) fn told(to: &'static str, status: u16, message: &'static str) -> Told {
    Told { to, status, headers: Vec::new(), message, is_done: false }
}

#[derive(Default)]
struct Inner {
    droplets: Vec<Value>,
    told: VecDeque<Told>,
    called: Vec<Called>,
    firewalls: Vec<Value>,
    /// Whether Droplets become active.
    are_stuck: bool,
}

/// The cloud.
#[derive(Clone)]
pub(super) struct Double {
    pub(super) url: String,
    inner: Arc<Mutex<Inner>>,
}

impl Double {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it has an address"));
        let double = Self { url, inner: Arc::default() };
        let inside = double.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let inside = inside.clone();
                let service = service_fn(move |request| {
                    let inside = inside.clone();
                    async move { Ok::<_, Infallible>(inside.answer(request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        double
    }

    /// Answers so, once, at the next such call.
    pub(super) fn answers(&self, told: Told) {
        self.lock().told.push_back(told);
    }

    /// Droplets stay new.
    pub(super) fn sticks(&self) {
        self.lock().are_stuck = true;
    }

    /// Somebody makes a Droplet.
    pub(super) fn has(&self, name: &str, tag: &str) {
        self.lock().make(&json!({ "name": name, "tags": [tag] }));
    }

    /// Somebody changes a place of the firewall.
    pub(super) fn changes_firewall(&self, at: &str, to: &Value) {
        let mut inner = self.lock();
        let firewall = inner.firewalls.first_mut().expect("there is one");
        to.clone_into(firewall.pointer_mut(at).expect("it has such a place"));
    }

    /// The firewalls there are.
    pub(super) fn firewalls(&self) -> Vec<Value> {
        self.lock().firewalls.clone()
    }

    pub(super) fn names(&self) -> Vec<String> {
        let inner = self.lock();
        inner.droplets.iter().filter_map(|it| Some(it["name"].as_str()?.to_owned())).collect()
    }

    /// Every call that begins so.
    pub(super) fn called(&self, beginning: &str) -> Vec<Called> {
        let inner = self.lock();
        inner.called.iter().filter(|it| it.call.starts_with(beginning)).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let call = format!("{} {target}", request.method());
        let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
        let body: Value = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
        let mut inner = self.lock();
        let told = inner.told.iter().position(|it| call.starts_with(it.to));
        let told = told.and_then(|at| inner.told.remove(at));
        let (mut status, mut answer) = (0, Value::Null);
        if told.as_ref().is_none_or(|it| it.is_done) {
            (status, answer) = inner.usual(&call, &body);
        }
        let mut response = Response::builder().header("content-type", "application/json");
        if let Some(told) = told {
            let id = if told.status == 422 { "unprocessable_entity" } else { "trouble" };
            (status, answer) = (told.status, json!({ "id": id, "message": told.message }));
            for (name, value) in told.headers {
                response = response.header(name, value);
            }
        }
        let text = if status == 204 { String::new() } else { answer.to_string() };
        inner.called.push(Called { call, body, status, answer });
        response.status(status).body(Full::new(Bytes::from(text))).expect("it is an answer")
    }
}

impl Inner {
    fn usual(&mut self, call: &str, body: &Value) -> (u16, Value) {
        let (call, query) = call.split_once('?').unwrap_or((call, ""));
        match call.split_once(' ') {
            Some(("GET", "/v2/droplets")) => {
                let tag = query.split('&').find_map(|it| it.strip_prefix("tag_name="));
                let has = |it: &&Value| {
                    it["tags"].as_array().is_some_and(|all| all.iter().any(|it| it.as_str() == tag))
                };
                let droplets: Vec<Value> = self.droplets.iter().filter(has).cloned().collect();
                let total = droplets.len();
                if !self.are_stuck {
                    self.droplets.iter_mut().for_each(|it| published::activate(it, "192.0.2.7"));
                }
                (200, json!({ "droplets": droplets, "links": {}, "meta": { "total": total } }))
            }
            Some(("POST", "/v2/droplets")) => {
                let droplet = self.make(body);
                (202, json!({ "droplet": droplet, "links": { "actions": [] } }))
            }
            Some(("DELETE", path)) => {
                let before = self.droplets.len();
                let id = path.rsplit('/').next().and_then(|it| it.parse().ok());
                self.droplets.retain(|it| it["id"].as_u64() != id);
                if self.droplets.len() < before { (204, Value::Null) } else { missing() }
            }
            Some(("GET", "/v2/sizes")) => {
                (200, json!({ "sizes": [published::size()], "links": {}, "meta": { "total": 1 } }))
            }
            Some(("GET", "/v2/firewalls")) => {
                let total = self.firewalls.len();
                let all =
                    json!({ "firewalls": self.firewalls, "links": {}, "meta": { "total": total } });
                (200, all)
            }
            Some(("POST", "/v2/firewalls")) => {
                let mut firewall = body.clone();
                firewall["id"] = json!("bb4b2611-3d72-467b-8602-280330ecd65c");
                self.firewalls.push(firewall.clone());
                (202, json!({ "firewall": firewall }))
            }
            Some(("PUT", path)) if path.starts_with("/v2/firewalls/") => {
                let Some(firewall) = self.firewalls.first_mut() else { return missing() };
                for (key, value) in body.as_object().into_iter().flatten() {
                    firewall[key] = value.clone();
                }
                (200, json!({ "firewall": firewall }))
            }
            Some(("GET", path)) if path.starts_with("/v2/tags/") => missing(),
            Some(("POST", "/v2/tags")) => {
                let resources = json!({ "count": 0 });
                (201, json!({ "tag": { "name": body["name"], "resources": resources } }))
            }
            _ => missing(),
        }
    }

    fn make(&mut self, body: &Value) -> Value {
        let name = body["name"].as_str().unwrap_or_default();
        let id = 100 + self.called.len() as u64;
        let droplet = published::droplet(id, name, &body["tags"]);
        self.droplets.push(droplet.clone());
        droplet
    }
}

fn missing() -> (u16, Value) {
    (404, json!({ "id": "not_found", "message": "The resource was not found." }))
}
