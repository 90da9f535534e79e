//! The parts that every forge's deliveries have, and what may stand in them.

use std::str::FromStr;

use hyper::HeaderMap;
use toehold_core::model::{BranchName, CommitId};
use toehold_core::plain;

use crate::source::update::is_zero;
use crate::source::webhook::{DeliveryError, DeliveryKind, Forge, Push};

/// The longest text that is kept of a commit, in characters.
pub(super) const TEXT_KEPT: usize = 200;

/// What in a commit's message asks for no build.
const SKIP: [&str; 3] = ["[skip ci]", "[ci skip]", "[no ci]"];

/// Whether a commit's message asks for no build.
#[must_use]
pub fn asks_for_no_build(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    SKIP.iter().any(|word| message.contains(word))
}

/// What a delivery says of one ref.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moved<'a> {
    /// `refs/heads/main`.
    pub(super) name: &'a str,
    /// Where it was: zeros or nothing where it is new.
    pub(super) before: Option<&'a str>,
    /// Where it is: zeros where it was removed.
    pub(super) after: &'a str,
    /// Whether it is said to be removed.
    pub(super) deleted: bool,
    /// Whether history is said to be rewritten.
    pub(super) forced: bool,
    /// The newest commit's message; empty where not said.
    pub(super) message: &'a str,
    /// `Name <mail>`; empty where not said.
    pub(super) author: &'a str,
}

impl Moved<'_> {
    /// What that means for us.
    pub(super) fn read(self, repository: &str) -> Result<DeliveryKind, DeliveryError> {
        let repository = repository.to_owned();
        if let Some(tag) = self.name.strip_prefix("refs/tags/") {
            // A tag's name follows the rules of a branch's.
            let name = git_name("ref", tag)?.to_string();
            return Ok(DeliveryKind::Tag { repository, name });
        }
        let Some(branch) = self.name.strip_prefix("refs/heads/") else {
            let name = git_name("ref", self.name)?;
            return Ok(DeliveryKind::Ignored(format!("{name} is neither a branch nor a tag")));
        };
        let branch = git_name("ref", branch)?;
        let commit = commit("after", self.after)?;
        if self.deleted || is_zero(&commit) {
            return Ok(DeliveryKind::Deleted { repository, branch });
        }
        let before = self.before.map(|it| self::commit("before", it)).transpose()?;
        Ok(DeliveryKind::Push(Push {
            repository,
            branch,
            commit,
            before: before.filter(|it| !is_zero(it)),
            forced: self.forced,
            subject: plain::line(self.message.lines().next().unwrap_or_default(), TEXT_KEPT),
            author: plain::line(self.author, TEXT_KEPT),
            skip: asks_for_no_build(self.message),
        }))
    }
}

/// The name of a repository, as the forge allows it.
pub(super) fn repository<'a>(
    forge: Forge,
    field: &'static str,
    text: &'a str,
) -> Result<&'a str, DeliveryError> {
    if forge.allows_repository(text) {
        return Ok(text);
    }
    let why = format!("{:?} is not owner/name", plain::line(text, TEXT_KEPT));
    Err(DeliveryError::Field { field, why })
}

fn git_name(field: &'static str, text: &str) -> Result<BranchName, DeliveryError> {
    BranchName::from_str(text)
        .map_err(|error| DeliveryError::Field { field, why: error.to_string() })
}

fn commit(field: &'static str, text: &str) -> Result<CommitId, DeliveryError> {
    text.parse::<CommitId>().map_err(|error| DeliveryError::Field { field, why: error.to_string() })
}

/// `Name <mail>`.
pub(super) fn person(name: &str, mail: &str) -> String {
    format!("{name} <{mail}>")
}

/// The text of a header; empty where it is not there.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
}

/// The header that says what happened.
pub(super) fn event<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<&'a str, DeliveryError> {
    match header(headers, name) {
        "" => Err(DeliveryError::Header { header: name, what: "event" }),
        event => Ok(event),
    }
}

/// The first of the headers that is there, as the delivery's id.
pub(super) fn delivery_id(
    headers: &HeaderMap,
    names: &[&'static str],
) -> Result<String, DeliveryError> {
    let found = names.iter().find(|name| headers.contains_key(**name)).or(names.first());
    let name = found.copied().unwrap_or_default();
    let text = header(headers, name);
    let holds = (1..=200).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
    if holds {
        Ok(text.to_owned())
    } else {
        Err(DeliveryError::Header { header: name, what: "delivery id" })
    }
}

/// An event from which nothing comes.
pub(super) fn other(event: &str) -> DeliveryKind {
    let event: String = event.chars().filter(|c| !c.is_control()).take(60).collect();
    DeliveryKind::Ignored(format!("nothing is built on a `{event}` event, only on a push"))
}

/// A body that holds JSON of another shape than it should.
pub(super) fn unreadable(error: &serde_json::Error) -> DeliveryError {
    DeliveryError::Body { why: format!("not a push event: {error}") }
}
