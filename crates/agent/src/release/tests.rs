use std::pin::pin;
use std::process::Stdio;

use toehold_core::model::Number;

use super::*;
use crate::scene::{at_once, placed, until};

/// A machine on which no command was run yet.
struct Stage {
    dir: tempfile::TempDir,
    releases: Releases,
}

impl Stage {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let releases = Releases::open(dir.path().join("release-commands"));
        Self { dir, releases }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn env() -> Vec<(OsString, OsString)> {
        vec![("PATH".into(), "/usr/bin:/bin".into())]
    }

    async fn run(&self, release: u64, command: &str) -> Result<(), ReleaseError> {
        let command = Some(command.to_owned());
        let release = Number(release);
        let placed = Placed { release, release_command: command, ..placed("shop/web.1") };
        let log = || {
            let log = fs::File::options().create(true).append(true).open(self.file("log"))?;
            Ok((log.try_clone()?, log))
        };
        self.releases.run_once(&placed, self.dir.path(), Self::env(), log).await
    }

    /// What an agent that was killed left running.
    fn left_running(&self, release: u64, command: &str) -> tokio::process::Child {
        let placed = Placed { release: Number(release), ..placed("shop/web.1") };
        let launch = Launch {
            argv: ["/bin/sh", "-c", command].map(Into::into).to_vec(),
            env: Self::env(),
            dir: self.dir.path().to_owned(),
            stdout: Stdio::null(),
            stderr: Stdio::null(),
            marker: self.releases.marker(&name(&placed)),
            nice: 0,
            cgroup: None,
        };
        launch.start().expect("it starts").1
    }
}

/// Says when another runs beside it. Takes its time to end, and hangs until it may go.
const ALONE: &str = "mkdir alone || exit 17
    trap 'sleep 0.2; rmdir alone; exit 18' TERM
    test -e go && { rmdir alone; exit 0; }
    sleep 600 & touch hangs; wait";

#[tokio::test]
async fn one_that_nobody_waits_for_has_ended_when_another_begins() {
    for next in [42, 43] {
        let stage = Stage::new();
        tokio::select! {
            ended = stage.run(42, ALONE) => panic!("it hangs, and said {ended:?}"),
            () = until("it hangs", || stage.file("hangs").exists()) => {}
        }
        fs::write(stage.file("go"), "").expect("written");
        stage.run(next, ALONE).await.expect("the one before is not its matter");
        assert!(!stage.file("alone").exists());
        stage.run(next, "exit 19").await.expect("it is done");
    }
}

#[tokio::test]
async fn one_of_an_earlier_agent_that_did_not_say_how_it_ended_runs_again() {
    let stage = Stage::new();
    let mut earlier = stage.left_running(42, "sleep 600 & echo $! > new; mv new child; wait");
    until("it has begun", || stage.file("child").exists()).await;
    let beside = "grep -q sleep \"/proc/$(cat child)/cmdline\" && exit 17; exit 0";
    let mut again = pin!(stage.run(42, beside));
    assert!(at_once(&mut again).await.is_none(), "the earlier one still runs");
    earlier.kill().await.expect("it is killed");
    again.await.expect("it ran, and nothing of the earlier one was left");
}

#[tokio::test]
async fn one_that_does_not_say_how_it_ended_fails() {
    let stage = Stage::new();
    let said = stage.run(42, "kill -9 $PPID").await.expect_err("nobody knows");
    assert!(matches!(said, ReleaseError::Vanished { .. }), "{said}");
}
