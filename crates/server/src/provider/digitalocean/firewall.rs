//! Nobody but Toehold reaches the machines it made.

use std::collections::BTreeSet;

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
    id: String,
    name: String,
    #[serde(default)]
    inbound_rules: Vec<Inbound>,
}

#[derive(Deserialize)]
struct Inbound {
    ports: String,
    #[serde(default)]
    sources: Sources,
}

#[derive(Default, Deserialize)]
struct Sources {
    #[serde(default)]
    addresses: BTreeSet<String>,
}

/// SSH.
const SSH: &str = "22";

/// The ports instances may listen on: what Linux gives away by itself.
const INSTANCES: &str = "32768-60999";

/// The API's word for all ports of a protocol.
const ALL: &str = "0";

impl Firewall {
    /// Whether it lets in these addresses to our ports, and nothing else.
    fn lets_in(&self, addresses: &BTreeSet<String>) -> bool {
        let ports: BTreeSet<&str> = self.inbound_rules.iter().map(|it| it.ports.as_str()).collect();
        ports == BTreeSet::from([SSH, INSTANCES])
            && self.inbound_rules.iter().all(|it| it.sources.addresses == *addresses)
    }
}

/// Sees to it that there is a firewall for everything with our tag: from the given addresses to SSH
/// and to instances, and to everywhere from inside. One that lets in somebody else is set right.
pub(super) async fn ensure(
    api: &Api,
    tag: &str,
    allow_from: &[String],
) -> Result<(), ProviderError> {
    let found: Firewalls = api.get("/v2/firewalls?per_page=200").await?;
    let ours = found.firewalls.iter().find(|it| it.name == tag);
    if ours.is_some_and(|it| it.lets_in(&allow_from.iter().cloned().collect())) {
        return Ok(());
    }
    let inbound = |ports: &str| json!({ "protocol": "tcp", "ports": ports, "sources": { "addresses": allow_from } });
    let everywhere = json!(["0.0.0.0/0", "::/0"]);
    let outbound = |protocol: &str| json!({ "protocol": protocol, "ports": ALL, "destinations": { "addresses": everywhere } });
    let body = json!({
        "name": tag,
        "inbound_rules": [inbound(SSH), inbound(INSTANCES)],
        "outbound_rules": [outbound("tcp"), outbound("udp")],
        "tags": [tag],
    });
    if let Some(it) = ours {
        let path = format!("/v2/firewalls/{}", it.id);
        return api.call(Method::PUT, &path, Some(&body), &[200]).await.map(drop);
    }
    ensure_tag(api, tag).await?;
    api.call(Method::POST, "/v2/firewalls", Some(&body), &[202]).await.map(drop)
}

/// A firewall may name only tags there are; that of the first machine comes with the machine, and
/// the firewall stands before it.
async fn ensure_tag(api: &Api, tag: &str) -> Result<(), ProviderError> {
    let found = api.call(Method::GET, &format!("/v2/tags/{tag}"), None, &[200, 404]).await?;
    if found.status == 200 {
        return Ok(());
    }
    api.call(Method::POST, "/v2/tags", Some(&json!({ "name": tag })), &[201]).await.map(drop)
}
