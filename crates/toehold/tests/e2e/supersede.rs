//! A newer push to the same track takes the place of an older one.

use crate::stage::{Stage, until};

/// How many processes have this text in their command line.
fn processes(text: &str) -> usize {
    let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
    entries
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(text))
        .count()
}

#[test]
fn a_newer_push_supersedes_a_build_that_runs_and_its_processes_are_gone() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    // A number nobody else sleeps for.
    app.set("install = \"true\"", "install = \"sleep 8100077\"");
    app.says("v2");
    let pusher = app.push_in_background("main");
    until("the old build runs", || (processes("sleep 8100077") > 0).then_some(()));
    app.set("install = \"sleep 8100077\"", "install = \"true\"");
    app.says("v3").push("main");
    until("its processes are gone", || (processes("sleep 8100077") == 0).then_some(()));
    app.until_heard("v3");
    until("that is said", || (app.events("build.superseded").len() == 1).then_some(()));
    drop(pusher);
}

#[test]
fn a_build_is_stopped_by_hand() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.set("install = \"true\"", "install = \"sleep 8100078\"");
    app.commit("hang");
    let pusher = app.push_in_background("main");
    until("it runs", || (processes("sleep 8100078") > 0).then_some(()));
    app.done(&["cancel"]);
    until("its processes are gone", || (processes("sleep 8100078") == 0).then_some(()));
    until("that is said", || (app.events("build.cancelled").len() == 1).then_some(()));
    drop(pusher);
}
