//! Reads `stable=v1>v2*2 canary=v3*1@2:1/serving pin=v1`.

use std::time::Duration;

use super::{NOW, Scene, before, number};
use crate::model::{Pin, ReleaseVerdict, Rollout, RolloutPhase, Stable};
use crate::spec::{MachinesSpec, PlaybookSpec};

pub(super) fn read(scene: &mut Scene, wish: &str) {
    for word in wish.split_whitespace() {
        let (key, value) = word.split_once('=').expect("a wish is written key=value");
        match key {
            "stable" => stable(scene, value),
            "canary" => canary(scene, value),
            "good" => good(scene, value),
            "pin" => {
                let release = number(value);
                scene.app.pin = Some(Pin { release, by: "bob".into(), at: before(60) });
            }
            "on" => machines(scene, value),
            _ => panic!("{key:?} is no wish"),
        }
    }
}

/// `ssh`, or `ssh+playbook`.
fn machines(scene: &mut Scene, value: &str) {
    let (provider, playbook) = match value.strip_suffix("+playbook") {
        Some(provider) => (provider, Some(playbook())),
        None => (value, None),
    };
    let provider = provider.parse().expect("it is a provider");
    for release in scene.releases.values_mut() {
        release.spec.machines = MachinesSpec { provider, size: None, playbook: playbook.clone() };
    }
}

fn playbook() -> PlaybookSpec {
    PlaybookSpec { path: "ops/site.yml".into(), timeout: Duration::from_mins(15) }
}

/// `v1*2` serves; `v1>v2*2` is on its way; `>v1*1` is the first.
fn stable(scene: &mut Scene, value: &str) {
    let (way, count) = value.split_once('*').unwrap_or((value, "1"));
    scene.app.scale.wanted = count.parse().expect("a count is a number");
    let (from, to) = way.split_once('>').map_or((way, way), |(from, to)| (from, to));
    let since = if from == to { before(600) } else { before(10) };
    scene.app.stable = Some(Stable { release: number(to), since });
    if !from.is_empty() {
        good(scene, from);
    }
}

/// `v1,v2`: served before, the last of them now.
fn good(scene: &mut Scene, value: &str) {
    for release in value.split(',').map(number) {
        scene.app.good.retain(|good| *good != release);
        scene.app.good.push(release);
        if let Some(release) = scene.releases.get_mut(&release) {
            release.verdict = ReleaseVerdict::Good;
        }
    }
}

/// `v3*1@2:1/serving`.
fn canary(scene: &mut Scene, value: &str) {
    let (value, phase) = value.split_once('/').unwrap_or((value, "serving"));
    let (value, split) = value.split_once('@').unwrap_or((value, "2:1"));
    let (release, count) = value.split_once('*').unwrap_or((value, "1"));
    let release = number(release);
    scene.spec(release.0).canary.instances = count.parse().expect("a count is a number");
    let phase = match phase {
        "starting" => RolloutPhase::Starting,
        "serving" => RolloutPhase::Serving,
        "paused" => RolloutPhase::Paused,
        "held" => RolloutPhase::Held { why: "it died".into(), alert: None, since: before(60) },
        "alerted" => {
            RolloutPhase::Held { why: "an alert".into(), alert: Some(1), since: before(60) }
        }
        "promoting" => {
            scene.app.stable = Some(Stable { release, since: before(10) });
            RolloutPhase::Promoting
        }
        "promoted" => RolloutPhase::Promoted,
        "aborted" => RolloutPhase::Aborted { why: "it was bad".into() },
        _ => panic!("{phase:?} is no phase"),
    };
    scene.app.rollout = Some(Rollout {
        release,
        split: split.parse().expect("a split is written 2:1"),
        step: None,
        step_since: if phase == RolloutPhase::Starting { before(10) } else { before(300) },
        started_at: before(300).min(NOW),
        phase,
    });
}
