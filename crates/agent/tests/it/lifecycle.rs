use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use toehold_agent::{AgentError, Ending};
use toehold_core::model::{Goal, InstancePhase, InstanceStatus};
use toehold_core::time::Timestamp;
use toehold_host::process::run_id;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::{Stage, alive};

/// What an instance answers to a request.
pub(crate) async fn get(status: &InstanceStatus, path: &str) -> String {
    let mut stream = TcpStream::connect(status.addr.expect("it has one")).await.expect("connects");
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("asked");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

/// Returns once the process is gone.
pub(crate) async fn kill(status: &InstanceStatus) {
    let run = status.run.expect("it runs");
    let pid = i32::try_from(run.pid).expect("a process id");
    kill_process(Pid::from_raw(pid).expect("a process id"), Signal::KILL).expect("it was there");
    toehold_host::process::gone(run).await;
}

#[tokio::test]
async fn an_instance_is_started_serves_and_is_stopped() {
    let mut stage = Stage::new().await;
    let mut placed = stage.server("shop/web.1");
    placed.env.insert("GREETING".into(), "hello".into());
    stage.place(&[&placed]);
    let status = stage.healthy(&placed).await;
    assert_eq!(status.phase, InstancePhase::Running);
    assert!(status.started_at <= status.healthy_since && status.started_at.is_some());
    let evidence = status.evidence.clone().expect("it was probed");
    assert_eq!((evidence.answer.as_str(), evidence.passed), ("200", true));
    let answer = get(&status, "/").await;
    assert!(answer.contains(r#""release":"42","instance":"shop/web.1""#), "{answer}");
    placed.goal = Goal::Stop;
    stage.place(&[&placed]);
    let ended = stage.stopped(&placed).await;
    assert_eq!((ended.run, ended.healthy), (None, false));
    assert!(!alive(&status));
    stage.place(&[]);
    stage.report("it is forgotten", |it| it.instances.is_empty()).await;
}

#[tokio::test]
async fn one_that_is_not_placed_any_more_is_stopped_said_and_forgotten() {
    let mut stage = Stage::new().await;
    let (one, two) = (stage.server("shop/web.1"), stage.server("shop/web.2"));
    stage.place(&[&one, &two]);
    let first = stage.healthy(&one).await;
    let second = stage.healthy(&two).await;
    assert_ne!(first.addr, second.addr);
    stage.place(&[&two]);
    stage.stopped(&one).await;
    stage.report("it is forgotten", |it| it.instances.len() == 1).await;
    assert!(!alive(&first) && alive(&second));
}

#[tokio::test]
async fn the_dead_are_started_again_on_the_same_port_each_time_later() {
    let mut stage = Stage::new().await;
    let placed = stage.server("shop/web.1");
    stage.place(&[&placed]);
    let first = stage.healthy(&placed).await;
    get(&first, "/exit").await;
    let dead = stage.status(&placed.id, "it rests", |it| it.restarts == 1).await;
    assert_eq!(dead.last_exit.expect("it ended").how, "exit code 7");
    let second = stage.status(&placed.id, "it is back", |it| it.healthy && it.restarts == 1).await;
    assert_eq!(first.addr, second.addr);
    assert_ne!(first.run, second.run);
    kill(&second).await;
    let dead = stage.status(&placed.id, "it rests", |it| it.restarts == 2).await;
    assert_eq!(dead.last_exit.expect("it ended").how, "killed by SIGKILL");
    assert!(matches!(dead.phase, InstancePhase::Backoff { .. }), "{:?}", dead.phase);
    stage.status(&placed.id, "it is back", |it| it.healthy && it.restarts == 2).await;
}

#[tokio::test]
async fn one_that_ignores_sigterm_is_killed_after_its_grace() {
    let mut stage = Stage::new().await;
    let mut placed = stage.server("shop/web.1");
    placed.env.insert("MODE".into(), "deaf".into());
    placed.grace = Duration::from_millis(300);
    stage.place(&[&placed]);
    stage.healthy(&placed).await;
    placed.goal = Goal::Stop;
    stage.place(&[&placed]);
    let ended = stage.stopped(&placed).await;
    assert_eq!(ended.last_exit.expect("it ended").how, "killed by SIGKILL");
    assert!(stage.whole_log(&placed).await.contains("deaf to SIGTERM"));
}

#[tokio::test]
async fn one_that_is_drained_runs_on_and_is_not_started_again() {
    let mut stage = Stage::new().await;
    let mut placed = stage.server("shop/web.1");
    stage.place(&[&placed]);
    let before = stage.healthy(&placed).await;
    placed.goal = Goal::Drain { until: Timestamp::from_ms(0) };
    stage.place(&[&placed]);
    let during = stage.healthy(&placed).await;
    assert_eq!(before.run, during.run);
    kill(&during).await;
    let ended = stage.stopped(&placed).await;
    assert_eq!(ended.restarts, 0);
}

#[tokio::test]
async fn all_that_an_instance_began_ends_with_it() {
    let mut stage = Stage::new().await;
    let script = "setsid sleep 600 & env -i setsid /bin/sleep 600 & sleep 600";
    let mut placed = stage.shell("shop/web.1", script);
    stage.place(&[&placed]);
    stage.healthy(&placed).await;
    stage.eventually("all are there", || stage.processes().len() >= 3).await;
    placed.goal = Goal::Stop;
    stage.place(&[&placed]);
    stage.stopped(&placed).await;
    assert_eq!(stage.processes(), Vec::new());
}

#[tokio::test]
async fn children_that_outlive_their_parent_go_before_it_is_started_again() {
    let mut stage = Stage::new().await;
    let once = "test -e \"$TOEHOLD_DATA/child\" && exec sleep 600; \
                setsid sleep 601 & echo $! > \"$TOEHOLD_DATA/child\"; exit 3";
    let placed = stage.shell("shop/web.1", once);
    stage.place(&[&placed]);
    let back = |it: &InstanceStatus| it.restarts == 1 && it.healthy;
    stage.status(&placed.id, "it is back", back).await;
    // By its id: a process that becomes another program has no mark to be found by for a moment.
    let child = fs::read_to_string(stage.path("data/child")).expect("it was begun");
    let child = child.trim().parse().expect("an id");
    assert_eq!(run_id(child), None, "the child of the first is still there");
}

#[tokio::test]
async fn the_release_command_runs_once_before_the_first() {
    let mut stage = Stage::new().await;
    let mut one = stage.shell("shop/web.1", "cat \"$TOEHOLD_DATA/migrated\"; sleep 600");
    one.release_command = Some("echo ran >> \"$TOEHOLD_DATA/migrated\"; echo migrating".into());
    let two = toehold_core::wire::agent::Placed {
        id: "shop/web.2".parse().expect("an instance"),
        ..one.clone()
    };
    stage.place(&[&one, &two]);
    stage.healthy(&one).await;
    stage.healthy(&two).await;
    let path = stage.path("data/migrated");
    assert_eq!(fs::read_to_string(path).expect("it ran"), "ran\n");
    let logs = stage.whole_log(&one).await + &stage.whole_log(&two).await;
    assert_eq!(logs.matches("migrating").count(), 1, "{logs}");
}

#[tokio::test]
async fn a_release_command_that_fails_starts_nothing() {
    let mut stage = Stage::new().await;
    let mut placed = stage.shell("shop/web.1", "sleep 600");
    placed.release_command = Some("echo no such table, says $KEY >&2; exit 3".into());
    placed.env.insert("KEY".into(), "correct-horse".into());
    placed.secrets.insert("KEY".into());
    stage.place(&[&placed]);
    let why = stage.failed(&placed).await;
    assert!(why.contains("says ***") && !why.contains("correct-horse"), "{why}");
    assert!(why.contains("exit code 3") && why.contains("no such table"), "{why}");
    assert_eq!(stage.processes(), Vec::new());
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let mut stage = Stage::new().await;
    let mut placed = stage.shell("shop/web.1", "true");
    placed.command = "exec no-such-program".into();
    let mut changed = stage.shell("shop/web.2", "sleep 600");
    changed.artifact = toehold_core::model::Digest::of(b"something else");
    let mut absent = stage.shell("shop/web.3", "echo absent; sleep 600");
    absent.artifact_path = Some("/nowhere.tar.zst".into());
    absent.artifact = toehold_core::model::Digest::of(b"absent");
    stage.place(&[&placed, &changed, &absent]);
    let why = stage.failed(&placed).await;
    assert!(why.contains("no-such-program") && why.contains("127"), "{why}");
    let why = stage.failed(&changed).await;
    assert!(why.contains("damaged or changed"), "{why}");
    let why = stage.failed(&absent).await;
    assert!(why.contains("/nowhere.tar.zst"), "{why}");
}

#[tokio::test]
async fn a_folder_has_one_agent() {
    let mut stage = Stage::new().await;
    let settings = toehold_agent::Settings {
        dir: stage.agent_dir(),
        control: toehold_agent::ControlPlane::Here(stage.path("agent.sock")),
        machine: "here".parse().expect("a name"),
        version: String::new(),
    };
    let (_ending, end) = tokio::sync::watch::channel(None);
    let second = toehold_agent::run(settings, end).await.expect_err("the folder is taken");
    assert!(matches!(second, AgentError::Lock(_)));
    stage.end_agent(Ending::LeaveRunning);
}
