//! A machine that is cut off from its control plane, and from nothing else.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use toehold_agent::Ending;
use toehold_core::wire::Order;
use toehold_host::process::{is_alive, run_id};

use crate::cable::Cable;
use crate::port::{DAY, Port, ago, machine, pack, place, placed};

/// It writes down each start, and runs.
const SCRIPT: &str = "echo $$ >> \"$TOEHOLD_DATA/starts\"\nexec sleep 600\n";

/// The process ids of all starts of the app so far.
fn starts(port: &Port) -> Vec<u32> {
    let path = port.dir("web1").join("data/shop/starts");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Kills the newest start, and waits for the next.
async fn dies_and_is_started_again(port: &Port) {
    // It may be healthy before it has written down anything.
    port.until("it was started", async || !starts(port).is_empty()).await;
    let before = starts(port);
    let last = *before.last().expect("it was started");
    let pid = i32::try_from(last).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::KILL).expect("it was there");
    port.until("it was started again", async || starts(port).len() > before.len()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_without_its_control_plane_goes_on_for_a_day_and_comes_back() {
    // The control plane's clock is a day behind, until that day has gone by.
    let port = Port::behind(DAY).await;
    let cable = Cable::to(port.at).await;
    port.join_by(cable.at, "web1").await;
    let (artifact, packed) = pack(SCRIPT, 10);
    std::fs::write(port.on_shelf(&artifact), packed).expect("on the shelf");
    place(&port, "web1", (2, 1), vec![placed(&artifact)]);
    let agent = port.start("web1");
    let first = port.until_healthy("web1").await.run.expect("it runs");

    cable.plug(false);
    port.clock.set(ago(Duration::ZERO));
    // What dies is started again, by this agent and by the next, which knows the plan from its disk.
    assert!(is_alive(first));
    dies_and_is_started_again(&port).await;
    agent.end_and(Ending::LeaveRunning).await;
    let second = run_id(*starts(&port).last().expect("it was started")).expect("it runs on");
    let agent = port.start("web1");
    dies_and_is_started_again(&port).await;
    assert!(!is_alive(second));

    cable.plug(true);
    port.until_heard("web1").await;
    let now = port.until_healthy("web1").await.run.expect("it runs");
    assert_eq!(starts(&port).last(), Some(&now.pid));

    // One that was in charge before, and comes back, moves nothing.
    place(&port, "web1", (1, 900), Vec::new());
    for _ in 0..3 {
        port.until_heard("web1").await;
    }
    let report = port.fleet.agents()[&machine("web1")].report.clone();
    assert_eq!(report.applied, Order { epoch: 2, rev: 1 });
    assert!(is_alive(now));
    // The next one in charge does.
    place(&port, "web1", (3, 1), Vec::new());
    port.until("it has ended", async || !is_alive(now)).await;
    agent.end().await;
}
