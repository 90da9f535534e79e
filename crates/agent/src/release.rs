//! The release command: once for each release, before its first instance.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use toehold_core::wire::agent::Placed;
use toehold_host::durable;
use toehold_host::process::{Launch, Marker, NotEnded, Tree};
use tokio::sync::OwnedMutexGuard;

/// The longest a release command may take.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Time between SIGTERM and SIGKILL for one that took too long.
const GRACE: Duration = Duration::from_secs(5);

/// How many releases are remembered to have had theirs.
const REMEMBERED: usize = 1000;

/// The variable a release command carries, to be found by.
const MARK: &str = "TOEHOLD_RELEASE";

/// Runs the user's command and leaves its exit code in a file, so that the code is known also to
/// an agent that did not start it. Command and file are arguments: nothing is pasted together.
const WRAPPER: &str =
    r#"/bin/sh -c "$1"; code=$?; echo "$code" > "$2.new" && mv "$2.new" "$2"; exit "$code""#;

/// Why a release cannot start.
#[derive(Debug, Error)]
pub(crate) enum ReleaseError {
    #[error("the release command `{command}` failed with exit code {code}")]
    Failed { command: String, code: i32 },
    #[error("the release command `{command}` ended without saying how")]
    Vanished { command: String },
    #[error("the release command `{command}` was not done within {} s", TIMEOUT.as_secs())]
    Timeout { command: String },
    #[error("the release command `{command}` cannot be run: {why}")]
    Start { command: String, why: String },
}

/// Which releases had their command, on disk.
#[derive(Debug)]
pub(crate) struct Releases {
    path: PathBuf,
    /// `shop#42`.
    done: Mutex<Vec<String>>,
    /// Held until one has ended, also one that nobody waits for any more: so two instances of a
    /// release do not both run it, and no command begins beside another.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Somebody's turn; over once all that share it have let go.
type Turn = Arc<OwnedMutexGuard<()>>;

impl Releases {
    pub(crate) fn open(path: PathBuf) -> Self {
        let done = durable::load(&path).unwrap_or_else(|error| {
            tracing::error!(%error, "It is not known which release commands were run: they run again.");
            None
        });
        Self { path, done: Mutex::new(done.unwrap_or_default()), turn: Arc::default() }
    }

    /// Runs the release command of `placed`, where it has one that has not been run yet. One that
    /// an earlier agent began is waited for; where that ended without saying how, it is run again:
    /// an agent that ends may have been about to end it. `log` says where its output goes.
    pub(crate) async fn run_once(
        &self,
        placed: &Placed,
        dir: &Path,
        env: Vec<(OsString, OsString)>,
        log: impl FnOnce() -> io::Result<(fs::File, fs::File)>,
    ) -> Result<(), ReleaseError> {
        let Some(command) = &placed.release_command else { return Ok(()) };
        let name = name(placed);
        let turn = Arc::new(Arc::clone(&self.turn).lock_owned().await);
        if self.is_done(&name) {
            return Ok(());
        }
        let marker = self.marker(&name);
        let started = Started { command, code: self.code(), turn };
        let found = match leader(&marker) {
            Some(tree) => started.wait(tree).await?,
            None => None,
        };
        let code = match found {
            Some(code) => code,
            None => started.begin(marker, dir, env, log).await?,
        };
        if code != 0 {
            return Err(ReleaseError::Failed { command: command.clone(), code });
        }
        self.note(name);
        Ok(())
    }

    fn is_done(&self, name: &String) -> bool {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    fn note(&self, name: String) {
        // There is no half-made state to be afraid of.
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.push(name);
        let surplus = done.len().saturating_sub(REMEMBERED);
        done.drain(..surplus);
        if let Err(error) = durable::save(&self.path, &*done) {
            tracing::error!(%error, "That a release command was run could not be written down.");
        }
    }

    /// Where the exit code of the one that runs is left.
    fn code(&self) -> PathBuf {
        self.path.with_file_name("release-command-exit")
    }

    /// How the command of a release is found again.
    fn marker(&self, name: &str) -> Marker {
        let value = format!("{name}@{}", self.code().to_string_lossy());
        Marker { name: MARK.to_owned(), value }
    }
}

/// `shop#42`.
fn name(placed: &Placed) -> String {
    format!("{}{}", placed.id.app(), placed.release)
}

/// The tree of a release command that still runs.
fn leader(marker: &Marker) -> Option<Tree> {
    let ours = toehold_host::process::marked(&marker.name);
    let runs = ours.into_iter().filter(|(_, value)| *value == marker.value).map(|(run, _)| run);
    runs.min_by_key(|run| (run.start_ticks, run.pid))
        .map(|run| Tree::new(run, marker.clone(), None))
}

struct Started<'a> {
    command: &'a str,
    /// Where its exit code is left.
    code: PathBuf,
    turn: Turn,
}

impl Started<'_> {
    async fn begin(
        &self,
        marker: Marker,
        dir: &Path,
        env: Vec<(OsString, OsString)>,
        log: impl FnOnce() -> io::Result<(fs::File, fs::File)>,
    ) -> Result<i32, ReleaseError> {
        let cannot = |why: String| ReleaseError::Start { command: self.command.to_owned(), why };
        match fs::remove_file(&self.code) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cannot(error.to_string()));
            }
            Ok(()) | Err(_) => {}
        }
        let (stdout, stderr) = log().map_err(|error| cannot(error.to_string()))?;
        let argv: [OsString; 6] = [
            "/bin/sh".into(),
            "-c".into(),
            WRAPPER.into(),
            "toehold-release".into(),
            self.command.into(),
            self.code.clone().into_os_string(),
        ];
        let launch = Launch {
            argv: argv.to_vec(),
            env,
            dir: dir.to_owned(),
            stdout: stdout.into(),
            stderr: stderr.into(),
            marker,
            nice: 0,
            cgroup: None,
        };
        let (tree, mut child) = launch.start().map_err(|error| cannot(error.to_string()))?;
        let guard = self.guard(&tree);
        let code = match tokio::time::timeout(TIMEOUT, child.wait()).await {
            Ok(_) => self.read().ok_or_else(|| {
                let command = self.command.to_owned();
                ReleaseError::Vanished { command }
            }),
            Err(_) => Err(self.late(&tree).await),
        };
        guard.disarm();
        code
    }

    /// Waits for one that an earlier agent began; `None` where it ended without saying how, and
    /// nothing of it is left.
    async fn wait(&self, tree: Tree) -> Result<Option<i32>, ReleaseError> {
        let guard = self.guard(&tree);
        let ended = tokio::time::timeout(TIMEOUT, toehold_host::process::gone(tree.leader())).await;
        let code = match ended {
            Ok(()) => Ok(self.read()),
            Err(_) => Err(self.late(&tree).await),
        };
        if let Ok(None) = code {
            end(tree).await;
        }
        guard.disarm();
        code
    }

    fn read(&self) -> Option<i32> {
        fs::read_to_string(&self.code).ok()?.trim().parse().ok()
    }

    fn guard(&self, tree: &Tree) -> EndOnDrop {
        EndOnDrop(Some((tree.clone(), Turn::clone(&self.turn))))
    }

    async fn late(&self, tree: &Tree) -> ReleaseError {
        end(tree.clone()).await;
        ReleaseError::Timeout { command: self.command.to_owned() }
    }
}

async fn end(tree: Tree) {
    let ended: Result<(), NotEnded> = tree.end(GRACE).await;
    if let Err(error) = ended {
        tracing::error!(%error, "A release command could not be ended.");
    }
}

/// Ends a release command whose instance is not wanted any more: whoever waited for it is dropped,
/// and so is this. The next one's turn comes when it has ended. An agent that ends leaves it
/// running, to be waited for by the next.
struct EndOnDrop(Option<(Tree, Turn)>);

impl EndOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        let Some((tree, turn)) = self.0.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                end(tree).await;
                drop(turn);
            });
        }
    }
}

#[cfg(test)]
mod tests;
