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
mod tests {
    use super::*;

    const A: &str = "1111111111111111111111111111111111111111";
    const B: &str = "2222222222222222222222222222222222222222";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn one(line: &str) -> RefUpdate {
        let mut updates = parse(line.as_bytes()).expect("it is what git says");
        assert_eq!(updates.len(), 1);
        updates.remove(0)
    }

    fn id(text: &str) -> CommitId {
        text.parse().expect("it is a commit")
    }

    #[test]
    fn pushes_deletions_tags_and_the_rest_are_told_apart() {
        let main: BranchName = "main".parse().expect("it is a branch");
        assert_eq!(
            one(&format!("{A} {B} refs/heads/main\n")),
            RefUpdate::Branch { branch: main.clone(), old: Some(id(A)), new: id(B) }
        );
        assert_eq!(
            one(&format!("{ZERO} {B} refs/heads/main\n")),
            RefUpdate::Branch { branch: main.clone(), old: None, new: id(B) }
        );
        assert_eq!(
            one(&format!("{A} {ZERO} refs/heads/main")),
            RefUpdate::BranchDeleted { branch: main, old: id(A) }
        );
        assert_eq!(
            one(&format!("{ZERO} {B} refs/tags/v1.2\n")),
            RefUpdate::Tag { name: "v1.2".into() }
        );
        assert_eq!(
            one(&format!("{ZERO} {B} refs/notes/commits\n")),
            RefUpdate::Other { name: "refs/notes/commits".into() }
        );
        assert_eq!(
            one(&format!("{ZERO} {B} refs/toehold/deploys/{B}\n")),
            RefUpdate::Own { name: format!("refs/toehold/deploys/{B}") }
        );
    }

    #[test]
    fn a_branch_whose_name_we_could_not_handle_is_no_branch() {
        let long = "x".repeat(5000);
        for name in ["a\u{fffd}", "--upload-pack=x", "a b", long.as_str()] {
            let update = one(&format!("{ZERO} {B} refs/heads/{name}"));
            if name == "a\u{fffd}" {
                assert!(matches!(update, RefUpdate::Branch { .. }), "{update:?}");
            } else {
                assert!(matches!(update, RefUpdate::Other { .. }), "{update:?}");
            }
        }
    }

    #[test]
    fn what_git_would_not_say_is_refused() {
        for bad in [
            "x",
            &format!("{A} {B}"),
            &format!("{A} {B} "),
            &format!("{ZERO} {ZERO} refs/heads/main"),
            &format!("{A} {} refs/heads/main", &B[1..]),
            &format!("{A} {}2 refs/heads/main", &B[1..].replace('2', "G")),
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?} was taken");
        }
        let many = format!("{A} {B} refs/heads/main\n").repeat(MAX_UPDATES + 1);
        assert_eq!(parse(many.as_bytes()), Err(UpdateError::TooMany));
        assert_eq!(parse(b""), Ok(Vec::new()));
    }

    #[test]
    fn a_name_that_is_not_utf_8_does_no_harm() {
        let line = [format!("{A} {B} refs/tags/").as_bytes(), b"\xff\xfe"].concat();
        assert_eq!(parse(&line), Ok(vec![RefUpdate::Tag { name: "\u{fffd}\u{fffd}".into() }]));
    }

    #[test]
    fn an_unmapped_branch_says_how_to_map_it() {
        assert_eq!(toml_key("next-1"), "next-1");
        assert_eq!(toml_key("feature/x"), "\"feature/x\"");
        assert_eq!(toml_key("a\"b"), "\"a\\\"b\"");
        let branch: BranchName = "feature/x".parse().expect("it is a branch");
        let text = Unmapped { key: toml_key(branch.as_str()), branch }.to_string();
        assert!(text.contains("write `\"feature/x\" = \"canary\"`"), "{text}");
    }
}
