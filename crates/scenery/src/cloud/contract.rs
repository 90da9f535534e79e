//! The provider's published contract, an `OpenAPI`: what is asked, and what a double answers, is held
//! to it.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::error::SceneryError;

/// A call, and the answer to it.
#[derive(Clone, Debug)]
pub struct Called {
    /// The method and the target: `POST /v2/droplets`.
    pub call: String,
    /// What was sent with it, null where nothing was.
    pub body: Value,
    /// The status of the answer.
    pub status: u16,
    /// The body of the answer, null where there is none.
    pub answer: Value,
}

/// An `OpenAPI` without references in it.
#[derive(Debug)]
pub struct Contract(Value);

impl Contract {
    /// Reads it from a file of JSON.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read(path: &Path) -> Result<Self, SceneryError> {
        let cannot = SceneryError::system("read the contract");
        let read = std::fs::read(path).and_then(|it| Ok(serde_json::from_slice(&it)?));
        read.map(Self).map_err(cannot)
    }

    /// That of `DigitalOcean`, for tests; `None`, said aloud, where it does not lie beside the
    /// project: it is not ours to hand on.
    #[must_use]
    pub fn beside_the_project() -> Option<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let beside = here.ancestors().nth(3)?.join("shared/digitalocean/do-subset.json");
        let read = Self::read(&beside);
        if let Err(error) = &read {
            // Said past what the test runner keeps to itself.
            let said = format!("skipped: what DigitalOcean published is not here: {error}\n");
            let _ = std::io::stderr().write_all(said.as_bytes());
        }
        read.ok()
    }

    /// What of a call and its answer does not hold to it, a sentence each.
    #[must_use]
    pub fn breaches(&self, called: &Called) -> Vec<String> {
        let Called { call, body, status, answer } = called;
        let (method, target) = call.split_once(' ').unwrap_or((call, ""));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Some(said) = self.operation(method, path) else {
            return vec![format!("{call} is not in the contract")];
        };
        let mut breaches = Vec::new();
        let parameters = said["parameters"].as_array().cloned().unwrap_or_default();
        for (name, value) in query.split('&').filter_map(|it| it.split_once('=')) {
            match parameters.iter().find(|it| it["in"] == "query" && it["name"] == name) {
                None => breaches.push(format!("there is no {name}")),
                Some(it) => {
                    let number = value.parse::<u64>().map_or_else(|_| value.into(), Value::from);
                    look(&it["schema"], &number, name, &mut breaches);
                }
            }
        }
        let wanted = &said["requestBody"]["content"]["application/json"]["schema"];
        if !wanted.is_null() {
            look(wanted, body, "body", &mut breaches);
        }
        let answers = &said["responses"];
        let known = [status.to_string(), "default".to_owned()];
        match known.iter().find_map(|it| answers.get(it)) {
            None => breaches.push(format!("{status} is no answer")),
            Some(it) => {
                let schema = &it["content"]["application/json"]["schema"];
                if !schema.is_null() {
                    look(schema, answer, "answer", &mut breaches);
                }
            }
        }
        breaches.into_iter().map(|it| format!("{call}: {it}")).collect()
    }

    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let paths = self.0["paths"].as_object()?;
        let fits = |template: &str| {
            let (a, b) = (template.split('/'), path.split('/'));
            a.clone().count() == b.clone().count()
                && a.zip(b).all(|(a, b)| a == b || a.starts_with('{'))
        };
        let mut found = paths.iter().filter(|(template, _)| fits(template));
        found.find_map(|(_, it)| it.get(method.to_lowercase()))
    }
}

/// Holds a value to a schema, as far as the contract uses them.
fn look(schema: &Value, value: &Value, at: &str, breaches: &mut Vec<String>) {
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    let list = |key: &str| schema[key].as_array().cloned().unwrap_or_default();
    let passes = |it: &Value| {
        let mut inner = Vec::new();
        look(it, value, at, &mut inner);
        inner.is_empty()
    };
    for it in &list("allOf") {
        look(it, value, at, breaches);
    }
    let (any, one) = (list("anyOf"), list("oneOf"));
    if !any.is_empty() && !any.iter().any(passes) {
        breaches.push(format!("{at} is none of what it may be: {value}"));
    }
    if !one.is_empty() && one.iter().filter(|it| passes(it)).count() != 1 {
        breaches.push(format!("{at} is not one of what it may be: {value}"));
    }
    let is_right = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    if !is_right {
        breaches.push(format!("{at} is no {}: {value}", schema["type"]));
        return;
    }
    let values = list("enum");
    if !values.is_empty() && !values.contains(value) {
        breaches.push(format!("{at} is none of {values:?}: {value}"));
    }
    let length = value.as_str().map(|it| it.chars().count() as u64);
    if length.zip(schema["maxLength"].as_u64()).is_some_and(|(is, most)| is > most) {
        breaches.push(format!("{at} is too long"));
    }
    let number = value.as_f64();
    if number.zip(schema["minimum"].as_f64()).is_some_and(|(is, least)| is < least)
        || number.zip(schema["maximum"].as_f64()).is_some_and(|(is, most)| is > most)
    {
        breaches.push(format!("{at} is out of bounds: {value}"));
    }
    if value.is_object() {
        for key in list("required").iter().filter_map(Value::as_str) {
            if value.get(key).is_none() {
                breaches.push(format!("{at}.{key} is missing"));
            }
        }
        for (key, it) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(value) = value.get(key) {
                look(it, value, &format!("{at}.{key}"), breaches);
            }
        }
    }
    for (index, it) in value.as_array().into_iter().flatten().enumerate() {
        look(&schema["items"], it, &format!("{at}[{index}]"), breaches);
    }
}
