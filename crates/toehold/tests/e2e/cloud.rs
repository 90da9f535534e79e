//! A double of `DigitalOcean`'s API v2, as far as it is used: it holds to the published contract,
//! its Droplets are real hosts with a real `sshd`, and it goes wrong where it is told to.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::hosts::Hosts;
use crate::stage::Stage;

/// The token it takes.
const TOKEN: &str = "dop_v1_test";

/// How it goes wrong, once each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A Droplet is made and the answer is lost.
    LostAnswer,
    /// A Droplet is made and the answer is 500.
    Lie,
    /// 429, to be asked again after a second.
    Patience,
    /// 422: the account may have no more.
    Limit,
    /// A Droplet never becomes active.
    Stuck,
}

/// The cloud; what it gave is gone with it.
pub struct Cloud {
    port: u16,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    hosts: Hosts,
    droplets: Vec<Droplet>,
    next_id: u64,
    faults: VecDeque<Fault>,
    /// Every call: `POST /v2/droplets`.
    calls: Vec<String>,
    firewalls: Vec<Value>,
    tags: Vec<String>,
    /// What did not hold to the contract.
    breaches: Vec<String>,
}

struct Droplet {
    id: u64,
    name: String,
    tags: Vec<String>,
    /// Answers until it is active.
    new_for: u32,
    address: String,
}

impl Cloud {
    /// A cloud without Droplets; `None`, said aloud, where hosts cannot be made here.
    pub fn new() -> Option<Self> {
        let hosts = Hosts::new(0)?;
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let inner = Inner {
            hosts,
            droplets: Vec::new(),
            next_id: 100,
            faults: VecDeque::new(),
            calls: Vec::new(),
            firewalls: Vec::new(),
            tags: Vec::new(),
            breaches: Vec::new(),
        };
        let inner = Arc::new(Mutex::new(inner));
        let serving = Arc::downgrade(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Some(inner) = serving.upgrade() else { return };
                serve(&inner, stream);
            }
        });
        Some(Self { port, inner })
    }

    /// A Toehold that has an account here.
    pub fn stage(&self, machines: &str) -> Stage {
        let token = self.lock().hosts.keep("token", &format!("{TOKEN}\n"));
        let more = format!(
            "{machines}\n[machines.digitalocean]\ntoken_file = \"{}\"\nregion = \"fra1\"\n\
             api_url = \"http://127.0.0.1:{}\"\nallow_from = [\"203.0.113.7/32\"]\n",
            token.display(),
            self.port
        );
        self.lock().hosts.stage_with(&more)
    }

    /// Goes wrong in this way at the next chance.
    pub fn goes_wrong(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    /// The names of the Droplets there are.
    pub fn names(&self) -> Vec<String> {
        self.lock().droplets.iter().map(|it| it.name.clone()).collect()
    }

    /// How often was called what begins with this.
    pub fn calls(&self, beginning: &str) -> usize {
        self.lock().calls.iter().filter(|call| call.starts_with(beginning)).count()
    }

    /// The firewalls there are.
    pub fn firewalls(&self) -> Vec<Value> {
        self.lock().firewalls.clone()
    }

    /// Somebody lets everybody in, by hand.
    pub fn opens_firewall(&self) {
        let mut inner = self.lock();
        inner.firewalls[0]["inbound_rules"][0]["sources"]["addresses"] = json!(["0.0.0.0/0"]);
    }

    /// Somebody deletes a Droplet by hand.
    pub fn deletes(&self, name: &str) {
        self.lock().delete(|it| it.name == name);
    }

    /// Every call held to the contract.
    pub fn assert_held(&self) {
        assert_eq!(self.lock().breaches, Vec::<String>::new());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(inner: &Mutex<Inner>, mut stream: TcpStream) {
    let Some((call, headers, body)) = read(&stream) else { return };
    let answer = {
        let mut inner = lock(inner);
        inner.calls.push(call.clone());
        inner.answer(&call, &headers, &body)
    };
    if let Some((status, more, body)) = answer {
        let text = if status == 204 { String::new() } else { body.to_string() };
        // Whoever asked may have gone.
        let _ = write!(
            stream,
            "HTTP/1.1 {status} It\r\ncontent-type: application/json\r\n{more}\
             content-length: {}\r\nconnection: close\r\n\r\n{text}",
            text.len()
        );
    }
}

type Answer = (u16, &'static str, Value);

impl Inner {
    /// `None`: the connection is closed without a word.
    fn answer(&mut self, call: &str, headers: &str, body: &Value) -> Option<Answer> {
        if !headers.to_ascii_lowercase().contains(&format!("authorization: bearer {TOKEN}")) {
            return Some((401, "", said("unauthorized", "Unable to authenticate you")));
        }
        if self.fault(Fault::Patience) {
            let slow = said("too_many_requests", "API rate limit exceeded.");
            return Some((429, "retry-after: 1\r\n", slow));
        }
        let (method, target) = call.split_once(' ').expect("a call has both");
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
                let size = json!({ "slug": "s-1vcpu-1gb", "price_hourly": 0.00893 });
                Some((200, "", json!({ "sizes": [size], "links": {}, "meta": { "total": 1 } })))
            }
            ("GET", "/v2/firewalls") => {
                Some((200, "", json!({ "firewalls": self.firewalls, "links": {} })))
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
        let is_next = self.faults.front() == Some(&fault);
        if is_next {
            self.faults.pop_front();
        }
        is_next
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
            // A private address stands first: it is not the one.
            let v4 = if is_active {
                json!([
                    { "ip_address": "10.255.0.1", "netmask": "255.255.0.0", "type": "private" },
                    { "ip_address": it.address, "netmask": "255.255.255.0", "type": "public" },
                ])
            } else {
                json!([])
            };
            droplets.push(json!({
                "id": it.id, "name": it.name, "status": if is_active { "active" } else { "new" },
                "networks": { "v4": v4, "v6": [] }, "tags": it.tags, "locked": !is_active,
            }));
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
        let address = self.hosts.boot_droplet(
            config["ssh_keys"]["ed25519_private"].as_str().unwrap_or_default(),
            config["users"][0]["ssh_authorized_keys"][0].as_str().unwrap_or_default(),
        );
        self.next_id += 1;
        let new_for = if self.fault(Fault::Stuck) { u32::MAX } else { 1 };
        self.tags.extend(tags.iter().filter_map(Value::as_str).map(str::to_owned));
        self.droplets.push(Droplet {
            id: self.next_id,
            name: name.clone(),
            tags: tags.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            new_for,
            address,
        });
        if self.fault(Fault::LostAnswer) {
            return None;
        }
        if self.fault(Fault::Lie) {
            return Some((500, "", said("server_error", "Unexpected server-side error")));
        }
        let droplet = json!({ "id": self.next_id, "name": name, "status": "new", "networks": { "v4": [], "v6": [] } });
        Some((202, "", json!({ "droplet": droplet, "links": { "actions": [] } })))
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
    fn delete(&mut self, which: impl Fn(&Droplet) -> bool) -> bool {
        let Some(at) = self.droplets.iter().position(which) else { return false };
        let droplet = self.droplets.remove(at);
        self.hosts.halt_droplet(&droplet.address);
        true
    }
}

fn said(id: &str, message: &str) -> Value {
    json!({ "id": id, "message": message, "request_id": "4d9d8375-3c56-4925-a3e7-eb137fed17e9" })
}

/// The request line without its version, the headers, and the body.
fn read(stream: &TcpStream) -> Option<(String, String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let call = line.trim_end().strip_suffix(" HTTP/1.1")?.to_owned();
    let (mut headers, mut length) = (String::new(), 0);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        headers.push_str(&header);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((call, headers, serde_json::from_slice(&body).unwrap_or_default()))
}
