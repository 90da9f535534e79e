//! A clean checkout of a commit, in a folder of its own.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use thiserror::Error;
use toehold_core::model::CommitId;
use toehold_core::pipeline::Files;

use crate::builder::git::{Git, GitError};
use crate::builder::order::Limits;
use crate::builder::space::{SpaceError, room, size};

/// The largest file that is read to learn what an app is, in bytes.
const MAX_TEXT: u64 = 1 << 20;

/// A checkout that cannot be made.
#[derive(Debug, Error)]
pub enum CheckoutError {
    /// Git could not do it.
    #[error("cannot check out {}", .commit.short())]
    Git {
        /// The commit.
        commit: CommitId,
        /// Why.
        source: GitError,
    },
    /// The commit is too large.
    #[error(
        "the commit has {} in its files, more than the {} that a checkout may have: keep large \
         files elsewhere (the largest is {largest})",
        size(*.bytes), size(*.max_bytes)
    )]
    TooLarge {
        /// What it has.
        bytes: u64,
        /// The limit.
        max_bytes: u64,
        /// The largest file.
        largest: String,
    },
    /// There is no room for it.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// A file of ours cannot be written or read.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes the files of a commit into an empty folder, for what is no build; nothing in them is
/// obeyed.
///
/// # Errors
/// Where the commit is not in the repository, is too large, or has no room.
pub async fn files(
    repository: &Path,
    commit: &CommitId,
    folder: &Path,
) -> Result<(), CheckoutError> {
    let index = folder.with_extension("index");
    let git = Git { repository, objects: None, index: &index, worktree: folder };
    checkout(&git, commit, &Limits::default()).await?;
    fs::remove_file(&index).map_err(|source| CheckoutError::File { path: index, source })
}

/// What was checked out.
#[derive(Debug, Default)]
pub(super) struct Checkout {
    /// What is needed to tell what the app is.
    pub(super) files: Files,
    /// What people should know about it.
    pub(super) notes: Vec<String>,
}

/// Checks `commit` out into the (empty) worktree of `git`.
pub(super) async fn checkout(
    git: &Git<'_>,
    commit: &CommitId,
    limits: &Limits,
) -> Result<Checkout, CheckoutError> {
    let failed = |source| CheckoutError::Git { commit: commit.clone(), source };
    let id = OsStr::new(commit.as_str());
    let list = ["-r", "-z", "-l", "--full-tree"].map(OsStr::new);
    let args = [&list[..], &[id]].concat();
    let tree = Tree::read(&git.run("ls-tree", &args, b"").await.map_err(failed)?);
    if tree.bytes > limits.checkout_bytes {
        let (bytes, max_bytes) = (tree.bytes, limits.checkout_bytes);
        return Err(CheckoutError::TooLarge { bytes, max_bytes, largest: tree.largest.1 });
    }
    room("a clean checkout", git.worktree, tree.bytes, limits.free_bytes)?;
    git.run("read-tree", &[id], b"").await.map_err(failed)?;
    let all = ["--all", "--force", "--quiet"].map(OsStr::new);
    git.run("checkout-index", &all, b"").await.map_err(failed)?;
    let mut found = Checkout { notes: tree.notes(), ..Checkout::default() };
    for name in Files::READ {
        if let Some(text) = text(git.worktree, name)? {
            found.files.texts.insert(name.to_owned(), text);
        }
    }
    if text(git.worktree, ".gitattributes")?.is_some_and(|text| text.contains("filter=lfs")) {
        found.notes.push("files kept by git-lfs are checked out as pointers only".to_owned());
    }
    found.files.names = tree.names;
    Ok(found)
}

/// Puts files of the commit back as they were. `names` are relative to the checkout.
pub(super) async fn restore(git: &Git<'_>, names: &[&Path]) -> Result<(), GitError> {
    let mut input = Vec::new();
    for name in names {
        input.extend_from_slice(name.as_os_str().as_bytes());
        input.push(0);
    }
    let args = ["--force", "--quiet", "-z", "--stdin"].map(OsStr::new);
    git.run("checkout-index", &args, &input).await.map(drop)
}

/// A small text file at the root of a checkout; `None` where there is none. Links are not followed:
/// they may lead anywhere.
pub(super) fn text(checkout: &Path, name: &str) -> Result<Option<String>, CheckoutError> {
    let path = checkout.join(name);
    let failed = |source| CheckoutError::File { path: path.clone(), source };
    let about = match fs::symlink_metadata(&path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if !about.is_file() {
        return Err(failed(io::Error::other("it is a link or a folder: make it a file")));
    }
    if about.len() > MAX_TEXT {
        return Err(failed(io::Error::other(format!("it is larger than {}", size(MAX_TEXT)))));
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(&path).map_err(failed)?;
    file.take(MAX_TEXT).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The files of a commit.
#[derive(Default)]
struct Tree {
    names: BTreeSet<String>,
    bytes: u64,
    largest: (u64, String),
    submodules: Vec<String>,
}

impl Tree {
    /// Reads `mode type object size<TAB>path<NUL>`, over and over.
    fn read(answer: &[u8]) -> Self {
        let mut tree = Self::default();
        for entry in answer.split(|&byte| byte == 0) {
            let Some(tab) = entry.iter().position(|&byte| byte == b'\t') else { continue };
            let about = String::from_utf8_lossy(&entry[..tab]);
            let name = String::from_utf8_lossy(&entry[tab + 1..]).into_owned();
            let fields: Vec<&str> = about.split_ascii_whitespace().collect();
            if fields.first() == Some(&"160000") {
                tree.submodules.push(name);
                continue;
            }
            let bytes = fields.get(3).and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
            tree.bytes = tree.bytes.saturating_add(bytes);
            if bytes > tree.largest.0 {
                tree.largest = (bytes, name.clone());
            }
            tree.names.insert(name);
        }
        tree
    }

    fn notes(&self) -> Vec<String> {
        let note = |name: &String| {
            format!(
                "{name} is a submodule: its folder stays empty, since submodules are not fetched; \
                 put its files into the repository instead"
            )
        };
        self.submodules.iter().map(note).collect()
    }
}
