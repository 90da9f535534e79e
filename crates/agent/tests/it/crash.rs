//! An agent in a process of its own, killed wherever it happens to be.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use toehold_agent::{Ending, run};
use toehold_core::model::InstanceStatus;

use crate::stage::{Stage, settings};

/// Tells this executable, started by the test below, to be an agent.
const FOLDER: &str = "TOEHOLD_TEST_AGENT";

/// Not a situation: the agent of the test below.
#[tokio::test]
async fn agent_process() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (_ending, end) = tokio::sync::watch::channel(None);
    run(settings(&PathBuf::from(folder)), end).await.expect("it runs until it is killed");
}

fn agent(stage: &Stage) -> tokio::process::Child {
    let ours = std::env::current_exe().expect("it runs");
    tokio::process::Command::new(ours)
        .args(["--exact", "crash::agent_process"])
        .env(FOLDER, stage.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts")
}

#[tokio::test]
async fn killed_wherever_it_is_it_never_starts_one_twice_or_loses_one() {
    let mut stage = Stage::new().await;
    stage.end_agent(Ending::StopAll);
    let long = stage.shell("shop/web.1", "exec sleep 600");
    let short = stage.shell("shop/web.2", "exec sleep 0.02");
    stage.place(&[&long, &short]);
    for round in 0..24_u64 {
        let mut process = agent(&stage);
        // Whoever did not end by then is killed there: sooner in one round, later in another.
        let life = Duration::from_millis(20 + 7 * round);
        let lived = tokio::time::timeout(life, process.wait()).await;
        assert!(lived.is_err(), "the agent ended by itself: {lived:?}");
        process.start_kill().expect("it runs");
        process.wait().await.expect("it ended");
        let count = stage.processes().len();
        assert!(count <= 2, "{count} processes of two instances in round {round}");
    }
    stage.start_agent();
    let run = stage.healthy(&long).await.run;
    let tried = |it: &InstanceStatus| it.restarts >= 1;
    stage.status(&short.id, "the short one is tried again", tried).await;
    stage.end_agent(Ending::LeaveRunning);
    stage.start_agent();
    assert_eq!(stage.healthy(&long).await.run, run);
}
