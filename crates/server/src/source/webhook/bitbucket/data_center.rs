//! `repo:refs_changed`, as Bitbucket Data Center says it.

use serde::Deserialize;

use crate::source::webhook::field::{Moved, person, repository, unreadable};
use crate::source::webhook::{DeliveryError, DeliveryKind, Forge};

#[derive(Deserialize)]
struct Payload {
    repository: RepositoryPart,
    changes: Vec<Change>,
    /// The newest commit, where it is new enough to say it.
    #[serde(rename = "toCommit")]
    to_commit: Option<CommitPart>,
}

#[derive(Deserialize)]
struct RepositoryPart {
    slug: String,
    project: ProjectPart,
}

#[derive(Deserialize)]
struct ProjectPart {
    key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    #[serde(rename = "ref")]
    name: RefPart,
    from_hash: String,
    to_hash: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct RefPart {
    id: String,
}

#[derive(Deserialize)]
struct CommitPart {
    id: String,
    #[serde(default)]
    message: String,
    author: Option<PersonPart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PersonPart {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email_address: String,
}

pub(super) fn read(json: &str) -> Result<Vec<DeliveryKind>, DeliveryError> {
    let payload: Payload = serde_json::from_str(json).map_err(|it| unreadable(&it))?;
    let full_name = format!("{}/{}", payload.repository.project.key, payload.repository.slug);
    let repository = repository(Forge::Bitbucket, "repository.slug", &full_name)?;
    let one = |change: &Change| {
        let head = payload.to_commit.as_ref().filter(|commit| commit.id == change.to_hash);
        let author = head.and_then(|it| it.author.as_ref());
        Moved {
            name: &change.name.id,
            before: Some(&change.from_hash),
            after: &change.to_hash,
            deleted: change.kind == "DELETE",
            message: head.map_or("", |it| it.message.as_str()),
            author: &author.map(|it| person(&it.name, &it.email_address)).unwrap_or_default(),
            ..Moved::default()
        }
        .read(repository)
    };
    payload.changes.iter().map(one).collect()
}
