//! What an account has, and what is answered when it is asked about.

use std::collections::VecDeque;
use std::fs;

use serde_json::{Value, json};

use super::contract::Called;
use super::http::Answer;
use super::{Cloud, Fault, published};
use crate::error::SceneryError;
use crate::host::Host;
use crate::network::Network;

/// How many calls are remembered with their answers.
const REMEMBERED: usize = 1_000;

/// How the log of a cloud-init begins that fails.
const CLOUD_INIT: &str = "\
Cloud-init v. 22.4.2 running 'init-local' at Sun, 29 Nov 2026 09:00:00 +0000. Up 4.36 seconds.
Cloud-init v. 22.4.2 running 'modules:final' at Sun, 29 Nov 2026 09:00:09 +0000. Up 13.02 seconds.
2026-11-29 09:00:09,402 - util.py[WARNING]: Running module scripts-user failed
";

/// One account.
#[derive(Debug)]
pub struct Account {
    pub droplets: Vec<Droplet>,
    /// Outlives the hosts that are on it.
    network: Network,
    next_id: u64,
    pub faults: Vec<Fault>,
    /// Every call: `POST /v2/droplets`.
    pub calls: Vec<String>,
    /// The last of them, with what was answered.
    pub called: VecDeque<Called>,
    pub firewalls: Vec<Value>,
    tags: Vec<String>,
    /// What did not hold to the contract.
    pub breaches: Vec<String>,
}

/// A host that was asked for.
#[derive(Debug)]
pub struct Droplet {
    id: u64,
    pub name: String,
    tags: Vec<String>,
    /// Answers until it is active.
    new_for: u32,
    pub host: Host,
}

impl Account {
    pub const fn new(network: Network) -> Self {
        Self {
            droplets: Vec::new(),
            network,
            next_id: 100,
            faults: Vec::new(),
            calls: Vec::new(),
            called: VecDeque::new(),
            firewalls: Vec::new(),
            tags: Vec::new(),
            breaches: Vec::new(),
        }
    }

    /// Answers a call and remembers it; `None`: the connection is closed without a word.
    pub fn take(&mut self, call: &str, headers: &str, body: &Value) -> Option<Answer> {
        self.calls.push(call.to_owned());
        let answer = self.answer(call, headers, body);
        if let Some((status, _, answer)) = &answer {
            let (call, body, answer) = (call.to_owned(), body.clone(), answer.clone());
            self.called.push_back(Called { call, body, status: *status, answer });
            if self.called.len() > REMEMBERED {
                self.called.pop_front();
            }
        }
        answer
    }

    fn answer(&mut self, call: &str, headers: &str, body: &Value) -> Option<Answer> {
        let bearer = format!("authorization: bearer {}", Cloud::TOKEN);
        if !headers.to_ascii_lowercase().contains(&bearer) {
            return Some((401, "", said("unauthorized", "Unable to authenticate you")));
        }
        if self.fault(Fault::Patience) {
            let slow = said("too_many_requests", "API rate limit exceeded.");
            return Some((429, "retry-after: 1\r\n", slow));
        }
        let (method, target) = call.split_once(' ')?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        match (method, path) {
            ("GET", "/v2/droplets") => Some((200, "", self.list(query))),
            ("POST", "/v2/droplets") => self.make(body),
            ("DELETE", path) if path.starts_with("/v2/droplets/") => {
                let id: u64 = path.rsplit('/').next().and_then(|it| it.parse().ok()).unwrap_or(0);
                if self.delete(|it| it.id == id) {
                    Some((204, "", Value::Null))
                } else {
                    Some((404, "", said("not_found", "The resource was not found.")))
                }
            }
            ("GET", "/v2/sizes") => {
                let sizes = [published::size()];
                Some((200, "", json!({ "sizes": sizes, "links": {}, "meta": { "total": 1 } })))
            }
            ("GET", "/v2/firewalls") => {
                let (all, total) = (&self.firewalls, self.firewalls.len());
                let all = json!({ "firewalls": all, "links": {}, "meta": { "total": total } });
                Some((200, "", all))
            }
            ("POST", "/v2/firewalls") => {
                self.look_at_firewall(body);
                let mut firewall = body.clone();
                firewall["id"] = json!(format!("fw-{}", self.firewalls.len()));
                self.firewalls.push(firewall.clone());
                Some((202, "", json!({ "firewall": firewall })))
            }
            ("PUT", path) if path.starts_with("/v2/firewalls/") => {
                self.look_at_firewall(body);
                let id = json!(path.rsplit('/').next());
                let found = self.firewalls.iter_mut().find(|it| it["id"] == id)?;
                *found = body.clone();
                found["id"] = id;
                Some((200, "", json!({ "firewall": found })))
            }
            ("POST", "/v2/tags") => {
                self.tags.extend(body["name"].as_str().map(str::to_owned));
                Some((201, "", json!({ "tag": { "name": body["name"] } })))
            }
            ("GET", path) if path.starts_with("/v2/tags/") => {
                let name = path.rsplit('/').next().unwrap_or_default();
                if self.tags.iter().any(|it| it == name) {
                    Some((200, "", json!({ "tag": { "name": name } })))
                } else {
                    Some((404, "", said("not_found", "The resource was not found.")))
                }
            }
            _ => {
                self.breaches.push(format!("{call} is not in the contract"));
                Some((404, "", said("not_found", "The resource was not found.")))
            }
        }
    }

    fn fault(&mut self, fault: Fault) -> bool {
        let at = self.faults.iter().position(|it| *it == fault);
        at.is_some_and(|at| self.faults.remove(at) == fault)
    }

    fn list(&mut self, query: &str) -> Value {
        let tag = query.split('&').find_map(|it| it.strip_prefix("tag_name=")).unwrap_or_default();
        if tag.is_empty() {
            self.breaches.push("everything was listed, and not what carries the tag".into());
        }
        let mut droplets = Vec::new();
        for it in self.droplets.iter_mut().filter(|it| it.tags.iter().any(|it| it == tag)) {
            let is_active = it.new_for == 0;
            it.new_for = it.new_for.saturating_sub(1);
            let mut droplet = published::droplet(it.id, &it.name, &json!(it.tags));
            if is_active {
                published::activate(&mut droplet, &it.host.address().to_string());
            }
            droplets.push(droplet);
        }
        let total = droplets.len();
        json!({ "droplets": droplets, "links": {}, "meta": { "total": total } })
    }

    fn make(&mut self, body: &Value) -> Option<Answer> {
        if self.fault(Fault::Limit) {
            let full = "creating this/these droplet(s) will exceed your droplet limit";
            return Some((422, "", said("unprocessable_entity", full)));
        }
        self.look_at(body);
        let name = body["name"].as_str().unwrap_or_default().to_owned();
        let tags = body["tags"].as_array().cloned().unwrap_or_default();
        let user_data = body["user_data"].as_str().unwrap_or_default();
        let config: Value = user_data
            .strip_prefix("#cloud-config\n")
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        let booted = self.boot(
            &text(&config["ssh_keys"]["ed25519_private"]),
            &text(&config["users"][0]["ssh_authorized_keys"][0]),
        );
        let host = match booted {
            Ok(host) => host,
            Err(error) => {
                self.breaches.push(format!("no host could be made: {error}"));
                return Some((500, "", said("server_error", "Unexpected server-side error")));
            }
        };
        self.next_id += 1;
        let new_for = if self.fault(Fault::Stuck) { u32::MAX } else { 1 };
        self.tags.extend(tags.iter().filter_map(Value::as_str).map(str::to_owned));
        self.droplets.push(Droplet {
            id: self.next_id,
            name: name.clone(),
            tags: tags.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            new_for,
            host,
        });
        if self.fault(Fault::LostAnswer) {
            return None;
        }
        if self.fault(Fault::Lie) {
            return Some((500, "", said("server_error", "Unexpected server-side error")));
        }
        let droplet = published::droplet(self.next_id, &name, &json!(tags));
        Some((202, "", json!({ "droplet": droplet, "links": { "actions": [] } })))
    }

    /// One more host, with a host key and a visitor of somebody else's choice.
    fn boot(&mut self, key: &str, visitor: &str) -> Result<Host, SceneryError> {
        let mut host = self.network.host()?;
        host.set_key(key)?;
        host.authorize(visitor)?;
        if self.fault(Fault::Full) {
            host.fill()?;
            let said = format!("{CLOUD_INIT}{}\n", Cloud::FULL);
            fs::write(host.log().join("cloud-init-output.log"), said)
                .map_err(SceneryError::system("write the log of a cloud-init"))?;
        }
        host.boot()?;
        Ok(host)
    }

    /// What the contract asks of a request.
    fn look_at(&mut self, body: &Value) {
        let mut missing = |what: &str| self.breaches.push(format!("{what}: {body}"));
        for key in ["name", "region", "size", "image"] {
            if body[key].as_str().is_none_or(str::is_empty) {
                missing(&format!("{key} is missing"));
            }
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        if !body["name"].as_str().is_some_and(|name| name.chars().all(plain)) {
            missing("the name is none");
        }
        if body["user_data"].as_str().is_none_or(|it| it.len() > 64 * 1024) {
            missing("the user_data is too long, or not there");
        }
    }

    /// What the contract asks of a firewall.
    fn look_at_firewall(&mut self, body: &Value) {
        let tags = body["tags"].as_array().cloned().unwrap_or_default();
        if tags.iter().any(|it| !self.tags.iter().any(|tag| it == tag.as_str())) {
            self.breaches.push(format!("a tag of the firewall does not exist: {body}"));
        }
        let rules = ["inbound_rules", "outbound_rules"].map(|it| body[it].as_array().cloned());
        for rule in rules.into_iter().flatten().flatten() {
            let ports = rule["ports"].as_str().unwrap_or_default();
            if ports.is_empty() || !ports.chars().all(|c| c.is_ascii_digit() || c == '-') {
                self.breaches.push(format!("these are no ports: {rule}"));
            }
        }
    }

    /// A Droplet is deleted, and its host with it.
    pub fn delete(&mut self, which: impl Fn(&Droplet) -> bool) -> bool {
        let Some(at) = self.droplets.iter().position(which) else { return false };
        self.droplets.remove(at);
        true
    }
}

fn said(id: &str, message: &str) -> Value {
    json!({ "id": id, "message": message, "request_id": "4d9d8375-3c56-4925-a3e7-eb137fed17e9" })
}
