//! A folder of its own for each test, with an app's repository, a clone that pushes, and hooks
//! that write down what they were given.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use toehold_core::model::{AppName, CommitId};
use toehold_server::source::hooks::HookCommand;
use toehold_server::source::repository::Repository;

pub(crate) struct Stage {
    folder: TempDir,
    pub(crate) repository: Repository,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let at = folder.path();
        // A place whose name would do harm in a shell that was not told it is a name.
        let home = at.join("it's $(touch pwned) state");
        fs::create_dir_all(&home).expect("a folder can be made");
        write_hook(&home, "cat; env | grep ^GIT_ | sort");
        let command = hook_command(&home);
        let repository = Repository::create(&home, &app(), &command).await;
        let stage = Self { repository: repository.expect("it can be made"), folder };
        stage.make_work("work");
        stage
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path().join("it's $(touch pwned) state")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.path().join("work")
    }

    fn make_work(&self, name: &str) {
        let work = self.path().join(name);
        fs::create_dir_all(&work).expect("a folder can be made");
        git(&work, &["init", "--quiet", "--initial-branch=main"]);
        git(&work, &["config", "user.name", "Ada"]);
        git(&work, &["config", "user.email", "ada@example.com"]);
    }

    /// Commits all that lies in the work folder.
    pub(crate) fn commit(&self, subject: &str) -> CommitId {
        let work = self.work();
        git(&work, &["add", "--all"]);
        git(&work, &["commit", "--quiet", "--allow-empty", "-m", subject]);
        git(&work, &["rev-parse", "HEAD"]).trim().parse().expect("it is a commit")
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("it can be made");
        fs::write(path, text).expect("it can be written");
    }

    /// `git push` into the app's repository.
    pub(crate) fn push(&self, args: &[&str]) -> Output {
        let mut command = git_command(&self.work());
        command.arg("push").args(args.iter().take_while(|arg| arg.starts_with('-')));
        command.arg(self.repository.path());
        command.args(args.iter().skip_while(|arg| arg.starts_with('-')));
        command.output().expect("git can be run")
    }

    /// What a hook was given: its arguments, its input, its `GIT_*`.
    pub(crate) fn record(&self, hook: &str) -> String {
        fs::read_to_string(self.home().join(format!("{hook}.record"))).unwrap_or_default()
    }

    pub(crate) fn assert_unharmed(&self) {
        let mut left = vec![self.path().to_owned()];
        while let Some(folder) = left.pop() {
            for entry in fs::read_dir(folder).expect("it can be read") {
                let path = entry.expect("it can be read").path();
                assert_ne!(path.file_name(), Some("pwned".as_ref()), "{}", path.display());
                if path.is_dir() {
                    left.push(path);
                }
            }
        }
    }
}

pub(crate) fn app() -> AppName {
    "shop".parse().expect("it is a name")
}

pub(crate) fn hook_command(home: &Path) -> HookCommand {
    HookCommand { toehold: home.join("toe 'hold"), dir: home.to_owned() }
}

/// Puts a script where `toehold` would be: it writes its arguments and what `body` says into
/// `<dir>/<hook>.record`. It knows the folder only by `--dir`.
pub(crate) fn write_hook(home: &Path, body: &str) {
    let script = format!(
        "#!/bin/sh\nhook=\"$2\"\ndir=\"$4\"\n{{ echo \"$@\"; {body}; }} > \"$dir/$hook.record\"\n"
    );
    let program = home.join("toe 'hold");
    fs::write(&program, script).expect("it can be written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it can be set");
}

/// Git as a person runs it, but with nobody's configuration.
pub(crate) fn git_command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C.UTF-8");
    command
}

pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let output = git_command(folder).args(args).output().expect("git can be run");
    assert!(output.status.success(), "git {args:?}: {}", said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits until there is something to see.
pub(crate) async fn eventually<T>(what: &str, mut see: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = see() {
            return seen;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
