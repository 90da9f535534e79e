use toehold_core::model::{InstanceStatus, Reading};
use toehold_host::cgroup::{Cgroup, Limits};

use crate::stage::Stage;

fn limits_memory() -> bool {
    let limits = Limits { cpus: 1.0, memory_bytes: None, pids: None };
    let group = Cgroup::create(&format!("test-{}", std::process::id()), &limits);
    group.is_some_and(|it| it.limits_memory())
}

#[tokio::test]
async fn one_that_takes_more_memory_than_it_may_is_ended_and_told_why() {
    if !limits_memory() {
        return;
    }
    let mut stage = Stage::new().await;
    let mut placed = stage.shell("shop/web.1", "x=a; while :; do x=$x$x; done");
    placed.memory_bytes = 32 << 20;
    stage.place(&[&placed]);
    let dead = stage.status(&placed.id, "it died", |it| it.restarts >= 1).await;
    let how = dead.last_exit.expect("it ended").how;
    assert!(how.contains("out of memory: it may use 32 MiB"), "{how}");
}

#[tokio::test]
async fn cpu_and_memory_of_the_whole_tree_are_a_share_of_its_allotment() {
    let mut stage = Stage::new().await;
    let mut placed = stage.shell("shop/web.1", "(while :; do :; done) & sleep 600");
    placed.cpus = 0.5;
    stage.place(&[&placed]);
    // Half a core is its allotment: a loop that gets more than a quarter of one is above 50 %.
    let busy = |it: &Reading| it.cpu_percent > 50.0 && it.memory_percent > 0.0;
    let busy = |it: &InstanceStatus| it.reading.as_ref().is_some_and(busy);
    let reading = stage.status(&placed.id, "it is busy", busy).await.reading.expect("just seen");
    assert!(reading.cpu_percent < 1000.0 && reading.memory_bytes < 64 << 20, "{reading:?}");
    let report = stage.report("the machine is read", |it| it.machine.cpu_percent > 0.0).await;
    assert!(report.machine.cpus >= 1.0 && report.machine.disk_free_bytes > 0);
}
