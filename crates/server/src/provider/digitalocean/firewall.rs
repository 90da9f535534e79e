//! Nobody but Toehold reaches the machines it made.

use hyper::Method;
use serde::Deserialize;
use serde_json::json;

use super::api::Api;
use crate::provider::ProviderError;

#[derive(Deserialize)]
struct Firewalls {
    #[serde(default)]
    firewalls: Vec<Firewall>,
}

#[derive(Deserialize)]
struct Firewall {
    name: String,
}

/// The ports instances may listen on: what Linux gives away by itself.
const INSTANCES: &str = "32768-60999";

/// Sees to it that there is a firewall for everything with our tag: from the given addresses to SSH
/// and to instances, and to everywhere from inside.
pub(super) async fn ensure(
    api: &Api,
    tag: &str,
    allow_from: &[String],
) -> Result<(), ProviderError> {
    let found: Firewalls = api.get("/v2/firewalls?per_page=200").await?;
    if found.firewalls.iter().any(|it| it.name == tag) {
        return Ok(());
    }
    let inbound = |ports: &str| json!({ "protocol": "tcp", "ports": ports, "sources": { "addresses": allow_from } });
    let everywhere = json!(["0.0.0.0/0", "::/0"]);
    let outbound = |protocol: &str| json!({ "protocol": protocol, "ports": "all", "destinations": { "addresses": everywhere } });
    let body = json!({
        "name": tag,
        "inbound_rules": [inbound("22"), inbound(INSTANCES)],
        "outbound_rules": [outbound("tcp"), outbound("udp")],
        "tags": [tag],
    });
    api.call(Method::POST, "/v2/firewalls", Some(&body), &[202]).await.map(drop)
}
