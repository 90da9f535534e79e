//! What a build is asked, what it may use, and how it ends.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use toehold_core::model::{
    AppName, CommitId, Failure, Issue, Manifest, Number, StepKind, StepOutcome,
};
use toehold_core::spec::Spec;

/// A build that is to be made.
pub struct Order {
    /// The app.
    pub app: AppName,
    /// The build's number.
    pub number: Number,
    /// The commit; it must be in the repository already.
    pub commit: CommitId,
    /// The bare repository.
    pub repository: PathBuf,
    /// A folder of objects beside the repository's own: a push in quarantine.
    pub objects: Option<PathBuf>,
    /// The findings of the last good build of the track, as [`super::findings`] gives them.
    pub baseline: Vec<Issue>,
    /// The app's secrets, names and values. A build does not get them; their values are made
    /// unreadable in its output.
    pub secrets: Vec<(String, String)>,
    /// What of the machine's environment a build may know, as [`super::surroundings`] gives it.
    pub surroundings: Vec<(OsString, OsString)>,
    /// Where it works.
    pub dirs: Dirs,
    /// What it may use.
    pub limits: Limits,
}

impl fmt::Debug for Order {
    /// Without the values of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("app", &self.app)
            .field("number", &self.number)
            .field("commit", &self.commit)
            .field("repository", &self.repository)
            .finish_non_exhaustive()
    }
}

/// The builder's folders; they are made where they are not there. `cache` and `work` are best on
/// the same file system.
#[derive(Clone, Debug)]
pub struct Dirs {
    /// Checkouts, one folder a running build; nothing in it outlives its build.
    pub work: PathBuf,
    /// Homes and dependencies, by app; may be removed at any time.
    pub cache: PathBuf,
    /// Output and findings, by app and number.
    pub logs: PathBuf,
    /// Artifacts, by digest.
    pub artifacts: PathBuf,
}

impl Dirs {
    /// The four folders below `dir`.
    #[must_use]
    pub fn below(dir: &Path) -> Self {
        Self {
            work: dir.join("work"),
            cache: dir.join("cache"),
            logs: dir.join("logs"),
            artifacts: dir.join("artifacts"),
        }
    }
}

/// What a build may use. A step that goes over a limit is ended, and says which.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Output that is kept, in bytes; the rest is counted.
    pub log_bytes: u64,
    /// Processes at a time.
    pub processes: usize,
    /// Memory of all processes of a step, in bytes; `None`: three quarters of the machine's.
    pub memory_bytes: Option<u64>,
    /// The least that stays free on the disks it writes to, in bytes.
    pub free_bytes: u64,
    /// The largest checkout, in bytes.
    pub checkout_bytes: u64,
    /// The largest artifact before it is compressed, in bytes.
    pub artifact_bytes: u64,
    /// Sets of dependencies that are kept for an app.
    pub cache_count: usize,
    /// Their size in all, in bytes.
    pub cache_bytes: u64,
    /// Whether a step may write only into its checkout, its home and the folders for temporary
    /// files, and signal only its own processes: held by the kernel, where that can (Linux 5.19;
    /// signals 6.12).
    pub fenced: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            log_bytes: 64 << 20,
            processes: 1_024,
            memory_bytes: None,
            free_bytes: 256 << 20,
            checkout_bytes: 4 << 30,
            artifact_bytes: 8 << 30,
            cache_count: 5,
            cache_bytes: 4 << 30,
            fenced: true,
        }
    }
}

/// How far a build is.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// A step runs.
    StepStarted(StepKind),
    /// A step has ended.
    StepEnded(StepOutcome),
}

/// How a build ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// Every step passed.
    Passed {
        /// The artifact, which lies on the shelf.
        artifact: Box<Manifest>,
        /// The configuration in force, detected commands filled in.
        spec: Box<Spec>,
        /// The steps that ran.
        steps: Vec<StepOutcome>,
    },
    /// A step did not pass.
    Failed {
        /// What, where and how.
        failure: Box<Failure>,
        /// The steps that ran, the failed one last.
        steps: Vec<StepOutcome>,
    },
    /// It was stopped, and all its processes are gone.
    Cancelled,
}
