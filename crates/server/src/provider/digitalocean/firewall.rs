//! Nobody but Toehold reaches the machines it made.

use std::collections::{BTreeMap, BTreeSet};

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

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
    /// What it guards: everything with one of these.
    tags: Option<BTreeSet<String>>,
    inbound_rules: Option<Vec<Inbound>>,
}

#[derive(Deserialize)]
struct Inbound {
    protocol: String,
    ports: String,
    #[serde(default)]
    sources: Sources,
}

#[derive(Default, Deserialize)]
struct Sources {
    #[serde(default)]
    addresses: BTreeSet<String>,
    /// Droplets, load balancers, clusters, tags, and whatever the API will know.
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// What instances and SSH speak.
const PROTOCOL: &str = "tcp";

/// SSH.
const SSH: &str = "22";

/// The ports instances may listen on: what Linux gives away by itself.
const INSTANCES: &str = "32768-60999";

/// The API's word for all ports of a protocol.
const ALL: &str = "0";

impl Firewall {
    /// Whether it guards everything with the tag, and lets in these addresses to our ports, and
    /// nothing else.
    fn guards(&self, tag: &str, addresses: &BTreeSet<String>) -> bool {
        let rules = self.inbound_rules.as_deref().unwrap_or_default();
        let doors: BTreeSet<(&str, &str)> =
            rules.iter().map(|it| (it.protocol.as_str(), it.ports.as_str())).collect();
        self.tags.as_ref().is_some_and(|all| all.contains(tag))
            && doors == BTreeSet::from([(PROTOCOL, SSH), (PROTOCOL, INSTANCES)])
            && rules.iter().all(|it| it.sources.are(addresses))
    }
}

impl Sources {
    /// Whether they are these addresses, and nobody else.
    fn are(&self, addresses: &BTreeSet<String>) -> bool {
        let is_empty = |it: &Value| it.is_null() || it.as_array().is_some_and(Vec::is_empty);
        self.addresses == *addresses && self.others.values().all(is_empty)
    }
}

/// Sees to it that there is a firewall for everything with our tag: from the given addresses to SSH
/// and to instances, and to everywhere from inside. One that guards something else, or lets in
/// somebody else, is set right.
pub(super) async fn ensure(
    api: &Api,
    tag: &str,
    allow_from: &[String],
) -> Result<(), ProviderError> {
    let found: Firewalls = api.get("/v2/firewalls?per_page=200").await?;
    let ours = found.firewalls.iter().find(|it| it.name == tag);
    if ours.is_some_and(|it| it.guards(tag, &allow_from.iter().cloned().collect())) {
        return Ok(());
    }
    let inbound = |ports: &str| json!({ "protocol": PROTOCOL, "ports": ports, "sources": { "addresses": allow_from } });
    let everywhere = json!(["0.0.0.0/0", "::/0"]);
    let outbound = |protocol: &str| json!({ "protocol": protocol, "ports": ALL, "destinations": { "addresses": everywhere } });
    let body = json!({
        "name": tag,
        "inbound_rules": [inbound(SSH), inbound(INSTANCES)],
        "outbound_rules": [outbound("tcp"), outbound("udp")],
        "tags": [tag],
    });
    ensure_tag(api, tag).await?;
    if let Some(it) = ours {
        let path = format!("/v2/firewalls/{}", it.id);
        return api.call(Method::PUT, &path, Some(&body), &[200]).await.map(drop);
    }
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
