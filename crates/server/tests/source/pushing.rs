//! Pushes into an app's repository.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use toehold_core::model::BranchName;
use toehold_server::source::repository::Repository;
use toehold_server::source::update::{self, RefUpdate};

use crate::stage::{Stage, app, eventually, git, git_command, hook_command, said, write_hook};

#[tokio::test]
async fn a_push_reaches_both_hooks() {
    let stage = Stage::new().await;
    let commit = stage.commit("one");
    let pushed = stage.push(&["--push-option=wait", "main"]);
    assert!(pushed.status.success(), "{}", said(&pushed));
    for hook in ["pre-receive", "post-receive"] {
        let record = stage.record(hook);
        let (args, rest) = record.split_once('\n').expect("it wrote a line");
        let home = stage.home();
        assert_eq!(args, format!("hook {hook} --dir {} --app shop", home.display()));
        let (line, env) = rest.split_once('\n').expect("it got a line");
        let branch: BranchName = "main".parse().expect("it is a branch");
        let updates = update::parse(line.as_bytes()).expect("it is an update");
        assert_eq!(updates, [RefUpdate::Branch { branch, old: None, new: commit.clone() }]);
        assert!(env.contains("GIT_PUSH_OPTION_0=wait"), "{env}");
        assert_eq!(env.contains("GIT_QUARANTINE_PATH="), hook == "pre-receive", "{env}");
    }
    stage.assert_unharmed();
}

#[tokio::test]
async fn what_a_hook_says_is_seen_and_its_no_is_obeyed() {
    let stage = Stage::new().await;
    stage.commit("one");
    write_hook(&stage.home(), "echo test failed >&2; exit 1");
    let pushed = stage.push(&["main"]);
    assert!(!pushed.status.success());
    assert!(said(&pushed).contains("remote: test failed"), "{}", said(&pushed));
    let head = stage.repository.head(&"main".parse().expect("it is a branch")).await;
    assert_eq!(head.expect("git runs"), None);
}

#[tokio::test]
async fn in_pre_receive_the_commit_is_read_from_quarantine() {
    let stage = Stage::new().await;
    stage.write("toehold.toml", "app = \"shop\"\n");
    let commit = stage.commit("one");
    let gate = stage.path().join("gate");
    make_fifo(&gate);
    let wait = format!("echo \"$GIT_QUARANTINE_PATH\"; cat '{}' >&2", gate.display());
    write_hook(&stage.home(), &wait);
    let mut push = git_command(&stage.work())
        .arg("push")
        .arg(stage.repository.path())
        .arg("main")
        .stderr(Stdio::piped())
        .spawn()
        .expect("git can be run");
    let path = eventually("the hook runs", || {
        stage.record("pre-receive").lines().nth(1).map(str::to_owned)
    })
    .await;

    let repository = &stage.repository;
    let quarantine = repository.quarantine(path.as_ref()).expect("it is the push's");
    let read = repository.read_file(&commit, "toehold.toml", 1000, Some(&quarantine)).await;
    assert_eq!(read.expect("it can be read").as_deref(), Some("app = \"shop\"\n"));
    let info = repository.commit_info(&commit, Some(&quarantine)).await.expect("it can be read");
    assert_eq!(info.subject, "one");
    assert!(!repository.has(&commit).await.expect("git runs"));
    assert!(repository.read_file(&commit, "toehold.toml", 1000, None).await.is_err());

    write_hook(&stage.home(), "cat");
    fs::write(&gate, "let in\n").expect("the hook reads it");
    assert!(push.wait().expect("it ends").success());
    assert!(repository.has(&commit).await.expect("git runs"));
    let read = repository.read_file(&commit, "toehold.toml", 1000, None).await;
    assert!(read.expect("it can be read").is_some());
}

fn make_fifo(path: &std::path::Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(made.success());
}

#[tokio::test]
async fn only_a_folder_of_a_push_is_quarantine() {
    let stage = Stage::new().await;
    let objects = stage.repository.path().join("objects");
    let good = objects.join("tmp_objdir-incoming-abc123");
    fs::create_dir_all(&good).expect("it can be made");
    fs::create_dir_all(stage.path().join("tmp_objdir-x")).expect("it can be made");
    std::os::unix::fs::symlink(stage.path(), objects.join("tmp_objdir-link")).expect("it can");
    assert!(stage.repository.quarantine(&good).is_ok());
    for bad in [
        objects.clone(),
        objects.join("pack"),
        objects.join("tmp_objdir-link"),
        objects.join("tmp_objdir-absent"),
        stage.path().join("tmp_objdir-x"),
        good.join(".."),
        "/".into(),
    ] {
        assert!(stage.repository.quarantine(&bad).is_err(), "{}", bad.display());
    }
}

#[tokio::test]
async fn branches_of_any_name_git_allows_are_found() {
    let stage = Stage::new().await;
    let commit = stage.commit("one");
    for name in ["$(touch pwned)", "a'b\"c;d", "feature/ümlaut", "@", "HEAD", "refs/heads/x"] {
        let Ok(branch) = name.replace(' ', "_").parse::<BranchName>() else { continue };
        let spec = format!("main:refs/heads/{branch}");
        let pushed = stage.push(&[&spec]);
        assert!(pushed.status.success(), "{branch}: {}", said(&pushed));
        let head = stage.repository.head(&branch).await.expect("git runs");
        assert_eq!(head.as_ref(), Some(&commit), "{branch}");
    }
    let absent: BranchName = "absent".parse().expect("it is a branch");
    assert_eq!(stage.repository.head(&absent).await.expect("git runs"), None);
    stage.assert_unharmed();
}

#[tokio::test]
async fn nobodys_own_hooks_path_keeps_ours_from_running() {
    let stage = Stage::new().await;
    stage.commit("one");
    let config = stage.path().join("gitconfig");
    fs::write(&config, "[core]\n\thooksPath = /nowhere\n").expect("it can be written");
    let pushed = git_command(&stage.work())
        .env("GIT_CONFIG_GLOBAL", &config)
        .arg("push")
        .arg(stage.repository.path())
        .arg("main")
        .output()
        .expect("git can be run");
    assert!(pushed.status.success(), "{}", said(&pushed));
    assert!(stage.record("post-receive").contains("refs/heads/main"));
}

#[tokio::test]
async fn the_hooks_follow_a_program_that_moved() {
    let stage = Stage::new().await;
    let commit = stage.commit("one");
    let home = stage.home();
    fs::rename(home.join("toe 'hold"), home.join("moved")).expect("it can be moved");
    let pushed = stage.push(&["main"]);
    assert!(!pushed.status.success());
    assert!(said(&pushed).contains("is not there any more"), "{}", said(&pushed));

    let mut command = hook_command(&home);
    command.toehold = home.join("moved");
    fs::write(stage.repository.path().join("config"), "[core]\n\tbare = true\n").expect("it can");
    Repository::create(&home, &app(), &command).await.expect("it is brought up to date");
    let pushed = stage.push(&["--push-option=x", "main"]);
    assert!(pushed.status.success(), "{}", said(&pushed));
    Repository::create(&home, &app(), &command).await.expect("it is brought up to date");
    let repository = Repository::open(&home, &app()).expect("it is there");
    assert!(repository.has(&commit).await.expect("git runs"));
    let other = "other".parse().expect("it is a name");
    assert!(Repository::open(&home, &other).is_err());
}

#[tokio::test]
async fn a_commit_that_is_kept_survives_force_pushes_and_clean_ups() {
    let stage = Stage::new().await;
    let old = stage.commit("one");
    stage.push(&["main"]);
    stage.repository.keep(&old).await.expect("it is here");
    // As `toehold deploy` sends it.
    let sent = format!("{old}:refs/toehold/deploys/{old}");
    assert!(stage.push(&[&sent]).status.success());
    git(&stage.work(), &["commit", "--amend", "--allow-empty", "--quiet", "-m", "another"]);
    let pushed = stage.push(&["--force", "main"]);
    assert!(pushed.status.success(), "{}", said(&pushed));
    let clean = || {
        let path = stage.repository.path();
        git(path, &["reflog", "expire", "--expire=now", "--all"]);
        git(path, &["gc", "--quiet", "--prune=now"]);
    };
    clean();
    assert!(stage.repository.has(&old).await.expect("git runs"));
    stage.repository.forget(&old).await.expect("it was kept");
    stage.repository.forget(&old).await.expect("nothing is left to do");
    clean();
    assert!(!stage.repository.has(&old).await.expect("git runs"));
    assert!(stage.repository.keep(&old).await.is_err());
}

#[tokio::test]
async fn a_deleted_branch_and_a_tag_are_told_apart() {
    let stage = Stage::new().await;
    let commit = stage.commit("one");
    git(&stage.work(), &["tag", "-a", "v1", "-m", "first"]);
    stage.push(&["main", "main:side", "v1"]);
    let seen = |stage: &Stage| {
        let record = stage.record("post-receive");
        let lines: Vec<&str> = record.lines().filter(|it| it.contains(" refs/")).collect();
        update::parse(lines.join("\n").as_bytes()).expect("they are updates")
    };
    assert!(seen(&stage).contains(&RefUpdate::Tag { name: "v1".into() }));
    stage.push(&["--delete", "side"]);
    let branch = "side".parse().expect("it is a branch");
    assert_eq!(seen(&stage), [RefUpdate::BranchDeleted { branch, old: commit }]);
}

#[tokio::test]
async fn a_broken_object_is_refused() {
    let stage = Stage::new().await;
    let tree = git(&stage.work(), &["mktree"]);
    let mut child = git_command(&stage.work())
        .args(["hash-object", "-t", "commit", "-w", "--literally", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git can be run");
    let text = format!("tree {}\nauthor nobody\ncommitter nobody\n\nx\n", tree.trim());
    let mut stdin = child.stdin.take().expect("it has an input");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let object = child.wait_with_output().expect("it ends").stdout;
    let object = String::from_utf8_lossy(&object);
    let pushed = stage.push(&[&format!("{}:refs/heads/main", object.trim())]);
    assert!(!pushed.status.success(), "{}", said(&pushed));
    assert_eq!(stage.record("post-receive"), "");
}
