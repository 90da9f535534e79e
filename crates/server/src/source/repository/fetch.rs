//! Commits from another machine.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use toehold_core::model::{BranchName, CommitId};

use crate::secret::Secret;
use crate::source::SourceError;
use crate::source::git::{Git, REMOTE_TIMEOUT};
use crate::source::remote::{Remote, find};
use crate::source::repository::{Repository, commit_in};

/// What git says where a remote has no such commit.
const ABSENT: [&str; 2] = ["not our ref", "couldn't find remote ref"];

/// What is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Exactly this commit, wherever its branch is by now.
    Commit(CommitId),
    /// Whatever the branch is at.
    Branch(BranchName),
}

impl Repository {
    /// Fetches a commit and keeps it (see [`Repository::keep`]); answers which it was. `login` is
    /// sent to the remote's host only, and stands in no argument.
    ///
    /// # Errors
    /// Where the remote has it not, does not let us in, or takes longer than five minutes.
    pub async fn fetch(
        &self,
        remote: &Remote,
        wanted: &Wanted,
        login: Option<&Login>,
    ) -> Result<CommitId, SourceError> {
        self.fetch_within(REMOTE_TIMEOUT, remote, wanted, login).await
    }

    /// The same, with another limit on its time.
    ///
    /// # Errors
    /// As [`Repository::fetch`].
    pub async fn fetch_within(
        &self,
        timeout: Duration,
        remote: &Remote,
        wanted: &Wanted,
        login: Option<&Login>,
    ) -> Result<CommitId, SourceError> {
        let commit = match wanted {
            Wanted::Commit(commit) => commit.clone(),
            Wanted::Branch(branch) => {
                remote_head(timeout, remote, branch, login).await?.ok_or_else(|| {
                    SourceError::NoBranch { branch: branch.to_string(), remote: remote.to_string() }
                })?
            }
        };
        if self.has(&commit).await? {
            self.keep(&commit).await?;
            return Ok(commit);
        }
        let found = find(remote).await?;
        // By the commit's own id and not by the branch: a branch that moves on meanwhile changes
        // nothing, and no name from outside becomes a ref of ours.
        let git = self
            .git(format!("fetch commit {} from {remote}", commit.short()))
            .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"])
            .args(["--no-recurse-submodules", "--no-auto-maintenance", "--"])
            .args([remote.as_str(), &format!("+{commit}:refs/toehold/kept/{commit}")])
            .timeout(timeout);
        let outcome = configured(git, remote, login, &found).outcome().await?;
        match outcome.code {
            Some(0) => Ok(commit),
            _ if ABSENT.iter().any(|words| outcome.stderr.contains(words)) => {
                Err(SourceError::NotThere { commit, remote: remote.to_string() })
            }
            _ => Err(outcome.into_error()),
        }
    }
}

/// The commit a branch is at on the remote; `None` where it has no such branch.
///
/// # Errors
/// Where the remote cannot be asked.
pub async fn remote_head(
    timeout: Duration,
    remote: &Remote,
    branch: &BranchName,
    login: Option<&Login>,
) -> Result<Option<CommitId>, SourceError> {
    let heads = remote_heads(timeout, remote, std::slice::from_ref(branch), login).await?;
    Ok(heads.into_values().next())
}

/// The commits that branches are at on the remote; those it does not have are left out.
///
/// # Errors
/// Where the remote cannot be asked.
pub async fn remote_heads(
    timeout: Duration,
    remote: &Remote,
    branches: &[BranchName],
    login: Option<&Login>,
) -> Result<BTreeMap<BranchName, CommitId>, SourceError> {
    let names: Vec<&str> = branches.iter().map(BranchName::as_str).collect();
    let what = format!("ask {remote} for {}", names.join(", "));
    let found = find(remote).await?;
    let git = Git::sealed(&what)
        .args(["ls-remote", "--quiet", "--refs", "--", remote.as_str()])
        .args(names.iter().map(|name| format!("refs/heads/{name}")))
        .timeout(timeout);
    let stdout = configured(git, remote, login, &found).run().await?;
    let text = String::from_utf8_lossy(&stdout);
    let mut heads = BTreeMap::new();
    for (commit, name) in text.lines().filter_map(|line| line.split_once('\t')) {
        // Each name is a pattern that also matches `refs/heads/x/refs/heads/main`.
        let branch = name.strip_prefix("refs/heads/");
        if let Some(branch) = branches.iter().find(|it| Some(it.as_str()) == branch) {
            heads.insert(branch.clone(), commit_in(commit.as_bytes(), &what)?);
        }
    }
    Ok(heads)
}

/// What lets us in over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user's name: most forges take any beside a token.
    pub user: &'static str,
    /// The token, as the password.
    pub token: Secret,
}

/// What git is told by the environment. A token, since arguments can be read by everyone on the
/// machine, and for the remote's own host, since a redirect could lead elsewhere. And where that
/// host is: what was looked at is what is dialled.
fn configured(git: Git, remote: &Remote, login: Option<&Login>, found: &[IpAddr]) -> Git {
    let mut settings = Vec::new();
    if let (Some(login), Some(origin)) = (login, remote.http_origin()) {
        let basic = STANDARD.encode(format!("{}:{}", login.user, login.token.reveal()));
        let header = format!("Authorization: Basic {basic}");
        settings.push((format!("http.{origin}.extraHeader"), header));
    }
    // An address leads nowhere else, and cannot be said here.
    let named = remote.host().filter(|(host, _)| host.parse::<IpAddr>().is_err());
    if let (Some((host, port)), Some(_), [_, ..]) = (named, remote.http_origin(), found) {
        let addresses: Vec<String> = found.iter().map(|it| written(*it)).collect();
        let resolved = format!("{host}:{port}:{}", addresses.join(","));
        settings.push(("http.curloptResolve".to_owned(), resolved));
    }
    let git = git.env("GIT_CONFIG_COUNT", settings.len().to_string());
    settings.iter().enumerate().fold(git, |git, (nth, (key, value))| {
        git.env(&format!("GIT_CONFIG_KEY_{nth}"), key)
            .env(&format!("GIT_CONFIG_VALUE_{nth}"), value)
    })
}

fn written(address: IpAddr) -> String {
    match address {
        IpAddr::V4(it) => it.to_string(),
        IpAddr::V6(it) => format!("[{it}]"),
    }
}
