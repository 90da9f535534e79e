use std::time::Duration;

use toehold_agent::Ending;
use toehold_core::model::{HealthKind, InstancePhase};
use toehold_host::process::run_id;

use crate::lifecycle::kill;
use crate::stage::Stage;

#[tokio::test]
async fn an_app_that_redirects_the_probe_is_not_healthy_and_the_target_is_named() {
    let mut stage = Stage::new().await;
    let mut placed = stage.server("shop/web.1");
    placed.env.insert("MODE".into(), "redirect".into());
    stage.place(&[&placed]);
    let said = |answer: &str| answer == "301 to https://shop.example/";
    let status = stage
        .status(&placed.id, "the redirect is seen", |it| {
            it.evidence.as_ref().is_some_and(|it| said(&it.answer))
        })
        .await;
    assert!(!status.healthy);
    assert_eq!(status.phase, InstancePhase::Starting);
}

#[tokio::test]
async fn an_app_that_listens_on_the_wrong_port_is_told_which() {
    let mut stage = Stage::new().await;
    let mut placed = stage.server("shop/web.1");
    placed.env.insert("MODE".into(), "elsewhere".into());
    stage.place(&[&placed]);
    let status = stage
        .status(&placed.id, "the other port is named", |it| {
            it.evidence.as_ref().is_some_and(|it| it.answer.contains("it listens on "))
        })
        .await;
    let port = status.addr.expect("it was given one").port();
    let answer = status.evidence.expect("just seen").answer;
    assert!(answer.ends_with(&format!("not on $PORT {port}")), "{answer}");
}

#[tokio::test]
async fn health_falls_and_rises_with_what_the_app_says() {
    let mut stage = Stage::new().await;
    let mut placed = stage.shell("shop/web.1", "sleep 600");
    placed.health.kind = HealthKind::Command { run: "test ! -e \"$TOEHOLD_DATA/ill\"".into() };
    stage.place(&[&placed]);
    let since = stage.healthy(&placed).await.healthy_since;
    let ill = stage.path("data/ill");
    std::fs::write(&ill, "").expect("written");
    let status = stage.status(&placed.id, "it fell", |it| !it.healthy).await;
    assert_eq!(status.evidence.expect("probed").answer, "exit code 1");
    assert_eq!(status.phase, InstancePhase::Running, "it is not started again for that");
    std::fs::remove_file(&ill).expect("removed");
    assert_eq!(stage.healthy(&placed).await.healthy_since, since);
}

#[tokio::test]
async fn one_that_never_listens_starts_for_ever() {
    let mut stage = Stage::new().await;
    let mut placed = stage.server("shop/web.1");
    placed.command = "sleep 600".into();
    placed.health.interval = Duration::from_millis(100);
    stage.place(&[&placed]);
    let status = stage
        .status(&placed.id, "it was asked in vain", |it| {
            it.evidence.as_ref().is_some_and(|it| it.answer == "refused")
        })
        .await;
    assert_eq!((status.phase, status.healthy), (InstancePhase::Starting, false));
}

#[tokio::test]
async fn a_health_command_that_hangs_ends_with_the_wish_the_instance_and_the_agent() {
    let mut stage = Stage::new().await;
    let mut placed = stage.shell("shop/web.1", "exec sleep 600");
    let run = "echo $$ >> \"$TOEHOLD_DATA/probes\"; exec sleep 601".to_owned();
    placed.health.kind = HealthKind::Command { run };
    placed.health.timeout = Duration::from_mins(10);
    stage.place(&[&placed]);
    let path = stage.path("data/probes");
    let begun = || -> Vec<u32> {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.lines().filter_map(|it| it.parse().ok()).collect()
    };
    stage.eventually("it is probed", || begun().len() == 1).await;
    placed.grace = Duration::from_secs(4);
    stage.place(&[&placed]);
    stage.eventually("it is probed by the new wish", || begun().len() == 2).await;
    stage.eventually("the first has ended", || run_id(begun()[0]).is_none()).await;
    let status = stage.status(&placed.id, "it runs", |it| it.run.is_some()).await;
    kill(&status).await;
    stage.eventually("it is probed again", || begun().len() == 3).await;
    stage.eventually("the second has ended", || run_id(begun()[1]).is_none()).await;
    stage.end_agent(Ending::LeaveRunning);
    stage.eventually("the last has ended", || run_id(begun()[2]).is_none()).await;
}
