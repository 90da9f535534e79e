//! The folders of a build, and what is left of builds that were interrupted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toehold_core::model::{AppName, Issue, Number};
use toehold_host::cgroup::{Cgroup, Limits};
use toehold_host::process::{Marker, Tree, marked};

use crate::builder::order::{Dirs, Order};
use crate::builder::remove::remove_tree;

/// The variable by which the processes of a build are found.
const MARKER: &str = "TOEHOLD_STEP";

/// The file in a build's folder that holds the marker's value.
const MARKER_FILE: &str = "marker";

/// Where the output of a build lies: plain text, growing while it runs. Each step begins with a
/// line `== step: command`, lines of Toehold's own with `-- `.
#[must_use]
pub fn log_path(logs: &Path, app: &AppName, number: Number) -> PathBuf {
    logs.join(app.as_str()).join(format!("{}.log", number.0))
}

/// Every finding of a build's style check, as the baseline of the next; none where there was none.
#[must_use]
pub fn findings(logs: &Path, app: &AppName, number: Number) -> Vec<Issue> {
    let found = fs::read(findings_path(logs, app, number)).ok();
    found.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Keeps every finding of a build's style check.
pub(super) fn keep_findings(order: &Order, issues: &[Issue]) -> io::Result<()> {
    let path = findings_path(&order.dirs.logs, &order.app, order.number);
    toehold_host::durable::write(&path, &serde_json::to_vec(issues)?).map_err(io::Error::other)
}

fn findings_path(logs: &Path, app: &AppName, number: Number) -> PathBuf {
    log_path(logs, app, number).with_extension("findings.json")
}

/// The folders of one build.
pub(super) struct Workshop {
    /// All that is its own; removed at its end.
    pub(super) dir: PathBuf,
    /// The checkout.
    pub(super) checkout: PathBuf,
    /// Git's index of it.
    pub(super) index: PathBuf,
    /// For temporary files.
    pub(super) tmp: PathBuf,
    /// The app's home, which stays.
    pub(super) home: PathBuf,
    /// The app's dependencies, which stay.
    pub(super) dependencies: PathBuf,
    /// By which its processes are found.
    pub(super) marker: Marker,
}

impl Workshop {
    /// Makes the folders. What an interrupted build of the same number left is removed before.
    pub(super) async fn open(order: &Order) -> io::Result<Self> {
        // Steps must not depend on where Toehold was started.
        let work = std::path::absolute(&order.dirs.work)?;
        let cache = std::path::absolute(&order.dirs.cache)?.join(order.app.as_str());
        let dir = work.join(format!("{}.{}", order.app, order.number.0));
        clear(&dir).await?;
        let mut value = [0; 16];
        getrandom::fill(&mut value).map_err(|error| io::Error::other(error.to_string()))?;
        let marker = Marker { name: MARKER.to_owned(), value: hex::encode(value) };
        let workshop = Self {
            checkout: dir.join("checkout"),
            index: dir.join("index"),
            tmp: dir.join("tmp"),
            home: cache.join("home"),
            dependencies: cache.join("dependencies"),
            dir,
            marker,
        };
        for dir in [
            &workshop.checkout,
            &workshop.tmp,
            &workshop.home,
            &workshop.dependencies,
            &order.dirs.artifacts,
        ] {
            fs::create_dir_all(dir)?;
        }
        fs::write(workshop.dir.join(MARKER_FILE), &workshop.marker.value)?;
        Ok(workshop)
    }

    /// The name of its cgroup.
    pub(super) fn group(&self) -> String {
        group(&self.dir, &self.marker.value).unwrap_or_default()
    }

    /// Where a step may write. The machine's folder for temporary files is among them, unless all
    /// of Toehold lies in it.
    pub(super) fn writable(&self) -> Vec<PathBuf> {
        let shared = ["/tmp", "/var/tmp"].map(PathBuf::from);
        let shared = shared.into_iter().filter(|dir| !self.dir.starts_with(dir));
        let own = [&self.checkout, &self.tmp, &self.home].map(Clone::clone);
        // Devices, and what a process may say of itself there.
        own.into_iter().chain(shared).chain(["/dev", "/proc"].map(PathBuf::from)).collect()
    }

    /// Removes what is the build's own, while others go on: nobody waits for it.
    pub(super) fn close(self) {
        tokio::task::spawn_blocking(move || {
            if let Err(error) = remove_tree(&self.dir) {
                let dir = self.dir.display();
                tracing::warn!(%error, "the folder {dir} of an ended build cannot be removed");
            }
        });
    }
}

/// The name of the cgroup of the build whose folder is `dir`. No two builds ever have the same: the
/// end of one would be the end of the other.
fn group(dir: &Path, marker: &str) -> Option<String> {
    Some(format!("build.{}.{marker}", dir.file_name()?.to_str()?))
}

/// Ends every process and removes every folder of builds that were interrupted. Called when no
/// build runs, before the first.
pub async fn sweep(dirs: &Dirs) -> io::Result<()> {
    let entries = match fs::read_dir(&dirs.work) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries.flatten() {
        clear(&entry.path()).await?;
    }
    Ok(())
}

async fn clear(dir: &Path) -> io::Result<()> {
    if let Ok(value) = fs::read_to_string(dir.join(MARKER_FILE)) {
        let limits = Limits { cpus: 1.0, memory_bytes: None, pids: None };
        let group = group(dir, &value).and_then(|name| Cgroup::create(&name, &limits));
        for (leader, _) in marked(MARKER).into_iter().filter(|(_, it)| *it == value) {
            let marker = Marker { name: MARKER.to_owned(), value: value.clone() };
            let tree = Tree::new(leader, marker, group.clone());
            tree.kill().await.map_err(io::Error::other)?;
        }
        if let Some(group) = group {
            // It may be held by what hangs in the kernel; then it stays, empty but for that.
            let _ = group.remove().await;
        }
    }
    let dir = dir.to_owned();
    tokio::task::spawn_blocking(move || remove_tree(&dir)).await.map_err(io::Error::other)?
}
