//! Deploying the work in a folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use toehold_server::source::SourceError;
use toehold_server::source::worktree::Worktree;

use crate::stage::{Stage, git};

async fn find(path: &Path) -> Worktree {
    Worktree::find(path).await.expect("it is a work tree")
}

/// All that a user could notice.
fn state(work: &Path) -> (Vec<u8>, String, String, String) {
    (
        fs::read(work.join(".git/index")).unwrap_or_default(),
        git(work, &["for-each-ref"]),
        git(work, &["--no-optional-locks", "status", "--porcelain", "--branch"]),
        git(work, &["reflog", "--all"]),
    )
}

#[tokio::test]
async fn the_last_commit_is_sent() {
    let stage = Stage::new().await;
    stage.write("file", "one");
    let commit = stage.commit("one");
    let before = state(&stage.work());
    let worktree = find(&stage.work()).await;
    let snapshot = worktree.snapshot(false).await.expect("there is a commit");
    assert_eq!((&snapshot.commit, snapshot.changed_files), (&commit, 0));
    worktree.send(&commit, stage.repository.path().as_os_str()).await.expect("it is sent");
    assert!(stage.repository.has(&commit).await.expect("git runs"));
    let name = format!("refs/toehold/deploys/{commit}");
    assert!(stage.record("post-receive").contains(&name));
    assert_eq!(state(&stage.work()), before);
    assert_eq!(worktree.branch().await.expect("git runs"), "main".parse().ok());
}

#[tokio::test]
async fn uncommitted_work_is_sent_where_asked_and_nothing_is_touched() {
    let stage = Stage::new().await;
    stage.write(".gitignore", "ignored\n");
    stage.write("kept", "kept");
    stage.write("changed", "old");
    stage.write("removed", "x");
    let head = stage.commit("one");
    stage.write("staged", "staged");
    git(&stage.work(), &["add", "staged"]);
    stage.write("changed", "new");
    stage.write("sub folder/untracked", "untracked");
    stage.write("ignored", "ignored");
    fs::remove_file(stage.work().join("removed")).expect("it is there");
    std::os::unix::fs::symlink("/etc/passwd", stage.work().join("link")).expect("it can be made");
    let hook = stage.work().join(".git/hooks/pre-push");
    fs::write(&hook, "#!/bin/sh\nexit 1\n").expect("it can be written");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("it can be set");
    let before = state(&stage.work());

    let worktree = find(&stage.work().join("sub folder")).await;
    let snapshot = worktree.snapshot(false).await.expect("there is a commit");
    assert_eq!((snapshot.commit, snapshot.with_changes), (head.clone(), false));
    assert_eq!(snapshot.changed_files, 5);
    let snapshot = worktree.snapshot(true).await.expect("it is taken");
    assert!(snapshot.with_changes && snapshot.commit != head);
    let repository = &stage.repository;
    let target = repository.path().as_os_str();
    worktree.send(&snapshot.commit, target).await.expect("it is sent");

    let listed =
        git(repository.path(), &["ls-tree", "-r", "--name-only", snapshot.commit.as_str()]);
    let files: Vec<&str> = listed.lines().collect();
    let expected = [".gitignore", "changed", "kept", "link", "staged", "sub folder/untracked"];
    assert_eq!(files, expected);
    let read = repository.read_file(&snapshot.commit, "changed", 100, None).await;
    assert_eq!(read.expect("it is here").as_deref(), Some("new"));
    // A link is sent as a link, not as what it leads to.
    assert!(repository.read_file(&snapshot.commit, "link", 5000, None).await.is_err());
    let parent = git(repository.path(), &["rev-parse", &format!("{}^", snapshot.commit)]);
    assert_eq!(parent.trim(), head.as_str());
    assert_eq!(state(&stage.work()), before);
    let left = fs::read_dir(stage.work().join(".git")).expect("it is there");
    let left: Vec<_> = left.flatten().map(|it| it.file_name()).collect();
    assert!(!left.iter().any(|it| it.to_string_lossy().starts_with("toehold")), "{left:?}");
}

#[tokio::test]
async fn a_change_in_the_very_instant_of_the_last_commit_is_not_missed() {
    let stage = Stage::new().await;
    let instant = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let file = stage.work().join("file");
    let at_once = |path: &Path| {
        let opened = fs::File::options().write(true).open(path).expect("it is there");
        opened.set_modified(instant).expect("it can be set");
    };
    git(&stage.work(), &["config", "core.trustctime", "false"]);
    stage.write("file", "old");
    at_once(&file);
    stage.commit("one");
    at_once(&stage.work().join(".git/index"));
    stage.write("file", "new");
    at_once(&file);

    let worktree = find(&stage.work()).await;
    let snapshot = worktree.snapshot(true).await.expect("it is taken");
    worktree.send(&snapshot.commit, stage.repository.path().as_os_str()).await.expect("it is sent");
    let read = stage.repository.read_file(&snapshot.commit, "file", 100, None).await;
    assert_eq!(read.expect("it is here").as_deref(), Some("new"));
}

#[tokio::test]
async fn a_folder_without_commits_can_be_deployed_as_it_is() {
    let stage = Stage::new().await;
    stage.write("file", "one");
    let worktree = find(&stage.work()).await;
    let error = worktree.snapshot(false).await.expect_err("there is no commit");
    assert!(matches!(error, SourceError::NoCommit { .. }), "{error}");
    let snapshot = worktree.snapshot(true).await.expect("it is taken");
    let target = stage.repository.path().as_os_str();
    worktree.send(&snapshot.commit, target).await.expect("it is sent");
    let read = stage.repository.read_file(&snapshot.commit, "file", 100, None).await;
    assert_eq!(read.expect("it is here").as_deref(), Some("one"));
}

#[tokio::test]
async fn a_shallow_clone_can_be_deployed() {
    let stage = Stage::new().await;
    stage.commit("one");
    stage.write("file", "two");
    let commit = stage.commit("two");
    let url = format!("file://{}", stage.work().display());
    git(stage.path(), &["clone", "--quiet", "--depth=1", &url, "shallow"]);
    let worktree = find(&stage.path().join("shallow")).await;
    worktree.send(&commit, stage.repository.path().as_os_str()).await.expect("it is sent");
    let info = stage.repository.commit_info(&commit, None).await.expect("it is here");
    assert_eq!(info.subject, "two");
}

#[tokio::test]
async fn a_folder_without_git_is_said() {
    let stage = Stage::new().await;
    let error = Worktree::find(stage.path()).await.expect_err("there is no repository");
    assert!(error.to_string().starts_with("there is no git repository at"), "{error}");
}
