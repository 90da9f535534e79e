//! The work in a folder, for `toehold deploy`: its last commit, or all that lies there, sent to an
//! app's repository. Run where the user is, with the user's own git configuration; neither the
//! index nor a branch is touched.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use toehold_core::model::{BranchName, CommitId};

use crate::source::SourceError;
use crate::source::git::{Git, REMOTE_TIMEOUT};
use crate::source::repository::{commit_in, sent_ref};

/// A folder under git, with a work tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worktree {
    root: PathBuf,
    git_dir: PathBuf,
}

/// What would be deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit; of its own where the work tree's changes are in it.
    pub commit: CommitId,
    /// How many files differ from the last commit.
    pub changed_files: usize,
    /// Whether those changes are in `commit`.
    pub with_changes: bool,
}

impl Worktree {
    /// The work tree `folder` is in.
    ///
    /// # Errors
    /// [`SourceError::NoRepository`] where it is in none.
    pub async fn find(folder: &Path) -> Result<Self, SourceError> {
        let asked = Git::personal("look for a work tree", folder)
            .args(["rev-parse", "--show-toplevel", "--absolute-git-dir"])
            .outcome()
            .await?;
        if asked.code != Some(0) {
            return Err(SourceError::NoRepository { path: folder.to_owned() });
        }
        let text = String::from_utf8_lossy(&asked.stdout);
        let mut lines = text.lines().map(PathBuf::from);
        match (lines.next(), lines.next()) {
            (Some(root), Some(git_dir)) => Ok(Self { root, git_dir }),
            _ => Err(SourceError::NoRepository { path: folder.to_owned() }),
        }
    }

    /// Its topmost folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The branch that is checked out; `None` where it is a commit without a branch.
    ///
    /// # Errors
    /// Where git cannot be run.
    pub async fn branch(&self) -> Result<Option<BranchName>, SourceError> {
        let asked = self
            .git("ask for the current branch")
            .args(["symbolic-ref", "--quiet", "--short", "HEAD"])
            .outcome()
            .await?;
        Ok(String::from_utf8_lossy(&asked.stdout).trim().parse().ok())
    }

    /// The last commit or, `with_changes`, a new one of everything in the work tree that is not
    /// ignored.
    ///
    /// # Errors
    /// [`SourceError::NoCommit`] where there is nothing to take.
    pub async fn snapshot(&self, with_changes: bool) -> Result<Snapshot, SourceError> {
        let head = self.head().await?;
        let changed_files = self.changed_files().await?;
        match (head, with_changes && changed_files > 0) {
            (Some(commit), false) => Ok(Snapshot { commit, changed_files, with_changes: false }),
            (None, false) => Err(SourceError::NoCommit { path: self.root.clone() }),
            (head, true) => {
                let commit = self.commit_all(head.as_ref()).await?;
                Ok(Snapshot { commit, changed_files, with_changes: true })
            }
        }
    }

    /// Sends a commit to `repository`, a path or an address git can push to; it lies there as
    /// `refs/toehold/deploys/<commit>`.
    ///
    /// # Errors
    /// Where git says no.
    pub async fn send(&self, commit: &CommitId, repository: &OsStr) -> Result<(), SourceError> {
        self.git(format!("send commit {} to {}", commit.short(), repository.display()))
            .args(["push", "--quiet", "--no-recurse-submodules", "--"])
            .arg(repository)
            .arg(format!("{commit}:{}", sent_ref(commit)))
            .timeout(REMOTE_TIMEOUT)
            .run()
            .await?;
        Ok(())
    }

    fn git(&self, what: impl Into<String>) -> Git {
        Git::personal(what, &self.root)
    }

    async fn head(&self) -> Result<Option<CommitId>, SourceError> {
        let what = "ask for the last commit";
        let asked = self
            .git(what)
            .args(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
            .outcome()
            .await?;
        if asked.code == Some(0) { commit_in(&asked.stdout, what).map(Some) } else { Ok(None) }
    }

    async fn changed_files(&self) -> Result<usize, SourceError> {
        let listed = self
            .git("look for changed files")
            .args(["--no-optional-locks", "status", "--porcelain", "-z", "--no-renames"])
            .arg("--untracked-files=all")
            .max_bytes(64 * 1024 * 1024)
            .run()
            .await?;
        Ok(listed.split(|&byte| byte == 0).filter(|entry| !entry.is_empty()).count())
    }

    async fn commit_all(&self, head: Option<&CommitId>) -> Result<CommitId, SourceError> {
        let index = Index::copy_of(&self.git_dir)?;
        let what = "take the changes of the work tree";
        let git = || self.git(what).env("GIT_INDEX_FILE", &index.0);
        git().args(["add", "--all", "--", "."]).timeout(REMOTE_TIMEOUT).run().await?;
        let tree = git().arg("write-tree").line().await?;
        let mut commit = self.signed_by_someone(git()).await?;
        commit = commit.args(["commit-tree", "--no-gpg-sign"]);
        if let Some(head) = head {
            commit = commit.args(["-p", head.as_str()]);
        }
        let made = commit.args(["-m", "Work in progress, uncommitted", &tree]).run().await?;
        commit_in(&made, what)
    }

    /// Whoever has not told git a name yet can still deploy.
    async fn signed_by_someone(&self, git: Git) -> Result<Git, SourceError> {
        let asked =
            self.git("ask for the author").args(["var", "GIT_AUTHOR_IDENT"]).outcome().await?;
        if asked.code == Some(0) {
            return Ok(git);
        }
        Ok(git
            .env("GIT_AUTHOR_NAME", "toehold deploy")
            .env("GIT_AUTHOR_EMAIL", "toehold@localhost")
            .env("GIT_COMMITTER_NAME", "toehold deploy")
            .env("GIT_COMMITTER_EMAIL", "toehold@localhost"))
    }
}

/// An index of its own, begun as a copy of the user's (so that unchanged files are not read
/// again), gone at the end.
struct Index(PathBuf);

impl Index {
    fn copy_of(git_dir: &Path) -> Result<Self, SourceError> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let nth = MADE.fetch_add(1, Ordering::Relaxed);
        let index = Self(git_dir.join(format!("toehold-index-{}-{nth}", std::process::id())));
        match copy(&git_dir.join("index"), &index.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(SourceError::File { what: "write", path: index.0.clone(), source: error })
            }
            Ok(()) | Err(_) => Ok(index),
        }
    }
}

/// With its time: git takes a file that changed later than the index for changed, and looks into
/// one that changed in the same instant. A copy with a time of its own would hide such a change.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let written_at = fs::metadata(from)?.modified()?;
    fs::copy(from, to)?;
    fs::File::options().write(true).open(to)?.set_modified(written_at)
}

impl Drop for Index {
    fn drop(&mut self) {
        // Where it cannot be removed it is a small file that nobody reads.
        let _ = fs::remove_file(&self.0);
    }
}
