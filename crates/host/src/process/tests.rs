use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::cgroup::{Cgroup, Limits};
use crate::process::{Launch, Marker, Tree, gone, is_alive, marked, program, run_id};

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "it never became so that {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn sh(name: &str, script: &str) -> Launch {
    Launch {
        argv: vec!["sh".into(), "-c".into(), script.into()],
        env: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())],
        dir: std::env::temp_dir(),
        stdout: Stdio::null(),
        stderr: Stdio::null(),
        marker: Marker {
            name: "TOEHOLD_TEST".into(),
            value: format!("{name}-{}", std::process::id()),
        },
        nice: 0,
        cgroup: None,
    }
}

#[tokio::test]
async fn a_tree_leads_a_session_of_its_own_and_is_found_by_its_mark() {
    let (tree, mut child) = sh("mark", "sleep 600; true").start().expect("it starts");
    let leader = tree.leader();
    assert_eq!(child.id(), Some(leader.pid));
    eventually("it leads its session", || {
        crate::process::stat(leader.pid).is_some_and(|it| it.session == leader.pid)
    })
    .await;
    eventually("its child is there", || tree.stats().len() == 2).await;
    let value = format!("mark-{}", std::process::id());
    assert!(marked("TOEHOLD_TEST").contains(&(leader, value)));
    tree.end(Duration::from_secs(5)).await.expect("it ends");
    assert!(!is_alive(leader), "a zombie was taken for alive");
    child.wait().await.expect("it ended");
}

#[tokio::test]
async fn who_left_group_session_and_parent_is_still_of_the_tree() {
    let away = "setsid sh -c 'setsid sleep 600 & exit' & wait; sleep 600";
    let (tree, mut child) = sh("away", away).start().expect("it starts");
    eventually("the orphan and the two others are there", || {
        tree.pids().len() == 2 && tree.stats().len() == 1 || tree.pids().len() == 3
    })
    .await;
    tree.end(Duration::from_millis(100)).await.expect("all end");
    assert_eq!(tree.pids(), Vec::<u32>::new());
    child.wait().await.expect("it ended");
}

#[tokio::test]
async fn a_tree_whose_leader_has_gone_is_still_ended() {
    let (tree, mut child) = sh("orphan", "sleep 600 & exit 3").start().expect("it starts");
    assert_eq!(child.wait().await.expect("it ended").code(), Some(3));
    assert_eq!(tree.stats().len(), 1, "the group outlives its leader");
    tree.kill().await.expect("all end");
    assert!(tree.pids().is_empty());
}

#[tokio::test]
async fn one_that_ignores_sigterm_is_killed() {
    let deaf = "trap '' TERM; echo; while :; do sleep 1; done";
    let (tree, mut child) = sh("deaf", deaf).start().expect("it starts");
    eventually("it sleeps", || tree.stats().len() == 2).await;
    tree.end(Duration::from_millis(50)).await.expect("it ends");
    assert_eq!(child.wait().await.expect("it ended").signal(), Some(9));
}

/// Each process starts another in a session of its own and ends: none stays long enough to be
/// caught by its id.
fn storm(name: &str) -> Launch {
    let script = "sleep 0.02; setsid sh -c \"$SCRIPT\" &";
    let mut launch = sh(name, "for i in 1 2 3; do setsid sh -c \"$SCRIPT\" & done; sleep 0.1");
    launch.env.push(("SCRIPT".into(), script.into()));
    launch
}

#[tokio::test]
async fn a_storm_of_forks_ends() {
    let (tree, mut child) = storm("storm").start().expect("it starts");
    child.wait().await.expect("it ended");
    eventually("it storms", || tree.pids().len() > 1).await;
    tree.kill().await.expect("all end");
    assert!(tree.pids().is_empty());
}

#[tokio::test]
async fn a_storm_in_a_cgroup_ends_and_the_group_goes_away() {
    let name = format!("test-{}-storm", std::process::id());
    let limits = Limits { cpus: 1.0, memory_bytes: None, pids: Some(200) };
    let mut launch = storm("grouped");
    launch.cgroup = Cgroup::create(&name, &limits);
    let (tree, mut child) = launch.start().expect("it starts");
    child.wait().await.expect("it ended");
    eventually("it storms", || tree.pids().len() > 1).await;
    tree.kill().await.expect("all end");
    if let Some(group) = tree.cgroup() {
        group.remove().await.expect("an empty group goes away");
    }
}

#[tokio::test]
async fn the_end_of_a_process_that_is_not_ours_is_noticed() {
    let (tree, mut child) = sh("parent", "sleep 600 & echo; wait").start().expect("it starts");
    eventually("the grandchild is there", || tree.stats().len() == 2).await;
    let grandchild = tree
        .stats()
        .into_iter()
        .map(|it| it.run)
        .find(|run| *run != tree.leader())
        .expect("two processes");
    let watched = tokio::spawn(gone(grandchild));
    assert!(run_id(grandchild.pid).is_some());
    tree.kill().await.expect("all end");
    tokio::time::timeout(Duration::from_secs(5), watched)
        .await
        .expect("noticed")
        .expect("no panic");
    child.wait().await.expect("it ended");
}

#[tokio::test]
async fn what_cannot_be_started_is_named() {
    let mut launch = sh("absent", "true");
    launch.dir = "/nonexistent/folder".into();
    let said = launch.start().expect_err("no such folder").to_string();
    assert!(said.contains("/nonexistent/folder"), "{said}");
    let nothing = Launch { argv: Vec::new(), ..sh("empty", "true") };
    assert!(nothing.start().is_err());
}

#[test]
fn a_tree_never_holds_this_process() {
    let us = run_id(std::process::id()).expect("we live");
    let marker = Marker { name: "TOEHOLD_TEST".into(), value: "us".into() };
    assert!(!Tree::new(us, marker, None).pids().contains(&us.pid));
}

#[test]
fn a_program_is_the_first_that_can_be_run() {
    let folders = tempfile::tempdir().expect("a folder");
    let (one, other) = (folders.path().join("one"), folders.path().join("other"));
    for folder in [&one, &other] {
        std::fs::create_dir(folder).expect("a folder");
        std::fs::write(folder.join("tool"), "#!/bin/sh\n").expect("it is written");
    }
    let path = std::env::join_paths([&folders.path().join("none"), &one, &other]).expect("a path");
    assert_eq!(program("tool", &path), None, "neither can be run");
    let runs = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(other.join("tool"), runs).expect("it is set");
    assert_eq!(program("tool", &path), Some(other.join("tool")));
    assert_eq!(program("tool", std::ffi::OsStr::new("")), None);
}
