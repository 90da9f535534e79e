use std::fs;

use toehold_agent::Ending;
use toehold_core::model::{InstancePhase, InstanceStatus};

use crate::lifecycle::{get, kill};
use crate::stage::{Stage, alive};

#[tokio::test]
async fn instances_outlive_a_killed_agent_and_are_taken_up_again() {
    let mut stage = Stage::new().await;
    let placed = stage.server("shop/web.1");
    stage.place(&[&placed]);
    let before = stage.healthy(&placed).await;
    stage.kill_agent();
    assert!(alive(&before));
    assert!(get(&before, "/").await.contains("200 OK"));
    stage.start_agent();
    let after = stage.report("it reports", |_| true).await;
    let [after] = &after.instances[..] else { panic!("{after:?}") };
    // Also in the very first report: nobody may take it out of the traffic for our sake.
    assert!(after.healthy);
    assert_eq!((after.run, after.addr), (before.run, before.addr));
    assert_eq!((after.restarts, after.healthy_since), (0, before.healthy_since));
    assert_eq!(stage.processes().len(), 1);
    kill(after).await;
    let again = |it: &InstanceStatus| it.restarts == 1 && it.healthy;
    let again = stage.status(&placed.id, "it is started again", again).await;
    assert_eq!(again.addr, before.addr);
}

#[tokio::test]
async fn a_process_that_was_not_written_down_is_found_by_its_mark() {
    let mut stage = Stage::new().await;
    let placed = stage.server("shop/web.1");
    stage.place(&[&placed]);
    let before = stage.healthy(&placed).await;
    stage.kill_agent();
    // As if the agent had been killed between starting it and writing that down.
    let kept = stage.agent_dir().join("instances/shop.web.1");
    let text = fs::read_to_string(&kept).expect("written down");
    let mut value: serde_json::Value =
        serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    value["run"] = serde_json::Value::Null;
    value["healthy_since"] = serde_json::Value::Null;
    toehold_host::durable::save(&kept, &value).expect("written");
    stage.start_agent();
    let after = stage.healthy(&placed).await;
    assert_eq!((after.run, after.addr, after.restarts), (before.run, before.addr, 0));
    assert_eq!(stage.processes().len(), 1, "it was started twice");
}

#[tokio::test]
async fn what_was_ended_meanwhile_is_started_and_what_is_not_placed_is_stopped() {
    let mut stage = Stage::new().await;
    let (dies, goes) = (stage.server("shop/web.1"), stage.server("shop/web.2"));
    stage.place(&[&dies, &goes]);
    let dying = stage.healthy(&dies).await;
    let going = stage.healthy(&goes).await;
    stage.kill_agent();
    kill(&dying).await;
    stage.place(&[&dies]);
    stage.start_agent();
    let back = stage.status(&dies.id, "it is back", |it| it.healthy && it.restarts == 1).await;
    assert_eq!(back.last_exit.expect("it ended").how, "ended while no agent watched");
    stage.report("the other is gone", |it| it.instances.len() == 1).await;
    assert!(!alive(&going));
}

#[tokio::test]
async fn without_a_control_plane_all_goes_on_by_the_last_placement() {
    let mut stage = Stage::new().await;
    let placed = stage.server("shop/web.1");
    stage.place(&[&placed]);
    let before = stage.healthy(&placed).await;
    stage.end_agent(Ending::LeaveRunning);
    assert!(alive(&before));
    fs::remove_file(stage.path("agent.sock")).expect("the control plane is away");
    stage.start_agent();
    kill(&before).await;
    let again = || stage.processes().iter().any(|run| Some(*run) != before.run);
    stage.eventually("it is started again", again).await;
    assert!(!alive(&before));
}

#[tokio::test]
async fn a_placement_of_an_older_control_plane_is_refused() {
    let mut stage = Stage::new().await;
    let placed = stage.server("shop/web.1");
    stage.order(7, 3);
    stage.place(&[&placed]);
    let before = stage.healthy(&placed).await;
    stage.order(6, 900);
    stage.place(&[]);
    stage.order(6, 901);
    let report = stage.report("it goes on", |it| it.instances.len() == 1).await;
    assert_eq!((report.applied.epoch, report.applied.rev), (7, 4));
    assert!(alive(&before));
}

#[tokio::test]
async fn stopping_everything_is_undone_by_the_next_agent() {
    let mut stage = Stage::new().await;
    let placed = stage.server("shop/web.1");
    stage.place(&[&placed]);
    let before = stage.healthy(&placed).await;
    stage.end_agent(Ending::StopAll);
    assert!(!alive(&before));
    assert_eq!(stage.processes(), Vec::new());
    stage.start_agent();
    let after = stage.healthy(&placed).await;
    assert_eq!((after.restarts, after.addr), (0, before.addr));
}

#[tokio::test]
async fn where_the_placement_is_damaged_nothing_is_ended_before_somebody_speaks() {
    let mut stage = Stage::new().await;
    let placed = stage.server("shop/web.1");
    stage.place(&[&placed]);
    let before = stage.healthy(&placed).await;
    stage.kill_agent();
    for name in ["placement", "placement.prev"] {
        fs::write(stage.agent_dir().join(name), "torn").expect("written");
    }
    stage.start_agent();
    let after = stage.healthy(&placed).await;
    assert_eq!((after.run, after.phase), (before.run, InstancePhase::Running));
}
