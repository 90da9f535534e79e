//! Builds that hang, storm, hide, flood and lead astray: each ends with its reason, and nothing of
//! it is left.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use toehold_core::model::StepKind;
use toehold_server::builder::{Ending, build, sweep};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::stage::{Stage, is_marked, processes, toml, until};

/// A command whose processes can be told from all others.
fn sleeping(mark: u32) -> String {
    format!("sleep {mark}")
}

#[tokio::test]
async fn a_step_that_says_nothing_is_ended() {
    let test = format!("echo Started; {}", sleeping(8_100_001));
    let mut stage = Stage::with(&[(
        "toehold.toml",
        &toml(&format!("idle_timeout = \"400ms\"\ntest = \"{test}\"")),
    )]);
    let failure = stage.fails().await;
    assert!(failure.what.ends_with("said nothing for 400ms and was killed"), "{}", failure.what);
    assert_eq!(failure.tail, ["Started"]);
    assert_eq!(processes("8100001"), 0);
}

#[tokio::test]
async fn a_step_that_goes_on_for_ever_is_ended() {
    let mut stage = Stage::with(&[(
        "toehold.toml",
        &toml("timeout = \"700ms\"\ntest = \"while true; do echo on; sleep 0.05; done\""),
    )]);
    let failure = stage.fails().await;
    assert_eq!(failure.exit, "timed out after 700ms");
    assert!(failure.hint.contains("timeout"));
}

#[tokio::test]
async fn a_cancelled_build_is_gone_within_seconds_whatever_it_ignores() {
    // One that ignores SIGTERM, in a session of its own, with a child of its own.
    let command = "trap '' TERM INT HUP; setsid sh -c \\\"trap '' TERM; sleep 8100002; sleep 8100002\\\" & \
                   sleep 8100002; sleep 8100002";
    let mut stage = Stage::with(&[("toehold.toml", &toml(&format!("test = \"{command}\"")))]);
    let commit = stage.commit();
    let order = stage.order(commit);
    let cancel = CancellationToken::new();
    let (progress, _seen) = mpsc::channel(64);
    let task = tokio::spawn(build(order, progress, cancel.clone()));
    until("both sleep", || processes("sleep\08100002") >= 2).await;
    let began = Instant::now();
    cancel.cancel();
    assert_eq!(task.await.expect("it ends"), Ending::Cancelled);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(processes("8100002"), 0);
    assert!(stage.log().ends_with("-- cancelled\n"), "{}", stage.log());
}

#[tokio::test]
async fn a_build_whose_task_is_dropped_leaves_nothing_running() {
    let mut stage = Stage::with(&[("toehold.toml", &toml("test = \"sleep 8100003\""))]);
    let commit = stage.commit();
    let order = stage.order(commit);
    let (progress, _seen) = mpsc::channel(64);
    let task = tokio::spawn(build(order, progress, CancellationToken::new()));
    until("it sleeps", || processes("sleep\08100003") == 1).await;
    let marker = fs::read_to_string(stage.dirs.work.join("shop.1/marker")).expect("its mark");
    task.abort();
    until("it is gone", || processes("8100003") == 0).await;
    until("its cgroup is gone", || groups(&marker) == 0).await;
}

/// How many cgroups have this in their names.
fn groups(needle: &str) -> usize {
    let walk = walkdir::WalkDir::new("/sys/fs/cgroup").max_depth(8).into_iter();
    walk.flatten().filter(|it| it.file_name().to_string_lossy().contains(needle)).count()
}

#[tokio::test]
async fn what_an_interrupted_toehold_left_is_swept_away() {
    let stage = Stage::new();
    let left = stage.dirs.work.join("shop.7");
    fs::create_dir_all(left.join("checkout/secret")).expect("a folder");
    fs::write(left.join("marker"), "f00d").expect("a file");
    let mut stray = Command::new("sleep")
        .arg("8100004")
        .env("TOEHOLD_STEP", "f00d")
        .spawn()
        .expect("it starts");
    until("it is there", || is_marked("f00d")).await;
    sweep(&stage.dirs).await.expect("it is swept");
    assert!(!is_marked("f00d"));
    assert!(!left.exists());
    let _ = stray.wait();
}

#[tokio::test]
async fn a_storm_of_forks_is_ended_with_that_reason() {
    let mut stage = Stage::with(&[
        // Bounded at some thousand processes: one that escaped must not take the machine with it.
        (
            "storm.sh",
            "storm() { [ $1 -gt 10 ] || { storm $(($1 + 1)) | storm $(($1 + 1)) & }; sleep 8100005; }\nstorm 0\n",
        ),
        ("toehold.toml", &toml("test = \"sh storm.sh\"")),
    ]);
    stage.limits.processes = 100;
    let failure = stage.fails().await;
    assert_eq!(failure.step, StepKind::Test);
    assert!(
        failure.exit.starts_with("stopped: it had more than 100 processes"),
        "{}",
        failure.exit
    );
    assert_eq!(processes("storm.sh"), 0);
}

#[tokio::test]
async fn a_step_that_eats_memory_is_ended_with_that_reason() {
    let eat = "const all = []; setInterval(() => all.push(Buffer.alloc(30 << 20, 1)), 20)";
    let mut stage =
        Stage::with(&[("eat.js", eat), ("toehold.toml", &toml("test = \"node eat.js\""))]);
    stage.limits.memory_bytes = Some(200 << 20);
    let failure = stage.fails().await;
    assert_eq!(failure.exit, "stopped: it used more than 200.0 MiB of memory");
}

#[tokio::test]
async fn a_daemon_left_behind_ends_with_its_step() {
    let test = "(setsid sh -c 'sleep 8100006' >/dev/null 2>&1 &) ; sleep 8100006 & exit 0";
    let mut stage = Stage::with(&[("toehold.toml", &toml(&format!("test = \"{test}\"")))]);
    let began = Instant::now();
    stage.passes().await;
    assert_eq!(processes("8100006"), 0);
    assert!(began.elapsed() < Duration::from_secs(20), "nobody waited for the pipe");
}

#[tokio::test]
async fn a_flood_of_output_is_counted_and_its_end_kept() {
    let flood = "const line = 'x'.repeat(1 << 20); let n = 0;\
                 (function more() { if (n++ < 100) process.stdout.write(line, more);\
                 else console.log('\\nthe end'); })()";
    let mut stage =
        Stage::with(&[("flood.js", flood), ("toehold.toml", &toml("test = \"node flood.js\""))]);
    stage.limits.log_bytes = 1 << 20;
    stage.passes().await;
    let log = stage.log();
    assert!(log.len() < (1 << 20) + 10_000, "{}", log.len());
    assert!(log.contains(" more bytes were printed and not kept\n"));
}

#[tokio::test]
async fn a_step_killed_by_a_signal_says_which() {
    let mut stage = Stage::with(&[("toehold.toml", &toml("test = \"kill -SEGV $$\""))]);
    assert_eq!(stage.fails().await.exit, "killed by SIGSEGV");
}

#[tokio::test]
async fn a_secret_that_is_printed_cannot_be_read() {
    let mut stage = Stage::with(&[(
        "toehold.toml",
        &toml(
            "test = \"for n in 1 2 3; do printf hunter2-; sleep 0.05; printf '%s\\\\n' hunter2; done; exit 1\"",
        ),
    )]);
    stage.secrets = vec![("PASSWORD".to_owned(), "hunter2-hunter2".to_owned())];
    let failure = stage.fails().await;
    assert_eq!(failure.tail, ["***", "***", "***"]);
    assert!(!stage.log().contains("hunter2-hunter2"), "{}", stage.log());
}

#[tokio::test]
async fn a_link_out_of_the_repository_is_refused_by_name() {
    for target in ["/etc/passwd", "../../../secret", "inner/../../../x"] {
        let mut stage = Stage::with(&[("main.js", ""), ("inner/a", "")]);
        stage.put("toehold.toml", &toml(""));
        std::os::unix::fs::symlink(target, stage.source().join("evil")).expect("a link");
        let failure = stage.fails().await;
        assert_eq!(failure.step, StepKind::Artifact);
        let what = format!("evil is a link to {target}, outside the checkout");
        assert!(failure.what.contains(&what), "{}", failure.what);
    }
}

#[tokio::test]
async fn a_detour_out_of_the_repository_is_refused_too() {
    // By its letters, `a/b/up/../x` stays inside; by the links on the way, it does not.
    let mut stage = Stage::with(&[("a/b/c", ""), ("main.js", "")]);
    stage.put("toehold.toml", &toml(""));
    std::os::unix::fs::symlink("../..", stage.source().join("a/b/up")).expect("a link");
    std::os::unix::fs::symlink("a/b/up/../x", stage.source().join("evil")).expect("a link");
    assert!(stage.fails().await.what.contains("evil is a link to"));
    std::os::unix::fs::symlink("loop", stage.source().join("loop")).expect("a link");
    fs::remove_file(stage.source().join("evil")).expect("removed");
    assert!(stage.fails().await.what.contains("loop is a link that leads in a circle"));
}

#[tokio::test]
async fn a_configuration_that_is_a_link_is_not_followed() {
    let mut stage = Stage::with(&[("main.js", "")]);
    std::os::unix::fs::symlink("/etc/passwd", stage.source().join("toehold.toml")).expect("a link");
    let failure = stage.fails().await;
    assert!(failure.what.contains("it is a link or a folder"), "{}", failure.what);
}

#[tokio::test]
async fn a_submodule_is_not_fetched_and_that_is_said() {
    let mut stage = Stage::with(&[("main.js", ""), ("toehold.toml", &toml(""))]);
    let commit = stage.commit();
    let entry = format!("160000,{commit},vendor/lib");
    stage.put(
        ".gitmodules",
        "[submodule \"x\"]\npath = vendor/lib\nurl = ext::sh -c 'touch /tmp/toehold-owned'\n",
    );
    stage.git(&["update-index", "--add", "--cacheinfo", &entry]);
    stage.git(&["commit", "--quiet", "--message", "a submodule"]);
    let order = stage.order(stage.git(&["rev-parse", "HEAD"]).parse().expect("a commit"));
    let (progress, _seen) = mpsc::channel(64);
    let ending = build(order, progress, CancellationToken::new()).await;
    assert!(matches!(ending, Ending::Passed { .. }), "{ending:?}");
    assert!(stage.log().contains("warning: vendor/lib is a submodule"), "{}", stage.log());
}

#[tokio::test]
async fn nothing_in_a_repository_is_obeyed() {
    let mut stage = Stage::with(&[
        ("main.js", "x\n"),
        (".gitattributes", "*.js filter=evil diff=evil\n"),
        ("toehold.toml", &toml("")),
    ]);
    let owned = stage.dir.path().join("owned");
    let touch = format!("touch {}", owned.display());
    let commit = stage.commit();
    let hook = stage.repository().join("hooks/post-checkout");
    crate::stage::executable(&hook, &format!("#!/bin/sh\n{touch}\n"));
    stage.git(&["config", "core.fsmonitor", &touch]);
    stage.git(&["config", "core.sshCommand", &touch]);
    let order = stage.order(commit);
    let (progress, _seen) = mpsc::channel(64);
    let ending = build(order, progress, CancellationToken::new()).await;
    assert!(matches!(ending, Ending::Passed { .. }), "{ending:?}");
    assert!(!owned.exists());
}

#[tokio::test]
async fn a_full_disk_is_told_before_it_is_full() {
    let mut stage = Stage::with(&[("main.js", ""), ("toehold.toml", &toml(""))]);
    stage.limits.free_bytes = 1 << 60;
    let failure = stage.fails().await;
    assert!(
        failure.what.starts_with("a clean checkout needs 1073741824.0 GiB in "),
        "{}",
        failure.what
    );
    assert!(failure.what.contains("are free: make room"), "{}", failure.what);
}

#[tokio::test]
async fn a_commit_that_is_too_large_names_its_largest_file() {
    let mut stage = Stage::with(&[("main.js", ""), ("toehold.toml", &toml(""))]);
    stage.put("video.bin", &"x".repeat(2 << 20));
    stage.limits.checkout_bytes = 1 << 20;
    let failure = stage.fails().await;
    assert!(failure.what.contains("(the largest is video.bin)"), "{}", failure.what);
}

#[tokio::test]
async fn folders_that_were_locked_are_removed_all_the_same() {
    let mut stage = Stage::with(&[(
        "toehold.toml",
        &toml("test = \"mkdir -p a/b; touch a/b/c; chmod 000 a/b a; false\""),
    )]);
    stage.fails().await;
}

/// Whether the kernel can hold a fence at all.
fn can_fence() -> bool {
    fs::read_to_string("/sys/kernel/security/lsm").is_ok_and(|list| list.contains("landlock"))
        || Command::new("dmesg").output().is_ok_and(|it| {
            String::from_utf8_lossy(&it.stdout).contains("landlock: Up and running")
        })
}

#[tokio::test]
async fn a_step_that_writes_into_its_parents_folders_is_refused() {
    if !can_fence() {
        return;
    }
    for place in ["../evil", "../../evil", "../../../logs/shop/1.log"] {
        let test = format!("echo x > here && echo x > {place}");
        let mut stage = Stage::with(&[("toehold.toml", &toml(&format!("test = \"{test}\"")))]);
        let failure = stage.fails().await;
        assert_eq!(failure.step, StepKind::Test, "{}", failure.what);
        assert!(stage.log().contains("ermission denied"), "{}", stage.log());
        assert!(!stage.log().contains("x\nx\n"));
    }
    let mut stage = Stage::with(&[("toehold.toml", &toml("test = \"echo x > ../evil\""))]);
    stage.limits.fenced = false;
    stage.passes().await;
}

#[tokio::test]
async fn a_step_cannot_end_processes_that_are_not_its_own() {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("there is a kernel");
    let mut numbers = release.split('.').map(|part| part.parse().unwrap_or(0));
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if !can_fence() || version < (6, 12) {
        return;
    }
    let mut other = Command::new("sleep").arg("8100007").spawn().expect("it starts");
    let test = format!("sleep 8100008 & kill $! && kill -9 {}", other.id());
    let mut stage = Stage::with(&[("toehold.toml", &toml(&format!("test = \"{test}\"")))]);
    stage.fails().await;
    assert!(other.try_wait().expect("it is ours").is_none(), "it was killed");
    other.kill().expect("it is ours");
    other.wait().expect("it is ours");
}

#[tokio::test]
async fn a_step_can_move_files_between_its_own_folders() {
    let test = "mkdir a b; echo x > a/f; mv a/f b/f; ln b/f a/g; echo y > $TMPDIR/t; mv $TMPDIR/t a/t; \
                echo z > $HOME/h; mv $HOME/h a/h; echo w > /dev/null; cat a/t a/h";
    let mut stage = Stage::with(&[("toehold.toml", &toml(&format!("test = \"{test}\"")))]);
    stage.passes().await;
    assert!(stage.log().contains("\ny\nz\n"), "{}", stage.log());
}
