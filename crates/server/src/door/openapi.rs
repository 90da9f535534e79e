//! The description for programs, in the form of `OpenAPI` 3.1, made from the table of routes.

use axum::Json;
use serde_json::{Map, Value, json};

use super::routes::{Need, ROUTES, Route, Voice};

/// `GET /api/v1/openapi.json`.
pub(crate) async fn describe() -> Json<Value> {
    Json(document(ROUTES))
}

/// Every route that speaks to programs.
pub(crate) fn document(routes: &[Route]) -> Value {
    let mut paths = Map::new();
    for route in routes.iter().filter(|route| route.voice == Voice::Json) {
        let path = route.path.replace("{*", "{");
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[route.method.as_str().to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Toehold",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the command line and the dashboard ask, for programs.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": toehold_core::wire::api::SESSION_COOKIE_PLAIN },
            },
            "schemas": schemas(),
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "summary": route.summary,
        "operationId": name(route),
        "responses": {
            "2XX": { "description": "Done, or accepted" },
            "default": {
                "description": "What could not be done, and why",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            },
        },
    });
    let parameters = parameters(route.path);
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    operation["security"] = match route.need {
        Need::Nothing => json!([]),
        _ => json!([{ "token": [] }, { "session": [] }]),
    };
    if route.need != Need::Nothing {
        operation["x-scope"] = json!(route.need.in_words(None));
    }
    if !route.body.is_empty() {
        let schema = json!({ "$ref": format!("#/components/schemas/{}", route.body) });
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    operation
}

/// The same words as in the path, so that no two are the same.
fn name(route: &Route) -> String {
    let words = route.path.split(['/', '{', '}', '*', '.']).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.filter(|word| !matches!(*word, "api" | "v1")).collect();
    format!("{}_{}", route.method.as_str().to_ascii_lowercase(), words.join("_").replace('-', "_"))
}

fn parameters(path: &str) -> Vec<Value> {
    let parts = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    parts
        .map(|part| {
            let name = part.trim_start_matches('*');
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect()
}

/// What the bodies are; the names are those of the table.
fn schemas() -> Value {
    let text = || json!({ "type": "string" });
    let object = |properties: Value, required: Value| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    json!({
        "Problem": {
            "type": "object",
            "properties": { "status": { "type": "integer" }, "code": text(), "title": text(), "hint": text() },
            "required": ["status", "code", "title"],
        },
        "NewApp": object(json!({ "name": text() }), json!(["name"])),
        "Wish": {
            "type": "object",
            "properties": { "wish": { "enum": [
                "deploy", "promote", "abort", "pause", "resume", "retry", "set_split", "rollback",
                "unpin", "scale_to", "scale_auto", "scale_freeze", "ack_alert", "silence_alert", "clear_alert",
            ] } },
            "required": ["wish"],
        },
        "DeployRequest": object(
            json!({
                "track": { "enum": ["stable", "canary", null] },
                "commit": { "type": ["string", "null"] },
                "branch": { "type": ["string", "null"] },
                "release": { "type": ["integer", "null"] },
            }),
            json!([]),
        ),
        "Push": object(
            json!({ "lines": { "type": "array", "items": text() }, "waiting": { "type": ["object", "null"] } }),
            json!(["lines"]),
        ),
        "Alerts": {
            "type": "object",
            "properties": { "version": { "const": "4" }, "alerts": { "type": "array" } },
            "required": ["version", "alerts"],
        },
        "FlagValue": object(json!({ "value": { "type": "boolean" } }), json!(["value"])),
        "SecretValue": object(json!({ "value": text() }), json!(["value"])),
        "NewMachine": object(
            json!({
                "name": text(),
                "user": text(),
                "host": text(),
                "port": { "type": "integer" },
                "host_key": text(),
                "address": { "type": ["string", "null"] },
            }),
            json!(["name", "user", "host", "port", "host_key"]),
        ),
        "Whose": object(json!({ "host": text(), "port": { "type": "integer" } }), json!(["host", "port"])),
        "Configure": object(json!({ "app": { "type": ["string", "null"] } }), json!([])),
        "NewGoal": object(
            json!({ "goal": { "enum": ["run", "cordon", "drain", "remove"] } }),
            json!(["goal"]),
        ),
        "NewToken": object(
            json!({
                "name": text(),
                "scopes": { "type": "array", "items": text() },
                "expires_s": { "type": ["integer", "null"] },
            }),
            json!(["name", "scopes"]),
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_for_programs_is_described_under_a_name_of_its_own() {
        let document = document(ROUTES);
        let mut names = BTreeSet::new();
        for route in ROUTES.iter().filter(|route| route.voice == Voice::Json) {
            let method = route.method.as_str().to_ascii_lowercase();
            let it = &document["paths"][route.path.replace("{*", "{")][method];
            let name = it["operationId"].as_str().expect(route.path).to_owned();
            assert!(names.insert(name.clone()), "{name} is there twice");
        }
    }

    #[test]
    fn every_body_that_is_named_is_described() {
        let schemas = schemas();
        for route in ROUTES.iter().filter(|route| !route.body.is_empty()) {
            assert!(schemas.get(route.body).is_some(), "{} is not described", route.body);
        }
    }
}
