//! What a forge is told, and how it waits: documents under `report/`, one for each thing that is
//! told of.

use serde::{Deserialize, Serialize};
use toehold_core::model::{AppName, CommitId, Number, Track};
use toehold_core::time::Timestamp;

use crate::store::{Key, Write};

/// What a status is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Context {
    /// Dependencies, tests, and all without which there is no release.
    Test,
    /// The style check.
    Lint,
    /// What became of the release.
    Deploy,
}

impl Context {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Lint => "lint",
            Self::Deploy => "deploy",
        }
    }
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It goes on.
    Pending,
    /// It passed.
    Success,
    /// It did not.
    Failure,
    /// Nobody will know: it was stopped.
    Error,
}

/// The status of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// What it is about.
    pub context: Context,
    /// How it is.
    pub state: State,
    /// One sentence; a forge shows 140 characters of it.
    pub text: String,
}

/// How far a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It goes on.
    InProgress,
    /// It serves.
    Success,
    /// It does not.
    Failure,
}

/// A deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Where to.
    pub track: Track,
    /// How far it is.
    pub stage: Stage,
    /// One sentence.
    pub text: String,
    /// Where the app can be visited.
    pub site: Option<String>,
}

/// A check with its findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Whether it passed.
    pub conclusion: Conclusion,
    /// One sentence.
    pub title: String,
    /// The findings, at most [`Check::ANNOTATIONS`].
    pub annotations: Vec<Annotation>,
}

impl Check {
    /// The most findings that are told.
    pub const ANNOTATIONS: usize = 100;
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Conclusion {
    /// It passed.
    Success,
    /// It did not.
    Failure,
}

/// A finding at a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// The file, from the root of the repository.
    pub path: String,
    /// The line, counted from 1.
    pub line: u32,
    /// `notice`, `warning` or `failure`.
    pub level: String,
    /// What is wrong.
    pub message: String,
    /// The rule that found it.
    pub title: String,
}

/// Something a forge is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum Report {
    /// The status of a commit.
    Status(Status),
    /// A deployment.
    Deployment(Deployment),
    /// A check.
    Check(Check),
}

impl Report {
    /// What it is about: a newer one about the same takes its place.
    pub(super) const fn about(&self) -> &'static str {
        match self {
            Self::Status(status) => status.context.as_str(),
            Self::Deployment(_) => "deployment",
            Self::Check(_) => "check",
        }
    }
}

/// A report that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) app: AppName,
    /// The build, and the release it becomes.
    pub(super) number: Number,
    pub(super) commit: CommitId,
    /// Where more is to be read.
    pub(super) link: Option<String>,
    pub(super) report: Report,
    pub(super) created_at: Timestamp,
    /// Whether its repository has other apps beside it.
    #[serde(default)]
    pub(super) has_several: bool,
}

impl Waiting {
    /// As a forge shows what it is about: `toehold/test`, and `toehold/shop/test` where the
    /// repository has other apps too.
    pub(super) fn title(&self, context: Context) -> String {
        let context = context.as_str();
        if self.has_several {
            format!("toehold/{}/{context}", self.app)
        } else {
            format!("toehold/{context}")
        }
    }

    /// By what it is found again at the forge.
    pub(super) fn name(&self) -> String {
        format!("{}#{}", self.app, self.number.0)
    }
}

/// What the keys of all that waits for a repository begin with.
pub(super) fn prefix(app: &AppName, forge: &str) -> String {
    format!("report/{app}/{forge}/")
}

/// Whose report it is, and who is told.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The app.
    pub app: &'a AppName,
    /// The forge, by the word for it.
    pub forge: &'a str,
    /// Whether the repository has other apps beside it.
    pub has_several: bool,
}

/// What to write, in the same transaction as what it speaks of, so that a forge is told. `link` is
/// where more is to be read.
///
/// # Panics
/// Never: names of apps and forges, numbers and our own words can always stand in a key.
#[must_use]
pub fn report_write(
    About { app, forge, has_several }: About<'_>,
    (number, commit): (Number, &CommitId),
    report: Report,
    link: Option<String>,
    now: Timestamp,
) -> Write {
    let key = format!("{}{:08}/{}", prefix(app, forge), number.0, report.about());
    let key: Key = key.parse().expect("names, digits and our own words are a key");
    let (app, commit) = (app.clone(), commit.clone());
    let created_at = now;
    Write::put(key, &Waiting { app, number, commit, link, report, created_at, has_several })
}
