//! `repo:push`, as Bitbucket Cloud says it.

use serde::Deserialize;

use crate::source::webhook::field::{Moved, repository, unreadable};
use crate::source::webhook::{DeliveryError, DeliveryKind, Forge};

#[derive(Deserialize)]
struct Payload {
    repository: RepositoryPart,
    push: PushPart,
}

#[derive(Deserialize)]
struct RepositoryPart {
    full_name: String,
}

#[derive(Deserialize)]
struct PushPart {
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    old: Option<RefPart>,
    new: Option<RefPart>,
    #[serde(default)]
    forced: bool,
}

#[derive(Deserialize)]
struct RefPart {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    hash: String,
    #[serde(default)]
    message: String,
    author: Option<Author>,
}

#[derive(Deserialize)]
struct Author {
    /// `Name <mail>`.
    #[serde(default)]
    raw: String,
}

pub(super) fn read(json: &str) -> Result<Vec<DeliveryKind>, DeliveryError> {
    let payload: Payload = serde_json::from_str(json).map_err(|it| unreadable(&it))?;
    let full_name = &payload.repository.full_name;
    let repository = repository(Forge::Bitbucket, "repository.full_name", full_name)?;
    let changes = payload.push.changes.iter();
    changes.filter_map(|change| one(change, repository)).collect()
}

/// A change from nothing to nothing says nothing.
fn one(change: &Change, repository: &str) -> Option<Result<DeliveryKind, DeliveryError>> {
    let named = change.new.as_ref().or(change.old.as_ref())?;
    let folder = match named.kind.as_str() {
        "branch" | "named_branch" => "refs/heads/",
        "tag" | "annotated_tag" => "refs/tags/",
        _ => "refs/other/",
    };
    let name = format!("{folder}{}", named.name);
    let old = change.old.as_ref().and_then(|it| it.target.as_ref());
    let target = change.new.as_ref().and_then(|it| it.target.as_ref());
    let author = target.and_then(|it| it.author.as_ref()).map_or("", |it| it.raw.as_str());
    let zeros = "0".repeat(40);
    let moved = Moved {
        name: &name,
        before: old.map(|it| it.hash.as_str()),
        after: target.map_or(zeros.as_str(), |it| it.hash.as_str()),
        deleted: change.new.is_none(),
        forced: change.forced,
        message: target.map_or("", |it| it.message.as_str()),
        author,
    };
    Some(moved.read(repository))
}
