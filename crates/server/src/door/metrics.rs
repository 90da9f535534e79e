//! What Prometheus reads, with a token of the scope `read`.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use toehold_core::model::MachineName;

use super::Door;
use super::caller::Caller;
use super::extract::At;
use super::problem::Unable;
use crate::metrics::Text;

pub(crate) async fn control(State(door): State<Door>) -> Result<Response, Unable> {
    Ok(page(&door.control.exposed().await?))
}

pub(crate) async fn proxy(State(door): State<Door>) -> Result<Response, Unable> {
    door.control.exposed_proxy().map(|text| page(&text)).ok_or_else(|| away("the proxy"))
}

pub(crate) async fn agent(
    State(door): State<Door>,
    At(machine): At<MachineName>,
) -> Result<Response, Unable> {
    let text = door.control.exposed_agent(&machine);
    text.map(|text| page(&text)).ok_or_else(|| away(&format!("the agent of {machine}")))
}

/// What is away has no numbers: Prometheus then says `up == 0`.
fn away(who: &str) -> Unable {
    let title = format!("{who} was not heard of in the last ten seconds");
    Unable::later(StatusCode::SERVICE_UNAVAILABLE, "away", &title, 5).hint("toehold doctor")
}

fn page(text: &Text) -> Response {
    ([(CONTENT_TYPE, Text::TYPE)], text.page()).into_response()
}

/// Where the instances are, in the form of Prometheus' `http_sd`.
pub(crate) async fn instances(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
) -> Json<Vec<Value>> {
    let found = door.control.scraped().await;
    let seen = found.into_iter().filter(|it| caller.may_look(&it.app));
    let group = seen.map(|it| {
        let labels: Map<String, Value> =
            it.labels.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        json!({ "targets": [it.addr.to_string()], "labels": labels })
    });
    Json(group.collect())
}
