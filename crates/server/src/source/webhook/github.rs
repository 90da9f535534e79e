//! What GitHub says in a delivery.

mod body;

use std::str::FromStr;

use serde::Deserialize;
use toehold_core::model::{BranchName, CommitId};

use crate::source::update::is_zero;
use crate::source::webhook::{Delivery, DeliveryError, DeliveryKind, Forge, Push};

/// The longest text that is kept of a commit, in characters.
const TEXT_KEPT: usize = 200;

/// What in a commit's message asks for no build.
const SKIP: [&str; 3] = ["[skip ci]", "[ci skip]", "[no ci]"];

/// Reads a delivery that [`crate::source::webhook::signature::verify_github`] believed. The
/// arguments are the headers `X-GitHub-Event`, `X-GitHub-Delivery` and `Content-Type`, and the
/// body.
///
/// # Errors
/// Where it is not what GitHub sends; an event that does not concern us is no error.
pub fn parse_github(
    event: &str,
    delivery: &str,
    content_type: &str,
    body: &[u8],
) -> Result<Delivery, DeliveryError> {
    let id = delivery_id(delivery)?;
    let kind = match event {
        "push" => push(&body::json_of(content_type, body)?)?,
        "ping" => DeliveryKind::Ping,
        "" => {
            return Err(DeliveryError::Header { header: "X-GitHub-Event", what: "event" });
        }
        other => {
            let other: String = other.chars().filter(|c| !c.is_control()).take(60).collect();
            DeliveryKind::Ignored(format!("nothing is built on a `{other}` event, only on a push"))
        }
    };
    Ok(Delivery { id, forge: Forge::Github, kind })
}

/// It becomes a key of the store.
fn delivery_id(text: &str) -> Result<String, DeliveryError> {
    let holds = (1..=100).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if holds {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(DeliveryError::Header { header: "X-GitHub-Delivery", what: "delivery id" })
    }
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "ref")]
    name: String,
    before: Option<String>,
    after: String,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    forced: bool,
    repository: RepositoryPart,
    head_commit: Option<CommitPart>,
}

#[derive(Deserialize)]
struct RepositoryPart {
    full_name: String,
}

#[derive(Deserialize)]
struct CommitPart {
    #[serde(default)]
    message: String,
    author: Option<PersonPart>,
}

#[derive(Deserialize)]
struct PersonPart {
    #[serde(default)]
    name: String,
    email: Option<String>,
}

fn push(json: &str) -> Result<DeliveryKind, DeliveryError> {
    let payload: Payload = serde_json::from_str(json)
        .map_err(|error| DeliveryError::Body { why: format!("not a push event: {error}") })?;
    let repository = repository_name(payload.repository.full_name)?;
    if let Some(tag) = payload.name.strip_prefix("refs/tags/") {
        // A tag's name follows the rules of a branch's.
        let name = git_name("ref", tag)?.to_string();
        return Ok(DeliveryKind::Tag { repository, name });
    }
    let Some(branch) = payload.name.strip_prefix("refs/heads/") else {
        let name = git_name("ref", &payload.name)?;
        return Ok(DeliveryKind::Ignored(format!("{name} is neither a branch nor a tag")));
    };
    let branch = git_name("ref", branch)?;
    let commit = commit("after", &payload.after)?;
    if payload.deleted || is_zero(&commit) {
        return Ok(DeliveryKind::Deleted { repository, branch });
    }
    let before = payload.before.as_deref().map(|it| self::commit("before", it)).transpose()?;
    let head = payload.head_commit;
    let message = head.as_ref().map_or("", |it| it.message.as_str());
    Ok(DeliveryKind::Push(Push {
        repository,
        branch,
        commit,
        before: before.filter(|it| !is_zero(it)),
        forced: payload.forced,
        subject: shown(message.lines().next().unwrap_or_default()),
        author: head.as_ref().and_then(|it| it.author.as_ref()).map(author).unwrap_or_default(),
        skip: SKIP.iter().any(|word| message.to_ascii_lowercase().contains(word)),
    }))
}

fn author(person: &PersonPart) -> String {
    let mail = person.email.as_deref().unwrap_or_default();
    shown(&format!("{} <{mail}>", person.name))
}

/// `owner/name`, as GitHub allows it.
fn repository_name(text: String) -> Result<String, DeliveryError> {
    let part = |it: &str| {
        (1..=100).contains(&it.len())
            && it.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let holds = text.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name));
    if holds {
        Ok(text)
    } else {
        let why = format!("{:?} is not owner/name", shown(&text));
        Err(DeliveryError::Field { field: "repository.full_name", why })
    }
}

fn git_name(field: &'static str, text: &str) -> Result<BranchName, DeliveryError> {
    BranchName::from_str(text)
        .map_err(|error| DeliveryError::Field { field, why: error.to_string() })
}

fn commit(field: &'static str, text: &str) -> Result<CommitId, DeliveryError> {
    text.parse::<CommitId>().map_err(|error| DeliveryError::Field { field, why: error.to_string() })
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_KEPT).collect()
}

#[cfg(test)]
mod tests;
