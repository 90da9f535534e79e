//! kill -9 of each part.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::stage::{Stage, get, until};

/// The process of a part below `toehold up`.
pub fn part(stage: &Stage, verb: &str) -> Option<u32> {
    let up = stage.pid();
    let children = std::fs::read_to_string(format!("/proc/{up}/task/{up}/children")).ok()?;
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(verb.as_bytes())
    })
}

/// Kills a process so that it can do nothing more.
pub fn kill(pid: u32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "{pid} could not be killed");
}

fn instances(status: &serde_json::Value) -> Vec<(String, u64)> {
    let list = status["instances"].as_array().cloned().unwrap_or_default();
    list.iter()
        .map(|it| {
            let id = it["instance"]["id"].as_str().unwrap_or_default().to_owned();
            (id, it["status"]["run"]["pid"].as_u64().unwrap_or(0))
        })
        .collect()
}

#[test]
fn each_part_comes_back_and_no_instance_dies() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    let before = instances(&app.status());
    let lost = visitors_during(&stage, || {
        for verb in ["serve", "agent"] {
            let died = until("it runs", || part(&stage, verb));
            kill(died);
            until("it is back", || part(&stage, verb).filter(|pid| *pid != died));
            until("it took up where it was", || {
                let output = app.toehold(&["--json", "status"]);
                let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
                (instances(&status[0]) == before).then_some(())
            });
        }
    });
    assert_eq!(lost, 0, "requests were lost");
    assert_eq!(instances(&app.status()), before, "no instance was started again");
}

#[test]
fn a_killed_proxy_refuses_no_connection() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    let died = until("it runs", || part(&stage, "proxy"));
    kill(died);
    // The supervisor holds the sockets: whoever connects now waits, and is answered.
    assert_eq!(app.visit(), (200, "v1\n".to_owned()));
    until("it is back", || part(&stage, "proxy").filter(|pid| *pid != died));
}

#[test]
fn a_killed_instance_is_started_again_and_no_get_is_lost() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    app.done(&["scale", "2"]);
    app.until_healthy(2);
    let victim = instances(&app.status())[0].1;
    let lost = visitors_during(&stage, || {
        kill(u32::try_from(victim).expect("a process id"));
        until("it was started again", || {
            let list = instances(&app.status());
            (list.len() == 2 && list.iter().all(|(_, pid)| *pid != 0 && *pid != victim))
                .then_some(())
        });
    });
    assert_eq!(lost, 0, "requests were lost");
}

/// How many requests went wrong while `deed` was done.
fn visitors_during(stage: &Stage, deed: impl FnOnce()) -> usize {
    let (done, lost) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let port = stage.port;
    let visitors: Vec<_> = (0..4)
        .map(|_| {
            let (done, lost) = (Arc::clone(&done), Arc::clone(&lost));
            std::thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    if get(port, "hello.localhost", "/").0 != 200 {
                        lost.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    deed();
    done.store(true, Ordering::Relaxed);
    for visitor in visitors {
        visitor.join().expect("a visitor does not panic");
    }
    lost.load(Ordering::Relaxed)
}

#[test]
fn who_watches_a_build_sees_its_end_over_a_death_of_the_control_plane() {
    let stage = Stage::new();
    let app = stage.app("hello");
    app.set("lint = \"true\"", "lint = \"sleep 2\"");
    app.commit("take your time");
    let seen = std::thread::scope(|scope| {
        let pusher = scope.spawn(|| app.push("main"));
        until("it is built", || (!app.events("build.started").is_empty()).then_some(()));
        kill(until("it runs", || part(&stage, "serve")));
        pusher.join().expect("it ends")
    });
    assert!(seen.contains("✓ start"), "{seen}");
    assert_eq!(app.visit(), (200, "v1\n".to_owned()));
}

#[test]
fn sigterm_leaves_the_apps_running_and_the_next_start_takes_them_up() {
    let mut stage = Stage::new();
    let app = stage.app("hello");
    app.push("main");
    let before = instances(&app.status());
    stage.restart(|| {
        for (id, pid) in &before {
            assert!(std::path::Path::new(&format!("/proc/{pid}")).exists(), "{id} died");
        }
    });
    until("it took them up", || {
        let output = stage.ask(&["--json", "status"]);
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        (instances(&status[0]) == before).then_some(())
    });
    assert_eq!(get(stage.port, "hello.localhost", "/"), (200, "v1\n".to_owned()));
}
