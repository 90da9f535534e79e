//! Reads `#1 stable v1 up; #2 canary v3 dead; route 2:1; alert #2; proxy away; agents silent`.

mod machines;

use super::{NOW, Scene, addr, before, id, number};
use crate::model::{
    Alert, AlertPhase, Arm, Basis, Exit, Goal, Instance, InstancePhase, InstanceStatus, Measured,
    Metric, RunId, Split, Target, Track,
};
use crate::situation::ProxySeen;

pub(super) fn read(scene: &mut Scene, sight: &str) {
    scene.seen.proxy = Some(ProxySeen::default());
    scene.app.route.rev = 7;
    for part in sight.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let words: Vec<&str> = part.split_whitespace().collect();
        match words[..] {
            ["route", split] => route(scene, split),
            ["alert", of] => alert(scene, of),
            ["proxy", "away"] => scene.seen.proxy = None,
            ["proxy", "late"] => {
                if let Some(proxy) = scene.seen.proxy.as_mut() {
                    proxy.applied_rev = 6;
                }
            }
            ["agents", "silent"] => machines::silent(scene),
            ["machine", name, ref how @ ..] => machines::machine(scene, name, how),
            [of, track, release, ref how @ ..] => instance(scene, (of, track, release), how),
            _ => panic!("{part:?} is no sight"),
        }
        if let Some(proxy) = scene.seen.proxy.as_mut().filter(|proxy| proxy.applied_rev == 0) {
            proxy.applied_rev = 7;
        }
    }
}

fn ordinal(text: &str) -> u64 {
    text.strip_prefix('#').and_then(|text| text.parse().ok()).expect("an instance is written #1")
}

fn instance(scene: &mut Scene, (of, track, release): (&str, &str, &str), how: &[&str]) {
    let (ordinal, release) = (ordinal(of), number(release));
    let track: Track = track.parse().expect("it is a track");
    let mut instance = Instance {
        id: id(ordinal),
        release,
        track,
        goal: Goal::Run,
        created_at: before(10),
        place: Some(machines::place("local")),
    };
    let mut status = InstanceStatus {
        id: id(ordinal),
        release,
        phase: InstancePhase::Starting,
        addr: Some(addr(ordinal)),
        run: None,
        healthy: false,
        healthy_since: None,
        started_at: Some(before(10)),
        restarts: 0,
        last_exit: None,
        evidence: None,
        reading: None,
    };
    let mut is_seen = true;
    for word in how {
        match *word {
            "starting" => {}
            "up" => run(&mut status, true),
            "sick" => run(&mut status, false),
            "dead" => die(&mut status),
            "died-thrice" => {
                die(&mut status);
                status.restarts = 3;
            }
            "failed" => status.phase = InstancePhase::Failed { why: "no such program".into() },
            "stopped" => status.phase = InstancePhase::Stopped,
            "wrong" => status.release.0 += 1,
            "unseen" => is_seen = false,
            "old" => {
                instance.created_at = before(300);
                status.started_at = Some(before(299));
            }
            "draining" => {
                instance.goal = Goal::Drain { until: NOW.plus(std::time::Duration::from_secs(9)) }
            }
            "overdue" => instance.goal = Goal::Drain { until: before(1) },
            "stopping" => instance.goal = Goal::Stop,
            "unplaced" => instance.place = None,
            on if on.starts_with("on=") => instance.place = Some(machines::place(&on[3..])),
            other => {
                let count = other.strip_suffix("req").and_then(|count| count.parse().ok());
                let count: u64 = count.unwrap_or_else(|| panic!("{other:?} is no state"));
                if let Some(proxy) = scene.seen.proxy.as_mut() {
                    proxy.in_flight.insert(id(ordinal), count);
                }
            }
        }
    }
    scene.app.next_instance = scene.app.next_instance.max(ordinal + 1);
    scene.app.instances.push(instance);
    if is_seen {
        scene.seen.instances.insert(id(ordinal), status);
    }
}

fn run(status: &mut InstanceStatus, healthy: bool) {
    status.phase = InstancePhase::Running;
    status.run = Some(RunId { pid: 1, start_ticks: 1 });
    status.healthy = healthy;
    status.healthy_since = healthy.then(|| before(5));
}

fn die(status: &mut InstanceStatus) {
    status.phase = InstancePhase::Backoff { until: NOW };
    status.last_exit = Some(Exit { at: before(1), how: "exit code 1".into() });
}

/// `2:1` routes to every instance that runs, is up or dead, and belongs to what serves.
fn route(scene: &mut Scene, split: &str) {
    let split: Split = split.parse().expect("a split is written 2:1");
    let canary = scene.app.rollout.as_ref().map(|rollout| rollout.release);
    let arms = [
        (Track::Stable, scene.app.serving(), split.stable(), true),
        (Track::Canary, canary, split.canary(), split.canary() > 0),
    ];
    for (track, release, weight, wanted) in arms {
        let Some(release) = release.filter(|_| wanted) else { continue };
        let of = |it: &&Instance| {
            it.goal == Goal::Run
                && it.track == track
                && it.release == release
                && is_reached(scene, it)
        };
        let targets = scene
            .app
            .instances
            .iter()
            .filter(of)
            .map(|it| Target { instance: it.id.clone(), addr: addr(it.id.ordinal()) });
        let arm = Arm { track, release, weight, targets: targets.collect() };
        scene.app.route.arms.push(arm);
    }
}

fn is_reached(scene: &Scene, instance: &Instance) -> bool {
    let status = scene.seen.instances.get(&instance.id);
    status.is_none_or(|status| status.phase != InstancePhase::Starting)
}

fn alert(scene: &mut Scene, of: &str) {
    let instance = scene.instance(ordinal(of)).clone();
    let id = scene.app.alerts.last().map_or(0, |alert| alert.id) + 1;
    scene.app.alerts.push(Alert {
        id,
        rule: "cpu".into(),
        basis: Basis::Measured(Measured {
            instance: instance.id,
            metric: Metric::Cpu,
            value: 80.0,
            threshold: 45.0,
        }),
        release: instance.release,
        track: instance.track,
        raised_at: before(5),
        phase: AlertPhase::Raised { stale: false },
        told_at: Some(before(5)),
        acknowledged_by: None,
    });
}
