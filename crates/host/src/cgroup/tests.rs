use std::process::Stdio;
use std::time::Instant;

use tokio::process::Child;

use super::*;
use crate::process::{Launch, Marker, Tree};

const ROOMY: Limits = Limits { cpus: 1.0, memory_bytes: Some(256 << 20), pids: Some(64) };

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "it never became so that {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Where a machine gives us no groups, there is nothing to see: the tree tests hold without.
fn group(name: &str, limits: &Limits) -> Option<Cgroup> {
    Cgroup::create(&format!("test-{}-{name}", std::process::id()), limits)
}

fn start(group: &Cgroup, name: &str, script: &str) -> (Tree, Child) {
    let launch = Launch {
        argv: ["/bin/sh", "-c", script].map(Into::into).to_vec(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        dir: "/".into(),
        stdout: Stdio::null(),
        stderr: Stdio::null(),
        marker: Marker {
            name: "TOEHOLD_TEST".into(),
            value: format!("{name}-{}", std::process::id()),
        },
        nice: 0,
        cgroup: Some(group.clone()),
    };
    launch.start().expect("it starts")
}

/// The groups of every version this machine lets us have.
fn groups(name: &str) -> Vec<Cgroup> {
    let name = format!("test-{}-{name}", std::process::id());
    let found = find();
    let old = Cgroup::legacy(&found.legacy, &name);
    let new = found.unified.and_then(|base| Cgroup::unified(&base, &name));
    old.into_iter().chain(new).collect()
}

#[tokio::test]
async fn a_group_holds_counts_and_ends_what_is_in_it() {
    for group in groups("holds") {
        group.limit(&ROOMY);
        let script = "sleep 600 & while :; do x=$((x+1)); done";
        let (tree, mut child) = start(&group, "holds", script);
        eventually("it used CPU", || group.cpu_us().is_none_or(|us| us > 50_000)).await;
        eventually("it used memory", || group.memory_bytes().is_none_or(|bytes| bytes > 0)).await;
        assert_eq!(group.pids().len(), 2, "what it began is in it too");
        tree.kill().await.expect("all end");
        child.wait().await.expect("it ended");
        assert!(group.pids().is_empty());
        group.remove().await.expect("an empty group goes away");
    }
}

#[tokio::test]
async fn who_takes_more_memory_than_allowed_is_ended_and_that_is_counted() {
    let Some(group) = group("oom", &Limits { memory_bytes: Some(24 << 20), ..ROOMY }) else {
        return;
    };
    if !group.limits_memory() {
        return;
    }
    let (_tree, mut child) = start(&group, "oom", "x=a; while :; do x=$x$x; done");
    let ended = child.wait().await.expect("it ended");
    assert!(!ended.success());
    assert_eq!(group.oom_kills(), Some(1));
    group.remove().await.expect("an empty group goes away");
}

#[test]
fn a_name_that_would_lead_elsewhere_is_no_group() {
    for bad in ["", ".", "..", "a/b", "../x", "a b"] {
        assert_eq!(Cgroup::create(bad, &ROOMY), None, "{bad:?}");
    }
}
