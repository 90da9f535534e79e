//! What a push changed, as git tells it to a hook, and which track a branch leads to.

use std::str::FromStr;

use thiserror::Error;
use toehold_core::model::{BranchName, CommitId, Track};
use toehold_core::spec::Spec;

/// The most refs one push may change.
const MAX_UPDATES: usize = 1000;

/// One ref that a push changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefUpdate {
    /// A branch was made or moved: what may be built.
    Branch {
        /// Which.
        branch: BranchName,
        /// Where it was; `None` where it is new.
        old: Option<CommitId>,
        /// Where it is.
        new: CommitId,
    },
    /// A branch was removed: nothing is built, and what runs goes on.
    BranchDeleted {
        /// Which.
        branch: BranchName,
        /// Where it was.
        old: CommitId,
    },
    /// A tag was made, moved or removed: nothing is built.
    Tag {
        /// Its name, `v1.2`; what is not UTF-8 in it is replaced.
        name: String,
    },
    /// A ref of Toehold's own, such as the work that `toehold deploy` sends.
    Own {
        /// Its name, `refs/toehold/…`.
        name: String,
    },
    /// Anything else: nothing is built.
    Other {
        /// Its full name; what is not UTF-8 in it is replaced.
        name: String,
    },
}

/// A hook was told something that git does not say.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UpdateError {
    /// A line is not `old new ref`.
    #[error("line {line} is not `<old> <new> <ref>`: {text:?}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// Its beginning.
        text: String,
    },
    /// Too many refs at once.
    #[error("a push may change at most {MAX_UPDATES} refs: push the branches to deploy by name")]
    TooMany,
}

/// Reads what git writes to a `pre-receive` or `post-receive` hook.
///
/// # Errors
/// Where it is not lines of `old new ref`, or more than a thousand.
pub fn parse(stdin: &[u8]) -> Result<Vec<RefUpdate>, UpdateError> {
    let mut updates = Vec::new();
    let lines = stdin.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    for (at, line) in lines.enumerate() {
        if at == MAX_UPDATES {
            return Err(UpdateError::TooMany);
        }
        updates.push(parse_line(line).ok_or_else(|| UpdateError::Line {
            line: at + 1,
            text: String::from_utf8_lossy(line).chars().take(120).collect(),
        })?);
    }
    Ok(updates)
}

fn parse_line(line: &[u8]) -> Option<RefUpdate> {
    let mut parts = line.splitn(3, |&byte| byte == b' ');
    let (old, new, name) = (parts.next()?, parts.next()?, parts.next()?);
    let (old, new) = (object(old)?, object(new)?);
    if name.is_empty() || (old.is_none() && new.is_none()) {
        return None;
    }
    let name = String::from_utf8_lossy(name).into_owned();
    if let Some(tag) = name.strip_prefix("refs/tags/") {
        return Some(RefUpdate::Tag { name: tag.to_owned() });
    }
    if name.starts_with("refs/toehold/") {
        return Some(RefUpdate::Own { name });
    }
    let branch = name.strip_prefix("refs/heads/").and_then(|it| BranchName::from_str(it).ok());
    Some(match (branch, old, new) {
        (Some(branch), old, Some(new)) => RefUpdate::Branch { branch, old, new },
        (Some(branch), Some(old), None) => RefUpdate::BranchDeleted { branch, old },
        (Some(_) | None, _, _) => RefUpdate::Other { name },
    })
}

/// A commit's id, `Some(None)` for the zeros that mean "none".
#[expect(clippy::option_option, reason = "no id at all is another thing than the id of nothing")]
fn object(text: &[u8]) -> Option<Option<CommitId>> {
    let id: CommitId = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(if is_zero(&id) { None } else { Some(id) })
}

/// Whether an id is the zeros by which git and forges say "none".
pub(crate) fn is_zero(id: &CommitId) -> bool {
    id.as_str().bytes().all(|byte| byte == b'0')
}

/// A branch that leads to no track, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "branch `{branch}` is not built, since it leads to no track: to build it, write `{key} = \"canary\"` (or \"stable\") under [branches] in toehold.toml"
)]
pub struct Unmapped {
    branch: BranchName,
    key: String,
}

/// The track that `[branches]` sends a branch to.
///
/// # Errors
/// [`Unmapped`], which says how to map it.
pub fn track_of(spec: &Spec, branch: &BranchName) -> Result<Track, Unmapped> {
    spec.branches
        .get(branch.as_str())
        .copied()
        .ok_or_else(|| Unmapped { branch: branch.clone(), key: toml_key(branch.as_str()) })
}

/// As TOML wants it: bare where it may be, else in quotes. A branch holds neither control
/// characters nor backslashes, so only the quote is left to escape.
fn toml_key(text: &str) -> String {
    let bare = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests;
