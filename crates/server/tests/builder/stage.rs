//! A repository with an app in it, and a builder for it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use toehold_core::model::{CommitId, Digest, Failure, Issue, Manifest, Number, StepOutcome};
use toehold_core::spec::Spec;
use toehold_host::process::marked;
use toehold_server::builder::{
    Dirs, Ending, Limits, Order, Progress, artifact_path, build, log_path, surroundings,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The longest anything here may take.
const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) struct Stage {
    pub(crate) dir: TempDir,
    pub(crate) dirs: Dirs,
    pub(crate) limits: Limits,
    pub(crate) secrets: Vec<(String, String)>,
    pub(crate) baseline: Vec<Issue>,
    pub(crate) surroundings: Vec<(OsString, OsString)>,
    pub(crate) objects: Option<PathBuf>,
    number: u64,
}

/// How a build that passed ended.
pub(crate) struct Passed {
    pub(crate) manifest: Manifest,
    pub(crate) spec: Spec,
    pub(crate) steps: Vec<StepOutcome>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let dirs = Dirs::below(&dir.path().join("toehold"));
        let stage = Self {
            dirs,
            limits: Limits { free_bytes: 1 << 20, ..Limits::default() },
            secrets: Vec::new(),
            baseline: Vec::new(),
            surroundings: surroundings(),
            objects: None,
            number: 0,
            dir,
        };
        fs::create_dir_all(stage.source()).expect("a folder");
        stage.git(&["init", "--quiet"]);
        stage
    }

    /// A stage whose app has these files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let stage = Self::new();
        for (name, text) in files {
            stage.put(name, text);
        }
        stage
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.dir.path().join("source")
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.dir.path().join("app.git")
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let bare = self.repository();
        let output = Command::new("git")
            .args(["-c", "user.name=A Person", "-c", "user.email=a@example.com"])
            .args(["-c", "protocol.file.allow=always", "-c", "commit.gpgsign=false"])
            .env("GIT_DIR", &bare)
            .env("GIT_WORK_TREE", self.source())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .args(args)
            .current_dir(self.source())
            .output()
            .expect("git is there");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("git answers in UTF-8").trim().to_owned()
    }

    /// Writes a file; one that begins with `#!` may be run.
    pub(crate) fn put(&self, name: &str, text: &str) {
        let path = self.source().join(name);
        fs::create_dir_all(path.parent().expect("it is in the source")).expect("a folder");
        fs::write(&path, text).expect("a file");
        if text.starts_with("#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
        }
    }

    pub(crate) fn commit(&self) -> CommitId {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "a change"]);
        self.git(&["rev-parse", "HEAD"]).parse().expect("it is a commit")
    }

    pub(crate) fn order(&mut self, commit: CommitId) -> Order {
        self.number += 1;
        Order {
            app: "shop".parse().expect("it is a name"),
            number: Number(self.number),
            commit,
            repository: self.repository(),
            objects: self.objects.clone(),
            baseline: self.baseline.clone(),
            secrets: self.secrets.clone(),
            surroundings: self.surroundings.clone(),
            dirs: self.dirs.clone(),
            limits: self.limits.clone(),
        }
    }

    /// Builds what the source is now.
    pub(crate) async fn build(&mut self) -> Ending {
        let commit = self.commit();
        let order = self.order(commit);
        let (progress, mut seen) = mpsc::channel(64);
        let work = build(order, progress, CancellationToken::new());
        let ending = tokio::time::timeout(DEADLINE, work).await.expect("it ends in time");
        let mut started = 0;
        while let Some(step) = seen.recv().await {
            started += usize::from(matches!(step, Progress::StepStarted(_)));
        }
        if let Ending::Passed { steps, .. } | Ending::Failed { steps, .. } = &ending {
            assert_eq!(steps.len(), started, "each step that began has ended");
        }
        let work = &self.dirs.work;
        until("its folder is removed", || fs::read_dir(work).into_iter().flatten().count() == 0)
            .await;
        ending
    }

    pub(crate) async fn passes(&mut self) -> Passed {
        match self.build().await {
            Ending::Passed { artifact, spec, steps } => {
                Passed { manifest: *artifact, spec: *spec, steps }
            }
            other => panic!("{other:#?}\n{}", self.log()),
        }
    }

    pub(crate) async fn fails(&mut self) -> Failure {
        match self.build().await {
            Ending::Failed { failure, steps } => {
                assert!(!steps.last().expect("a step failed").passed);
                *failure
            }
            other => panic!("{other:#?}\n{}", self.log()),
        }
    }

    /// The log of the last build.
    pub(crate) fn log(&self) -> String {
        let app = "shop".parse().expect("it is a name");
        let path = log_path(&self.dirs.logs, &app, Number(self.number));
        String::from_utf8_lossy(&fs::read(path).expect("there is a log")).into_owned()
    }

    /// The names in an artifact, in their order.
    pub(crate) fn names(&self, digest: &Digest) -> Vec<String> {
        self.entries(digest).into_iter().map(|(name, _)| name).collect()
    }

    /// The times in an artifact, by name, in seconds since 1970.
    pub(crate) fn times(&self, digest: &Digest) -> BTreeMap<String, u64> {
        let file = fs::File::open(artifact_path(&self.dirs.artifacts, digest));
        let zstd = zstd::Decoder::new(file.expect("the artifact is there")).expect("it is zstd");
        let mut archive = tar::Archive::new(zstd);
        let entries = archive.entries().expect("it is a tar");
        entries
            .map(|entry| {
                let entry = entry.expect("it is whole");
                let name = entry.path().expect("it has a name").to_string_lossy().into_owned();
                (name, entry.header().mtime().expect("it has a time"))
            })
            .collect()
    }

    /// The names and contents in an artifact, in their order.
    pub(crate) fn entries(&self, digest: &Digest) -> Vec<(String, String)> {
        let file = fs::File::open(artifact_path(&self.dirs.artifacts, digest));
        let zstd = zstd::Decoder::new(file.expect("the artifact is there")).expect("it is zstd");
        let mut archive = tar::Archive::new(zstd);
        let mut found = Vec::new();
        for entry in archive.entries().expect("it is a tar") {
            let mut entry = entry.expect("it is whole");
            let name = entry.path().expect("it has a name").to_string_lossy().into_owned();
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("it is whole");
            found.push((name, text));
        }
        found
    }
}

/// Waits until `holds`, and says what was waited for where it never does.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < DEADLINE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How many processes have `needle` in their arguments.
pub(crate) fn processes(needle: &str) -> usize {
    let entries = fs::read_dir("/proc").expect("there are processes").flatten();
    entries
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(needle))
        .count()
}

/// Whether any process carries a build's mark with this value.
pub(crate) fn is_marked(value: &str) -> bool {
    marked("TOEHOLD_STEP").iter().any(|(_, it)| it == value)
}

/// A `toehold.toml` with these lines in `[build]`, and an app that would start.
pub(crate) fn toml(build: &str) -> String {
    format!("[build]\n{build}\n[run]\nweb = \"node main.js\"\n")
}

pub(crate) fn executable(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode");
}
