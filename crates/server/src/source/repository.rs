//! An app's bare repository: what is pushed to Toehold, and what is fetched from a forge.

mod fetch;
mod read;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toehold_core::model::{AppName, BranchName, CommitId};
use toehold_core::time::Timestamp;

pub use fetch::{Login, Wanted, remote_head, remote_heads};

use crate::source::SourceError;
use crate::source::git::Git;
use crate::source::hooks::{self, HookCommand};

/// The configuration of the repository, whole. Every value a user's own configuration could spoil
/// for a push is said here: `hooksPath` (relative to the repository) keeps a push from running a
/// user's hooks instead of ours. What a commit of an old project may have wrong without harm is
/// not refused.
const CONFIG: &str = "\
[core]
	repositoryformatversion = 0
	filemode = true
	bare = true
	logAllRefUpdates = true
	hooksPath = hooks
	fsmonitor = false
[transfer]
	fsckObjects = true
[receive]
	advertisePushOptions = true
	shallowUpdate = true
	maxInputSize = 2g
	hideRefs = refs/toehold/kept
[receive \"fsck\"]
	badTimezone = ignore
	missingSpaceBeforeDate = ignore
	zeroPaddedFilemode = ignore
[fetch \"fsck\"]
	badTimezone = ignore
	missingSpaceBeforeDate = ignore
	zeroPaddedFilemode = ignore
[uploadpack]
	hideRefs = refs/toehold
";

/// A bare repository, `<dir>/<app>.git`. Pushed branches lie under `refs/heads`; commits that a
/// build or a release needs are kept under `refs/toehold`, so that no force push and no clean-up
/// takes them away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    path: PathBuf,
}

/// What a commit says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    /// The first line of its message, at most 200 characters.
    pub subject: String,
    /// `Name <mail>`, at most 200 characters.
    pub author: String,
    /// When it was committed.
    pub time: Timestamp,
}

/// Where the objects of a push wait until the hooks have let it in: only there can a hook's commit
/// be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine(PathBuf);

impl Quarantine {
    /// The folder, for whoever reads objects there.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Repository {
    /// Where the repository of `app` lies.
    #[must_use]
    pub fn path_in(dir: &Path, app: &AppName) -> PathBuf {
        dir.join(format!("{app}.git"))
    }

    /// Makes the repository, or brings its configuration and hooks up to date where it is there:
    /// call it at each start, since the program may have moved.
    ///
    /// # Errors
    /// Where git or the file system says no.
    pub async fn create(
        dir: &Path,
        app: &AppName,
        hook_command: &HookCommand,
    ) -> Result<Self, SourceError> {
        let path = Self::path_in(dir, app);
        if !path.join("HEAD").exists() {
            fs::create_dir_all(&path).map_err(|source| failed("create", &path, source))?;
            Git::sealed(format!("make a repository at {}", path.display()))
                .args(["init", "--quiet", "--bare", "--template=", "--initial-branch=main"])
                .arg("--object-format=sha1")
                .arg("--")
                .arg(&path)
                .run()
                .await?;
        }
        write_config(&path)?;
        hooks::write(&path, app, hook_command)?;
        Ok(Self { path })
    }

    /// The repository of an app, as [`Repository::create`] left it.
    ///
    /// # Errors
    /// [`SourceError::NoRepository`].
    pub fn open(dir: &Path, app: &AppName) -> Result<Self, SourceError> {
        let path = Self::path_in(dir, app);
        if path.join("HEAD").exists() {
            Ok(Self { path })
        } else {
            Err(SourceError::NoRepository { path })
        }
    }

    /// Its folder: what `git push` and a checkout are given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The commit a pushed branch is at.
    ///
    /// # Errors
    /// Where git cannot be run.
    pub async fn head(&self, branch: &BranchName) -> Result<Option<CommitId>, SourceError> {
        let name = format!("refs/heads/{branch}");
        self.commit_at(&name, &format!("look for branch {branch}")).await
    }

    /// Whether the commit is here, whole or as the tip of what was fetched.
    ///
    /// # Errors
    /// Where git cannot be run.
    pub async fn has(&self, commit: &CommitId) -> Result<bool, SourceError> {
        let found =
            self.commit_at(commit.as_str(), &format!("look for {}", commit.short())).await?;
        Ok(found.is_some())
    }

    /// Keeps a commit from ever being cleaned away, until [`Repository::forget`].
    ///
    /// # Errors
    /// Where the commit is not here, or git cannot be run.
    pub async fn keep(&self, commit: &CommitId) -> Result<(), SourceError> {
        self.git(format!("keep commit {}", commit.short()))
            .args(["update-ref", "--end-of-options"])
            .args([kept_ref(commit).as_str(), commit.as_str()])
            .run()
            .await?;
        Ok(())
    }

    /// No build and no release needs the commit any more.
    ///
    /// # Errors
    /// Where git cannot be run.
    pub async fn forget(&self, commit: &CommitId) -> Result<(), SourceError> {
        for name in [kept_ref(commit), sent_ref(commit)] {
            self.git(format!("forget commit {}", commit.short()))
                .args(["update-ref", "-d", "--end-of-options"])
                .arg(name)
                .run()
                .await?;
        }
        Ok(())
    }

    /// Trusts the folder of a push in progress, as git named it to our hook
    /// (`GIT_QUARANTINE_PATH`), after a look at whether it can be one of this repository.
    ///
    /// # Errors
    /// [`SourceError::NotQuarantine`].
    pub fn quarantine(&self, path: &Path) -> Result<Quarantine, SourceError> {
        let refused = || SourceError::NotQuarantine { path: path.to_owned() };
        let real = path.canonicalize().map_err(|_| refused())?;
        let objects = self.path.join("objects").canonicalize().map_err(|_| refused())?;
        let is_ours = real.parent() == Some(&objects)
            && real.is_dir()
            && real.file_name().is_some_and(|name| {
                let name = name.to_string_lossy();
                name.starts_with("tmp_objdir-") || name.starts_with("incoming-")
            });
        if is_ours { Ok(Quarantine(real)) } else { Err(refused()) }
    }

    fn git(&self, what: impl Into<String>) -> Git {
        Git::sealed(what).in_bare(&self.path)
    }

    async fn commit_at(&self, name: &str, what: &str) -> Result<Option<CommitId>, SourceError> {
        let outcome = self
            .git(what)
            .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
            .arg(format!("{name}^{{commit}}"))
            .outcome()
            .await?;
        match outcome.code {
            Some(0) => commit_in(&outcome.stdout, what).map(Some),
            // 1: no such name; 128: the name is there and is no commit.
            Some(1 | 128) => Ok(None),
            _ => Err(outcome.into_error()),
        }
    }
}

fn kept_ref(commit: &CommitId) -> String {
    format!("refs/toehold/kept/{commit}")
}

/// Where a commit lies that was sent without a branch.
pub(super) fn sent_ref(commit: &CommitId) -> String {
    format!("refs/toehold/deploys/{commit}")
}

/// The commit git answered with.
pub(crate) fn commit_in(stdout: &[u8], what: &str) -> Result<CommitId, SourceError> {
    let text = String::from_utf8_lossy(stdout);
    text.trim().parse().map_err(|_| SourceError::Answer {
        what: what.to_owned(),
        answer: text.chars().take(100).collect(),
    })
}

fn write_config(path: &Path) -> Result<(), SourceError> {
    let config = path.join("config");
    if fs::read_to_string(&config).is_ok_and(|text| text == CONFIG) {
        return Ok(());
    }
    let fresh = path.join("config.new");
    fs::write(&fresh, CONFIG)
        .and_then(|()| fs::rename(&fresh, &config))
        .map_err(|source| failed("write", &config, source))
}

fn failed(what: &'static str, path: &Path, source: io::Error) -> SourceError {
    SourceError::File { what, path: path.to_owned(), source }
}
